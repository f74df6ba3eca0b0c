// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/throw_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <string_view>

#include "core/case_text.h"

namespace plumb::jit {
namespace {

using testing::HasSubstr;

constexpr int kProgram = 1;
constexpr std::uint64_t kCallback = 0x30020040;

// The second of two programs throws; its callback is function 2.
Case two_programs() {
  auto value = parse_case(
      ".case 1\n.program quiet\n.function main\n r0 = 0\n exit\n"
      ".program loud\n.callback cb\n.function main\n call f\n exit\n"
      ".function f\n r1 = 7\n call bpf_throw\n.function cb\n r0 = r1\n exit\n");
  EXPECT_TRUE(value.has_value()) << value.error().str();
  return *value;
}

Image image_of(const Case& value) {
  Image image;
  std::uint64_t address = 0x30020000;
  for (std::size_t p = 0; p < value.programs.size(); ++p) {
    for (std::size_t f = 0; f < value.programs[p].functions.size(); ++f, address += 16) {
      NativeFunction& native = image.functions.emplace_back();
      native.program = static_cast<int>(p);
      native.function = static_cast<int>(f);
      native.address = p == kProgram && f == 2 ? kCallback : address;
      native.size = 16;
    }
  }
  return image;
}

plumb_throw_info honest() {
  return {.struct_size = sizeof(plumb_throw_info),
          .program = kProgram,
          .boundary = 0,
          .sp_rule = PLUMB_THROW_SP_ZERO,
          .callback = kCallback};
}

TEST(ThrowReader, ReadsWhatIsSaid) {
  const Case value = two_programs();
  const Result<ThrowPath> path = read_throw_path(honest(), value, kProgram, image_of(value));
  ASSERT_TRUE(path.has_value()) << path.error().str();
  const ThrowPath expected{.program = kProgram,
                           .boundary = 0,
                           .callback = 2,
                           .address = kCallback,
                           .sp = ThrowSp::kZero};
  EXPECT_EQ(*path, expected);
}

// A newer plugin may say more.
TEST(ThrowReader, LeavesAloneWhatItDoesNotKnow) {
  const Case value = two_programs();
  plumb_throw_info info = honest();
  info.struct_size = 64;
  EXPECT_TRUE(read_throw_path(info, value, kProgram, image_of(value)).has_value());
}

TEST(ThrowReader, KnowsTheUsualWay) {
  const Case value = two_programs();
  const ThrowPath expected{.program = kProgram,
                           .boundary = 0,
                           .callback = 2,
                           .address = kCallback,
                           .sp = ThrowSp::kUnknown};
  EXPECT_EQ(usual_throw_path(value, kProgram, image_of(value)), expected);
}

struct Wrong {
  const char* message;
  void (*damage)(plumb_throw_info& info);
};

constexpr Wrong kWrong[] = {
    {"throw_info.struct_size is 16: 24 or more", [](auto& info) { info.struct_size = 16; }},
    {"throw_info of program 1: program is 0x0, not the one that was asked for",
     [](auto& info) { info.program = 0; }},
    {"boundary is 0x3, not a function of it", [](auto& info) { info.boundary = 3; }},
    {"boundary is 0x2, not another function than the exception callback",
     [](auto& info) { info.boundary = 2; }},
    {"sp_rule is 0x3, not one of enum plumb_throw_sp", [](auto& info) { info.sp_rule = 3; }},
    {"callback is 0x0, not 0x30020040, where", [](auto& info) { info.callback = 0; }},
    {"callback is 0x30020041, not 0x30020040, where", [](auto& info) { info.callback++; }},
};

TEST(ThrowReader, SaysWhatIsWrong) {
  const Case value = two_programs();
  for (const Wrong& row : kWrong) {
    plumb_throw_info info = honest();
    row.damage(info);
    const Result<ThrowPath> path = read_throw_path(info, value, kProgram, image_of(value));
    ASSERT_FALSE(path.has_value()) << row.message;
    EXPECT_THAT(path.error().str(), HasSubstr(row.message));
  }
}

}  // namespace
}  // namespace plumb::jit
