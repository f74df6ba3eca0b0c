// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <bitset>
#include <cstdint>

#include "core/case.h"
#include "core/insn.h"

namespace plumb::gen {

enum class ValueKind : std::uint8_t {
  kDead,  // uninitialised, or not the same on all paths
  kScalar,
  kContext,  // always the first byte
  kStack,    // offset from R10
  kRegion,   // index: of the region
  kBuffer,   // index: of the argument that points to memory of the caller
  kArray,    // index: of the prog array
  kFunction,
};

// What is known about a register on every path to a point.
struct AbstractValue {
  ValueKind kind = ValueKind::kDead;
  int index = 0;
  int offset = 0;  // of a pointer: at least this
  int span = 0;    // and at most this much more

  bool operator==(const AbstractValue&) const = default;
  [[nodiscard]] bool is_scalar() const { return kind == ValueKind::kScalar; }
  [[nodiscard]] bool points_to(ValueKind k, int i) const { return kind == k && index == i; }
};

inline constexpr AbstractValue kAnyScalar{.kind = ValueKind::kScalar};
inline constexpr int kSpillSlots = kMaxStackDepth / 8;

// One bit per byte of the frame; bit n is the byte at R10 - 1 - n.
using FrameBytes = std::bitset<kMaxStackDepth>;

[[nodiscard]] inline std::size_t frame_bit(int offset) {
  return static_cast<std::size_t>(-1 - offset);
}

// The facts that a verifier would have at one point of a function.
struct State {
  std::array<AbstractValue, kRegisterCount> registers;
  FrameBytes initialised;                         // scalar bytes
  std::array<AbstractValue, kSpillSlots> spills;  // pointers; [n] lies at R10 - 8 * (n + 1)
  // By the same slots: bytes of the last store that began in it, the least of all paths. A pass
  // through a loop forgets them.
  std::array<std::uint8_t, kSpillSlots> widths{};

  bool operator==(const State&) const = default;

  [[nodiscard]] const AbstractValue& at(int reg) const {
    return registers[static_cast<std::size_t>(reg)];
  }
  [[nodiscard]] AbstractValue& at(int reg) { return registers[static_cast<std::size_t>(reg)]; }
  // All bytes [offset, offset + size) of the frame hold scalars.
  [[nodiscard]] bool readable(int offset, int size) const;
  // And a store wrote them that was no narrower, as Capability::kMixStackSizes has it.
  [[nodiscard]] bool readable_as_stored(int offset, int size) const;
  // A scalar is stored there: no pointer remains in what it touches.
  void write_frame(int offset, int size);
  // A helper has filled that: whole slots count as stores.
  void fill_frame(int offset, int size);
  void spill(int offset, const AbstractValue& pointer);
  // A store of that size begins at one of the offsets in [offset, offset + span].
  void store_somewhere(int offset, int span, int size);
  void kill(std::uint32_t register_set);
};

// What holds on both paths.
[[nodiscard]] State merge(const State& a, const State& b);
// Everything that general promises also holds in special.
[[nodiscard]] bool covers(const State& general, const State& special);

}  // namespace plumb::gen
