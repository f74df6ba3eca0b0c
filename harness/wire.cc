// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/wire.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "harness/judge.h"
#include "invariants/invariants.h"

namespace plumb::harness {
namespace {

using nlohmann::json;

// Violation::invariant views a name that lives as long as the program: this is that name.
std::optional<std::string_view> lasting_name(std::string_view name) {
  for (const std::string_view own :
       {kJitAccepts, kJitSurvives, kEmulatorSurvives, kSecondOpinion}) {
    if (own == name) return own;
  }
  const auto table = invariants::invariant_table();
  const auto it = std::ranges::find(table, name, &invariants::InvariantInfo::name);
  if (it == table.end()) return std::nullopt;
  return it->name;
}

}  // namespace

std::string pack(const Judgement& judgement) {
  json violations = json::array();
  for (const Violation& violation : judgement.violations) {
    violations.push_back({violation.invariant, violation.role, violation.at.program,
                          violation.at.function, violation.at.slot, violation.event,
                          violation.message});
  }
  const json packed = {static_cast<int>(judgement.verdict),
                       judgement.signature.invariant,
                       judgement.signature.family,
                       judgement.signature.arch,
                       judgement.signature.role,
                       judgement.reason,
                       violations,
                       static_cast<int>(judgement.opinion.status),
                       judgement.opinion.text};
  // A JIT's own message may be any bytes.
  return packed.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::optional<Judgement> unpack(std::string_view bytes) {
  const json packed = json::parse(bytes, nullptr, false);
  if (!packed.is_array() || packed.size() != 9) return std::nullopt;
  Judgement judgement;
  judgement.verdict = static_cast<Verdict>(packed[0].get<int>());
  judgement.signature = {
      .invariant = packed[1], .family = packed[2], .arch = packed[3], .role = packed[4]};
  judgement.reason = packed[5];
  for (const json& row : packed[6]) {
    const auto name = lasting_name(row[0].get<std::string>());
    if (!name) return std::nullopt;
    judgement.violations.push_back({.invariant = *name,
                                    .role = row[1],
                                    .at = {.program = row[2], .function = row[3], .slot = row[4]},
                                    .event = row[5],
                                    .message = row[6]});
  }
  judgement.opinion = {.status = static_cast<SecondOpinion::Status>(packed[7].get<int>()),
                       .text = packed[8]};
  return judgement;
}

}  // namespace plumb::harness
