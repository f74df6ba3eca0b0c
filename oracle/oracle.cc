// SPDX-License-Identifier: GPL-2.0-or-later
#include "oracle/oracle.h"

#include "oracle/call_graph.h"
#include "oracle/decode.h"
#include "oracle/interpreter.h"
#include "oracle/place.h"

namespace plumb::oracle {

Execution run(const Case& value, const Contract& contract, const Limits& limits) {
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
  if (defect.reason == Reason::kNone) return execution;
  execution.undefined_reason = reason_phrase(defect.reason);
  execution.undefined_detail = undefined_text(value, defect.reason, defect.at, defect.amount);
  execution.undefined_at = defect.at;
  execution.blind_spot = is_blind_spot(defect.reason);
  return execution;
}

}  // namespace plumb::oracle
