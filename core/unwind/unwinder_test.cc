// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/unwind/unwinder.h"

#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>
#include <vector>

#include "core/unwind/testing_stack.h"

namespace plumb::unwind {
namespace {

// The kernel calls a program, which calls a subprogram, which calls a helper:
//
//   kHelper   0x1080  return address into the subprogram
//   sub       0x1100  record: fp of main, return address into main
//   main      0x1200  record: fp of the kernel, return address into the kernel
//   kernel    0x1300  record: end mark
constexpr std::uint64_t kKernel = 0x10'0000;
constexpr std::uint64_t kMain = 0x40'0000;
constexpr std::uint64_t kSub = 0x40'0100;
constexpr Range kCode{0x40'0000, 0x200};
constexpr Range kText[] = {{0x10'0000, 0x1000}, kCode};

TestStack three_frames(Arch arch) {
  const std::uint64_t below = arch == Arch::kRiscv64 ? 16 : 0;
  TestStack stack;
  stack.words = {{0x1100 - below, 0x1200}, {0x1108 - below, kMain + 0x20},
                 {0x1200 - below, 0x1300}, {0x1208 - below, kKernel + 0x20},
                 {0x1300 - below, 0},      {0x1308 - below, kKernel + 0x80}};
  return stack;
}

// Of a program in the middle of its code.
constexpr Cursor kInSub{.pc = kSub + 0x10, .sp = 0x1080, .fp = 0x1100, .lr = 0, .is_exact = true};

// The rows themselves, without a file between.
class ReadRows final : public CallFrameInfo {
 public:
  ReadRows(const Rows& c_rows, const Rows& jit_rows) : c_rows_(c_rows), jit_rows_(jit_rows) {}
  [[nodiscard]] std::optional<Row> row_at(std::uint64_t pc) const override {
    const Row* const row = (kCode.contains(pc) ? jit_rows_ : c_rows_).find(pc);
    return row == nullptr ? std::nullopt : std::optional(*row);
  }

 private:
  const Rows& c_rows_;
  const Rows& jit_rows_;
};

class Knowing {
 public:
  explicit Knowing(Arch arch)
      : c_rows_(arch, c_rows(arch)), jit_rows_(arch, jit_rows(arch)), read_(c_rows_, jit_rows_) {
    knowledge.arch = arch;
    knowledge.jit_code = std::span(&kCode, 1);
    knowledge.c_rows = &c_rows_;
    knowledge.jit_rows = &jit_rows_;
    knowledge.text = kText;
    knowledge.call_frames = &read_;
  }
  Knowing(const Knowing&) = delete;
  Knowing& operator=(const Knowing&) = delete;

  Knowledge knowledge;

 private:
  static Row record(Arch arch, std::uint64_t begin) {
    Row row = *frame_record_rows(arch).find(0);
    row.begin = begin;
    row.is_reliable = true;
    return row;
  }
  // The kernel's own frame is the last one.
  static std::vector<Row> c_rows(Arch) {
    return {{.begin = kKernel, .kind = Row::Kind::kOutermost, .is_reliable = true}};
  }
  static std::vector<Row> jit_rows(Arch arch) { return {record(arch, kMain), record(arch, kSub)}; }

  Rows c_rows_;
  Rows jit_rows_;
  ReadRows read_;
};

std::vector<std::uint64_t> pcs(const Walk& walk) {
  std::vector<std::uint64_t> found;
  for (const Frame& frame : walk.frames) found.push_back(frame.cursor.pc);
  return found;
}

TEST(Unwinders, EachHasANameOfItsOwnAndAnArchitecture) {
  std::set<std::string_view> names;
  for (const UnwinderInfo& info : unwinder_table()) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_EQ(find_unwinder(info.name), &info);
    EXPECT_EQ(&unwinder_info(info.id), &info);
    EXPECT_TRUE(info.runs_on(Arch::kX86_64) || info.runs_on(Arch::kArm64)) << info.name;
  }
  EXPECT_EQ(find_unwinder("no-such-unwinder"), nullptr);
}

// In the body of functions that keep records all are right; what they say of that differs.
TEST(Unwinders, FindEveryCallerFromABody) {
  struct Expected {
    Unwinder id;
    bool reliable;
  };
  using enum Unwinder;
  constexpr std::array kExpected{Expected{kFramePointer, false},
                                 Expected{kOrc, false},
                                 Expected{kOrcFpRange, false},
                                 Expected{kOrcWithJitRows, true},
                                 Expected{kDwarf, true},
                                 Expected{kFrameRecord, false},
                                 Expected{kFrameRecordFromRegisters, false},
                                 Expected{kBackwardsEdge, false}};
  ASSERT_EQ(kExpected.size(), unwinder_table().size());
  for (const Arch arch : {Arch::kX86_64, Arch::kArm64, Arch::kRiscv64}) {
    const TestStack stack = three_frames(arch);
    const Knowing knowing(arch);
    for (const Expected& expected : kExpected) {
      const UnwinderInfo& info = unwinder_info(expected.id);
      if (!info.runs_on(arch)) continue;
      SCOPED_TRACE(std::string(arch_name(arch)) + " " + std::string(info.name));
      const Walk got = walk(info.id, kInSub, stack, knowing.knowledge, 10);
      ASSERT_GE(got.frames.size(), 2u);
      EXPECT_EQ(got.frames[0].cursor.pc, kMain + 0x20);
      EXPECT_EQ(got.frames[1].cursor.pc, kKernel + 0x20);
      EXPECT_TRUE(got.reached_end);
      EXPECT_EQ(got.reliable, expected.reliable);
    }
  }
}

// The end mark of the kernel's code is not one of DWARF.
TEST(Unwinders, CallFramesDoNotEndWhereAFramePointerIsZero) {
  const TestStack stack = three_frames(Arch::kX86_64);
  const Knowing knowing(Arch::kX86_64);
  Cursor broken = kInSub;
  broken.fp = kEndOfWalk;
  EXPECT_TRUE(walk(Unwinder::kOrcWithJitRows, broken, stack, knowing.knowledge, 10).reached_end);
  const Walk got = walk(Unwinder::kDwarf, broken, stack, knowing.knowledge, 10);
  EXPECT_FALSE(got.reached_end);
  EXPECT_EQ(got.why, Why::kOutsideStack);
  EXPECT_EQ(walk(Unwinder::kDwarf, kInSub, stack, Knowledge{}, 10).why, Why::kNoRow);
}

// From a call all frames have records, and the frame-pointer unwinder may say so. arm64 and riscv64
// of 6.12 have no arch_stack_walk_reliable().
TEST(Unwinders, WithRecordsAreReliableFromACallOnX86) {
  Cursor cursor = kInSub;
  cursor.is_exact = false;
  for (const Unwinder id : {Unwinder::kFramePointer, Unwinder::kFrameRecord}) {
    const bool is_x86 = id == Unwinder::kFramePointer;
    const Arch arch = is_x86 ? Arch::kX86_64 : Arch::kArm64;
    EXPECT_EQ(walk(id, cursor, three_frames(arch), Knowing(arch).knowledge, 10).reliable, is_x86);
  }
}

// The chain goes on, but one of its return addresses is no code: arch_stack_walk_reliable() fails.
TEST(Unwinders, AnAddressThatIsNoCodeIsNotReliable) {
  Cursor cursor = kInSub;
  cursor.is_exact = false;
  TestStack stack = three_frames(Arch::kX86_64);
  stack.words[0x1208] = 0x7777;
  const Walk got =
      walk(Unwinder::kFramePointer, cursor, stack, Knowing(Arch::kX86_64).knowledge, 10);
  EXPECT_TRUE(got.reached_end);
  EXPECT_EQ(got.frames[1].cursor.pc, 0x7777u);
  EXPECT_FALSE(got.reliable);
}

// ORC of 7.x: what the JIT says of its frame pointer decides.
TEST(Unwinders, OrcTrustsTheFramePointerWhereTheJitSaysSo) {
  const TestStack stack = three_frames(Arch::kX86_64);
  const Knowing knowing(Arch::kX86_64);
  Knowledge knowledge = knowing.knowledge;
  const std::array<Range, 2> ranges{Range{kMain + 8, 0x40}, Range{kSub + 8, 0x40}};
  knowledge.fp_ranges = ranges;
  EXPECT_TRUE(walk(Unwinder::kOrcFpRange, kInSub, stack, knowledge, 10).reliable);
  EXPECT_FALSE(walk(Unwinder::kOrc, kInSub, stack, knowledge, 10).reliable);
  Cursor in_prologue = kInSub;
  in_prologue.pc = kSub + 4;
  EXPECT_FALSE(walk(Unwinder::kOrcFpRange, in_prologue, stack, knowledge, 10).reliable);
}

// A call as the last instruction: its return address is the next function's.
TEST(Unwinders, ACallIsLookedUpWhereItStands) {
  const TestStack stack = three_frames(Arch::kX86_64);
  const Knowing knowing(Arch::kX86_64);
  Cursor behind = kInSub;
  behind.is_exact = false;
  behind.pc = kCode.address + kCode.size;
  EXPECT_EQ(pcs(walk(Unwinder::kOrcWithJitRows, behind, stack, knowing.knowledge, 1)),
            std::vector{kMain + 0x20});
  behind.is_exact = true;
  EXPECT_TRUE(walk(Unwinder::kOrcWithJitRows, behind, stack, knowing.knowledge, 1).frames.empty());
}

// C.5 of the record: before "push rbp" the caller is skipped, and nobody calls that reliable.
TEST(Unwinders, BeforeTheRecordTheCallerIsSkipped) {
  const TestStack stack = three_frames(Arch::kX86_64);
  const Knowing knowing(Arch::kX86_64);
  const Cursor at_entry{.pc = kSub, .sp = 0x1108, .fp = 0x1200, .lr = 0, .is_exact = true};
  for (const Unwinder id : {Unwinder::kFramePointer, Unwinder::kOrc, Unwinder::kOrcFpRange}) {
    const Walk got = walk(id, at_entry, stack, knowing.knowledge, 10);
    EXPECT_EQ(got.frames.front().cursor.pc, kKernel + 0x20);
    EXPECT_FALSE(got.reliable);
  }
}

// An interrupt at 0x1010 keeps the registers of kInSub, and leaves the encoded pointer to them.
TEST(Unwinders, AnEncodedFramePointerLeadsToTheInterruptedCode) {
  TestStack stack = three_frames(Arch::kX86_64);
  const SavedRegisters& saved = saved_registers(Arch::kX86_64);
  constexpr std::uint64_t kSaved = 0x1010;
  const auto at = [](std::int32_t offset) { return kSaved + static_cast<std::uint64_t>(offset); };
  stack.words[at(saved.pc)] = kInSub.pc;
  stack.words[at(saved.sp)] = 0x10c0;
  stack.words[at(saved.fp)] = kInSub.fp;
  const Cursor handler{.pc = kKernel + 0x200, .sp = 0x1008, .fp = kSaved + 1, .lr = 0};
  const Knowing knowing(Arch::kX86_64);
  const Walk got = walk(Unwinder::kFramePointer, handler, stack, knowing.knowledge, 10);
  ASSERT_EQ(pcs(got).size(), 4u);
  EXPECT_EQ(got.frames[0].cursor.pc, kInSub.pc);
  EXPECT_TRUE(got.frames[0].cursor.is_exact);
  EXPECT_EQ(got.frames[1].cursor.pc, kMain + 0x20);
  EXPECT_TRUE(got.reached_end);
  EXPECT_FALSE(got.reliable) << "what was interrupted may not have had a frame";
  // Nobody decodes it elsewhere: an odd frame pointer is none.
  Cursor at_helper = handler;
  at_helper.pc = kSub + 0x20;
  EXPECT_EQ(walk(Unwinder::kOrc, at_helper, stack, knowing.knowledge, 10).why,
            Why::kNoReturnAddress);
  // Registers that lead downwards are none.
  stack.words[at(saved.sp)] = 0x1020;
  EXPECT_EQ(walk(Unwinder::kFramePointer, handler, stack, knowing.knowledge, 10).why,
            Why::kNotUpwards);
}

// ORC has a row for the entry code of interrupts instead.
TEST(Unwinders, ARowOfRegistersLeadsToTheInterruptedCode) {
  for (const Arch arch : {Arch::kX86_64, Arch::kArm64, Arch::kRiscv64}) {
    TestStack stack = three_frames(arch);
    const SavedRegisters& saved = saved_registers(arch);
    const auto at = [&](std::int32_t offset) {
      return 0x1010 + static_cast<std::uint64_t>(offset);
    };
    // The frames move up: arm64 keeps 336 bytes.
    TestStack moved;
    for (const auto& [address, word] : stack.words) {
      moved.words[address + 0x100] = word >= kLow && word < kHigh ? word + 0x100 : word;
    }
    moved.words[at(saved.pc)] = kInSub.pc;
    moved.words[at(saved.sp)] = 0x1180;
    moved.words[at(saved.fp)] = 0x1200;
    if (saved.lr >= 0) moved.words[at(saved.lr)] = 0x1234;
    Knowing knowing(arch);
    const Rows entry(arch, {{.begin = kKernel, .kind = Row::Kind::kOutermost, .is_reliable = true},
                            {.begin = kKernel + 0x200,
                             .kind = Row::Kind::kRegisters,
                             .base = Row::Base::kStackPointer,
                             .cfa_offset = 8}});
    knowing.knowledge.c_rows = &entry;
    const Cursor handler{.pc = kKernel + 0x210, .sp = 0x1008, .fp = 7, .lr = 0};
    const Walk got = walk(Unwinder::kOrcWithJitRows, handler, moved, knowing.knowledge, 10);
    ASSERT_EQ(got.frames.size(), 3u) << arch_name(arch);
    EXPECT_EQ(got.frames[0].cursor.pc, kInSub.pc);
    EXPECT_EQ(got.frames[0].cursor.lr, saved.lr >= 0 ? 0x1234u : 0u);
    EXPECT_TRUE(got.reliable) << arch_name(arch);
  }
}

// BPF functions of riscv64 that call nothing save no return address: the frame pointer stands
// there.
TEST(Unwinders, ALeafOfRiscv64HasItsReturnAddressInARegister) {
  TestStack stack = three_frames(Arch::kRiscv64);
  stack.words[0x1100 - 8] = 0x1200;
  stack.words[0x1100 - 16] = 0x77;  // another saved register
  Cursor leaf = kInSub;
  leaf.lr = kMain + 0x20;
  const Knowing knowing(Arch::kRiscv64);
  EXPECT_EQ(pcs(walk(Unwinder::kFrameRecordFromRegisters, leaf, stack, knowing.knowledge, 2)),
            (std::vector{kMain + 0x20, kKernel + 0x20}));
  EXPECT_NE(pcs(walk(Unwinder::kFrameRecord, leaf, stack, knowing.knowledge, 1)),
            std::vector{kMain + 0x20});
}

TEST(Unwinders, PointerAuthenticationIsTakenOffReturnAddressesOfArm64) {
  TestStack stack = three_frames(Arch::kArm64);
  stack.words[0x1108] |= std::uint64_t{0x2f} << 48;
  const Knowing knowing(Arch::kArm64);
  EXPECT_EQ(pcs(walk(Unwinder::kFrameRecord, kInSub, stack, knowing.knowledge, 1)),
            std::vector{kMain + 0x20});
}

// Whatever stands on the stack, a walk ends; only the naive one walks in circles until it is told.
TEST(Unwinders, EveryWalkEnds) {
  constexpr std::size_t kMost = 2000;
  std::uint64_t random = 1;
  const auto next = [&random] {
    return random = random * 6364136223846793005u + 1442695040888963407u;
  };
  for (int n = 0; n < 200; ++n) {
    TestStack stack;
    for (std::uint64_t at = kLow; at < kHigh; at += 8) {
      const std::uint64_t kind = next() >> 60;
      stack.words[at] = kind < 8 ? kLow + (next() >> 52 & ~7u) : kCode.address + (next() >> 56);
    }
    for (const Arch arch : {Arch::kX86_64, Arch::kArm64, Arch::kRiscv64}) {
      const Knowing knowing(arch);
      for (const UnwinderInfo& info : unwinder_table()) {
        if (!info.runs_on(arch)) continue;
        const Walk got = walk(info.id, kInSub, stack, knowing.knowledge, kMost);
        if (info.id != Unwinder::kBackwardsEdge) {
          EXPECT_LT(got.frames.size(), (kHigh - kLow) / 8) << info.name;
        }
      }
    }
  }
}

}  // namespace
}  // namespace plumb::unwind
