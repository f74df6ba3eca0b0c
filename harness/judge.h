// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "core/case.h"
#include "core/execution.h"
#include "core/finding.h"
#include "core/machine_run.h"
#include "harness/activity.h"
#include "harness/second_opinion.h"
#include "harness/waivers.h"
#include "jit_under_test/jit.h"
#include "machine/machine.h"

namespace plumb::harness {

// Signatures of what no invariant of a run can say.
inline constexpr std::string_view kJitAccepts = "jit-accepts";  // verdict kRefused
inline constexpr std::string_view kJitSurvives = "jit-survives";
inline constexpr std::string_view kEmulatorSurvives = "emulator-survives";
// The JIT holds memory that it did not hold before the image was loaded. Verdict kViolation.
inline constexpr std::string_view kImageFreed = "image-freed";
// The interpreter of the JIT's tree and the oracle agree. Role: who stands alone (alone_name()).
inline constexpr std::string_view kSecondOpinion = "second-opinion";

// How far a case came under one JIT.
enum class Stage : std::uint8_t { kGenerated, kDefined, kApplicable, kCompiled, kRan, kCompared };

struct Outcome {
  Judgement judgement;
  Stage stage = Stage::kGenerated;
};

// One comparison with everything that was seen; the image stays loaded as long as this lives.
struct Trial {
  Judgement judgement;
  Stage stage = Stage::kGenerated;
  Execution execution;
  std::unique_ptr<jit::LoadedImage> image;  // null before kCompiled
  MachineRun run;                           // from kCompiled on
};

// Composes oracle, JIT, machine and invariants. Keeps one machine per architecture. A function of
// its arguments: what was judged before has no influence.
class Judge {
 public:
  using MachineFactory = std::function<std::unique_ptr<machine::Machine>(Arch)>;
  explicit Judge(MachineFactory make_machine = machine::make_machine);

  // From now on, the interpreter of a JIT's tree is asked about every case that was compared on it.
  // The list outlives the judge.
  void ask(InterpreterList interpreters) { interpreters_ = interpreters; }

  // From now on, waivers tell what is known: a judgement's signature is that of the first violation
  // that none of them explains (causes.h). The list outlives the judge.
  void know(std::span<const NamedWaiver> waivers) { waivers_ = waivers; }

  // The cell is kept up to date while judging; it outlives the judge.
  void show_activity(std::atomic<Activity>* cell) { activity_ = cell; }

  [[nodiscard]] Outcome judge(const Case& value, jit::Jit& jit, Depth depth);
  // The same with the oracle's answer under the JIT's contract at hand.
  [[nodiscard]] Outcome judge(const Case& value, const Execution& execution, jit::Jit& jit,
                              Depth depth);
  [[nodiscard]] Trial examine(const Case& value, jit::Jit& jit, Depth depth);

 private:
  [[nodiscard]] Outcome judge_with(const Case& value, const Execution& execution, jit::Jit& jit,
                                   Depth depth, Trial* keep);
  // Null: nothing runs this architecture.
  [[nodiscard]] machine::Machine* machine_for(Arch arch);
  void doing(Activity activity);
  void look_for_known(const Case& value, const Execution& execution, jit::Jit& jit, Depth depth,
                      Judgement& judgement);
  // Without waivers, and with second opinions of these only. Null: the oracle is asked under the
  // JIT's contract.
  [[nodiscard]] Outcome judge_knowing_nothing(const Case& value, const Execution* execution,
                                              jit::Jit& jit, Depth depth, InterpreterList asked);
  // Does the JIT of that name break the same invariant at the same event? Yes where it cannot tell.
  [[nodiscard]] bool shows_too(const std::string& name, const Case& value, const Contract& contract,
                               const Execution& execution, Depth depth, const Violation& violation);
  void consult_about(const Compared& compared, const jit::JitInfo& jit, Judgement& judgement);

  InterpreterList interpreters_;
  std::span<const NamedWaiver> waivers_;
  std::map<std::string, std::unique_ptr<jit::Jit>> controls_;  // null: cannot be opened
  MachineFactory make_machine_;
  std::array<std::unique_ptr<machine::Machine>, 4> machines_;  // by Arch
  std::atomic<Activity>* activity_ = nullptr;
};

// A judgement is a finding: something that a waiver may cover and a report has to tell.
[[nodiscard]] bool is_finding(const Judgement& judgement);

// What is reported of a judgement whose verdict is kPluginFailed: one line.
[[nodiscard]] std::string plugin_failure(const Judgement& judgement);

// What is reported of a judgement that is a finding.
[[nodiscard]] Finding finding_of(const Judgement& judgement);

// Was a process that died then busy with what is under test? Else the harness itself died.
[[nodiscard]] bool blames_the_case(Activity activity);

// Unloads the image of a trial, or of a load, and adds what is to be said of that: a JIT that died
// of it is judged by that alone, one that kept memory by that as well.
void unload(std::unique_ptr<jit::LoadedImage>& image, const jit::JitInfo& jit,
            Judgement& judgement);

// The judgement on a JIT, an emulator or an interpreter that died of the case.
[[nodiscard]] Judgement death_judgement(const jit::JitInfo& jit, Activity activity,
                                        std::string reason);

}  // namespace plumb::harness
