// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdint>

#include "core/case_text.h"
#include "reports/explain.h"

namespace plumb::reports {
namespace {

using testing::HasSubstr;
using testing::Not;

// push rbp; mov rbp, rsp; sub rsp, 16; push rbx; call helper 7; mov ebx, 5; ...
alignas(16) constexpr std::array<std::uint8_t, 24> kCode{
    0x55,                          // push rbp
    0x48, 0x89, 0xe5,              // mov rbp, rsp
    0x48, 0x83, 0xec, 0x10,        // sub rsp, 16
    0x53,                          // push rbx
    0xb8, 0x07, 0x00, 0x00, 0x00,  // mov eax, 7
    0x5b,                          // pop rbx
    0xc9,                          // leave
    0xc3,                          // ret
};
constexpr std::uint32_t kBody = 9;
constexpr std::uint64_t kEntrySp = 0x54'0000'ff00;

// One program that returns 7, and a run of it in which the machine refuses a tail call that the
// oracle takes.
class Explaining : public testing::Test {
 protected:
  Explaining() {
    value_ = *parse_case(
        ".case 1\n.program entry\n.function main\n.stack 12\n r0 = 7\n exit\n"
        ".program other\n.function main\n r0 = 1\n exit\n");
    image_.jit = "testing-1-x86_64";
    run_.entry_sp = kEntrySp;
    image_.registers.bpf[10] = 5;
    image_.registers.frame_pointer = 5;
    image_.placement.stubs = {0x1000, 0x10000};
    image_.placement.routines = 0x1000 + 0xc000;
    NativeFunction native;
    native.address = 0x4000'0000;
    native.size = 17;
    code_.assign(kCode.begin(), kCode.end());
    image_.placement.memory = {{{native.address, code_.size()}, code_.data()}};
    native.stack_size = 16;
    native.insn_offsets = {kBody, kBody + 5, 17};
    image_.functions = {native};
    execution_.defined = true;
    execution_.tail_calls = 1;
    Event taken;
    taken.kind = EventKind::kTailCallTaken;
    taken.target = 1;
    Event exit;
    exit.kind = EventKind::kExit;
    exit.at = {1, 0, 1};
    exit.result = Value::scalar(1);
    execution_.trace = {taken, exit};
    Activation activation;
    activation.entry_sp = kEntrySp;
    activation.r10 = kEntrySp - 8;
    run_.activations = {activation};
    MachineEvent refused;
    refused.kind = EventKind::kTailCallRefused;
    run_.events = {refused};
    run_.accesses = {store(0, kEntrySp - 8), store(8, kEntrySp - 32)};
    judgement_.verdict = Verdict::kViolation;
    judgement_.signature = {"tail-call-count-matches-oracle", "testing", "x86_64", "main"};
    judgement_.violations = {{.invariant = "tail-call-count-matches-oracle",
                              .role = "main",
                              .at = {0, 0, 0},
                              .event = 0,
                              .message = "0 tail calls are taken, the oracle takes 1"}};
  }

  [[nodiscard]] StackAccess store(std::uint32_t offset, std::uint64_t address) const {
    StackAccess access;
    access.pc = image_.functions[0].address + offset;
    access.address = address;
    access.size = 8;
    access.is_push = true;
    return access;
  }

  [[nodiscard]] Explained explained() const {
    return {&value_, &image_, &execution_, &run_, &judgement_};
  }

  Case value_;
  Image image_;
  std::vector<std::uint8_t> code_;  // of the image
  Execution execution_;
  MachineRun run_;
  Judgement judgement_;
};

TEST_F(Explaining, PutsBpfBesideNativeCode) {
  EXPECT_EQ(code_text(explained()),
            "Code of entry.main: 17 bytes, BPF stack 16\n"
            "  prologue                                     |   +0x0  push rbp\n"
            "                                               |   +0x1  mov rbp, rsp\n"
            "                                               |   +0x4  sub rsp, 0x10\n"
            "                                               |   +0x8  push rbx\n"
            "     0: r0 = 7                                 |   +0x9  mov eax, 7\n"
            "     1: exit                                   |   +0xe  pop rbx\n"
            "                                               |   +0xf  leave\n"
            "                                               |  +0x10  ret\n");
}

TEST_F(Explaining, DrawsTheFrameWithTheHighAddressAtTheTop) {
  EXPECT_EQ(frames_text(explained(), 0),
            "Frames at event 0: high address at the top, as the prologues stored them\n"
            "  activation 0: entry.main\n"
            "               +----------------------------------------------------+\n"
            "          fp+8 | return address                                     |\n"
            "            fp | saved frame pointer: push rbp                      |\n"
            "               +----------------------------------------------------+\n"
            "        fp R10 | BPF stack: 12 bytes used, 16 kept                  |\n"
            "               +----------------------------------------------------+\n"
            "         fp-24 | push rbx                                           |\n"
            "               +----------------------------------------------------+\n");
}

// A plugin that says no more than where its functions lie.
TEST_F(Explaining, SaysWhatIsNotKnown) {
  image_.registers = {};
  image_.functions[0].insn_offsets.clear();
  image_.functions[0].stack_size.reset();
  run_.events[0].at.slot = -1;
  const std::string code = code_text(explained());
  EXPECT_THAT(code, HasSubstr("17 bytes, BPF stack unknown\n"));
  EXPECT_THAT(code,
              HasSubstr("  of unknown instructions                      |   +0x0  push rbp\n"));
  EXPECT_THAT(code, Not(HasSubstr("prologue")));
  EXPECT_EQ(frames_text(explained(), 0),
            "Frames at event 0: high address at the top, as the prologues stored them\n"
            "  activation 0: entry.main\n"
            "               +----------------------------------------------------+\n"
            "            sp | return address                                     |\n"
            "               +----------------------------------------------------+\n");
  EXPECT_THAT(trace_text(explained()), HasSubstr("leaves the oracle's path at event 0"));
  EXPECT_THAT(explain_text(explained()), HasSubstr("entry.main"));
}

TEST_F(Explaining, MarksTheFirstDivergence) {
  const std::string text = trace_text(explained());
  EXPECT_THAT(text, HasSubstr("leaves the oracle's path at event 0"));
  EXPECT_THAT(text, HasSubstr(" >    0  entry.main+0 tail call taken to other"));
  EXPECT_THAT(text, HasSubstr("entry.main+0 tail call refused\n"));
}

TEST_F(Explaining, SaysWhenTheTracesAgree) {
  Event refused;
  refused.kind = EventKind::kTailCallRefused;
  refused.reason = RefusalReason::kEmptySlot;
  execution_.trace = {refused};
  const std::string text = trace_text(explained());
  EXPECT_THAT(text, HasSubstr("1 events, as in the oracle"));
  EXPECT_THAT(text, HasSubstr("tail call refused (empty slot)"));
  EXPECT_THAT(text, Not(HasSubstr(" > ")));
}

TEST_F(Explaining, NamesVerdictSignatureAndMechanism) {
  const std::string text = verdict_text(explained());
  EXPECT_THAT(text, HasSubstr("violation on testing-1-x86_64"));
  EXPECT_THAT(text, HasSubstr("tail-call-count-matches-oracle.testing.x86_64.main"));
  EXPECT_THAT(text, HasSubstr("0 tail calls are taken, the oracle takes 1"));
}

}  // namespace
}  // namespace plumb::reports
