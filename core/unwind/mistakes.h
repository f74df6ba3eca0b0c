// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/arch.h"
#include "core/unwind/code_knowledge.h"

namespace plumb::unwind {

enum class Mistake : std::uint8_t {
#define PLUMB_UNWIND_MISTAKE(id, name, archs, expected, reenacts, sentence) k##id,
#include "core/unwind/mistakes.inc"
};

// One row of mistakes.inc.
struct MistakeInfo {
  Mistake id = Mistake::kRowsOneLate;
  std::string_view name;
  std::string_view archs;
  std::string_view expected;
  std::string_view reenacts;
  std::string_view sentence;

  [[nodiscard]] bool is_made_on(Arch arch) const;
};

// In the order of the enumeration.
[[nodiscard]] std::span<const MistakeInfo> mistake_table();
// The one of that name, or null.
[[nodiscard]] const MistakeInfo* find_mistake(std::string_view name);

// The same knowledge for an unwinder that makes the mistake.
[[nodiscard]] CodeKnowledge mistaken(const CodeKnowledge& known, Mistake mistake);

}  // namespace plumb::unwind
