// SPDX-License-Identifier: GPL-2.0-or-later
//
// Runs that did not come back. The machine stops them; here they get their names.
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

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
  violation.access = static_cast<std::int32_t>(run.accesses.size());
  violation.activation = view.innermost();
  // Whatever the last event was, this one was running.
  violation.role = view.role(view.innermost());
  violation.at = view.place_of(run.fault_pc);
  // The code of a tail call trusts a count, or a pointer to one, that others have handed on.
  if (view.is_tail_call_code(run.fault_pc)) violation.role += "-tail-call";
  return violation;
}

constexpr std::uint32_t kEndbr64 = 0xfa1e0ff3;  // f3 0f 1e fa
// Arm Architecture Reference Manual for A-profile, C6.2: BTI and PACIASP.
constexpr std::uint32_t kBtiC = 0xd503245f;
constexpr std::uint32_t kBtiJ = 0xd503249f;
constexpr std::uint32_t kBtiJc = 0xd50324df;
constexpr std::uint32_t kPaciasp = 0xd503233f;  // lets calls land
constexpr std::uint32_t kPacibsp = 0xd503237f;

bool is_landing_pad(LandingPad pad, const Landing& landing) {
  const std::uint32_t word = landing.word;
  switch (pad) {
    case LandingPad::kUnknown:
    case LandingPad::kNone:
      return true;
    case LandingPad::kEndbr64:
      return word == kEndbr64;
    case LandingPad::kBti:
      if (word == kBtiJc) return true;
      if (!landing.is_call) return word == kBtiJ;
      return word == kBtiC || word == kPaciasp || word == kPacibsp;
  }
  return true;
}

std::string_view pad_name(LandingPad pad, bool is_call) {
  if (pad == LandingPad::kEndbr64) return "endbr64";
  return is_call ? "bti c" : "bti j";
}

// The invocation's own entry is no event.
Violation at_landing(const View& view, const Landing& landing, std::string message) {
  const auto event = static_cast<std::size_t>(landing.event);
  if (landing.event >= 0 && event < view.run().events.size()) {
    return view.at_event("indirect-target-has-landing-pad", event, view.run().events[event].entered,
                         std::move(message));
  }
  Violation violation = view.at_end("indirect-target-has-landing-pad", std::move(message));
  violation.role = view.role(0);
  return violation;
}

bool left_the_image(const View& view) {
  return view.run().stop == StopReason::kFault && !in_code(view.image(), view.run().fault_pc);
}

}  // namespace

// Where nobody says where tail calls land in a function, the machine takes what comes.
Answer check_lands_on_entry_or_return(const View& view) {
  if (view.run().stop != StopReason::kWildJump) {
    if (view.misses_tail_calls()) return not_applicable(NotApplicableReason::kTailCallsUnseen);
    for (const MachineEvent& event : view.run().events) {
      if (event.kind != EventKind::kTailCallTaken) continue;
      const Frame* target = view.frame(event.entered);
      if (target == nullptr || target->native == nullptr) continue;
      if (target->native->tail_call_entry_unknown) {
        return not_applicable(NotApplicableReason::kLandingUnknown);
      }
    }
    return Held{};
  }
  return at_stop(view, "lands-on-entry-or-return", "control arrives");
}

// Unicorn executes landing pads as the no-ops that they are on other machines, so the words decide.
Answer check_indirect_target_has_landing_pad(const View& view) {
  const LandingPad pad = view.image().landing.pad;
  if (pad == LandingPad::kUnknown) return not_applicable(NotApplicableReason::kLandingPadUnknown);
  if (pad == LandingPad::kNone) return not_applicable(NotApplicableReason::kNoLandingRule);
  for (const Landing& landing : view.run().landings) {
    if (is_landing_pad(pad, landing)) continue;
    const std::string message = fmt::format(
        "an indirect {} lands on {}, where {:08x} is no {}", landing.is_call ? "call" : "jump",
        view.code_name(landing.pc), landing.word, pad_name(pad, landing.is_call));
    return at_landing(view, landing, message);
  }
  return held_if(!view.run().landings.empty(), NotApplicableReason::kNoLanding);
}

Answer check_stays_in_image(const View& view) {
  if (!left_the_image(view)) return Held{};
  return at_stop(view, "stays-in-image", "execution leaves the image");
}

Answer check_native_fault(const View& view) {
  if (view.run().stop == StopReason::kInvalidInsn) {
    return at_stop(view, "native-fault", "undefined instruction or trap");
  }
  if (view.run().stop != StopReason::kFault || left_the_image(view)) return Held{};
  return at_stop(view, "native-fault", "access to unmapped memory");
}

Answer check_terminates(const View& view) {
  if (view.run().stop != StopReason::kBudget) return Held{};
  return at_stop(view, "terminates", "still running when the budget is spent,");
}

}  // namespace plumb::invariants
