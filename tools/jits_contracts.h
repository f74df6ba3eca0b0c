// SPDX-License-Identifier: GPL-2.0-or-later
// The contracts of JITs side by side: in what they legitimately differ.
#pragma once

#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "jit_under_test/jit.h"

namespace plumb::tools {

// Every field of Contract, RegisterMap and LandingRule (core/contract.h), by its name.
[[nodiscard]] nlohmann::ordered_json contract_json(const jit::JitInfo& info);

// One row per JIT, one column per field. Below, what each column means.
[[nodiscard]] std::string contracts_text(std::span<const jit::JitInfo> jits);

}  // namespace plumb::tools
