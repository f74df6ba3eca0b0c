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
      {"no claims about frames", kNothing,
       [](Claims& c) {
         c.about_frames = {};
         c.about_frames.struct_size = sizeof(plumb_claims);
       },
       ""},
      {"claims of an older plugin", kNothing,
       [](Claims& c) { c.about_frames.struct_size = offsetof(plumb_claims, fp_range_count); }, ""},
      {"rows of a newer plugin", [](Claims& c) { c.row_stride += 8; }, kNothing, ""},
      {"a row that knows nothing",
       [](Claims& c) {
         c.rows[1].cfa_register = PLUMB_NO_REGISTER;
         c.rows[1].fp_rule = c.rows[1].ra_rule = 9;
         c.rows[1].cfa_offset = 1;
       },
       kNothing, ""},
      {"short claims", kNothing, [](Claims& c) { c.about_frames.struct_size = 8; },
       "claims.struct_size is 8: 24 or more"},
      {"no rows", kNothing, [](Claims& c) { c.about_frames.rows = nullptr; },
       "claims.rows is null, claims.row_count is 5"},
      {"too many rows", kNothing, [](Claims& c) { c.about_frames.row_count = ~0u; },
       "claims.row_count is 4294967295: at most 57"},
      {"rows without a stride", [](Claims& c) { c.row_stride = 0; }, kNothing,
       "claims.row_stride is 0: a multiple of 8 from 32 to 4096"},
      {"a row without a size", [](Claims& c) { c.rows[1].struct_size = 0; }, kNothing,
       "claims.rows[1].struct_size is 0: from 32 to claims.row_stride, 32"},
      {"rows that descend", [](Claims& c) { std::swap(c.rows[1], c.rows[2]); }, kNothing,
       "claims.rows[2].address is 0x40010004: above that of the row before, 0x40010018"},
      {"two rows in one place", [](Claims& c) { c.rows[1].address = c.rows[0].address; }, kNothing,
       "claims.rows[1].address is"},
      {"a row among the stubs", [](Claims& c) { c.rows[0].address = kClaimedArena.address; },
       kNothing, "claims.rows[0] is for 0x40000000, which lies in no code range"},
      {"a row behind the code", [](Claims& c) { c.rows.back().address += 9; }, kNothing,
       "claims.rows[4] is for"},
      {"rows that end where the code does", [](Claims& c) { c.rows.back().address += 8; }, kNothing,
       ""},
      {"a frame where the code ends",
       [](Claims& c) {
         c.rows[3].address = c.rows[4].address + 8;
         c.rows.pop_back();
       },
       kNothing, "claims.rows[3] is for"},
      {"rows without an end", [](Claims& c) { c.rows.pop_back(); }, kNothing,
       "claims.rows[3] is the last one: its cfa_register has to be PLUMB_NO_REGISTER"},
      {"a frame address by nothing", [](Claims& c) { c.rows[0].cfa_register = 0; }, kNothing,
       "claims.rows[0].cfa_register is 0: 5, the stack pointer, 6, the frame pointer, or"},
      {"a frame address by rax", [](Claims& c) { c.rows[0].cfa_register = PLUMB_REGISTER(0); },
       kNothing, "claims.rows[0].cfa_register is 1: "},
      {"half a word", [](Claims& c) { c.rows[0].cfa_offset = 12; }, kNothing,
       "claims.rows[0].cfa_offset is 12: a multiple of 8 from -1048576 to 1048576"},
      {"a frame pointer far away", [](Claims& c) { c.rows[1].fp_offset = -(1 << 20) - 8; },
       kNothing, "claims.rows[1].fp_offset is -1048584: "},
      {"a return address far away", [](Claims& c) { c.rows[1].ra_offset = (1 << 20) + 8; },
       kNothing, "claims.rows[1].ra_offset is 1048584: "},
      {"what is as far as it may be", [](Claims& c) { c.rows[1].fp_offset = -(1 << 20); }, kNothing,
       ""},
      {"a frame pointer in another register",
       [](Claims& c) { c.rows[0].fp_rule = PLUMB_SAVED_IN_REGISTER; }, kNothing,
       "claims.rows[0].fp_rule is 3: 1 or 2"},
      {"a frame pointer that is unknown",
       [](Claims& c) { c.rows[0].fp_rule = PLUMB_SAVED_UNKNOWN; }, kNothing,
       "claims.rows[0].fp_rule is 0: 1 or 2"},
      {"a return address in a register",
       [](Claims& c) { c.rows[0].ra_rule = PLUMB_SAVED_IN_REGISTER; }, kNothing,
       "claims.rows[0].ra_rule is 3: 2, where a call stores it"},
      {"no ranges of the frame pointer", kNothing,
       [](Claims& c) { c.about_frames.fp_ranges = nullptr; },
       "claims.fp_ranges is null, claims.fp_range_count is 2"},
      {"a frame pointer outside the code",
       [](Claims& c) { c.fp_ranges[1].address = kClaimedArena.address; }, kNothing,
       "claims.fp_ranges[1] lies in no code range: 0x40000000, "},
      {"a frame pointer over two functions", [](Claims& c) { c.fp_ranges[0].size += 1; }, kNothing,
       ""},
      {"two ranges of one function", [](Claims& c) { c.fp_ranges[1] = c.fp_ranges[0]; }, kNothing,
       "claims.fp_ranges[1] is the second one of function 0 of program 0"},
      {"a range that the function has, too",
       [](Claims& c) {
         c.functions[1].fp_begin = 1;
         c.functions[1].fp_end = 2;
       },
       kNothing, "claims.fp_ranges[1] is the second one of function 1 of program 0"},
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
    const auto read = read_all(claims, value, info);
    EXPECT_EQ(read.has_value(), std::string_view(row.says).empty());
    if (read) {
      check_image(*read, value);
    } else {
      EXPECT_NE(read.error().message.find(row.says), std::string::npos) << read.error().message;
    }
  }
}

