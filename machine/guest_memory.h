// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/case.h"
#include "core/guest.h"
#include "core/machine_run.h"
#include "machine/engine.h"

namespace plumb::machine {

// What the stack holds where nothing was written, and what surrounds an object on its page.
inline constexpr std::uint8_t kStackCanary = 0xc5;
inline constexpr std::uint8_t kPaddingPoison = 0xa7;
// What a helper leaves in the stack below its caller.
inline constexpr std::uint8_t kScrambledStack = 0x5d;

// The memory of the guest outside the arenas (core/guest.h), owned by the host and mapped into
// engines: context, regions, exit page, per-CPU data, stack.
class GuestMemory {
 public:
  // context_pages: how many pages the context may take.
  explicit GuestMemory(std::size_t context_pages = 1);

  [[nodiscard]] std::vector<HostMapping> mappings();

  // Objects as the case gives them, poison around them; per-CPU data zeroed.
  void prepare_objects(const Case& value);
  // Canaries wherever the last run wrote.
  void prepare_stack();
  // Objects after the run, and whether the poison around them is whole.
  void collect(const Case& value, MachineRun& run) const;

  // Host bytes of [address, address + size) in the stack, the context page or a region page; null
  // unless all of it lies in one of them.
  [[nodiscard]] std::uint8_t* at(std::uint64_t address, std::uint64_t size);
  [[nodiscard]] const std::uint8_t* at(std::uint64_t address, std::uint64_t size) const;
  // Do all of the 8 bytes there lie in the stack?
  [[nodiscard]] static bool is_stack_word(std::uint64_t address) {
    return address - guest::kStackBase <= guest::kStackSize - 8;
  }
  // The 64-bit word there, or 0 outside the stack.
  [[nodiscard]] std::uint64_t stack_word(std::uint64_t address) const;
  // The lowest address of stack at the address or above it that no longer holds a canary, or 0.
  [[nodiscard]] std::uint64_t first_changed(std::uint64_t address) const;
  void set_stack_word(std::uint64_t address, std::uint64_t value);

  // The stack was written at this address or above it. Owed for every write that prepare_stack()
  // has to undo.
  void note_stack_write(std::uint64_t address) {
    if (address < dirty_) dirty_ = address;
  }
  void note_whole_stack_written() { dirty_ = guest::kStackBase; }

 private:
  struct FreePages {
    void operator()(std::uint8_t* pages) const;
  };
  static constexpr std::size_t kObjects = 1 + kMaxRegions;  // context, regions
  static constexpr std::size_t kPage = guest::kPage;

  // The first page of an object, and how many bytes its pages have.
  [[nodiscard]] std::uint8_t* page(std::size_t object) const {
    return pages_.get() + (object == 0 ? 0 : context_pages_ + object - 1) * kPage;
  }
  [[nodiscard]] std::size_t room(std::size_t object) const {
    return object == 0 ? context_pages_ * kPage : kPage;
  }
  [[nodiscard]] std::uint8_t* exit_page() const { return page(kObjects); }
  [[nodiscard]] std::uint8_t* per_cpu_page() const { return page(kObjects + 1); }
  [[nodiscard]] std::uint8_t* stack() const { return page(kObjects + 2); }
  void prepare_object(std::size_t object, const std::vector<std::uint8_t>* bytes);
  [[nodiscard]] bool padding_intact(std::size_t object, std::size_t size) const;

  std::size_t context_pages_;
  std::unique_ptr<std::uint8_t[], FreePages> pages_;  // objects, exit page, per-CPU data, stack
  std::uint64_t dirty_ = guest::kStackBase;
};

}  // namespace plumb::machine
