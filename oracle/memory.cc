// SPDX-License-Identifier: GPL-2.0-or-later
#include "oracle/memory.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "core/check.h"

namespace plumb::oracle {
namespace {

constexpr std::uint8_t kUninitialised = 0;
constexpr std::uint8_t kScalar = 1;
constexpr std::uint8_t kPointer = 2;

constexpr std::uint32_t kSlot = 8;  // bytes of a stored pointer, and its alignment
constexpr std::uint32_t kFirstStack = 2 * kMaxStackDepth;

static_assert(std::endian::native == std::endian::little);

constexpr std::uint32_t round_to_slot(std::size_t size) {
  return static_cast<std::uint32_t>((size + kSlot - 1) & ~std::size_t{kSlot - 1});
}

constexpr std::uint8_t tag_of(Space space) {
  return static_cast<std::uint8_t>(kPointer + static_cast<std::uint8_t>(space));
}

// One to eight bytes as a number.
std::uint64_t gather(const std::uint8_t* from, std::uint32_t bytes) {
  std::uint64_t value = 0;
  switch (bytes) {
    case 8:
      std::memcpy(&value, from, 8);
      break;
    case 4:
      std::memcpy(&value, from, 4);
      break;
    case 2:
      std::memcpy(&value, from, 2);
      break;
    default:
      value = *from;
      break;
  }
  return value;
}

// The number that gather() finds over bytes that all hold tag.
std::uint64_t all_tagged(std::uint8_t tag, std::uint32_t bytes) {
  return (0x0101010101010101u * tag) >> (64 - 8 * bytes);
}

bool is_opaque(Space space) { return space == Space::kArray || space == Space::kFunction; }

}  // namespace

Memory::Memory(const Case& value) {
  std::size_t size = round_to_slot(value.context.size());
  for (const Region& region : value.regions) size += round_to_slot(region.bytes.size());
  stack_begin_ = static_cast<std::uint32_t>(size);
  bytes_.reserve(size + kFirstStack);
  tags_.reserve(size + kFirstStack);
  context_ = add_object(value.context);
  regions_.reserve(value.regions.size());
  for (const Region& region : value.regions) regions_.push_back(add_object(region.bytes));
  frames_.reserve(kMaxCallDepth);
  PLUMB_CHECK(bytes_.size() == stack_begin_);
}

Memory::Object Memory::add_object(std::span<const std::uint8_t> bytes) {
  const Object object{static_cast<std::uint32_t>(bytes_.size()),
                      static_cast<std::uint32_t>(bytes.size())};
  bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  bytes_.resize(object.first + round_to_slot(bytes.size()));
  tags_.resize(bytes_.size(), kScalar);
  return object;
}

void Memory::enter_frame(std::uint32_t activation, std::int32_t stack_depth) {
  const std::uint32_t bottom = frames_.empty() ? stack_begin_ : frames_.back().top;
  const std::uint32_t top = bottom + round_to_slot(static_cast<std::size_t>(stack_depth));
  if (bytes_.size() < top) {
    bytes_.resize(top);
    tags_.resize(top);
  }
  std::fill(tags_.begin() + bottom, tags_.begin() + top, kUninitialised);
  frames_.push_back({activation, bottom, top, stack_depth});
}

void Memory::leave_frame() { frames_.pop_back(); }

const Memory::FrameWindow* Memory::find_frame(std::uint32_t activation) const {
  for (auto it = frames_.rbegin(); it != frames_.rend(); ++it) {
    if (it->activation == activation) return &*it;
  }
  return nullptr;
}

bool Memory::is_live(std::uint32_t activation) const { return find_frame(activation) != nullptr; }

Reason Memory::locate(const Value& base, std::int64_t offset, std::uint32_t bytes,
                      std::uint32_t& position) const {
  if (base.kind == Value::Kind::kUninitialised) return Reason::kUninitialisedRegister;
  if (base.is_scalar()) return Reason::kAccessThroughScalar;
  const std::int64_t at = base.offset() + offset;
  const auto inside = [&](const Object& object) {
    position = object.first + static_cast<std::uint32_t>(at);
    return at >= 0 && at + bytes <= object.size;
  };
  switch (base.space) {
    case Space::kContext:
      return inside(context_) ? Reason::kNone : Reason::kOutsideContext;
    case Space::kRegion:
      return inside(regions_[base.index]) ? Reason::kNone : Reason::kOutsideRegion;
    case Space::kStack: {
      const FrameWindow* frame = find_frame(base.index);
      if (frame == nullptr) return Reason::kDeadFrame;
      position = static_cast<std::uint32_t>(frame->top + at);
      return at >= -frame->depth && at + bytes <= 0 ? Reason::kNone : Reason::kOutsideFrame;
    }
    case Space::kArray:
    case Space::kFunction:
      return Reason::kOpaquePointer;
  }
  return Reason::kOpaquePointer;
}

Reason Memory::check_scalars(std::uint32_t position, std::uint32_t bytes) const {
  for (std::uint32_t i = 0; i < bytes; ++i) {
    const std::uint8_t tag = tags_[position + i];
    if (tag == kUninitialised) return Reason::kUninitialisedStack;
    if (tag == kScalar) continue;
    return is_stack(position) ? Reason::kPartOfPointerRead : Reason::kAddressAsNumber;
  }
  return Reason::kNone;
}

// Makes the bytes belong to a new value. Pointers that they cover in part are torn.
Reason Memory::claim(std::uint32_t position, std::uint32_t bytes, std::uint8_t tag) {
  const std::uint32_t end = position + bytes;
  for (std::uint32_t slot = position & ~(kSlot - 1); slot < end; slot += kSlot) {
    // Objects whose size is no multiple of 8 hold no pointer in their last, partial slot.
    const std::uint32_t probe = std::max(slot, position);
    if (tags_[probe] < kPointer || (slot >= position && slot + kSlot <= end)) continue;
    if (!is_stack(position)) return Reason::kPointerTorn;
    std::memset(&tags_[slot], kUninitialised, kSlot);
  }
  std::memset(&tags_[position], tag, bytes);
  return Reason::kNone;
}

Value Memory::stored_pointer(std::uint32_t position) const {
  const std::uint64_t word = gather(&bytes_[position], kSlot);
  return Value::pointer(static_cast<Space>(tags_[position] - kPointer),
                        static_cast<std::uint32_t>(word), static_cast<std::int32_t>(word >> 32));
}

Reason Memory::load(const Value& base, std::int32_t offset, std::uint32_t bytes,
                    Value& result) const {
  std::uint32_t position = 0;
  if (const Reason r = locate(base, offset, bytes, position); r != Reason::kNone) return r;
  if (gather(&tags_[position], bytes) == all_tagged(kScalar, bytes)) {
    result = Value::scalar(gather(&bytes_[position], bytes));
    return Reason::kNone;
  }
  const bool whole = bytes == kSlot && position % kSlot == 0;
  if (whole && tags_[position] >= kPointer) {
    result = stored_pointer(position);
    return Reason::kNone;
  }
  return check_scalars(position, bytes);
}

Reason Memory::store(const Value& base, std::int32_t offset, std::uint32_t bytes,
                     const Value& value) {
  std::uint32_t position = 0;
  if (const Reason r = locate(base, offset, bytes, position); r != Reason::kNone) return r;
  if (value.kind == Value::Kind::kUninitialised) return Reason::kUninitialisedRegister;
  if (value.is_pointer()) return store_pointer(base, position, bytes, value);
  if (const Reason r = claim(position, bytes, kScalar); r != Reason::kNone) return r;
  std::memcpy(&bytes_[position], &value.bits, bytes);
  return Reason::kNone;
}

// The kernel's check_stack_write_fixed_off() refuses a stack pointer in the frame of a caller.
Reason Memory::store_pointer(const Value& base, std::uint32_t position, std::uint32_t bytes,
                             const Value& value) {
  const bool stack = base.space == Space::kStack;
  if (bytes != kSlot) return stack ? Reason::kPartOfPointerStored : Reason::kAddressAsNumber;
  if (position % kSlot != 0) {
    return stack ? Reason::kStackPointerUnaligned : Reason::kPointerStoredUnaligned;
  }
  if (stack) {
    const bool own = base.index == frames_.back().activation;
    if (value.space == Space::kStack && !own) return Reason::kStackPointerInOtherFrame;
  } else if (is_opaque(value.space)) {
    return Reason::kOpaquePointerStored;
  }
  if (const Reason r = claim(position, bytes, tag_of(value.space)); r != Reason::kNone) return r;
  const std::uint64_t word =
      value.index | static_cast<std::uint64_t>(static_cast<std::uint32_t>(value.offset())) << 32;
  std::memcpy(&bytes_[position], &word, kSlot);
  return Reason::kNone;
}

Reason Memory::find_cell(const Value& base, std::int32_t offset, std::uint32_t bytes,
                         std::uint32_t& position) const {
  if (const Reason r = locate(base, offset, bytes, position); r != Reason::kNone) return r;
  if (position % bytes != 0) return Reason::kAtomicUnaligned;
  const Reason scalars = check_scalars(position, bytes);
  const bool pointer = scalars == Reason::kPartOfPointerRead || scalars == Reason::kAddressAsNumber;
  return pointer ? Reason::kAtomicOnPointer : scalars;
}

std::uint64_t Memory::peek(std::uint32_t position, std::uint32_t bytes) const {
  return gather(&bytes_[position], bytes);
}

void Memory::poke(std::uint32_t position, std::uint32_t bytes, std::uint64_t value) {
  std::memcpy(&bytes_[position], &value, bytes);
}

Reason Memory::read(const Value& base, std::uint32_t bytes,
                    std::span<const std::uint8_t>& result) const {
  std::uint32_t position = 0;
  if (const Reason r = locate(base, 0, bytes, position); r != Reason::kNone) return r;
  result = {&bytes_[position], bytes};
  return check_scalars(position, bytes);
}

Reason Memory::write(const Value& base, std::uint32_t bytes, std::span<std::uint8_t>& result) {
  std::uint32_t position = 0;
  if (const Reason r = locate(base, 0, bytes, position); r != Reason::kNone) return r;
  result = {&bytes_[position], bytes};
  return claim(position, bytes, kScalar);
}

MemoryImage Memory::image(const Object& object) const {
  MemoryImage result;
  const auto begin = bytes_.begin() + object.first;
  result.bytes.assign(begin, begin + object.size);
  for (std::uint32_t offset = 0; offset + kSlot <= object.size; offset += kSlot) {
    if (tags_[object.first + offset] < kPointer) continue;
    result.pointers.push_back({offset, stored_pointer(object.first + offset)});
    std::fill_n(result.bytes.begin() + offset, kSlot, std::uint8_t{0});
  }
  return result;
}

}  // namespace plumb::oracle
