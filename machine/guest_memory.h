// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "core/case.h"
#include "core/guest.h"
#include "core/image.h"
#include "core/machine_run.h"
#include "core/placement.h"
#include "core/unwind/c_frames.h"
#include "machine/engine.h"

namespace plumb::machine {

// What the stack holds where nothing was written, and what surrounds an object on its page.
inline constexpr std::uint8_t kStackCanary = 0xc5;
inline constexpr std::uint8_t kPaddingPoison = 0xa7;
// What a helper leaves in the stack below its caller.
inline constexpr std::uint8_t kScrambledStack = 0x5d;
// What an interrupt leaves there (Depth::kInterrupts), and how far down: registers, and a handler.
inline constexpr std::uint8_t kInterruptedStack = unwind::kUntoldByte;
inline constexpr std::uint64_t kInterruptReach = 1024;

// The memory of the guest that is not the image's (core/placement.h), owned by the machine and
// mapped into engines: context, regions, exit page, per-CPU data, BPF stack (only for images whose
// code is given one), stack.
class GuestMemory {
 public:
  // context_pages: how many pages the context may take.
  explicit GuestMemory(std::size_t context_pages = 1);

  // A clause that says why nothing can be mapped there, or null.
  [[nodiscard]] const char* check(const Case& value, const Image& image) const;
  // From now on everything lies there, which check() found nothing wrong with. Does anything lie
  // elsewhere than before, so that mappings() are others?
  [[nodiscard]] bool place(const Case& value, const Image& image);
  [[nodiscard]] const Range& stack_range() const { return pages_at_.stack; }
  [[nodiscard]] std::vector<HostMapping> mappings();

  // Objects as the case gives them, poison around them; per-CPU data zeroed, canaries in the BPF
  // stack.
  void prepare_objects(const Case& value);
  // Canaries wherever the last run wrote.
  void prepare_stack();
  // Objects after the run, and whether the poison around them is whole.
  void collect(const Case& value, MachineRun& run) const;

  // Host bytes of [address, address + size) in the stack, the context page, a region page, per-CPU
  // data or the BPF stack; null unless all of it lies in one of them.
  [[nodiscard]] std::uint8_t* at(std::uint64_t address, std::uint64_t size);
  [[nodiscard]] const std::uint8_t* at(std::uint64_t address, std::uint64_t size) const;
  // Do all of the 8 bytes there lie in the stack?
  [[nodiscard]] bool is_stack_word(std::uint64_t address) const {
    return address - pages_at_.stack.address <= pages_at_.stack.size - 8;
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
  void note_whole_stack_written() { dirty_ = pages_at_.stack.address; }

 private:
  struct FreePages {
    void operator()(std::uint8_t* pages) const;
  };
  static constexpr std::size_t kObjects = 1 + kMaxRegions;  // context, regions
  static constexpr std::size_t kPage = guest::kPage;

  // Where things lie in the guest, by pages: the same for many cases.
  struct PagesAt {
    std::array<std::uint64_t, kObjects> objects{};  // the first page of each; 0: not mapped
    std::uint64_t exit = 0;
    std::uint64_t per_cpu = 0;
    Range bpf_stack;  // empty: not mapped
    Range stack;

    bool operator==(const PagesAt&) const = default;
  };
  [[nodiscard]] static PagesAt pages_of(const Case& value, const Image& image);

  // The first page of an object, and how many bytes its pages have.
  [[nodiscard]] std::uint8_t* page(std::size_t object) const {
    return pages_.get() + (object == 0 ? 0 : context_pages_ + object - 1) * kPage;
  }
  [[nodiscard]] std::size_t room(std::size_t object) const {
    return object == 0 ? context_pages_ * kPage : kPage;
  }
  [[nodiscard]] std::uint8_t* exit_page() const { return page(kObjects); }
  [[nodiscard]] std::uint8_t* per_cpu_page() const { return page(kObjects + 1); }
  [[nodiscard]] std::uint8_t* bpf_stack() const { return page(kObjects + 2); }
  [[nodiscard]] std::uint8_t* stack() const { return bpf_stack() + guest::kBpfStackSize; }
  void prepare_object(std::size_t object, const std::vector<std::uint8_t>* bytes);
  [[nodiscard]] bool padding_intact(std::size_t object, std::size_t size) const;
  // Of an object from its first page.
  [[nodiscard]] std::size_t offset(std::size_t object) const {
    return static_cast<std::size_t>(objects_at_[object] - pages_at_.objects[object]);
  }

  std::size_t context_pages_;
  // Objects, exit page, per-CPU data, BPF stack, stack.
  std::unique_ptr<std::uint8_t[], FreePages> pages_;
  PagesAt pages_at_;
  std::array<std::uint64_t, kObjects> objects_at_{};  // first byte of each
  std::uint64_t dirty_ = 0;  // lowest address of the stack that may hold no canary
};

}  // namespace plumb::machine
