// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/image_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>

#include "core/guest.h"

namespace plumb::jit {
namespace {

// More of anything is no description of an image.
constexpr std::uint32_t kMostRanges = 1u << 16;
constexpr std::uint32_t kMostSymbols = 1u << 16;
constexpr std::uint32_t kLongestEntry = 4096;

// What a plugin says elements of an array have as their size, which is the stride: shorter than
// ours when the plugin was built before a field was added, longer when after.
template <typename T>
Result<std::size_t> stride_of(const T* first, std::size_t least, const char* what) {
  const std::uint32_t stride = first->struct_size;
  if (stride < least) return fail(fmt::format("a {} is too short", what));
  if (stride > kLongestEntry || stride % alignof(T) != 0) {
    return fail(fmt::format("{} is no size of a {}", stride, what));
  }
  return stride;
}

// The i-th element, or null: it says that it has another size than the first.
template <typename T>
const T* element(const T* first, std::size_t stride, std::size_t i) {
  const auto* const bytes = reinterpret_cast<const std::byte*>(first) + i * stride;
  const auto* const found = reinterpret_cast<const T*>(bytes);
  return found->struct_size == stride ? found : nullptr;
}

// The part of the arena that is the plugin's.
Range behind_stubs(Range arena) {
  const std::uint64_t stubs = std::min<std::uint64_t>(arena.size, PLUMB_STUB_SIZE);
  return {arena.address + stubs, arena.size - stubs};
}

bool inside(Range arena, std::uint64_t address, std::uint64_t size) {
  return address >= arena.address && size <= arena.size &&
         address - arena.address <= arena.size - size;
}

Result<NativeFunction> read_function(const plumb_native_function& from, const Case& value,
                                     Range arena) {
  if (from.program >= value.programs.size() ||
      from.function >= value.programs[from.program].functions.size()) {
    return fail(fmt::format("no function {} of program {}", from.function, from.program));
  }
  const Function& function = value.programs[from.program].functions[from.function];
  if (!inside(behind_stubs(arena), from.address, from.size) || from.size == 0) {
    return fail(fmt::format("code of function '{}' lies outside the arena", function.name));
  }
  const bool has_offsets = from.insn_offsets != nullptr;
  const std::span offsets(from.insn_offsets, has_offsets ? from.insn_offset_count : 0);
  if (offsets.size() != function.insns.size() + 1 || !std::ranges::is_sorted(offsets) ||
      offsets.back() > from.size) {
    return fail(fmt::format("instruction offsets of function '{}' are wrong", function.name));
  }
  NativeFunction out;
  out.program = static_cast<int>(from.program);
  out.function = static_cast<int>(from.function);
  out.address = from.address;
  out.size = from.size;
  if (from.tail_call_entry != std::numeric_limits<std::uint32_t>::max()) {
    if (from.tail_call_entry >= from.size) {
      return fail(fmt::format("tail-call entry of function '{}' is outside", function.name));
    }
    out.tail_call_entry = from.tail_call_entry;
  }
  out.stack_size = from.stack_size;
  out.tail_call_reachable = from.tail_call_reachable != 0;
  out.insn_offsets.assign(offsets.begin(), offsets.end());
  return out;
}

Result<void> expect_apart(std::span<const NativeFunction> functions) {
  std::vector<Range> code;
  for (const NativeFunction& function : functions) {
    code.push_back({function.address, function.size});
  }
  std::ranges::sort(code, {}, &Range::address);
  for (std::size_t i = 1; i < code.size(); ++i) {
    if (code[i].address - code[i - 1].address < code[i - 1].size) {
      return fail("the code of two functions overlaps");
    }
  }
  return {};
}

Result<void> read_functions(const plumb_image& from, const Case& value, Range arena, Image& out) {
  std::size_t expected = 0;
  for (const Program& program : value.programs) expected += program.functions.size();
  if (from.function_count != expected) {
    return fail(fmt::format("{} functions compiled, {} asked for", from.function_count, expected));
  }
  if (from.functions == nullptr) return fail("there is no list of functions");
  const auto stride = stride_of(from.functions, sizeof(plumb_native_function), "function entry");
  if (!stride) return std::unexpected(stride.error());
  out.functions.reserve(expected);
  for (std::size_t i = 0; i < expected; ++i) {
    const plumb_native_function* const entry = element(from.functions, *stride, i);
    if (entry == nullptr) return fail("function entries have more than one size");
    Result<NativeFunction> function = read_function(*entry, value, arena);
    if (!function) return std::unexpected(function.error());
    if (out.find_function(function->program, function->function) != nullptr) {
      return fail(fmt::format("function {} of program {} is there twice", function->function,
                              function->program));
    }
    out.functions.push_back(std::move(*function));
  }
  return expect_apart(out.functions);
}

Result<void> read_ranges(const plumb_range* from, std::uint32_t count, Range arena,
                         std::vector<Range>& out) {
  if (count > kMostRanges) return fail(fmt::format("{} ranges are too many", count));
  if (count != 0 && from == nullptr) return fail("there is no list of ranges");
  for (const plumb_range& range : std::span(from, count)) {
    if (!inside(arena, range.address, range.size)) return fail("a range lies outside the arena");
    out.push_back({range.address, range.size});
  }
  return {};
}

Result<void> read_symbols(const plumb_image& from, Range arena, std::vector<Symbol>& out) {
  if (from.symbol_count == 0) return {};
  if (from.symbol_count > kMostSymbols) return fail("there are too many symbols");
  if (from.symbols == nullptr) return fail("there is no list of symbols");
  const auto stride = stride_of(from.symbols, offsetof(plumb_symbol, size), "symbol");
  if (!stride) return std::unexpected(stride.error());
  for (std::size_t i = 0; i < from.symbol_count; ++i) {
    const plumb_symbol* const entry = element(from.symbols, *stride, i);
    if (entry == nullptr) return fail("symbols have more than one size");
    const plumb_symbol& symbol = *entry;
    const std::uint64_t size = *stride >= sizeof(plumb_symbol) ? symbol.size : 0;
    if (symbol.name == nullptr || !inside(arena, symbol.address, size)) {
      return fail("a symbol lies outside the arena, or has no name");
    }
    out.push_back({.name = symbol.name,
                   .address = symbol.address,
                   .is_thunk = symbol.kind == PLUMB_SYMBOL_THUNK,
                   .size = size});
  }
  return {};
}

}  // namespace

Result<Image> read_image(const plumb_image& from, const Case& value, const JitInfo& info,
                         Range arena) {
  Image out;
  out.arch = info.arch;
  out.jit = info.name;
  out.family = info.family;
  out.contract = info.contract;
  out.registers = info.registers;
  out.frame = info.frame;
  out.landing = info.landing;
  out.arena = arena;
  out.placement = guest::placement(value, arena);
  const std::size_t arrays = value.arrays.size();
  if (from.array_count != arrays) return fail("prog arrays are missing");
  Result<void> read = read_functions(from, value, arena, out);
  if (read) read = read_ranges(from.code_ranges, from.code_range_count, arena, out.code);
  if (read) read = read_ranges(from.array_objects, from.array_count, arena, out.arrays);
  if (!read) return std::unexpected(read.error());
  read = read_symbols(from, arena, out.symbols);
  if (!read) return std::unexpected(read.error());
  out.entry = out.find_function(value.enter, 0)->address;
  return out;
}

}  // namespace plumb::jit
