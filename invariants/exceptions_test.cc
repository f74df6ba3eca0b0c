// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the rows about throws say of one thing that is wrong: every way that each can fail.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "invariants/testing_run.h"
#include "invariants/testing_text.h"

namespace plumb::invariants {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::uint32_t kBoundary = 0;
constexpr std::uint32_t kCallback = 2;  // activations of throwing_run()

struct Row {
  const char* name;
  const char* said;  // "invariant (role): part of the message"
  void (*damage)(BuiltRun& built);
};

const StackAccess& save_of_boundary(const BuiltRun& b) {
  for (const StackAccess& access : b.run.accesses) {
    const bool is_own = access.activation == kBoundary && access.kind == AccessKind::kWrite;
    if (is_own && access.pc < b.image.functions[0].address + b.image.functions[0].insn_offsets[0])
      return access;
  }
  ADD_FAILURE() << "the boundary saves nothing";
  return b.run.accesses.front();
}

// An access of the callback's prologue or, in_body, of its first instruction.
void add(BuiltRun& b, AccessKind kind, std::uint64_t address, bool in_body) {
  const NativeFunction& callback = *b.image.find_function(0, 2);
  StackAccess access = b.run.accesses.back();
  access.pc = callback.address + (in_body ? callback.insn_offsets[0] : 1);
  access.address = address;
  access.activation = kCallback;
  access.kind = kind;
  access.size = 8;
  access.is_push = false;
  b.run.accesses.push_back(access);
}

const Row kRows[] = {
    {"the walk ends at another program",
     "throw-reaches-boundary (subprogram): the throw ends at program 1, its boundary is program 0",
     [](BuiltRun& b) { b.run.throws[0].walk.program = 1; }},
    {"the walk ends at another call of the boundary's program",
     "throw-reaches-boundary (subprogram): the throw ends at a frame of another call",
     [](BuiltRun& b) { b.run.throws[0].walk.fp -= 32; }},
    {"the walk finds nothing", "throw-reaches-boundary (subprogram): lost",
     [](BuiltRun& b) {
       b.run.stop = StopReason::kLostThrow;
       b.run.detail = "lost";
     }},
    {"another stack pointer",
     "boundary-sp-matches (exception-callback): the callback is given a stack pointer 8 bytes from",
     [](BuiltRun& b) { b.run.throws[0].walk.sp += 8; }},
    {"a word that nobody saved is read back", "boundary-sp-matches (exception-callback): entry.",
     [](BuiltRun& b) {
       add(b, AccessKind::kRead, b.run.activations[kCallback].entry_sp - 256, false);
     }},
    {"another frame pointer in the body", "the frame pointer is not the boundary's",
     [](BuiltRun& b) { b.run.steps.back().fp += 16; }},
    {"a saved word is overwritten before it is read back",
     "callback-frame-valid (exception-callback): entry.",
     [](BuiltRun& b) {
       const std::uint64_t word = save_of_boundary(b).address;
       add(b, AccessKind::kWrite, word, true);
       add(b, AccessKind::kRead, word, false);
     }},
    {"a callee-saved register is another one at the end",
     "throw-restores-callee-saved (exception-callback): the exception callback returns with",
     [](BuiltRun& b) { ++b.run.exit_registers[b.image.registers.bpf[6].number()]; }},
    {"one that no BPF register maps to",
     "throw-restores-callee-saved (exception-callback): the exception callback returns with native "
     "register",
     [](BuiltRun& b) { ++b.run.exit_registers[b.image.arch == Arch::kX86_64 ? 12 : 24]; }},
};

class Exceptions : public testing::TestWithParam<Arch> {};
INSTANTIATE_TEST_SUITE_P(Archs, Exceptions, testing::Values(Arch::kX86_64, Arch::kArm64),
                         [](const auto& arch) { return std::string(arch_name(arch.param)); });

BuiltRun thrown(Arch arch) {
  BuiltRun built = throwing_run(arch);
  built.depth = Depth::kFull;
  return built;
}

TEST_P(Exceptions, OfARunThatIsRightAllHold) {
  const BuiltRun built = thrown(GetParam());
  const Checked checked = check(built.subject());
  EXPECT_EQ(listing(checked.violations), "");
  for (const char* invariant : {"throw-reaches-boundary", "boundary-sp-matches",
                                "callback-frame-valid", "throw-restores-callee-saved"}) {
    EXPECT_EQ(answer_of(checked, invariant).kind, RowAnswer::Kind::kHeld) << invariant;
  }
}

TEST_P(Exceptions, EachWayToFailIsSeen) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    BuiltRun built = thrown(GetParam());
    row.damage(built);
    EXPECT_THAT(listing(check(built.subject()).violations), HasSubstr(row.said));
  }
}

// What the boundary has saved may be read back, and overwritten once that is done.
TEST_P(Exceptions, WhatIsReadBackMayBeOverwritten) {
  BuiltRun built = thrown(GetParam());
  const std::uint64_t word = save_of_boundary(built).address;
  add(built, AccessKind::kRead, word, false);
  add(built, AccessKind::kWrite, word, true);
  const std::string said = listing(check(built.subject()).violations);
  EXPECT_THAT(said, Not(HasSubstr("callback-frame-valid")));
  EXPECT_THAT(said, Not(HasSubstr("boundary-sp-matches")));
}

// Where unwinders have no stack pointer the callback is given 0, and not judged by it.
TEST_P(Exceptions, WithoutAStackPointerNoneIsAskedFor) {
  BuiltRun built = thrown(GetParam());
  built.image.throws[0].sp = ThrowSp::kZero;
  built.run.throws[0].walk.sp = 0;
  EXPECT_EQ(listing(check(built.subject()).violations), "");
}

}  // namespace
}  // namespace plumb::invariants
