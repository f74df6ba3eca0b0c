// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/case.h"
#include "core/execution.h"
#include "core/value.h"
#include "oracle/reasons.h"

namespace plumb::oracle {

// All memory of one run, with a shadow that knows which bytes are initialised and which belong to
// a stored pointer. Everything lies in one flat array, every object and every R10 at a multiple of
// 8, live stack frames last:
//
//   | context | region 0 | ... | frame of the entry | frame of its callee | ... |
//                              ^ R10 - depth        ^ R10
//
// Rules that hold for every access: the base is a pointer to the context, a region or a live frame;
// all bytes lie inside that object ([-stack depth, 0) of a frame); a read finds initialised bytes.
// A pointer is stored whole, at a multiple of 8. Writing over a part of it leaves the rest
// uninitialised on the stack and is refused elsewhere, where nothing is ever uninitialised.
// A function returns kNone and has taken effect, or another reason and has none.
class Memory {
 public:
  explicit Memory(const Case& value);

  // Frames form a stack; activations increase.
  void enter_frame(std::uint32_t activation, std::int32_t stack_depth);
  void leave_frame();
  [[nodiscard]] bool is_live(std::uint32_t activation) const;

  // bytes: 1, 2, 4 or 8. Scalars are zero-extended on load and truncated on store.
  [[nodiscard]] Reason load(const Value& base, std::int32_t offset, std::uint32_t bytes,
                            Value& result) const;
  [[nodiscard]] Reason store(const Value& base, std::int32_t offset, std::uint32_t bytes,
                             const Value& value);

  // An aligned scalar cell for an atomic operation: its position, for peek() and poke().
  [[nodiscard]] Reason find_cell(const Value& base, std::int32_t offset, std::uint32_t bytes,
                                 std::uint32_t& position) const;
  [[nodiscard]] std::uint64_t peek(std::uint32_t position, std::uint32_t bytes) const;
  void poke(std::uint32_t position, std::uint32_t bytes, std::uint64_t value);

  // What a helper reads and writes. The spans hold until the next frame is entered.
  [[nodiscard]] Reason read(const Value& base, std::uint32_t bytes,
                            std::span<const std::uint8_t>& result) const;
  [[nodiscard]] Reason write(const Value& base, std::uint32_t bytes,
                             std::span<std::uint8_t>& result);

  [[nodiscard]] MemoryImage context() const { return image(context_); }
  [[nodiscard]] MemoryImage region(std::size_t index) const { return image(regions_[index]); }

 private:
  struct Object {
    std::uint32_t first = 0;
    std::uint32_t size = 0;
  };
  struct FrameWindow {
    std::uint32_t activation = 0;
    std::uint32_t bottom = 0;
    std::uint32_t top = 0;  // where R10 points
    std::int32_t depth = 0;
  };

  [[nodiscard]] Object add_object(std::span<const std::uint8_t> bytes);
  [[nodiscard]] const FrameWindow* find_frame(std::uint32_t activation) const;
  [[nodiscard]] Reason locate(const Value& base, std::int64_t offset, std::uint32_t bytes,
                              std::uint32_t& position) const;
  [[nodiscard]] Reason check_scalars(std::uint32_t position, std::uint32_t bytes) const;
  [[nodiscard]] Reason claim(std::uint32_t position, std::uint32_t bytes, std::uint8_t tag);
  [[nodiscard]] Reason store_pointer(const Value& base, std::uint32_t position, std::uint32_t bytes,
                                     const Value& value);
  [[nodiscard]] Value stored_pointer(std::uint32_t position) const;
  [[nodiscard]] bool is_stack(std::uint32_t position) const { return position >= stack_begin_; }
  [[nodiscard]] MemoryImage image(const Object& object) const;

  std::vector<std::uint8_t> bytes_;
  std::vector<std::uint8_t> tags_;  // per byte: kUninitialised, kScalar, or kPointer + space
  Object context_;
  std::vector<Object> regions_;
  std::uint32_t stack_begin_ = 0;
  std::vector<FrameWindow> frames_;
};

}  // namespace plumb::oracle
