// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/placement.h"

#include <algorithm>

#include "core/guest.h"

namespace plumb {

std::uint64_t Placement::stub(std::int32_t helper) const {
  if (helpers.empty()) {
    const auto offset = static_cast<std::uint64_t>(helper) * guest::kStubStride;
    return helper >= 0 && offset < routines - stubs.address ? stubs.address + offset : 0;
  }
  const auto it = std::ranges::find(helpers, helper, &HelperStub::number);
  return it == helpers.end() ? 0 : it->address;
}

std::optional<std::int32_t> Placement::helper_at(std::uint64_t address) const {
  if (helpers.empty()) {
    const std::uint64_t offset = address - stubs.address;
    if (offset >= routines - stubs.address || offset % guest::kStubStride != 0) return std::nullopt;
    return static_cast<std::int32_t>(offset / guest::kStubStride);
  }
  const auto it = std::ranges::lower_bound(helpers, address, {}, &HelperStub::address);
  if (it == helpers.end() || it->address != address) return std::nullopt;
  return it->number;
}

std::span<std::uint8_t> Placement::bytes(std::uint64_t address, std::uint64_t size) const {
  const auto found = bytes_up_to(address, size);
  return found.size() == size ? found : std::span<std::uint8_t>();
}

std::span<std::uint8_t> Placement::bytes_up_to(std::uint64_t address, std::uint64_t size) const {
  const auto it = std::ranges::find_if(
      memory, [address](const HostRange& range) { return range.guest.contains(address); });
  if (it == memory.end()) return {};
  const std::uint64_t offset = address - it->guest.address;
  return {it->host + offset, static_cast<std::size_t>(std::min(size, it->guest.size - offset))};
}

namespace guest {

Placement placement(const Case& value, const Range& arena) {
  Placement result;
  result.stack = {kStackBase, kStackSize};
  result.exit = kExitAddress;
  result.context = context_address(value.context.size());
  for (std::size_t i = 0; i < result.regions.size(); ++i) {
    const std::size_t size = i < value.regions.size() ? value.regions[i].bytes.size() : 0;
    result.regions[i] = region_address(i, size);
  }
  result.per_cpu = kPerCpuPage;
  result.bpf_stack = {kBpfStackBase, kBpfStackSize};
  result.stubs = {arena.address, kStubSize};
  result.routines = arena.address + kRoutinesOffset;
  // The arena lies where it does in this process. NOLINTNEXTLINE(performance-no-int-to-ptr)
  auto* const host = reinterpret_cast<std::uint8_t*>(arena.address);
  result.memory = {{arena, host}};
  return result;
}

}  // namespace guest
}  // namespace plumb
