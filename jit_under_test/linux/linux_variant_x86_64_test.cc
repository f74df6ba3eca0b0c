// SPDX-License-Identifier: GPL-2.0-or-later
// The x86-64 variants, byte by byte where layouts and thunks are documented: layouts.md A.1 (g),
// (j) and (l); Documentation/arch/x86 and retpoline.S of the tree for what thunks do.
#include "jit_under_test/linux/testing_linux_plugin.h"

namespace plumb_linux_test {
namespace {

bool has_bytes(const Bytes& code, const Bytes& wanted) {
  return find_bytes(code, wanted) < code.size();
}
size_t count_bytes(const Bytes& code, const Bytes& wanted) {
  size_t count = 0;
  for (auto at = code.begin();; ++at, ++count) {
    at = std::search(at, code.end(), wanted.begin(), wanted.end());
    if (at == code.end()) return count;
  }
}
// A main program that calls a subprogram, a helper and an indirect tail call.
CaseSpec rich_case() {
  const FunctionSpec main = {
      Code{mov_reg(6, 1), store(6, -16), call_function(1), call_helper(5), mov_reg(1, 6)} +
          indirect_tail_call(0) + Code{mov(0, 0), exit_insn()},
      16};
  return {.programs = {{main, {{mov(0, 1), exit_insn()}, 0}}, {{{mov(0, 2), exit_insn()}, 0}}},
          .arrays = {{1, -1}},
          .regions = {}};
}

// Of the jumps (e9) in a function, those that lead to the thunk.
size_t jumps_to(const Loaded& loaded, uint32_t program, uint32_t function, const char* thunk) {
  const plumb_native_function& f = loaded.function(program, function);
  size_t count = 0;
  for (uint32_t s = 0; s < loaded.image.symbol_count; s++) {
    const plumb_symbol& symbol = loaded.image.symbols[s];
    if (std::string(symbol.name) != thunk) continue;
    for (uint32_t i = 0; i + 5 <= f.size; i++)
      count += byte_at(f.address + i) == 0xe9 && jump_target(f.address + i) == symbol.address;
  }
  return count;
}

const plumb_symbol* find_symbol(const Loaded& loaded, const char* name) {
  const auto* end = loaded.image.symbols + loaded.image.symbol_count;
  const auto* it = std::find_if(loaded.image.symbols, end,
                                [=](const plumb_symbol& s) { return std::string(s.name) == name; });
  return it == end ? nullptr : it;
}

const Bytes kEndbr64 = {0xf3, 0x0f, 0x1e, 0xfa};
const Bytes kPoisonedEndbr = {0x66, 0x0f, 0x1f, 0x00};
const Bytes kMainHash = {0xfc, 0x9d, 0x05, 0x83}, kSubprogramHash = {0x2c, 0xa6, 0x4c, 0xc9};
constexpr const char* kThunkRcx = "__x86_indirect_thunk_rcx";
constexpr const char* kItsThunkRcx = "__x86_indirect_its_thunk_rcx";
constexpr const char* kReturnThunk = "__x86_return_thunk";

class LinuxX86Variant : public testing::TestWithParam<const char*> {
 protected:
  LinuxX86Variant() : request_(rich_case()) {}
  bool is_new() const { return std::string(GetParam()) == kNewName; }
  Loaded load(const char* suffix) const {
    return Loaded(variant(std::string(GetParam()) + suffix).api, request_);
  }
  uint32_t plain_entry() const { return is_new() ? 12 : 11; }

