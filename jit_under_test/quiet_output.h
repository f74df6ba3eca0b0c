// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

namespace plumb::jit {

// While it lives, what this process prints to stdout goes nowhere: reports are printed there, and
// code that is being loaded may print as well.
class QuietOutput {
 public:
  QuietOutput();
  QuietOutput(const QuietOutput&) = delete;
  QuietOutput& operator=(const QuietOutput&) = delete;
  ~QuietOutput();

 private:
  int kept_;  // where it goes otherwise; -1: it is closed
};

}  // namespace plumb::jit
