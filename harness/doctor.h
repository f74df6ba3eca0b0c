// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/case.h"
#include "core/finding.h"
#include "harness/amended_jit.h"
#include "jit_under_test/jit.h"

// What is wrong in what a JIT says about itself: tiny cases, in the order of what they need, and
// the settings that would explain what the first wrong one shows.
namespace plumb::harness {

struct DoctorCase {
  std::string_view name;   // "calls-a-helper"
  std::string_view needs;  // what has to be right for it, for people
  std::string_view text;   // core/case_text.h
};
[[nodiscard]] std::span<const DoctorCase> doctor_cases();

// One value that a word of a JIT's description can have.
struct DoctorChoice {
  std::string text;  // "rbx", "32", "unknown"
  Amendment amendment;
};

// One word of a JIT's description (core/contract.h, core/image.h).
struct DoctorField {
  std::string name;                   // as in plugin.h: "contract.result_bits"
  std::string declared;               // what the JIT says
  std::vector<DoctorChoice> choices;  // what else it could say
};
// In the order in which the cases need them.
[[nodiscard]] std::vector<DoctorField> doctor_fields(const jit::JitInfo& info);

// Another setting with which all cases up to the first wrong one conform.
struct DoctorExplanation {
  std::string field;
  std::string declared;
  std::vector<std::string> values;  // those that explain it; at least one
};

struct DoctorStep {
  std::string name;
  Judgement judgement;
  std::size_t held = 0;            // rows of the invariant table
  std::size_t not_applicable = 0;  // rows
};

struct Diagnosis {
  std::vector<DoctorStep> steps;  // up to the first that does not conform
  // Of that one. Values that are no value ("unknown") come only where no other explains it.
  std::vector<DoctorExplanation> explanations;
  // Nothing is wrong: words that the JIT does not say, and the values that fit all cases and make
  // more rows hold.
  std::vector<DoctorExplanation> unsaid;

  [[nodiscard]] bool is_healthy() const;  // something was judged, and nothing is wrong
};

// Every case in a child process of its own (harness/isolate.h): one that ends it is a finding.
[[nodiscard]] Diagnosis diagnose(jit::Jit& jit);

}  // namespace plumb::harness