 private:
  Request request_;
};
INSTANTIATE_TEST_SUITE_P(Versions, LinuxX86Variant, testing::Values(kNewName, kOldName), test_name);

TEST_P(LinuxX86Variant, IbtHasAPadAtTheEntryAndWhereTailCallsLand) {
  const Loaded loaded = load(":ibt");
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  for (const uint32_t f : {0u, 1u}) expect_prefix(loaded.code(0, f), kEndbr64 + kNop5);
  const plumb_native_function& main = loaded.function(0, 0);
  EXPECT_EQ(main.tail_call_entry, plain_entry() + 4);
  EXPECT_EQ(bytes_at(main.address + main.tail_call_entry - 4, 8), kPushRbp + kEndbr64);
  EXPECT_EQ(count_bytes(loaded.code(0, 0), kEndbr64), 2u);
  EXPECT_EQ(count_bytes(load("").code(0, 0), kEndbr64), 0u);
  // add rcx, 16: over the entry's pad as well.
  EXPECT_TRUE(
      has_bytes(loaded.code(0, 0),
                {0x48, 0x83, 0xc1, static_cast<uint8_t>(main.tail_call_entry), 0xff, 0xe1}));
}

TEST_P(LinuxX86Variant, RetpolineJumpsThroughTheThunkOfItsRegister) {
  const Loaded loaded = load(":retpoline");
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  EXPECT_EQ(jumps_to(loaded, 0, 0, kThunkRcx), 1u);
  EXPECT_FALSE(has_bytes(loaded.code(0, 0), {0xff, 0xe1}));
  EXPECT_TRUE(has_bytes(loaded.code(0, 0), kLeaveRet));
  EXPECT_EQ(loaded.image.symbol_count, 15u);
  const plumb_symbol* thunk = find_symbol(loaded, kThunkRcx);
  ASSERT_NE(thunk, nullptr);
  EXPECT_EQ(bytes_at(thunk->address, thunk->size),
            (Bytes{0xe8, 7, 0, 0, 0, 0xf3, 0x90, 0x0f, 0xae, 0xe8, 0xeb, 0xf9,  // call; trap
                   0x48, 0x89, 0x0c, 0x24, 0xc3, 0xcc}));                       // mov [rsp], rcx
  const plumb_symbol* high = find_symbol(loaded, "__x86_indirect_thunk_r10");
  ASSERT_NE(high, nullptr);
  EXPECT_TRUE(has_bytes(bytes_at(high->address, high->size), {0x4c, 0x89, 0x14, 0x24, 0xc3}));
}

TEST_P(LinuxX86Variant, LfenceStopsSpeculationInFrontOfJumpsAndBehindReturns) {
  const Loaded loaded = load(":lfence");
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  EXPECT_TRUE(has_bytes(loaded.code(0, 0), {0x0f, 0xae, 0xe8, 0xff, 0xe1}));  // lfence; jmp rcx
  EXPECT_TRUE(has_bytes(loaded.code(0, 0), kLeaveRet + Bytes{0xcc}));         // int3
}

TEST_P(LinuxX86Variant, RethunkReturnsThroughTheThunk) {
  const Loaded loaded = load(":rethunk");
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  for (const uint32_t f : {0u, 1u}) {
    EXPECT_EQ(jumps_to(loaded, 0, f, kReturnThunk), 1u);
    EXPECT_FALSE(has_bytes(loaded.code(0, f), kLeaveRet));
  }
  EXPECT_TRUE(has_bytes(loaded.code(0, 0), {0xff, 0xe1, 0xcc}));  // jmp rcx; int3
  const plumb_symbol* thunk = find_symbol(loaded, kReturnThunk);
  ASSERT_NE(thunk, nullptr);
  EXPECT_EQ(bytes_at(thunk->address, thunk->size), (Bytes{0xc3, 0xcc}));
}

TEST_P(LinuxX86Variant, ItsJumpsAndReturnsThroughThunks) {
  const Loaded loaded = load(":its");
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  EXPECT_EQ(jumps_to(loaded, 0, 0, kItsThunkRcx), 1u);
  EXPECT_EQ(jumps_to(loaded, 0, 0, kReturnThunk), 1u);
  EXPECT_FALSE(has_bytes(loaded.code(0, 0), {0xff, 0xe1}));
  const plumb_symbol* thunk = find_symbol(loaded, kItsThunkRcx);
  ASSERT_NE(thunk, nullptr);
  EXPECT_EQ(bytes_at(thunk->address, thunk->size), (Bytes{0xff, 0xe1, 0xcc}));
}

TEST_P(LinuxX86Variant, BlindingHidesConstantsAndMakesTailCallsIndirect) {
  constexpr int32_t kSecret = 0x12345678;
  const Request request({.programs = {{{Code{mov(6, kSecret), insn(0x7a, 10, 0, -8, kSecret)} +
                                            direct_tail_call(0, 0) + Code{mov(0, 0), exit_insn()},
                                        8}}},
                         .arrays = {{0, -1}},
                         .regions = {}});
  const Bytes secret = {0x78, 0x56, 0x34, 0x12};
  const Loaded blinded(variant(std::string(GetParam()) + ":blinding").api, request);
  const Loaded plain(variant(GetParam()).api, request);
  ASSERT_EQ(blinded.status, PLUMB_LOADED) << blinded.message;
  ASSERT_EQ(plain.status, PLUMB_LOADED) << plain.message;
  EXPECT_EQ(count_bytes(plain.code(), secret), 2u);
  EXPECT_EQ(count_bytes(blinded.code(), secret), 0u);
  EXPECT_TRUE(has_bytes(blinded.code(), {0x49, 0x81, 0xf2}));  // xor r10, imm32: R10 is BPF's AX
  EXPECT_FALSE(has_bytes(plain.code(), {0xff, 0xe1}));
  EXPECT_TRUE(has_bytes(blinded.code(), {0xff, 0xe1}));
  // The map from slots to code is the original program's.
  const plumb_native_function& f = blinded.function(0, 0);
  EXPECT_EQ(f.insn_offset_count, request.spec().programs[0][0].code.size() + 1);
  EXPECT_TRUE(std::is_sorted(f.insn_offsets, f.insn_offsets + f.insn_offset_count));
  for (const uint32_t slot : {0u, 1u}) {
    const uint64_t at = f.address + f.insn_offsets[slot];  // mov r10, imm32, sign-extended or not
    EXPECT_TRUE(bytes_at(at, 3) == (Bytes{0x49, 0xc7, 0xc2}) ||
                bytes_at(at, 2) == (Bytes{0x41, 0xba}));
  }
  // The same program gets the same numbers.
  const Loaded again(variant(std::string(GetParam()) + ":blinding").api, request);
  ASSERT_EQ(again.status, PLUMB_LOADED);
  EXPECT_EQ(again.code().size(), blinded.code().size());
  EXPECT_EQ(bytes_at(again.function(0, 0).address + f.insn_offsets[0], 6),
            bytes_at(f.address + f.insn_offsets[0], 6));
}

class LinuxX86Cfi : public testing::Test {
 protected:
  LinuxX86Cfi() : request_(rich_case()) {}
  Loaded load(const char* suffix) const {
    return Loaded(variant(std::string(kNewName) + suffix).api, request_);
  }

