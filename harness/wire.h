// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/finding.h"

namespace plumb::harness {

// A judgement as bytes, to send it from a child process to its parent.
[[nodiscard]] std::string pack(const Judgement& judgement);
[[nodiscard]] std::optional<Judgement> unpack(std::string_view bytes);

}  // namespace plumb::harness
