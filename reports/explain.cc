// SPDX-License-Identifier: GPL-2.0-or-later
#include "reports/explain.h"

#include <fmt/format.h>

#include "core/printable.h"

namespace plumb::reports {

std::string verdict_text(const Explained& explained) {
  const Judgement& judgement = *explained.judgement;
  std::string text =
      fmt::format("Verdict: {} on {}\n", verdict_name(judgement.verdict), explained.image->jit);
  if (!judgement.reason.empty()) text += fmt::format("  {}\n", printable(judgement.reason));
  if (!judgement.violations.empty()) {
    text += fmt::format("Signature: {}\n", judgement.signature.str());
  }
  for (const Violation& violation : judgement.violations) {
    const Program& program =
        explained.value->programs[static_cast<std::size_t>(violation.at.program)];
    text += fmt::format("  {} in {}.{}+{}: {}\n", violation.invariant, program.name,
                        program.functions[static_cast<std::size_t>(violation.at.function)].name,
                        violation.at.slot, printable(violation.message));
  }
  if (!judgement.opinion.text.empty()) {
    text += fmt::format("  second opinion: {}\n", printable(judgement.opinion.text));
  }
  text += fmt::format(
      "  the machine stopped: {}; tail calls taken: {} by the machine, {} by the oracle\n",
      stop_reason_name(explained.run->stop), explained.run->tail_calls,
      explained.execution->tail_calls);
  return text;
}

std::string explain_text(const Explained& explained) {
  const auto& violations = explained.judgement->violations;
  const int event = violations.empty() ? -1 : violations.front().event;
  return verdict_text(explained) + "\n" + trace_text(explained) + "\n" +
         frames_text(explained, event) + "\n" + code_text(explained);
}

}  // namespace plumb::reports
