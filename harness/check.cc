// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "harness/causes.h"
#include "harness/coding.h"
#include "harness/isolate.h"
#include "harness/known_code.h"
#include "harness/loss.h"
#include "invariants/invariants.h"
#include "oracle/oracle.h"

namespace plumb::harness {
namespace {

// Did native code run, so that the waiver had its chance? One for an interpreter: did that?
bool had_its_chance(const Waiver& waiver, const Judgement& judgement) {
  const SecondOpinion::Status opinion = judgement.opinion.status;
  if (waiver.signature.starts_with(kSecondOpinion) && opinion != SecondOpinion::Status::kAgrees &&
      opinion != SecondOpinion::Status::kDisagrees) {
    return false;
  }
  switch (judgement.verdict) {
    case Verdict::kConforms:
    case Verdict::kViolation:
    case Verdict::kRefused:
    case Verdict::kCrash:
    case Verdict::kSecondOpinion:
      return true;
    case Verdict::kNotJudged:
    case Verdict::kNotApplicable:
    case Verdict::kUndefined:
    case Verdict::kPluginFailed:
      return false;
  }
  return false;
}

// The waivers of the case itself, then the others.
std::vector<NamedWaiver> waivers_for(const NamedCase& item, const CheckOptions& options) {
  std::vector<NamedWaiver> waivers;
  waivers.reserve(item.value.waivers.size() + options.waivers.size());
  for (const Waiver& waiver : item.value.waivers) {
    waivers.push_back({.name = item.name, .waiver = waiver});
  }
  waivers.insert(waivers.end(), options.waivers.begin(), options.waivers.end());
  return waivers;
}

// Nobody judged what killed its process: its signature decides, and the code that it has.
std::string known_death(std::span<const NamedWaiver> waivers, const Signature& signature,
                        const std::string& jit, const Case& value) {
  const std::vector<NamedWaiver> fitting = for_code_of(waivers, jit, value);
  const NamedWaiver* known = find_waiver(fitting, signature, jit);
  return known != nullptr ? known->name : std::string();
}

// A waiver of what only a deeper run shows asks for one.
Depth depth_for(const Case& value, Depth depth) {
  for (const Waiver& waiver : value.waivers) {
    const std::string_view signature = waiver.signature;
    const invariants::InvariantInfo* const info =
        invariants::find_invariant(signature.substr(0, signature.find('.')));
    if (info != nullptr) depth = std::max(depth, info->needs);
  }
  return depth;
}

// The waivers of the case that covered nothing, by its rows.
std::vector<Waiver> stale_waivers(const NamedCase& item, std::span<const CheckRow> rows,
                                  JitList jits) {
  std::vector<Waiver> stale;
  for (const Waiver& waiver : item.value.waivers) {
    bool tried = false;
    bool used = false;
    for (const CheckRow& row : rows) {
      const std::string& jit = jits[row.jit_index]->info().name;
      if (!names_jit(waiver, jit) || !had_its_chance(waiver, row.judgement)) continue;
      tried = true;
      used |= std::ranges::any_of(row.judgement.violations, [&](const Violation& violation) {
        return covers(waiver, violation_signature(jits[row.jit_index]->info(), violation), jit);
      });
    }
    if (tried && !used) stale.push_back(waiver);
  }
  return stale;
}

class Checking {
 public:
  Checking(std::span<const NamedCase> cases, JitList jits, const CheckOptions& options)
      : cases_(cases), jits_(jits), options_(options), judges_(std::max(1u, options.jobs)) {}

  CheckReport run() {
    report_.rows.resize(cases_.size() * jits_.size());
    for (std::size_t i = 0; i < report_.rows.size(); ++i) {
      report_.rows[i].case_index = i / jits_.size();
      report_.rows[i].jit_index = i % jits_.size();
    }
    run_isolated<Outcome>(
        {.items = report_.rows.size(),
         .jobs = static_cast<unsigned>(judges_.size()),
         .seconds_per_item = options_.seconds_per_case,
         .work = [this](std::uint64_t item, unsigned job,
                        std::atomic<Activity>& activity) { return work(item, job, activity); },
         .on_result = [this](std::uint64_t item,
                             Outcome outcome) { accept(item, std::move(outcome)); },
         .on_loss = [this](std::uint64_t item, const Loss& loss) { lose(item, loss); }});
    for (std::size_t i = 0; i < cases_.size(); ++i) conclude(i);
    return std::move(report_);
  }

