// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/frame_geometry.h"

#include <gtest/gtest.h>

#include <string>

#include "core/case_text.h"

namespace plumb {
namespace {

constexpr std::uint64_t kEntry = 0x1000;

Function main_of(const std::string& code) {
  return parse_case(".case 1\n.program p\n.function main\n" + code +
                    "  exit\n.function sub\n  r0 = 0\n  exit\n")
      ->programs[0]
      .functions[0];
}

TEST(FrameGeometry, SaysWhereTheRecordLies) {
  const Function calls = main_of("  call sub\n");
  const Function leaf = main_of("  r0 = 0\n");
  const struct {
    Arch arch;
    RecordPlace calls, leaf;
    std::int64_t record, back;  // from the frame pointer
  } rows[] = {
      {Arch::kX86_64, {kEntry - 8, kEntry}, {kEntry - 8, kEntry}, 0, 8},
      {Arch::kArm64, {kEntry - 16, kEntry - 8}, {kEntry - 16, kEntry - 8}, 0, 8},
      {Arch::kRiscv64, {kEntry - 16, kEntry - 8}, {kEntry - 8, 0}, -16, -8},
  };
  for (const auto& row : rows) {
    const FrameGeometry geometry = frame_geometry(row.arch);
    EXPECT_EQ(record_place(geometry, kEntry, &calls), row.calls) << arch_name(row.arch);
    EXPECT_EQ(record_place(geometry, kEntry, nullptr), row.calls) << arch_name(row.arch);
    EXPECT_EQ(record_place(geometry, kEntry, &leaf), row.leaf) << arch_name(row.arch);
    EXPECT_EQ(geometry.record_from_frame_pointer(), row.record) << arch_name(row.arch);
    EXPECT_EQ(geometry.return_from_frame_pointer(), row.back) << arch_name(row.arch);
  }
}

TEST(FrameGeometry, TakesATailCallForNoCall) {
  const Function function = parse_case(
                                ".case 1\n.array jmp 1\n.program p\n.function main\n"
                                "  r2 = jmp ll\n  r3 = 0\n  call 12\n  r0 = 0\n  exit\n")
                                ->programs[0]
                                .functions[0];
  EXPECT_EQ(record_place(frame_geometry(Arch::kRiscv64), kEntry, &function).return_address, 0u);
}

}  // namespace
}  // namespace plumb
