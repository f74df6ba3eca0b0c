// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <array>
#include <bit>

#include "core/check.h"
#include "gen/emitter.h"

namespace plumb::gen {
namespace {

constexpr int kTries = 6;

int object_size(const Emitter& e, ValueKind kind, int index) {
  const Surroundings& around = e.code.surroundings();
  switch (kind) {
    case ValueKind::kContext:
      return around.context_size;
    case ValueKind::kRegion:
      return around.region_sizes[static_cast<std::size_t>(index)];
    case ValueKind::kBuffer:
      return around.buffer_sizes[static_cast<std::size_t>(index)];
    case ValueKind::kStack:
      return around.stack_depth;
    case ValueKind::kDead:
    case ValueKind::kScalar:
    case ValueKind::kArray:
    case ValueKind::kFunction:
      return 0;
  }
  return 0;
}

// Bytes at the start of the object that random stores leave alone.
int reserved_bytes(ValueKind kind, int index) {
  const bool has_purpose =
      kind == ValueKind::kContext || (kind == ValueKind::kRegion && index == 0);
  return has_purpose ? kReservedBytes : 0;
}

bool is_locked(const Emitter& e, int offset, int size) {
  for (int at = offset; at < offset + size; ++at) {
    if (e.locked_bytes[frame_bit(at)]) return true;
  }
  return false;
}

struct Object {
  ValueKind kind = ValueKind::kRegion;
  int index = 0;
};

// A register that points to the object's first byte, or -1.
int register_with(const Emitter& e, ValueKind kind, int index) {
  for (int reg = 9; reg >= 0; --reg) {
    const AbstractValue& value = e.code.at(reg);
    if (value.points_to(kind, index) && value.offset == 0 && value.span == 0) return reg;
  }
  return -1;
}

int spill_with(const Emitter& e, ValueKind kind, int index) {
  const auto& spills = e.code.state().spills;
  for (std::size_t slot = 0; slot < spills.size(); ++slot) {
    if (spills[slot].points_to(kind, index) && spills[slot].offset == 0) {
      return static_cast<int>(slot);
    }
  }
  return -1;
}

bool at_hand(const Emitter& e, ValueKind kind, int index) {
  return register_with(e, kind, index) >= 0 || spill_with(e, kind, index) >= 0;
}

// What the function can reach, for this access; a region always.
Object draw_object(Emitter& e, Access access, int size) {
  std::array<Object, 8> objects;
  std::array<int, 8> weights{};
  std::size_t count = 0;
  const auto offer = [&](ValueKind kind, int index, int weight) {
    if (count == objects.size()) return;
    objects[count] = {kind, index};
    weights[count++] = weight;
  };
  const auto& buffers = e.code.surroundings().buffer_sizes;
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const int index = static_cast<int>(i);
    if (buffers[i] >= size && at_hand(e, ValueKind::kBuffer, index)) {
      offer(ValueKind::kBuffer, index, 8);
    }
  }
  if (e.code.surroundings().stack_depth >= size) offer(ValueKind::kStack, 0, 7);
  if (access != Access::kAtomic && at_hand(e, ValueKind::kContext, 0)) {
    offer(ValueKind::kContext, 0, 3);
  }
  const auto& regions = e.code.surroundings().region_sizes;
  const int region = static_cast<int>(e.choices.below(regions.size()));
  offer(ValueKind::kRegion, region, 4);
  return objects[e.choices.weighted(std::span(weights).first(count))];
}

// A multiple of align in [low, high - size].
int draw_offset(Emitter& e, int low, int high, int size, int align) {
  const int first = (low + align - 1) / align;
  const int last = (high - size) / align;
  const int edge = e.choices.range(0, 9);
  if (edge == 0) return first * align;
  if (edge == 1) return last * align;
  return e.choices.range(first, last) * align;
}

// A place of the frame for the access, or 0. Offsets in the frame are negative.
int draw_frame_offset(Emitter& e, Access access, int size) {
  const int slots = e.code.surroundings().stack_depth / size;
  for (int i = 0; i < kTries; ++i) {
    const int edge = e.choices.range(0, 7);
    const int slot = edge == 0 ? 1 : edge == 1 ? slots : e.choices.range(1, slots);
    const int at = -slot * size;
    const bool readable = is_readable(e, at, size);
    if (access == Access::kRead ? readable : !is_locked(e, at, size)) {
      if (access == Access::kAtomic && !readable) initialise_frame(e, at, size);
      return at;
    }
  }
  return 0;
}

// The frame by R10 itself, or by a copy that points elsewhere in it.
Address address_in_frame(Emitter& e, int at) {
  if (!e.choices.chance(25)) return {.reg = kFramePointerRegister, .offset = at};
  const int reg = scratch(e);
  const int base = -e.choices.range(1, e.code.surroundings().stack_depth);
  e.code.emit(Opcode::kMov64Reg, reg, kFramePointerRegister);
  e.code.emit(Opcode::kAdd64Imm, reg, 0, 0, base);
  return {.reg = reg, .offset = at - base};
}

int point_at_object(Emitter& e, const Object& object) {
  const int ready = register_with(e, object.kind, object.index);
  if (ready >= 0) return ready;
  const int reg = scratch(e);
  if (object.kind == ValueKind::kRegion) {
    e.code.load_region(reg, object.index, 0);
  } else {
    PLUMB_CHECK(load_pointer(e, object.kind, object.index, reg));
  }
  return reg;
}

Address address_in_object(Emitter& e, const Object& object, Access access, int size) {
  const int high = object_size(e, object.kind, object.index);
  const int low = access == Access::kRead ? 0 : reserved_bytes(object.kind, object.index);
  // A caller's buffer may lie in its frame, where the verifier wants natural alignment.
  const bool aligned =
      access == Access::kAtomic || object.kind != ValueKind::kRegion || e.choices.chance(80);
  const int at = draw_offset(e, low, high, size, aligned ? size : 1);
  if (object.kind == ValueKind::kRegion && e.choices.chance(25)) {
    // The address constant itself lies inside the object.
    const int reg = scratch(e);
    const int furthest = takes(e, Capability::kReachBelow) ? high - 1 : at;
    const int base = e.choices.range(0, furthest);
    e.code.load_region(reg, object.index, base);
    return {.reg = reg, .offset = at - base};
  }
  return {.reg = point_at_object(e, object), .offset = at};
}

}  // namespace

