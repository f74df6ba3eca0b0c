// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <vector>

#include "harness/check.h"
#include "harness/waivers.h"
#include "tools/libfuzzer_engine.h"
#include "tools/session.h"

namespace plumb::tools {

struct HowToTell {
  std::function<void()> on_fuzzed;  // when the targets have ended
  bool verbose = false;
};

// `plumb fuzz --engine libfuzzer`: runs the targets, judges what lies in the directory of findings
// with the plugins of this build, and reports; an artefact of this run that kills nothing here is a
// finding too. Returns the exit status.
[[nodiscard]] int fuzz_with_libfuzzer(const LibfuzzerOptions& engine, const Session& session,
                                      harness::JitList jits,
                                      const std::vector<harness::NamedWaiver>& waivers,
                                      const HowToTell& how);

}  // namespace plumb::tools
