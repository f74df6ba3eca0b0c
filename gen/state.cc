// SPDX-License-Identifier: GPL-2.0-or-later
#include "gen/state.h"

namespace plumb::gen {
namespace {

// The slot of State::spills that holds the byte.
std::size_t spill_slot(int offset) { return frame_bit(offset) / 8; }

}  // namespace

bool State::readable(int offset, int size) const {
  for (int at = offset; at < offset + size; ++at) {
    if (!initialised[frame_bit(at)]) return false;
  }
  return true;
}

void State::write_frame(int offset, int size) {
  for (int at = offset; at < offset + size; ++at) {
    spills[spill_slot(at)] = {};
    initialised.set(frame_bit(at));
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
  return both;
}

bool covers(const State& general, const State& special) {
  return merge(general, special) == general;
}

}  // namespace plumb::gen
