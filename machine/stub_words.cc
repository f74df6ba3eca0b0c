// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/stub_words.h"

#include <algorithm>
#include <cstring>
#include <span>

#include "core/check.h"
#include "core/guest.h"
#include "core/helper_model.h"
#include "machine/arena_bytes.h"
#include "machine/target.h"

namespace plumb::machine {
namespace {

void store_word(std::uint64_t address, std::uint32_t word) {
  std::memcpy(arena_bytes(address), &word, sizeof word);
}

std::uint64_t stub(std::uint64_t area, std::int32_t helper) {
  return area + static_cast<std::uint64_t>(helper) * guest::kStubStride;
}

}  // namespace

std::uint32_t load_word(std::uint64_t address) {
  std::uint32_t word = 0;
  std::memcpy(&word, arena_bytes(address), sizeof word);
  return word;
}

void write_stub_words(std::uint64_t area, const StubWords& code) {
  for (std::uint64_t at = area; at < area + guest::kStubSize; at += sizeof code.trap) {
    store_word(at, code.trap);
  }
  for (std::uint64_t i = 0; i < kLoopRoutineSlot; ++i) {
    store_word(area + i * guest::kStubStride, code.ret);
  }
  store_word(stub(area, kLoopHelper), code.jump_to_loop);
  PLUMB_CHECK(code.loop_routine.code.size() <= kLoopRoutineRoom);
  std::ranges::copy(code.loop_routine.code, arena_bytes(area + kLoopRoutineOffset));
}

bool stub_words_intact(std::uint64_t area, const StubWords& code) {
  const auto intact = [&](const HelperInfo& helper) {
    const std::uint32_t expected = helper.number == kLoopHelper ? code.jump_to_loop : code.ret;
    return load_word(stub(area, helper.number)) == expected;
  };
  return std::ranges::all_of(helper_table(), intact) &&
         std::ranges::equal(
             code.loop_routine.code,
             std::span(arena_bytes(area + kLoopRoutineOffset), code.loop_routine.code.size()));
}

}  // namespace plumb::machine
