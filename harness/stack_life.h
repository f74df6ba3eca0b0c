// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/image.h"
#include "core/machine_run.h"

namespace plumb::harness {

// Which bytes of the stack matter at which point of a run. Says nothing but what the run itself
// shows (kFull): no invariant is asked.
class StackLife {
 public:
  // The run is kept.
  StackLife(const Image& image, const MachineRun& run);

  // Before the step: is one of the eight bytes
  //   - read before it is written again, by native code or by a helper,
  //   - the invocation's caller's,
  //   - the return address of a call in progress, or part of a C function's frame?
  [[nodiscard]] bool is_live(std::size_t step, std::uint64_t address) const;

 private:
  struct Use {
    std::size_t step;
    std::uint64_t address;
    std::uint64_t size;
    bool is_read;
    std::size_t order = 0;
  };
  void add_helper_reads(const Image& image);
  [[nodiscard]] bool is_read_again(std::size_t step, std::uint64_t address) const;
  [[nodiscard]] bool belongs_to_calls(std::size_t step, std::uint64_t address) const;

  const MachineRun& run_;
  std::uint64_t call_pushes_;
  std::vector<Use> uses_;  // by step
};

}  // namespace plumb::harness
