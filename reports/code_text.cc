// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "core/case_text.h"
#include "core/helper_model.h"
#include "core/opcode.h"
#include "core/repetition.h"
#include "machine/machine.h"
#include "reports/code_names.h"
#include "reports/explain.h"

namespace plumb::reports {
namespace {

constexpr int kLeftWidth = 44;

std::string line(std::string_view left, std::uint64_t offset, const std::string& right) {
  return fmt::format("  {:<{}} | {:>6}  {}\n", left, kLeftWidth, fmt::format("+{:#x}", offset),
                     right);
}

// The BPF instruction, a helper with its name.
std::string bpf_text(const Explained& explained, const Program& program, const Function& function,
                     int slot) {
  const auto index = static_cast<std::size_t>(slot);
  const Insn& insn = function.insns[index];
  std::string text =
      fmt::format("{:>4}: {}", slot, print_insn(*explained.value, program, function, index));
  const OpcodeInfo* info = decode(insn);
  if (info != nullptr && info->operation == Operation::kCallHelper) {
    const HelperInfo* helper = find_helper(insn.immediate);
    if (helper != nullptr) text += fmt::format("  // bpf_{}", helper->name);
  }
  return text;
}

// Of a row that is repeated the first passes are shown, and the last one: when the slot lies
// between them, the last slot that does.
std::optional<int> last_like_those_before(const std::vector<Repetition>& rows, int slot) {
  constexpr std::size_t kShownPasses = 3;
  const auto after = std::ranges::upper_bound(
      rows, slot, {}, [](const Repetition& row) { return static_cast<int>(row.begin); });
  if (after == rows.begin()) return std::nullopt;
  const Repetition& row = *std::prev(after);
  const auto first = static_cast<int>(row.begin + kShownPasses * row.slots);
  const auto end = static_cast<int>(row.end() - row.slots);
  if (slot < first || slot >= end) return std::nullopt;
  return end - 1;
}

std::string function_text(const Explained& explained, const Program& program,
                          const Function& function, const NativeFunction& native) {
  std::string text =
      fmt::format("Code of {}.{}: {} bytes, BPF stack {}{}\n", program.name, function.name,
                  native.size, native.stack_size ? std::to_string(*native.stack_size) : "unknown",
                  native.tail_call_reachable ? ", reaches a tail call" : "");
  int shown = -2;
  const std::vector<Repetition> rows = find_repetitions(function.insns);
  const auto insns = machine::disassemble(*explained.image, {native.address, native.size});
  const auto texts = instruction_texts(*explained.value, *explained.image, native, insns);
  for (std::size_t i = 0; i < insns.size(); ++i) {
    const auto offset = static_cast<std::uint32_t>(insns[i].address - native.address);
    const int slot = slot_at(native, offset);
    if (const std::optional<int> last = last_like_those_before(rows, slot)) {
      if (shown < slot) {
        text += fmt::format("  ...    as often as {} slots take\n", *last + 1 - slot);
        shown = *last;
      }
      continue;
    }
    std::string left;
    if (slot != shown) {
      const int count = static_cast<int>(function.insns.size());
      // Instructions without code of their own stand on lines of their own.
      for (int s = shown + 1; s < slot && s < count; ++s) {
        if (s < 0 || native.insn_offsets[static_cast<std::size_t>(s)] != offset) continue;
        if (s > 0 && slot_count(function.insns[static_cast<std::size_t>(s) - 1]) == 2) continue;
        text += fmt::format("  {:<{}} |\n", bpf_text(explained, program, function, s), kLeftWidth);
      }
      const bool second = slot > 0 && slot < count &&
                          slot_count(function.insns[static_cast<std::size_t>(slot) - 1]) == 2;
      if (slot < 0) {
        left = native.insn_offsets.empty() ? "of unknown instructions" : "prologue";
      } else if (slot < count && !second) {
        left = bpf_text(explained, program, function, slot);
      }
      shown = slot;
    }
    text += line(left, offset, texts[i]);
  }
  return text;
}

}  // namespace

std::string code_text(const Explained& explained) {
  std::string text;
  for (const NativeFunction& native : explained.image->functions) {
    const Program& program = explained.value->programs[static_cast<std::size_t>(native.program)];
    const Function& function = program.functions[static_cast<std::size_t>(native.function)];
    if (!text.empty()) text += "\n";
    text += function_text(explained, program, function, native);
  }
  return text;
}

}  // namespace plumb::reports
