// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>

#include "core/result.h"

namespace plumb::machine {

struct HardwareCounts {
  std::uint64_t instructions = 0;
  std::uint64_t cycles = 0;
};

// The processor's own counters of this thread, outside of the kernel (perf_event_open(2)). Many
// virtual machines have none, and kernel.perf_event_paranoid can forbid them.
class HardwareCounters {
 public:
  // An error says why there are none.
  [[nodiscard]] static Result<HardwareCounters> open();
  HardwareCounters(HardwareCounters&& other) noexcept;
  HardwareCounters& operator=(HardwareCounters&&) = delete;
  HardwareCounters(const HardwareCounters&) = delete;
  HardwareCounters& operator=(const HardwareCounters&) = delete;
  ~HardwareCounters();

  void start();
  // Since start(). Other users of the counters do not falsify them: an error when the counters did
  // not run all the time.
  [[nodiscard]] Result<HardwareCounts> stop();

 private:
  HardwareCounters() = default;

  std::array<int, 2> files_{-1, -1};  // the first leads the group
};

}  // namespace plumb::machine
