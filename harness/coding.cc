// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/coding.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "core/case_text.h"
#include "invariants/invariants.h"

namespace plumb {
namespace {

std::optional<std::string_view> lasting_name(std::string_view name) {
  for (const std::string_view own :
       {harness::kJitAccepts, harness::kJitSurvives, harness::kEmulatorSurvives,
        harness::kImageFreed, harness::kSecondOpinion}) {
    if (own == name) return own;
  }
  const auto table = invariants::invariant_table();
  const auto it = std::ranges::find(table, name, &invariants::InvariantInfo::name);
  if (it == table.end()) return std::nullopt;
  return it->name;
}

}  // namespace

void CustomCoding<std::string_view>::encode(Encoder& encoder, const std::string_view& name) {
  encoder.put_text(name);
}

bool CustomCoding<std::string_view>::decode(Decoder& decoder, std::string_view& name) {
  std::string text;
  if (!decoder.get(text)) return false;
  const auto known = lasting_name(text);
  if (known) name = *known;
  return known.has_value();
}

void CustomCoding<Case>::encode(Encoder& encoder, const Case& value) {
  encoder.put(print_case(value));
}

bool CustomCoding<Case>::decode(Decoder& decoder, Case& value) {
  std::string text;
  if (!decoder.get(text)) return false;
  Result<Case> parsed = parse_case(text);
  if (!parsed) return false;
  value = *std::move(parsed);
  return true;
}

}  // namespace plumb
