// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

#include "core/case.h"
#include "core/execution.h"
#include "core/finding.h"
#include "core/image.h"
#include "core/machine_run.h"

namespace plumb::reports {

// One judged case, with everything that was seen. The image must still be loaded.
struct Explained {
  const Case* value;
  const Image* image;
  const Execution* execution;
  const MachineRun* run;
  const Judgement* judgement;
};

// The whole explanation for a terminal: verdict, first divergence, trace, frames, code. No colour,
// no host address; lines of at most about 120 columns.
[[nodiscard]] std::string explain_text(const Explained& explained);

// Its parts.
[[nodiscard]] std::string verdict_text(const Explained& explained);
// Events of the oracle beside those of the machine, the first difference marked. At most `most`
// lines around the difference (or from the start).
[[nodiscard]] std::string trace_text(const Explained& explained, std::size_t most = 40);
// The stack at the event (or, for -1, at the last one): the frames that are live there, high
// address at the top, from what the prologues were seen to store.
[[nodiscard]] std::string frames_text(const Explained& explained, int event);
// Every function: BPF beside the native code that stands for it.
[[nodiscard]] std::string code_text(const Explained& explained);

}  // namespace plumb::reports
