// SPDX-License-Identifier: GPL-2.0-or-later
// The riscv64 JITs: layouts.md A.3, word by word where it is fixed; tail calls with and without
// calls in the same program; what the JIT leaves to the verifier.
#include "jit_under_test/linux/testing_linux_plugin.h"

namespace plumb_linux_test {
namespace {

class LinuxRiscv64 : public LinuxPlugin {
 protected:
  // 6.12 has room for an auipc and a jalr in front: the patch site.
  Words entry() const { return is_new() ? Words{kNop, kNop, kLoadCount} : Words{kLoadCount}; }
  uint32_t tail_call_entry() const { return is_new() ? 12 : 4; }

  static constexpr uint32_t kNop = 0x00000013;
  static constexpr uint32_t kLoadCount = 0x02100813;  // li a6, 33
};

INSTANTIATE_TEST_SUITE_P(Plugins, LinuxRiscv64, testing::Values(kNewRiscv64, kOldRiscv64),
                         test_name);

// ---- Instructions ----

enum { kRa = 1, kSp = 2, kS0 = 8, kS1 = 9, kS5 = 21, kS6 = 22 };

uint32_t addi(uint32_t rd, uint32_t rs, int32_t value) {
  return static_cast<uint32_t>(value) << 20 | rs << 15 | rd << 7 | 0x13;
}
uint32_t sd(uint32_t rs, uint32_t offset) {  // offset(sp)
  return offset >> 5 << 25 | rs << 20 | kSp << 15 | 3 << 12 | (offset & 31) << 7 | 0x23;
}
uint32_t ld(uint32_t rd, uint32_t offset) {  // offset(sp)
  return offset << 20 | kSp << 15 | 3 << 12 | rd << 7 | 0x03;
}
constexpr uint32_t kResult = 0x0007851b;  // sext.w a0, a5
constexpr uint32_t kRet = 0x00008067;

// jal ra, or auipc t1 and jalr ra.
uint64_t call_target(uint64_t address) {
  const uint32_t word = word_at(address), next = word_at(address + 4);
  if ((word & 0xfff) == 0x0ef) {
    const uint32_t offset = (word >> 31) << 20 | (word >> 12 & 0xff) << 12 |
                            (word >> 20 & 1) << 11 | (word >> 21 & 0x3ff) << 1;
    return address + static_cast<uint64_t>(sign_extend(offset, 21));
  }
  EXPECT_EQ(word & 0xfff, 0x317u) << "neither jal ra nor auipc t1";
  EXPECT_EQ(next & 0xfffff, 0x300e7u) << "not jalr ra, t1";
  return address +
         static_cast<uint64_t>(sign_extend(word & 0xfffff000, 32) + sign_extend(next >> 20, 12));
}

// beq, blt, bgeu ...
uint64_t branch_target(uint64_t address) {
  const uint32_t word = word_at(address);
  EXPECT_EQ(word & 0x7f, 0x63u);
  const uint32_t offset = (word >> 31) << 12 | (word >> 7 & 1) << 11 | (word >> 25 & 0x3f) << 5 |
                          (word >> 8 & 0xf) << 1;
  return address + static_cast<uint64_t>(sign_extend(offset, 13));
}

// ---- Identity ----

TEST_P(LinuxRiscv64, SaysWhatItIs) {
  const plumb_plugin_info& info = *api_->info;
  EXPECT_STREQ(info.name, GetParam());
  EXPECT_STREQ(info.family, "linux");
  EXPECT_EQ(info.arch, static_cast<uint32_t>(PLUMB_ARCH_RISCV64));
  EXPECT_EQ(info.contract->empty_slot_consumes_count, PLUMB_YES);
  EXPECT_EQ(info.contract->calls_keep_count, PLUMB_YES);
  EXPECT_EQ(info.contract->call_alignment, 16);
  EXPECT_EQ(info.contract->result_bits, 32);
  EXPECT_EQ(info.contract->frame_rounding, 16);
  // From the text of the tree's verifier.c.
  EXPECT_EQ(info.contract->verifier_rules,
            PLUMB_VERIFIER_TAIL_CALL_IN_CALLBACK | (is_new() ? PLUMB_VERIFIER_ROUNDS_TO_16 : 0));
  EXPECT_EQ(info.contract->frame_pointer, PLUMB_REGISTER(8));
  EXPECT_EQ(info.contract->r10_bias, 0);
  EXPECT_EQ(info.contract->r10_bias_known, PLUMB_YES);
  EXPECT_EQ(registers_of(*info.contract), (Bytes{15, 10, 11, 12, 13, 14, 9, 18, 19, 20, 21}));
  EXPECT_EQ(info.capabilities, is_new() ? kTakenByAll | PLUMB_CAN_V4 : kTakenByAll);
}

// ---- Layout ----

TEST_P(LinuxRiscv64, FrameOfALeafHasNoReturnAddress) {
  const Request request(one_function({mov(6, 1), store(6, -16), mov(0, 7), exit_insn()}, 16));
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& f = loaded.function(0, 0);
  // s0, s1, s5 and a hole above 16 bytes of BPF stack; s0 = the CFA, s5 = R10.
  EXPECT_EQ(words_of(f, -1, 0),
            (entry() + Words{addi(kSp, kSp, -48), sd(kS0, 40), sd(kS1, 32), sd(kS5, 24),
                             addi(kS0, kSp, 48), addi(kS5, kSp, 16)}));
  EXPECT_EQ(epilogue_of(f, 6),
            (Words{ld(kS0, 40), ld(kS1, 32), ld(kS5, 24), addi(kSp, kSp, 48), kResult, kRet}));
  EXPECT_EQ(f.tail_call_entry, tail_call_entry());
  EXPECT_EQ(f.stack_size, 16u);
}

TEST_P(LinuxRiscv64, FrameOfACallerHasARecord) {
  const Request request(one_function({call_helper(5), exit_insn()}));
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& f = loaded.function(0, 0);
  EXPECT_EQ(words_of(f, -1, 0),
            (entry() + Words{addi(kSp, kSp, -16), sd(kRa, 8), sd(kS0, 0), addi(kS0, kSp, 16)}));
  EXPECT_EQ(epilogue_of(f, 5), (Words{ld(kRa, 8), ld(kS0, 0), addi(kSp, kSp, 16), kResult, kRet}));
}

// ---- Calls ----

TEST_P(LinuxRiscv64, CallsLandOnTheCalleeAndOnHelperStubs) {
  const Request request(
      {.programs = {{{{call_function(2), call_helper(5), call_function(1), exit_insn()}, 0},
                     {{mov(0, 1), exit_insn()}, 0},
                     {{mov(0, 2), exit_insn()}, 0}}},
       .arrays = {},
       .regions = {}});
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& main = loaded.function(0, 0);
  const auto target = [&](uint32_t slot) {
    return call_target(main.address + main.insn_offsets[slot]);
  };
  EXPECT_EQ(target(0), loaded.function(0, 2).address);
  EXPECT_EQ(target(1), arena_ + 5 * PLUMB_STUB_STRIDE);
  EXPECT_EQ(target(2), loaded.function(0, 1).address);
  // A helper's result comes in a0. A function leaves all of R0 in a5, and half of it in a0.
  constexpr uint32_t kTakeResult = 0x00050793;  // mv a5, a0
  EXPECT_EQ(words_of(main, 1, 2).back(), kTakeResult);
  EXPECT_NE(words_of(main, 0, 1).back(), kTakeResult);
}

TEST_P(LinuxRiscv64, AddressOfAFunctionIsWhereItWasPlaced) {
  const Request request({.programs = {{{load_function(2, 1) + Code{mov(0, 0), exit_insn()}, 0},
                                       {{mov(0, 1), exit_insn()}, 0}}},
                         .arrays = {},
                         .regions = {}});
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& main = loaded.function(0, 0);
  const Words code = words_of(main, 0, 2);
  ASSERT_EQ(code.size(), 2u);
  EXPECT_EQ(code[0] & 0xfff, 0x597u);      // auipc a1
  EXPECT_EQ(code[1] & 0xfffff, 0x58593u);  // addi a1, a1
  EXPECT_EQ(main.address + main.insn_offsets[0] +
                static_cast<uint64_t>(sign_extend(code[0] & 0xfffff000, 32) +
                                      sign_extend(code[1] >> 20, 12)),
            loaded.function(0, 1).address);
}

// ---- Tail calls ----

struct TailCall {
  Words code;
  size_t count = 0, slot = 0;  // words: where the count goes down, where the slot is looked at
};

// The tail call at a slot. bgeu, then the count and blt, then the slot and beq; each leads to the
// next instruction of the program.
TailCall tail_call_at(const plumb_native_function& f, int at) {
  TailCall call{.code = words_of(f, at, at + 1)};
  const uint64_t begin = f.address + f.insn_offsets[at], out = f.address + f.insn_offsets[at + 1];
  Words conditions;
  for (size_t i = 0; i < call.code.size(); i++) {
    if ((call.code[i] & 0x7f) != 0x63) continue;
    EXPECT_EQ(branch_target(begin + 4 * i), out);
    conditions.push_back(call.code[i] >> 12 & 7);
    if (conditions.size() == 2) call.count = i - 1;
    if (conditions.size() == 3) call.slot = i;
  }
  EXPECT_EQ(conditions, (Words{7, 4, 0}));  // bgeu, blt, beq
  return call;
}

TEST_P(LinuxRiscv64, TailCallCountsDownBeforeTheSlotIsRead) {
  const Request request(
      {.programs = {{{direct_tail_call(0, 1) + Code{mov(0, 0), exit_insn()}, 24}}},
       .arrays = {{0, -1}},
       .regions = {}});
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& f = loaded.function(0, 0);
  EXPECT_EQ(f.stack_size, 512u);  // no mix with subprograms: do_misc_fixups() asks for all
  const TailCall call = tail_call_at(f, 3);
  EXPECT_LT(call.count, call.slot);
  EXPECT_EQ(call.code[call.count], addi(16, 16, -1));                      // addi a6, a6, -1
  EXPECT_EQ(call.code.back(), tail_call_entry() << 20 | 28 << 15 | 0x67);  // jr entry(t3)
  EXPECT_EQ(call.code[call.code.size() - 2], addi(kSp, kSp, 528));
}

// The reason for plumb_contract.calls_keep_count.
TEST_P(LinuxRiscv64, ProgramThatCallsKeepsTheCountInASavedRegister) {
  const Code code = Code{mov_reg(6, 1), call_helper(5), mov_reg(1, 6)} + direct_tail_call(0, 0) +
                    Code{mov(0, 0), exit_insn()};
  const Request request({.programs = {{{code, 0}}}, .arrays = {{-1}}, .regions = {}});
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& f = loaded.function(0, 0);
  EXPECT_EQ(words_of(f, -1, 0).back(), addi(kS6, 16, 0));  // mv s6, a6
  const TailCall call = tail_call_at(f, 6);
  EXPECT_EQ(call.code[call.count], addi(16, kS6, -1));  // addi a6, s6, -1
}

TEST_P(LinuxRiscv64, TailCallsBesideSubprogramsAreNotApplicable) {
  const Request request({.programs = {{{{call_function(1), exit_insn()}, 0},
                                       {direct_tail_call(0, 0) + Code{mov(0, 0), exit_insn()}, 8}}},
                         .arrays = {{-1}},
                         .regions = {}});
  const Loaded loaded(api_, request);
  EXPECT_EQ(loaded.status, PLUMB_NOT_APPLICABLE);
  EXPECT_EQ(loaded.message,
            "program 0, function 1, slot 3: tail calls in programs with subprograms are not "
            "supported");
}

TEST_P(LinuxRiscv64, SlotUpdateWritesTheSlotAndNothingElse) {
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
}

// ---- Offsets, instruction sets ----

TEST_P(LinuxRiscv64, OffsetsAreMonotoneAndInside) {
  const Code code = {mov(6, 3),
                     insn(0x18, 1, 0, 0, -1),
                     insn(0, 0, 0, 0, 0x7fffffff),
                     insn(0x3f, 6, 1, 0, 0),    // r6 /= r1: four instructions
                     insn(0x9c, 6, 1, 0, 0),    // w6 %= w1: four, and a zero extension
                     insn(0x61, 2, 10, -8, 0),  // w2 = *(u32 *)(r10 - 8): and a zero extension
                     insn(0x15, 6, 0, -4, 0),   // if r6 == 0 goto r6 /= r1
                     insn(0x05, 0, 0, 1, 0),    // goto over the next one
                     mov(6, 9),
                     mov(0, 0),
                     exit_insn()};
  const Request request(one_function(code, 8));
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& f = loaded.function(0, 0);
  ASSERT_EQ(f.insn_offset_count, code.size() + 1);
  EXPECT_TRUE(std::is_sorted(f.insn_offsets, f.insn_offsets + f.insn_offset_count));
  EXPECT_EQ(f.insn_offsets[2], f.insn_offsets[3]);
  EXPECT_LT(f.insn_offsets[code.size()], f.size);
  EXPECT_EQ(words_of(f, 0, 1), (Words{addi(kS1, 0, 3)}));
  EXPECT_EQ(branch_target(f.address + f.insn_offsets[7] - 4), f.address + f.insn_offsets[3]);
  const uint32_t distance = f.insn_offsets[9] - f.insn_offsets[7];
  EXPECT_EQ(words_of(f, 7, 8), (Words{distance << 20 | 0x6f}));  // j
}

TEST_P(LinuxRiscv64, VersionFourIsTakenOrAnnouncedAsMissing) {
  const plumb_insn v4[] = {insn(0x3f, 0, 1, 1, 0), insn(0xbf, 0, 1, 8, 0), insn(0x81, 0, 1, 0, 0),
                           insn(0xd7, 0, 0, 0, 64), insn(0x06, 0, 0, 0, 0)};
  for (const plumb_insn& one : v4) {
    const Request request(one_function({mov(0, 1), one, exit_insn()}));
    const Loaded loaded(api_, request);
    EXPECT_EQ(loaded.status, is_new() ? PLUMB_LOADED : PLUMB_NOT_APPLICABLE) << loaded.message;
  }
}

TEST_P(LinuxRiscv64, AtomicsAreThoseOfTheExtension) {
  for (const int32_t operation : {0x00, 0x40, 0x50, 0xa0, 0x01, 0x41, 0x51, 0xa1, 0xe1, 0xf1}) {
    const Request request(one_function(
        {mov(2, 1), store(2, -8), insn(0xdb, 10, 2, -8, operation), mov(0, 0), exit_insn()}, 8));
    const Loaded loaded(api_, request);
    ASSERT_EQ(loaded.status, PLUMB_LOADED) << operation << ": " << loaded.message;
    const Words code = words_of(loaded.function(0, 0), 2, 3);
    EXPECT_TRUE(std::any_of(code.begin(), code.end(), [](uint32_t word) {
      return (word & 0x7f) == 0x2f;
    })) << operation;
  }
}

// ---- Zero extension, by the verifier ----

size_t count_zero_extensions(const Words& code) {
  size_t count = 0;  // slli s1, s1, 32; srli s1, s1, 32
  for (size_t i = 0; i + 1 < code.size(); i++)
    count += code[i] == 0x02049493 && code[i + 1] == 0x0204d493;
  return count;
}

TEST_P(LinuxRiscv64, DefinitionsOf32BitsAreZeroExtendedOnce) {
  const Code code = {mov(6, 3), insn(0x0c, 6, 6, 0, 0), insn(0x0f, 6, 6, 0, 0), mov(0, 0),
                     exit_insn()};
  const Request request(one_function(code));
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  EXPECT_EQ(count_zero_extensions(words_of(loaded.function(0, 0), 1, 2)), 1u);  // w6 += w6
  EXPECT_EQ(count_zero_extensions(words_of(loaded.function(0, 0), 2, 3)), 0u);  // r6 += r6
}

// jit_subprogs() does not tell functions that the verifier has done it already.
TEST_P(LinuxRiscv64, FunctionsOfAProgramWithSeveralAreZeroExtendedTwice) {
  const Request request(
      {.programs = {{{{mov(6, 3), insn(0x0c, 6, 6, 0, 0), call_function(1), exit_insn()}, 0},
                     {{mov(0, 1), exit_insn()}, 0}}},
       .arrays = {},
       .regions = {}});
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  EXPECT_EQ(count_zero_extensions(words_of(loaded.function(0, 0), 1, 2)), 2u);
}

}  // namespace
}  // namespace plumb_linux_test
