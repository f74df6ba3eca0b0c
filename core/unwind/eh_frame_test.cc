// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/unwind/eh_frame.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace plumb::unwind {
namespace {

using Base = Row::Base;
using Kind = Row::Kind;
using Bytes = std::vector<std::uint8_t>;

Row unknown(std::uint64_t begin) { return {.begin = begin, .kind = Kind::kUnknown}; }

Row record(std::uint64_t begin, std::int32_t cfa_offset) {
  return {.begin = begin,
          .base = Base::kFramePointer,
          .cfa_offset = cfa_offset,
          .fp_offset = -16,
          .ra_offset = -8};
}

std::uint32_t word_at(const Bytes& bytes, std::size_t at) {
  std::uint32_t word = 0;
  std::memcpy(&word, bytes.data() + at, sizeof word);
  return word;
}

// The FDEs alone, without lengths: their CIE pointers lead to the CIE, which is the first entry.
std::vector<Bytes> fdes(const Bytes& section) {
  std::vector<Bytes> result;
  std::size_t at = 4 + word_at(section, 0);
  for (; word_at(section, at) != 0; at += 4 + word_at(section, at)) {
    EXPECT_EQ(word_at(section, at + 4), at + 4);
    const auto begin = section.begin() + static_cast<std::ptrdiff_t>(at + 8);
    result.emplace_back(begin, begin + word_at(section, at) - 4);
  }
  EXPECT_EQ(at + 4, section.size());
  return result;
}

// push rbp; mov rbp, rsp; ...; leave; ret
TEST(EhFrame, OfAFunctionOfX8664IsWhatTheAbiDescribes) {
  const std::vector<Row> rows{
      {.begin = 0x40001000, .base = Base::kStackPointer, .cfa_offset = 8, .ra_offset = -8},
      {.begin = 0x40001001,
       .base = Base::kStackPointer,
       .cfa_offset = 16,
       .fp_offset = -16,
       .ra_offset = -8},
      record(0x40001004, 16),
      {.begin = 0x40001055, .base = Base::kStackPointer, .cfa_offset = 8, .ra_offset = -8},
      unknown(0x40001056)};
  // clang-format off
  const Bytes expected{
      0x14, 0, 0, 0, 0, 0, 0, 0,  // the CIE: length, 0
      1, 'z', 'R', 0,             // version, augmentation
      1, 0x7f, 16,                // code alignment 1, data alignment -1, return address
      1, 0,                       // of the augmentation: absptr
      0x0c, 7, 8,                 // CFA = rsp + 8
      0x90, 8,                    // return address at CFA - 8
      0, 0,
      0x24, 0, 0, 0, 0x1c, 0, 0, 0,     // the FDE: length, way to the CIE
      0x00, 0x10, 0, 0x40, 0, 0, 0, 0,  // begin
      0x56, 0, 0, 0, 0, 0, 0, 0,        // size
      0,                                // of the augmentation
      0x41, 0x0e, 16, 0x86, 16,         // + 1: CFA = rsp + 16, rbp at CFA - 16
      0x43, 0x0d, 6,                    // + 3: CFA = rbp + 16
      0x02, 0x51, 0x0c, 7, 8, 0x08, 6,  // + 81: CFA = rsp + 8, rbp is the caller's
      0, 0, 0, 0};
  // clang-format on
  EXPECT_EQ(eh_frame(Arch::kX86_64, rows), expected);
}

TEST(EhFrame, OfFunctionsWithALinkRegisterBeginsWithTheReturnAddressInIt) {
  struct Expected {
    Arch arch;
    Bytes cie;   // behind the version and the augmentation
    Bytes code;  // of the FDE
  };
  const Row entry{.begin = 0x1000, .base = Base::kStackPointer};
  const Expected kExpected[] = {
      {Arch::kArm64,
       {1, 0x7f, 30, 1, 0, 0x0c, 31, 0},
       {0x44, 0x0c, 29, 16, 0x9d, 16, 0x9e, 8, 0x44, 0x0c, 31, 0, 0x08, 29, 0x08, 30}},
      {Arch::kRiscv64,
       {1, 0x7f, 1, 1, 0, 0x0c, 2, 0},
       {0x44, 0x0d, 8, 0x88, 16, 0x81, 8, 0x44, 0x0d, 2, 0x08, 8, 0x08, 1}},
  };
  for (const Expected& expected : kExpected) {
    SCOPED_TRACE(std::string(arch_name(expected.arch)));
    Row last = entry;
    last.begin = 0x1008;
    const std::vector<Row> rows{entry, record(0x1004, expected.arch == Arch::kArm64 ? 16 : 0), last,
                                unknown(0x100c)};
    const Bytes section = eh_frame(expected.arch, rows);
    EXPECT_TRUE(std::equal(expected.cie.begin(), expected.cie.end(), section.begin() + 12));
    const std::vector<Bytes> found = fdes(section);
    ASSERT_EQ(found.size(), 1u);
    Bytes code(found[0].begin() + 17, found[0].end());
    ASSERT_GE(code.size(), expected.code.size());
    for (std::size_t i = expected.code.size(); i < code.size(); ++i) EXPECT_EQ(code[i], 0);
    code.resize(expected.code.size());
    EXPECT_EQ(code, expected.code);
  }
}

TEST(EhFrame, HasNoFdeForWhatIsNotKnown) {
  Row unreliable = record(0x1020, 16);
  unreliable.is_reliable = false;
  Row in_no_register = record(0x1030, 16);
  in_no_register.ra_offset = std::nullopt;
  const std::vector<Row> rows{record(0x1000, 16),
                              unknown(0x1010),
                              unreliable,
                              in_no_register,
                              {.begin = 0x1040, .kind = Kind::kRegisters},
                              record(0x1050, 16),
                              unknown(0x1060)};
  const std::vector<Bytes> found = fdes(eh_frame(Arch::kX86_64, rows));
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(word_at(found[0], 0), 0x1000u);
  EXPECT_EQ(word_at(found[0], 8), 0x10u);
  EXPECT_EQ(word_at(found[1], 0), 0x1050u);
  EXPECT_EQ(word_at(found[1], 8), 0x10u);
}

// The second counts, as for Rows::find().
TEST(EhFrame, OfTwoRowsThatBeginTogetherHasTheSecond) {
  const std::vector<Row> rows{record(0x1000, 16), unknown(0x1010), record(0x1010, 16),
                              unknown(0x1020)};
  const std::vector<Bytes> found = fdes(eh_frame(Arch::kX86_64, rows));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(word_at(found[0], 8), 0x20u);
}

TEST(EhFrame, LeavesTheReturnAddressOfTheOutermostCodeUndefined) {
  const std::vector<Row> rows{{.begin = 0x1000, .kind = Kind::kOutermost}, unknown(0x1002)};
  const std::vector<Bytes> found = fdes(eh_frame(Arch::kX86_64, rows));
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(Bytes(found[0].begin() + 17, found[0].begin() + 19), (Bytes{0x07, 16}));
}

TEST(EhFrame, HasAnyOffset) {
  Row row = record(0x1000, -200);
  row.fp_offset = 300;
  row.ra_offset = -1000;
  const std::vector<Row> rows{row, record(0x1000 + 0x123456, 16), unknown(0x200000)};
  const std::vector<Bytes> found = fdes(eh_frame(Arch::kX86_64, rows));
  ASSERT_EQ(found.size(), 1u);
  const Bytes expected{0x12, 6,    0xc8, 0x01,            // CFA = rbp - 200
                       0x11, 6,    0xd4, 0x7d,            // rbp at CFA + 300
                       0x90, 0xe8, 0x07,                  // return address at CFA - 1000
                       0x04, 0x56, 0x34, 0x12, 0,         // + 0x123456
                       0x0e, 16,   0x86, 16,   0x90, 8};  // the record
  const auto begin = found[0].begin() + 17;
  EXPECT_EQ(Bytes(begin, begin + static_cast<std::ptrdiff_t>(expected.size())), expected);
}

TEST(EhFrame, OfNoRowsIsACie) { EXPECT_TRUE(fdes(eh_frame(Arch::kArm64, {})).empty()); }

}  // namespace
}  // namespace plumb::unwind
