// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/case.h"
#include "core/result.h"

namespace plumb::bench {

enum class BenchShapeId : std::uint8_t {
#define PLUMB_BENCH_SHAPE(id, name, description, needs, text) k##id,
#include "bench/shapes.inc"
};

// A row of shapes.inc: a program that prologues are measured with.
struct BenchShape {
  BenchShapeId id{};
  std::string_view name;
  std::string_view description;
  std::uint64_t needs = 0;  // or of core/capability.h: what oracle::required_capabilities() says
};

// In the order of the table: index and id agree.
[[nodiscard]] std::span<const BenchShape> bench_shapes();
[[nodiscard]] const BenchShape* find_bench_shape(std::string_view name);  // null: no such shape
// Those that one of the globs names ("tail-*,leaf"; "all"), in the order of the table. Every glob
// must match something.
[[nodiscard]] Result<std::vector<BenchShape>> choose_bench_shapes(std::string_view globs);

// The text of its case; what it reads as.
[[nodiscard]] std::string bench_case_text(const BenchShape& shape);
[[nodiscard]] Case bench_case(const BenchShape& shape);

}  // namespace plumb::bench
