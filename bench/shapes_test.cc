// SPDX-License-Identifier: GPL-2.0-or-later
#include "bench/shapes.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/case_text.h"
#include "oracle/capabilities.h"
#include "oracle/oracle.h"

namespace plumb::bench {
namespace {

class EveryShape : public testing::TestWithParam<BenchShape> {};

TEST_P(EveryShape, IsFoundByItsName) {
  const BenchShape* const found = find_bench_shape(GetParam().name);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->id, GetParam().id);
  EXPECT_EQ(&bench_shapes()[static_cast<std::size_t>(GetParam().id)], found);
  EXPECT_FALSE(found->description.empty());
}

TEST_P(EveryShape, ReadsAsACase) {
  const auto value = parse_case(bench_case_text(GetParam()), "shape");
  ASSERT_TRUE(value.has_value()) << value.error().str();
  EXPECT_EQ(*value, bench_case(GetParam()));
}

TEST_P(EveryShape, NeedsWhatTheTableSays) {
  EXPECT_EQ(oracle::required_capabilities(bench_case(GetParam())), GetParam().needs);
}

TEST_P(EveryShape, IsDefinedAndReturnsWhatItExpects) {
  const Case value = bench_case(GetParam());
  const Execution execution = oracle::run(value, {});
  ASSERT_TRUE(execution.defined) << execution.undefined_reason << ": "
                                 << execution.undefined_detail;
  if (value.expectation.kind == Expectation::Kind::kReturn) {
    EXPECT_EQ(execution.result, Value::scalar(value.expectation.value));
  }
}

// A benchmark runs it again and again in the same memory.
TEST_P(EveryShape, RunsTheSameFromTheMemoryThatItLeft) {
  Case value = bench_case(GetParam());
  const Execution first = oracle::run(value, {});
  ASSERT_TRUE(first.context.pointers.empty());
  value.context = first.context.bytes;
  for (std::size_t i = 0; i < value.regions.size(); ++i) {
    ASSERT_TRUE(first.regions[i].pointers.empty());
    value.regions[i].bytes = first.regions[i].bytes;
  }
  const Execution second = oracle::run(value, {});
  EXPECT_EQ(second.result, first.result);
  EXPECT_EQ(second.instructions, first.instructions);
  EXPECT_EQ(second.trace, first.trace);
}

std::string test_name(const testing::TestParamInfo<BenchShape>& info) {
  std::string name(info.param.name);
  std::erase(name, '-');
  return name;
}

INSTANTIATE_TEST_SUITE_P(BenchShapes, EveryShape, testing::ValuesIn(bench_shapes()), test_name);

struct Executed {
  std::string_view shape;
  std::uint32_t tail_calls;
  std::size_t refused;
  std::uint32_t activations;
};

TEST(BenchShapes, DoAsOftenWhatTheirNamesSay) {
  const Executed rows[] = {
      {"empty", 0, 0, 1},           {"leaf", 0, 0, 2},
      {"chain-8", 0, 0, 8},         {"tail-direct-1", 1, 0, 2},
      {"tail-indirect-8", 8, 0, 9}, {"tail-direct-33", 33, 0, 34},
      {"tail-refused", 0, 1, 1},    {"tail-limit", 33, 1, 34},
      {"tail-subprogram", 1, 0, 3}, {"loop", 0, 0, 9},
      {"packet", 1, 0, 2},
  };
  for (const Executed& row : rows) {
    SCOPED_TRACE(row.shape);
    const BenchShape* const shape = find_bench_shape(row.shape);
    ASSERT_NE(shape, nullptr);
    const Execution execution = oracle::run(bench_case(*shape), {});
    EXPECT_EQ(execution.tail_calls, row.tail_calls);
    EXPECT_EQ(std::ranges::count(execution.trace, EventKind::kTailCallRefused, &Event::kind),
              static_cast<std::ptrdiff_t>(row.refused));
    EXPECT_EQ(execution.activations, row.activations);
  }
}

TEST(BenchShapes, ThePacketProgramIsAboutAsLongAsARealOne) {
  const Execution execution = oracle::run(bench_case(*find_bench_shape("packet")), {});
  EXPECT_GE(execution.instructions, 55U);
  EXPECT_LE(execution.instructions, 65U);
}

TEST(BenchShapes, AreChosenByGlobs) {
  struct Row {
    std::string_view globs;
    std::size_t count;
  };
  const Row rows[] = {
      {"empty", 1},
      {"tail-direct-*", 3},
      {"stack-8,leaf,stack-8", 2},
      {"all", bench_shapes().size()},
      {"*", bench_shapes().size()},
  };
  for (const Row& row : rows) {
    const auto shapes = choose_bench_shapes(row.globs);
    ASSERT_TRUE(shapes.has_value()) << row.globs;
    EXPECT_EQ(shapes->size(), row.count) << row.globs;
  }
  for (const std::string_view globs : {"", "emty", "leaf,nothing-*", "leaf,"}) {
    EXPECT_FALSE(choose_bench_shapes(globs).has_value()) << globs;
  }
  EXPECT_EQ(choose_bench_shapes("leaf,nothing-*").error().message,
            "no shape is called \"nothing-*\"");
}

}  // namespace
}  // namespace plumb::bench
