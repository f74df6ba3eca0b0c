// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the rows about walks and claims say of one thing that is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "invariants/testing_image.h"
#include "invariants/testing_run.h"
#include "invariants/testing_text.h"

namespace plumb::invariants {
namespace {

using testing::AnyOf;
using testing::HasSubstr;
using unwind::CodeKnowledge;
using unwind::Row;

// What claims-hold says of a good run whose JIT hands over rows that are changed, or empty.
std::string said_of_rows(Arch arch, const std::function<void(std::vector<Row>&)>& change) {
  BuiltRun built = good_run(arch);
  built.depth = Depth::kFull;
  claim(built);
  change(built.image.unwind_rows);
  return listing(check(built.subject()).violations);
}

class ClaimedRows : public testing::TestWithParam<Arch> {};
INSTANTIATE_TEST_SUITE_P(Archs, ClaimedRows,
                         testing::Values(Arch::kX86_64, Arch::kArm64, Arch::kRiscv64),
                         [](const auto& arch) { return std::string(arch_name(arch.param)); });

TEST_P(ClaimedRows, HaveToGiveAllThreeRegistersOfTheCaller) {
  EXPECT_EQ(said_of_rows(GetParam(), [](std::vector<Row>&) {}), "");
  EXPECT_THAT(said_of_rows(GetParam(),
                           [](std::vector<Row>& rows) {
                             for (Row& row : rows) {
                               row.cfa_offset += 16;
                               if (row.fp_offset) *row.fp_offset -= 16;
                               if (row.ra_offset) *row.ra_offset -= 16;
                             }
                           }),
              HasSubstr("the JIT's unwind row gives the caller another stack pointer"));
  EXPECT_THAT(said_of_rows(GetParam(),
                           [](std::vector<Row>& rows) {
                             for (Row& row : rows) row.fp_offset.reset();
                           }),
              HasSubstr("the JIT's unwind row gives the caller another frame pointer"));
  EXPECT_THAT(said_of_rows(GetParam(),
                           [](std::vector<Row>& rows) {
                             for (Row& row : rows) row.ra_offset = row.fp_offset;
                           }),
              AnyOf(HasSubstr("row returns to"), HasSubstr("row leads nowhere")));
}

TEST_P(ClaimedRows, HaveToSaySomethingOfEveryInstruction) {
  EXPECT_THAT(
      said_of_rows(GetParam(), [](std::vector<Row>& rows) { rows[1].kind = Row::Kind::kUnknown; }),
      HasSubstr("and none for this instruction"));
  EXPECT_THAT(said_of_rows(GetParam(), [](std::vector<Row>& rows) { rows.erase(rows.begin()); }),
              HasSubstr("and none for this instruction"));
}

// ---- the range in which the frame pointer is valid ----

std::string said_of_range(std::uint32_t begin, std::uint32_t end) {
  BuiltRun built = good_run();
  built.depth = Depth::kFull;
  for (NativeFunction& function : built.image.functions) {
    function.fp_begin = begin;
    function.fp_end = end;
  }
  return listing(check(built.subject()).violations);
}

TEST(ClaimedRange, IsTrueAndNotEmpty) {
  EXPECT_EQ(said_of_range(0x20, 0x80), "");
  EXPECT_EQ(said_of_range(0x20, 0x24), "");  // it need not be all that there is
  EXPECT_THAT(said_of_range(0x20, 4), HasSubstr("no record anywhere in the function"));
  EXPECT_THAT(said_of_range(0x20, 0x20), HasSubstr("no record anywhere in the function"));
  EXPECT_THAT(said_of_range(0x30, 0x40), HasSubstr("where its body begins, and it does"));
  EXPECT_THAT(said_of_range(4, 5), HasSubstr("where its body begins, and it does"));
}

TEST(ClaimedRange, IsWrongWhereTheFramePointerIsNotTheFunctionsOwn) {
  BuiltRun built = good_run();
  built.depth = Depth::kFull;
  built.image.functions[0].fp_end = 0x80;
  for (NativeFunction& function : built.image.functions) function.fp_end = 0x80;
  built.run.steps[2].fp = built.run.steps[0].fp;  // of sub: main's
  EXPECT_THAT(listing(check(built.subject()).violations), HasSubstr("here, and it does not"));
}

// ---- walks ----

Checked walked(Arch arch, const std::function<void(CodeKnowledge&)>& change) {
  BuiltRun built = good_run(arch);
  built.depth = Depth::kInterrupts;
  built.tell(change);
  return check(built.subject());
}

TEST(Walks, RowsThatDoNotKnowAreALossAndNoViolation) {
  const auto unknown = [](CodeKnowledge& known) {
    known.jit_rows =
        unwind::Rows(known.jit_rows.arch(), {{.begin = kBuiltCode, .kind = Row::Kind::kUnknown}});
  };
  for (const Arch arch : {Arch::kX86_64, Arch::kArm64, Arch::kRiscv64}) {
    const Checked checked = walked(arch, unknown);
    EXPECT_EQ(listing(checked.violations), "") << arch_name(arch);
    EXPECT_GT(checked.walks, 0u);
  }
}

// A row that leads to no frame says that it knows, and does not.
TEST(Walks, RowsThatLeadNowhereAreAViolation) {
  const auto below = [](CodeKnowledge& known) {
    std::vector<Row> rows(known.jit_rows.all().begin(), known.jit_rows.all().end());
    for (Row& row : rows) row.cfa_offset = -0x4000'0000;
    known.jit_rows = unwind::Rows(known.jit_rows.arch(), std::move(rows));
  };
  const Checked checked = walked(Arch::kX86_64, below);
  ASSERT_FALSE(checked.violations.empty());
  EXPECT_EQ(checked.violations[0].invariant, "unwind-matches-shadow-stack");
}

// Nobody says which register heads the chain: walks by rows alone are judged.
TEST(Walks, NeedNoChainToGoByRows) {
  BuiltRun built = good_run();
  built.depth = Depth::kInterrupts;
  claim(built);
  const std::uint64_t all = check(built.subject()).walks;
  built.image.registers.frame_pointer = NativeRegister();
  const Checked checked = check(built.subject());
  EXPECT_EQ(listing(checked.violations), "");
  EXPECT_LT(checked.walks, all);
  for (const char* name : {"claims-hold", "unwind-matches-shadow-stack", "interrupt-frame-found"}) {
    EXPECT_EQ(answer_of(checked, name).kind, RowAnswer::Kind::kHeld) << name;
  }
}

// The record of a function is lost in the middle of its code: where the frame pointer is odd, far
// away, or the caller's.
TEST(Walks, MustNotLoseTheWayInTheMiddleOfAFunction) {
  for (const std::uint64_t fp : {std::uint64_t{2}, std::uint64_t{0x7000}, std::uint64_t{0}}) {
    BuiltRun built = good_run();
    built.depth = Depth::kInterrupts;
    MachineStep& step = built.run.steps[5];  // the second of next.main
    ASSERT_EQ(step.activation, built.run.steps[6].activation);
    ASSERT_EQ(step.activation, built.run.steps[4].activation);
    step.fp = fp == 2 ? step.fp + 2 : fp;
    built.tell([](CodeKnowledge& known) {
      known.jit_rows =
          unwind::Rows(known.jit_rows.arch(), {{.begin = kBuiltCode, .kind = Row::Kind::kUnknown}});
    });
    EXPECT_THAT(listing(check(built.subject()).violations),
                HasSubstr("unwind-matches-shadow-stack"))
        << fp;
  }
}

// sp = 0, or somewhere else: an interrupt there would destroy what is not the stack's.
TEST(Walks, AnInterruptNeedsRoom) {
  for (const std::uint64_t sp : {std::uint64_t{0}, std::uint64_t{64}, std::uint64_t{0x7000}}) {
    BuiltRun built = good_run();
    built.depth = Depth::kInterrupts;
    built.run.steps[5].sp = sp;
    EXPECT_THAT(listing(check(built.subject()).violations), HasSubstr("an interrupt has no room"))
        << sp;
  }
}

}  // namespace
}  // namespace plumb::invariants
