// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/loss.h"

namespace plumb::harness {
namespace {

Stage stage_at(Activity activity) {
  switch (activity) {
    case Activity::kIdle:
    case Activity::kGenerating:
    case Activity::kInterpreting:
      return Stage::kGenerated;
    case Activity::kCompiling:
      return Stage::kApplicable;
    case Activity::kRunning:
      return Stage::kCompiled;
    case Activity::kChecking:
      return Stage::kRan;
    case Activity::kAsking:
    case Activity::kUnloading:
      return Stage::kCompared;
  }
  return Stage::kGenerated;
}

}  // namespace

bool is_our_failure(const Loss& loss) {
  switch (loss.death.kind) {
    case Death::Kind::kExit:
    case Death::Kind::kSignal:
    case Death::Kind::kTimeout:
      return !blames_the_case(loss.activity);
    case Death::Kind::kCheckFailed:
    case Death::Kind::kDamaged:
    case Death::Kind::kKilledFromOutside:
      return true;
  }
  return true;
}

Outcome outcome_of(const Loss& loss, const jit::JitInfo& jit) {
  if (is_our_failure(loss)) return {};
  return {.judgement = death_judgement(jit, loss.activity, loss.death.str()),
          .stage = stage_at(loss.activity)};
}

}  // namespace plumb::harness
