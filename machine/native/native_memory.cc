// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/native/native_memory.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "core/check.h"
#include "core/guest.h"
#include "machine/guest_memory.h"

namespace plumb::machine {
namespace {

constexpr std::uint64_t kPage = guest::kPage;

// The pages of an object. One of no bytes has an address all the same, against the end of a page.
Range pages_of(std::uint64_t address, std::uint64_t size) {
  const std::uint64_t first = (size == 0 ? address - 1 : address) / kPage * kPage;
  const std::uint64_t end = (std::max(address + size, first + 1) + kPage - 1) / kPage * kPage;
  return {first, end - first};
}

std::span<std::uint8_t> bytes_of(Range range) {
  return {native_bytes(range.address), static_cast<std::size_t>(range.size)};
}

}  // namespace

std::uint8_t* native_bytes(std::uint64_t address) {
  return reinterpret_cast<std::uint8_t*>(address);  // NOLINT(performance-no-int-to-ptr)
}

Result<FixedPages> FixedPages::map(Range range, bool fenced) {
  const std::uint64_t fence = fenced ? kPage : 0;
  const Range whole{range.address - fence, range.size + 2 * fence};
  void* const got = mmap(native_bytes(whole.address), whole.size, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
  if (got == MAP_FAILED) {
    return fail(fmt::format("native code cannot have its data at {:#x}: {}", whole.address,
                            std::strerror(errno)));
  }
  FixedPages pages({reinterpret_cast<std::uint64_t>(got), whole.size});
  if (pages.range_ != whole) return fail(fmt::format("{:#x} is in use", whole.address));
  if (mprotect(native_bytes(range.address), range.size, PROT_READ | PROT_WRITE) != 0) {
    return fail(fmt::format("no memory at {:#x}: {}", range.address, std::strerror(errno)));
  }
  return pages;
}

FixedPages::~FixedPages() {
  if (range_.size != 0) munmap(native_bytes(range_.address), range_.size);
}

Result<void> NativeMemory::place(const Case& value, const Placement& placement) {
  std::vector<Range> wanted{placement.stack, {placement.per_cpu, kPage}};
  std::vector<Object> objects;
  const auto add = [&](std::uint64_t address, std::uint64_t size) {
    objects.push_back({pages_of(address, size), bytes_of({address, size})});
    wanted.push_back(objects.back().pages);
  };
  add(placement.context, value.context.size());
  for (std::size_t i = 0; i < placement.regions.size(); ++i) {
    if (placement.regions[i] == 0) continue;
    add(placement.regions[i], i < value.regions.size() ? value.regions[i].bytes.size() : 0);
  }
  objects_ = std::move(objects);
  stack_ = placement.stack;
  per_cpu_ = {placement.per_cpu, kPage};
  if (placed_ == wanted) return {};
  placed_.clear();
  pages_.clear();
  for (const Range& range : wanted) {
    auto pages = FixedPages::map(range, range == placement.stack);
    if (!pages) return std::unexpected(pages.error());
    pages_.push_back(*std::move(pages));
  }
  placed_ = std::move(wanted);
  return {};
}

void NativeMemory::prepare(const Case& value) {
  std::ranges::fill(bytes_of(stack_), kStackCanary);
  std::ranges::fill(bytes_of(per_cpu_), std::uint8_t{0});
  for (const Object& object : objects_) std::ranges::fill(bytes_of(object.pages), kPaddingPoison);
  std::ranges::copy(value.context, context().begin());
  for (std::size_t i = 0; i < value.regions.size(); ++i) {
    std::ranges::copy(value.regions[i].bytes, region(i).begin());
  }
}

bool NativeMemory::padding_intact() const {
  return std::ranges::all_of(objects_, [](const Object& object) {
    const auto page = bytes_of(object.pages);
    const std::uint8_t* const end = object.bytes.data() + object.bytes.size();
    const auto is_poison = [](std::uint8_t byte) { return byte == kPaddingPoison; };
    return std::all_of(page.data(), object.bytes.data(), is_poison) &&
           std::all_of(end, static_cast<const std::uint8_t*>(page.data() + page.size()), is_poison);
  });
}

bool NativeMemory::canaries_from(std::uint64_t address) const {
  PLUMB_CHECK(address >= stack_.address && address <= stack_.address + stack_.size);
  return std::ranges::all_of(bytes_of({address, stack_.address + stack_.size - address}),
                             [](std::uint8_t byte) { return byte == kStackCanary; });
}

}  // namespace plumb::machine
