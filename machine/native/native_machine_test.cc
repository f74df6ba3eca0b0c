// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/native/native_machine.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <csignal>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/guest.h"
#include "core/helper_model.h"
#include "machine/testing_machine.h"

namespace plumb::machine {
namespace {

class Native : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = NativeMachine::open();
    if (!opened) GTEST_SKIP() << opened.error().message;
    machine_ = *std::move(opened);
  }

  NativeRun run(TestImage& t) {
    t.value.programs.front().name = "p";
    t.value.programs.front().functions.front().name = "main";
    auto code = machine_->load(t.value, t.image, NativeHelpers::kThorough);
    EXPECT_TRUE(code.has_value()) << code.error().message;
    return code ? code->run() : NativeRun{};
  }

  TestArena arena_{kTestArenaAddress};
  std::unique_ptr<NativeMachine> machine_;
};

TEST_F(Native, RunsCodeAndKeepsItsResult) {
  TestImage t(arena_);
  straight_return(t, 42);
  const NativeRun got = run(t);
  EXPECT_TRUE(got.stop.returned()) << got.stop.detail;
  EXPECT_EQ(got.result, 42U);
  EXPECT_EQ(got.broken, std::vector<std::string>{});
}

TEST_F(Native, GivesTheContextAndShowsWhatBecameOfIt) {
  TestImage t(arena_);
  t.value.context = {1, 2, 3, 4, 5, 6, 7, 8};
  t.value.regions.push_back({"data", {9, 0, 0, 0}});
  t.place();
  t.function(0, 0);
  t.prologue();
  t.slot(bpf_mov(0, 1)).bytes({0x8b, 0x07});  // mov eax, [rdi]
  t.bytes({0xc6, 0x47, 0x07, 0xff});          // mov byte [rdi + 7], 255
  t.exit().body_end();
  const NativeRun got = run(t);
  EXPECT_EQ(got.result, 0x04030201U);
  EXPECT_EQ(got.context, (std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6, 7, 255}));
  ASSERT_EQ(got.regions.size(), 1U);
  EXPECT_EQ(got.regions[0], (std::vector<std::uint8_t>{9, 0, 0, 0}));
}

TEST_F(Native, RunsThunksAndRefusesRegistersThatAreNotTheAbis) {
  TestImage t(arena_);
  t.thunk("entry");
  t.call(t.here() + 6).bytes({0xc3});  // call main; ret
  straight_return(t, 42);
  t.image.registers.frame_pointer = NativeRegister::none();
  EXPECT_EQ(run(t).result, 42U);
  const auto refused = [&](void (*change)(RegisterMap&)) {
    TestImage other = t;
    change(other.image.registers);
    const auto code = machine_->load(other.value, other.image, NativeHelpers::kThorough);
    return code ? std::string() : code.error().message;
  };
  EXPECT_EQ(refused([](RegisterMap& m) { m.helper_argument[1] = kRax; }),
            "helpers get their arguments elsewhere than in the ABI's registers");
  EXPECT_EQ(refused([](RegisterMap& m) { m.helper_result = kRcx; }),
            "the result of helpers is elsewhere than in the ABI's register");
  constexpr const char* kEntry =
      "programs get more than their context, or get it elsewhere than in the ABI's register";
  EXPECT_EQ(refused([](RegisterMap& m) { m.entry_context = kRsi; }), kEntry);
  EXPECT_EQ(refused([](RegisterMap& m) { m.entry_context_size = kRsi; }), kEntry);
  EXPECT_EQ(refused([](RegisterMap& m) { m.entry_stack = kRsi; }), kEntry);
  EXPECT_EQ(refused([](RegisterMap& m) { m.entry_stack_size = kRsi; }), kEntry);
  EXPECT_EQ(refused([](RegisterMap& m) { m.frame_pointer = 31; }),
            "the frame pointer is no register of x86-64");
}

struct Wrong {
  const char* name;
  std::vector<int> code;  // in the middle of a function
  StopReason reason;
  const char* detail;  // of what stopped it, or the promise that is not kept
};

void PrintTo(const Wrong& row, std::ostream* out) { *out << row.name; }

class WrongCode : public Native, public testing::WithParamInterface<Wrong> {};

