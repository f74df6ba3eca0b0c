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

bool inside(Range arena, std::uint64_t address, std::uint64_t size) {
  return address >= arena.address && size <= arena.size &&
         address - arena.address <= arena.size - size;
}

Result<NativeFunction> read_function(const plumb_native_function& from, const Case& value,
                                     Range arena) {
  if (from.struct_size < sizeof(plumb_native_function))
    return fail("a function entry is too short");
  if (from.program >= value.programs.size() ||
      from.function >= value.programs[from.program].functions.size()) {
    return fail(fmt::format("no function {} of program {}", from.function, from.program));
  }
  const Function& function = value.programs[from.program].functions[from.function];
  if (!inside(arena, from.address, from.size) || from.size == 0) {
    return fail(fmt::format("code of function '{}' lies outside the arena", function.name));
  }
  const std::span offsets(from.insn_offsets, from.insn_offset_count);
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

Result<void> read_functions(const plumb_image& from, const Case& value, Range arena, Image& out) {
  std::size_t expected = 0;
  for (const Program& program : value.programs) expected += program.functions.size();
  if (from.function_count != expected) {
    return fail(fmt::format("{} functions compiled, {} asked for", from.function_count, expected));
  }
  out.functions.reserve(expected);
  for (const plumb_native_function& entry : std::span(from.functions, from.function_count)) {
    Result<NativeFunction> function = read_function(entry, value, arena);
    if (!function) return std::unexpected(function.error());
    if (out.find_function(function->program, function->function) != nullptr) {
      return fail(fmt::format("function {} of program {} is there twice", function->function,
                              function->program));
    }
    out.functions.push_back(std::move(*function));
  }
  return {};
}

Result<void> read_ranges(std::span<const plumb_range> from, Range arena, std::vector<Range>& out) {
  for (const plumb_range& range : from) {
    if (!inside(arena, range.address, range.size)) return fail("a range lies outside the arena");
    out.push_back({range.address, range.size});
  }
  return {};
}

// A plugin that was built before a field was added has shorter symbols: their size is the stride.
Result<void> read_symbols(const plumb_image& from, Range arena, std::vector<Symbol>& out) {
  if (from.symbol_count == 0) return {};
  const std::size_t stride = from.symbols->struct_size;
  if (stride < offsetof(plumb_symbol, size) || stride % alignof(plumb_symbol) != 0) {
    return fail("a symbol is too short");
  }
  const auto* const first = reinterpret_cast<const std::byte*>(from.symbols);
  for (std::size_t i = 0; i < from.symbol_count; ++i) {
    const auto& symbol = *reinterpret_cast<const plumb_symbol*>(first + i * stride);
    const std::uint64_t size = stride >= sizeof(plumb_symbol) ? symbol.size : 0;
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
  if (read) read = read_ranges({from.code_ranges, from.code_range_count}, arena, out.code);
  if (read) read = read_ranges({from.array_objects, from.array_count}, arena, out.arrays);
  if (!read) return std::unexpected(read.error());
  read = read_symbols(from, arena, out.symbols);
  if (!read) return std::unexpected(read.error());
  out.entry = out.find_function(value.enter, 0)->address;
  return out;
}

}  // namespace plumb::jit
