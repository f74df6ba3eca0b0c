// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "core/opcode.h"
#include "invariants/constants.h"
#include "invariants/testing_damage.h"
#include "invariants/testing_hardening.h"
#include "invariants/testing_text.h"

namespace plumb::invariants {
namespace {

BuiltRun hardened(Arch arch) {
  BuiltRun built = good_run(arch);
  harden(built);
  return built;
}

// ---- constants ----

TEST(Constants, AreTheImmediatesThatKernelsBlind) {
  constexpr std::int32_t kNumber = 0x12345678;
  const auto of = [](Opcode id) { return constants_of(make_insn(id, 1, 0, 8, kNumber), nullptr); };
  for (const Opcode id : {Opcode::kAdd64Imm, Opcode::kMov32Imm, Opcode::kSdiv64Imm,
                          Opcode::kJeq64Imm, Opcode::kJset32Imm, Opcode::kStoreImm32}) {
    EXPECT_EQ(of(id), std::vector<std::uint32_t>{kNumber}) << opcode_info(id).name;
  }
  for (const Opcode id : {Opcode::kLsh64Imm, Opcode::kAdd64Reg, Opcode::kLoad64, Opcode::kJa,
                          Opcode::kJal, Opcode::kCallHelper, Opcode::kExit}) {
    EXPECT_TRUE(of(id).empty()) << opcode_info(id).name;
  }
  const Insn second = {.immediate = 7};
  EXPECT_EQ(constants_of(make_insn(Opcode::kLoadImm64, 1, 0, 0, kNumber), &second),
            (std::vector<std::uint32_t>{kNumber, 7}));
  EXPECT_TRUE(constants_of(make_insn(Opcode::kLoadRegion, 1, 0, 0, kNumber), &second).empty());
}

TEST(Constants, SayNothingWhereTheyAreAllOverCode) {
  for (const std::uint32_t constant :
       {0u, 1u, 0xffffffffu, 0x80000000u, 0x7fffffffu, 0x12003456u, 0xff123456u}) {
    EXPECT_FALSE(is_distinctive(constant)) << constant;
  }
  EXPECT_TRUE(is_distinctive(0x12345678));
  EXPECT_TRUE(is_distinctive(0x80808080));
}

TEST(Constants, AreFoundWhereCodeLoadsThem) {
  for (const Arch arch : kBuiltArchs) {
    // The last one carries into the upper part where LUI and ADDIW share it.
    for (const std::uint32_t constant : {0x12345678u, 0x9abcde12u, 0x12345f9au}) {
      const std::vector<std::uint8_t> code = load_code(arch, constant);
      EXPECT_TRUE(stands_in(arch, code, constant)) << arch_name(arch) << constant;
      EXPECT_FALSE(stands_in(arch, code, constant ^ 0x10)) << arch_name(arch) << constant;
    }
  }
}

std::vector<std::uint8_t> bytes_of(std::initializer_list<std::uint32_t> words) {
  std::vector<std::uint8_t> bytes;
  for (const std::uint32_t word : words) {
    for (unsigned shift = 0; shift < 32; shift += 8) {
      bytes.push_back(static_cast<std::uint8_t>(word >> shift));
    }
  }
  return bytes;
}

// movn x9, #0x6543, lsl 16; movk x9, #0x1234, lsl 48; movk x9, #0x5678
TEST(Constants, OfArm64MayBeInEitherHalfAndInverted) {
  const auto code = bytes_of({0x92aca869, 0xf2e24689, 0xf28acf09});
  EXPECT_TRUE(stands_in(Arch::kArm64, code, 0x9abc5678));
  EXPECT_TRUE(stands_in(Arch::kArm64, code, 0x1234ffff));
  // The last word alone is one half of something that nobody knows.
  EXPECT_FALSE(stands_in(Arch::kArm64, bytes_of({0xf28acf09}), 0x5678));
}

// lui t1, 0x12345; slli t1, t1, 32: what an lddw begins with. c.lui and c.addiw of a rvc build.
TEST(Constants, OfRiscv64MayBeShiftedAndCompressed) {
  EXPECT_TRUE(stands_in(Arch::kRiscv64, bytes_of({0x12345337, 0x02031313}), 0x12345000));
  const std::vector<std::uint8_t> code = {0x37, 0x53, 0x34, 0x12,  // lui t1, 0x12345
                                          0x15, 0x23};             // c.addiw t1, 5
  EXPECT_TRUE(stands_in(Arch::kRiscv64, code, 0x12345005));
  EXPECT_FALSE(stands_in(Arch::kRiscv64, code, 0x12345006));
}

TEST(Hardening, OneConstantMayStandThereByChance) {
  for (const Arch arch : kBuiltArchs) {
    BuiltRun built = hardened(arch);
    load_constant(built, 0, 0);
    EXPECT_EQ(listing(check(built.subject()).violations), "") << arch_name(arch);
    load_constant(built, 3, 0);
    const Checked checked = check(built.subject());
    ASSERT_EQ(checked.violations.size(), 1u) << arch_name(arch);
    EXPECT_EQ(checked.violations[0].invariant, "constants-blinded");
    EXPECT_EQ(checked.violations[0].role, "main");
    EXPECT_EQ(checked.violations[0].at, (Place{.program = 0, .function = 0, .slot = 0}));
  }
}

// What another instruction loads is its own: a helper's number, an address.
TEST(Hardening, AConstantIsLookedForInItsOwnCode) {
  BuiltRun built = hardened(Arch::kX86_64);
  const auto constant =
      static_cast<std::uint32_t>(built.value.programs[0].functions[0].insns[0].immediate);
  put_code(built, 0, built.image.functions[0].insn_offsets[2], {constant});
  put_code(built, 0, built.image.functions[0].insn_offsets[3], {constant});
  EXPECT_EQ(listing(check(built.subject()).violations), "");
}

// ---- signed return addresses, hashes ----

struct Broken {
  const char* what;
  std::function<void(BuiltRun&)> damage;
  const char* invariant;  // null: nothing
  const char* role = nullptr;
};

constexpr std::uint32_t kLdp = 0xa8c17bfd;  // ldp x29, x30, [sp], #16

std::int64_t exit_of(const BuiltRun& built, std::size_t function) {
  const NativeFunction& native = built.image.functions[function];
  return native.insn_offsets[native.insn_offsets.size() - 2];
}

TEST(Hardening, EachRuleIsKeptOrNot) {
  constexpr const char* kSigned = "return-address-authenticated";
  constexpr const char* kHash = "cfi-hash-matches-kind";
  const std::vector<Broken> rows{
      {"nothing", [](BuiltRun&) {}, nullptr},
      {"retaa", [](BuiltRun& b) { put_code(b, 2, exit_of(b, 2), {kTestNop, 0xd65f0bff}); },
       nullptr},
      {"loaded, then authenticated",
       [](BuiltRun& b) { put_code(b, 2, exit_of(b, 2) - 4, {kLdp, kTestAutiasp}); }, nullptr},
      {"no authentication", [](BuiltRun& b) { put_code(b, 2, exit_of(b, 2), {kTestNop}); }, kSigned,
       "callback"},
      {"of the exit", [](BuiltRun& b) { put_code(b, 3, exit_of(b, 3), {kTestNop}); }, kSigned,
       "tail-callee"},
      {"authenticated, then loaded",
       [](BuiltRun& b) { put_code(b, 2, exit_of(b, 2) - 4, {kTestAutiasp, kLdp}); }, kSigned,
       "callback"},
      {"authenticated in front of a branch",
       [](BuiltRun& b) { put_code(b, 2, exit_of(b, 2) - 4, {kTestAutiasp, 0x14000002}); }, kSigned,
       "callback"},
      {"not signed", [](BuiltRun& b) { put_code(b, 2, 0, {kTestNop}); }, kSigned, "callback"},
      {"the hash of a program in front of a callback",
       [](BuiltRun& b) { put_code(b, 2, -8, {0x83059dfc}); }, kHash, "callback"},
      {"no hash in front of the program", [](BuiltRun& b) { put_code(b, 0, -8, {0}); }, kHash,
       "main"},
      {"a subprogram that nobody calls indirectly", [](BuiltRun& b) { put_code(b, 1, -8, {0}); },
       nullptr},
      {"code that cannot be read", [](BuiltRun& b) { b.run.code[0].bytes.clear(); }, kHash, "main"},
  };
  for (const Broken& row : rows) {
    SCOPED_TRACE(row.what);
    BuiltRun built = hardened(Arch::kArm64);
    row.damage(built);
    const Checked checked = check(built.subject());
    if (row.invariant == nullptr) {
      EXPECT_EQ(listing(checked.violations), "");
      continue;
    }
    ASSERT_FALSE(checked.violations.empty());
    EXPECT_EQ(checked.violations[0].invariant, row.invariant);
    EXPECT_EQ(checked.violations[0].role, row.role);
  }
}

}  // namespace
}  // namespace plumb::invariants