TEST_P(WrongCode, IsReportedAndEndsNoProcess) {
  const Wrong& row = GetParam();
  TestImage t(arena_);
  t.value.context.assign(8, 0);
  t.place();
  around(t, row.code);
  for (int again = 0; again < 2; ++again) {
    const NativeRun got = run(t);
    EXPECT_EQ(got.stop.reason, row.reason) << got.stop.detail;
    if (row.reason != StopReason::kReturned) {
      EXPECT_EQ(got.stop.detail, row.detail);
    } else {
      ASSERT_FALSE(got.broken.empty());
      EXPECT_EQ(got.broken.front(), row.detail);
    }
  }
  TestImage sound(arena_);
  straight_return(sound, 3);
  EXPECT_EQ(run(sound).result, 3U);
}

// The code stands behind 8 bytes of prologue; "leave; ret" follows.
const Wrong kWrong[] = {
    {"rbx", {0x31, 0xdb}, StopReason::kReturned, "rbx is not what the caller had in it"},
    {"r12", {0x45, 0x31, 0xe4}, StopReason::kReturned, "r12 is not what the caller had in it"},
    {"r13", {0x45, 0x31, 0xed}, StopReason::kReturned, "r13 is not what the caller had in it"},
    {"r14", {0x45, 0x31, 0xf6}, StopReason::kReturned, "r14 is not what the caller had in it"},
    {"r15", {0x45, 0x31, 0xff}, StopReason::kReturned, "r15 is not what the caller had in it"},
    // mov qword [rbp], 1
    {"rbp",
     {0x48, 0xc7, 0x45, 0, 1, 0, 0, 0},
     StopReason::kReturned,
     "rbp is not what the caller had in it"},
    // leave; ret 8
    {"rsp", {0xc9, 0xc2, 8, 0}, StopReason::kReturned, "the stack pointer is off by 8"},
    {"direction", {0xfd}, StopReason::kReturned, "the direction flag is set"},
    // mov byte [rbp + 16], 0
    {"caller", {0xc6, 0x45, 16, 0}, StopReason::kReturned, "the caller's stack was written"},
    // mov byte [rdi - 1], 0
    {"beside",
     {0xc6, 0x47, 0xff, 0},
     StopReason::kReturned,
     "something was written beside the context or a region"},
    // mov eax, [rdi + 8]: one element too far
    {"behind", {0x8b, 0x47, 8}, StopReason::kFault, "SIGSEGV in p.main at offset 0x8"},
    // mov rax, [rbp - 0x20000]; mov rax, [rbp + 0x8000]: beyond the stack
    {"below",
     {0x48, 0x8b, 0x85, 0, 0, 0xfe, 0xff},
     StopReason::kFault,
     "SIGSEGV in p.main at offset 0x8"},
    {"above",
     {0x48, 0x8b, 0x85, 0, 0x80, 0, 0},
     StopReason::kFault,
     "SIGSEGV in p.main at offset 0x8"},
    // mov byte [rip], 0: the code itself
    {"code", {0xc6, 0x05, 0, 0, 0, 0, 0}, StopReason::kFault, "SIGSEGV in p.main at offset 0x8"},
    {"ud2", {0x0f, 0x0b}, StopReason::kInvalidInsn, "SIGILL in p.main at offset 0x8"},
    {"int3", {0xcc}, StopReason::kInvalidInsn, "SIGTRAP in p.main at offset 0x9"},
    {"hlt", {0xf4}, StopReason::kFault, "SIGSEGV in p.main at offset 0x8"},
    // xor ecx, ecx; div ecx
    {"divide", {0x31, 0xc9, 0xf7, 0xf1}, StopReason::kFault, "SIGFPE in p.main at offset 0xa"},
    // jmp to itself
    {"endless",
     {0xeb, 0xfe},
     StopReason::kBudget,
     "no end after a long time, in p.main at offset 0x8"},
    // push rax; jmp back to it
    {"overflow", {0x50, 0xeb, 0xfd}, StopReason::kFault, "SIGSEGV in p.main at offset 0x8"},
    // xor eax, eax; jmp rax
    {"wild",
     {0x31, 0xc0, 0xff, 0xe0},
     StopReason::kFault,
     "SIGSEGV outside the image, left in p.main at offset 0xa"},
    // leave; add rsp, 8; ret: takes a canary for its return address
    {"popped",
     {0xc9, 0x48, 0x83, 0xc4, 8, 0xc3},
     StopReason::kFault,
     "SIGSEGV in p.main at offset 0xd"},
    // xor esp, esp; push rax: no stack at all
    {"stackless", {0x31, 0xe4, 0x50}, StopReason::kFault, "SIGSEGV in p.main at offset 0xa"},
    // std; pushfq with the alignment check set, popfq; then a fault
    {"flags",
     {0xfd, 0x9c, 0x81, 0x0c, 0x24, 0, 0, 4, 0, 0x9d, 0x0f, 0x0b},
     StopReason::kInvalidInsn,
     "SIGILL in p.main at offset 0x12"},
};