Address find_address(Emitter& e, Access access, int size) {
  Object object = draw_object(e, access, size);
  if (object.kind == ValueKind::kStack) {
    const int at = draw_frame_offset(e, access, size);
    if (at != 0) return address_in_frame(e, at);
    object = {.kind = ValueKind::kRegion, .index = 0};
  }
  return address_in_object(e, object, access, size);
}

bool has_durable(const Emitter& e, ValueKind kind, int index) {
  for (int reg = 6; reg <= 9; ++reg) {
    if (e.code.at(reg).points_to(kind, index)) return true;
  }
  return spill_with(e, kind, index) >= 0;
}

bool load_pointer(Emitter& e, ValueKind kind, int index, int reg) {
  const int ready = register_with(e, kind, index);
  if (ready == reg) return true;
  if (ready >= 0) {
    e.code.emit(Opcode::kMov64Reg, reg, ready);
    return true;
  }
  const int slot = spill_with(e, kind, index);
  if (slot < 0) return false;
  e.code.emit(Opcode::kLoad64, reg, kFramePointerRegister, -8 * (slot + 1));
  return true;
}

bool is_readable(const Emitter& e, int offset, int size) {
  const State& state = e.code.state();
  return takes(e, Capability::kMixStackSizes) ? state.readable(offset, size)
                                              : state.readable_as_stored(offset, size);
}

std::optional<int> free_frame_range(Emitter& e, int size) {
  const int slots = e.code.surroundings().stack_depth / 8;
  const int needed = (size + 7) / 8;
  if (slots < needed) return std::nullopt;
  for (int i = 0; i < kTries; ++i) {
    const int lowest = e.choices.chance(30) ? slots : e.choices.range(needed, slots);
    if (!is_locked(e, -8 * lowest, 8 * needed)) return -8 * lowest;
  }
  return std::nullopt;
}

