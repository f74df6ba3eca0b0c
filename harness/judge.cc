// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "harness/causes.h"
#include "harness/known_code.h"
#include "invariants/invariants.h"
#include "oracle/capabilities.h"
#include "oracle/oracle.h"

namespace plumb::harness {
namespace {

constexpr std::string_view kNoRole = "-";

Signature signature_of(const jit::JitInfo& jit, std::string_view invariant, std::string_view role) {
  return {.invariant = std::string(invariant),
          .family = jit.family,
          .arch = std::string(arch_name(jit.arch)),
          .role = std::string(role)};
}

// A case that ends in the oracle ends in native code within so many blocks or instructions: the
// longest code for one instruction, a tail call, is some 30 instructions long.
std::uint64_t budget_for(const Execution& execution) {
  return 10'000 + 64 * execution.instructions;
}

// Only what came back from the invocation is compared to its end.
Stage stage_of(const MachineRun& run) {
  if (run.stop == StopReason::kEmulatorFailed) return Stage::kCompiled;
  const bool is_bound_broken = run.tail_calls > static_cast<std::uint32_t>(kTailCallLimit);
  return run.stop == StopReason::kReturned && !is_bound_broken ? Stage::kCompared : Stage::kRan;
}

struct Failure {
  Verdict verdict;
  std::string_view invariant;
};

Judgement failed(const jit::JitInfo& jit, const Failure& failure, std::string reason) {
  return {.verdict = failure.verdict,
          .signature = signature_of(jit, failure.invariant, kNoRole),
          .violations = {Violation{.invariant = failure.invariant,
                                   .role = std::string(kNoRole),
                                   .at = {},
                                   .event = -1,
                                   .message = reason}},
          .reason = std::move(reason)};
}

Judgement without_comparison(Verdict verdict, std::string reason, std::string detail = {}) {
  return {.verdict = verdict,
          .signature = {},
          .violations = {},
          .reason = std::move(reason),
          .detail = std::move(detail)};
}

// What a plugin says about its limits: "program 0, function 1, slot 2: no such thing" is counted as
// "no such thing".
Judgement not_applicable(std::string text) {
  const std::size_t slot = text.find("slot ");
  const std::size_t colon = slot == std::string::npos ? slot : text.find(": ", slot);
  std::string phrase = colon == std::string::npos ? text : text.substr(colon + 2);
  return without_comparison(Verdict::kNotApplicable, std::move(phrase), std::move(text));
}

Judgement not_loaded(const jit::JitInfo& jit, jit::LoadOutcome outcome) {
  using Status = jit::LoadOutcome::Status;
  switch (outcome.status) {
    case Status::kNotApplicable:
      return not_applicable(std::move(outcome.reason));
    case Status::kRefused:
      return failed(jit, {Verdict::kRefused, kJitAccepts}, std::move(outcome.reason));
    case Status::kDied:
      return death_judgement(jit, Activity::kCompiling, std::move(outcome.reason));
    case Status::kBroken:
    case Status::kLoaded:
      break;
  }
  return without_comparison(Verdict::kPluginFailed, std::move(outcome.reason));
}

Judgement compared(const jit::JitInfo& jit, invariants::Checked checked) {
  std::vector<Violation>& violations = checked.violations;
  Judgement judgement;
  judgement.answers = std::move(checked.answers);
  judgement.walks = checked.walks;
  judgement.verdict = violations.empty() ? Verdict::kConforms : Verdict::kViolation;
  if (violations.empty()) return judgement;
  judgement.signature = signature_of(jit, violations[0].invariant, violations[0].role);
  judgement.violations = std::move(violations);
  return judgement;
}

// The interpreter's word against the oracle's: worse than anything that the JIT did.
void add_disagreement(const jit::JitInfo& jit, Alone alone, Judgement& judgement) {
  judgement.verdict = Verdict::kSecondOpinion;
  judgement.signature = signature_of(jit, kSecondOpinion, alone_name(alone));
  for (Violation& violation : judgement.violations) {
    if (violation.follows >= 0) ++violation.follows;
  }
  judgement.violations.insert(judgement.violations.begin(),
                              Violation{.invariant = kSecondOpinion,
                                        .role = std::string(alone_name(alone)),
                                        .at = {},
                                        .event = -1,
                                        .message = judgement.opinion.text});
}

// Seen after everything else.
void add_kept(const jit::JitInfo& jit, std::uint64_t kept, Judgement& judgement) {
  Judgement found = failed(jit, {Verdict::kViolation, kImageFreed},
                           fmt::format("after the image was unloaded, {} more piece{} of memory {} "
                                       "allocated than before it was loaded",
                                       kept, kept == 1 ? "" : "s", kept == 1 ? "is" : "are"));
  judgement.violations.push_back(std::move(found.violations.front()));
  if (judgement.violations.size() > 1) return;
  judgement.verdict = found.verdict;
  judgement.signature = std::move(found.signature);
}

// The same invariant in the same role, and where it matters at the same event.
bool breaks(const Judgement& judgement, const Violation& violation, bool at_same_event) {
  return std::ranges::any_of(judgement.violations, [&](const Violation& other) {
    return other.invariant == violation.invariant && other.role == violation.role &&
           (!at_same_event || other.event == violation.event);
  });
}

}  // namespace

Judge::Judge(MachineFactory make_machine) : make_machine_(std::move(make_machine)) {}

void Judge::doing(Activity activity) {
  if (activity_ != nullptr) activity_->store(activity, std::memory_order_relaxed);
}

machine::Machine* Judge::machine_for(Arch arch) {
  auto& machine = machines_[static_cast<std::size_t>(arch)];
  if (machine == nullptr) machine = make_machine_(arch);
  return machine.get();
}

Outcome Judge::judge(const Case& value, jit::Jit& jit, Depth depth) {
  doing(Activity::kInterpreting);
  const Execution execution = oracle::run(value, jit.info().contract);
  return judge_with(value, execution, jit, depth, nullptr);
}

Outcome Judge::judge(const Case& value, const Execution& execution, jit::Jit& jit, Depth depth) {
  return judge_with(value, execution, jit, depth, nullptr);
}

Trial Judge::examine(const Case& value, jit::Jit& jit, Depth depth) {
  Trial trial;
  doing(Activity::kInterpreting);
  trial.execution = oracle::run(value, jit.info().contract);
  Outcome outcome = judge_with(value, trial.execution, jit, depth, &trial);
  trial.judgement = std::move(outcome.judgement);
  trial.stage = outcome.stage;
  return trial;
}

Outcome Judge::judge_with(const Case& value, const Execution& execution, jit::Jit& jit, Depth depth,
                          Trial* keep) {
  const jit::JitInfo& info = jit.info();
  if (execution.unsaid) {
    return {without_comparison(Verdict::kNotApplicable, execution.undefined_reason,
                               execution.undefined_detail),
            Stage::kDefined};
  }
  if (!execution.defined) {
    return {without_comparison(Verdict::kUndefined, execution.undefined_reason,
                               execution.undefined_detail),
            Stage::kGenerated};
  }
  if ((execution.required_capabilities & ~info.capabilities) != 0) {
    oracle::Lack lack = oracle::lacking(value, info.capabilities);
    return {
        without_comparison(Verdict::kNotApplicable, std::move(lack.phrase), std::move(lack.detail)),
        Stage::kDefined};
  }
  machine::Machine* machine = machine_for(info.arch);
  if (machine == nullptr) {
    return {without_comparison(Verdict::kNotApplicable, "no machine runs this architecture"),
            Stage::kDefined};
  }
  doing(Activity::kCompiling);
  jit::LoadOutcome loaded = jit.load(value);
  if (loaded.status != jit::LoadOutcome::Status::kLoaded) {
    const bool applies = loaded.status != jit::LoadOutcome::Status::kNotApplicable;
    Outcome outcome{not_loaded(info, std::move(loaded)),
                    applies ? Stage::kApplicable : Stage::kDefined};
    look_for_known(value, execution, jit, depth, outcome.judgement);
    return outcome;
  }
  doing(Activity::kRunning);
  const Image& image = loaded.image->image();
  const MachineRun& run =
      machine->run(value, image, {.depth = depth, .block_budget = budget_for(execution)});
  Outcome outcome{.judgement = {}, .stage = stage_of(run)};
  if (run.stop == StopReason::kEmulatorFailed) {
    outcome.judgement = failed(info, {Verdict::kCrash, kEmulatorSurvives}, run.detail);
  } else {
    doing(Activity::kChecking);
    outcome.judgement =
        compared(info, invariants::check({&value, &image, &execution, &run, depth}));
    outcome.judgement.interrupts = run.interrupts;
    consult_about({value, execution, info.contract, run, outcome.judgement}, info,
                  outcome.judgement);
  }
  if (keep != nullptr) {
    keep->run = run;
    keep->image = std::move(loaded.image);
  }
  doing(Activity::kUnloading);
  unload(loaded.image, info, outcome.judgement);
  look_for_known(value, execution, jit, depth, outcome.judgement);
  doing(Activity::kIdle);
  return outcome;
}

void Judge::look_for_known(const Case& value, const Execution& execution, jit::Jit& jit,
                           Depth depth, Judgement& judgement) {
  if (waivers_.empty() || judgement.violations.empty()) return;
  // Nothing that a JIT does explains a disagreement of interpreters; code that the one of the tree
  // gets wrong does, where it stands alone.
  const bool is_opinion = judgement.verdict == Verdict::kSecondOpinion;
  if (is_opinion && judgement.signature.role != alone_name(Alone::kInterpreter)) return;
  const InterpreterList asked = is_opinion ? interpreters_ : InterpreterList{};
  doing(Activity::kChecking);
  const jit::JitInfo& info = jit.info();
  const std::vector<NamedWaiver> waivers = for_code_of(waivers_, info.name, value);
  std::optional<Judgement> without_code;
  const auto confirm = [&](const Waiver& waiver, const Violation& violation) {
    if (!waiver.code.empty()) {
      if (!without_code) {
        without_code =
            judge_knowing_nothing(without_code_of(waivers, value), nullptr, jit, depth, asked)
                .judgement;
      }
      return !breaks(*without_code, violation, false);
    }
    if (violation.invariant == kSecondOpinion) return false;
    const std::string name = alone_with_bug(waiver, info.name);
    return name.empty() || shows_too(name, value, info.contract, execution, depth, violation);
  };
  name_cause(info, waivers, confirm, judgement);
}

Outcome Judge::judge_knowing_nothing(const Case& value, const Execution* execution, jit::Jit& jit,
                                     Depth depth, InterpreterList asked) {
  const std::span<const NamedWaiver> waivers = std::exchange(waivers_, {});
  const InterpreterList interpreters = std::exchange(interpreters_, asked);
  Outcome outcome = execution != nullptr ? judge_with(value, *execution, jit, depth, nullptr)
                                         : judge(value, jit, depth);
  waivers_ = waivers;
  interpreters_ = interpreters;
  return outcome;
}

bool Judge::shows_too(const std::string& name, const Case& value, const Contract& contract,
                      const Execution& execution, Depth depth, const Violation& violation) {
  auto it = controls_.find(name);
  if (it == controls_.end()) {
    auto opened = jit::open_jits({}, name);
    it = controls_.emplace(name, opened ? std::move(opened->front()) : nullptr).first;
  }
  jit::Jit* const control = it->second.get();
  if (control == nullptr) return true;
  const bool same_contract = control->info().contract == contract;
  const Outcome outcome =
      judge_knowing_nothing(value, same_contract ? &execution : nullptr, *control, depth, {});
  if (outcome.judgement.answers.empty()) return true;  // it was not compared
  return breaks(outcome.judgement, violation, true);
}

void Judge::consult_about(const Compared& compared, const jit::JitInfo& jit, Judgement& judgement) {
  jit::Interpreter* const interpreter = find_interpreter(interpreters_, jit.name);
  if (interpreter == nullptr) return;
  doing(Activity::kAsking);
  Consultation consultation = consult(*interpreter, compared);
  judgement.opinion = std::move(consultation.opinion);
  if (judgement.opinion.status == SecondOpinion::Status::kDisagrees) {
    add_disagreement(jit, consultation.alone, judgement);
  }
}

bool is_finding(const Judgement& judgement) {
  switch (judgement.verdict) {
    case Verdict::kNotJudged:
    case Verdict::kConforms:
    case Verdict::kNotApplicable:
    case Verdict::kUndefined:
    case Verdict::kPluginFailed:
      return false;
    case Verdict::kViolation:
    case Verdict::kRefused:
    case Verdict::kCrash:
    case Verdict::kSecondOpinion:
      return true;
  }
  return true;
}

std::string plugin_failure(const Judgement& judgement) {
  return "the plugin failed: " + judgement.reason;
}

Finding finding_of(const Judgement& judgement) {
  Finding finding;
  finding.signature = judgement.signature;
  finding.verdict = judgement.verdict;
  finding.message =
      judgement.violations.empty() ? judgement.reason : judgement.violations.front().message;
  finding.known = judgement.known;
  finding.second_opinion = opinion_text(judgement.opinion);
  return finding;
}

bool blames_the_case(Activity activity) {
  switch (activity) {
    case Activity::kCompiling:
    case Activity::kRunning:
    case Activity::kAsking:
    case Activity::kUnloading:
      return true;
    case Activity::kIdle:
    case Activity::kGenerating:
    case Activity::kInterpreting:
    case Activity::kChecking:
      return false;
  }
  return false;
}

void unload(std::unique_ptr<jit::LoadedImage>& image, const jit::JitInfo& jit,
            Judgement& judgement) {
  if (image == nullptr) return;
  const Result<jit::Unloaded> unloaded = image->unload();
  image.reset();
  if (!unloaded) {
    judgement = death_judgement(jit, Activity::kUnloading, unloaded.error().message);
  } else if (unloaded->kept > 0) {
    add_kept(jit, unloaded->kept, judgement);
  }
}

Judgement death_judgement(const jit::JitInfo& jit, Activity activity, std::string reason) {
  if (activity == Activity::kAsking) {
    Judgement judgement = failed(jit, {Verdict::kCrash, kSecondOpinion}, std::move(reason));
    judgement.opinion = {.status = SecondOpinion::Status::kDisagrees, .text = judgement.reason};
    judgement.signature.role = judgement.violations[0].role = alone_name(Alone::kInterpreter);
    return judgement;
  }
  const bool running = activity == Activity::kRunning;
  return failed(jit, {Verdict::kCrash, running ? kEmulatorSurvives : kJitSurvives},
                std::move(reason));
}

}  // namespace plumb::harness
