// SPDX-License-Identifier: GPL-2.0-or-later
//
// Runs that did not come back. The machine stops them; here they get their names.
#include <fmt/format.h>

#include <algorithm>

#include "invariants/checkers.h"

namespace plumb::invariants {
namespace {

bool in_code(const Image& image, std::uint64_t address) {
  return std::ranges::any_of(image.code,
                             [&](const Range& range) { return range.contains(address); });
}

Violation at_stop(const View& view, std::string_view invariant, std::string_view what) {
  const MachineRun& run = view.run();
  const std::string& detail = run.detail;
  Violation violation =
      view.at_end(invariant, fmt::format("{} at {}{}{}", what, view.code_name(run.fault_pc),
                                         detail.empty() ? "" : ": ", detail));
  // Whatever the last event was, this one was running.
  violation.role = view.role(view.innermost());
  if (const NativeFunction* native = view.image().function_at(run.fault_pc)) {
    violation.at = {
        .program = static_cast<std::int16_t>(native->program),
        .function = static_cast<std::int16_t>(native->function),
        .slot = slot_at(*native, static_cast<std::uint32_t>(run.fault_pc - native->address))};
  }
  return violation;
}

bool left_the_image(const View& view) {
  return view.run().stop == StopReason::kFault && !in_code(view.image(), view.run().fault_pc);
}

}  // namespace

std::optional<Violation> check_lands_on_entry_or_return(const View& view) {
  if (view.run().stop != StopReason::kWildJump) return std::nullopt;
  return at_stop(view, "lands-on-entry-or-return", "control arrives");
}

std::optional<Violation> check_stays_in_image(const View& view) {
  if (!left_the_image(view)) return std::nullopt;
  return at_stop(view, "stays-in-image", "execution leaves the image");
}

std::optional<Violation> check_native_fault(const View& view) {
  if (view.run().stop == StopReason::kInvalidInsn) {
    return at_stop(view, "native-fault", "undefined instruction or trap");
  }
  if (view.run().stop != StopReason::kFault || left_the_image(view)) return std::nullopt;
  return at_stop(view, "native-fault", "access to unmapped memory");
}

std::optional<Violation> check_terminates(const View& view) {
  if (view.run().stop != StopReason::kBudget) return std::nullopt;
  return at_stop(view, "terminates", "still running when the budget is spent,");
}

}  // namespace plumb::invariants
