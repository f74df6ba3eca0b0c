// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/placement.h"
#include "machine/c_routine.h"

namespace plumb::machine {

class Target;

// What stubs are made of in one instruction set.
struct StubCode {
  std::vector<std::uint8_t> trap;  // fills what lies between
  std::vector<std::uint8_t> ret;   // stands at the stub of every helper without a body of its own
  CRoutine routine;                // stands at Placement::routines; the others' stubs jump there
};

struct UnmapBytes {
  std::uint64_t size = 0;
  void operator()(std::uint8_t* bytes) const;
};

// The stubs of an image (Placement::stubs): in the image's memory, or, where that leaves them out,
// in memory of the machine.
class StubArea {
 public:
  // Finds the area, in memory of its own if need be. The placement outlives its use here. True:
  // memory that may be mapped somewhere is gone.
  [[nodiscard]] bool place(const Placement& placement);
  [[nodiscard]] const HostRange& range() const { return range_; }
  // Does the area lie in memory of the machine?
  [[nodiscard]] bool is_own() const { return range_.host == own_.get(); }

  // Are the stubs that matter as write() leaves them?
  [[nodiscard]] bool is_intact(const Target& target) const;
  // A clause that says why the stubs cannot be written, or null.
  [[nodiscard]] const char* write(const Target& target) const;

 private:
  [[nodiscard]] std::uint8_t* host(std::uint64_t address) const {
    return range_.host + (address - range_.guest.address);
  }

  const Placement* placement_ = nullptr;
  HostRange range_;
  std::unique_ptr<std::uint8_t[], UnmapBytes> own_;
};

}  // namespace plumb::machine
