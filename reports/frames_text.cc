// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <ranges>
#include <vector>

#include "machine/machine.h"
#include "reports/explain.h"

namespace plumb::reports {
namespace {

constexpr std::size_t kMostFrames = 6;
constexpr int kBoxWidth = 34;

// Live activations at an event, innermost first: the one it happened in and its callers.
std::vector<std::size_t> live_activations(const MachineRun& run, int event) {
  std::vector<std::size_t> live;
  if (run.activations.empty()) return live;
  auto at = static_cast<std::int64_t>(run.activations.size()) - 1;
  if (event >= 0 && static_cast<std::size_t>(event) < run.events.size()) {
    at = run.events[static_cast<std::size_t>(event)].activation;
  }
  while (at >= 0 && static_cast<std::size_t>(at) < run.activations.size() &&
         live.size() <= run.activations.size()) {
    live.push_back(static_cast<std::size_t>(at));
    at = run.activations[static_cast<std::size_t>(at)].caller;
  }
  return live;
}

std::string instruction_at(const Image& image, std::uint64_t pc) {
  constexpr std::uint64_t kLongest = 16;
  const auto insns = machine::disassemble(image, {pc, kLongest});
  return insns.empty() ? "?" : insns.front().text;
}

// What the prologue was seen to store: address -> the instruction that did.
std::map<std::uint64_t, std::string, std::greater<>> prologue_slots(const Explained& explained,
                                                                    std::size_t ordinal) {
  std::map<std::uint64_t, std::string, std::greater<>> slots;
  const Activation& activation = explained.run->activations[ordinal];
  const NativeFunction* native =
      explained.image->find_function(activation.program, activation.function);
  if (native == nullptr) return slots;
  for (const StackAccess& access : explained.run->accesses) {
    if (access.activation != ordinal || access.kind != AccessKind::kWrite) continue;
    if (access.pc - native->address >= native->insn_offsets.front()) continue;
    slots[access.address] = instruction_at(*explained.image, access.pc);
  }
  return slots;
}

std::string box(std::string_view left, std::string_view content) {
  return fmt::format("  {:>12} | {:<{}} |\n", left, content, kBoxWidth);
}

std::string rule() { return fmt::format("  {:>12} +{:-<{}}+\n", "", "", kBoxWidth + 2); }

// Address of the frame record (saved frame pointer, return address). A tail call lands with the
// stack pointer on the record of the frame that it replaces; a call arrives one push above it.
std::uint64_t record_of(const Activation& activation) {
  return activation.replaced >= 0 ? activation.entry_sp : activation.entry_sp - 8;
}

std::string offset_text(const Activation& activation, std::uint64_t address) {
  const auto distance =
      static_cast<std::int64_t>(address) - static_cast<std::int64_t>(record_of(activation));
  return distance == 0 ? "fp" : fmt::format("fp{:+}", distance);
}

std::string frame_text(const Explained& explained, std::size_t ordinal) {
  const Activation& activation = explained.run->activations[ordinal];
  const Program& program = explained.value->programs[static_cast<std::size_t>(activation.program)];
  const Function& function = program.functions[static_cast<std::size_t>(activation.function)];
  const NativeFunction* native =
      explained.image->find_function(activation.program, activation.function);
  std::string text =
      fmt::format("  activation {}: {}.{}{}\n", ordinal, program.name, function.name,
                  activation.replaced >= 0 ? fmt::format(", tail-called by {}", activation.replaced)
                                           : std::string());
  text += rule();
  text += box(offset_text(activation, record_of(activation) + 8), "return address");
  if (activation.replaced >= 0) text += box("fp", "kept from the replaced frame");
  const std::uint32_t stack = native == nullptr ? 0 : native->stack_size;
  bool stack_drawn = stack == 0 || activation.r10 == 0;
  const auto draw_stack = [&] {
    text += rule();
    text += box(offset_text(activation, activation.r10) + " R10",
                fmt::format("BPF stack: {} bytes used, {} kept", function.stack_depth, stack));
    text += rule();
    stack_drawn = true;
  };
  for (const auto& [address, instruction] : prologue_slots(explained, ordinal)) {
    if (!stack_drawn && address < activation.r10) draw_stack();
    text += box(offset_text(activation, address), instruction);
  }
  if (!stack_drawn) draw_stack();
  return text + rule();
}

}  // namespace

std::string frames_text(const Explained& explained, int event) {
  const std::vector<std::size_t> live = live_activations(*explained.run, event);
  std::string text =
      fmt::format("Frames{}: high address at the top, as the prologues stored them\n",
                  event >= 0 ? fmt::format(" at event {}", event) : std::string(" at the end"));
  const std::size_t shown = std::min(live.size(), kMostFrames);
  if (shown < live.size()) {
    text += fmt::format("  ... {} frames above\n", live.size() - shown);
  }
  for (const std::size_t ordinal : live | std::views::take(shown) | std::views::reverse) {
    text += frame_text(explained, ordinal);
  }
  return text;
}

}  // namespace plumb::reports
