// SPDX-License-Identifier: GPL-2.0-or-later
//
// A plugin's claims about its image: a truthful description with some fields taken from the input.
// read_image() refuses it, or returns an image in which everything lies where it may lie.
#include <fmt/core.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <vector>

#include "core/check.h"
#include "fuzz/command_line.h"
#include "gen/choices.h"
#include "gen/generate.h"
#include "jit_under_test/image_reader.h"

namespace {

using namespace plumb;

constexpr Range kArena{0x4000'0000, 0x10'0000};

// What a plugin hands over, and the memory that it points into.
struct Claims {
  std::vector<plumb_native_function> functions;
  std::vector<std::vector<std::uint32_t>> offsets;
  std::vector<plumb_range> code;
  std::vector<plumb_range> arrays;
  std::vector<plumb_symbol> symbols;
  plumb_image image{};
};

plumb_native_function claim(std::uint32_t program, std::uint32_t function, std::uint64_t address,
                            const std::vector<std::uint32_t>& offsets) {
  plumb_native_function out{};
  out.struct_size = sizeof(out);
  out.program = program;
  out.function = function;
  out.address = address;
  out.size = offsets.back() + 16;
  out.tail_call_entry = std::numeric_limits<std::uint32_t>::max();
  out.insn_offsets = offsets.data();
  out.insn_offset_count = static_cast<std::uint32_t>(offsets.size());
  return out;
}

Claims truthful(const Case& value) {
  Claims claims;
  std::uint64_t address = kArena.address + 0x1000;
  for (std::uint32_t p = 0; p < value.programs.size(); ++p) {
    for (std::uint32_t f = 0; f < value.programs[p].functions.size(); ++f) {
      auto& offsets = claims.offsets.emplace_back();
      const std::size_t slots = value.programs[p].functions[f].insns.size();
      for (std::uint32_t i = 0; i <= slots; ++i) offsets.push_back(i * 4);
      claims.functions.push_back(claim(p, f, address, offsets));
      address += claims.functions.back().size;
    }
  }
  claims.code.push_back({kArena.address + 0x1000, address - kArena.address - 0x1000});
  for (std::size_t i = 0; i < value.arrays.size(); ++i) claims.arrays.push_back({address, 64});
  plumb_symbol symbol{};
  symbol.struct_size = sizeof(symbol);
  symbol.name = "symbol";
  symbol.address = kArena.address;
  claims.symbols.push_back(symbol);
  return claims;
}

// Numbers near what the reader compares with.
std::uint64_t odd_number(gen::ChoiceStream& choices) {
  const std::uint64_t base[] = {0, kArena.address, kArena.address + kArena.size,
                                std::numeric_limits<std::uint64_t>::max(), kArena.size};
  const std::uint64_t number = base[choices.below(std::size(base))];
  const int distance = choices.range(-9, 9);
  return choices.chance(80) ? number + static_cast<std::uint64_t>(distance) : choices.word();
}

void lie(gen::ChoiceStream& choices, Claims& claims) {
  plumb_native_function& function = claims.functions[choices.below(claims.functions.size())];
  auto& offsets = claims.offsets[static_cast<std::size_t>(&function - claims.functions.data())];
  switch (choices.below(13)) {
    case 0:
      function.address = odd_number(choices);
      break;
    case 1:
      function.size = static_cast<std::uint32_t>(odd_number(choices));
      break;
    case 2:
      function.program = static_cast<std::uint32_t>(odd_number(choices));
      break;
    case 3:
      function.function = static_cast<std::uint32_t>(odd_number(choices));
      break;
    case 4:
      function.tail_call_entry = static_cast<std::uint32_t>(odd_number(choices));
      break;
    case 5:
      offsets[choices.below(offsets.size())] = static_cast<std::uint32_t>(odd_number(choices));
      break;
    case 6:
      function.insn_offset_count = static_cast<std::uint32_t>(choices.below(offsets.size() + 1));
      break;
    case 7:
      claims.code[0].size = odd_number(choices);
      break;
    case 8:
      claims.code[0].address = odd_number(choices);
      break;
    case 9:
      claims.symbols[0].address = odd_number(choices);
      break;
    case 10:
      claims.symbols[0].size = odd_number(choices);
      break;
    case 11:
      claims.functions.push_back(function);
      claims.offsets.push_back(offsets);
      break;
    default:
      claims.functions.erase(claims.functions.begin());
      claims.offsets.erase(claims.offsets.begin());
      break;
  }
}

void expect_inside(std::uint64_t address, std::uint64_t size) {
  PLUMB_CHECK(address >= kArena.address && size <= kArena.size &&
              address - kArena.address <= kArena.size - size);
}

void check_image(const Image& image, const Case& value) {
  for (std::size_t p = 0; p < value.programs.size(); ++p) {
    for (std::size_t f = 0; f < value.programs[p].functions.size(); ++f) {
      const auto* function = image.find_function(static_cast<int>(p), static_cast<int>(f));
      PLUMB_CHECK(function != nullptr);
      expect_inside(function->address, function->size);
      PLUMB_CHECK(std::ranges::is_sorted(function->insn_offsets));
      PLUMB_CHECK(function->insn_offsets.size() == value.programs[p].functions[f].insns.size() + 1);
      PLUMB_CHECK(function->insn_offsets.back() <= function->size);
      PLUMB_CHECK(function->tail_call_entry.value_or(0) < function->size);
    }
  }
  for (const Range& range : image.code) expect_inside(range.address, range.size);
  for (const Range& range : image.arrays) expect_inside(range.address, range.size);
  for (const Symbol& symbol : image.symbols) expect_inside(symbol.address, symbol.size);
}

// What became of the claims: both have to happen.
struct Tally {
  std::uint64_t taken = 0;
  std::uint64_t refused = 0;
};
Tally& tally() {
  static Tally the_tally;
  return the_tally;
}
void print_tally() {
  fmt::print(stderr, "plumb: {} images taken, {} refused\n", tally().taken, tally().refused);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv);
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  abort_on_failed_checks();
  std::atexit(print_tally);
  fuzz::add_default_flags(argc, argv);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  gen::ChoiceStream choices(std::span(data, size));
  const Case value = gen::generate(choices.below(64));
  Claims claims = truthful(value);
  const int lies = choices.range(0, 3);
  for (int i = 0; i < lies && !claims.functions.empty(); ++i) lie(choices, claims);
  for (std::size_t i = 0; i < claims.functions.size(); ++i) {
    claims.functions[i].insn_offsets = claims.offsets[i].data();
  }
  plumb_image& image = claims.image;
  image.struct_size = sizeof(image);
  image.functions = claims.functions.data();
  image.function_count = static_cast<std::uint32_t>(claims.functions.size());
  image.code_ranges = claims.code.data();
  image.code_range_count = static_cast<std::uint32_t>(claims.code.size());
  image.array_objects = claims.arrays.data();
  image.array_count = static_cast<std::uint32_t>(claims.arrays.size());
  image.symbols = claims.symbols.data();
  image.symbol_count = static_cast<std::uint32_t>(claims.symbols.size());
  const jit::JitInfo info{};
  const auto read = jit::read_image(image, value, info, kArena);
  PLUMB_CHECK(read.has_value() || (lies > 0 && !read.error().message.empty()));
  ++(read ? tally().taken : tally().refused);
  if (read) check_image(*read, value);
  return 0;
}
