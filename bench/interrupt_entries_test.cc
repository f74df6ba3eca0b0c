// SPDX-License-Identifier: GPL-2.0-or-later
#include "bench/interrupt_entries.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/unwind/unwinder.h"
#include "machine/machine.h"

namespace plumb::bench {
namespace {

using unwind::Cursor;
using unwind::Frame;
using unwind::Step;
using unwind::Unwinder;

constexpr std::size_t kRsp = 4;
constexpr std::size_t kRbp = 5;

// The stack as the handler found it.
class SeenStack final : public unwind::StackReader {
 public:
  explicit SeenStack(const InterruptSeen& seen) : seen_(seen) {}

  [[nodiscard]] std::optional<std::uint64_t> word_elsewhere(std::uint64_t address) const override {
    const std::uint64_t offset = address - seen_.sp;
    if (offset > sizeof(seen_.stack) - 8) return std::nullopt;
    std::uint64_t value = 0;
    std::memcpy(&value, reinterpret_cast<const std::uint8_t*>(seen_.stack.data()) + offset, 8);
    return value;
  }

 private:
  const InterruptSeen& seen_;
};

class InterruptEntry : public testing::Test {
 protected:
  void SetUp() override {
    auto made = InterruptEntries::make();
    if (!made) GTEST_SKIP() << made.error().message;
    entries_.emplace(*std::move(made));
  }

  [[nodiscard]] InterruptSeen look(InterruptMark mark) const { return entries_->look(mark); }
  // Of the entry, where it has called the handler.
  static Cursor in_entry(const InterruptSeen& seen) {
    return {.pc = seen.stack[0], .sp = seen.sp + 8, .fp = seen.fp, .lr = 0, .is_exact = false};
  }
  // One step by the frame pointer's rule of C.
  static Step step(const Cursor& cursor, const SeenStack& stack) {
    unwind::Knowledge knowledge;
    knowledge.arch = Arch::kX86_64;
    return unwind::step(Unwinder::kFramePointer, cursor, stack, knowledge);
  }
  static Cursor of_interrupted(const InterruptSeen& seen) {
    return {
        .pc = seen.pc, .sp = seen.before[kRsp], .fp = seen.before[kRbp], .lr = 0, .is_exact = true};
  }
  // The record whose return address is in the fake function, and what lies above it.
  void expect_fake_frame(const InterruptSeen& seen) const {
    const SeenStack stack(seen);
    EXPECT_EQ(seen.fp, seen.sp + 8);
    const Step caller = step(in_entry(seen), stack);
    ASSERT_TRUE(std::holds_alternative<Frame>(caller));
    const Cursor& cursor = std::get<Frame>(caller).cursor;
    const Range fake = entries_->fake_function();
    EXPECT_TRUE(fake.contains(cursor.pc));
    EXPECT_TRUE(fake.contains(cursor.pc - 1));  // for those who look where the call is
    EXPECT_EQ(cursor.fp, seen.before[kRbp]);
    EXPECT_EQ(cursor.sp, seen.fp + 16);
  }
  static void expect_registers_at(const InterruptSeen& seen, std::uint64_t address) {
    const Step there =
        unwind::step_to_interrupted(address, seen.sp, SeenStack(seen), Arch::kX86_64);
    ASSERT_TRUE(std::holds_alternative<Frame>(there));
    EXPECT_TRUE(std::get<Frame>(there).cursor == of_interrupted(seen));
  }
  std::vector<std::string> listing(InterruptMark mark) const {
    const Range code = entries_->code(mark);
    std::vector<std::string> texts;
    for (const auto& insn :
         machine::disassemble(Arch::kX86_64, entries_->bytes(code), code.address)) {
      texts.push_back(insn.text.starts_with("call ") ? "call" : insn.text);
    }
    return texts;
  }
  [[nodiscard]] const InterruptEntries& entries() const { return *entries_; }

