// SPDX-License-Identifier: GPL-2.0-or-later
#include "invariants/own_records.h"

#include <fmt/format.h>

#include <algorithm>
#include <variant>

#include "core/unwind/replay.h"

namespace plumb::invariants {

OwnRecords::OwnRecords(const View& view)
    : view_(view), headed_(view.run().steps.size()), windows_(view.run().activations.size()) {
  const MachineRun& run = view.run();
  const Image& image = view.image();
  const unwind::Row& record = *unwind::frame_record_rows(image.arch).find(0);
  unwind::StackReplay stack(run, image.placement.stack, image.arch, image.placement.exit);
  for (std::size_t i = 0; i < run.steps.size(); ++i) {
    note_call(i);
    const MachineStep& step = run.steps[i];
    if (step.shadow < 0 || image.function_at(step.pc) == nullptr) continue;
    stack.advance_to(i);
    const unwind::Cursor cursor = unwind::cursor_at(step, image.arch);
    const unwind::Step caller = unwind::step_by_row(cursor, stack, image.arch, record);
    // The outermost caller's frame pointer is the end mark.
    headed_[i] = step.fp != unwind::kEndOfWalk && wrong_caller(caller, i).empty();
    if (!headed_[i] || step.activation >= windows_.size()) continue;
    Window& window = windows_[step.activation];
    if (window.last == 0) window.first = i;
    window.last = i;
  }
}

bool OwnRecords::is_between(std::size_t step) const {
  const MachineStep& at = view_.run().steps[step];
  if (at.activation >= windows_.size() || view_.image().function_at(at.pc) == nullptr) return false;
  const Window& window = windows_[at.activation];
  return window.first < step && step < window.last;
}

std::uint64_t OwnRecords::caller_fp(std::size_t step) const {
  return caller_fps_[static_cast<std::size_t>(view_.run().steps[step].shadow)];
}

std::string OwnRecords::wrong_caller(const unwind::Step& caller, std::size_t step) const {
  const auto* const frame = std::get_if<unwind::Frame>(&caller);
  if (frame == nullptr) return "leads nowhere";
  const auto shadow = static_cast<std::size_t>(view_.run().steps[step].shadow);
  const std::uint64_t return_address = view_.run().shadow[shadow].return_address;
  if (frame->cursor.pc != return_address) {
    return fmt::format("returns to {}, the call in progress to {}",
                       view_.code_name(frame->cursor.pc), view_.code_name(return_address));
  }
  const bool is_known = view_.image().registers.frame_pointer.is_known();
  if (is_known && frame->cursor.fp != caller_fp(step)) {
    return "gives the caller another frame pointer";
  }
  return {};
}

// A call leaves the frame pointer as it is.
void OwnRecords::note_call(std::size_t index) {
  const MachineRun& run = view_.run();
  const MachineStep& step = run.steps[index];
  if (step.shadow < static_cast<std::int32_t>(caller_fps_.size())) return;
  const NativeRegister head = view_.image().registers.frame_pointer;
  const std::uint64_t entry_fp = head.is_known() ? run.entry_registers[head.number()] : 0;
  const std::uint64_t fp = index == 0 ? entry_fp : run.steps[index - 1].fp;
  caller_fps_.resize(static_cast<std::size_t>(step.shadow) + 1, fp);
}

}  // namespace plumb::invariants