INSTANTIATE_TEST_SUITE_P(Native, WrongCode, testing::ValuesIn(kWrong),
                         [](const auto& row) { return std::string(row.param.name); });

TEST_F(Native, EndsARepetitionAtTheFirstSignal) {
  TestImage t(arena_);
  // dec byte [rdi]; jnz over; ud2
  t.value.context = {3, 0, 0, 0, 0, 0, 0, 0};
  t.place();
  around(t, {0xfe, 0x0f, 0x75, 2, 0x0f, 0x0b});
  auto code = machine_->load(t.value, t.image, NativeHelpers::kThorough);
  ASSERT_TRUE(code.has_value());
  EXPECT_TRUE(code->repeat(2).returned());
  const NativeStop stop = code->repeat(100);
  EXPECT_EQ(stop.reason, StopReason::kInvalidInsn);
  EXPECT_TRUE(code->repeat_empty(100).returned());
}

TEST_F(Native, CallsAsOftenAsAskedFor) {
  TestImage t(arena_);
  t.value.context.assign(8, 0);
  t.place();
  around(t, {0x48, 0xff, 0x07});  // inc qword [rdi]
  around(t, {});
  t.image.functions.resize(1);
  auto code = machine_->load(t.value, t.image, NativeHelpers::kThorough);
  ASSERT_TRUE(code.has_value());
  EXPECT_TRUE(code->repeat(300).returned());
  const std::uint8_t* const context = arena_bytes(t.image.placement.context);
  EXPECT_EQ(context[0] | context[1] << 8, 300);
}

TEST_F(Native, HelpersScrambleWhatTheyMay) {
  TestImage t(arena_);
  t.function(0, 0);
  t.prologue();
  t.bytes({0xb8, 7, 0, 0, 0, 0x31, 0xf6});  // mov eax, 7; xor esi, esi
  t.slot(bpf_call_helper(5)).call_helper(5);
  t.bytes({0x48, 0x01, 0xf0});  // add rax, rsi
  t.exit().body_end();
  const NativeRun got = run(t);
  ASSERT_TRUE(got.stop.returned()) << got.stop.detail;
  EXPECT_NE(got.result, kNativeHelperResult);
  EXPECT_NE(got.result, 7U);
  EXPECT_EQ(got.broken, std::vector<std::string>{});
}

// The word 256 bytes below the stack pointer, where a leaf function may not keep anything over a
// call.
TEST_F(Native, ThoroughHelpersScrambleBelowTheStackPointer) {
  TestImage t(arena_);
  t.function(0, 0);
  t.prologue();
  t.bytes(
      {0x48, 0xc7, 0x84, 0x24, 0x00, 0xff, 0xff, 0xff, 1, 0, 0, 0});  // mov qword [rsp - 256], 1
  t.slot(bpf_call_helper(5)).call_helper(5);
  t.bytes({0x48, 0x8b, 0x84, 0x24, 0x00, 0xff, 0xff, 0xff});  // mov rax, [rsp - 256]
  t.exit().body_end();
  EXPECT_EQ(run(t).result, static_cast<std::uint64_t>(-0x5c5c5c60));
}

TEST_F(Native, ATailCallsStubTraps) {
  TestImage t(arena_);
  t.function(0, 0);
  t.prologue();
  t.slot(bpf_call_helper(12)).call_helper(12);
  t.exit().body_end();
  EXPECT_EQ(run(t).stop.detail, "SIGTRAP in a helper's stub, left in p.main at offset 0x4");
}

TEST_F(Native, CodeReachesPerCpuDataThroughGs) {
  TestImage t(arena_);
  // mov qword gs:[0x10], 5; mov rax, gs:[0x10]
  around(t, {0x65, 0x48, 0xc7, 0x04, 0x25, 0x10, 0,    0,    0, 5, 0,
             0,    0,    0x65, 0x48, 0x8b, 0x04, 0x25, 0x10, 0, 0, 0});
  EXPECT_EQ(run(t).result, 5U);
}

