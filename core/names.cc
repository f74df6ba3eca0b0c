// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/answer.h"
#include "core/event.h"
#include "core/finding.h"
#include "core/machine_run.h"

namespace plumb {

std::string_view event_kind_name(EventKind kind) {
  switch (kind) {
    case EventKind::kCall:
      return "call";
    case EventKind::kCallback:
      return "callback";
    case EventKind::kReturn:
      return "return";
    case EventKind::kHelperCall:
      return "helper call";
    case EventKind::kTailCallTaken:
      return "tail call taken";
    case EventKind::kTailCallRefused:
      return "tail call refused";
    case EventKind::kThrow:
      return "throw";
    case EventKind::kExit:
      return "exit";
  }
  return "?";
}

std::string_view refusal_reason_name(RefusalReason reason) {
  switch (reason) {
    case RefusalReason::kNone:
      return "none";
    case RefusalReason::kIndexOutOfRange:
      return "index out of range";
    case RefusalReason::kLimitReached:
      return "limit reached";
    case RefusalReason::kEmptySlot:
      return "empty slot";
  }
  return "?";
}

std::string_view stop_reason_name(StopReason reason) {
  switch (reason) {
    case StopReason::kReturned:
      return "returned";
    case StopReason::kBudget:
      return "out of budget";
    case StopReason::kTailCallBound:
      return "too many tail calls";
    case StopReason::kFault:
      return "fault";
    case StopReason::kInvalidInsn:
      return "invalid instruction";
    case StopReason::kLostThrow:
      return "lost throw";
    case StopReason::kWildJump:
      return "wild jump";
    case StopReason::kEmulatorFailed:
      return "emulator failed";
  }
  return "?";
}

std::string_view verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::kNotJudged:
      return "not judged";
    case Verdict::kConforms:
      return "conforms";
    case Verdict::kNotApplicable:
      return "not applicable";
    case Verdict::kUndefined:
      return "undefined";
    case Verdict::kViolation:
      return "violation";
    case Verdict::kRefused:
      return "refused";
    case Verdict::kCrash:
      return "crash";
    case Verdict::kSecondOpinion:
      return "second-opinion";
    case Verdict::kPluginFailed:
      return "plugin failed";
  }
  return "?";
}

std::string_view reason_phrase(NotApplicableReason reason) {
  return kNotApplicablePhrases[static_cast<std::size_t>(reason)];
}

std::string Signature::str() const { return invariant + "." + family + "." + arch + "." + role; }

}  // namespace plumb
