// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/case.h"
#include "core/result.h"
#include "jit_under_test/jit.h"
#include "jit_under_test/reference/frame_layout.h"

// The reference JIT: every frame layout of layouts.inc as running code. It is part of the program,
// not a plugin, because it has one instance per layout and defect.
namespace plumb::jit::reference {

inline constexpr std::string_view kFamily = "reference";

// "reference:<layout>" of every row, in the order of the table.
[[nodiscard]] std::vector<std::string> names();
[[nodiscard]] bool is_reference_name(std::string_view name);

// "reference:<layout>" or "reference:<layout>+<defect>".
[[nodiscard]] Result<std::unique_ptr<Jit>> open(std::string_view name);

// The frames of a case, program by program, function by function: what the JIT of the row claims.
[[nodiscard]] std::vector<std::vector<FrameLayout>> frames_of(const Case& value,
                                                              const LayoutRow& row);

}  // namespace plumb::jit::reference
