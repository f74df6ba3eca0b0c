// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/code_effects.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string_view>

#include "core/rng.h"
#include "machine/capstone.h"

namespace plumb::machine {
namespace {

using unwind::CodeInsn;
using unwind::Effect;
using Base = unwind::Row::Base;
using Kind = Effect::Kind;
using Flow = CodeInsn::Flow;
using Bytes = std::vector<std::uint8_t>;

constexpr std::uint64_t kAddress = 0x1000;
constexpr Base kSp = Base::kStackPointer;
constexpr Base kFp = Base::kFramePointer;
constexpr Effect kLoseSp{.kind = Kind::kLoseSp};
constexpr Effect kLoseFp{.kind = Kind::kLoseFp};
constexpr Effect kLoseLr{.kind = Kind::kLoseLr};

Effect move_sp(std::int64_t by) { return {.kind = Kind::kMoveSp, .value = by}; }
Effect move_fp(std::int64_t by) { return {.kind = Kind::kMoveFp, .value = by}; }
Effect sp_from_fp(std::int64_t by) { return {.kind = Kind::kSpFromFp, .value = by}; }
Effect fp_from_sp(std::int64_t by) { return {.kind = Kind::kFpFromSp, .value = by}; }
Effect word(Kind kind, Base base, std::int64_t at) {
  return {.kind = kind, .base = base, .value = at};
}
Effect save_fp(Base base, std::int64_t at) { return word(Kind::kSaveFp, base, at); }
Effect save_lr(Base base, std::int64_t at) { return word(Kind::kSaveLr, base, at); }
Effect load_fp(Base base, std::int64_t at) { return word(Kind::kLoadFp, base, at); }
Effect load_lr(Base base, std::int64_t at) { return word(Kind::kLoadLr, base, at); }
Effect store(Base base, std::int64_t at, std::uint8_t size) {
  return {.kind = Kind::kStore, .base = base, .value = at, .size = size};
}

Bytes bytes_of(std::string_view hex) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(
        static_cast<std::uint8_t>(kDigits.find(hex[i]) * 16 + kDigits.find(hex[i + 1])));
  }
  return bytes;
}

struct Known {
  Arch arch = Arch::kX86_64;
  std::string_view bytes;
  std::string_view assembly;
  Flow flow = Flow::kNext;
  std::int64_t distance = 0;
  std::vector<Effect> effects;
};

