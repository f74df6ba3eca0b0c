// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

namespace plumb {

// What memory a pointer points into.
enum class Space : std::uint8_t {
  kContext,   // index 0
  kRegion,    // index of the case's region
  kStack,     // index = ordinal of the activation (machine_run.h) that owns the frame;
              // offset 0 is R10 of that activation, so offsets are negative
  kArray,     // index of the case's prog array; only offset 0
  kFunction,  // address of a function: index = program * kMaxFunctions + function
};

// A typed value: how oracle and machine compare without sharing addresses.
struct Value {
  enum class Kind : std::uint8_t { kUninitialised, kScalar, kPointer };
  Kind kind = Kind::kUninitialised;
  Space space = Space::kContext;  // pointers
  std::uint32_t index = 0;        // pointers
  std::uint64_t bits = 0;         // the scalar, or the offset in two's complement

  bool operator==(const Value&) const = default;

  [[nodiscard]] static Value scalar(std::uint64_t bits) {
    return {.kind = Kind::kScalar, .space = Space::kContext, .index = 0, .bits = bits};
  }
  [[nodiscard]] static Value pointer(Space space, std::uint32_t index, std::int64_t offset) {
    return {.kind = Kind::kPointer,
            .space = space,
            .index = index,
            .bits = static_cast<std::uint64_t>(offset)};
  }
  [[nodiscard]] bool is_scalar() const { return kind == Kind::kScalar; }
  [[nodiscard]] bool is_pointer() const { return kind == Kind::kPointer; }
  [[nodiscard]] std::int64_t offset() const { return static_cast<std::int64_t>(bits); }
};

}  // namespace plumb
