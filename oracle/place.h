// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>

#include "core/case.h"
#include "core/event.h"
#include "oracle/reasons.h"

namespace plumb::oracle {

// "entry.main at slot 3"; of a place that the case does not have, as far as it has it.
[[nodiscard]] std::string place_text(const Case& value, const Place& at);

// What exactly is undefined, one line: "helper 999 in entry.main at slot 3 is not mocked".
// amount: of a call chain that is too long or too deep, frames or bytes.
[[nodiscard]] std::string undefined_text(const Case& value, Reason reason, const Place& at,
                                         std::int64_t amount);

}  // namespace plumb::oracle
