// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/answer.h"
#include "core/event.h"

namespace plumb {

// One invariant that one run broke.
struct Violation {
  std::string_view invariant;  // a name of the invariant table
  std::string role;            // frame role: "main", "subprogram", "callback", "tail-callee", "-"
  Place at;
  std::int32_t event = -1;  // when: index in MachineRun::events, or -1
  std::string message;      // one line for people
  // Seen behind that event, and at or before this access: index in MachineRun::accesses. -1: at the
  // event itself.
  std::int32_t access = -1;
  std::int32_t activation = -1;  // whose: index in MachineRun::activations, or -1
  // Index of the violation of the same judgement that explains this one, or -1: a cause of its own.
  std::int32_t follows = -1;

  bool operator==(const Violation&) const = default;
  // Orders the violations of one run by when they were seen.
  [[nodiscard]] std::pair<std::int32_t, std::int32_t> time() const { return {event, access}; }
};

enum class Verdict : std::uint8_t {
  kNotJudged,  // nobody has said anything: never a pass
  kConforms,
  kNotApplicable,  // the JIT announces that it lacks what the case needs
  kUndefined,      // the oracle does not define the case
  kViolation,      // an invariant is broken
  kRefused,        // the JIT did not compile what it should have
  kCrash,          // JIT or emulator died
  kSecondOpinion,  // the second interpreter and the oracle disagree
  kPluginFailed,   // what holds the JIT is wrong: nothing is said about the JIT itself
};

[[nodiscard]] std::string_view verdict_name(Verdict verdict);

// "<invariant>.<family>.<arch>.<role>": file name and key of a finding.
struct Signature {
  std::string invariant;
  std::string family;
  std::string arch;
  std::string role;

  bool operator==(const Signature&) const = default;
  [[nodiscard]] std::string str() const;
};

// What the interpreter of the JIT's own tree says about a case, beside the oracle.
struct SecondOpinion {
  enum class Status : std::uint8_t {
    kNotAsked,
    kNotApplicable,  // the interpreter does not run such programs
    kAgrees,         // with the oracle
    kDisagrees,      // with the oracle: verdict kSecondOpinion
  };
  Status status = Status::kNotAsked;
  // One line. Not applicable: why, a phrase without numbers. Else who stands alone against the two
  // others (oracle, interpreter, JIT), where there is a difference.
  std::string text;

  bool operator==(const SecondOpinion&) const = default;
};

// The verdict on one case under one JIT.
struct Judgement {
  Verdict verdict = Verdict::kNotJudged;
  Signature signature;  // of the first violation; empty fields when it conforms
  // The one that names the finding, then the others in the order in which they were seen.
  std::vector<Violation> violations;
  std::string known{};  // name of the waiver, where known bugs explain all of them
  // Not applicable, undefined, refused, crash, plugin failed: why. Of the first two a phrase
  // without numbers.
  std::string reason;
  SecondOpinion opinion{};
  std::vector<RowAnswer> answers{};  // by row of the invariant table; empty: nothing was compared
  // Not applicable, undefined: one line, what exactly and where.
  std::string detail{};
  // At Depth::kInterrupts: how many interrupts came, and how many walks along the stack were
  // judged.
  std::uint64_t interrupts = 0;
  std::uint64_t walks = 0;
};

// What a judgement that is a finding is reported as, from check, replay, fuzz and triage to every
// writer.
struct Finding {
  Signature signature{};
  Verdict verdict = Verdict::kViolation;
  std::string message{};                // one line
  std::string known{};                  // name of the waiver that covers it, or empty
  std::string second_opinion{};         // who stands alone; empty: not asked, or not applicable
  std::string path{};                   // of a case that shows it, or empty
  std::uint64_t cases_until_found = 0;  // counting the one that found it; 0: not counted
  std::uint64_t count = 1;              // cases that showed it

  bool operator==(const Finding&) const = default;
};

}  // namespace plumb
