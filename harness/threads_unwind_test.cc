// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the mailing lists said of walks through each frame, held against walks from every
// instruction: which unwinder, from which instruction to which, with what outcome.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/case_text.h"
#include "core/unwind/testing_stack.h"
#include "harness/judge.h"
#include "harness/walks.h"
#include "jit_under_test/jit.h"
#include "jit_under_test/reference/reference.h"
#include "machine/machine.h"

namespace plumb::harness {
namespace {

using unwind::Outcome;
using unwind::Unwinder;

constexpr const char* kMainAndLeaf = "corpus/seeds/walk-from-main-and-leaf.bpf";

std::unique_ptr<jit::Jit> open_jit(const std::string& name) {
  auto jit = name.starts_with("reference:")
                 ? jit::reference::open(name)
                 : jit::open_plugin(fmt::format("{}/{}.so", PLUMB_PLUGIN_DIR, name));
  EXPECT_TRUE(jit.has_value()) << name;
  return *std::move(jit);
}

struct Examined {
  std::unique_ptr<jit::Jit> jit;
  Trial trial;

  [[nodiscard]] const Image& image() const { return trial.image->image(); }
};
Examined examine(const std::string& jit_name, const std::string& path) {
  Examined examined{.jit = open_jit(jit_name), .trial = {}};
  const auto value = read_case(path);
  EXPECT_TRUE(value.has_value()) << path;
  examined.trial = Judge().examine(*value, *examined.jit, Depth::kFull);
  EXPECT_EQ(examined.trial.stage, Stage::kCompared) << jit_name;
  return examined;
}

// Instructions that ran, one after another, with the same outcome.
struct Span {
  std::string first;
  std::string last;
  Outcome outcome = Outcome::kRight;

