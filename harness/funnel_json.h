// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "harness/funnel.h"

namespace plumb::harness {

// A funnel as the libFuzzer targets hand it to the command that started them: an object with
// "funnel", "undefined", "not_applicable" and "invariants".
[[nodiscard]] nlohmann::json funnel_json(const Funnel& funnel);

// The other way; what is not there, or is no number, counts nothing.
[[nodiscard]] Funnel funnel_of(const nlohmann::json& object);

}  // namespace plumb::harness
