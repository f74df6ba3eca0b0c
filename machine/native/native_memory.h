// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/case.h"
#include "core/placement.h"
#include "core/result.h"

namespace plumb::machine {

// Pages of this process at addresses that somebody else has chosen, for as long as the object
// lives.
class FixedPages {
 public:
  // Page-aligned. Fails when something is mapped there. A fence adds a page on both sides that
  // cannot be accessed.
  [[nodiscard]] static Result<FixedPages> map(Range range, bool fenced);

  FixedPages(FixedPages&& other) noexcept : range_(other.range_) { other.range_ = {}; }
  FixedPages& operator=(FixedPages&&) = delete;
  FixedPages(const FixedPages&) = delete;
  FixedPages& operator=(const FixedPages&) = delete;
  ~FixedPages();

 private:
  explicit FixedPages(Range range) : range_(range) {}

  Range range_;  // fence included
};

// The bytes at an address of this process.
[[nodiscard]] std::uint8_t* native_bytes(std::uint64_t address);

// What native code finds outside its arena, at the addresses of a Placement: context, regions,
// stack, per-CPU data.
class NativeMemory {
 public:
  // Maps what the case needs, unless it is mapped already. An error says what cannot lie there.
  [[nodiscard]] Result<void> place(const Case& value, const Placement& placement);

  // As the case gives it: poison around objects, canaries in the whole stack, per-CPU data zero.
  void prepare(const Case& value);

  [[nodiscard]] std::span<std::uint8_t> context() const { return objects_.front().bytes; }
  [[nodiscard]] std::span<std::uint8_t> region(std::size_t index) const {
    return objects_[1 + index].bytes;
  }
  // Is the poison around context and regions whole?
  [[nodiscard]] bool padding_intact() const;
  // Does the stack hold canaries from the address on, up to its end?
  [[nodiscard]] bool canaries_from(std::uint64_t address) const;

 private:
  struct Object {
    Range pages;
    std::span<std::uint8_t> bytes;
  };

  std::vector<Object> objects_;  // context, regions
  Range stack_;
  Range per_cpu_;
  std::vector<Range> placed_;      // what is mapped, by the ranges that were asked for
  std::vector<FixedPages> pages_;  // the same
};

}  // namespace plumb::machine
