// SPDX-License-Identifier: GPL-2.0-or-later
#include "oracle/reasons.h"

#include <cstddef>

namespace plumb::oracle {
namespace {

constexpr std::string_view kPhrases[] = {
    "",
#define PLUMB_REASON(name, phrase) phrase,
#include "oracle/reasons.inc"
};

constexpr Reason kReasons[] = {
#define PLUMB_REASON(name, phrase) Reason::k##name,
#include "oracle/reasons.inc"
};

}  // namespace

std::string_view reason_phrase(Reason reason) { return kPhrases[static_cast<std::size_t>(reason)]; }

std::span<const Reason> all_reasons() { return kReasons; }

}  // namespace plumb::oracle
