// SPDX-License-Identifier: GPL-2.0-or-later
#include "gen/state.h"

#include <algorithm>

namespace plumb::gen {
namespace {

// The slot of State::spills that holds the byte.
std::size_t spill_slot(int offset) { return frame_bit(offset) / 8; }

void set_bytes(State& state, int offset, int size) {
  for (int at = offset; at < offset + size; ++at) {
    state.spills[spill_slot(at)] = {};
    state.initialised.set(frame_bit(at));
  }
}

}  // namespace

bool State::readable(int offset, int size) const {
  for (int at = offset; at < offset + size; ++at) {
    if (!initialised[frame_bit(at)]) return false;
  }
  return true;
}

bool State::readable_as_stored(int offset, int size) const {
  return readable(offset, size) && widths[spill_slot(offset)] >= size;
}

void State::write_frame(int offset, int size) {
  set_bytes(*this, offset, size);
  widths[spill_slot(offset)] = static_cast<std::uint8_t>(size);
}

void State::fill_frame(int offset, int size) {
  set_bytes(*this, offset, size);
  for (int at = offset; at + 8 <= offset + size; at += 8) widths[spill_slot(at)] = 8;
}

void State::spill(int offset, const AbstractValue& pointer) {
  for (int at = offset; at < offset + 8; ++at) initialised.reset(frame_bit(at));
  spills[spill_slot(offset)] = pointer;
  widths[spill_slot(offset)] = 8;
}

void State::store_somewhere(int offset, int span, int size) {
  for (int at = offset; at <= offset + span; ++at) {
    std::uint8_t& width = widths[spill_slot(at)];
    width = std::min(width, static_cast<std::uint8_t>(size));
  }
}

void State::kill(std::uint32_t register_set) {
  for (std::size_t i = 0; i < registers.size(); ++i) {
    if (register_set >> i & 1) registers[i] = {};
  }
}

State merge(const State& a, const State& b) {
  State both = a;
  for (std::size_t i = 0; i < both.registers.size(); ++i) {
    if (a.registers[i] != b.registers[i]) both.registers[i] = {};
  }
  for (std::size_t i = 0; i < both.spills.size(); ++i) {
    if (a.spills[i] != b.spills[i]) both.spills[i] = {};
  }
  both.initialised &= b.initialised;
  for (std::size_t i = 0; i < both.widths.size(); ++i) {
    both.widths[i] = std::min(a.widths[i], b.widths[i]);
  }
  return both;
}

bool covers(const State& general, const State& special) {
  return merge(general, special) == general;
}

}  // namespace plumb::gen
