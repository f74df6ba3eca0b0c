// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/native/hardware_counters.h"

#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/check.h"

namespace plumb::machine {
namespace {

constexpr std::array<std::uint64_t, 2> kEvents{PERF_COUNT_HW_INSTRUCTIONS,
                                               PERF_COUNT_HW_CPU_CYCLES};

int open_counter(std::uint64_t event, int leader) {
  perf_event_attr attributes{};
  attributes.type = PERF_TYPE_HARDWARE;
  attributes.size = sizeof attributes;
  attributes.config = event;
  attributes.disabled = leader < 0;
  attributes.exclude_kernel = 1;
  attributes.exclude_hv = 1;
  attributes.read_format =
      PERF_FORMAT_GROUP | PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
  return static_cast<int>(syscall(SYS_perf_event_open, &attributes, 0, -1, leader, 0));
}

// What read(2) gives of such a group.
struct Group {
  std::uint64_t members = 0;
  std::uint64_t enabled = 0;  // ns
  std::uint64_t running = 0;
  std::array<std::uint64_t, kEvents.size()> values{};
};

}  // namespace

Result<HardwareCounters> HardwareCounters::open() {
  HardwareCounters counters;
  for (std::size_t i = 0; i < kEvents.size(); ++i) {
    counters.files_[i] = open_counter(kEvents[i], i == 0 ? -1 : counters.files_[0]);
    if (counters.files_[i] < 0) {
      return fail(fmt::format("no performance counters: {}", std::strerror(errno)));
    }
  }
  return counters;
}

HardwareCounters::HardwareCounters(HardwareCounters&& other) noexcept
    : files_(std::exchange(other.files_, {-1, -1})) {}

HardwareCounters::~HardwareCounters() {
  for (const int file : files_) {
    if (file >= 0) close(file);
  }
}

void HardwareCounters::start() {
  PLUMB_CHECK(ioctl(files_[0], PERF_EVENT_IOC_RESET, PERF_IOC_FLAG_GROUP) == 0);
  PLUMB_CHECK(ioctl(files_[0], PERF_EVENT_IOC_ENABLE, PERF_IOC_FLAG_GROUP) == 0);
}

Result<HardwareCounts> HardwareCounters::stop() {
  PLUMB_CHECK(ioctl(files_[0], PERF_EVENT_IOC_DISABLE, PERF_IOC_FLAG_GROUP) == 0);
  Group group;
  if (read(files_[0], &group, sizeof group) != static_cast<ssize_t>(sizeof group)) {
    return fail("the performance counters cannot be read");
  }
  if (group.running != group.enabled || group.values[0] == 0) {
    return fail("the performance counters were in use");
  }
  return HardwareCounts{.instructions = group.values[0], .cycles = group.values[1]};
}

}  // namespace plumb::machine
