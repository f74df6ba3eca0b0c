// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/doctor.h"

#include <algorithm>
#include <optional>

#include "core/case_text.h"
#include "core/check.h"
#include "harness/coding.h"
#include "harness/isolate.h"
#include "harness/judge.h"
#include "harness/loss.h"

namespace plumb::harness {

namespace {

constexpr double kSecondsForOne = 10;

Case parsed(const DoctorCase& from) {
  auto value = parse_case(from.text, std::string(from.name));
  PLUMB_CHECK(value.has_value());
  return *std::move(value);
}

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const DoctorCase& one : doctor_cases()) cases.push_back(parsed(one));
  return cases;
}

bool is_settled(Verdict verdict) {
  return verdict == Verdict::kConforms || verdict == Verdict::kNotApplicable ||
         verdict == Verdict::kUndefined;
}

std::size_t count(const Judgement& judgement, RowAnswer::Kind kind) {
  return static_cast<std::size_t>(std::ranges::count(judgement.answers, kind, &RowAnswer::kind));
}

DoctorStep step_of(const DoctorCase& one, const Judgement& judgement) {
  return {.name = std::string(one.name),
          .judgement = judgement,
          .held = count(judgement, RowAnswer::Kind::kHeld),
          .not_applicable = count(judgement, RowAnswer::Kind::kNotApplicable)};
}

Judgement judge_alone(const Case& value, jit::Jit& jit) {
  const auto judgement =
      run_isolated<Judgement>(kSecondsForOne, [&](std::atomic<Activity>& activity) {
        Judge judge;
        judge.show_activity(&activity);
        return judge.judge(value, jit, Depth::kFull).judgement;
      });
  return judgement ? *judgement : outcome_of(judgement.error(), jit.info()).judgement;
}

// How many rows hold over the cases, or nothing when one does not conform. A case that was judged
// has to be judged again.
std::optional<std::size_t> rows_held(std::span<const Case> cases, std::span<const DoctorStep> steps,
                                     jit::Jit& jit, Judge& judge) {
  std::size_t held = 0;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const Judgement judgement = judge.judge(cases[i], jit, Depth::kFull).judgement;
    if (!is_settled(judgement.verdict)) return std::nullopt;
    const bool is_judged = judgement.verdict == Verdict::kConforms;
    const Verdict before = steps[i].judgement.verdict;
    const bool was_judged = before != Verdict::kNotApplicable && before != Verdict::kUndefined;
    if (was_judged && !is_judged) return std::nullopt;
    held += count(judgement, RowAnswer::Kind::kHeld);
  }
  return held;
}

bool says_nothing(const DoctorChoice& choice) { return choice.text == "unknown"; }

// How many rows hold with each choice, or nothing: not all cases conform. By field and choice.
using Held = std::vector<std::vector<std::optional<std::size_t>>>;

// Each in a child process, for a wrong setting may lead anywhere.
Held try_choices(const std::vector<DoctorField>& fields, std::span<const Case> cases,
                 std::span<const DoctorStep> steps, jit::Jit& jit) {
  std::vector<std::pair<std::size_t, std::size_t>> items;
  Held held;
  for (std::size_t field = 0; field < fields.size(); ++field) {
    held.emplace_back(fields[field].choices.size());
    for (std::size_t i = 0; i < held.back().size(); ++i) items.emplace_back(field, i);
  }
  Judge judge;
  run_isolated<std::uint64_t>(
      {.items = items.size(),
       .seconds_per_item = kSecondsForOne,
       .work = [&](std::uint64_t item, unsigned,
                   std::atomic<Activity>&) -> std::optional<std::uint64_t> {
         const auto [field, choice] = items[item];
         AmendedJit other(jit, fields[field].choices[choice].amendment);
         return rows_held(cases, steps, other, judge);
       },
       .on_result = [&](std::uint64_t item,
                        std::uint64_t rows) { held[items[item].first][items[item].second] = rows; },
       .on_loss = [](std::uint64_t, const Loss&) {}});
  return held;
}

// The fields with those of their choices that `accepts`.
using Accepts = std::function<bool(const DoctorField& field, const DoctorChoice& choice,
                                   std::optional<std::size_t> held)>;
std::vector<DoctorExplanation> select(const std::vector<DoctorField>& fields, const Held& held,
                                      const Accepts& accepts) {
  std::vector<DoctorExplanation> found;
  for (std::size_t f = 0; f < fields.size(); ++f) {
    const DoctorField& field = fields[f];
    DoctorExplanation explanation{.field = field.name, .declared = field.declared, .values = {}};
    for (std::size_t i = 0; i < field.choices.size(); ++i) {
      if (!accepts(field, field.choices[i], held[f][i])) continue;
      explanation.values.push_back(field.choices[i].text);
    }
    if (!explanation.values.empty()) found.push_back(std::move(explanation));
  }
  return found;
}

std::vector<DoctorExplanation> explain(std::span<const Case> cases,
                                       std::span<const DoctorStep> steps, jit::Jit& jit) {
  const std::vector<DoctorField> fields = doctor_fields(jit.info());
  const Held held = try_choices(fields, cases, steps, jit);
  for (const bool unsaid : {false, true}) {
    auto found = select(fields, held, [unsaid](const auto&, const auto& choice, auto rows) {
      return rows.has_value() && says_nothing(choice) == unsaid;
    });
    if (!found.empty()) return found;
  }
  return {};
}

std::vector<DoctorExplanation> find_unsaid(std::span<const Case> cases,
                                           std::span<const DoctorStep> steps, jit::Jit& jit) {
  std::size_t before = 0;
  for (const DoctorStep& step : steps) before += step.held;
  std::vector<DoctorField> fields = doctor_fields(jit.info());
  std::erase_if(fields, [](const DoctorField& field) { return field.declared != "unknown"; });
  const Held held = try_choices(fields, cases, steps, jit);
  return select(fields, held,
                [before](const auto&, const auto&, auto rows) { return rows && *rows > before; });
}

}  // namespace

bool Diagnosis::is_healthy() const {
  bool judged = false;
  for (const DoctorStep& step : steps) {
    if (!is_settled(step.judgement.verdict)) return false;
    judged |= step.judgement.verdict == Verdict::kConforms;
  }
  return judged;
}

Diagnosis diagnose(jit::Jit& jit) {
  const std::vector<Case> cases = all_cases();
  Diagnosis out;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    out.steps.push_back(step_of(doctor_cases()[i], judge_alone(cases[i], jit)));
    if (is_settled(out.steps.back().judgement.verdict)) continue;
    const bool was_compared = !out.steps.back().judgement.answers.empty();
    if (was_compared) {
      out.explanations = explain(std::span(cases).first(i + 1), out.steps, jit);
    }
    return out;
  }
  out.unsaid = find_unsaid(cases, out.steps, jit);
  return out;
}

}  // namespace plumb::harness