 private:
  Outcome work(std::uint64_t item, unsigned job, std::atomic<Activity>& activity) {
    if (!judges_[job]) {
      judges_[job] = std::make_unique<Judge>(options_.make_machine);
      judges_[job]->ask(options_.interpreters);
    }
    judges_[job]->show_activity(&activity);
    const CheckRow& row = report_.rows[item];
    if (waivers_.empty() || waivers_of_ != row.case_index) {
      waivers_ = waivers_for(cases_[row.case_index], options_);
      waivers_of_ = row.case_index;
    }
    judges_[job]->know(waivers_);
    const Case& value = cases_[row.case_index].value;
    return judges_[job]->judge(value, *jits_[row.jit_index], depth_for(value, options_.depth));
  }

  void accept(std::uint64_t item, Outcome outcome) {
    if (outcome.judgement.verdict == Verdict::kPluginFailed) {
      report_.harness_failures.push_back(
          fmt::format("{}: {}", name_of(item), plugin_failure(outcome.judgement)));
    }
    report_.rows[item].judgement = std::move(outcome.judgement);
    report_.rows[item].stage = outcome.stage;
  }

  void lose(std::uint64_t item, const Loss& loss) {
    accept(item, outcome_of(loss, jits_[report_.rows[item].jit_index]->info()));
    if (!is_our_failure(loss)) return;
    report_.harness_failures.push_back(
        fmt::format("{}: {}{}", name_of(item), loss.death.str(), suspicion(options_.interpreters)));
  }

  [[nodiscard]] std::string name_of(std::uint64_t item) const {
    const CheckRow& row = report_.rows[item];
    return fmt::format("{} under {}", cases_[row.case_index].path,
                       jits_[row.jit_index]->info().name);
  }

  // Waivers and expectation of one case.
  void conclude(std::size_t i) {
    const std::span<CheckRow> rows =
        std::span(report_.rows).subspan(i * jits_.size(), jits_.size());
    const std::vector<NamedWaiver> waivers = waivers_for(cases_[i], options_);
    for (CheckRow& row : rows) {
      row.known = row.judgement.verdict == Verdict::kCrash
                      ? known_death(waivers, row.judgement.signature,
                                    jits_[row.jit_index]->info().name, cases_[i].value)
                      : row.judgement.known;
    }
    for (Waiver& waiver : stale_waivers(cases_[i], rows, jits_)) {
      report_.stale.push_back({.case_index = i, .waiver = std::move(waiver)});
    }
    std::string message = contradiction(cases_[i].value);
    if (!message.empty()) {
      report_.unexpected.push_back({.case_index = i, .message = std::move(message)});
    }
  }

  std::span<const NamedCase> cases_;
  JitList jits_;
  const CheckOptions& options_;
  std::vector<std::unique_ptr<Judge>> judges_;  // by job; made in the child
  std::vector<NamedWaiver> waivers_;            // in the child: for the case at hand
  std::size_t waivers_of_ = 0;
  CheckReport report_;
};

}  // namespace

std::string contradiction(const Case& value) {
  using Kind = Expectation::Kind;
  const Execution execution = oracle::run(value, Contract{});
  switch (value.expectation.kind) {
    case Kind::kUndefined:
      return execution.defined ? "expected to be undefined, and is defined" : "";
    case Kind::kNone:
    case Kind::kReturn:
      break;
  }
  if (!execution.defined) {
    return fmt::format("undefined: {}: {}", execution.undefined_reason, execution.undefined_detail);
  }
  if (value.expectation.kind == Kind::kNone) return {};
  if (execution.result == Value::scalar(value.expectation.value)) return {};
  if (!execution.result.is_scalar()) return "expected to return a number";
  return fmt::format("expected to return {}, the oracle returns {}", value.expectation.value,
                     execution.result.bits);
}

int CheckReport::status() const {
  const bool all_judged = std::ranges::all_of(
      rows, [](const CheckRow& row) { return row.judgement.verdict != Verdict::kNotJudged; });
  if (!harness_failures.empty() || !all_judged) return 3;
  const bool found = std::ranges::any_of(
      rows, [](const CheckRow& row) { return is_finding(row.judgement) && row.known.empty(); });
  return found || !unexpected.empty() || !stale.empty() ? 1 : 0;
}

CheckReport check_cases(std::span<const NamedCase> cases, JitList jits,
                        const CheckOptions& options) {
  return Checking(cases, jits, options).run();
}

}  // namespace plumb::harness
