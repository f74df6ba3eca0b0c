// SPDX-License-Identifier: GPL-2.0-or-later
#include "oracle/oracle.h"

#include "oracle/call_graph.h"
#include "oracle/decode.h"
#include "oracle/interpreter.h"

namespace plumb::oracle {

Execution run(const Case& value, const Contract& contract, const Limits& limits) {
  Execution execution;
  Code code;
  CodeDefect defect = decode_case(value, code);
  if (defect.reason == Reason::kNone) defect = check_calls(code);
  if (defect.reason != Reason::kNone) {
    execution.undefined_reason = reason_phrase(defect.reason);
    execution.undefined_at = defect.at;
    return execution;
  }
  Interpreter(value, contract, code, execution).run(limits.fuel);
  return execution;
}

}  // namespace plumb::oracle
