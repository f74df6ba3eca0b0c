// SPDX-License-Identifier: GPL-2.0-or-later
//
// What only arm64 has: code at two addresses, atomics and pointer authentication of late.
#include "core/guest.h"
#include "machine/testing_code.h"
#include "machine/testing_machine.h"

namespace plumb::machine {
namespace {

using enum EventKind;

class MachineArm64 : public testing::Test {
 protected:
  const MachineRun& run(const TestImage& t, const RunOptions& options = kFastRun) {
    return machine_->run(t.value, t.image, options);
  }
  void function(TestImage& t, int function) {
    while (t.here() % 0x100 != 0) t.words({code_.nop});
    if (!t.image.functions.empty()) t.image.functions.back().size = 0x80;
    t.function(0, function);
    t.words(code_.prologue);
  }
  void exit(TestImage& t) {
    t.slot(bpf_exit()).words(code_.epilogue).words({code_.ret}).body_end();
  }
  void call(TestImage& t, std::uint64_t target) { t.words({code_.call(t.here(), target)}); }

  // main calls 1 at the alias, 1 calls 2 directly, 2 calls a helper and returns value.
  TestImage three_functions(std::uint32_t value) {
    TestImage t(arena_, Arch::kArm64);
    const std::uint64_t first = arena_.code() + 0x100;
    function(t, 0);
    // x1 = the alias of function 1; blr x1
    Words load = code_.loop_arguments(kCodeAlias | first);
    t.slot(bpf_mov(2, 0)).words(load).slot(bpf_call_function(1)).words({0xd63f0020});
    exit(t);
    function(t, 1);
    t.slot(bpf_call_function(2));
    call(t, first + 0x100);
    exit(t);
    function(t, 2);
    t.slot(bpf_call_helper(7));
    call(t, t.stub(7));
    t.slot(bpf_mov(0, 0)).words(code_.load_result(value));
    exit(t);
    return t;
  }

  TestCode code_ = test_code(Arch::kArm64);
  TestArena arena_{kTestArenaAddress};
  std::unique_ptr<Machine> machine_ = make_machine(Arch::kArm64);
};

TEST_F(MachineArm64, FollowsCodeAtItsAlias) {
  const TestImage t = three_functions(7);
  for (const RunOptions& options : {kFastRun, kFullRun}) {
    const MachineRun& r = run(t, options);
    ASSERT_EQ(r.stop, StopReason::kReturned) << r.detail;
    ASSERT_EQ(kinds(r), (Kinds{kCall, kCall, kHelperCall, kReturn, kReturn, kExit}));
    EXPECT_EQ(r.result, 7u);
    const std::uint64_t in_first = arena_.code() + 0x100 + 16;
    // The link register tells where the code ran; all else is told without the alias.
    EXPECT_EQ(r.events[1].pc, in_first);
    EXPECT_EQ(r.events[3].pc, in_first);
    EXPECT_EQ(r.events[3].registers[30], kCodeAlias | in_first);
    EXPECT_EQ(r.activations[2].return_address, in_first);
    const MachineEvent& helper = r.events[2];
    ASSERT_EQ(helper.chain_size, 3u);
    EXPECT_EQ(r.frames[helper.chain_begin].return_address, in_first);
    for (const StackAccess& access : r.accesses) EXPECT_LT(access.pc, kCodeAlias);
  }
}

// What hardened code is judged by: the bytes of every function, and where functions returned.
TEST_F(MachineArm64, ShowsTheCodeAndTheReturnsThatARuleAsksFor) {
  TestImage t = three_functions(7);
  EXPECT_TRUE(run(t).code.empty());
  EXPECT_TRUE(run(t).returns.empty());
  t.image.code_rule = {.return_addresses_signed = Tristate::kYes,
                       .cfi = {.hashes = Tristate::kYes, .hash_below = 4}};
  for (const RunOptions& options : {kFastRun, kFullRun}) {
    const MachineRun& r = run(t, options);
    ASSERT_EQ(r.stop, StopReason::kReturned) << r.detail;
    ASSERT_EQ(r.code.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {
      const NativeFunction& function = t.image.functions[i];
      EXPECT_EQ(r.code[i].begin, function.address - 4);
      const std::uint8_t* const bytes = arena_bytes(r.code[i].begin);
      EXPECT_EQ(r.code[i].bytes, std::vector<std::uint8_t>(bytes, bytes + 4 + function.size));
    }
    // Innermost first; the helper's return is none.
    ASSERT_EQ(r.returns.size(), 3u);
    for (std::size_t i = 0; i < 3; ++i) {
      const ReturnSite& site = r.returns[i];
      EXPECT_EQ(site.activation, 2 - i);
      EXPECT_EQ(site.event, static_cast<std::int32_t>(3 + i));
      EXPECT_EQ(t.image.function_at(site.end - 4), &t.image.functions[2 - i]);
      EXPECT_EQ(*reinterpret_cast<const std::uint32_t*>(arena_bytes(site.end - 4)), code_.ret);
    }
  }
}

TEST_F(MachineArm64, RunsWhatTheCodeAtTheAliasIsNow) {
  for (const std::uint32_t value : {1u, 2u, 3u}) {
    const TestImage t = three_functions(value);
    EXPECT_EQ(run(t).result, value);
    EXPECT_EQ(run(t, kFullRun).result, value);
    EXPECT_EQ(machine_->run_bare(t.value, t.image, kFastRun), value);
  }
}

TEST_F(MachineArm64, DescribesAFetchFromNowhereWithoutTheAlias) {
  TestImage t(arena_, Arch::kArm64);
  function(t, 0);
  t.slot(bpf_mov(2, 0)).words(code_.loop_arguments(kCodeAlias | 0x1000)).words({0xd61f0020});
  exit(t);
  const MachineRun& r = run(t);  // br x1
  EXPECT_EQ(r.stop, StopReason::kFault);
  EXPECT_EQ(r.fault_address, 0x1000u);
}

TEST_F(MachineArm64, RunsAtomicsAndPointerAuthentication) {
  TestImage t(arena_, Arch::kArm64);
  t.function(0, 0);
  t.words({0xd503233f}).words(code_.prologue);  // paciasp
  t.slot(bpf_mov(0, 5)).words(code_.load_result(5));
  t.slot(bpf_mov(0, 5)).words({code_.store});
  t.slot(bpf_mov(0, 5)).words({0x910023e1, 0xf8e00020});  // add x1, sp, #8; ldaddal x0, x0, [x1]
  const std::uint64_t atomic = t.here() - 4;
  t.slot(bpf_mov(0, 5)).words({0xf94007e0});  // ldr x0, [sp, #8]
  t.slot(bpf_exit()).words(code_.epilogue).words({0xd50323bf, code_.ret}).body_end();  // autiasp
  for (const RunOptions& options : {kFastRun, kFullRun}) {
    const MachineRun& r = run(t, options);
    ASSERT_EQ(r.stop, StopReason::kReturned) << r.detail;
    EXPECT_EQ(r.result, 10u);
    bool seen = false;
    for (const StackAccess& access : r.accesses) {
      seen = seen || (access.pc == atomic && access.kind == AccessKind::kWrite);
    }
    EXPECT_TRUE(seen);
  }
}

}  // namespace
}  // namespace plumb::machine
