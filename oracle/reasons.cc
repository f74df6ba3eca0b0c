// SPDX-License-Identifier: GPL-2.0-or-later
#include "oracle/reasons.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstddef>

#include "core/check.h"

namespace plumb::oracle {
namespace {

constexpr std::string_view kRunsIt;
// As in the other version.
constexpr std::string_view kSame = "=";

constexpr ReasonInfo info_of(std::string_view phrase, ReasonKind kind, std::string_view in_6_1,
                             std::string_view in_6_12, std::string_view note) {
  return {.phrase = phrase,
          .kind = kind,
          .in_6_1 = in_6_1,
          .in_6_12 = in_6_12 == kSame ? in_6_1 : in_6_12,
          .note = note};
}

constexpr ReasonInfo kTable[] = {
#define PLUMB_REASON(name, phrase, kind, in_6_1, in_6_12, note) \
  info_of(phrase, ReasonKind::k##kind, in_6_1, in_6_12, note),
#include "oracle/reasons.inc"
};

constexpr Reason kReasons[] = {
#define PLUMB_REASON(name, ...) Reason::k##name,
#include "oracle/reasons.inc"
};

constexpr struct {
  ReasonKind kind;
  std::string_view heading;
} kSections[] = {
    {ReasonKind::kRefused, "Refused by the verifier, whoever loads the program"},
    {ReasonKind::kContract, "Refused by some versions: the contract says which"},
    {ReasonKind::kUnsaid, "Not applicable to a JIT whose contract does not say what it does"},
    {ReasonKind::kBlindSpot, "Blind spots: kernels run such programs, we do not"},
};

std::string cell(std::string_view where) {
  if (where == kRunsIt) return "runs it";
  std::string text;
  for (std::size_t at = 0; at < where.size();) {
    const std::size_t end = where.find("()", at);
    if (end == std::string_view::npos) return text + std::string(where.substr(at));
    std::size_t name = end;
    while (name > at && where[name - 1] != ' ') --name;
    text += fmt::format("{}`{}()`", where.substr(at, name - at), where.substr(name, end - name));
    at = end + 2;
  }
  return text;
}

}  // namespace

const ReasonInfo& reason_info(Reason reason) {
  PLUMB_CHECK(reason != Reason::kNone);
  return kTable[static_cast<std::size_t>(reason) - 1];
}

std::string_view reason_phrase(Reason reason) {
  return reason == Reason::kNone ? std::string_view() : reason_info(reason).phrase;
}

bool is_blind_spot(Reason reason) {
  return reason != Reason::kNone && reason_info(reason).kind == ReasonKind::kBlindSpot;
}

bool is_blind_spot(std::string_view phrase) {
  return std::ranges::any_of(kTable, [phrase](const ReasonInfo& row) {
    return row.phrase == phrase && row.kind == ReasonKind::kBlindSpot;
  });
}

std::span<const Reason> all_reasons() { return kReasons; }

std::string reasons_markdown() {
  std::string text;
  for (const auto& section : kSections) {
    text += fmt::format("## {}\n\n| reason | 6.1 | 6.12 | what it says |\n|---|---|---|---|\n",
                        section.heading);
    for (const ReasonInfo& row : kTable) {
      if (row.kind != section.kind) continue;
      text += fmt::format(
          "| {} | {} | {} | {} |\n", row.phrase, cell(row.in_6_1),
          row.in_6_12 == row.in_6_1 && !row.in_6_1.empty() ? "the same" : cell(row.in_6_12),
          row.note);
    }
    text += '\n';
  }
  return text;
}

}  // namespace plumb::oracle
