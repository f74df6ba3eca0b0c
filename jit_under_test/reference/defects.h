// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace plumb::jit::reference {

enum class Defect : std::uint8_t {
#define PLUMB_DEFECT(id, ...) k##id,
#include "jit_under_test/reference/defects.inc"
};

// One row of defects.inc.
struct DefectInfo {
  Defect id;
  std::string_view name;      // "no-write-back": the JIT is reference:<layout>+<name>
  std::string_view layouts;   // globs, separated by spaces
  std::string_view expected;  // names of invariants, separated by spaces
  std::string_view reenacts;  // where something like it happened
  std::string_view sentence;  // what it breaks
};

[[nodiscard]] std::span<const DefectInfo> defect_table();
[[nodiscard]] const DefectInfo* find_defect(std::string_view name);
[[nodiscard]] bool applies_to(const DefectInfo& defect, std::string_view layout);
[[nodiscard]] bool is_expected(const DefectInfo& defect, std::string_view invariant);

}  // namespace plumb::jit::reference
