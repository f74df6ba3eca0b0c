// SPDX-License-Identifier: GPL-2.0-or-later
// What each variant changes in the code that the plain JIT makes: layouts.md A.1 (g, j, l), A.2,
// A.3. That nothing else changes is what running the code shows (harness/linux_variant_test.cc).
#include "jit_under_test/linux/testing_linux_plugin.h"

namespace plumb_linux_test {
namespace {

// ---- All of them ----

struct Known {
  const char* name;
  uint8_t landing_pad;
  uint8_t call_preamble;
  bool has_thunks;
  uint8_t hash_below = 0;
};
constexpr Known kVariants[] = {
    {"linux-6.12-x86_64:ibt", PLUMB_LANDING_PAD_ENDBR64, 0, false},
    {"linux-6.12-x86_64:retpoline", PLUMB_LANDING_PAD_NONE, 0, true},
    {"linux-6.12-x86_64:lfence", PLUMB_LANDING_PAD_NONE, 0, false},
    {"linux-6.12-x86_64:rethunk", PLUMB_LANDING_PAD_NONE, 0, true},
    {"linux-6.12-x86_64:call-depth", PLUMB_LANDING_PAD_NONE, 0, true},
    {"linux-6.12-x86_64:its", PLUMB_LANDING_PAD_NONE, 0, true},
    {"linux-6.12-x86_64:kcfi", PLUMB_LANDING_PAD_NONE, 0, false, 4},
    {"linux-6.12-x86_64:call-padding", PLUMB_LANDING_PAD_NONE, 0, false, 15},
    {"linux-6.12-x86_64:fineibt", PLUMB_LANDING_PAD_ENDBR64, 16, false, 9},
    {"linux-6.12-x86_64:bmi2", PLUMB_LANDING_PAD_NONE, 0, false},
    {"linux-6.12-x86_64:blinding", PLUMB_LANDING_PAD_NONE, 0, false},
    {"linux-6.12-x86_64:exceptions", PLUMB_LANDING_PAD_NONE, 0, false},
    {"linux-6.12-x86_64:arena", PLUMB_LANDING_PAD_NONE, 0, false},
    {"linux-6.1-x86_64:ibt", PLUMB_LANDING_PAD_ENDBR64, 0, false},
    {"linux-6.1-x86_64:retpoline", PLUMB_LANDING_PAD_NONE, 0, true},
    {"linux-6.1-x86_64:lfence", PLUMB_LANDING_PAD_NONE, 0, false},
    {"linux-6.1-x86_64:rethunk", PLUMB_LANDING_PAD_NONE, 0, true},
    {"linux-6.1-x86_64:its", PLUMB_LANDING_PAD_NONE, 0, true},
    {"linux-6.1-x86_64:blinding", PLUMB_LANDING_PAD_NONE, 0, false},
    {"linux-6.12-arm64:bti", PLUMB_LANDING_PAD_BTI, 0, false},
    {"linux-6.12-arm64:pac", PLUMB_LANDING_PAD_NONE, 0, false},
    {"linux-6.12-arm64:bti+pac", PLUMB_LANDING_PAD_BTI, 0, false},
    {"linux-6.12-arm64:lse", PLUMB_LANDING_PAD_NONE, 0, false},
    {"linux-6.12-arm64:blinding", PLUMB_LANDING_PAD_NONE, 0, false},
    {"linux-6.12-arm64:exceptions", PLUMB_LANDING_PAD_NONE, 0, false},
    {"linux-6.12-arm64:arena", PLUMB_LANDING_PAD_NONE, 0, false},
    {"linux-6.1-arm64:bti", PLUMB_LANDING_PAD_BTI, 0, false},
    {"linux-6.1-arm64:pac", PLUMB_LANDING_PAD_NONE, 0, false},
    {"linux-6.1-arm64:bti+pac", PLUMB_LANDING_PAD_BTI, 0, false},
    {"linux-6.1-arm64:lse", PLUMB_LANDING_PAD_NONE, 0, false},
    {"linux-6.1-arm64:blinding", PLUMB_LANDING_PAD_NONE, 0, false},
    {"linux-6.12-riscv64:rvc", PLUMB_LANDING_PAD_NONE, 0, false},
    {"linux-6.12-riscv64:far-helpers", PLUMB_LANDING_PAD_NONE, 0, false},
    {"linux-6.12-riscv64:kcfi", PLUMB_LANDING_PAD_NONE, 0, false, 4},
    {"linux-6.12-riscv64:arena", PLUMB_LANDING_PAD_NONE, 0, false},
    {"linux-6.12-riscv64:blinding", PLUMB_LANDING_PAD_NONE, 0, false},
    {"linux-6.1-riscv64:rvc", PLUMB_LANDING_PAD_NONE, 0, false},
    {"linux-6.1-riscv64:far-helpers", PLUMB_LANDING_PAD_NONE, 0, false},
    {"linux-6.1-riscv64:blinding", PLUMB_LANDING_PAD_NONE, 0, false},
};

uint8_t yes_if(bool yes) { return yes ? PLUMB_YES : PLUMB_NO; }

// A variant is its plain JIT in everything that cases and the oracle see.
TEST(LinuxVariants, SayWhatTheyAre) {
  for (const Known& known : kVariants) {
    SCOPED_TRACE(known.name);
    const std::string name = known.name;
    const plumb_plugin_info& info = *variant(name).api->info;
    const plumb_plugin_info& plain = *variant(name.substr(0, name.find(':'))).api->info;
    EXPECT_EQ(info.name, name);
    EXPECT_STREQ(info.family, plain.family);
    EXPECT_STREQ(info.version, plain.version);
    EXPECT_EQ(info.arch, plain.arch);
    EXPECT_EQ(info.capabilities, plain.capabilities);
    EXPECT_EQ(info.contract->landing_pad, known.landing_pad);
    EXPECT_EQ(info.contract->call_preamble, known.call_preamble);
    plumb_contract contract = *info.contract;
    contract.landing_pad = plain.contract->landing_pad;
    contract.call_preamble = plain.contract->call_preamble;
    EXPECT_EQ(contract.constants_blinded, yes_if(name.ends_with(":blinding")));
    EXPECT_EQ(contract.return_addresses_signed, yes_if(name.ends_with("pac")));
    EXPECT_EQ(contract.cfi_hashes, yes_if(known.hash_below != 0));
    EXPECT_EQ(contract.cfi_hash_below, known.hash_below);
    EXPECT_EQ(contract.cfi_hash_of_program, known.hash_below != 0 ? 0x83059dfc : 0);
    EXPECT_EQ(contract.cfi_hash_of_callback, known.hash_below != 0 ? 0xc94ca62c : 0);
    contract.constants_blinded = contract.return_addresses_signed = contract.cfi_hashes = PLUMB_NO;
    contract.cfi_hash_below = 0;
    contract.cfi_hash_of_program = contract.cfi_hash_of_callback = 0;
    EXPECT_EQ(std::memcmp(&contract, plain.contract, sizeof(contract)), 0);
    EXPECT_EQ(plain.contract->landing_pad, PLUMB_LANDING_PAD_NONE);
  }
}

// Offsets are counted from the address, whatever stands in front of it.
TEST(LinuxVariants, OffsetsLeadToTheCodeOfTheInstruction) {
  for (const Known& known : kVariants) {
    SCOPED_TRACE(known.name);
    const std::string name = known.name;
    if (name.find("x86_64") == std::string::npos || name.find("blinding") != std::string::npos)
      continue;
    const Request request(one_function({mov(6, 7), store(6, -16), mov(0, 9), exit_insn()}, 16));
    const Loaded loaded(variant(name).api, request);
    ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
    const plumb_native_function& f = loaded.function(0, 0);
    EXPECT_EQ(bytes_at(f.address + f.insn_offsets[0], 5), (Bytes{0xbb, 7, 0, 0, 0}));
    EXPECT_EQ(bytes_at(f.address + f.insn_offsets[2], 5), (Bytes{0xb8, 9, 0, 0, 0}));
    const Bytes epilogue = name.find("exceptions") != std::string::npos
                               ? Bytes{0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x5b, 0x41, 0x5c, 0xc9}
                           : name.find("arena") != std::string::npos ? Bytes{0x5b, 0x41, 0x5c, 0xc9}
                                                                     : Bytes{0x5b, 0xc9};
    EXPECT_EQ(bytes_at(f.address + f.insn_offsets[3], epilogue.size()), epilogue);
    EXPECT_EQ(f.insn_offsets[4], f.size);
  }
}

// ---- Exception boundaries, arenas (6.12) ----

// Main and a subprogram that uses R6; main tail-calls, directly and indirectly.
CaseSpec framed_case() {
  const FunctionSpec main = {Code{mov_reg(6, 1), call_function(1), mov_reg(1, 6)} +
                                 direct_tail_call(0, 0) + Code{mov_reg(1, 6)} +
                                 indirect_tail_call(0) + Code{mov(0, 0), exit_insn()},
                             0};
  const FunctionSpec sub = {{mov(6, 1), mov_reg(0, 6), exit_insn()}, 0};
  return {.programs = {{main, sub}}, .arrays = {{0, -1}}, .regions = {}};
}

size_t count_of(const Bytes& code, const Bytes& wanted) {
  size_t count = 0;
  for (auto at = code.begin();; ++at, ++count) {
    at = std::search(at, code.end(), wanted.begin(), wanted.end());
    if (at == code.end()) return count;
  }
}

const Bytes kPushR12 = {0x41, 0x54}, kPopR12 = {0x41, 0x5c};
const Bytes kPushAll = {0x41, 0x54, 0x53, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57};
const Bytes kPopAll = {0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x5b, 0x41, 0x5c};

TEST(LinuxX86Exceptions, OnlyMainPushesAllAndPopsThemOnEveryWayOut) {
  const Request request(framed_case());
  const Loaded loaded(variant(std::string(kNewName) + ":exceptions").api, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const Bytes main = loaded.code(0, 0), sub = loaded.code(0, 1);
  EXPECT_EQ(count_of(main, kPushAll), 1u);
  EXPECT_EQ(count_of(main, kPopAll), 3u);  // two tail calls, exit
  EXPECT_EQ(count_of(sub, kPushR12) + count_of(sub, kPopR12), 0u);
}

TEST(LinuxX86Arena, EveryFunctionSavesAndLoadsR12) {
  const Request request(framed_case());
  const Loaded loaded(variant(std::string(kNewName) + ":arena").api, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const Bytes load = {0x49, 0xbc, 0x00, 0x80, 0x5a, 0x0a, 0x00, 0xc9, 0xff, 0xff};
  for (const uint32_t f : {0u, 1u}) {
    const Bytes code = loaded.code(0, f);
    EXPECT_EQ(count_of(code, Bytes{0x41, 0x54, 0x53} + load), 1u) << f;
    EXPECT_EQ(count_of(code, Bytes{0x5b, 0x41, 0x5c}), f == 0 ? 3u : 1u) << f;
  }
}

TEST(LinuxArm64Exceptions, OnlyMainPushesAllAndPopsThemOnEveryWayOut) {
  const Request request(framed_case());
  const Loaded loaded(variant(std::string(kNewArm64) + ":exceptions").api, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const Words push = {0xa9bf53f3, 0xa9bf5bf5, 0xa9bf63f7, 0xa9bf6bf9, 0xa9bf73fb};
  const Words pop = {0xa8c173fb, 0xa8c16bf9, 0xa8c163f7, 0xa8c15bf5, 0xa8c153f3};
  for (const uint32_t f : {0u, 1u}) {
    const plumb_native_function& native = loaded.function(0, f);
    Words code = words_at(native.address, native.size / 4);
    EXPECT_EQ(std::search(code.begin(), code.end(), push.begin(), push.end()) != code.end(),
              f == 0);
    size_t pops = 0;
    for (auto at = code.begin();; ++at, ++pops) {
      at = std::search(at, code.end(), pop.begin(), pop.end());
      if (at == code.end()) break;
    }
    EXPECT_EQ(pops, f == 0 ? 3u : 0u);
  }
}

TEST(LinuxArm64Arena, EveryFunctionLoadsX28) {
  const Request request(framed_case());
  const Loaded loaded(variant(std::string(kNewArm64) + ":arena").api, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  for (const uint32_t f : {0u, 1u}) {
    const plumb_native_function& native = loaded.function(0, f);
    const Words code = words_of(native, -1, 0);
    EXPECT_EQ(Words(code.end() - 4, code.end()),  // stp x19, x28; 0xffffc9000a5a8000
              (Words{0xa9bf73f3, 0x92c6dffc, 0xf2a14b5c, 0xf290001c}));
    EXPECT_EQ(std::count(code.begin(), code.end(), 0xa8c173f3u), 0);
    const Words all = words_at(native.address, native.size / 4);
    EXPECT_EQ(std::count(all.begin(), all.end(), 0xa8c173f3u), f == 0 ? 3 : 1);
  }
}

TEST(LinuxRiscv64Arena, EveryFunctionSavesS7) {
  const Request request({.programs = {{{indirect_tail_call(0) + Code{mov(0, 1), exit_insn()}, 0}}},
                         .arrays = {{0, -1}},
                         .regions = {}});
  const Loaded loaded(variant(std::string(kNewRiscv64) + ":arena").api, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& f = loaded.function(0, 0);
  const auto count = [&](uint32_t mask, uint32_t bits) {
    const Words code = words_at(f.address, f.size / 4);
    return std::count_if(code.begin(), code.end(),
                         [&](uint32_t word) { return (word & mask) == bits; });
  };
  EXPECT_EQ(count(0x01fff07f, 0x01713023), 1);  // sd s7, x(sp)
  EXPECT_EQ(count(0x000fffff, 0x00013b83), 2);  // ld s7, x(sp): tail call, exit
  EXPECT_GE(count(0x00000fff, 0x00000bb7), 1);  // lui s7
}

// The arena of one plugin may become another's: thunks are part of what every image wrote.
TEST(LinuxVariants, ThunksAreSymbolsInsideTheCodeOfTheImage) {
  for (const Known& known : kVariants) {
    SCOPED_TRACE(known.name);
    const Plugin& plugin = variant(known.name);
    const Request request(one_function({mov(0, 9), exit_insn()}));
    const Loaded loaded(plugin.api, request);
    ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
    EXPECT_EQ(loaded.image.symbol_count > 0, known.has_thunks);
    const plumb_range* ranges = loaded.image.code_ranges;
    for (uint32_t s = 0; s < loaded.image.symbol_count; s++) {
      const plumb_symbol& symbol = loaded.image.symbols[s];
      EXPECT_EQ(symbol.struct_size, sizeof(symbol));
      EXPECT_EQ(symbol.kind, static_cast<uint32_t>(PLUMB_SYMBOL_THUNK));
      EXPECT_GT(symbol.size, 0u);
      EXPECT_TRUE(std::any_of(ranges, ranges + loaded.image.code_range_count,
                              [&](const plumb_range& range) {
                                return symbol.address >= range.address &&
                                       symbol.address + symbol.size <= range.address + range.size;
                              }))
          << symbol.name;
      const plumb_native_function& f = loaded.function(0, 0);
      EXPECT_TRUE(symbol.address + symbol.size <= f.address ||
                  f.address + f.size <= symbol.address);
    }
  }
}

// ---- arm64 (Arm ARM, C6.2) ----

constexpr uint32_t kBtiJ = 0xd503249f, kBtiJc = 0xd50324df;
constexpr uint32_t kPaciasp = 0xd503233f, kAutiasp = 0xd50323bf;
constexpr uint32_t kMovX9Lr = 0x910003c9, kNop = 0xd503201f, kArm64Ret = 0xd65f03c0;

class LinuxArm64Variant : public testing::TestWithParam<const char*> {
 protected:
  LinuxArm64Variant()
      : request_({.programs = {{{indirect_tail_call(0) + Code{mov(0, 0), exit_insn()}, 8}}},
                  .arrays = {{0, -1}},
                  .regions = {}}) {}
  Loaded load(const char* suffix) const {
    return Loaded(variant(std::string(GetParam()) + suffix).api, request_);
  }
  uint32_t plain_entry() const { return std::string(GetParam()) == kNewArm64 ? 24 : 40; }

 private:
  Request request_;
};
INSTANTIATE_TEST_SUITE_P(Versions, LinuxArm64Variant, testing::Values(kNewArm64, kOldArm64),
                         test_name);

TEST_P(LinuxArm64Variant, BtiHasPadsAtTheEntryAndWhereTailCallsLand) {
  const Loaded loaded = load(":bti");
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& f = loaded.function(0, 0);
  EXPECT_EQ(words_at(f.address, 3), (Words{kBtiJc, kMovX9Lr, kNop}));
  EXPECT_EQ(f.tail_call_entry, plain_entry() + 4);
  EXPECT_EQ(word_at(f.address + f.tail_call_entry), kBtiJ);
}

TEST_P(LinuxArm64Variant, PacSignsAndChecksTheReturnAddress) {
  const Loaded loaded = load(":pac");
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& f = loaded.function(0, 0);
  EXPECT_EQ(words_at(f.address, 3), (Words{kMovX9Lr, kNop, kPaciasp}));
  EXPECT_EQ(f.tail_call_entry, plain_entry() + 4);
  const Words code = words_at(f.address, f.size / 4);
  const auto check = std::find(code.begin(), code.end(), kAutiasp);
  ASSERT_NE(check, code.end());
  EXPECT_EQ(check[1], kArm64Ret);
  EXPECT_EQ(std::count(code.begin(), code.end(), kAutiasp), 1);
}

TEST_P(LinuxArm64Variant, BtiAndPacAddUp) {
  const Loaded loaded = load(":bti+pac");
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& f = loaded.function(0, 0);
  EXPECT_EQ(words_at(f.address, 4), (Words{kBtiJc, kMovX9Lr, kNop, kPaciasp}));
  EXPECT_EQ(f.tail_call_entry, plain_entry() + 8);
  EXPECT_EQ(word_at(f.address + f.tail_call_entry), kBtiJ);
}

TEST_P(LinuxArm64Variant, LseTakesOneInstructionForAnAtomicAddition) {
  const Request request(
      one_function({mov(2, 1), store(2, -8), insn(0xdb, 10, 2, -8, 1), mov(0, 0), exit_insn()}, 8));
  const auto is_ldadd = [](uint32_t word) { return (word & 0xff20fc00) == 0xf8200000; };
  const auto is_exclusive = [](uint32_t word) { return (word & 0xff000000) == 0xc8000000; };
  for (const bool lse : {true, false}) {
    const Loaded loaded(variant(std::string(GetParam()) + (lse ? ":lse" : "")).api, request);
    ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
    const Words code = words_of(loaded.function(0, 0), 2, 3);
    // ldaddal has the acquire and release bits as well.
    EXPECT_EQ(std::any_of(code.begin(), code.end(),
                          [&](uint32_t word) { return is_ldadd(word & ~0xc00000u); }),
              lse);
    EXPECT_EQ(std::any_of(code.begin(), code.end(), is_exclusive), !lse);
  }
}

// ---- riscv64 ----

TEST(LinuxRiscv64Variant, RvcUsesCompressedInstructions) {
  for (const char* plain : {kNewRiscv64, kOldRiscv64}) {
    const Request request(one_function({mov(6, 1), store(6, -16), mov(0, 7), exit_insn()}, 16));
    const Loaded small(variant(std::string(plain) + ":rvc").api, request);
    const Loaded large(variant(plain).api, request);
    ASSERT_EQ(small.status, PLUMB_LOADED) << small.message;
    ASSERT_EQ(large.status, PLUMB_LOADED) << large.message;
    const plumb_native_function &f = small.function(0, 0), &g = large.function(0, 0);
    EXPECT_LT(f.size, g.size);
    // What a tail call skips keeps its size.
    EXPECT_EQ(f.tail_call_entry, g.tail_call_entry);
    EXPECT_EQ(words_at(f.address, f.tail_call_entry / 4),
              words_at(g.address, g.tail_call_entry / 4));
    EXPECT_EQ(word_at(f.address + f.insn_offsets[0]) & 0xffff, 0x4485u);  // c.li s1, 1
    EXPECT_EQ(word_at(f.address + f.size - 4) >> 16, 0x8082u);            // c.ret
  }
}

TEST(LinuxRiscv64Variant, FarHelpersAreOutOfReachOfAJump) {
  constexpr uint32_t kOpcode = 0x7f, kJal = 0x6f, kAuipc = 0x17, kJalr = 0x67;
  for (const char* plain : {kNewRiscv64, kOldRiscv64}) {
    const Request request(one_function({call_helper(7), exit_insn()}));
    const Loaded near(variant(plain).api, request);
    const Loaded far(variant(std::string(plain) + ":far-helpers").api, request);
    ASSERT_EQ(near.status, PLUMB_LOADED) << near.message;
    ASSERT_EQ(far.status, PLUMB_LOADED) << far.message;
    const plumb_native_function &f = near.function(0, 0), &g = far.function(0, 0);
    EXPECT_EQ(word_at(f.address + f.insn_offsets[0]) & kOpcode, kJal) << plain;
    EXPECT_EQ(word_at(g.address + g.insn_offsets[0]) & kOpcode, kAuipc) << plain;
    EXPECT_EQ(word_at(g.address + g.insn_offsets[0] + 4) & kOpcode, kJalr) << plain;
  }
}

TEST(LinuxRiscv64Variant, KcfiHasAHashInFrontOfTheFunction) {
  const Request request(
      {.programs = {{{{call_function(1), exit_insn()}, 0}, {{mov(0, 1), exit_insn()}, 0}}},
       .arrays = {},
       .regions = {}});
  const Loaded loaded(variant(std::string(kNewRiscv64) + ":kcfi").api, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  constexpr uint32_t kRiscvNop = 0x13;
  EXPECT_EQ(words_at(loaded.function(0, 0).address - 4, 3),
            (Words{0x83059dfc, kRiscvNop, kRiscvNop}));
  EXPECT_EQ(word_at(loaded.function(0, 1).address - 4), 0xc94ca62cu);
  EXPECT_EQ(loaded.function(0, 0).tail_call_entry, 12u);
  const plumb_native_function& sub = loaded.function(0, 1);
  EXPECT_EQ(word_at(sub.address + sub.insn_offsets[0]), 0x00100793u);  // li a5, 1
}

}  // namespace
}  // namespace plumb_linux_test
