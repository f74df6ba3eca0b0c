// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/funnel_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "invariants/invariants.h"

namespace plumb::harness {
namespace {

TEST(FunnelJson, ComesBackAsItWent) {
  Funnel funnel;
  funnel.counts.generated = 5;
  funnel.counts.with_helper_call = 2;
  funnel.undefined = {{"why", 1}};
  funnel.not_applicable = {{"lacks v4", 3}};
  funnel.invariants.resize(invariants::invariant_table().size());
  funnel.invariants[1] = {.held = 4, .violated = 1, .not_applicable = {2, 3}};
  EXPECT_EQ(funnel_of(funnel_json(funnel)), funnel);
  EXPECT_EQ(funnel_of(funnel_json({})), Funnel{});
}

TEST(FunnelJson, CountsNothingWhereNothingCanBeRead) {
  using nlohmann::json;
  EXPECT_EQ(funnel_of(json::object()), Funnel{});
  EXPECT_EQ(funnel_of(json::parse(R"({"funnel": [1], "undefined": {"a": "x"}, "invariants": 3})")),
            (Funnel{.counts = {}, .undefined = {{"a", 0}}}));
  const Funnel odd = funnel_of(
      json::parse(R"({"invariants": {"no-such": {}, "tail-call-bound": {"not_applicable": 1}}})"));
  EXPECT_EQ(odd.counts, FunnelCounts{});
}

}  // namespace
}  // namespace plumb::harness
