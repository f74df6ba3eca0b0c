// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/case.h"

namespace plumb {

struct Range {
  std::uint64_t address = 0;
  std::uint64_t size = 0;

  bool operator==(const Range&) const = default;
  [[nodiscard]] bool contains(std::uint64_t a) const { return a - address < size; }
  // All of [a, a + length)?
  [[nodiscard]] bool contains(std::uint64_t a, std::uint64_t length) const {
    return a >= address && a - address <= size && length <= size - (a - address);
  }
};

// Memory of this process that code runs in, or from, at a guest address.
struct HostRange {
  Range guest;
  std::uint8_t* host = nullptr;

  bool operator==(const HostRange&) const = default;
};

struct HelperStub {
  std::uint64_t address = 0;
  std::int32_t number = 0;

  bool operator==(const HelperStub&) const = default;
};

// Where everything lies that native code of an image refers to. Where we choose the addresses it is
// guest::placement() (core/guest.h); an image whose addresses were chosen elsewhere says where it
// needs things. Ranges begin and end at page boundaries; none overlaps another.
struct Placement {
  Range stack;
  std::uint64_t exit = 0;     // the invocation returns there; nothing else lies on its page
  std::uint64_t context = 0;  // first byte
  // First byte of each region of the case. The page of a further one that is not 0 is mapped, too.
  std::array<std::uint64_t, kMaxRegions> regions{};
  std::uint64_t per_cpu = 0;  // a page; on x86-64 the GS base points there
  // Memory for a BPF stack that is not on the native one: mapped for images whose code is given its
  // address (RegisterMap::entry_stack).
  Range bpf_stack;
  // What the machine writes: the stubs of helpers, and from routines to the end code of its own.
  Range stubs;
  std::uint64_t routines = 0;
  // Stubs by ascending address. None: helper n's lies at stubs.address + n * guest::kStubStride.
  std::vector<HelperStub> helpers;
  std::vector<HostRange> memory;  // code, prog arrays; the stubs, or the machine has them itself

  bool operator==(const Placement&) const = default;

  // Where calls of the helper go, or 0.
  [[nodiscard]] std::uint64_t stub(std::int32_t helper) const;
  // The helper whose stub begins there.
  [[nodiscard]] std::optional<std::int32_t> helper_at(std::uint64_t address) const;
  // The bytes at [address, address + size), or nothing unless all of them lie in one range of
  // memory. Writable, for tests that put defects into code.
  [[nodiscard]] std::span<std::uint8_t> bytes(std::uint64_t address, std::uint64_t size) const;
  // The same with as many bytes as there are from the address on, up to size.
  [[nodiscard]] std::span<std::uint8_t> bytes_up_to(std::uint64_t address,
                                                    std::uint64_t size) const;
};

}  // namespace plumb