Result<Image> read_changed(Arch arch, const std::function<void(Claims&)>& change) {
  const Case value = two_functions();
  Claims claims = truthful(value);
  change(claims);
  hand_over(claims);
  jit::JitInfo info{};
  info.arch = arch;
  return read_all(claims, value, info);
}

TEST(ImageClaims, OfFramesEndInTheImage) {
  using unwind::Row;
  const Result<Image> image = read_changed(Arch::kX86_64, [](Claims&) {});
  ASSERT_TRUE(image.has_value()) << image.error().str();
  const std::uint64_t at = image->functions[0].address;
  const std::uint64_t sub = image->functions[1].address;
  const Row called{.base = Row::Base::kStackPointer, .cfa_offset = 8, .ra_offset = -8};
  const Row framed{.cfa_offset = 16, .fp_offset = -16, .ra_offset = -8};
  std::vector<Row> expected{called, framed, called, framed, {.kind = Row::Kind::kUnknown}};
  const std::uint64_t begins[] = {at, at + 4, sub, sub + 4, sub + image->functions[1].size};
  for (std::size_t i = 0; i < expected.size(); ++i) expected[i].begin = begins[i];
  EXPECT_EQ(image->unwind_rows, expected);
  for (const NativeFunction& function : image->functions) {
    EXPECT_EQ(function.fp_begin, 4u);
    EXPECT_EQ(function.fp_end, function.size);
  }
}

// Where the return address may be in its register.
TEST(ImageClaims, OfFramesAreInTheRegistersOfTheArchitecture) {
  const struct {
    Arch arch;
    std::uint8_t sp, fp, link;
  } rows[] = {{Arch::kArm64, 31, 29, 30}, {Arch::kRiscv64, 2, 8, 1}};
  for (const auto& row : rows) {
    const auto in_its_registers = [&](Claims& c) {
      for (plumb_unwind_row& r : c.rows) {
        if (r.cfa_register == PLUMB_REGISTER(4)) r.cfa_register = PLUMB_REGISTER(row.sp);
        if (r.cfa_register == PLUMB_REGISTER(5)) r.cfa_register = PLUMB_REGISTER(row.fp);
      }
    };
    for (const plumb_saved_rule rule : {PLUMB_SAVED_SAME, PLUMB_SAVED_IN_REGISTER}) {
      const Result<Image> image = read_changed(row.arch, [&](Claims& c) {
        in_its_registers(c);
        c.rows[0].ra_rule = static_cast<std::uint8_t>(rule);
        c.rows[0].ra_register = PLUMB_REGISTER(row.link);
      });
      ASSERT_TRUE(image.has_value()) << image.error().str();
      EXPECT_EQ(image->unwind_rows[0].base, unwind::Row::Base::kStackPointer);
      EXPECT_EQ(image->unwind_rows[0].ra_offset, std::nullopt);
      EXPECT_EQ(image->unwind_rows[1].base, unwind::Row::Base::kFramePointer);
      EXPECT_EQ(image->unwind_rows[1].ra_offset, -8);
    }
    const Result<Image> elsewhere = read_changed(row.arch, [&](Claims& c) {
      in_its_registers(c);
      c.rows[0].ra_rule = PLUMB_SAVED_IN_REGISTER;
      c.rows[0].ra_register = PLUMB_REGISTER(9);
    });
    ASSERT_FALSE(elsewhere.has_value());
    EXPECT_NE(elsewhere.error().message.find("claims.rows[0].ra_register is 10: "),
              std::string::npos)
        << elsewhere.error().message;
    const Result<Image> nowhere = read_changed(row.arch, [&](Claims& c) {
      in_its_registers(c);
      c.rows[0].ra_rule = PLUMB_SAVED_UNKNOWN;
    });
    ASSERT_FALSE(nowhere.has_value());
    EXPECT_NE(nowhere.error().message.find("claims.rows[0].ra_rule is 0: from 1 to 3"),
              std::string::npos)
        << nowhere.error().message;
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
