// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/case.h"
#include "core/finding.h"
#include "harness/funnel.h"
#include "harness/judge.h"
#include "harness/waivers.h"
#include "jit_under_test/jit.h"

namespace plumb::fuzz {

// A signature that a run of inputs showed for the first time; cases_until_found are the inputs up
// to that one.
struct NewFinding : Finding {
  std::size_t jit = 0;
  Depth depth = Depth::kFast;
};

// What became of one input.
struct Step {
  bool compared = false;  // under at least one JIT: worth keeping in a corpus
  std::vector<NewFinding> findings;
  std::string plugin_failure{};  // one line; empty: none failed
};

// The part that all JIT targets share: an input becomes a case, and is judged under every JIT, in
// this process. What kills the process is the fuzzing engine's to report.
class JitFuzzer {
 public:
  using Jits = std::vector<std::unique_ptr<jit::Jit>>;
  JitFuzzer(Jits jits, std::vector<harness::NamedWaiver> waivers);

  [[nodiscard]] Step run(std::span<const std::uint8_t> input);

  // The case of the input that showed the finding, with notes that tell of it.
  [[nodiscard]] Case annotated(std::span<const std::uint8_t> input,
                               const NewFinding& finding) const;

  // The smallest case that still shows it, tried in child processes; the case of the input, where
  // that comes to no end.
  [[nodiscard]] Case minimised(std::span<const std::uint8_t> input,
                               const NewFinding& finding) const;

  // Does another case show it? In a child process.
  [[nodiscard]] bool shows(const Case& value, const NewFinding& finding) const;

  // "<signature> on <JIT>": the first note of its case.
  [[nodiscard]] std::string origin_of(const NewFinding& finding) const;

  [[nodiscard]] const Jits& jits() const { return jits_; }
  [[nodiscard]] std::uint64_t executions() const { return executions_; }
  [[nodiscard]] std::uint64_t parsed() const { return parsed_; }
  [[nodiscard]] const harness::Funnel& funnel(std::size_t jit) const { return funnels_[jit]; }

 private:
  void annotate(Case& value, const NewFinding& finding, const char* how) const;

  Jits jits_;
  std::vector<harness::NamedWaiver> waivers_;
  harness::Judge judge_;
  std::vector<harness::Funnel> funnels_;                 // by JIT
  std::set<std::pair<std::size_t, std::string>> found_;  // JIT, signature
  std::uint64_t executions_ = 0;
  std::uint64_t parsed_ = 0;  // inputs that were the text of a case
};

// A share of the inputs, by their bytes, is judged at full depth, or with interrupts: the verdict
// on an input does not depend on what came before it.
[[nodiscard]] Depth depth_for(std::span<const std::uint8_t> input);

// The funnels as people read them, a JIT after the other.
[[nodiscard]] std::string funnel_text(const JitFuzzer& fuzzer, double seconds);

// What `plumb fuzz --engine libfuzzer` reads: a line of JSON per JIT at the end of a process, one
// per finding when it is found.
[[nodiscard]] std::string funnel_lines(const JitFuzzer& fuzzer);
[[nodiscard]] std::string finding_line(const JitFuzzer& fuzzer, const NewFinding& finding);

}  // namespace plumb::fuzz
