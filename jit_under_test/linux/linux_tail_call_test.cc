// SPDX-License-Identifier: GPL-2.0-or-later
// Tail calls of the kernel JIT plugins: direct and indirect ones, and what a slot update pokes.
#include "jit_under_test/linux/testing_linux_plugin.h"

namespace plumb_linux_test {
namespace {

class LinuxTailCall : public LinuxPlugin {};

INSTANTIATE_TEST_SUITE_P(Versions, LinuxTailCall, testing::Values(kNewName, kOldName), test_name);

// ---- Tail calls ----

struct Site {
  uint64_t bypass = 0, target = 0;
};

// The two patch sites of the only direct tail call in a function, by the layout of poke.md D.1.
Site find_site(const Loaded& loaded, uint32_t program) {
  const plumb_native_function& f = loaded.function(program, 0);
  const Bytes code = loaded.code(program);
  Site site;
  // The target slot ends where the instruction after the tail call begins.
  site.target = f.address + f.insn_offsets[4] - 5;
  const uint64_t tail_call = f.address + f.insn_offsets[3];
  for (uint64_t at = tail_call; at < site.target; at++) {
    const auto* p = reinterpret_cast<const uint8_t*>(at);
    // Behind the compare with 33: jae +x, then the bypass.
    if (p[0] == 33 && p[1] == 0x73) site.bypass = at + 3;
    // 6.1 raises the count before the bypass: add eax, 1; mov [rbp - x], eax.
    if (p[0] == 0x83 && p[1] == 0xc0 && p[2] == 1) site.bypass = at + 9;
  }
  return site;
}

CaseSpec direct_case(std::vector<int32_t> slots) {
  const FunctionSpec caller = {direct_tail_call(0, 0) + Code{mov(0, 0), exit_insn()}, 0};
  const FunctionSpec callee = {{mov(0, 1), exit_insn()}, 0};
  return {.programs = {{caller}, {callee}, {callee}}, .arrays = {std::move(slots)}, .regions = {}};
}

TEST_P(LinuxTailCall, DirectTailCallToAnEmptySlotSkips) {
  const Request request(direct_case({-1}));
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const Site site = find_site(loaded, 0);
  ASSERT_EQ(byte_at(site.bypass), 0xe9);
  EXPECT_EQ(jump_target(site.bypass), site.target + 5);
  EXPECT_EQ(std::memcmp(reinterpret_cast<void*>(site.target), kNop5.data(), 5), 0);
}

TEST_P(LinuxTailCall, DirectTailCallToAFilledSlotJumps) {
  const Request request(direct_case({2}));
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const Site site = find_site(loaded, 0);
  EXPECT_EQ(std::memcmp(reinterpret_cast<void*>(site.bypass), kNop5.data(), 5), 0);
  ASSERT_EQ(byte_at(site.target), 0xe9);
  const plumb_native_function& callee = loaded.function(2, 0);
  EXPECT_EQ(jump_target(site.target), callee.address + callee.tail_call_entry);
}

// User space may fill the slot before it loads the caller, or after: the plugin fills it when the
// target is there. Program 0 is patched by the update, program 2 patches itself.
TEST_P(LinuxTailCall, CallersLoadedBeforeAndAfterTheTargetAreBothPatched) {
  const FunctionSpec caller = {direct_tail_call(0, 0) + Code{mov(0, 0), exit_insn()}, 0};
  const FunctionSpec callee = {{mov(0, 1), exit_insn()}, 0};
  const Request request(
      {.programs = {{caller}, {callee}, {caller}}, .arrays = {{1}}, .regions = {}});
  Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& target = loaded.function(1, 0);
  for (const uint32_t program : {0u, 2u}) {
    SCOPED_TRACE(program);
    const Site site = find_site(loaded, program);
    EXPECT_EQ(bytes_at(site.bypass, 5), kNop5);
    ASSERT_EQ(byte_at(site.target), 0xe9);
    EXPECT_EQ(jump_target(site.target), target.address + target.tail_call_entry);
  }
  // Later updates reach both, and find what they expect.
  Steps steps(16);
  char error[128] = "";
  ASSERT_EQ(api_->update_slot(&loaded.image, 0, 0, -1, 1, &steps.list, error, sizeof(error)), 7)
      << error;
  for (const uint32_t program : {0u, 2u}) {
    SCOPED_TRACE(program);
    const Site site = find_site(loaded, program);
    EXPECT_EQ(jump_target(site.bypass), site.target + 5);
    EXPECT_EQ(bytes_at(site.target, 5), kNop5);
  }
}

// In a subprogram, whose descriptors are its program's.
TEST_P(LinuxTailCall, SubprogramsFindFilledSlotsToo) {
  const FunctionSpec callee = {{mov(0, 1), exit_insn()}, 0};
  const FunctionSpec main = {{call_function(1), exit_insn()}, 0};
  const FunctionSpec sub = {direct_tail_call(0, 0) + Code{mov(0, 0), exit_insn()}, 0};
  const Request request({.programs = {{callee}, {main, sub}}, .arrays = {{0}}, .regions = {}});
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function &f = loaded.function(1, 1), &target = loaded.function(0, 0);
  const uint64_t jump = f.address + f.insn_offsets[4] - 5;
  ASSERT_EQ(byte_at(jump), 0xe9);
  EXPECT_EQ(jump_target(jump), target.address + target.tail_call_entry);
}

// As the kernel's verifier marks them: an address that is taken is a call. The count comes from
// whoever calls the callback, and that is C code.
TEST_P(LinuxTailCall, CallbacksThatReachATailCallTakeTheCountFromTheirCaller) {
  const FunctionSpec target = {{mov(0, 1), exit_insn()}, 0};
  const FunctionSpec main = {
      load_function(2, 1) + Code{mov(1, 1), mov(3, 0), mov(4, 0), call_helper(181), exit_insn()},
      0};
  const FunctionSpec tail_calls = {direct_tail_call(0, 0) + Code{mov(0, 0), exit_insn()}, 0};
  const FunctionSpec calls = {{call_function(2), mov(0, 0), exit_insn()}, 0};
  const FunctionSpec plain = {{mov(0, 0), exit_insn()}, 0};
  const Bytes nop = is_new() ? Bytes{0x0f, 0x1f, 0x00} : Bytes{0x66, 0x90};
  const Bytes clear = is_new() ? Bytes{0x48, 0x31, 0xc0} : Bytes{0x31, 0xc0};
  const Bytes pushes = is_new() ? Bytes{0x50, 0x50} : Bytes{0x50};  // push rax
  const auto expect_marked = [&](const std::vector<FunctionSpec>& functions, size_t marked) {
    const Request request({.programs = {{target}, functions}, .arrays = {{0}}, .regions = {}});
    const Loaded loaded(api_, request);
    ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
    for (uint32_t f = 1; f < functions.size(); ++f) {
      const Bytes plain_prologue = kNop5 + nop + kPushRbp;
      const uint64_t body = loaded.function(1, f).address + plain_prologue.size();
      EXPECT_EQ(bytes_at(body, pushes.size()) == pushes, f <= marked) << f;
    }
    const uint64_t main_address = loaded.function(1, 0).address + kNop5.size();
    EXPECT_EQ(bytes_at(main_address, clear.size()) == clear, marked > 0);
  };
  expect_marked({main, tail_calls}, 1);
  expect_marked({main, calls, tail_calls}, 2);
  expect_marked({main, plain}, 0);
}

TEST_P(LinuxTailCall, ProgramMayTailCallItself) {
  const Request request(direct_case({0}));
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& self = loaded.function(0, 0);
  EXPECT_EQ(jump_target(find_site(loaded, 0).target), self.address + self.tail_call_entry);
}

TEST_P(LinuxTailCall, UnknownKeyReadsTheArray) {
  const Request request({.programs = {{{indirect_tail_call(0) + Code{mov(0, 0), exit_insn()}, 0}}},
                         .arrays = {{0, -1}},
                         .regions = {}});
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const Bytes code = loaded.code();
  EXPECT_LT(find_bytes(code, {0x89, 0xd2, 0x39, 0x56}), code.size());  // mov edx,edx; cmp [rsi+x]
  EXPECT_LT(find_bytes(code, {0x48, 0x8b, 0x8c, 0xd6}), code.size());  // mov rcx,[rsi+rdx*8+x]
  // The object that the code reads is real: a pointer in slot 0, nothing in slot 1.
  const size_t load = find_bytes(code, {0x48, 0x8b, 0x8c, 0xd6});
  const uint64_t slots =
      loaded.image.array_objects[0].address + static_cast<uint64_t>(read32(&code[load + 4]));
  uint64_t value[2];
  std::memcpy(value, reinterpret_cast<void*>(slots), sizeof(value));
  EXPECT_GE(value[0], arena_);
  EXPECT_EQ(value[1], 0u);
  EXPECT_EQ(slots + sizeof(value),
            loaded.image.array_objects[0].address + loaded.image.array_objects[0].size);
}

TEST_P(LinuxTailCall, TailCallIsDirectOnlyWhereTheKeyIsKnownAndInRange) {
  const Code tail = {mov(0, 0), exit_insn()};
  struct Row {
    const char* name;
    Code code;
    bool direct;
  };
  const Row rows[] = {
      {"immediate", direct_tail_call(0, 1) + tail, true},
      {"key before array", Code{mov(3, 0)} + load_array(2, 0) + Code{call_helper(12)} + tail, true},
      {"copied key",
       Code{mov(7, 1), mov_reg(3, 7)} + load_array(2, 0) + Code{call_helper(12)} + tail, true},
      {"out of range", direct_tail_call(0, 2) + tail, false},
      {"negative", direct_tail_call(0, -1) + tail, false},
      {"key from memory", indirect_tail_call(0) + tail, false},
      {"overwritten",
       Code{mov(3, 0), insn(0x07, 3, 0, 0, 1)} + load_array(2, 0) + Code{call_helper(12)} + tail,
       false},
      {"joined by a jump",
       Code{mov(3, 0), insn(0x15, 1, 0, 1, 0), mov(3, 1)} + load_array(2, 0) +
           Code{call_helper(12)} + tail,
       false},
      {"lost in a call",
       Code{mov_reg(6, 1), mov(3, 0), call_helper(5), mov_reg(1, 6)} + load_array(2, 0) +
           Code{call_helper(12)} + tail,
       false},
  };
  for (const Row& row : rows) {
    const Request request({.programs = {{{row.code, 0}}}, .arrays = {{-1, -1}}, .regions = {}});
    const Loaded loaded(api_, request);
    ASSERT_EQ(loaded.status, PLUMB_LOADED) << row.name << ": " << loaded.message;
    const Bytes code = loaded.code();
    const bool indirect = find_bytes(code, {0x48, 0x8b, 0x8c, 0xd6}) < code.size();
    EXPECT_EQ(!indirect, row.direct) << row.name;
  }
}

// ---- Slot updates, in the order of poke.md ----

TEST_P(LinuxTailCall, UpdatesPokeInTheSafeOrder) {
  const Request request(direct_case({-1}));
  Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const Site site = find_site(loaded, 0);
  Steps steps(8);
  char error[128] = "";
  auto update = [&](int32_t program, int apply) {
    return api_->update_slot(&loaded.image, 0, 0, program, apply, &steps.list, error,
                             sizeof(error));
  };
  const auto* slot_page = &loaded.image.array_objects[0];

  // Install: C -> D -> B, after the slot itself. First without applying: nothing may change.
  const Bytes before = loaded.code();
  ASSERT_EQ(update(1, 0), 3) << error;
  EXPECT_EQ(loaded.code(), before);
  ASSERT_EQ(update(1, 1), 3) << error;
  EXPECT_EQ(steps[0].size, 8u);
  EXPECT_GE(steps[0].address, slot_page->address);
  EXPECT_LT(steps[0].address, slot_page->address + slot_page->size);
  EXPECT_EQ(steps[0].kind, static_cast<uint32_t>(PLUMB_PATCH_SLOT));
  EXPECT_EQ(steps[1].address, site.target);
  EXPECT_EQ(steps[1].size, 5u);
  EXPECT_EQ(steps[1].kind, static_cast<uint32_t>(PLUMB_PATCH_INT3));
  EXPECT_EQ(std::memcmp(steps[1].expected, kNop5.data(), 5), 0);
  EXPECT_EQ(steps[1].replacement[0], 0xe9);
  EXPECT_EQ(steps[2].address, site.bypass);
  EXPECT_EQ(steps[2].expected[0], 0xe9);
  EXPECT_EQ(std::memcmp(steps[2].replacement, kNop5.data(), 5), 0);
  EXPECT_EQ(jump_target(site.target),
            loaded.function(1, 0).address + loaded.function(1, 0).tail_call_entry);

  // Replace: B(f) -> B(g), one poke.
  ASSERT_EQ(update(2, 1), 2) << error;
  EXPECT_EQ(steps[1].address, site.target);

  // Remove: B -> D -> grace period -> C.
  ASSERT_EQ(update(-1, 1), 4) << error;
  EXPECT_EQ(steps[1].address, site.bypass);
  EXPECT_EQ(steps[2].size, 0u);
  EXPECT_EQ(steps[2].kind, static_cast<uint32_t>(PLUMB_PATCH_GRACE_PERIOD));
  EXPECT_EQ(steps[3].address, site.target);
  EXPECT_EQ(std::memcmp(steps[3].replacement, kNop5.data(), 5), 0);
  EXPECT_EQ(loaded.code(), before);

  // Remove again: nothing to do, nothing to wait for.
  EXPECT_EQ(update(-1, 1), 0) << error;
  EXPECT_EQ(api_->update_slot(&loaded.image, 0, 1, 0, 1, &steps.list, error, sizeof(error)), -1);
}

}  // namespace
}  // namespace plumb_linux_test
