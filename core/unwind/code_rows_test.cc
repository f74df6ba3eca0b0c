// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/unwind/code_rows.h"

#include <gtest/gtest.h>

#include <utility>

namespace plumb::unwind {
namespace {

using Base = Row::Base;
using Kind = Effect::Kind;
using Flow = CodeInsn::Flow;

// Instructions of 4 bytes from 0x1000 on.
class Code {
 public:
  Code& does(std::vector<Effect> effects) { return add({.effects = std::move(effects)}); }
  Code& flows(Flow flow, std::size_t target = kNowhere) {
    return add({.flow = flow, .target = target == kNowhere ? 0 : at(target)});
  }
  [[nodiscard]] std::vector<Row> rows(Arch arch) const {
    const CodePiece piece{.code = insns_};
    return rows_of_code(arch, {&piece, 1});
  }
  static std::uint64_t at(std::size_t index) { return 0x1000 + 4 * index; }

 private:
  static constexpr std::size_t kNowhere = 1'000'000;
  Code& add(CodeInsn insn) {
    insn.address = at(insns_.size());
    insn.size = 4;
    insns_.push_back(std::move(insn));
    return *this;
  }
  std::vector<CodeInsn> insns_;
};

Effect move_sp(std::int64_t by) { return {.kind = Kind::kMoveSp, .value = by}; }
Effect fp_from_sp(std::int64_t by = 0) { return {.kind = Kind::kFpFromSp, .value = by}; }
Effect sp_from_fp(std::int64_t by = 0) { return {.kind = Kind::kSpFromFp, .value = by}; }
Effect on_stack(Kind kind, std::int64_t at = 0) { return {.kind = kind, .value = at}; }
const std::vector<Effect> kPushFp{move_sp(-8), on_stack(Kind::kSaveFp)};
const std::vector<Effect> kLeave{sp_from_fp(), on_stack(Kind::kLoadFp), move_sp(8)};

Row unknown(std::size_t index) { return {.begin = Code::at(index), .kind = Row::Kind::kUnknown}; }
Row by_sp(std::size_t index, std::int32_t cfa, std::optional<std::int32_t> fp,
          std::optional<std::int32_t> ra = -8) {
  return {.begin = Code::at(index),
          .base = Base::kStackPointer,
          .cfa_offset = cfa,
          .fp_offset = fp,
          .ra_offset = ra};
}

using List = std::vector<Row>;

TEST(CodeRows, FollowAFrameUpAndDown) {
  const Code code = Code()
                        .does(kPushFp)         // 0
                        .does({fp_from_sp()})  // 1
                        .does({move_sp(-32)})  // 2
                        .does({})              // 3
                        .does(kLeave)          // 4
                        .flows(Flow::kStop);   // 5
  EXPECT_EQ(code.rows(Arch::kX86_64),
            (List{by_sp(0, 8, std::nullopt), by_sp(1, 16, std::nullopt), by_sp(2, 16, -16),
                  by_sp(3, 48, -16), by_sp(5, 8, std::nullopt), unknown(6)}));
}

TEST(CodeRows, KeepTheReturnAddressInItsRegister) {
  const Code code = Code()
                        .does({move_sp(-16), on_stack(Kind::kSaveFp), on_stack(Kind::kSaveLr, 8)})
                        .does({fp_from_sp()})
                        .flows(Flow::kCall, 100)
                        .does({on_stack(Kind::kLoadFp), on_stack(Kind::kLoadLr, 8), move_sp(16)})
                        .flows(Flow::kStop);
  EXPECT_EQ(code.rows(Arch::kArm64),
            (List{by_sp(0, 0, std::nullopt, std::nullopt),
                  // Saved, and still in their registers: a callee leaves the frame pointer there.
                  by_sp(1, 16, std::nullopt), by_sp(2, 16, -16),
                  by_sp(4, 0, std::nullopt, std::nullopt), unknown(5)}));
}

TEST(CodeRows, AFramePointerThatIsNoRecordIsCountedBack) {
  Code code;
  code.does(kPushFp).does({fp_from_sp()}).does({{.kind = Kind::kMoveFp, .value = -40}});
  code.does({{.kind = Kind::kLoseSp}}).does({}).flows(Flow::kStop);
  EXPECT_EQ(code.rows(Arch::kX86_64)[3], (Row{.begin = Code::at(4),
                                              .base = Base::kFramePointer,
                                              .cfa_offset = 56,
                                              .fp_offset = -16,
                                              .ra_offset = -8}));
}

TEST(CodeRows, WhereTwoWaysDisagreeNothingIsKnown) {
  const Code code = Code()
                        .flows(Flow::kBranch, 2)
                        .does({move_sp(-8)})
                        .does({})  // 2: pushed or not
                        .flows(Flow::kStop);
  EXPECT_EQ(code.rows(Arch::kX86_64), (List{by_sp(0, 8, std::nullopt), unknown(2)}));
}

TEST(CodeRows, TwoWaysThatAgreeMeet) {
  const Code code =
      Code().flows(Flow::kBranch, 3).does({move_sp(-8)}).does({move_sp(8)}).flows(Flow::kStop);
  EXPECT_EQ(code.rows(Arch::kX86_64), (List{by_sp(0, 8, std::nullopt), by_sp(2, 16, std::nullopt),
                                            by_sp(3, 8, std::nullopt), unknown(4)}));
}

TEST(CodeRows, WhereNoWayLeadsNothingIsKnown) {
  const Code code = Code().flows(Flow::kJump, 2).does({}).flows(Flow::kStop);
  EXPECT_EQ(code.rows(Arch::kX86_64),
            (List{by_sp(0, 8, std::nullopt), unknown(1), by_sp(2, 8, std::nullopt), unknown(3)}));
}

TEST(CodeRows, ALoopThatMovesTheStackPointerIsNotFollowedForever) {
  const Code code = Code().does({}).does({move_sp(-8)}).flows(Flow::kBranch, 1).flows(Flow::kStop);
  EXPECT_EQ(code.rows(Arch::kX86_64), (List{by_sp(0, 8, std::nullopt), unknown(1)}));
}

TEST(CodeRows, ASavedWordThatIsOverwrittenIsGone) {
  for (const std::int64_t at : {-7, 0, 7}) {
    const Code code = Code()
                          .does(kPushFp)
                          .does({fp_from_sp()})
                          .does({on_stack(Kind::kStore, at)})
                          .does({})
                          .flows(Flow::kStop);
    EXPECT_EQ(code.rows(Arch::kX86_64).back(), unknown(3)) << at;
  }
}

TEST(CodeRows, AStoreBesideASavedWordLeavesIt) {
  struct Store {
    std::int64_t at = 0;
    std::uint8_t size = 0;
  };
  for (const auto& [at, size] : {Store{-8, 8}, Store{16, 8}, Store{-1, 1}, Store{-4, 4}}) {
    const Code code = Code()
                          .does(kPushFp)
                          .does({fp_from_sp()})
                          .does({{.kind = Kind::kStore, .value = at, .size = size}})
                          .flows(Flow::kStop);
    EXPECT_EQ(code.rows(Arch::kX86_64), (List{by_sp(0, 8, std::nullopt), by_sp(1, 16, std::nullopt),
                                              by_sp(2, 16, -16), unknown(4)}))
        << at;
  }
}

TEST(CodeRows, ACallIntoTheMiddleIsAnIndirectJump) {
  const Code code = Code()
                        .flows(Flow::kCall, 2)  // call 2; 1: spins
                        .flows(Flow::kJump, 1)
                        .does({})  // 2: writes its target over the return address
                        .flows(Flow::kStop);
  EXPECT_EQ(code.rows(Arch::kX86_64),
            (List{by_sp(0, 8, std::nullopt), by_sp(2, 16, std::nullopt), unknown(4)}));
}

TEST(CodeRows, ACallOfAnotherFunctionLeavesTheStackAsItWas) {
  const Code code = Code().flows(Flow::kCall, 900).does({}).flows(Flow::kStop);
  EXPECT_EQ(code.rows(Arch::kX86_64), (List{by_sp(0, 8, std::nullopt), unknown(3)}));
  EXPECT_EQ(code.rows(Arch::kArm64),  // that wrote its return address over this one's
            (List{by_sp(0, 0, std::nullopt, std::nullopt), unknown(1)}));
}

// push fp; fp = sp; sp -= size; the landing; leave; ret
CodePiece framed(std::uint64_t begin, std::int64_t size) {
  CodePiece piece;
  const std::vector<std::vector<Effect>> all{kPushFp, {fp_from_sp()}, {move_sp(-size)},
                                             {},      kLeave,         {}};
  for (const auto& effects : all) {
    piece.code.push_back({.address = begin + 4 * piece.code.size(), .size = 4, .effects = effects});
  }
  piece.code.back().flow = Flow::kStop;
  piece.landing = piece.code[3].address;
  return piece;
}
Row at_landing(const std::vector<Row>& rows, const CodePiece& piece) {
  return *Rows(Arch::kX86_64, rows).find(piece.landing);
}

TEST(CodeRows, LandingsThatAgreeAreAsTheFunctionLeavesThem) {
  const CodePiece pieces[] = {framed(0x1000, 32), framed(0x2000, 32)};
  const auto rows = rows_of_code(Arch::kX86_64, pieces);
  for (const CodePiece& piece : pieces) {
    EXPECT_EQ(at_landing(rows, piece).base, Base::kStackPointer);
    EXPECT_EQ(at_landing(rows, piece).cfa_offset, 48);
  }
}

TEST(CodeRows, ALandingMayHaveTheFrameOfAnother) {
  const CodePiece pieces[] = {framed(0x1000, 32), framed(0x2000, 8)};
  const auto rows = rows_of_code(Arch::kX86_64, pieces);
  for (const CodePiece& piece : pieces) {
    EXPECT_EQ(at_landing(rows, piece).base, Base::kFramePointer);
    EXPECT_EQ(at_landing(rows, piece).cfa_offset, 16);
  }
  EXPECT_EQ(*Rows(Arch::kX86_64, rows).find(Code::at(5)), by_sp(5, 8, std::nullopt));  // ret
}

CodePiece thunk_of_one(std::uint64_t address) {
  CodePiece piece{.code = {}, .is_thunk = true};
  piece.code.push_back({.address = address, .size = 4, .flow = Flow::kStop});
  return piece;
}

TEST(CodeRows, AThunkThatIsJumpedToHasTheFrameOfWhoJumps) {
  CodePiece function = framed(0x1000, 32);
  function.code[3].flow = Flow::kJump;
  function.code[3].target = 0x2000;
  const CodePiece pieces[] = {function, thunk_of_one(0x2000)};
  const Row row = *Rows(Arch::kX86_64, rows_of_code(Arch::kX86_64, pieces)).find(0x2000);
  EXPECT_EQ(row.cfa_offset, 48);
}

TEST(CodeRows, AThunkThatIsJumpedToFromTwoFramesGoesByWhatTheyShare) {
  CodePiece one = framed(0x1000, 32);
  CodePiece two = framed(0x2000, 8);
  for (CodePiece* piece : {&one, &two}) {
    piece->landing = 0;
    piece->code[3].flow = Flow::kJump;
    piece->code[3].target = 0x3000;
  }
  const CodePiece pieces[] = {one, two, thunk_of_one(0x3000)};
  const Row row = *Rows(Arch::kX86_64, rows_of_code(Arch::kX86_64, pieces)).find(0x3000);
  EXPECT_EQ(row.base, Base::kFramePointer);
  EXPECT_EQ(row.cfa_offset, 16);
}

TEST(CodeRows, AThunkThatIsCalledBeginsLikeAFunction) {
  CodePiece function = framed(0x1000, 32);
  function.code[3].flow = Flow::kCall;
  function.code[3].target = 0x2000;
  const CodePiece pieces[] = {function, thunk_of_one(0x2000), thunk_of_one(0x3000)};
  const Rows rows(Arch::kX86_64, rows_of_code(Arch::kX86_64, pieces));
  EXPECT_EQ(rows.find(0x2000)->cfa_offset, 8);
  EXPECT_EQ(rows.find(0x3000)->cfa_offset, 8);  // by whoever is not in sight
}

TEST(CodeRows, NoCodeHasNoRows) {
  EXPECT_TRUE(rows_of_code(Arch::kX86_64, {}).empty());
  const CodePiece empty;
  EXPECT_TRUE(rows_of_code(Arch::kX86_64, {&empty, 1}).empty());
}

}  // namespace
}  // namespace plumb::unwind
