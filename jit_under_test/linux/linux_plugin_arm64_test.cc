// SPDX-License-Identifier: GPL-2.0-or-later
// The arm64 JITs: layouts.md A.2, word by word where it is fixed. What differs from x86-64 in the
// glue (addresses, offsets, slots) is tested here too; running the code is machine/'s business.
#include "jit_under_test/linux/testing_linux_plugin.h"

namespace plumb_linux_test {
namespace {

class LinuxArm64 : public LinuxPlugin {};

INSTANTIATE_TEST_SUITE_P(Plugins, LinuxArm64, testing::Values(kNewArm64, kOldArm64), test_name);

// ---- Instructions (Arm ARM, C6.2) ----

constexpr uint32_t kMovX9Lr = 0x910003c9;     // mov x9, x30: for a trampoline
constexpr uint32_t kNop = 0xd503201f;         // the patch site
constexpr uint32_t kPushRecord = 0xa9bf7bfd;  // stp x29, x30, [sp, #-16]!
constexpr uint32_t kMovFpSp = 0x910003fd;     // mov x29, sp
constexpr uint32_t kMovX25Sp = 0x910003f9;    // mov x25, sp: R10
constexpr uint32_t kMovX0X7 = 0x910000e0;     // mov x0, x7: the result
constexpr uint32_t kRet = 0xd65f03c0;
constexpr uint32_t kBlrX10 = 0xd63f0140;
constexpr uint32_t kBrX10 = 0xd61f0140;

uint32_t sub_sp(uint32_t bytes) { return 0xd10003ff | bytes << 10; }
uint32_t add_sp(uint32_t bytes) { return 0x910003ff | bytes << 10; }

uint64_t bl_target(uint64_t address) {
  const uint32_t word = word_at(address);
  EXPECT_EQ(word >> 26, 0x25u) << "not a bl";
  return address + static_cast<uint64_t>(sign_extend(word & 0x3ffffff, 26) * 4);
}

// movn x, #; movk x, #, lsl 16; movk x, #, lsl 32: addresses of the kernel's half.
uint64_t loaded_address(uint64_t address) {
  const Words w = words_at(address, 3);
  EXPECT_EQ(w[0] & 0xffe00000, 0x92800000u);
  EXPECT_EQ(w[1] & 0xffe00000, 0xf2a00000u);
  EXPECT_EQ(w[2] & 0xffe00000, 0xf2c00000u);
  const auto part = [&](size_t i) { return static_cast<uint64_t>(w[i] >> 5 & 0xffff); };
  return (0xffff000000000000u | part(2) << 32 | part(1) << 16) + (~part(0) & 0xffff);
}

// Where the call at the beginning of a slot goes, in the low alias.
uint64_t call_target(const plumb_native_function& f, uint32_t slot, bool is_direct) {
  const uint64_t at = f.address + f.insn_offsets[slot];
  if (is_direct) return bl_target(at);
  EXPECT_EQ(word_at(at + 12), kBlrX10);
  const uint64_t target = loaded_address(at);
  EXPECT_EQ(target >> 48, 0xffffu);
  return target & 0xffffffffffff;
}

// ---- Identity ----

TEST_P(LinuxArm64, SaysWhatItIs) {
  const plumb_plugin_info& info = *api_->info;
  EXPECT_STREQ(info.name, GetParam());
  EXPECT_STREQ(info.family, "linux");
  EXPECT_EQ(info.arch, static_cast<uint32_t>(PLUMB_ARCH_ARM64));
  EXPECT_EQ(info.contract->empty_slot_consumes_count, is_new() ? PLUMB_NO : PLUMB_YES);
  EXPECT_EQ(info.contract->calls_keep_count, PLUMB_NO);
  EXPECT_EQ(info.contract->call_alignment, 16);
  EXPECT_EQ(info.contract->result_bits, 64);
  EXPECT_EQ(info.contract->frame_rounding, 16);
  // From the text of the tree's verifier.c.
  EXPECT_EQ(info.contract->verifier_rules,
            PLUMB_VERIFIER_TAIL_CALL_IN_CALLBACK | (is_new() ? PLUMB_VERIFIER_ROUNDS_TO_16 : 0));
  EXPECT_EQ(info.contract->frame_pointer, PLUMB_REGISTER(29));
  EXPECT_EQ(info.contract->r10_bias, 0);
  EXPECT_EQ(info.contract->r10_bias_known, PLUMB_YES);
  EXPECT_EQ(registers_of(*info.contract), (Bytes{7, 0, 1, 2, 3, 4, 19, 20, 21, 22, 25}));
  const uint64_t both = kTakenByAll | PLUMB_CAN_TAIL_CALL_IN_SUBPROGRAM;
  EXPECT_EQ(info.capabilities, is_new() ? both | PLUMB_CAN_V4 | PLUMB_CAN_THROW : both);
}

// ---- Layout ----

TEST_P(LinuxArm64, FrameOfAPlainFunctionIsTheDocumentedOne) {
  const Request request(one_function({mov(6, 1), store(6, -16), mov(0, 7), exit_insn()}, 16));
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& f = loaded.function(0, 0);
  const Words head = {kMovX9Lr, kNop, kPushRecord, kMovFpSp};
  const Words tail = {0xa8c17bfd, kMovX0X7, kRet};  // ldp x29, x30, [sp], #16
  if (is_new()) {
    EXPECT_EQ(words_of(f, -1, 0), (head + Words{0xa9bf6bff,  // stp xzr, x26, [sp, #-16]!
                                                0x910003fa,  // mov x26, sp
                                                0xa9bf67f3,  // stp x19, x25: the used ones
                                                kMovX25Sp, sub_sp(16)}));
    EXPECT_EQ(epilogue_of(f, 6), ((Words{add_sp(16), 0xa8c167f3, 0xa8c16bff}) + tail));
    EXPECT_EQ(f.tail_call_entry, 24u);
  } else {
    EXPECT_EQ(words_of(f, -1, 0), (head + Words{0xa9bf53f3, 0xa9bf5bf5,  // x19, x20; x21, x22
                                                0xa9bf6bf9, 0xa9bf73fb,  // x25, x26; x27, x28
                                                kMovX25Sp,
                                                0xd280001a,  // mov x26, #0: the count
                                                0xd100433b,  // sub x27, x25, #16
                                                sub_sp(16)}));
    EXPECT_EQ(epilogue_of(f, 8),
              ((Words{add_sp(16), 0xa8c173fb, 0xa8c16bf9, 0xa8c15bf5, 0xa8c153f3}) + tail));
    EXPECT_EQ(f.tail_call_entry, 40u);
  }
  EXPECT_EQ(f.stack_size, 16u);
}

TEST_P(LinuxArm64, StackIsRoundedTo16) {
  for (const auto& [depth, rounded] : {std::pair{1u, 16u}, {16u, 16u}, {24u, 32u}, {512u, 512u}}) {
    const Request request(one_function({mov(0, 7), exit_insn()}, depth));
    const Loaded loaded(api_, request);
    ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
    const plumb_native_function& f = loaded.function(0, 0);
    EXPECT_EQ(f.stack_size, rounded);
    EXPECT_EQ(words_of(f, -1, 0).back(), sub_sp(rounded)) << depth;
  }
}

TEST_P(LinuxArm64, SubprogramTakesTheCountOver) {
  const Request request({.programs = {{{{call_function(1), exit_insn()}, 0},
                                       {direct_tail_call(0, 0) + Code{mov(0, 0), exit_insn()}, 8}}},
                         .arrays = {{-1}},
                         .regions = {}});
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& sub = loaded.function(0, 1);
  EXPECT_EQ(sub.tail_call_entry, UINT32_MAX);
  EXPECT_EQ(sub.tail_call_reachable, 1u);
  const Words prologue = words_of(sub, -1, 0);
  if (is_new()) {
    EXPECT_EQ(prologue[4], 0xa9bf6bfau);  // stp x26, x26, [sp, #-16]!
  } else {
    EXPECT_EQ(std::count(prologue.begin(), prologue.end(), 0xd280001a), 0);  // no mov x26, #0
  }
}

// ---- Calls ----

TEST_P(LinuxArm64, CallsLandOnTheCalleeAndOnHelperStubs) {
  const Request request(
      {.programs = {{{{call_function(2), call_helper(5), call_function(1), exit_insn()}, 0},
                     {{mov(0, 1), exit_insn()}, 0},
                     {{mov(0, 2), exit_insn()}, 0}}},
       .arrays = {},
       .regions = {}});
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& main = loaded.function(0, 0);
  EXPECT_EQ(call_target(main, 0, is_new()), loaded.function(0, 2).address);
  EXPECT_EQ(call_target(main, 1, is_new()), arena_ + 5 * PLUMB_STUB_STRIDE);
  EXPECT_EQ(call_target(main, 2, is_new()), loaded.function(0, 1).address);
  // What comes back in x0 becomes R0.
  for (const int slot : {0, 1, 2})
    EXPECT_EQ(words_of(main, slot, slot + 1).back(), 0x91000007u);  // mov x7, x0
}

TEST_P(LinuxArm64, AddressOfAFunctionIsInTheKernelsHalf) {
  const Request request({.programs = {{{load_function(2, 1) + Code{mov(0, 0), exit_insn()}, 0},
                                       {{mov(0, 1), exit_insn()}, 0}}},
                         .arrays = {},
                         .regions = {}});
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& main = loaded.function(0, 0);
  EXPECT_EQ(loaded_address(main.address + main.insn_offsets[0]),
            0xffff000000000000 | loaded.function(0, 1).address);
}

// Where a far trampoline would be attached: ldr x10, literal; br x10; the literal, 8-byte aligned.
// It names a guest address, not one of this process.
TEST_P(LinuxArm64, PltLeadsToAStubUntilATrampolineIsAttached) {
  for (const int32_t extra : {0, 1}) {
    Code code(static_cast<size_t>(extra), mov(0, 7));
    const Request request(one_function(code + Code{mov(0, 7), exit_insn()}));
    const Loaded loaded(api_, request);
    ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
    const uint64_t end = loaded.function(0, 0).address + loaded.function(0, 0).size;
    EXPECT_EQ(words_at(end - 8, 2), (Words{0x5800004a, kBrX10}));
    EXPECT_EQ(end % 8, 0u);
    EXPECT_EQ(words_at(end, 2), (Words{static_cast<uint32_t>(arena_), 0}));
  }
}

// ---- Tail calls ----

// b.cond and cbz: imm19 in bits 5 to 23.
uint64_t branch_target(uint64_t address) {
  return address + static_cast<uint64_t>(sign_extend(word_at(address) >> 5 & 0x7ffff, 19) * 4);
}

TEST_P(LinuxArm64, TailCallChecksBoundThenCountThenSlot) {
  const Request request({.programs = {{{indirect_tail_call(0) + Code{mov(0, 0), exit_insn()}, 24}}},
                         .arrays = {{0, -1}},
                         .regions = {}});
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& f = loaded.function(0, 0);
  const Words code = words_of(f, 3, 4);
  const uint64_t begin = f.address + f.insn_offsets[3], out = f.address + f.insn_offsets[4];
  std::vector<size_t> refusals;
  for (size_t i = 0; i < code.size(); i++) {
    const bool is_carry_set = (code[i] & 0xff00001f) == 0x54000002;
    const bool is_zero_x11 = (code[i] & 0xff00001f) == 0xb400000b;
    if (!is_carry_set && !is_zero_x11) continue;
    EXPECT_EQ(branch_target(begin + 4 * i), out);
    EXPECT_EQ(is_zero_x11, refusals.size() == 2);
    refusals.push_back(i);
  }
  ASSERT_EQ(refusals.size(), 3u);
  const auto place = [&](uint32_t word) {
    return static_cast<size_t>(std::find(code.begin(), code.end(), word) - code.begin());
  };
  EXPECT_EQ(place(0x5280042a), refusals[0] + 1);  // mov w10, #33
  if (is_new()) {
    EXPECT_EQ(place(0xf940034c), refusals[0] + 2);  // ldr x12, [x26]
    EXPECT_EQ(place(0xf900034c), refusals[2] + 1);  // str x12, [x26]: only when the slot is filled
  } else {
    EXPECT_EQ(place(0x9100075a), refusals[1] + 1);  // add x26, x26, #1: before the slot is read
  }
  EXPECT_LT(place(add_sp(32)), code.size());
  const uint32_t entry = f.tail_call_entry << 10 | 0x9100014a;  // add x10, x10, #entry
  EXPECT_LT(place(entry), code.size());
  EXPECT_EQ(code.back(), kBrX10);
}

TEST_P(LinuxArm64, SlotUpdateWritesTheSlotAndNothingElse) {
  const FunctionSpec caller = {direct_tail_call(0, 1) + Code{mov(0, 0), exit_insn()}, 0};
  const Request request({.programs = {{caller}}, .arrays = {{-1, -1}}, .regions = {}});
  Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const Bytes before = loaded.code();
  const plumb_range& array = loaded.image.array_objects[0];
  Steps steps(4);
  char error[128] = "";
  ASSERT_EQ(api_->update_slot(&loaded.image, 0, 1, 0, 1, &steps.list, error, sizeof(error)), 1)
      << error;
  EXPECT_EQ(steps[0].size, 8u);
  EXPECT_EQ(steps[0].address, array.address + array.size - 8);
  EXPECT_EQ(loaded.code(), before);
  EXPECT_EQ(api_->update_slot(&loaded.image, 0, 1, 0, 1, &steps.list, error, sizeof(error)), 0);
}

// ---- Offsets, instruction sets ----

TEST_P(LinuxArm64, OffsetsAreMonotoneAndInside) {
  const Code code = {mov(6, 3),
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
  EXPECT_EQ(f.insn_offsets[2], f.insn_offsets[3]);
  EXPECT_LT(f.insn_offsets[code.size()], f.size);
  EXPECT_EQ(words_of(f, 0, 1), (Words{0xd2800073}));        // mov x19, #3
  EXPECT_EQ(words_of(f, 3, 4).front(), 0xf100001fu);        // cmp x0, #0: the divisor
  const uint64_t jump = f.address + f.insn_offsets[6] - 4;  // the conditional jump's last word
  EXPECT_EQ(branch_target(jump), f.address + f.insn_offsets[3]);
  const uint64_t over = f.address + f.insn_offsets[6];
  EXPECT_EQ(word_at(over), 0x14000000u | (f.insn_offsets[8] - f.insn_offsets[6]) / 4);  // b
}

TEST_P(LinuxArm64, VersionFourIsTakenOrAnnouncedAsMissing) {
  const plumb_insn v4[] = {insn(0x3f, 0, 1, 1, 0), insn(0xbf, 0, 1, 8, 0), insn(0x81, 0, 1, 0, 0),
                           insn(0xd7, 0, 0, 0, 64), insn(0x06, 0, 0, 0, 0)};
  for (const plumb_insn& one : v4) {
    const Request request(one_function({mov(0, 1), one, exit_insn()}));
    const Loaded loaded(api_, request);
    EXPECT_EQ(loaded.status, is_new() ? PLUMB_LOADED : PLUMB_NOT_APPLICABLE) << loaded.message;
  }
}

TEST_P(LinuxArm64, AtomicsAreExclusiveLoadsAndStores) {
  for (const int32_t operation : {0x00, 0x40, 0x50, 0xa0, 0x01, 0x41, 0x51, 0xa1, 0xe1, 0xf1}) {
    const Request request(one_function(
        {mov(2, 1), store(2, -8), insn(0xdb, 10, 2, -8, operation), mov(0, 0), exit_insn()}, 8));
    const Loaded loaded(api_, request);
    ASSERT_EQ(loaded.status, PLUMB_LOADED) << operation << ": " << loaded.message;
    const Words code = words_of(loaded.function(0, 0), 2, 3);
    EXPECT_TRUE(std::any_of(code.begin(), code.end(), [](uint32_t word) {
      return (word & 0xfffffc00) == 0xc85f7c00;  // ldxr
    })) << operation;
  }
}

}  // namespace
}  // namespace plumb_linux_test
