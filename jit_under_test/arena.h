// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "core/image.h"
#include "core/result.h"

namespace plumb::jit {

// Memory at a fixed address, for as long as the object lives: of a file (memfd_create()), which
// others may map as well, or else (-1) anonymous and of this process alone.
class Arena {
 public:
  // Page-aligned, not empty, below 2 GiB.
  [[nodiscard]] static bool possible(Range range);
  // Fails when the range is not possible or already in use.
  [[nodiscard]] static Result<Arena> map(Range range, int file = -1);
  // At the first free of the places that all JITs share: multiples of 16 MiB, always in the same
  // order. What JITs look at when they load such an address are its 16-bit parts and its low 12
  // bits: the upper part is never all zeros or ones, the lower one is the offset in the arena. So a
  // load has as many instructions wherever the arena lies.
  [[nodiscard]] static Result<Arena> map_somewhere(std::uint64_t size, int file = -1);

  Arena(Arena&& other) noexcept;
  Arena& operator=(Arena&& other) noexcept;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();

  [[nodiscard]] Range range() const { return range_; }
  // From now on it is the memory of this file.
  void renew(int file);

 private:
  explicit Arena(Range range) : range_(range) {}

  Range range_;  // size 0: nothing is mapped
};

}  // namespace plumb::jit
