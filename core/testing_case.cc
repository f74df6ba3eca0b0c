// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/testing_case.h"

#include <fmt/core.h>

#include <string_view>

#include "core/check.h"
#include "core/edit.h"
#include "core/exceptions.h"
#include "core/rng.h"
#include "core/stack_depth.h"

namespace plumb::testing {
namespace {

constexpr std::string_view kNamePart = "aZ_09.$-";

// The index makes it unique.
std::string random_name(Choices& choices, std::string_view prefix, std::size_t index) {
  std::string name = fmt::format("{}{}", prefix, index);
  for (std::size_t n = choices.below(6); n > 0; --n) {
    name += kNamePart[choices.below(kNamePart.size())];
  }
  return name;
}

std::vector<std::uint8_t> random_bytes(Choices& choices, std::size_t size) {
  std::vector<std::uint8_t> bytes(size);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(choices.bits(1));
  return bytes;
}

// Values at the edges of their fields as often as others.
std::int32_t random_immediate(Choices& choices) {
  constexpr std::int32_t kEdges[] = {0, 1, -1, 0x7fffffff, -0x7fffffff - 1, 8, -8, 0x10000};
  const std::size_t choice = choices.below(2 * std::size(kEdges));
  return choice < std::size(kEdges) ? kEdges[choice] : static_cast<std::int32_t>(choices.bits(4));
}

std::int16_t random_offset(Choices& choices) {
  constexpr std::int16_t kEdges[] = {0, -8, 8, -512, 0x7fff, -0x8000, 1, -1};
  const std::size_t choice = choices.below(2 * std::size(kEdges));
  return choice < std::size(kEdges) ? kEdges[choice] : static_cast<std::int16_t>(choices.bits(2));
}

struct Sizes {
  std::size_t functions = 0;
  std::size_t arrays = 0;
  std::vector<std::size_t> regions;
};

bool exists(const OpcodeInfo& info, const Sizes& sizes) {
  if (info.operation == Operation::kLoadArray) return sizes.arrays > 0;
  if (info.operation == Operation::kLoadRegion) return !sizes.regions.empty();
  return true;
}

void append_insn(std::vector<Insn>& insns, const OpcodeInfo& info, const Sizes& sizes,
                 Choices& choices) {
  Insn insn = random_insn(info, choices);
  Insn second;
  switch (info.operation) {
    case Operation::kCallFunction:
    case Operation::kLoadFunction:
      insn.immediate = static_cast<std::int32_t>(choices.below(sizes.functions));
      break;
    case Operation::kLoadArray:
      insn.immediate = static_cast<std::int32_t>(choices.below(sizes.arrays));
      break;
    case Operation::kLoadRegion: {
      const std::size_t region = choices.below(sizes.regions.size());
      insn.immediate = static_cast<std::int32_t>(region);
      second.immediate = static_cast<std::int32_t>(choices.below(sizes.regions[region]));
      break;
    }
    case Operation::kLoadImm64:
      second.immediate = random_immediate(choices);
      break;
    default:
      break;
  }
  insns.push_back(insn);
  if (slot_count(insn) == 2) insns.push_back(second);
}

void aim_jumps(std::vector<Insn>& insns, Choices& choices) {
  const std::vector<bool> starts = instruction_starts(insns);
  for (std::size_t slot = 0; slot < insns.size(); ++slot) {
    const OpcodeInfo* info = starts[slot] ? decode(insns[slot]) : nullptr;
    if (info == nullptr || !is_jump(info->operation)) continue;
    std::size_t target = choices.below(insns.size());
    if (!starts[target]) --target;
    const auto distance = static_cast<std::int64_t>(target) - static_cast<std::int64_t>(slot) - 1;
    if (info->id == Opcode::kJal) {
      insns[slot].immediate = static_cast<std::int32_t>(distance);
    } else {
      insns[slot].offset = static_cast<std::int16_t>(distance);
    }
  }
}

// The same few instructions again and again, as large functions have them.
void append_row(std::vector<Insn>& insns, const Sizes& sizes, Choices& choices) {
  const std::span<const OpcodeInfo> table = opcode_table();
  std::vector<Insn> row;
  for (std::size_t n = choices.between(1, 4); n > 0; --n) {
    const OpcodeInfo& info = table[choices.below(table.size())];
    append_insn(row, exists(info, sizes) ? info : opcode_info(Opcode::kExit), sizes, choices);
  }
  for (std::size_t n = choices.between(2, 100); n > 0; --n) {
    insns.insert(insns.end(), row.begin(), row.end());
  }
}

Function random_function(Choices& choices, std::size_t index, const Sizes& sizes) {
  Function function{.name = random_name(choices, "f", index), .insns = {}, .stack_depth = 0};
  const std::span<const OpcodeInfo> table = opcode_table();
  for (std::size_t n = choices.between(1, 24); n > 0; --n) {
    const OpcodeInfo& info = table[choices.below(table.size())];
    append_insn(function.insns, exists(info, sizes) ? info : opcode_info(Opcode::kExit), sizes,
                choices);
  }
  if (choices.below(8) == 1) append_row(function.insns, sizes, choices);
  aim_jumps(function.insns, choices);
  function.stack_depth = infer_stack_depth(function.insns);
  if (choices.below(4) == 1) {
    function.stack_depth = static_cast<int>(choices.below(std::size_t{kMaxStackDepth} + 1));
  }
  return function;
}

std::string random_line(Choices& choices) {
  constexpr std::string_view kText = "ab /.\"'<&\t:-#";
  std::string line;
  for (std::size_t n = choices.below(12); n > 0; --n) line += kText[choices.below(kText.size())];
  return line + "x";  // blanks at the end of a line mean nothing
}

void add_objects(Case& value, Choices& choices) {
  for (std::size_t i = 0, n = choices.below(4); i < n; ++i) {
    const std::size_t size = choices.below(16) == 1 ? kMaxArraySlots : choices.between(1, 4);
    value.arrays.push_back({random_name(choices, "a", i), std::vector<int>(size, kNoProgram)});
  }
  for (std::size_t i = 0, n = choices.below(4); i < n; ++i) {
    const std::size_t size = choices.below(16) == 1 ? kMaxRegionSize : choices.between(1, 40);
    Region region{random_name(choices, "m", i), random_bytes(choices, size)};
    region.bytes.back() = static_cast<std::uint8_t>(choices.below(2));
    value.regions.push_back(std::move(region));
  }
}

void add_programs(Case& value, Choices& choices) {
  Sizes sizes{.functions = 0, .arrays = value.arrays.size(), .regions = {}};
  for (const Region& region : value.regions) sizes.regions.push_back(region.bytes.size());
  for (std::size_t i = 0, n = choices.between(1, 3); i < n; ++i) {
    Program program{random_name(choices, "p", i), {}};
    sizes.functions = choices.between(1, 4);
    for (std::size_t f = 0; f < sizes.functions; ++f) {
      program.functions.push_back(random_function(choices, f, sizes));
    }
    value.programs.push_back(std::move(program));
  }
}

}  // namespace

std::uint64_t Choices::bits(int bytes) {
  std::uint64_t result = 0;
  for (int i = 0; i < bytes; ++i) {
    result = result << 8 | (next_ < bytes_.size() ? bytes_[next_++] : 0);
  }
  return result;
}

std::size_t Choices::below(std::size_t bound) { return bits(bound > 256 ? 2 : 1) % bound; }

Choices random_choices(std::uint64_t seed, std::size_t size) {
  Rng rng(seed);
  std::vector<std::uint8_t> bytes(size);
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(rng.below(256));
  return Choices(std::move(bytes));
}

Insn random_insn(const OpcodeInfo& info, Choices& choices) {
  const auto reg = [&] { return static_cast<std::uint8_t>(choices.below(kRegisterCount)); };
  Insn insn = make_insn(info.id, reg(), reg(), random_offset(choices), random_immediate(choices));
  if (is_jump(info.operation)) insn.offset = 0;
  if (info.id == Opcode::kJal) insn.immediate = 0;
  // Fields that the form does not use are zero, r10 is not written: take away what is too much.
  const Insn bare = make_insn(info.id);
  if (malformed(insn) != nullptr && insn.dst == kFramePointerRegister) insn.dst = 9;
  if (malformed(insn) != nullptr && insn.src == kFramePointerRegister) insn.src = 9;
  for (int drop = 0; drop < 16 && malformed(insn) != nullptr; ++drop) {
    Insn less = insn;
    if (drop & 1) less.dst = bare.dst;
    if (drop & 2) less.src = bare.src;
    if (drop & 4) less.offset = bare.offset;
    if (drop & 8) less.immediate = bare.immediate;
    if (malformed(less) == nullptr) insn = less;
  }
  return insn;
}

std::vector<Insn> random_code(Choices& choices) {
  return random_function(choices, 0, Sizes{.functions = 1, .arrays = 0, .regions = {}}).insns;
}

Case random_case(Choices& choices) {
  Case value;
  for (std::size_t n = choices.below(3); n > 0; --n) value.notes.push_back(random_line(choices));
  add_objects(value, choices);
  add_programs(value, choices);
  for (ProgArray& array : value.arrays) {
    for (int& slot : array.slots) {
      if (choices.below(2) == 1) slot = static_cast<int>(choices.below(value.programs.size()));
    }
  }
  for (Program& program : value.programs) {
    if (program.functions.size() == 1 || choices.below(3) != 0) continue;
    program.exception_callback = static_cast<int>(choices.between(1, program.functions.size() - 1));
  }
  PLUMB_CHECK(complete_callbacks(value));
  value.enter = static_cast<int>(choices.below(value.programs.size()));
  value.context = random_bytes(choices, choices.below(40));
  value.expectation.kind = static_cast<Expectation::Kind>(choices.below(3));
  if (value.expectation.kind == Expectation::Kind::kReturn) {
    value.expectation.value = choices.bits(static_cast<int>(choices.between(1, 8)));
  }
  for (std::size_t n = choices.below(3); n > 0; --n) {
    value.waivers.push_back({"same-result.linux.arm64.main", "linux-6.1-*",
                             choices.below(2) == 1 ? "reference:arm64-6.12" : "",
                             choices.below(2) == 1 ? ":w.*/=" : "", "why " + random_line(choices)});
  }
  return value;
}

}  // namespace plumb::testing
