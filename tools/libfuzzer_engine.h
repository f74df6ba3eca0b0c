// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/result.h"
#include "harness/fuzz_driver.h"
#include "reports/report.h"

namespace plumb::tools {

// A run of fuzz targets in place of the built-in driver.
struct LibfuzzerOptions {
  std::string targets;  // directory that holds them: build/fuzz
  std::string plugins;  // where JITs lie that the targets' own directory lacks
  std::string known;    // directory of waivers, or empty
  std::string corpus;   // read and added to; empty: from nothing, and forgotten
  std::string out;      // findings, artefacts, logs
  std::uint64_t runs = 0;
  double seconds = 0;  // of each target
  double grace = 300;  // how long after that a target may take to end: it waits for its processes
                       // and merges what they found
  std::uint64_t seed = 1;
  unsigned jobs = 1;
  std::function<void(const harness::FuzzProgress&)> on_progress;
  // With each plugin, as the targets find it, whose code tells libFuzzer nothing. At the start.
  std::function<void(const std::string& path)> on_not_instrumented;
};

// What an input left that killed a process of a target: crash-*, timeout-*, oom-*, leak-*.
struct Artefact {
  std::string path;
  std::string target;
};

struct LibfuzzerRun {
  std::vector<reports::JitReport> jits;  // with their funnels
  // JIT, signature -> inputs until it was found, of the processes that had ended before and of the
  // one that found it.
  std::map<std::pair<std::string, std::string>, std::uint64_t> found_after;
  std::vector<Artefact> artefacts;    // of this run
  std::vector<std::string> failures;  // targets that did not fuzz to the end, and why
  double seconds = 0;
};

// The target of a JIT: fuzz_<family>_<arch>, or fuzz_reference.
[[nodiscard]] std::string target_name(const jit::JitInfo& info);

// Runs each target that the JITs need, in libFuzzer's fork mode: what kills a process is kept as an
// artefact, and the run goes on. Findings are in options.out. An error: a target is not there, or
// the options are not for libFuzzer; nothing was started then.
[[nodiscard]] Result<LibfuzzerRun> run_libfuzzer(harness::JitList jits,
                                                 const LibfuzzerOptions& options);

// What the target says in dying when it judges the artefact under this JIT alone; nothing when it
// lives.
[[nodiscard]] std::optional<std::string> dies_of(const jit::JitInfo& jit,
                                                 const std::string& artefact,
                                                 const LibfuzzerOptions& options);

}  // namespace plumb::tools
