// SPDX-License-Identifier: GPL-2.0-or-later
#include "fuzz/image_claims.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <iterator>

#include "core/check.h"
#include "fuzz/frame_claims.h"
#include "fuzz/odd_numbers.h"
#include "gen/choices.h"
#include "gen/generate.h"

namespace plumb::fuzz {
namespace {

constexpr std::uint64_t kWord = 8;

plumb_native_function claim(std::uint32_t program, std::uint32_t function, std::uint64_t address,
                            const std::vector<std::uint32_t>& offsets) {
  plumb_native_function out{};
  out.program = program;
  out.function = function;
  out.address = address;
  out.size = offsets.back() + 16;
  out.struct_size = sizeof(out);
  out.tail_call_entry = PLUMB_OFFSET_NEVER;
  out.insn_offset_count = static_cast<std::uint32_t>(offsets.size());
  return out;
}

// Elements that lie as far apart as the stride says; what the struct does not cover is rubbish.
// Those that are no multiple of eight are not laid out: nobody may get so far.
template <typename T>
std::vector<std::uint64_t> laid_out(const std::vector<T>& elements, std::uint32_t stride) {
  constexpr std::uint32_t kMost = 4096;
  const bool is_possible = stride % kWord == 0 && stride != 0 && stride <= kMost;
  const std::uint32_t real = is_possible ? stride : sizeof(T);
  std::vector<std::uint64_t> words(
      std::max<std::size_t>(elements.size() * std::max<std::size_t>(real, sizeof(T)) / kWord, 1),
      0xabab'abab'abab'abab);
  auto* const bytes = reinterpret_cast<std::uint8_t*>(words.data());
  for (std::size_t i = 0; i < elements.size(); ++i) {
    std::memcpy(bytes + i * real, &elements[i], std::min<std::size_t>(sizeof(T), real));
  }
  return words;
}

void lie_about_a_function(gen::ChoiceStream& choices, Claims& claims) {
  plumb_native_function& function = claims.functions[choices.below(claims.functions.size())];
  auto& offsets = claims.offsets[static_cast<std::size_t>(&function - claims.functions.data())];
  const auto number = [&] { return static_cast<std::uint32_t>(odd_number(choices)); };
  switch (choices.below(15)) {
    case 0:
      function.address = odd_number(choices);
      break;
    case 1:
      function.size = number();
      break;
    case 2:
      function.program = number();
      break;
    case 3:
      function.function = number();
      break;
    case 4:
      function.tail_call_entry = number();
      break;
    case 5:
      offsets[choices.below(offsets.size())] = number();
      break;
    case 6:
      function.insn_offset_count = static_cast<std::uint32_t>(choices.below(offsets.size() + 1));
      break;
    case 7:
      function.insn_offset_count = huge_count(choices);
      break;
    case 8:  // over another one
      function.address = claims.functions[choices.below(claims.functions.size())].address +
                         static_cast<std::uint64_t>(choices.range(-4, 4));
      break;
    case 9:
      function.stack_size = number();
      break;
    case 10:
      function.struct_size = odd_stride(choices, sizeof(function));
      break;
    case 11:
      function.tail_call_entry = PLUMB_OFFSET_UNKNOWN;
      break;
    case 12:
      function.stack_size = PLUMB_SIZE_UNKNOWN;
      break;
    case 13: {
      const plumb_native_function twice = function;
      const auto same = offsets;
      claims.functions.push_back(twice);
      claims.offsets.push_back(same);
      break;
    }
    default:
      claims.functions.erase(claims.functions.begin());
      claims.offsets.erase(claims.offsets.begin());
      break;
  }
}

void lie_about_a_program(gen::ChoiceStream& choices, Claims& claims) {
  plumb_native_program& program = claims.programs[choices.below(claims.programs.size())];
  switch (choices.below(4)) {
    case 0:
      program.entry = odd_number(choices);
      break;
    case 1:
      program.program = static_cast<std::uint32_t>(odd_number(choices));
      break;
    case 2:
      program.struct_size = odd_stride(choices, sizeof(program));
      break;
    default:
      claims.programs.push_back(program);
      break;
  }
}

// About what lies in the plugin's memory.
void lie_inside(gen::ChoiceStream& choices, Claims& claims) {
  if (choices.chance(30)) return lie_about_frames(choices, claims);
  switch (choices.below(13)) {
    case 0:
      claims.code[0].size = odd_number(choices);
      break;
    case 1:
      claims.code[0].address = odd_number(choices);
      break;
    case 2:
      claims.symbols[0].address = odd_number(choices);
      break;
    case 3:
      claims.symbols[0].size = odd_number(choices);
      break;
    case 4:
      claims.symbols[0].name = nullptr;
      break;
    case 5:
      claims.function_stride = odd_stride(choices, sizeof(plumb_native_function));
      break;
    case 6:
      claims.symbol_stride = odd_stride(choices, sizeof(plumb_symbol));
      break;
    case 7:
      claims.symbols[0].kind = static_cast<std::uint32_t>(odd_number(choices));
      break;
    case 8:
      claims.symbols[0].struct_size = odd_stride(choices, sizeof(plumb_symbol));
      break;
    case 9:
      lie_about_a_program(choices, claims);
      break;
    default:
      lie_about_a_function(choices, claims);
      break;
  }
}

// About where that is and how much there is.
void lie_outside(gen::ChoiceStream& choices, Claims& claims) {
  plumb_image& image = claims.image;
  plumb_claims& frames = claims.about_frames;
  auto* const functions = reinterpret_cast<plumb_native_function*>(claims.function_bytes.data());
  switch (choices.below(20)) {
    case 0:
      image.functions = nullptr;
      break;
    case 1:
      image.code_ranges = nullptr;
      break;
    case 2:
      image.array_objects = nullptr;
      break;
    case 3:
      image.symbols = nullptr;
      break;
    case 4:
      if (claims.function_bytes.size() >= sizeof(plumb_native_function)) {
        functions->insn_offsets = nullptr;
      }
      break;
    case 5:
      image.function_count = huge_count(choices);
      break;
    case 6:
      image.code_range_count = huge_count(choices);
      break;
    case 7:
      image.array_count = huge_count(choices);
      break;
    case 8:
      image.symbol_count = huge_count(choices);
      break;
    case 9:
      image.programs = nullptr;
      break;
    case 10:
      image.program_count = huge_count(choices);
      break;
    case 11:
      image.code_range_stride = odd_stride(choices, sizeof(plumb_range));
      claims.code_bytes = laid_out(claims.code, image.code_range_stride);
      image.code_ranges = reinterpret_cast<plumb_range*>(claims.code_bytes.data());
      break;
    case 12:
      image.program_stride = odd_stride(choices, sizeof(plumb_native_program));
      claims.program_bytes = laid_out(claims.programs, image.program_stride);
      image.programs = reinterpret_cast<plumb_native_program*>(claims.program_bytes.data());
      break;
    case 13:
      frames.rows = nullptr;
      break;
    case 14:
      frames.row_count = huge_count(choices);
      break;
    case 15:
      frames.fp_ranges = nullptr;
      break;
    case 16:
      frames.fp_range_count = huge_count(choices);
      break;
    case 17:
      frames.fp_range_stride = 0;
      break;
    case 18:
      frames.struct_size = static_cast<std::uint32_t>(choices.word());
      break;
    default:
      image.struct_size = static_cast<std::uint32_t>(choices.word());
      break;
  }
}

void expect_inside(std::uint64_t address, std::uint64_t size) {
  PLUMB_CHECK(kClaimedArena.contains(address, size));
}

}  // namespace

Claims truthful(const Case& value) {
  Claims claims;
  std::uint64_t address = kClaimedArena.address + PLUMB_STUB_SIZE;
  const std::uint64_t begin = address;
  for (std::uint32_t p = 0; p < value.programs.size(); ++p) {
    for (std::uint32_t f = 0; f < value.programs[p].functions.size(); ++f) {
      auto& offsets = claims.offsets.emplace_back();
      const std::size_t slots = value.programs[p].functions[f].insns.size();
      for (std::uint32_t i = 0; i <= slots; ++i) offsets.push_back(i * 4);
      claims.functions.push_back(claim(p, f, address, offsets));
      claim_frame(claims, address, claims.functions.back().size);
      address += claims.functions.back().size;
    }
  }
  claim_end(claims, address);
  // Behind the functions: where each program is entered, and something else.
  plumb_symbol symbol{};
  symbol.struct_size = sizeof(symbol);
  symbol.kind = PLUMB_SYMBOL_THUNK;
  symbol.name = "symbol";
  symbol.address = address;
  symbol.size = kWord;
  claims.symbols = {symbol, symbol};
  claims.symbols[1].kind = PLUMB_SYMBOL_DATA;
  for (std::uint32_t p = 0; p < value.programs.size(); ++p) {
    claims.programs.push_back(
        {.struct_size = sizeof(plumb_native_program), .program = p, .entry = symbol.address});
  }
  claims.code.push_back({begin, address + kWord - begin});
  for (std::size_t i = 0; i < value.arrays.size(); ++i) claims.arrays.push_back({address, 64});
  return claims;
}

void hand_over(Claims& claims) {
  for (std::size_t i = 0; i < claims.functions.size(); ++i) {
    claims.functions[i].insn_offsets = claims.offsets[i].data();
  }
  claims.function_bytes = laid_out(claims.functions, claims.function_stride);
  claims.symbol_bytes = laid_out(claims.symbols, claims.symbol_stride);
  plumb_image& image = claims.image;
  image.struct_size = sizeof(image);
  const auto count = [](const auto& list) { return static_cast<std::uint32_t>(list.size()); };
  image.function_count = count(claims.functions);
  image.function_stride = claims.function_stride;
  image.functions = reinterpret_cast<plumb_native_function*>(claims.function_bytes.data());
  image.code_range_count = count(claims.code);
  image.code_range_stride = sizeof(plumb_range);
  image.code_ranges = claims.code.data();
  image.array_count = count(claims.arrays);
  image.array_stride = sizeof(plumb_range);
  image.array_objects = claims.arrays.data();
  image.symbol_count = count(claims.symbols);
  image.symbol_stride = claims.symbol_stride;
  image.symbols = reinterpret_cast<plumb_symbol*>(claims.symbol_bytes.data());
  image.program_count = count(claims.programs);
  image.program_stride = sizeof(plumb_native_program);
  image.programs = claims.programs.data();
  claims.row_bytes = laid_out(claims.rows, claims.row_stride);
  plumb_claims& frames = claims.about_frames;
  frames.struct_size = sizeof(frames);
  frames.row_count = count(claims.rows);
  frames.row_stride = claims.row_stride;
  frames.rows = reinterpret_cast<plumb_unwind_row*>(claims.row_bytes.data());
  frames.fp_range_count = count(claims.fp_ranges);
  frames.fp_range_stride = sizeof(plumb_range);
  frames.fp_ranges = claims.fp_ranges.data();
}

Result<Image> read_all(const Claims& claims, const Case& value, const jit::JitInfo& info) {
  Result<Image> image = jit::read_image(claims.image, value, info, kClaimedArena);
  if (!image) return image;
  const Result<void> read = jit::read_frame_claims(claims.about_frames, *image);
  if (!read) return std::unexpected(read.error());
  return image;
}

void check_image(const Image& image, const Case& value) {
  std::vector<Range> code;
  for (std::size_t p = 0; p < value.programs.size(); ++p) {
    for (std::size_t f = 0; f < value.programs[p].functions.size(); ++f) {
      const auto* function = image.find_function(static_cast<int>(p), static_cast<int>(f));
      PLUMB_CHECK(function != nullptr);
      expect_inside(function->address, function->size);
      PLUMB_CHECK(function->address >= kClaimedArena.address + PLUMB_STUB_SIZE);
      PLUMB_CHECK(std::ranges::is_sorted(function->insn_offsets));
      if (!function->insn_offsets.empty()) {  // known
        PLUMB_CHECK(function->insn_offsets.size() ==
                    value.programs[p].functions[f].insns.size() + 1);
        PLUMB_CHECK(function->insn_offsets.back() <= function->size);
      }
      PLUMB_CHECK(function->tail_call_entry.value_or(0) < function->size);
      PLUMB_CHECK(function->fp_end <= function->size);  // of claims(): there are no others here
      code.push_back({function->address, function->size});
    }
  }
  std::ranges::sort(code, {}, &Range::address);
  for (std::size_t i = 1; i < code.size(); ++i) {
    PLUMB_CHECK(code[i - 1].address + code[i - 1].size <= code[i].address);
  }
  for (const Range& range : image.code) expect_inside(range.address, range.size);
  PLUMB_CHECK(image.arrays.empty() || image.arrays.size() == value.arrays.size());
  PLUMB_CHECK(image.program_entries.empty() ||
              image.program_entries.size() == value.programs.size());
  for (const std::uint64_t entry : image.program_entries) expect_inside(entry, 1);
  expect_inside(image.entry, 1);
  for (const Range& range : image.arrays) expect_inside(range.address, range.size);
  for (const Symbol& symbol : image.symbols) expect_inside(symbol.address, symbol.size);
  check_rows(image);
}

Taken read_claims(std::span<const std::uint8_t> bytes) {
  gen::ChoiceStream choices(bytes);
  const Case value = gen::generate(choices.below(64));
  Claims claims = truthful(value);
  const int lies = choices.range(0, 2);
  for (int i = 0; i < lies && !claims.functions.empty(); ++i) lie_inside(choices, claims);
  hand_over(claims);
  const int others = choices.range(0, 1);
  for (int i = 0; i < others; ++i) lie_outside(choices, claims);
  const jit::JitInfo info{};
  const auto read = read_all(claims, value, info);
  PLUMB_CHECK(read.has_value() || (lies + others > 0 && !read.error().message.empty()));
  if (!read) return Taken::kNo;
  check_image(*read, value);
  return Taken::kYes;
}

}  // namespace plumb::fuzz