std::vector<Known> known_instructions() {
  return {
#define PLUMB_INSN(arch, bytes, assembly, flow, distance, ...) \
  Known{Arch::k##arch, bytes, assembly, Flow::k##flow, distance, {__VA_ARGS__}},
#include "machine/testing_code_effects.inc"
  };
}

TEST(CodeEffects, OfEachInstructionAreThoseOfItsAssembly) {
  for (const Known& known : known_instructions()) {
    const Bytes bytes = bytes_of(known.bytes);
    const std::uint64_t target =
        known.distance == 0 ? 0 : kAddress + static_cast<std::uint64_t>(known.distance);
    const CodeInsn expected{.address = kAddress,
                            .size = static_cast<std::uint32_t>(bytes.size()),
                            .flow = known.flow,
                            .target = target,
                            .effects = known.effects};
    EXPECT_EQ(code_effects(known.arch, bytes, kAddress), std::vector{expected}) << known.assembly;
  }
}

TEST(CodeEffects, AuipcAndJalrAreOneJump) {
  struct Pair {
    std::string_view bytes;
    Flow flow = Flow::kNext;
    std::uint64_t target = 0;
  };
  for (const auto& [bytes, flow, target] :
       {Pair{"17130000"
             "67000301",
             Flow::kJump, 0x2010},  // auipc t1, 1; jalr zero, 16(t1)
        Pair{"17130000"
             "e70003ff",
             Flow::kCall, 0x1ff0},  // auipc t1, 1; jalr ra, -16(t1)
        Pair{"17f3ffff"
             "67008300",
             Flow::kJump, 0x8},  // auipc t1, -1; jalr zero, 8(t1)
        Pair{"97000000"
             "e7800004",
             Flow::kCall, 0x1040},  // auipc ra, 0; jalr ra, 64(ra)
        Pair{"17130000"
             "67808301",
             Flow::kStop, 0},  // auipc t1, 1; jalr zero, 24(t2)
        Pair{"37130000"
             "67000301",
             Flow::kStop, 0}}) {  // lui t1, 1; jalr zero, 16(t1)
    const auto insns = code_effects(Arch::kRiscv64, bytes_of(bytes), kAddress);
    ASSERT_EQ(insns.size(), 2u) << bytes;
    EXPECT_EQ(insns[1].flow, flow) << bytes;
    EXPECT_EQ(insns[1].target, target) << bytes;
  }
  // auipc t1, 1; c.nop; jalr zero, 16(t1)
  const auto apart = code_effects(Arch::kRiscv64,
                                  bytes_of("17130000"
                                           "0100"
                                           "67000301"),
                                  kAddress);
  ASSERT_EQ(apart.size(), 3u);
  EXPECT_EQ(apart[2].target, 0u);
}

TEST(CodeEffects, BytesThatAreNoInstructionEndTheWay) {
  struct Row {
    Arch arch = Arch::kX86_64;
    std::string_view bytes;
    std::size_t insns = 0;
  };
  for (const auto& [arch, bytes, insns] :
       {Row{Arch::kX86_64, "48", 1},    // a prefix alone
        Row{Arch::kX86_64, "0606", 2},  // not in 64 bits
        Row{Arch::kArm64, "fd7bbf", 1}, Row{Arch::kRiscv64, "130101", 1},
        Row{Arch::kRiscv64, "41", 1}}) {
    const auto got = code_effects(arch, bytes_of(bytes), kAddress);
    ASSERT_EQ(got.size(), insns) << bytes;
    for (const CodeInsn& insn : got) EXPECT_EQ(insn.flow, Flow::kStop) << bytes;
  }
  EXPECT_TRUE(code_effects(Arch::kX86_64, {}, kAddress).empty());
}

TEST(CodeEffects, OfWhateverBytesCoverThemAll) {
  Rng rng(7);
  for (int n = 0; n < 6000; ++n) {
    Bytes bytes(rng.below(48));
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(rng.next());
    for (const Arch arch : {Arch::kX86_64, Arch::kArm64, Arch::kRiscv64}) {
      std::uint64_t end = kAddress;
      for (const CodeInsn& insn : code_effects(arch, bytes, kAddress)) {
        ASSERT_EQ(insn.address, end);
        ASSERT_GT(insn.size, 0u);
        end += insn.size;
      }
      ASSERT_EQ(end, kAddress + bytes.size());
    }
  }
}

// ---- nothing that writes a followed register goes unnoticed ----

struct Writes {
  bool sp = false;
  bool fp = false;
  bool lr = false;
};

Writes followed(const CodeInsn& insn) {
  Writes writes;
  for (const Effect& effect : insn.effects) {
    const Kind kind = effect.kind;
    writes.sp |= kind == Kind::kMoveSp || kind == Kind::kSpFromFp || kind == Kind::kLoseSp;
    writes.fp |= kind == Kind::kMoveFp || kind == Kind::kFpFromSp || kind == Kind::kLoseFp ||
                 kind == Kind::kLoadFp;
    writes.lr |= kind == Kind::kLoseLr || kind == Kind::kLoadLr;
  }
  return writes;
}

Writes written_x86_64(unsigned reg) {
  const auto is_one_of = [reg](std::initializer_list<unsigned> all) {
    return std::ranges::find(all, reg) != all.end();
  };
  return {.sp = is_one_of({X86_REG_RSP, X86_REG_ESP, X86_REG_SP, X86_REG_SPL}),
          .fp = is_one_of({X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL})};
}
Writes written_arm64(unsigned reg) {
  return {.sp = reg == ARM64_REG_SP || reg == ARM64_REG_WSP,
          .fp = reg == ARM64_REG_FP || reg == ARM64_REG_W29,
          .lr = reg == ARM64_REG_LR || reg == ARM64_REG_W30};
}

// Capstone says of these that they write the register that they read.
bool writes_nothing(const cs_insn& insn) {
  constexpr std::string_view kNames[] = {"cmn", "cmp", "msr", "sys", "tst"};
  return std::ranges::find(kNames, insn.mnemonic) != std::end(kNames);
}

Writes by_capstone(const Capstone& capstone, const cs_insn& insn, Arch arch) {
  cs_regs read{};
  cs_regs written{};
  std::uint8_t read_count = 0;
  std::uint8_t written_count = 0;
  cs_regs_access(capstone.handle(), &insn, read, &read_count, written, &written_count);
  Writes all;
  for (std::uint8_t i = 0; i < written_count; ++i) {
    const Writes one =
        arch == Arch::kX86_64 ? written_x86_64(written[i]) : written_arm64(written[i]);
    all.sp |= one.sp;
    all.fp |= one.fp;
    all.lr |= one.lr;
  }
  return all;
}

// Random bytes; often with the register that they write, or the opcode, one of those that matter.
Bytes random_instruction(Rng& rng, Arch arch) {
  Bytes bytes(16);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(rng.next());
  if (arch == Arch::kArm64 && rng.below(2) == 0) {
    bytes[0] = static_cast<std::uint8_t>((bytes[0] & ~31U) | (29 + rng.below(3)));
  }
  if (arch == Arch::kX86_64 && rng.below(2) == 0) bytes[0] = 0x48;
  if (arch == Arch::kX86_64 && rng.below(3) == 0) bytes[1] = 0x0f;
  return bytes;
}

// How many instructions write one of the registers.
int compare(Arch arch, cs_arch capstone_arch, cs_mode mode) {
  Capstone capstone(capstone_arch, mode, true);
  Rng rng(3);
  int writers = 0;
  for (int n = 0; n < 200'000; ++n) {
    const Bytes bytes = random_instruction(rng, arch);
    const cs_insn* const insn = capstone.decode(bytes.data(), bytes.size(), kAddress);
    if (insn == nullptr || writes_nothing(*insn)) continue;
    const CodeInsn got = code_effects(arch, {bytes.data(), insn->size}, kAddress).front();
    if (got.flow == Flow::kStop || got.flow == Flow::kCall) continue;  // what follows is elsewhere
    const Writes expected = by_capstone(capstone, *insn, arch);
    const Writes seen = followed(got);
    writers += expected.sp || expected.fp || expected.lr ? 1 : 0;
    EXPECT_LE(expected.sp, seen.sp) << insn->mnemonic << ' ' << insn->op_str;
    EXPECT_LE(expected.fp, seen.fp) << insn->mnemonic << ' ' << insn->op_str;
    EXPECT_LE(expected.lr, seen.lr) << insn->mnemonic << ' ' << insn->op_str;
  }
  return writers;
}

TEST(CodeEffects, NothingThatWritesAFollowedRegisterGoesUnnoticed) {
  EXPECT_GT(compare(Arch::kX86_64, CS_ARCH_X86, CS_MODE_64), 10'000);
  EXPECT_GT(compare(Arch::kArm64, CS_ARCH_ARM64, CS_MODE_ARM), 5'000);
}

}  // namespace
}  // namespace plumb::machine
