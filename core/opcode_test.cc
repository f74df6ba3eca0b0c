// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/opcode.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <tuple>

#include "core/testing_case.h"

namespace plumb {
namespace {

TEST(OpcodeTable, NoTwoRowsAreTheSameInstruction) {
  std::set<std::tuple<int, Selector, std::int32_t>> seen;
  for (const OpcodeInfo& info : opcode_table()) {
    EXPECT_TRUE(seen.emplace(info.code, info.selector, info.selector_value).second) << info.name;
  }
}

TEST(OpcodeTable, RowsOfOneOpcodeByteUseOneSelector) {
  for (const OpcodeInfo& a : opcode_table()) {
    for (const OpcodeInfo& b : opcode_table()) {
      // Mov and Movsx, Div and Sdiv, the atomics: told apart by the same field.
      if (a.code != b.code) continue;
      EXPECT_EQ(a.selector, b.selector) << a.name << " " << b.name;
    }
  }
}

TEST(OpcodeTable, IsIndexedByItsEnumeration) {
  for (const OpcodeInfo& info : opcode_table()) EXPECT_EQ(&opcode_info(info.id), &info);
}

TEST(OpcodeTable, NamesAndWidthsAreSane) {
  std::set<std::string_view> names;
  for (const OpcodeInfo& info : opcode_table()) {
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    EXPECT_TRUE(info.width == 8 || info.width == 16 || info.width == 32 || info.width == 64);
    EXPECT_TRUE(info.version >= 1 && info.version <= 4) << info.name;
    EXPECT_FALSE(info.text.empty());
  }
}

TEST(OpcodeTable, TheLowBitsOfTheByteAreTheClassOfTheOperation) {
  // RFC 9669 section 3: LD LDX ST STX ALU JMP JMP32 ALU64.
  for (const OpcodeInfo& info : opcode_table()) {
    const int insn_class = info.code & 7;
    if (info.operation == Operation::kLoad || info.operation == Operation::kLoadSigned) {
      EXPECT_EQ(insn_class, 1) << info.name;
    } else if (info.operation == Operation::kStore) {
      EXPECT_EQ(insn_class, info.operand == Operand::kImm ? 2 : 3) << info.name;
    } else if (is_atomic(info.operation)) {
      EXPECT_EQ(info.code, info.width == 32 ? 0xc3 : 0xdb) << info.name;
    } else if (is_jump(info.operation)) {
      EXPECT_EQ(insn_class, info.width == 32 ? 6 : 5) << info.name;
    } else if (info.operand == Operand::kImm64) {
      EXPECT_EQ(info.code, kWideLoadOpcode) << info.name;
    } else if (info.operation <= Operation::kMovsx) {
      EXPECT_EQ(insn_class, info.width == 32 ? 4 : 7) << info.name;
    }
  }
}

TEST(Decode, FindsEveryRowFromItsInstruction) {
  for (const OpcodeInfo& info : opcode_table()) {
    testing::Choices choices = testing::random_choices(static_cast<std::uint64_t>(info.id), 4096);
    for (int i = 0; i < 100; ++i) {
      const Insn insn = testing::random_insn(info, choices);
      ASSERT_EQ(malformed(insn), nullptr) << info.name;
      ASSERT_EQ(decode(insn), &info) << info.name;
    }
  }
}

TEST(Decode, KnowsNoOtherOpcodeByte) {
  std::set<int> codes;
  for (const OpcodeInfo& info : opcode_table()) codes.insert(info.code);
  for (int code = 0; code < 256; ++code) {
    const Insn insn{.opcode = static_cast<std::uint8_t>(code)};
    if (codes.contains(code)) continue;
    EXPECT_EQ(decode(insn), nullptr) << code;
    EXPECT_STREQ(malformed(insn), "no such instruction") << code;
  }
}

TEST(Decode, KnowsNoOtherSelector) {
  for (const OpcodeInfo& info : opcode_table()) {
    if (info.selector == Selector::kNone) continue;
    Insn insn = make_insn(info.id);
    if (info.selector == Selector::kOff) insn.offset = 77;
    if (info.selector == Selector::kImm) insn.immediate = 77;
    if (info.selector == Selector::kSrc) insn.src = 7;
    EXPECT_EQ(decode(insn), nullptr) << info.name;
  }
}

// Whether any instruction of the form may have the field set to the value.
bool ever_allows(const OpcodeInfo& info, const Insn& insn) {
  return decode(insn) == &info && malformed(insn) == nullptr;
}

TEST(Malformed, RefusesRegistersOutOfRange) {
  for (const OpcodeInfo& info : opcode_table()) {
    for (const std::uint8_t reg : {std::uint8_t{11}, std::uint8_t{15}}) {
      Insn insn = make_insn(info.id);
      insn.dst = reg;
      EXPECT_FALSE(ever_allows(info, insn)) << info.name;
      insn = make_insn(info.id);
      insn.src = reg;
      EXPECT_FALSE(ever_allows(info, insn)) << info.name;
    }
  }
}

TEST(Malformed, R10IsReadOnlyWhereverARegisterIsWritten) {
  for (const OpcodeInfo& info : opcode_table()) {
    const bool loads = info.operation == Operation::kLoad ||
                       info.operation == Operation::kLoadSigned || info.operand == Operand::kImm64;
    if (is_alu(info.operation) || loads) {
      EXPECT_STREQ(malformed(make_insn(info.id, 10)), "r10 is read-only") << info.name;
    }
    const bool fetches =
        info.operation >= Operation::kAtomicAddFetch && info.operation <= Operation::kXchg;
    if (fetches) {
      EXPECT_STREQ(malformed(make_insn(info.id, 1, 10)), "r10 is read-only");
    }
    if (info.operation == Operation::kStore && info.operand == Operand::kReg) {
      EXPECT_EQ(malformed(make_insn(info.id, 10, 10)), nullptr) << info.name;
    }
  }
}

// The template names the fields that a form uses; every other field must be zero.
TEST(Malformed, RefusesExactlyTheFieldsThatTheTemplateDoesNotName) {
  for (const OpcodeInfo& info : opcode_table()) {
    const auto names = [&](std::string_view letters) {
      for (std::size_t i = 0; i + 1 < info.text.size(); ++i) {
        if (info.text[i] == '$' && letters.find(info.text[i + 1]) != std::string_view::npos) {
          return true;
        }
      }
      return false;
    };
    Insn insn = make_insn(info.id);
    insn.dst = 3;
    EXPECT_EQ(ever_allows(info, insn), names("dDmL")) << info.name << " dst";
    insn = make_insn(info.id);
    if (info.selector != Selector::kSrc) {
      insn.src = 3;
      EXPECT_EQ(ever_allows(info, insn), names("sSn")) << info.name << " src";
    }
    insn = make_insn(info.id);
    if (info.selector != Selector::kOff) {
      insn.offset = 3;
      EXPECT_EQ(ever_allows(info, insn), names("omn")) << info.name << " offset";
    }
    insn = make_insn(info.id);
    if (info.selector != Selector::kImm) {
      insn.immediate = 3;
      EXPECT_EQ(ever_allows(info, insn), names("iOcL")) << info.name << " immediate";
    }
  }
}

TEST(JumpTarget, CountsFromTheNextSlot) {
  EXPECT_EQ(jump_target(make_insn(Opcode::kJa, 0, 0, -1), 5), 5);
  EXPECT_EQ(jump_target(make_insn(Opcode::kJeq64Imm, 0, 0, 3), 5), 9);
  EXPECT_EQ(jump_target(make_insn(Opcode::kJal, 0, 0, 0, 100'000), 5), 100'006);
}

}  // namespace
}  // namespace plumb