  bool operator==(const Span&) const = default;
};
[[maybe_unused]] void PrintTo(const Span& span, std::ostream* out) {
  *out << fmt::format("{} from \"{}\" to \"{}\"", unwind::outcome_info(span.outcome).name,
                      span.first, span.last);
}
using Spans = std::vector<Span>;

// Of the function that comes so many from the first.
Spans spans_of(const Examined& examined, Unwinder unwinder, std::size_t function) {
  const Image& image = examined.image();
  const Unwinder one[] = {unwinder};
  const WalkReport report = walk_report(image, examined.trial.run, one);
  const NativeFunction& native = image.functions[function];
  Spans spans;
  for (const auto& insn :
       machine::disassemble(image, {.address = native.address, .size = native.size})) {
    const auto walks = std::ranges::find(report.insns, insn.address, &InsnWalks::address);
    if (walks == report.insns.end()) continue;
    const Outcome outcome = *walks->worst(unwinder);
    const std::string text = insn.text.starts_with("call ") ? "call" : insn.text;
    if (spans.empty() || spans.back().outcome != outcome) {
      spans.push_back({.first = text, .last = text, .outcome = outcome});
    }
    spans.back().last = text;
  }
  return spans;
}

// With a row for each instruction, which the thread asks for ("can't we populate orc_unwind tables
// after JIT?"), every frame can be walked.
void expect_right_by_rows(const Examined& examined) {
  for (const Unwinder unwinder : {Unwinder::kOrcWithJitRows, Unwinder::kDwarf}) {
    for (std::size_t i = 0; i < examined.image().functions.size(); ++i) {
      const Spans spans = spans_of(examined, unwinder, i);
      ASSERT_EQ(spans.size(), 1u);
      EXPECT_EQ(spans.front().outcome, Outcome::kRight) << spans.front().first;
    }
  }
}

// ---- seed 0: June 2019, the frame of the x86-64 JIT ----

// "orc = &orc_fp_entry": the frame pointer's word in code without rows, and "the rest of the unwind
// is no longer considered reliable": right walks are kNotReliable.
struct Proposal {
  const char* layout = "";
  Spans main;
  Spans leaf;
};

void expect_by_fallback(const Proposal& proposal) {
  SCOPED_TRACE(proposal.layout);
  const Examined examined = examine(proposal.layout, kMainAndLeaf);
  for (const Unwinder unwinder : {Unwinder::kOrc, Unwinder::kFramePointer}) {
    SCOPED_TRACE(unwind::unwinder_info(unwinder).name);
    EXPECT_EQ(spans_of(examined, unwinder, 0), proposal.main);
    EXPECT_EQ(spans_of(examined, unwinder, 1), proposal.leaf);
  }
  expect_right_by_rows(examined);
}

// Walks by a frame that is in its place from "mov rbp, rsp" to what takes it down.
Spans proper_frame(const char* first, const char* last) {
  return {{"push rbp", "mov rbp, rsp", Outcome::kSkipped},
          {first, last, Outcome::kNotReliable},
          {"ret", "ret", Outcome::kSkipped}};
}

// The JIT was "pretty much the only one still clobbering it": [rbp] is the saved rbx. The leaf's
// caller has moved rbp already: nothing in the leaf is right, its frame in place or not.
TEST(Thread2019, TheMangledFramePointerLosesTheWalkWhileItIsMoved) {
  expect_by_fallback(
      {.layout = "reference:x86_64-4.13",
       .main = {{"push rbp", "mov rbp, rsp", Outcome::kSkipped},
                {"sub rsp, 0x28", "sub rbp, 0x28", Outcome::kNotReliable},
                {"mov qword ptr [rbp], rbx", "mov qword ptr [rbp + 8], r13", Outcome::kStopped},
                {"mov qword ptr [rbp + 0x10], r14", "add rbp, 0x28", Outcome::kLost},
                {"leave", "leave", Outcome::kNotReliable},
                {"ret", "ret", Outcome::kSkipped}},
       .leaf = {{"push rbp", "sub rbp, 0x28", Outcome::kLost},
                {"mov qword ptr [rbp], rbx", "mov qword ptr [rbp + 8], r13", Outcome::kStopped},
                {"mov qword ptr [rbp + 0x10], r14", "ret", Outcome::kLost}}});
}

// R10 in a register of its own: rbp is the kernel's again.
TEST(Thread2019, AnotherRegisterForR10KeepsTheChain) {
  expect_by_fallback({.layout = "reference:x86_64-r12",
                      .main = proper_frame("push r15", "pop rbp"),
                      .leaf = proper_frame("push r15", "pop rbp")});
}

// "This fixes frame pointers without using R12, by making BPF_REG_FP equivalent to RBP, minus a
// constant offset": so it does.
TEST(Thread2019, RbpMinus40KeepsTheChain) {
  expect_by_fallback({.layout = "reference:x86_64-rbp-40",
                      .main = proper_frame("push r15", "pop rbp"),
                      .leaf = proper_frame("push r15", "pop rbp")});
}

// "That won't work. Any register can point to a stack": what it breaks is not the walk.
TEST(Thread2019, RbpMinus40IsWrongWhereAnotherRegisterPointsToTheStack) {
  for (const char* path : {"corpus/known/virtual-frame-pointer-argument-x86_64-rbp-40.bpf",
                           "corpus/known/virtual-frame-pointer-deep-x86_64-rbp-40.bpf"}) {
    const Examined shifted = examine("reference:x86_64-rbp-40", path);
    EXPECT_EQ(shifted.trial.judgement.verdict, Verdict::kViolation) << path;
    expect_right_by_rows(shifted);
    EXPECT_EQ(examine("reference:x86_64-5.2", path).trial.judgement.verdict, Verdict::kConforms)
        << path;
  }
}

// The second series: between the two records the walk is right, in the second one 0 stands where a
// return address belongs.
TEST(Thread2019, TheDoubleFrameStopsTheWalkAtTheCount) {
  const Spans in_leaf = {{"push rbp", "ret", Outcome::kStopped}};
  expect_by_fallback({.layout = "reference:x86_64-double-frame",
                      .main = {{"push rbp", "mov rbp, rsp", Outcome::kSkipped},
                               {"push r15", "mov rbp, rsp", Outcome::kNotReliable},
                               {"sub rsp, 0", "leave", Outcome::kStopped},
                               {"pop rbx", "pop rbp", Outcome::kNotReliable},
                               {"ret", "ret", Outcome::kSkipped}},
                      .leaf = in_leaf});
}

// What landed (fe8d9571dc50): "we need to make the jited frame proper".
TEST(Thread2019, TheFixOf52KeepsTheChainUntilLeave) {
  expect_by_fallback({.layout = "reference:x86_64-5.2",
                      .main = proper_frame("sub rsp, 0", "leave"),
                      .leaf = proper_frame("sub rsp, 8", "leave")});
}

// A tail call makes a return address of it.
TEST(Thread2019, TheDoubleFrameLosesTheWalkOnceTheCountIsNotZero) {
  const Examined examined =
      examine("reference:x86_64-double-frame", "corpus/known/double-frame-tail-callee-x86_64.bpf");
  const Spans main = {{"push rbp", "mov rbp, rsp", Outcome::kSkipped},
                      {"push r15", "mov rbp, rsp", Outcome::kNotReliable},
                      {"sub rsp, 0x200", "mov dword ptr [rbp + 0xc], eax", Outcome::kStopped},
                      {"mov rax, qword ptr [rsi + rdx*8 + 8]", "jmp rax", Outcome::kLost}};
  const Spans target = {{"call", "leave", Outcome::kLost},
                        {"pop rbx", "pop rbp", Outcome::kNotReliable},
                        {"ret", "ret", Outcome::kSkipped}};
  EXPECT_EQ(spans_of(examined, Unwinder::kOrc, 0), main);
  EXPECT_EQ(spans_of(examined, Unwinder::kOrc, 1), target);
  expect_right_by_rows(examined);
}

// ---- the leaf of riscv64: arch/riscv/kernel/stacktrace.c ----

// It saves the frame pointer alone, at fp - 8, where the return address of a record stands: plain
// records stop there, at what is no code, and whoever does not look takes it for one. They are
// right only where the frame is not the leaf's.
TEST(LeafOfRiscv64, IsFoundFromRegistersAndLosesPlainRecords) {
  const Examined examined = examine("linux-6.12-riscv64", kMainAndLeaf);
  const Spans leaf = {{"nop", "addi s0, sp, 48", Outcome::kSkipped},
                      {"addi s5, sp, 16", "ld s0, 40(sp)", Outcome::kNotReliable},
                      {"ld s1, 32(sp)", "ret", Outcome::kSkipped}};
  EXPECT_EQ(spans_of(examined, Unwinder::kFrameRecordFromRegisters, 1), leaf);
  Spans plain = leaf;
  plain[1].outcome = Outcome::kStopped;
  EXPECT_EQ(spans_of(examined, Unwinder::kFrameRecord, 1), plain);
  plain[1].outcome = Outcome::kLost;
  EXPECT_EQ(spans_of(examined, Unwinder::kBackwardsEdge, 1), plain);
  const Spans main = {{"nop", "addi s0, sp, 32", Outcome::kSkipped},
                      {"mv s1, a0", "ld s0, 16(sp)", Outcome::kNotReliable},
                      {"ld s1, 8(sp)", "ret", Outcome::kSkipped}};
  for (const Unwinder unwinder : {Unwinder::kFrameRecordFromRegisters, Unwinder::kFrameRecord}) {
    EXPECT_EQ(spans_of(examined, unwinder, 0), main) << unwind::unwinder_info(unwinder).name;
  }
  expect_right_by_rows(examined);
}

// ---- seed 0: "orc_find(state->signal ? state->ip : state->ip - 1)" ----

// A call that does not return may be the last instruction of its function, and even of all code.
// No JIT ends a program of ours in one, for each ends in an exit or a jump. So the image is told
// that main ends behind its call: what it returns to is nobody's.
TEST(CallAsLastInstruction, IsLookedUpOneByteBeforeTheReturnAddress) {
  for (const char* jit : {"linux-6.12-x86_64", "linux-6.12-arm64", "linux-6.12-riscv64"}) {
    SCOPED_TRACE(jit);
    const Examined examined = examine(jit, kMainAndLeaf);
    Image image = examined.image();
    NativeFunction& main = image.functions[0];
    const MachineRun& run = examined.trial.run;
    const auto in_leaf = std::ranges::find_if(run.steps, [&](const MachineStep& step) {
      return image.function_at(step.pc) == &image.functions[1];
    });
    ASSERT_NE(in_leaf, run.steps.end());
    std::vector<std::uint64_t> calls;
    unwind::calls_in_progress(run, in_leaf->shadow, calls);
    ASSERT_EQ(calls.size(), 2u);
    ASSERT_EQ(image.function_at(calls.front()), &main);
    main.size = static_cast<std::uint32_t>(calls.front() - main.address);

    constexpr Unwinder kByRows[] = {Unwinder::kOrcWithJitRows, Unwinder::kDwarf};
    const WalkReport report = walk_report(image, run, kByRows);
    int walked = 0;
    for (const InsnWalks& insn : report.insns) {
      for (const Unwinder unwinder : kByRows) {
        EXPECT_EQ(*insn.worst(unwinder), Outcome::kRight)
            << unwind::unwinder_info(unwinder).name << fmt::format(" at {:#x}", insn.address);
      }
      walked += image.function_at(insn.address) == &image.functions[1] ? 1 : 0;
    }
    EXPECT_GT(walked, 5);
  }
}

// Where the next function begins there, its first row does not count, unless it was interrupted
// there.
TEST(CallAsLastInstruction, HasTheRowOfItsOwnFunctionAndNotOfTheNext) {
  constexpr std::uint64_t kNext = 0x40'0010;  // of one without a frame yet
  const unwind::Rows rows(Arch::kX86_64, {{.begin = 0x40'0000,
                                           .base = unwind::Row::Base::kFramePointer,
                                           .cfa_offset = 16,
                                           .fp_offset = -16,
                                           .ra_offset = -8},
                                          {.begin = kNext,
                                           .base = unwind::Row::Base::kStackPointer,
                                           .cfa_offset = 8,
                                           .fp_offset = std::nullopt,
                                           .ra_offset = -8}});
  unwind::TestStack stack;
  stack.words = {{0x1080, 0x50'0000}, {0x1100, 0x1200}, {0x1108, 0x60'0000}};
  struct {
    bool is_exact;
    std::uint64_t caller;
  } const kRows[] = {{false, 0x60'0000}, {true, 0x50'0000}};
  for (const auto& [is_exact, caller] : kRows) {
    const unwind::Step step = unwind::step(
        {.pc = kNext, .sp = 0x1080, .fp = 0x1100, .lr = 0, .is_exact = is_exact}, stack, rows);
    ASSERT_TRUE(std::holds_alternative<unwind::Frame>(step));
    EXPECT_EQ(std::get<unwind::Frame>(step).cursor.pc, caller);
  }
}

}  // namespace
}  // namespace plumb::harness
