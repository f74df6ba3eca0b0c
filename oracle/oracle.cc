// SPDX-License-Identifier: GPL-2.0-or-later
#include "oracle/oracle.h"

#include <algorithm>

#include "oracle/call_graph.h"
#include "oracle/decode.h"
#include "oracle/interpreter.h"
#include "oracle/place.h"

namespace plumb::oracle {

namespace {

void set_undefined(const Case& value, const CodeDefect& defect, Execution& execution) {
  execution.defined = false;
  execution.undefined_reason = reason_phrase(defect.reason);
  execution.undefined_detail = undefined_text(value, defect.reason, defect.at, defect.amount);
  execution.undefined_at = defect.at;
  execution.blind_spot = is_blind_spot(defect.reason);
  execution.unsaid = reason_info(defect.reason).kind == ReasonKind::kUnsaid;
}

Execution run_as_said(const Case& value, const Contract& contract, const Limits& limits) {
  Execution execution;
  Code code;
  CodeDefect defect = decode_case(value, code);
  if (defect.reason == Reason::kNone) {
    execution.required_capabilities = code.needs;
    defect = check_calls(code, contract);
  }
  if (defect.reason == Reason::kNone) {
    defect = Interpreter(value, contract, code, execution).run(limits.fuel);
  }
  if (defect.reason != Reason::kNone) set_undefined(value, defect, execution);
  return execution;
}

// The first attempt at an empty slot, or nothing.
const Event* empty_slot(const Execution& execution) {
  const auto it = std::ranges::find(execution.trace, RefusalReason::kEmptySlot, &Event::reason);
  return it == execution.trace.end() ? nullptr : &*it;
}

}  // namespace

Execution run(const Case& value, const Contract& contract, const Limits& limits) {
  if (contract.empty_slot_consumes_count != Tristate::kUnknown) {
    return run_as_said(value, contract, limits);
  }
  // Between nothing that counts and everything that does lies whatever calls_keep_count makes of
  // it.
  Contract said = contract;
  said.calls_keep_count = false;
  said.empty_slot_consumes_count = Tristate::kNo;
  Execution execution = run_as_said(value, said, limits);
  const Event* const attempt = empty_slot(execution);
  if (attempt == nullptr) return execution;
  said.empty_slot_consumes_count = Tristate::kYes;
  if (run_as_said(value, said, limits) != execution) {
    set_undefined(value, {Reason::kEmptySlotMatters, attempt->at}, execution);
  }
  return execution;
}

}  // namespace plumb::oracle
