// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/insn_text.h"

namespace plumb::text {

// What kept the templates from matching, at the farthest place that any of them reached. A mistake
// in something that was understood tells more than what else could have stood there.
class Farthest {
 public:
  void expected(std::size_t column, const Element& element) {
    if (!reaches(column) || has_mistake_) return;
    wanted_.push_back(element);
  }
  void mistake(std::size_t reached, std::size_t column, std::string message) {
    if (!reaches(reached) || has_mistake_) return;
    has_mistake_ = true;
    mistake_ = {column, std::move(message), 0};
  }
  [[nodiscard]] Problem report(const Cursor& start) const;

 private:
  bool reaches(std::size_t column) {
    if (column < column_) return false;
    if (column > column_) {
      column_ = column;
      wanted_.clear();
      has_mistake_ = false;
    }
    return true;
  }

  std::size_t column_ = 0;
  std::vector<Element> wanted_;
  bool has_mistake_ = false;
  Problem mistake_;
};

}  // namespace plumb::text
