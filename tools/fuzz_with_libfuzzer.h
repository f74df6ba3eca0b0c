// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "harness/check.h"
#include "harness/waivers.h"
#include "tools/libfuzzer_engine.h"
#include "tools/session.h"

namespace plumb::tools {

// `plumb fuzz --engine libfuzzer`: runs the targets, judges what lies in the directory of findings
// with the plugins of this build, and reports; an artefact of this run that kills nothing here is a
// finding too. on_fuzzed is called when the targets have ended. Returns the exit status.
[[nodiscard]] int fuzz_with_libfuzzer(const LibfuzzerOptions& engine, const Session& session,
                                      harness::JitList jits,
                                      const std::vector<harness::NamedWaiver>& waivers,
                                      const std::function<void()>& on_fuzzed);

// A stage that stayed empty has not been tested: says so on stderr, and whether there was one.
bool complain_about_zero_stages(const std::string& jit, const std::vector<std::string>& stages);

}  // namespace plumb::tools
