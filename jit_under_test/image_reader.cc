// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/image_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/guest.h"
#include "jit_under_test/plugin_struct.h"
#include "jit_under_test/plugin_text.h"

namespace plumb::jit {
namespace {

// More of anything is no description of an image.
constexpr std::uint32_t kMostRanges = 1u << 16;
constexpr std::uint32_t kMostSymbols = 1u << 16;
constexpr std::uint32_t kMostStack = 1u << 16;

bool inside(Range whole, Range part) { return whole.contains(part.address, part.size); }

// Of ranges that do not wrap around.
bool overlap(Range a, Range b) {
  return a.address < b.address + b.size && b.address < a.address + a.size;
}

std::string in_words(Range range) {
  return fmt::format("{:#x}, {} bytes", range.address, range.size);
}

class ImageReader {
 public:
  ImageReader(const plumb_image& from, const Case& value, const JitInfo& info, Range arena)
      : from_(from), value_(value), info_(info), arena_(arena) {
    const std::uint64_t stubs = std::min<std::uint64_t>(arena.size, PLUMB_STUB_SIZE);
    behind_stubs_ = {arena.address + stubs, arena.size - stubs};
  }

  [[nodiscard]] Result<Image> read();

 private:
  using Step = Result<void> (ImageReader::*)();

  Result<void> read_code_ranges();
  Result<void> read_functions();
  Result<void> read_function(const plumb_native_function& from, const std::string& where);
  Result<void> read_offsets(const plumb_native_function& from, const std::string& where,
                            NativeFunction& out) const;
  Result<void> check_apart();
  Result<void> read_arrays();
  Result<void> read_symbols();
  Result<void> check_thunk(const Symbol& symbol, const std::string& where) const;
  Result<void> read_programs();
  Result<void> read_ranges(const PluginList<plumb_range>& list, std::vector<Range>& out) const;

  // Code that load() wrote, where the machine looks for it.
  [[nodiscard]] bool in_code(Range range) const {
    return inside(behind_stubs_, range) &&
           std::ranges::any_of(out_.code, [&](Range code) { return inside(code, range); });
  }

