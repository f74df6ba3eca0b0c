// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace plumb::oracle {

// Why a case is undefined: the rows of reasons.inc. kNone: nothing is wrong.
enum class Reason : std::uint8_t {
  kNone,
#define PLUMB_REASON(name, ...) k##name,
#include "oracle/reasons.inc"
};

enum class ReasonKind : std::uint8_t { kRefused, kContract, kUnsaid, kBlindSpot };

// What reasons.inc says about a reason.
struct ReasonInfo {
  std::string_view phrase;
  ReasonKind kind;
  std::string_view in_6_1;   // the function that decides it; empty: nothing refuses it
  std::string_view in_6_12;  // the same
  std::string_view note;
};

[[nodiscard]] const ReasonInfo& reason_info(Reason reason);  // not of kNone

[[nodiscard]] std::string_view reason_phrase(Reason reason);  // of kNone: empty

// Do real kernels run programs that are undefined for this reason? Of kNone: no.
[[nodiscard]] bool is_blind_spot(Reason reason);
// The same of a phrase, as statistics hold it; of what is no phrase: no.
[[nodiscard]] bool is_blind_spot(std::string_view phrase);

// All rows but kNone, in the order of the enumeration.
[[nodiscard]] std::span<const Reason> all_reasons();

// The rows as tables in Markdown, one for each kind: the middle of docs/what-is-defined.md.
[[nodiscard]] std::string reasons_markdown();

}  // namespace plumb::oracle
