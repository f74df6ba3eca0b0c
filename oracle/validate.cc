// SPDX-License-Identifier: GPL-2.0-or-later
#include "oracle/validate.h"

#include "oracle/call_graph.h"
#include "oracle/decode.h"

namespace plumb::oracle {

std::optional<Defect> validate(const Case& value, const Contract& contract) {
  Code code;
  CodeDefect defect = decode_case(value, code);
  if (defect.reason == Reason::kNone) defect = check_calls(code, contract);
  if (defect.reason == Reason::kNone) return std::nullopt;
  return Defect{std::string(reason_phrase(defect.reason)), defect.at};
}

}  // namespace plumb::oracle
