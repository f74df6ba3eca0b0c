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
       [](Claims& c) {
         c.symbol_stride = offsetof(plumb_symbol, size);
         for (plumb_symbol& symbol : c.symbols) symbol.struct_size = c.symbol_stride;
       },
       kNothing, ""},
      {"an older plugin", kNothing,
       [](Claims& c) { c.image.struct_size = offsetof(plumb_image, program_count); }, ""},
      {"a newer plugin", kNothing, [](Claims& c) { c.image.struct_size += 64; }, ""},
      {"no offsets", kNothing, [](Claims& c) { handed_over(c).insn_offsets = nullptr; }, ""},
      {"a JIT without tail calls", [](Claims& c) { c.arrays.clear(); }, kNothing, ""},
      {"where tail calls land is unknown",
       [](Claims& c) { c.functions[0].tail_call_entry = PLUMB_OFFSET_UNKNOWN; }, kNothing, ""},
      {"the stack is unknown", [](Claims& c) { c.functions[0].stack_size = PLUMB_SIZE_UNKNOWN; },
       kNothing, ""},
      {"entered at the main function",
       [](Claims& c) { c.programs[0].entry = c.functions[0].address; }, kNothing, ""},
      {"no functions", kNothing, [](Claims& c) { c.image.functions = nullptr; },
       "functions is null, function_count is 2"},
      {"no code", kNothing, [](Claims& c) { c.image.code_ranges = nullptr; },
       "code_ranges is null"},
      {"no code ranges", [](Claims& c) { c.code.clear(); }, kNothing,
       "code of functions[0] lies in no code range"},
      {"no arrays", kNothing, [](Claims& c) { c.image.array_objects = nullptr; },
       "array_objects is null"},
      {"no symbols", kNothing, [](Claims& c) { c.image.symbols = nullptr; }, "symbols is null"},
      {"no programs", kNothing, [](Claims& c) { c.image.programs = nullptr; }, "programs is null"},
      {"too many functions", kNothing, [](Claims& c) { c.image.function_count = ~0u; }, "compiled"},
      {"too many ranges", kNothing, [](Claims& c) { c.image.code_range_count = ~0u; },
       "code_range_count is 4294967295: at most 65536"},
      {"too many arrays", kNothing, [](Claims& c) { c.image.array_count = ~0u; },
       "array_count is 4294967295: 1, one for each"},
      {"too many symbols", kNothing, [](Claims& c) { c.image.symbol_count = ~0u; },
       "symbol_count is"},
      {"too many programs", kNothing, [](Claims& c) { c.image.program_count = 2; },
       "program_count is 2: at most 1"},
      {"too many offsets", kNothing, [](Claims& c) { handed_over(c).insn_offset_count = ~0u; },
       "functions[0].insn_offset_count is 4294967295: 3, one for each slot and one"},
      {"offsets that decrease",
       [](Claims& c) {
         c.offsets[0][1] = 0;
         c.offsets[0][0] = 4;
       },
       kNothing, "functions[0].insn_offsets[1] is 0: from 4"},
      {"functions without a stride", [](Claims& c) { c.function_stride = 0; }, kNothing,
       "function_stride is 0"},
      {"huge functions", [](Claims& c) { c.function_stride = ~0u; }, kNothing,
       "function_stride is"},
      {"odd functions", [](Claims& c) { c.function_stride += 1; }, kNothing,
       "function_stride is 57: a multiple of 8 from 32 to 4096"},
      {"functions without a size", [](Claims& c) { c.functions[1].struct_size = 0; }, kNothing,
       "functions[1].struct_size is 0: from 32 to function_stride, 56"},
      {"functions longer than their stride", [](Claims& c) { c.functions[1].struct_size += 8; },
       kNothing, "functions[1].struct_size is 64"},
      {"symbols without a stride", [](Claims& c) { c.symbol_stride = 0; }, kNothing,
       "symbol_stride is 0"},
      {"huge symbols", [](Claims& c) { c.symbol_stride = 0xffff'fff8; }, kNothing,
       "symbol_stride is"},
      {"ranges without a stride", kNothing, [](Claims& c) { c.image.code_range_stride = 0; },
       "code_range_stride is 0"},
      {"a short image", kNothing, [](Claims& c) { c.image.struct_size = 8; },
       "image.struct_size is 8: "},
      {"a symbol without a name", [](Claims& c) { c.symbols[1].name = nullptr; }, kNothing,
       "symbols[1] has no name"},
      {"a symbol of no kind", [](Claims& c) { c.symbols[1].kind = 3; }, kNothing,
       "symbols[1].kind is 3: from 1 to 2"},
      {"a thunk in a function", [](Claims& c) { c.symbols[0].address -= 4; }, kNothing,
       "a thunk, lies in function 1 of program 0"},
      {"a thunk outside the code", [](Claims& c) { c.symbols[0].address += 4; }, kNothing,
       "symbols[0], a thunk, lies in no code range"},
      {"code among the stubs", [](Claims& c) { c.functions[0].address -= 4; }, kNothing,
       "outside the arena"},
      {"two functions in one place",
       [](Claims& c) { c.functions[1].address = c.functions[0].address; }, kNothing, "overlaps"},
      {"two functions that share a byte", [](Claims& c) { --c.functions[1].address; }, kNothing,
       "overlaps"},
      {"a function that wraps around",
       [](Claims& c) { c.functions[1].address = ~std::uint64_t{0} - 3; }, kNothing, "outside"},
      {"a function that is not there", [](Claims& c) { c.functions[1].function = 2; }, kNothing,
       "functions[1] is function 2 of program 0: there is none"},
      {"a tail call that lands outside",
       [](Claims& c) { c.functions[0].tail_call_entry = c.functions[0].size; }, kNothing,
       "functions[0].tail_call_entry is"},
      {"a stack without end", [](Claims& c) { c.functions[0].stack_size = 1u << 17; }, kNothing,
       "functions[0].stack_size is 131072: at most 65536"},
      {"an entry in no code", [](Claims& c) { c.programs[0].entry = 1; }, kNothing,
       "programs[0].entry is 0x1: neither in a function nor in a thunk"},
      {"an entry of no program", [](Claims& c) { c.programs[0].program = 1; }, kNothing,
       "programs[0].program is 1: below 1"},
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
    jit::JitInfo info{};
    info.capabilities = claims.arrays.empty() ? 0 : PLUMB_CAN_TAIL_CALL;
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
