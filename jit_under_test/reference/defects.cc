// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/reference/defects.h"

#include <fnmatch.h>

#include <algorithm>
#include <string>

namespace plumb::jit::reference {
namespace {

constexpr DefectInfo kDefects[] = {
#define PLUMB_DEFECT(id, name, layouts, expected, reenacts, sentence) \
  {Defect::k##id, name, layouts, expected, reenacts, sentence},
#include "jit_under_test/reference/defects.inc"
};

// Does any of the words in the list, separated by spaces, hold?
template <typename Predicate>
bool any_word(std::string_view list, Predicate holds) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(' '), list.size());
    if (end > 0 && holds(list.substr(0, end))) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

}  // namespace

std::span<const DefectInfo> defect_table() { return kDefects; }

const DefectInfo* find_defect(std::string_view name) {
  const auto* found = std::ranges::find(kDefects, name, &DefectInfo::name);
  return found != std::end(kDefects) ? found : nullptr;
}

bool applies_to(const DefectInfo& defect, std::string_view layout) {
  const std::string name(layout);
  return any_word(defect.layouts, [&](std::string_view glob) {
    return fnmatch(std::string(glob).c_str(), name.c_str(), 0) == 0;
  });
}

bool is_expected(const DefectInfo& defect, std::string_view invariant) {
  return any_word(defect.expected, [&](std::string_view word) { return word == invariant; });
}

}  // namespace plumb::jit::reference