 private:
  std::optional<InterruptEntries> entries_;
};

TEST_F(InterruptEntry, KeepsEveryRegisterButTwo) {
  for (const InterruptMarkInfo& info : interrupt_marks()) {
    const InterruptSeen seen = look(info.id);
    EXPECT_EQ(seen.before[0], 0x7e57'0000'0000);
    for (std::size_t i = 0; i < 16; ++i) {
      if (i == 10 || i == 11) continue;
      EXPECT_EQ(seen.after[i], seen.before[i]) << info.name << ", register " << i;
    }
  }
}

// struct pt_regs of arch/x86/include/asm/ptrace.h, up to di.
TEST_F(InterruptEntry, HasTheRegistersInTheKernelsOrder) {
  constexpr std::size_t kOrder[] = {15, 14, 13, 12, 5, 3, 11, 10, 9, 8, 0, 1, 2, 6, 7};
  const InterruptSeen seen = look(InterruptMark::kNothing);
  for (std::size_t i = 0; i < std::size(kOrder); ++i) {
    if (kOrder[i] == 10 || kOrder[i] == 11) continue;
    EXPECT_EQ(seen.stack[1 + i], seen.before[kOrder[i]]) << "register " << kOrder[i];
  }
}

// The first frame that is found is the caller's of what was interrupted.
TEST_F(InterruptEntry, WithoutAMarkIsSkippedByTheFramePointer) {
  for (const InterruptMark mark : {InterruptMark::kNothing, InterruptMark::kReserved}) {
    const InterruptSeen seen = look(mark);
    const SeenStack stack(seen);
    EXPECT_EQ(seen.fp, seen.before[kRbp]);
    const Step caller = step(in_entry(seen), stack);
    ASSERT_TRUE(std::holds_alternative<Frame>(caller));
    EXPECT_EQ(std::get<Frame>(caller).cursor.pc, *stack.word(seen.before[kRbp] + 8));
    expect_registers_at(seen, seen.sp + (mark == InterruptMark::kReserved ? 24 : 8));
  }
}

TEST_F(InterruptEntry, WithTwoWordsHasAFakeFrameBelowTheRegisters) {
  const InterruptSeen seen = look(InterruptMark::kTwoWords);
  expect_fake_frame(seen);
  expect_registers_at(seen, seen.fp + 16);
}

TEST_F(InterruptEntry, WithThreePushesHasAFakeFrameThatSaysWhereTheRegistersAre) {
  const InterruptSeen seen = look(InterruptMark::kThreePushes);
  expect_fake_frame(seen);
  expect_registers_at(seen, *SeenStack(seen).word(seen.fp + 16));
}

TEST_F(InterruptEntry, WithAnEncodedFramePointerIsWalkedThrough) {
  const InterruptSeen seen = look(InterruptMark::kEncoded);
  EXPECT_EQ(seen.fp, seen.sp + 8 + 1);
  const SeenStack stack(seen);
  const Step there = step(in_entry(seen), stack);
  ASSERT_TRUE(std::holds_alternative<Frame>(there));
  EXPECT_TRUE(std::get<Frame>(there).cursor == of_interrupted(seen));
  const Step caller = step(std::get<Frame>(there).cursor, stack);
  ASSERT_TRUE(std::holds_alternative<Frame>(caller));
  EXPECT_EQ(std::get<Frame>(caller).cursor.pc, *stack.word(seen.before[kRbp] + 8));
}

// Everything else is the same code.
TEST_F(InterruptEntry, DiffersInTheInstructionsOfItsMark) {
  struct Row {
    InterruptMark mark;
    std::vector<std::string> marking;
    std::vector<std::string> undoing;
  };
  const std::string fake = fmt::format("push {:#x}", entries().fake_function().address + 1);
  const Row rows[] = {
      {InterruptMark::kReserved, {"sub rsp, 0x10"}, {"add rsp, 0x10"}},
      {InterruptMark::kTwoWords, {fake, "push rbp", "mov rbp, rsp"}, {"add rsp, 0x10"}},
      {InterruptMark::kThreePushes,
       {"push rsp", fake, "push rbp", "mov rbp, rsp"},
       {"add rsp, 0x18"}},
      {InterruptMark::kEncoded, {"lea rbp, [rsp + 1]"}, {}},
  };
  const std::vector<std::string> plain = listing(InterruptMark::kNothing);
  ASSERT_EQ(std::ranges::count(plain, "call"), 1);
  EXPECT_EQ(std::ranges::count_if(
                plain, [](const std::string& text) { return text.starts_with("push "); }),
            6 + 15);
  for (const Row& row : rows) {
    std::vector<std::string> expected = plain;
    const auto call = std::ranges::find(expected, "call");
    const auto behind = expected.insert(call + 1, row.undoing.begin(), row.undoing.end());
    expected.insert(behind - 1, row.marking.begin(), row.marking.end());
    EXPECT_EQ(listing(row.mark), expected);
  }
}

TEST_F(InterruptEntry, ReturnsAsOftenAsItWasEntered) {
  for (const InterruptMarkInfo& info : interrupt_marks()) {
    entries().repeat(info.id, 0);
    entries().repeat(info.id, 1000);
  }
}

}  // namespace
}  // namespace plumb::bench