  const plumb_image& from_;
  const Case& value_;
  const JitInfo& info_;
  Range arena_;
  Range behind_stubs_;  // the part of the arena that is the plugin's
  Image out_;
};

Result<void> ImageReader::read_ranges(const PluginList<plumb_range>& list,
                                      std::vector<Range>& out) const {
  if (auto checked = list.check(kMostRanges); !checked) return checked;
  for (std::size_t i = 0; i < list.count; ++i) {
    const Result<plumb_range> range = list.at(i);
    if (!range) return std::unexpected(range.error());
    out.push_back({range->address, range->size});
    if (!inside(arena_, out.back())) {
      return fail(
          fmt::format("{} lies outside the arena: {}", list.element(i), in_words(out.back())));
    }
  }
  return {};
}

Result<void> ImageReader::read_code_ranges() {
  return read_ranges({.name = "code_ranges",
                      .of = "code_range",
                      .first = from_.code_ranges,
                      .count = from_.code_range_count,
                      .stride = from_.code_range_stride},
                     out_.code);
}

Result<void> ImageReader::read_functions() {
  const PluginList<plumb_native_function> list{.name = "functions",
                                               .of = "function",
                                               .first = from_.functions,
                                               .count = from_.function_count,
                                               .stride = from_.function_stride};
  std::size_t expected = 0;
  for (const Program& program : value_.programs) expected += program.functions.size();
  if (list.count != expected) {
    return fail(fmt::format("{} functions compiled, {} asked for", list.count, expected));
  }
  if (auto checked = list.check(list.count); !checked) return checked;
  out_.functions.reserve(expected);
  for (std::size_t i = 0; i < expected; ++i) {
    const Result<plumb_native_function> function = list.at(i);
    if (!function) return std::unexpected(function.error());
    if (auto read = read_function(*function, list.element(i)); !read) return read;
  }
  return check_apart();
}

Result<void> ImageReader::read_function(const plumb_native_function& from,
                                        const std::string& where) {
  if (from.program >= value_.programs.size() ||
      from.function >= value_.programs[from.program].functions.size()) {
    return fail(fmt::format("{} is function {} of program {}: there is none", where, from.function,
                            from.program));
  }
  NativeFunction out;
  out.program = static_cast<int>(from.program);
  out.function = static_cast<int>(from.function);
  out.address = from.address;
  out.size = from.size;
  if (out_.find_function(out.program, out.function) != nullptr) {
    return fail(fmt::format("{} is function {} of program {}, which is there twice", where,
                            from.function, from.program));
  }
  const Range code{from.address, from.size};
  if (from.size == 0 || !inside(behind_stubs_, code)) {
    return fail(fmt::format("code of {} lies outside the arena: {}", where, in_words(code)));
  }
  if (!in_code(code)) {
    return fail(fmt::format("code of {} lies in no code range: {}", where, in_words(code)));
  }
  out.tail_call_entry_unknown = from.tail_call_entry == PLUMB_OFFSET_UNKNOWN;
  if (from.tail_call_entry < PLUMB_OFFSET_UNKNOWN) {
    if (from.tail_call_entry >= from.size) {
      return out_of_range(where + ".tail_call_entry", from.tail_call_entry,
                          fmt::format("below its size, {}", from.size));
    }
    out.tail_call_entry = from.tail_call_entry;
  }
  out.stack_size.reset();
  if (from.stack_size != PLUMB_SIZE_UNKNOWN) {
    if (from.stack_size > kMostStack) {
      return out_of_range(where + ".stack_size", from.stack_size,
                          fmt::format("at most {}, or PLUMB_SIZE_UNKNOWN", kMostStack));
    }
    out.stack_size = from.stack_size;
  }
  out.tail_call_reachable = from.tail_call_reachable != 0;
  out.fp_begin = from.fp_begin;
  out.fp_end = from.fp_end;
  if (auto read = read_offsets(from, where, out); !read) return read;
  out_.functions.push_back(std::move(out));
  return {};
}

Result<void> ImageReader::read_offsets(const plumb_native_function& from, const std::string& where,
                                       NativeFunction& out) const {
  if (from.insn_offsets == nullptr) return {};
  const std::size_t slots = value_.programs[from.program].functions[from.function].insns.size();
  if (from.insn_offset_count != slots + 1) {
    return out_of_range(where + ".insn_offset_count", from.insn_offset_count,
                        fmt::format("{}, one for each slot and one", slots + 1));
  }
  out.insn_offsets.resize(from.insn_offset_count);
  std::memcpy(out.insn_offsets.data(), from.insn_offsets,
              from.insn_offset_count * sizeof(std::uint32_t));
  std::uint32_t least = 0;
  for (std::size_t i = 0; i < out.insn_offsets.size(); ++i) {
    const std::uint32_t offset = out.insn_offsets[i];
    if (offset < least || offset > from.size) {
      return out_of_range(
          fmt::format("{}.insn_offsets[{}]", where, i), offset,
          fmt::format("from {}, the one before, to {}, its size", least, from.size));
    }
    least = offset;
  }
  return {};
}

Result<void> ImageReader::check_apart() {
  std::vector<Range> code;
  code.reserve(out_.functions.size());
  for (const NativeFunction& function : out_.functions) {
    code.push_back({function.address, function.size});
  }
  std::ranges::sort(code, {}, &Range::address);
  for (std::size_t i = 1; i < code.size(); ++i) {
    if (overlap(code[i - 1], code[i])) {
      return fail(fmt::format("the code of two functions overlaps at {:#x}", code[i].address));
    }
  }
  return {};
}

Result<void> ImageReader::read_arrays() {
  constexpr std::uint64_t kTailCalls = PLUMB_CAN_TAIL_CALL | PLUMB_CAN_TAIL_CALL_IN_SUBPROGRAM;
  const bool needed = (info_.capabilities & kTailCalls) != 0 || from_.array_count != 0;
  if (needed && from_.array_count != value_.arrays.size()) {
    return out_of_range("array_count", from_.array_count,
                        fmt::format("{}, one for each prog array", value_.arrays.size()));
  }
  return read_ranges({.name = "array_objects",
                      .of = "array",
                      .first = from_.array_objects,
                      .count = from_.array_count,
                      .stride = from_.array_stride},
                     out_.arrays);
}

Result<void> ImageReader::read_symbols() {
  const PluginList<plumb_symbol> list{.name = "symbols",
                                      .of = "symbol",
                                      .first = from_.symbols,
                                      .count = from_.symbol_count,
                                      .stride = from_.symbol_stride};
  if (auto checked = list.check(kMostSymbols); !checked) return checked;
  for (std::size_t i = 0; i < list.count; ++i) {
    const Result<plumb_symbol> symbol = list.at(i);
    if (!symbol) return std::unexpected(symbol.error());
    const std::string where = list.element(i);
    if (symbol->kind != PLUMB_SYMBOL_THUNK && symbol->kind != PLUMB_SYMBOL_DATA) {
      return out_of_range(where + ".kind", symbol->kind, "from 1 to 2");
    }
    if (symbol->name == nullptr) return fail(where + " has no name");
    out_.symbols.push_back({.name = plugin_text(symbol->name),
                            .address = symbol->address,
                            .is_thunk = symbol->kind == PLUMB_SYMBOL_THUNK,
                            .size = symbol->size});
    if (auto checked = check_thunk(out_.symbols.back(), where); !checked) return checked;
  }
  return {};
}

Result<void> ImageReader::check_thunk(const Symbol& symbol, const std::string& where) const {
  const Range range{symbol.address, symbol.size};
  if (!inside(arena_, range)) {
    return fail(fmt::format("{} lies outside the arena: {}", where, in_words(range)));
  }
  if (!symbol.is_thunk || symbol.size == 0) return {};
  if (!in_code(range)) {
    return fail(fmt::format("{}, a thunk, lies in no code range: {}", where, in_words(range)));
  }
  for (const NativeFunction& function : out_.functions) {
    if (!overlap({function.address, function.size}, range)) continue;
    return fail(fmt::format("{}, a thunk, lies in function {} of program {}", where,
                            function.function, function.program));
  }
  return {};
}

Result<void> ImageReader::read_programs() {
  const PluginList<plumb_native_program> list{.name = "programs",
                                              .of = "program",
                                              .first = from_.programs,
                                              .count = from_.program_count,
                                              .stride = from_.program_stride};
  const std::size_t programs = value_.programs.size();
  if (list.count == 0) return {};
  if (auto checked = list.check(static_cast<std::uint32_t>(programs)); !checked) return checked;
  std::vector<bool> seen(programs, false);
  for (std::size_t p = 0; p < programs; ++p) {
    out_.program_entries.push_back(out_.find_function(static_cast<int>(p), 0)->address);
  }
  for (std::size_t i = 0; i < list.count; ++i) {
    const Result<plumb_native_program> program = list.at(i);
    if (!program) return std::unexpected(program.error());
    const std::string where = list.element(i);
    if (program->program >= programs || seen[program->program]) {
      return out_of_range(where + ".program", program->program,
                          fmt::format("below {}, and no program twice", programs));
    }
    seen[program->program] = true;
    const std::uint64_t entry = program->entry;
    const bool in_thunk = std::ranges::any_of(out_.symbols, [&](const Symbol& symbol) {
      return symbol.is_thunk && entry - symbol.address < std::max<std::uint64_t>(symbol.size, 1);
    });
    if (!in_thunk && out_.function_at(entry) == nullptr) {
      return fail(
          fmt::format("{}.entry is {:#x}: neither in a function nor in a thunk", where, entry));
    }
    out_.program_entries[program->program] = entry;
  }
  return {};
}

Result<Image> ImageReader::read() {
  out_.arch = info_.arch;
  out_.jit = info_.name;
  out_.family = info_.family;
  out_.contract = info_.contract;
  out_.registers = info_.registers;
  out_.frame = info_.frame;
  out_.landing = info_.landing;
  out_.code_rule = info_.code_rule;
  out_.arena = arena_;
  out_.placement = guest::placement(value_, arena_);
  for (const Step step :
       {&ImageReader::read_code_ranges, &ImageReader::read_functions, &ImageReader::read_arrays,
        &ImageReader::read_symbols, &ImageReader::read_programs}) {
    if (auto done = (this->*step)(); !done) return std::unexpected(done.error());
  }
  out_.entry = out_.program_entries.empty()
                   ? out_.find_function(value_.enter, 0)->address
                   : out_.program_entries[static_cast<std::size_t>(value_.enter)];
  return std::move(out_);
}

}  // namespace

Result<Image> read_image(const plumb_image& from, const Case& value, const JitInfo& info,
                         Range arena) {
  const Result<plumb_image> filled = take_struct(&from, "image");
  if (!filled) return std::unexpected(filled.error());
  return ImageReader(*filled, value, info, arena).read();
}

}  // namespace plumb::jit
