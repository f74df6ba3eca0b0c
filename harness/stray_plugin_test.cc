// SPDX-License-Identifier: GPL-2.0-or-later
//
// A plugin whose code stores where nobody asked it to (jit_under_test/stray_plugin.c): results,
// memory and events are right, and check has to tell all the same.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/case_text.h"
#include "harness/check.h"
#include "jit_under_test/jit.h"

namespace plumb::harness {
namespace {

struct Row {
  const char* plugin;
  const char* invariant;  // that names the finding; empty: it conforms
};

class StrayPlugin : public testing::TestWithParam<Row> {};

TEST_P(StrayPlugin, IsAFindingInCheck) {
  const std::string directory = std::string(PLUMB_STRAY_PLUGINS) + "/" + GetParam().plugin;
  auto jits = jit::open_jits(directory, "stray-1-x86_64");
  ASSERT_TRUE(jits.has_value()) << jits.error().str();
  auto value = parse_case(
      ".case 1\n.program entry\n.function main\n"
      "        *(u64 *)(r10 - 8) = 1\n        r0 = 7\n        exit\n");
  ASSERT_TRUE(value.has_value()) << value.error().str();
  const NamedCase item{.name = "it", .path = "it.bpf", .value = *std::move(value)};
  for (const Depth depth : {Depth::kFast, Depth::kFull}) {
    CheckOptions options;
    options.depth = depth;
    const CheckReport report = check_cases(std::span(&item, 1), *jits, options);
    ASSERT_EQ(report.rows.size(), 1u);
    const Judgement& judgement = report.rows[0].judgement;
    EXPECT_EQ(judgement.signature.invariant, GetParam().invariant) << judgement.reason;
    const bool conforms = std::string(GetParam().invariant).empty();
    EXPECT_EQ(judgement.verdict, conforms ? Verdict::kConforms : Verdict::kViolation);
    EXPECT_EQ(report.status(), conforms ? 0 : 1);
  }
}

INSTANTIATE_TEST_SUITE_P(Stores, StrayPlugin,
                         testing::Values(Row{"STRAY_NONE", ""},
                                         Row{"STRAY_NEAR", "caller-stack-unwritten"},
                                         Row{"STRAY_FAR", "caller-stack-unwritten"},
                                         Row{"STRAY_STACK", "stores-are-accounted-for"},
                                         Row{"STRAY_BELOW", "no-live-data-below-sp"}),
                         [](const auto& row) { return row.param.plugin; });

}  // namespace
}  // namespace plumb::harness
