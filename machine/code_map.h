// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/case.h"
#include "core/event.h"
#include "core/image.h"

namespace plumb::machine {

// What a byte of native code is. Zero: no code of any function.
class Role {
 public:
  static constexpr std::uint16_t kEntry = 1u << 11;          // a call arrives here
  static constexpr std::uint16_t kTailCallEntry = 1u << 12;  // a tail call may arrive here
  static constexpr std::uint16_t kSlotStart = 1u << 13;      // code of a BPF instruction begins
  static constexpr std::uint16_t kTailCall = 1u << 14;       // inside the code of a tail call
  static constexpr std::uint16_t kAfterTailCall = 1u << 15;  // first byte behind it

  explicit Role(std::uint16_t bits) : bits_(bits) {}
  [[nodiscard]] bool in_function() const { return bits_ != 0; }
  [[nodiscard]] bool has(std::uint16_t flag) const { return (bits_ & flag) != 0; }
  // Index in Image::functions; only when in_function().
  [[nodiscard]] std::size_t function() const { return (bits_ & kFunctionMask) - 1u; }
  [[nodiscard]] bool same_function(Role other) const {
    return ((bits_ ^ other.bits_) & kFunctionMask) == 0;
  }
  static constexpr std::uint16_t kFunctionMask = kEntry - 1;

 private:
  std::uint16_t bits_;
};
static_assert(kMaxPrograms * kMaxFunctions < Role::kFunctionMask);

// Roles of all code of one image, looked up by address in constant time: it is asked at every basic
// block. One object serves one image after another and reuses its memory.
class CodeMap {
 public:
  // A clause that says why the image cannot be run, or null. The stubs lie in this process's memory
  // as said.
  [[nodiscard]] const char* build(const Case& value, const Image& image, const HostRange& stubs);

  [[nodiscard]] Role role(std::uint64_t address) const {
    const std::uint64_t offset = address - base_;
    return Role(offset < span_ ? roles_[offset] : std::uint16_t{0});
  }
  [[nodiscard]] bool in_stubs(std::uint64_t address) const {
    return stubs_.guest.contains(address);
  }
  // Where the byte at an address of code lies in this process, and all behind it in the same range;
  // null: there is no code.
  [[nodiscard]] const std::uint8_t* bytes(std::uint64_t address) const {
    const std::uint64_t offset = address - memory_.guest.address;
    return offset < memory_.guest.size ? memory_.host + offset : other_bytes(address);
  }
  // In one of the image's thunks (retpolines, entry code, epilogues that functions share), and in
  // no function.
  [[nodiscard]] bool in_thunk(std::uint64_t address) const {
    return !thunks_.empty() && find_thunk(address) != nullptr && !role(address).in_function();
  }
  // Instructions that have to be reported one by one, not empty ranges: what is kAfterTailCall,
  // because a refused tail call may run on into it without a block boundary; the code of atomic
  // operations, because the emulator does not know where it is when such an instruction stores;
  // where the caller has put back what it saved for a call; entries that a thunk runs on into.
  [[nodiscard]] std::span<const Range> watched() const { return watched_; }

  [[nodiscard]] const NativeFunction& function(Role role) const {
    return image_->functions[role.function()];
  }
  // The instruction that the byte belongs to. Only inside functions.
  [[nodiscard]] Place place(std::uint64_t address) const;
  // The BPF instruction at a place, or null in prologues and behind bodies.
  [[nodiscard]] const Insn* insn(const Place& place) const;
  // Index in Image::functions of what an invocation runs: the function that starts at the image's
  // entry, or, where the entry is in a thunk, the main function of the case's entry program.
  [[nodiscard]] std::optional<std::size_t> entry_function() const;
  // Where the BPF instruction behind the one at the place begins; nothing: not known.
  [[nodiscard]] std::optional<std::uint64_t> next_insn(const Place& place) const;
  // Can the tail calls of every program to itself be told from branches?
  [[nodiscard]] bool tells_tail_calls() const;
  // "program 0 function 1 +0x1a", "stack", ...: a guest address for people, host addresses left
  // out.
  [[nodiscard]] std::string describe(std::uint64_t address) const;

 private:
  struct Thunk {
    Range code;
    const Symbol* symbol = nullptr;
  };
  void mark_function(std::size_t index);
  void mark_slots(const NativeFunction& f);
  [[nodiscard]] const Thunk* find_thunk(std::uint64_t address) const;
  void mark(std::uint64_t address, std::uint16_t flag);
  [[nodiscard]] const std::uint8_t* other_bytes(std::uint64_t address) const;

  const Case* case_ = nullptr;
  const Image* image_ = nullptr;
  HostRange stubs_;
  HostRange memory_;  // that holds the entry
  std::uint64_t base_ = 0;
  std::uint64_t span_ = 0;
  std::vector<std::uint16_t> roles_;  // of [base_, base_ + span_); zero everywhere else
  std::vector<Range> marked_;         // offsets in roles_ that are not zero
  std::vector<Range> watched_;
  std::vector<Thunk> thunks_;
};

}  // namespace plumb::machine
