// SPDX-License-Identifier: GPL-2.0-or-later
#include "bench/shapes.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <iterator>

#include "core/capability.h"
#include "core/case_text.h"
#include "core/check.h"

namespace plumb::bench {
namespace {

#define PLUMB_CAPABILITY(id, bit, name, meaning) \
  [[maybe_unused]] constexpr std::uint64_t id = capability_bit(Capability::k##id);
#include "core/capabilities.inc"

constexpr BenchShape kShapes[] = {
#define PLUMB_BENCH_SHAPE(id, name, description, needs, text) \
  {BenchShapeId::k##id, name, description, needs},
#include "bench/shapes.inc"
};

// A program of one function that does this.
std::string main_of(std::string_view body) {
  return fmt::format(".case 1\n.program entry\n.function main\n {}\n exit\n", body);
}

// Stores at the lowest byte of that much stack, and at the highest.
std::string stack_of(int bytes) {
  return main_of(fmt::format("*(u64 *)(r10 - {}) = 0\n *(u64 *)(r10 - 8) = 0\n r0 = 0", bytes));
}

// So many frames deep, the main function's among them.
std::string call_chain(int frames) {
  std::string text = ".case 1\n.program entry\n.function main\n";
  for (int i = 1; i < frames; ++i) {
    text += fmt::format(" call f{0}\n r0 += 1\n exit\n.function f{0}\n", i);
  }
  return text + fmt::format(" r0 = 1\n exit\n.expect return {}\n", frames);
}

constexpr std::string_view kConstantSlot = "r3 = 0";
constexpr std::string_view kSlotFromMemory = "r3 = *(u32 *)(r1 + 4)";

// The program calls itself so often: the context holds the count, and the last one clears it.
std::string tail_calls(int count, std::string_view slot) {
  return fmt::format(R"(.case 1
.array jmp 1
.slot jmp 0 entry
.program entry
.function main
        r2 = *(u32 *)(r1 + 0)
        if r2 == {0} goto last
        r2 += 1
        *(u32 *)(r1 + 0) = r2
        {1}
        r2 = jmp ll
        call 12
        r0 = 0
        exit
last:
        *(u32 *)(r1 + 0) = 0
        r0 = {0}
        exit
.context 00 00 00 00 00 00 00 00
.expect return {0}
)",
                     count, slot);
}

bool matches(const BenchShape& shape, const std::string& glob) {
  return glob == "all" || fnmatch(glob.c_str(), std::string(shape.name).c_str(), 0) == 0;
}

}  // namespace

std::span<const BenchShape> bench_shapes() { return kShapes; }

const BenchShape* find_bench_shape(std::string_view name) {
  const auto* const it = std::ranges::find(kShapes, name, &BenchShape::name);
  return it == std::end(kShapes) ? nullptr : it;
}

Result<std::vector<BenchShape>> choose_bench_shapes(std::string_view globs) {
  std::vector<bool> chosen(std::size(kShapes));
  for (bool more = true; more;) {
    const std::size_t comma = globs.find(',');
    const std::string glob(globs.substr(0, comma));
    more = comma != std::string_view::npos;
    if (more) globs.remove_prefix(comma + 1);
    bool found = false;
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      if (!matches(kShapes[i], glob)) continue;
      chosen[i] = true;
      found = true;
    }
    if (!found) return fail(fmt::format("no shape is called \"{}\"", glob));
  }
  std::vector<BenchShape> shapes;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (chosen[i]) shapes.push_back(kShapes[i]);
  }
  return shapes;
}

std::string bench_case_text(const BenchShape& shape) {
  switch (shape.id) {
#define PLUMB_BENCH_SHAPE(id, name, description, needs, text) \
  case BenchShapeId::k##id:                                   \
    return text;
#include "bench/shapes.inc"
  }
  PLUMB_CHECK(false);
}

Case bench_case(const BenchShape& shape) {
  auto value = parse_case(bench_case_text(shape), shape.name);
  PLUMB_CHECK(value.has_value());
  return *std::move(value);
}

}  // namespace plumb::bench
