// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/walked.h"

#include <fmt/format.h>

#include <algorithm>

namespace plumb::tools {
namespace {

using harness::WalkReport;
using harness::WalkTally;
using unwind::Outcome;
using unwind::Unwinder;

constexpr std::size_t kTallyBehind = 3;  // in Walked::starts

// Is it a lie to call a wrong walk reliable there? Not where the JIT keeps no chain.
bool is_held_to_it(const Image& image, Unwinder unwinder) {
  return image.registers.frame_pointer.is_known() ||
         unwind::unwinder_info(unwinder).jit_code == unwind::Rule::kRows ||
         unwinder == Unwinder::kDwarf;
}

void add_start(Walked& walked, const Image& image, const harness::StartWalks& start,
               Unwinder unwinder) {
  const WalkTally& tally = start.tallies[static_cast<std::size_t>(unwinder)];
  if (std::ranges::all_of(tally, [](std::uint64_t count) { return count == 0; })) return;
  const bool lies = tally[static_cast<std::size_t>(Outcome::kLie)] != 0;
  walked.lies = walked.lies || (lies && is_held_to_it(image, unwinder) &&
                                !unwind::is_blind(start.start, start.mark, unwinder));
  const std::vector<std::uint64_t> key{static_cast<std::uint64_t>(start.start),
                                       static_cast<std::uint64_t>(start.mark),
                                       static_cast<std::uint64_t>(unwinder)};
  const auto at = std::ranges::lower_bound(walked.starts, key, {}, [](const auto& row) {
    return std::vector(row.begin(), row.begin() + kTallyBehind);
  });
  const bool is_there =
      at != walked.starts.end() && std::equal(key.begin(), key.end(), at->begin());
  auto& row = is_there ? *at : *walked.starts.insert(at, key);
  row.resize(kTallyBehind + tally.size());
  for (std::size_t i = 0; i < tally.size(); ++i) row[kTallyBehind + i] += tally[i];
}

}  // namespace

std::vector<Unwinder> unwinders_of(const Walked& walked) {
  std::vector<Unwinder> result;
  result.reserve(walked.unwinders.size());
  for (const std::uint64_t id : walked.unwinders) result.push_back(static_cast<Unwinder>(id));
  return result;
}
std::vector<WalkTally> tallies_of(const Walked& walked) {
  std::vector<WalkTally> result;
  for (const std::vector<std::uint64_t>& counts : walked.tallies) {
    WalkTally& tally = result.emplace_back();
    for (std::size_t i = 0; i < tally.size(); ++i) tally[i] = counts[i];
  }
  return result;
}

std::vector<harness::StartWalks> starts_of(const Walked& walked) {
  std::vector<harness::StartWalks> result;
  for (const std::vector<std::uint64_t>& row : walked.starts) {
    const auto start = static_cast<unwind::Start>(row[0]);
    const auto mark = static_cast<unwind::Mark>(row[1]);
    if (result.empty() || result.back().start != start || result.back().mark != mark) {
      result.push_back({.start = start, .mark = mark});
    }
    std::copy(row.begin() + kTallyBehind, row.end(), result.back().tallies[row[2]].begin());
  }
  return result;
}

void add(Walked& walked, const Case& value, const Image& image, const WalkReport& report,
         const std::string& name) {
  if (walked.unwinders.empty()) {
    for (const Unwinder unwinder : report.unwinders) {
      walked.unwinders.push_back(static_cast<std::uint64_t>(unwinder));
    }
    walked.tallies.assign(report.unwinders.size(),
                          std::vector<std::uint64_t>(harness::kWalkOutcomes));
    walked.first.resize(report.unwinders.size());
  }
  ++walked.walked;
  for (const harness::StartWalks& start : report.starts) {
    for (const Unwinder unwinder : report.unwinders) add_start(walked, image, start, unwinder);
  }
  for (std::size_t i = 0; i < report.unwinders.size(); ++i) {
    const WalkTally tally = report.tally(report.unwinders[i]);
    for (std::size_t k = 0; k < tally.size(); ++k) walked.tallies[i][k] += tally[k];
    const bool lies = tally[static_cast<std::size_t>(Outcome::kLie)] != 0;
    walked.lies = walked.lies || (lies && is_held_to_it(image, report.unwinders[i]));
    if (!walked.first[i].empty()) continue;
    for (const harness::InsnWalks& insn : report.insns) {
      const auto worst = insn.worst(report.unwinders[i]);
      if (!worst || *worst <= Outcome::kNotReliable) continue;
      const NativeFunction* const native = image.function_at(insn.address);
      const std::string place =
          native == nullptr
              ? "a thunk"
              : fmt::format("{}.{} +{:#x}",
                            value.programs[static_cast<std::size_t>(native->program)].name,
                            value.programs[static_cast<std::size_t>(native->program)]
                                .functions[static_cast<std::size_t>(native->function)]
                                .name,
                            insn.address - native->address);
      walked.first[i] = fmt::format("{} at {}, {}", unwind::outcome_info(*worst).name, place, name);
      break;
    }
  }
}

std::string left_out_text(const Walked& walked) {
  std::string text;
  for (std::size_t i = 0; i < walked.left_out.size(); ++i) {
    if (walked.left_out[i] == 0) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", walked.left_out[i],
                        verdict_name(static_cast<Verdict>(i)));
  }
  return text.empty() ? "none" : text;
}

}  // namespace plumb::tools
