// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/case.h"

// For the tests: which pairs of features (testing_coverage.inc) the functions of cases have.
namespace plumb::gen {

class PairCoverage {
 public:
  void add(const Case& value);
  [[nodiscard]] std::uint64_t functions() const { return functions_; }

  // Pairs that no function had and that are possible, and pairs that cannot be and that one had,
  // each as "no stack x store by R10".
  [[nodiscard]] std::vector<std::string> missing() const;
  [[nodiscard]] std::vector<std::string> impossible() const;
  // The table: a pair a line, with its share of all functions in parts per 10,000.
  [[nodiscard]] std::string table() const;

 private:
  std::vector<std::vector<std::uint64_t>> counts_;  // by feature and feature, the first is lower
  std::uint64_t functions_ = 0;
};

}  // namespace plumb::gen
