// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace plumb::oracle {

// Why a case is undefined: the rows of reasons.inc. kNone: nothing is wrong.
enum class Reason : std::uint8_t {
  kNone,
#define PLUMB_REASON(name, phrase) k##name,
#include "oracle/reasons.inc"
};

[[nodiscard]] std::string_view reason_phrase(Reason reason);  // of kNone: empty

// All rows but kNone, in the order of the enumeration.
[[nodiscard]] std::span<const Reason> all_reasons();

}  // namespace plumb::oracle
