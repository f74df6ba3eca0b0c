// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/funnel_json.h"

#include <nlohmann/json.hpp>

#include "invariants/invariants.h"

namespace plumb::harness {
namespace {

using nlohmann::json;

std::uint64_t number(const json& value) {
  return value.is_number_unsigned() ? value.get<std::uint64_t>() : 0;
}

// Array, object or string member; else an empty value.
json member(const json& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? json() : *found;
}

void read_reasons(const json& object, const char* name, ReasonCounts& reasons) {
  const json counts = member(object, name);
  if (!counts.is_object()) return;
  for (const auto& [reason, count] : counts.items()) reasons[reason] += number(count);
}

void read_invariant(const json& row, InvariantCounts& counts) {
  const json not_applicable = member(row, "not_applicable");
  if (!not_applicable.is_array()) return;
  counts.held = number(member(row, "held"));
  counts.violated = number(member(row, "violated"));
  for (std::size_t i = 0; i < counts.not_applicable.size() && i < not_applicable.size(); ++i) {
    counts.not_applicable[i] = number(not_applicable[i]);
  }
}

}  // namespace

json funnel_json(const Funnel& funnel) {
  json out;
  for (const auto& [name, count] : funnel_rows(funnel.counts)) {
    out["funnel"][std::string(name)] = count;
  }
  out["undefined"] = funnel.undefined;
  out["not_applicable"] = funnel.not_applicable;
  out["invariants"] = json::object();
  const auto table = invariants::invariant_table();
  for (std::size_t i = 0; i < funnel.invariants.size() && i < table.size(); ++i) {
    const InvariantCounts& counts = funnel.invariants[i];
    out["invariants"][std::string(table[i].name)] = {{"held", counts.held},
                                                     {"violated", counts.violated},
                                                     {"not_applicable", counts.not_applicable}};
  }
  return out;
}

Funnel funnel_of(const json& object) {
  Funnel funnel;
  const json counts = member(object, "funnel");
#define PLUMB_FUNNEL(name, required, shape, capability, sentence) \
  if (counts.is_object()) funnel.counts.name = number(member(counts, #name));
#include "harness/funnel.inc"
  read_reasons(object, "undefined", funnel.undefined);
  read_reasons(object, "not_applicable", funnel.not_applicable);
  const auto table = invariants::invariant_table();
  const json rows = member(object, "invariants");
  if (!rows.is_object() || rows.empty()) return funnel;
  funnel.invariants.resize(table.size());
  for (std::size_t i = 0; i < table.size(); ++i) {
    const json row = member(rows, std::string(table[i].name).c_str());
    if (row.is_object()) read_invariant(row, funnel.invariants[i]);
  }
  return funnel;
}

}  // namespace plumb::harness