TEST_F(Native, NothingIsWritableAndExecutable) {
  TestImage t(arena_);
  straight_return(t);
  const auto permissions = [&](std::uint64_t address) {
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
      std::size_t at = 0;
      const std::uint64_t begin = std::stoull(line, &at, 16);
      const std::uint64_t end = std::stoull(line.substr(at + 1), &at, 16);
      if (begin <= address && address < end) return line.substr(line.find(' ') + 1, 3);
    }
    return std::string("none");
  };
  {
    auto code = machine_->load(t.value, t.image, NativeHelpers::kThorough);
    ASSERT_TRUE(code.has_value());
    EXPECT_EQ(permissions(t.image.entry), "r-x");
    EXPECT_EQ(permissions(arena_.range().address), "r-x");
    EXPECT_EQ(permissions(arena_.range().address + arena_.range().size - 1), "r--");
    EXPECT_EQ(permissions(t.image.placement.stack.address), "rw-");
    EXPECT_EQ(permissions(t.image.placement.stack.address - 1), "---");
    EXPECT_EQ(permissions(t.image.placement.stack.address + t.image.placement.stack.size), "---");
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
      EXPECT_EQ(line.find(" rwx"), std::string::npos) << line;
    }
  }
  EXPECT_EQ(permissions(t.image.entry), "rw-");
}

// The emulator writes other stubs to the same place, and translates the same code.
TEST_F(Native, TakesTurnsWithTheEmulator) {
  const auto emulated = make_machine(Arch::kX86_64);
  TestImage t(arena_);
  t.function(0, 0);
  t.prologue();
  t.slot(bpf_call_helper(5)).call_helper(5);
  t.exit().body_end();
  const std::uint64_t expected =
      run_helper({.number = 5, .ordinal = 0, .scalars = {}, .read = {}, .write = {}});
  for (int turn = 0; turn < 3; ++turn) {
    EXPECT_EQ(emulated->run(t.value, t.image, kFastRun).result, expected);
    EXPECT_EQ(run(t).result, kNativeHelperResult);
  }
}

TEST_F(Native, StepsThroughEveryInstruction) {
  TestImage t(arena_);
  straight_return(t);
  auto code = machine_->load(t.value, t.image, NativeHelpers::kThorough);
  ASSERT_TRUE(code.has_value());
  const std::uint64_t at = t.image.entry;
  EXPECT_EQ(code->trace(), (std::vector<std::uint64_t>{at, at + 1, at + 4, at + 9, at + 10}));
  EXPECT_EQ(code->run().result, 7U);
}

TEST_F(Native, RefusesCodeOfAnotherArchitecture) {
  TestImage t(arena_, Arch::kArm64);
  t.function(0, 0);
  t.words({0xd65f03c0});
  t.body_end();
  const auto code = machine_->load(t.value, t.image, NativeHelpers::kThorough);
  ASSERT_FALSE(code.has_value());
  EXPECT_EQ(code.error().message, "code for arm64 does not run on x86-64");
}

TEST_F(Native, RefusesAnImageThatLiesElsewhereInTheProcess) {
  TestImage t(arena_);
  straight_return(t);
  t.image.placement.memory.front().host += 4096;
  const auto code = machine_->load(t.value, t.image, NativeHelpers::kThorough);
  ASSERT_FALSE(code.has_value());
  EXPECT_EQ(code.error().message, "the image does not lie at its own addresses");
}

TEST_F(Native, RefusesAddressesThatAreTaken) {
  TestImage t(arena_);
  straight_return(t);
  t.image.placement.stack.address = arena_.range().address;
  EXPECT_FALSE(machine_->load(t.value, t.image, NativeHelpers::kThorough).has_value());
  t.place();
  EXPECT_EQ(run(t).result, 7U);
}

TEST_F(Native, IsOneAtATime) {
  const auto again = NativeMachine::open();
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().message, "native code is in use by this thread");
  machine_ = nullptr;
  EXPECT_TRUE(NativeMachine::open().has_value());
}

TEST_F(Native, SaysWhenAddressesAreInUse) {
  machine_ = nullptr;
  void* const taken = mmap(arena_bytes(guest::kStackBase), 4096, PROT_NONE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  ASSERT_NE(taken, MAP_FAILED);
  const auto again = NativeMachine::open();
  munmap(taken, 4096);
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().message, "native code cannot have its data at 0x53fffff000: File exists");
}

using NativeDeath = Native;

TEST_F(NativeDeath, SignalsOfOurOwnCodeEndTheProcess) {
  EXPECT_EXIT(std::raise(SIGSEGV); std::raise(SIGSEGV), testing::KilledBySignal(SIGSEGV), "");
}

}  // namespace
}  // namespace plumb::machine
