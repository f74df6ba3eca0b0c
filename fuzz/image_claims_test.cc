// SPDX-License-Identifier: GPL-2.0-or-later
#include "fuzz/image_claims.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "core/case_text.h"
#include "core/rng.h"

namespace plumb::fuzz {
namespace {

Case two_functions() {
  auto value = parse_case(
      ".case 1\n.array jmp 1\n.slot jmp 0 entry\n.program entry\n.function main\n"
      "        call sub\n        exit\n.function sub\n        r0 = 1\n        exit\n");
  EXPECT_TRUE(value.has_value()) << value.error().str();
  return *std::move(value);
}

struct Row {
  const char* name;
  std::function<void(Claims&)> inside;   // before the plugin hands over
  std::function<void(Claims&)> outside;  // behind that
  const char* says;                      // part of the refusal; empty: it is taken
};

plumb_native_function& handed_over(Claims& claims) {
  return *reinterpret_cast<plumb_native_function*>(claims.function_bytes.data());
}

const std::vector<Row>& rows() {
  constexpr auto kNothing = [](Claims&) {};
  static const std::vector<Row> table{
      {"the truth", kNothing, kNothing, ""},
      {"functions of a newer plugin", [](Claims& c) { c.function_stride += 16; }, kNothing, ""},
      {"symbols of a newer plugin", [](Claims& c) { c.symbol_stride += 64; }, kNothing, ""},
      {"symbols of an older plugin",
       [](Claims& c) { c.symbol_stride = offsetof(plumb_symbol, size); }, kNothing, ""},
      {"no functions", kNothing, [](Claims& c) { c.image.functions = nullptr; }, "functions"},
      {"no code", kNothing, [](Claims& c) { c.image.code_ranges = nullptr; }, "ranges"},
      {"no arrays", kNothing, [](Claims& c) { c.image.array_objects = nullptr; }, "ranges"},
      {"no symbols", kNothing, [](Claims& c) { c.image.symbols = nullptr; }, "symbols"},
      {"no offsets", kNothing, [](Claims& c) { handed_over(c).insn_offsets = nullptr; }, "offsets"},
      {"too many functions", kNothing, [](Claims& c) { c.image.function_count = ~0u; }, "compiled"},
      {"too many ranges", kNothing, [](Claims& c) { c.image.code_range_count = ~0u; }, "ranges"},
      {"too many arrays", kNothing, [](Claims& c) { c.image.array_count = ~0u; }, "arrays"},
      {"too many symbols", kNothing, [](Claims& c) { c.image.symbol_count = ~0u; }, "symbols"},
      {"too many offsets", kNothing, [](Claims& c) { handed_over(c).insn_offset_count = ~0u; },
       "offsets"},
      {"functions without a size", [](Claims& c) { c.function_stride = 0; }, kNothing, "too short"},
      {"short functions", [](Claims& c) { c.function_stride -= 8; }, kNothing, "too short"},
      {"huge functions", [](Claims& c) { c.function_stride = ~0u; }, kNothing, "size"},
      {"odd functions", [](Claims& c) { c.function_stride += 1; }, kNothing, "size"},
      {"functions of two sizes", kNothing, [](Claims& c) { (&handed_over(c))[1].struct_size += 8; },
       "size"},
      {"symbols without a size", [](Claims& c) { c.symbol_stride = 0; }, kNothing, "too short"},
      {"huge symbols", [](Claims& c) { c.symbol_stride = 0xffff'fff8; }, kNothing, "size"},
      {"symbols of two sizes", kNothing,
       [](Claims& c) {
         (reinterpret_cast<plumb_symbol*>(c.symbol_bytes.data()) + 1)->struct_size += 8;
       },
       "size"},
      {"a symbol without a name", [](Claims& c) { c.symbols[1].name = nullptr; }, kNothing, "name"},
      {"code among the stubs", [](Claims& c) { c.functions[0].address -= 4; }, kNothing, "outside"},
      {"two functions in one place",
       [](Claims& c) { c.functions[1].address = c.functions[0].address; }, kNothing, "overlap"},
      {"two functions that share a byte", [](Claims& c) { --c.functions[1].address; }, kNothing,
       "overlap"},
      {"a function that wraps around",
       [](Claims& c) { c.functions[1].address = ~std::uint64_t{0} - 3; }, kNothing, "outside"},
  };
  return table;
}

TEST(ImageClaims, AreTakenWhenTheyAreTrueAndRefusedWhenNot) {
  const Case value = two_functions();
  for (const Row& row : rows()) {
    SCOPED_TRACE(row.name);
    Claims claims = truthful(value);
    row.inside(claims);
    hand_over(claims);
    row.outside(claims);
    const jit::JitInfo info{};
    const auto read = jit::read_image(claims.image, value, info, kClaimedArena);
    EXPECT_EQ(read.has_value(), std::string_view(row.says).empty());
    if (read) {
      check_image(*read, value);
    } else {
      EXPECT_NE(read.error().message.find(row.says), std::string::npos) << read.error().message;
    }
  }
}

// What the fuzz target does, for a fixed number of inputs.
TEST(ImageClaims, FromAnyBytesEndInAnImageOrARefusal) {
  constexpr int kInputs = 20'000;
  Rng rng(1);
  int taken = 0;
  for (int i = 0; i < kInputs; ++i) {
    std::vector<std::uint8_t> bytes(rng.below(40));
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(rng.next());
    taken += read_claims(bytes) == Taken::kYes;
  }
  EXPECT_GE(taken, kInputs / 10);
  EXPECT_GE(kInputs - taken, kInputs / 10);
}

}  // namespace
}  // namespace plumb::fuzz