 private:
  Request request_;
};

TEST_F(LinuxX86Cfi, CallDepthCountsEveryCallInPerCpuData) {
  const Loaded loaded = load(":call-depth");
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  EXPECT_EQ(jumps_to(loaded, 0, 0, kThunkRcx), 1u);
  EXPECT_EQ(jumps_to(loaded, 0, 0, kReturnThunk), 1u);
  const plumb_native_function& main = loaded.function(0, 0);
  const Bytes code = loaded.code(0, 0);
  const Bytes shift = {0x65, 0x48, 0xc1, 0x3d};  // sar qword gs:[rip + ...], 5
  EXPECT_EQ(count_bytes(code, shift), 2u);
  for (size_t i = 0; i + 14 < code.size(); i++) {
    if (!std::equal(shift.begin(), shift.end(), code.begin() + static_cast<ptrdiff_t>(i))) continue;
    const uint64_t behind = main.address + i + 9;
    EXPECT_EQ(behind + static_cast<uint64_t>(int64_t{read32(&code[i + 4])}), 0x10u);
    EXPECT_EQ(code[i + 8], 5);
    EXPECT_EQ(code[i + 9], 0xe8);
  }
  const plumb_symbol* thunk = find_symbol(loaded, kReturnThunk);
  ASSERT_NE(thunk, nullptr);
  const Bytes stuffing = {0xe8, 1, 0, 0, 0, 0xcc};                         // call over int3
  const Bytes counting = {0x65, 0x48, 0xc1, 0x24, 0x25, 0x10, 0, 0, 0, 5,  // shl qword gs:[16], 5
                          0x74, 2,    0xc3, 0xcc};                         // jz +2; ret; int3
  expect_prefix(bytes_at(thunk->address, thunk->size), counting);
  EXPECT_EQ(count_bytes(bytes_at(thunk->address, thunk->size), stuffing), 16u);
}

TEST_F(LinuxX86Cfi, KcfiHasAHashInFrontOfTheFunction) {
  const Loaded loaded = load(":kcfi");
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  EXPECT_EQ(bytes_at(loaded.function(0, 0).address - 5, 10), Bytes{0xb8} + kMainHash + kNop5);
  EXPECT_EQ(bytes_at(loaded.function(0, 1).address - 5, 10), Bytes{0xb8} + kSubprogramHash + kNop5);
  EXPECT_EQ(loaded.function(0, 0).tail_call_entry, 12u);
}

TEST_F(LinuxX86Cfi, CallPaddingFillsThePreambleUp) {
  const Loaded loaded = load(":call-padding");
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  EXPECT_EQ(bytes_at(loaded.function(0, 1).address - 16, 16),
            Bytes{0xb8} + kSubprogramHash + Bytes(11, 0x90));
}

TEST_F(LinuxX86Cfi, FineIbtChecksTheHashInThePreamble) {
  const Loaded loaded = load(":fineibt");
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& main = loaded.function(0, 0);
  // endbr64; sub r10d, hash; ...; and at the address no pad any more.
  const Bytes check = {0x74, 7, 0x0f, 0x0b, 0x90};  // jz +7; ud2; nop
  expect_prefix(bytes_at(main.address - 16, 20),
                kEndbr64 + Bytes{0x41, 0x81, 0xea} + kMainHash + check + kPoisonedEndbr);
  EXPECT_EQ(main.tail_call_entry, 16u);
  EXPECT_EQ(bytes_at(main.address + main.tail_call_entry - 4, 8), kPushRbp + kEndbr64);
  EXPECT_TRUE(has_bytes(loaded.code(0, 0), {0xff, 0xe1, 0xcc}));
}

}  // namespace
}  // namespace plumb_linux_test
