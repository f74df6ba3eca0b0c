// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory_resource>
#include <optional>
#include <ranges>
#include <string>
#include <string_view>
#include <vector>

#include "core/frame_geometry.h"
#include "invariants/view.h"
#include "machine/machine.h"
#include "reports/explain.h"

namespace plumb::reports {
namespace {

constexpr std::size_t kMostFrames = 6;
constexpr int kBoxWidth = 50;

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

// Words on the stack, from high to low, and the instruction that stored each.
using Words = std::map<std::uint64_t, std::string, std::greater<>>;

// What the prologue was seen to store.
Words prologue_words(const Explained& explained, std::size_t ordinal) {
  Words words;
  const Activation& activation = explained.run->activations[ordinal];
  const NativeFunction* native =
      explained.image->find_function(activation.program, activation.function);
  if (native == nullptr || native->insn_offsets.empty()) return words;
  for (const StackAccess& access : explained.run->accesses) {
    if (access.activation != ordinal || access.kind != AccessKind::kWrite) continue;
    if (access.pc - native->address >= native->insn_offsets.front()) continue;
    for (std::uint64_t byte = 0; byte < access.size; byte += 8) {
      words[access.address + byte] = instruction_at(*explained.image, access.pc);
    }
  }
  return words;
}

std::string box(std::string_view left, std::string_view content) {
  return fmt::format("  {:>12} | {:<{}} |\n", left, content, kBoxWidth);
}

std::string rule() { return fmt::format("  {:>12} +{:-<{}}+\n", "", "", kBoxWidth + 2); }

// One activation as it is drawn: addresses relative to the frame pointer of its body, or to the
// stack pointer on arrival where no chain is known.
struct Drawn {
  std::string_view base_name;
  std::uint64_t base = 0;
  bool is_replacing = false;  // a tail call or a throw began it, in the frame of another one
  Words words;                // not drawn yet
};

std::string offset_text(const Drawn& drawn, std::uint64_t address) {
  const auto distance = static_cast<std::int64_t>(address - drawn.base);
  return distance == 0 ? std::string(drawn.base_name)
                       : fmt::format("{}{:+}", drawn.base_name, distance);
}

// A word of the frame record: who put it there.
std::string record_box(Drawn& drawn, std::uint64_t address, std::string_view what,
                       std::string_view unstored) {
  const auto stored = drawn.words.find(address);
  std::string content;
  if (stored != drawn.words.end()) {
    content = fmt::format("{}: {}", what, stored->second);
    drawn.words.erase(stored);
  } else {
    content = fmt::format("{}{}", what, drawn.is_replacing ? ", kept from before" : unstored);
  }
  return box(offset_text(drawn, address), content);
}

std::string frame_text(const Explained& explained, const invariants::View& view,
                       std::size_t ordinal) {
  const Activation& activation = explained.run->activations[ordinal];
  const Program& program = explained.value->programs[static_cast<std::size_t>(activation.program)];
  const Function& function = program.functions[static_cast<std::size_t>(activation.function)];
  const FrameGeometry geometry = frame_geometry(explained.image->arch);
  const invariants::Frame& frame = *view.frame(static_cast<std::int64_t>(ordinal));
  const bool has_chain = explained.image->registers.frame_pointer.is_known();
  const std::uint64_t frame_pointer =
      frame.entry_sp - geometry.frame_pointer_below_entry +
      static_cast<std::uint64_t>(std::int64_t{explained.image->frame.frame_pointer_offset});
  Drawn drawn{.base_name = has_chain ? "fp" : "sp",
              .base = has_chain ? frame_pointer : frame.entry_sp,
              .is_replacing = activation.replaced >= 0,
              .words = prologue_words(explained, ordinal)};
  const bool is_callback = view.is_exception_callback(static_cast<std::int64_t>(ordinal));
  const std::string_view how = is_callback ? "in the place of" : "tail-called by";
  std::string text = fmt::format(
      "  activation {}: {}.{}{}\n", ordinal, program.name, function.name,
      drawn.is_replacing ? fmt::format(", {} {}", how, activation.replaced) : std::string());
  text += rule();
  if (frame.return_slot != 0) {
    const bool is_pushed = geometry.call_pushes != 0;
    text +=
        record_box(drawn, frame.return_slot, "return address", is_pushed ? "" : ", not stored yet");
  }
  if (frame.record != 0) {
    text += record_box(drawn, frame.record, "saved frame pointer", ", not stored yet");
  }
  const auto stack =
      frame.native == nullptr ? std::optional(std::uint32_t{0}) : frame.native->stack_size;
  bool stack_drawn = stack == 0 || frame.r10 == 0;
  bool is_closed = false;  // the last line is a rule
  const auto draw_stack = [&] {
    text += rule();
    text += box(offset_text(drawn, frame.r10) + " R10",
                fmt::format("BPF stack: {} bytes used, {} kept", function.stack_depth,
                            stack ? std::to_string(*stack) : "unknown"));
    text += rule();
    stack_drawn = is_closed = true;
  };
  for (const auto& [address, instruction] : drawn.words) {
    if (!stack_drawn && address < frame.r10) draw_stack();
    text += box(offset_text(drawn, address), instruction);
    is_closed = false;
  }
  if (!stack_drawn) draw_stack();
  return is_closed ? text : text + rule();
}

}  // namespace

std::string frames_text(const Explained& explained, int event) {
  std::pmr::monotonic_buffer_resource memory;
  const invariants::View view(
      {explained.value, explained.image, explained.execution, explained.run, Depth::kFull},
      &memory);
  const std::vector<std::size_t> live = live_activations(*explained.run, event);
  std::string text =
      fmt::format("Frames{}: high address at the top, as the prologues stored them\n",
                  event >= 0 ? fmt::format(" at event {}", event) : std::string(" at the end"));
  const std::size_t shown = std::min(live.size(), kMostFrames);
  if (shown < live.size()) {
    text += fmt::format("  ... {} frames above\n", live.size() - shown);
  }
  for (const std::size_t ordinal : live | std::views::take(shown) | std::views::reverse) {
    text += frame_text(explained, view, ordinal);
  }
  return text;
}

}  // namespace plumb::reports
