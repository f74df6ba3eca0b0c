// SPDX-License-Identifier: GPL-2.0-or-later
//
// Result, memory and events against the oracle's. Pointers compare typed: the oracle's (space,
// offset) as the address that it has in the guest.
#include <fmt/format.h>

#include <cstring>
#include <span>

#include "invariants/checkers.h"
#include "invariants/divergence.h"

namespace plumb::invariants {
namespace {

std::uint64_t read_64(std::span<const std::uint8_t> bytes, std::size_t offset) {
  std::uint64_t value = 0;
  for (std::size_t i = 8; i-- > 0;) value = value << 8 | bytes[offset + i];
  return value;
}

// Offset of the first byte that differs outside pointers; nullopt when none does.
std::optional<std::size_t> first_difference(const View& view, const MemoryImage& expected,
                                            std::span<const std::uint8_t> seen, bool& unknown) {
  if (expected.bytes.size() != seen.size()) return std::min(expected.bytes.size(), seen.size());
  std::size_t begin = 0;
  const auto differs = [&](std::size_t end) -> std::optional<std::size_t> {
    if (begin == end || std::memcmp(&expected.bytes[begin], &seen[begin], end - begin) == 0) {
      return std::nullopt;
    }
    while (expected.bytes[begin] == seen[begin]) ++begin;
    return begin;
  };
  for (const StoredPointer& pointer : expected.pointers) {
    if (const auto offset = differs(pointer.offset)) return offset;
    unknown |= !view.native(pointer.value);
    if (!view.matches(pointer.value, read_64(seen, pointer.offset))) return pointer.offset;
    begin = pointer.offset + 8;
  }
  return differs(seen.size());
}

}  // namespace

Answer check_same_events(const View& view) {
  if (diverges_in(view) != DivergedIn::kEvents) {
    if (view.divergence().what != Divergence::What::kNone) {
      return not_applicable(NotApplicableReason::kDiverged);
    }
    return view.divergence().unseen.held_if(true, NotApplicableReason::kDiverged);
  }
  return at_divergence(view, "same-events", divergence_text(view));
}

Answer check_same_result(const View& view) {
  if (!view.is_completed()) return not_applicable(NotApplicableReason::kStopped);
  const auto expected = view.native(view.execution().result);
  if (!expected) return not_applicable(NotApplicableReason::kValueUnknown);
  const int bits = view.image().contract.result_bits;
  // The lower half is part of the result, however wide it is.
  const std::uint64_t mask = bits == 64 ? ~std::uint64_t{0} : 0xffff'ffffu;
  if ((*expected & mask) == (view.run().result & mask)) {
    return held_if(bits != 0, NotApplicableReason::kResultWidthUnknown);
  }
  return view.at_end("same-result", view.execution().result.is_scalar()
                                        ? fmt::format("returns {:#x}, the oracle {:#x}",
                                                      view.run().result & mask, *expected & mask)
                                        : "returns another pointer than the oracle");
}

Answer check_same_memory(const View& view) {
  // No program owns the bytes around an object, whether or not the run came to its end.
  if (!view.run().object_padding_intact) {
    return view.at_end("same-memory", "bytes beside the context or a region are written");
  }
  if (!view.is_completed()) return not_applicable(NotApplicableReason::kStopped);
  bool unknown = false;
  if (const auto offset =
          first_difference(view, view.execution().context, view.run().context, unknown)) {
    return view.at_end("same-memory", fmt::format("the context differs at byte {}", *offset));
  }
  const auto& regions = view.execution().regions;
  for (std::size_t i = 0; i < regions.size() && i < view.run().regions.size(); ++i) {
    if (const auto offset = first_difference(view, regions[i], view.run().regions[i], unknown)) {
      return view.at_end("same-memory", fmt::format("region {} differs at byte {}",
                                                    view.value().regions[i].name, *offset));
    }
  }
  return held_if(!unknown, NotApplicableReason::kValueUnknown);
}

}  // namespace plumb::invariants
