// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/frame_geometry.h"

#include <algorithm>

#include "core/helper_model.h"

namespace plumb {
namespace {

// Anything but tail calls.
bool makes_calls(const Function& function) {
  constexpr std::uint8_t kCallOpcode = 0x85;
  return std::ranges::any_of(function.insns, [](const Insn& insn) {
    const bool is_tail_call = insn.src == 0 && insn.immediate == kTailCallHelper;
    return insn.opcode == kCallOpcode && !is_tail_call;
  });
}

}  // namespace

RecordPlace record_place(const FrameGeometry& geometry, std::uint64_t entry_sp,
                         const Function* function) {
  if (geometry.leaf_saves_no_return && function != nullptr && !makes_calls(*function)) {
    return {.saved_frame_pointer = entry_sp - geometry.return_below_entry, .return_address = 0};
  }
  return {.saved_frame_pointer = entry_sp - geometry.record_below_entry,
          .return_address = entry_sp - geometry.return_below_entry};
}

}  // namespace plumb
