// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/unwind/step.h"
#include "invariants/view.h"

namespace plumb::invariants {

// Where in a run, observed at Depth::kFull, the frame pointer heads a record of the running
// function's own: one that leads to its caller.
class OwnRecords {
 public:
  explicit OwnRecords(const View& view);

  [[nodiscard]] bool is_headed(std::size_t step) const { return headed_[step]; }
  // It is headed before and behind, in the same activation: there is no prologue and no epilogue
  // between them.
  [[nodiscard]] bool is_between(std::size_t step) const;
  // The frame pointer of the one that called, where the JIT says which register that is.
  [[nodiscard]] std::uint64_t caller_fp(std::size_t step) const;
  // What a step outwards gives the caller that is wrong, of return address and, where it is known,
  // frame pointer; or empty.
  [[nodiscard]] std::string wrong_caller(const unwind::Step& caller, std::size_t step) const;

 private:
  void note_call(std::size_t index);

  struct Window {
    std::size_t first = 0;
    std::size_t last = 0;  // 0: none is headed
  };
  const View& view_;
  std::vector<bool> headed_;               // by step
  std::vector<Window> windows_;            // by activation
  std::vector<std::uint64_t> caller_fps_;  // by call in progress
};

}  // namespace plumb::invariants