void initialise_frame(Emitter& e, int offset, int size) {
  for (int at = offset; at < offset + size;) {
    int width = 8;
    while (at % width != 0 || at + width > offset + size) width /= 2;
    if (!is_readable(e, at, width)) {
      constexpr std::array kStores{Opcode::kStoreImm8, Opcode::kStoreImm16, Opcode::kStoreImm32,
                                   Opcode::kStoreImm64};
      const auto row = static_cast<std::size_t>(std::countr_zero(static_cast<unsigned>(width)));
      e.code.emit(kStores[row], kFramePointerRegister, 0, at, draw_immediate(e.choices));
    }
    at += width;
  }
}

std::optional<int> point_at_buffer(Emitter& e, int reg, int size, bool initialised) {
  const auto& buffers = e.code.surroundings().buffer_sizes;
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const int index = static_cast<int>(i);
    if (buffers[i] < size || !has_durable(e, ValueKind::kBuffer, index)) continue;
    if (!e.choices.chance(50)) continue;
    PLUMB_CHECK(load_pointer(e, ValueKind::kBuffer, index, reg));
    const int room = (buffers[i] - size) / 8;
    if (room > 0) e.code.emit(Opcode::kAdd64Imm, reg, 0, 0, 8 * e.choices.range(0, room));
    return std::nullopt;
  }
  const std::optional<int> frame = e.choices.chance(90) ? free_frame_range(e, size) : std::nullopt;
  if (frame) {
    if (initialised) initialise_frame(e, *frame, size);
    e.code.emit(Opcode::kMov64Reg, reg, kFramePointerRegister);
    e.code.emit(Opcode::kAdd64Imm, reg, 0, 0, *frame);
    return frame;
  }
  point_at_region(e, reg, size);
  return std::nullopt;
}

void point_at_region(Emitter& e, int reg, int size) {
  const int room = (e.code.surroundings().region_sizes[0] - kReservedBytes - size) / 8;
  PLUMB_CHECK(room >= 0);
  e.code.load_region(reg, 0, kReservedBytes + 8 * e.choices.range(0, room));
}

namespace {

constexpr std::array kSizes{1, 2, 4, 8};

template <std::size_t N>
Opcode by_size(const std::array<Opcode, N>& rows, int size) {
  return rows[static_cast<std::size_t>(std::countr_zero(static_cast<unsigned>(size)))];
}

}  // namespace

void emit_load(Emitter& e) {
  constexpr std::array kLoads{Opcode::kLoad8, Opcode::kLoad16, Opcode::kLoad32, Opcode::kLoad64};
  constexpr std::array kSigned{Opcode::kLoadSigned8, Opcode::kLoadSigned16, Opcode::kLoadSigned32};
  const bool is_signed = e.plan.v4 && e.choices.chance(60);
  const int size = kSizes[e.choices.below(is_signed ? 3 : 4)];
  const Address from = find_address(e, Access::kRead, size);
  const int dst = result_register(e);
  e.code.emit(is_signed ? by_size(kSigned, size) : by_size(kLoads, size), dst, from.reg,
              from.offset);
}

void emit_store(Emitter& e) {
  constexpr std::array kStores{Opcode::kStore8, Opcode::kStore16, Opcode::kStore32,
                               Opcode::kStore64};
  constexpr std::array kImmediates{Opcode::kStoreImm8, Opcode::kStoreImm16, Opcode::kStoreImm32,
                                   Opcode::kStoreImm64};
  const int size = kSizes[e.choices.below(kSizes.size())];
  if (e.choices.chance(35)) {
    const Address to = find_address(e, Access::kWrite, size);
    e.code.emit(by_size(kImmediates, size), to.reg, 0, to.offset, draw_immediate(e.choices));
    return;
  }
  const int src = any_scalar(e);
  const Hold hold(e, src);
  const Address to = find_address(e, Access::kWrite, size);
  e.code.emit(by_size(kStores, size), to.reg, src, to.offset);
}

}  // namespace plumb::gen
