// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/arena.h"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "core/check.h"

namespace plumb::jit {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kLimit = std::uint64_t{1} << 31;

// Nothing reaches the last 16 MiB below 2 GiB, which AddressSanitizer's shadow (from 0x7fff8000 on)
// would make a place in some builds and not in others.
constexpr std::uint64_t kFirstPlace = 0x1000'0000;
constexpr std::uint64_t kPlacesEnd = 0x7f00'0000;
constexpr std::uint64_t kPlaceStep = 0x100'0000;

void* pointer(std::uint64_t address) {
  // The arena is asked for at addresses of ours. NOLINTNEXTLINE(performance-no-int-to-ptr)
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(address));
}

int flags_for(int file) {
  return MAP_NORESERVE | (file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED);
}

}  // namespace

bool Arena::possible(Range range) {
  return range.address % kPage == 0 && range.size % kPage == 0 && range.size != 0 &&
         range.address != 0 && range.size <= kLimit && range.address <= kLimit - range.size;
}

Result<Arena> Arena::map(Range range, int file) {
  if (!possible(range)) {
    return fail(fmt::format("arena of {:#x} bytes at {:#x} is not page-aligned below 2 GiB",
                            range.size, range.address));
  }
  void* got = mmap(pointer(range.address), range.size, PROT_READ | PROT_WRITE,
                   flags_for(file) | MAP_FIXED_NOREPLACE, file, 0);
  if (got == MAP_FAILED) {
    return fail(
        fmt::format("arena at {:#x} cannot be mapped: {}", range.address, std::strerror(errno)));
  }
  if (got != pointer(range.address)) {
    munmap(got, range.size);
    return fail(fmt::format("arena at {:#x} is already in use", range.address));
  }
  return Arena(range);
}

Result<Arena> Arena::map_somewhere(std::uint64_t size, int file) {
  // From the last place downwards: plugins ask for the first ones above 1 GiB.
  if (size <= kPlacesEnd) {
    std::uint64_t place = (kPlacesEnd - size) / kPlaceStep * kPlaceStep;
    for (; place >= kFirstPlace; place -= kPlaceStep) {
      Result<Arena> arena = map({place, size}, file);
      if (arena) return arena;
    }
  }
  return fail("no place for an arena below 2 GiB");
}

void Arena::renew(int file) {
  PLUMB_CHECK(mmap(pointer(range_.address), range_.size, PROT_READ | PROT_WRITE,
                   flags_for(file) | MAP_FIXED, file, 0) != MAP_FAILED);
}

Arena::Arena(Arena&& other) noexcept : range_(std::exchange(other.range_, {})) {}

Arena& Arena::operator=(Arena&& other) noexcept {
  std::swap(range_, other.range_);
  return *this;
}

Arena::~Arena() {
  if (range_.size != 0) munmap(pointer(range_.address), range_.size);
}

}  // namespace plumb::jit
