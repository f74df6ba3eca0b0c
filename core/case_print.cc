// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <span>

#include "core/case_text.h"
#include "core/check.h"
#include "core/edit.h"
#include "core/helper_model.h"
#include "core/insn_text.h"
#include "core/repetition.h"
#include "core/stack_depth.h"

namespace plumb {
namespace {

constexpr std::size_t kIndent = 8;
constexpr std::size_t kCommentColumn = 32;
constexpr std::size_t kBytesPerLine = 16;

template <typename... Args>
void append(std::string& out, fmt::format_string<Args...> format, Args&&... args) {
  fmt::format_to(std::back_inserter(out), format, std::forward<Args>(args)...);
}

template <typename T>
const T& at(const std::vector<T>& values, std::int64_t index) {
  PLUMB_CHECK(index >= 0 && index < std::ssize(values));
  return values[static_cast<std::size_t>(index)];
}

std::string symbol_of(const Case& value, const Program& program, const OpcodeInfo& info,
                      std::int32_t index) {
  switch (info.operation) {
    case Operation::kCallFunction:
    case Operation::kLoadFunction:
      return at(program.functions, index).name;
    case Operation::kLoadArray:
      return at(value.arrays, index).name;
    case Operation::kLoadRegion:
      return at(value.regions, index).name;
    default:
      return {};
  }
}

std::string bytes_text(const std::vector<std::uint8_t>& bytes, std::size_t begin, std::size_t end) {
  std::string out;
  for (std::size_t i = begin; i < end; ++i) append(out, " {:02x}", bytes[i]);
  return out;
}

void append_bytes(std::string& out, std::string_view directive,
                  const std::vector<std::uint8_t>& bytes, std::size_t size) {
  for (std::size_t begin = 0; begin < size; begin += kBytesPerLine) {
    const std::size_t end = std::min(size, begin + kBytesPerLine);
    append(out, "{}{}\n", directive, bytes_text(bytes, begin, end));
  }
}

void append_array(std::string& out, const Case& value, const ProgArray& array) {
  append(out, ".array {} {}\n", array.name, array.slots.size());
  for (std::size_t i = 0; i < array.slots.size(); ++i) {
    if (array.slots[i] == kNoProgram) continue;
    append(out, ".slot {} {} {}\n", array.name, i, at(value.programs, array.slots[i]).name);
  }
}

void append_region(std::string& out, const Region& region) {
  append(out, ".region {} {}\n", region.name, region.bytes.size());
  std::size_t size = region.bytes.size();  // the zeros at the end go without saying
  while (size > 0 && region.bytes[size - 1] == 0) --size;
  append_bytes(out, ".bytes", region.bytes, size);
}

void append_insn(std::string& out, const Case& value, const Program& program,
                 const Function& function, std::size_t slot) {
  std::string line(kIndent, ' ');
  line += print_insn(value, program, function, slot);
  const Insn& insn = function.insns[slot];
  const OpcodeInfo* info = decode(insn);
  if (info->operation == Operation::kCallHelper) {
    if (const HelperInfo* helper = find_helper(insn.immediate)) {
      if (line.size() < kCommentColumn) line.resize(kCommentColumn, ' ');
      append(line, "// bpf_{}", helper->name);
    }
  }
  append(out, "{}\n", line);
}

void append_function(std::string& out, const Case& value, const Program& program,
                     const Function& function) {
  append(out, ".function {}\n", function.name);
  if (function.stack_depth != infer_stack_depth(function.insns)) {
    append(out, ".stack {}\n", function.stack_depth);
  }
  const std::vector<bool> starts = instruction_starts(function.insns);
  const std::vector<std::int64_t> targets = jump_targets(function.insns);
  const std::vector<Repetition> rows = find_repetitions(function.insns);
  auto row = rows.begin();
  for (std::size_t slot = 0; slot < function.insns.size();) {
    if (std::ranges::binary_search(targets, static_cast<std::int64_t>(slot))) {
      append(out, "L{}:\n", slot);
    }
    const bool repeats = row != rows.end() && row->begin == slot;
    const std::size_t end = slot + (repeats ? row->slots : 1);
    if (repeats) append(out, ".repeat {}\n", row->times);
    for (; slot < end; ++slot) {
      if (starts[slot]) append_insn(out, value, program, function, slot);
    }
    if (!repeats) continue;
    out += ".end\n";
    slot = row++->end();
  }
}

// Numbers that people write in decimal, the others in hexadecimal.
std::string number_text(std::uint64_t bits) {
  const auto number = static_cast<std::int64_t>(bits);
  constexpr std::int64_t kDecimal = std::int64_t{1} << 32;
  if (number > -kDecimal && number < kDecimal) return fmt::to_string(number);
  return fmt::format("{:#x}", bits);
}

void append_expectation(std::string& out, const Expectation& expectation) {
  switch (expectation.kind) {
    case Expectation::Kind::kNone:
      break;
    case Expectation::Kind::kReturn:
      append(out, ".expect return {}\n", number_text(expectation.value));
      break;
    case Expectation::Kind::kUndefined:
      out += ".expect undefined\n";
      break;
  }
}

}  // namespace

std::string print_insn(const Case& value, const Program& program, const Function& function,
                       std::size_t slot) {
  const Insn& insn = at(function.insns, static_cast<std::int64_t>(slot));
  const OpcodeInfo* info = decode(insn);
  PLUMB_CHECK(info != nullptr);
  text::OperandNames names;
  if (is_jump(info->operation)) {
    names.target = fmt::format("L{}", jump_target(insn, static_cast<std::int64_t>(slot)));
  }
  names.symbol = symbol_of(value, program, *info, insn.immediate);
  const bool wide = slot_count(insn) == 2;
  const std::int32_t high =
      wide ? at(function.insns, static_cast<std::int64_t>(slot) + 1).immediate : 0;
  return text::format_insn(*info, insn, high, names);
}

std::string print_case(const Case& value) {
  std::string out = fmt::format(".case {}\n", kCaseFormatVersion);
  for (const std::string& note : value.notes) {
    append(out, "//{}{}\n", note.empty() ? "" : " ", note);
  }
  for (const ProgArray& array : value.arrays) append_array(out, value, array);
  for (const Region& region : value.regions) append_region(out, region);
  if (value.enter != 0) append(out, ".enter {}\n", at(value.programs, value.enter).name);
  for (const Program& program : value.programs) {
    append(out, ".program {}\n", program.name);
    std::span functions(program.functions);
    if (program.has_default_callback) {
      functions = functions.first(functions.size() - 1);
    } else if (program.exception_callback != kNoFunction) {
      append(out, ".callback {}\n", at(program.functions, program.exception_callback).name);
    }
    for (const Function& function : functions) append_function(out, value, program, function);
  }
  append_bytes(out, ".context", value.context, value.context.size());
  append_expectation(out, value.expectation);
  for (const Waiver& waiver : value.waivers) {
    append(out, ".waive {} {} ", waiver.signature, waiver.jits);
    if (!waiver.like.empty()) append(out, "like={} ", waiver.like);
    if (!waiver.code.empty()) append(out, "code={} ", waiver.code);
    append(out, "{}\n", waiver.reason);
  }
  return out;
}

}  // namespace plumb
