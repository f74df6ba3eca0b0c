// SPDX-License-Identifier: GPL-2.0-or-later
// The kernel JIT plugins through their C ABI: what comes out of the arena, byte for byte where the
// layout is documented. Running the code is the business of machine/.
#include <memory>

#include "jit_under_test/linux/testing_linux_plugin.h"

namespace plumb_linux_test {
namespace {

INSTANTIATE_TEST_SUITE_P(Versions, LinuxPlugin, testing::Values(kNewName, kOldName), test_name);

// ---- Identity ----

TEST_P(LinuxPlugin, SaysWhatItIs) {
  const plumb_plugin_info& info = *api_->info;
  EXPECT_STREQ(info.name, GetParam());
  EXPECT_STREQ(info.family, "linux");
  EXPECT_EQ(std::string(info.version).rfind(is_new() ? "6.12." : "6.1.", 0), 0u) << info.version;
  EXPECT_EQ(info.arch, static_cast<uint32_t>(PLUMB_ARCH_X86_64));
  EXPECT_EQ(info.contract->empty_slot_consumes_count, is_new() ? PLUMB_NO : PLUMB_YES);
  EXPECT_EQ(info.contract->call_alignment, 8);
  EXPECT_EQ(info.contract->result_bits, 64);
  EXPECT_EQ(info.contract->frame_rounding, 8);
  // From the text of the tree's verifier.c.
  EXPECT_EQ(info.contract->verifier_rules,
            PLUMB_VERIFIER_TAIL_CALL_IN_CALLBACK | (is_new() ? PLUMB_VERIFIER_ROUNDS_TO_16 : 0));
  EXPECT_EQ(info.contract->frame_pointer, PLUMB_REGISTER(5));
  EXPECT_EQ(info.contract->r10_bias, 0);
  EXPECT_EQ(info.contract->r10_bias_known, PLUMB_YES);
  const uint64_t both = kTakenByAll | PLUMB_CAN_TAIL_CALL_IN_SUBPROGRAM | PLUMB_CAN_POKE;
  EXPECT_EQ(info.capabilities, is_new() ? both | PLUMB_CAN_V4 | PLUMB_CAN_THROW : both);
}

TEST(LinuxPlugins, LiveSideBySide) {
  const Request request(one_function({mov(0, 7), exit_insn()}));
  std::vector<std::unique_ptr<Loaded>> all;
  for (const char* name : {kNewName, kOldName, kNewArm64, kOldArm64, kNewRiscv64, kOldRiscv64}) {
    const Plugin& plugin = plugin_named(name);
    ASSERT_NE(plugin.api, nullptr) << name << ": " << plugin.problem;
    all.push_back(std::make_unique<Loaded>(plugin.api, request));
    ASSERT_EQ(all.back()->status, PLUMB_LOADED) << name << ": " << all.back()->message;
    const plumb_plugin_info& info = *plugin.api->info;
    const uint64_t address = all.back()->function(0, 0).address;
    EXPECT_GE(address, plugin.arena + PLUMB_STUB_SIZE);
    EXPECT_LT(address, plugin.arena + info.arena_size);
  }
}

// ---- Layout: (f) for 6.1, (j) for 6.12 ----

TEST_P(LinuxPlugin, PrologueOfAPlainFunctionIsTheDocumentedOne) {
  // R6 is used, so rbx is pushed; R0 = 7 goes through mov eax, imm32.
  const Request request(one_function({mov(6, 1), store(6, -16), mov(0, 7), exit_insn()}, 16));
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const Bytes nop = is_new() ? Bytes{0x0f, 0x1f, 0x00} : Bytes{0x66, 0x90};
  expect_prefix(loaded.code(), kNop5 + nop + kPushRbp + kSub16 + Bytes{0x53});
  const Bytes code = loaded.code();
  EXPECT_EQ(Bytes(code.end() - 3, code.end()), Bytes{0x5b} + kLeaveRet);
  EXPECT_EQ(loaded.function(0, 0).tail_call_entry, is_new() ? 12u : 11u);
  EXPECT_EQ(loaded.function(0, 0).stack_size, 16u);
  EXPECT_EQ(loaded.function(0, 0).tail_call_reachable, 0u);
}

TEST_P(LinuxPlugin, PrologueOfATailCallingFunctionKeepsTheCount) {
  const Request request(
      {.programs = {{{direct_tail_call(0, 0) + Code{mov(0, 0), exit_insn()}, 13}}},
       .arrays = {{-1}},
       .regions = {}});
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  if (is_new()) {
    expect_prefix(loaded.code(), kNop5 + Bytes{0x48, 0x31, 0xc0} + kPushRbp + kSub16 +
                                     Bytes{0x48, 0x83, 0xf8, 33,    // cmp rax, 33
                                           0x77, 6,                 // ja +6
                                           0x50, 0x48, 0x89, 0xe0,  // push rax; mov rax, rsp
                                           0xeb, 1, 0x50, 0x50});   // jmp +1; push rax; push rax
  } else {
    expect_prefix(loaded.code(), kNop5 + Bytes{0x31, 0xc0} + kPushRbp + kSub16 + Bytes{0x50});
  }
  EXPECT_EQ(loaded.function(0, 0).stack_size, 16u);
  EXPECT_EQ(loaded.function(0, 0).tail_call_reachable, 1u);
}

TEST_P(LinuxPlugin, SubprogramOnTheWayToATailCallPassesTheCountOn) {
  const Request request({.programs = {{{{call_function(1), exit_insn()}, 0},
                                       {direct_tail_call(0, 0) + Code{mov(0, 0), exit_insn()}, 8},
                                       {{mov(0, 0), exit_insn()}, 0}}},
                         .arrays = {{-1}},
                         .regions = {}});
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  EXPECT_EQ(loaded.function(0, 0).tail_call_reachable, 1u);
  EXPECT_EQ(loaded.function(0, 1).tail_call_reachable, 1u);
  EXPECT_EQ(loaded.function(0, 2).tail_call_reachable, 0u);
  EXPECT_EQ(loaded.function(0, 1).tail_call_entry, UINT32_MAX);
  const Bytes sub8 = {0x48, 0x81, 0xec, 8, 0, 0, 0};
  if (is_new()) {
    expect_prefix(loaded.code(0, 1),
                  kNop5 + Bytes{0x0f, 0x1f, 0x00} + kPushRbp + sub8 + Bytes{0x50, 0x50});
    // Before the call: mov rax, [rbp - 16]
    EXPECT_LT(find_bytes(loaded.code(0, 0), {0x48, 0x8b, 0x85, 0xf0, 0xff, 0xff, 0xff, 0xe8}),
              loaded.code(0, 0).size());
  } else {
    expect_prefix(loaded.code(0, 1), kNop5 + Bytes{0x66, 0x90} + kPushRbp + sub8 + Bytes{0x50});
    EXPECT_LT(find_bytes(loaded.code(0, 0), {0x48, 0x8b, 0x85, 0xf8, 0xff, 0xff, 0xff, 0xe8}),
              loaded.code(0, 0).size());
  }
}

// check_max_stack_depth_subprog() of both versions: a function that is left after some other one
// with a tail call marks its callers, although no tail call can be reached from them.
TEST_P(LinuxPlugin, MarksCallersLikeTheVerifierDoes) {
  const FunctionSpec tail_caller = {direct_tail_call(0, 0) + Code{mov(0, 0), exit_insn()}, 0};
  const FunctionSpec leaf = {{mov(0, 0), exit_insn()}, 0};
  const FunctionSpec calls_leaf = {{call_function(3), exit_insn()}, 0};
  const FunctionSpec main = {
      {mov_reg(6, 1), call_function(1), mov_reg(1, 6), call_function(2), exit_insn()}, 0};
  const Request request(
      {.programs = {{main, tail_caller, calls_leaf, leaf}}, .arrays = {{-1}}, .regions = {}});
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  EXPECT_EQ(loaded.function(0, 2).tail_call_reachable, 1u);
  EXPECT_EQ(loaded.function(0, 3).tail_call_reachable, 0u);
}

// ---- Calls ----

TEST_P(LinuxPlugin, CallsLandOnTheCalleeAndOnHelperStubs) {
  const Request request(
      {.programs = {{{{call_function(2), call_helper(5), call_function(1), exit_insn()}, 0},
                     {{mov(0, 1), exit_insn()}, 0},
                     {{mov(0, 2), exit_insn()}, 0}}},
       .arrays = {},
       .regions = {}});
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& main = loaded.function(0, 0);
  const uint64_t expected[] = {loaded.function(0, 2).address, arena_ + 5 * PLUMB_STUB_STRIDE,
                               loaded.function(0, 1).address};
  for (uint32_t i = 0; i < 3; i++) {
    const uint64_t at = main.address + main.insn_offsets[i];
    ASSERT_EQ(byte_at(at), 0xe8);
    EXPECT_EQ(jump_target(at), expected[i]);
  }
}

TEST_P(LinuxPlugin, AddressOfAFunctionIsWhereItWasPlaced) {
  const Request request({.programs = {{{load_function(2, 1) + Code{mov(0, 0), exit_insn()}, 0},
                                       {{mov(0, 1), exit_insn()}, 0}}},
                         .arrays = {},
                         .regions = {}});
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& main = loaded.function(0, 0);
  const auto* at = reinterpret_cast<const uint8_t*>(main.address + main.insn_offsets[0]);
  ASSERT_EQ(at[0], 0xbe);  // mov esi, imm32
  EXPECT_EQ(static_cast<uint64_t>(read32(at + 1)), loaded.function(0, 1).address);
}

TEST_P(LinuxPlugin, MapValuesAndArraysBecomeAddresses) {
  const Request request({.programs = {{{Code{insn(0x18, 1, 2, 0, 1), insn(0, 0, 0, 0, 24)} +
                                            load_array(2, 0) + Code{mov(0, 0), exit_insn()},
                                        0}}},
                         .arrays = {{-1, -1}},
                         .regions = {0x1000, 0x12345000}});
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& main = loaded.function(0, 0);
  const auto* at = reinterpret_cast<const uint8_t*>(main.address + main.insn_offsets[0]);
  EXPECT_EQ(at[0], 0xbf);  // mov edi, imm32
  EXPECT_EQ(read32(at + 1), 0x12345018);
  EXPECT_EQ(at[5], 0xbe);
  EXPECT_EQ(static_cast<uint64_t>(read32(at + 6)), loaded.image.array_objects[0].address);
}

// ---- Offsets and rewriting ----

TEST_P(LinuxPlugin, OffsetsAreMonotoneAndInside) {
  const Code code = Code{mov(6, 3),
                         insn(0x18, 1, 0, 0, -1),
                         insn(0, 0, 0, 0, 0x7fffffff),
                         insn(0x3f, 6, 1, 0, 0),   // r6 /= r1: four instructions
                         insn(0x9c, 6, 1, 0, 0),   // w6 %= w1: four
                         insn(0x15, 6, 0, -3, 5),  // if r6 == 5 goto r6 /= r1
                         insn(0x05, 0, 0, 1, 0),   // goto over the next one
                         mov(6, 9),
                         mov(0, 0),
                         exit_insn()};
  const Request request(one_function(code));
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& f = loaded.function(0, 0);
  ASSERT_EQ(f.insn_offset_count, code.size() + 1);
  EXPECT_TRUE(std::is_sorted(f.insn_offsets, f.insn_offsets + f.insn_offset_count));
  EXPECT_EQ(f.insn_offsets[2], f.insn_offsets[3]);  // second slot of the 64-bit load
  EXPECT_EQ(f.insn_offsets[code.size()], f.size);
  // What the jump lands on is where the division's rewriting begins: test r1, r1 and not div.
  const Bytes native = loaded.code();
  EXPECT_EQ(native[f.insn_offsets[0]], 0xbb);  // mov ebx, 3
  const Bytes test_rdi = {0x48, 0x85, 0xff};
  EXPECT_EQ(Bytes(&native[f.insn_offsets[3]], &native[f.insn_offsets[3]] + 3), test_rdi);
  const uint8_t* jump = &native[f.insn_offsets[5]];
  ASSERT_EQ(jump[0], 0x48);  // cmp rbx, 5
  ASSERT_EQ(jump[4], 0x74);  // je rel8
  EXPECT_EQ(f.insn_offsets[5] + 6 + static_cast<uint32_t>(static_cast<int8_t>(jump[5])),
            f.insn_offsets[3]);
  EXPECT_EQ(native[f.insn_offsets[6]], 0xeb);
  EXPECT_EQ(f.insn_offsets[6] + 2 + native[f.insn_offsets[6] + 1], f.insn_offsets[8]);
}

TEST_P(LinuxPlugin, VersionFourIsTakenOrAnnouncedAsMissing) {
  const plumb_insn v4[] = {
      insn(0x3f, 0, 1, 1, 0),   // r0 s/= r1
      insn(0x9c, 0, 1, 1, 0),   // w0 s%= w1
      insn(0x37, 0, 0, 1, -1),  // r0 s/= -1
      insn(0x97, 0, 0, 1, -1),  // r0 s%= -1
      insn(0xbf, 0, 1, 8, 0),   // r0 = (s8)r1
      insn(0x81, 0, 1, 0, 0),   // r0 = *(s32 *)(r1 + 0)
      insn(0xd7, 0, 0, 0, 64),  // r0 = bswap64 r0
      insn(0x06, 0, 0, 0, 0),   // gotol +0
  };
  for (const plumb_insn& one : v4) {
    const Request request(one_function({mov(0, 1), one, exit_insn()}));
    const Loaded loaded(api_, request);
    EXPECT_EQ(loaded.status, is_new() ? PLUMB_LOADED : PLUMB_NOT_APPLICABLE) << loaded.message;
    EXPECT_EQ(loaded.message.empty(), is_new());
  }
}

TEST_P(LinuxPlugin, AtomicsAreTaken) {
  for (const int32_t operation : {0x00, 0x40, 0x50, 0xa0, 0x01, 0x41, 0x51, 0xa1, 0xe1, 0xf1}) {
    const Request request(one_function(
        {mov(2, 1), store(2, -8), insn(0xdb, 10, 2, -8, operation), mov(0, 0), exit_insn()}, 8));
    const Loaded loaded(api_, request);
    EXPECT_EQ(loaded.status, PLUMB_LOADED) << operation << ": " << loaded.message;
  }
}

}  // namespace
}  // namespace plumb_linux_test
