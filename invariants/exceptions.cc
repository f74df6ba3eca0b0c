// SPDX-License-Identifier: GPL-2.0-or-later
//
// Throws. The frame that a throw ends at, of x86-64 kernels from 6.7:
//
//   | return address  |
//   | saved rbp       |  <- rbp of the boundary, the callback's third argument
//   | BPF stack       |
//   | counts          |
//   | r12, rbx, r13 ..|  all of them, whatever the program uses
//   | saved r15       |  <- rsp at each of its calls, the second argument: what is popped first
//
// On arm64 the callback gets no stack pointer. It finds what was saved by its distance from x29.
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <vector>

#include "invariants/bytes.h"
#include "invariants/checkers.h"

namespace plumb::invariants {
namespace {

const MachineThrow* lost_throw(const MachineRun& run) {
  return run.stop == StopReason::kLostThrow && !run.throws.empty() ? &run.throws.back() : nullptr;
}

// The activation of the callback, or -1.
std::int32_t callback_of(const View& view, const MachineThrow& thrown) {
  return view.run().events[static_cast<std::size_t>(thrown.event)].entered;
}

ThrowSp sp_rule(const View& view, const MachineThrow& thrown) {
  const auto& paths = view.image().throws;
  const auto path = std::ranges::find(paths, thrown.walk.program, &ThrowPath::program);
  return path == paths.end() ? ThrowSp::kUnknown : path->sp;
}

// What the frame pointer is in the body of a frame.
std::uint64_t frame_pointer_of(const View& view, const Frame& frame) {
  return frame.record -
         static_cast<std::uint64_t>(view.platform().geometry.record_from_frame_pointer()) +
         static_cast<std::uint64_t>(std::int64_t{view.image().frame.frame_pointer_offset});
}

bool is_in_body(const View& view, const NativeFunction& native, std::uint64_t pc) {
  if (native.insn_offsets.empty() || pc - native.address >= native.size) return false;
  const int slot = slot_at(native, static_cast<std::uint32_t>(pc - native.address));
  const auto& insns = view.bpf_function(native).insns;
  if (slot < 0 || static_cast<std::size_t>(slot) >= insns.size()) return false;
  constexpr std::uint8_t kExitOpcode = 0x95;  // its code takes the frame down
  return insns[static_cast<std::size_t>(slot)].opcode != kExitOpcode;
}

struct Word {
  std::uint64_t address = 0;
  std::uint64_t size = 0;
  [[nodiscard]] bool touches(const StackAccess& access) const {
    return overlap(access.address, access.size, address, size);
  }
};

// What the prologue of the boundary saved, and where its caller's frame is. Where a tail call
// entered the boundary, what lies above its landing is of the first of the chain.
std::vector<Word> saved_by(const View& view, std::int32_t boundary) {
  std::vector<Word> words;
  const auto& accesses = view.run().accesses;
  const auto& activations = view.run().activations;
  std::int32_t first = boundary;
  while (activations[static_cast<std::size_t>(first)].replaced >= 0) {
    first = activations[static_cast<std::size_t>(first)].replaced;
  }
  const std::uint64_t landing = activations[static_cast<std::size_t>(boundary)].entry_sp;
  for (std::size_t i = 0; i < accesses.size(); ++i) {
    if (view.access_roles()[i] != AccessRole::kPrologue) continue;
    const bool is_own = accesses[i].activation == static_cast<std::uint32_t>(boundary);
    const bool is_above = accesses[i].activation == static_cast<std::uint32_t>(first) &&
                          accesses[i].address >= landing;
    if (is_own || is_above) words.push_back({accesses[i].address, accesses[i].size});
  }
  const Frame& frame = *view.frame(boundary);
  if (frame.record != 0) words.push_back({frame.record, 8});
  if (frame.return_slot != 0) words.push_back({frame.return_slot, 8});
  return words;
}

bool any_touches(const std::vector<Word>& words, const StackAccess& access) {
  return std::ranges::any_of(words, [&](const Word& word) { return word.touches(access); });
}

// The callback's own code around its body: what restores registers.
bool is_around_body(const View& view, const StackAccess& access) {
  const Frame* frame = view.frame(access.activation);
  return frame != nullptr && frame->native != nullptr &&
         access.pc - frame->native->address < frame->native->size &&
         !is_in_body(view, *frame->native, access.pc);
}

// A word that the callback reads back, and that the boundary has not saved; nor did the callback,
// which has saved registers for itself.
const StackAccess* stray_read(const View& view, std::int32_t callback,
                              const std::vector<Word>& saved) {
  std::vector<Word> own;
  const auto& accesses = view.run().accesses;
  for (std::size_t i = 0; i < accesses.size(); ++i) {
    const StackAccess& access = accesses[i];
    if (access.activation != static_cast<std::uint32_t>(callback)) continue;
    if (access.kind == AccessKind::kWrite) {
      if (view.access_roles()[i] == AccessRole::kPrologue) {
        own.push_back({access.address, access.size});
      }
      continue;
    }
    if (!is_around_body(view, access)) continue;
    if (!any_touches(saved, access) && !any_touches(own, access)) return &access;
  }
  return nullptr;
}

// A store into what the boundary saved and the callback reads back only later. What the callback
// itself saves is not looked at: on x86-64 it does so where it has read back already.
const StackAccess* early_store(const View& view, std::int32_t callback,
                               const std::vector<Word>& saved) {
  const auto& accesses = view.run().accesses;
  const auto of_callback = [&](const StackAccess& access) {
    return access.activation == static_cast<std::uint32_t>(callback);
  };
  const auto restores = [&](const StackAccess& access, const Word& word) {
    return access.kind == AccessKind::kRead && of_callback(access) && word.touches(access) &&
           is_around_body(view, access);
  };
  for (const Word& word : saved) {
    const StackAccess* store = nullptr;
    for (std::size_t i = 0; i < accesses.size(); ++i) {
      const StackAccess& access = accesses[i];
      if (restores(access, word)) {
        if (store != nullptr) return store;
        break;
      }
      // Later activations are those that the callback calls.
      const bool is_late = access.activation >= static_cast<std::uint32_t>(callback);
      const bool is_store = access.kind == AccessKind::kWrite && is_late && word.touches(access);
      const bool is_own_save =
          of_callback(access) && view.access_roles()[i] == AccessRole::kPrologue;
      if (is_store && !is_own_save && store == nullptr) store = &access;
    }
  }
  return nullptr;
}

// A step in the callback's body with another frame pointer.
const MachineStep* stray_step(const View& view, std::int32_t callback) {
  const Frame& frame = *view.frame(callback);
  if (frame.record == 0 || frame.native == nullptr) return nullptr;
  const std::uint64_t expected = frame_pointer_of(view, frame);
  for (const MachineStep& step : view.run().steps) {
    if (step.activation != static_cast<std::uint32_t>(callback)) continue;
    if (is_in_body(view, *frame.native, step.pc) && step.fp != expected) return &step;
  }
  return nullptr;
}

// Where the callback's return shows: an event, or the end of the run (-1); nothing: it never does.
std::optional<std::int64_t> end_of(const View& view, std::int32_t callback) {
  const auto& events = view.run().events;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const bool ends = events[i].kind == EventKind::kReturn && events[i].entered == callback;
    if (ends) return static_cast<std::int64_t>(i);
  }
  const bool is_last = !events.empty() && events.back().kind == EventKind::kExit &&
                       events.back().activation == static_cast<std::uint32_t>(callback);
  if (is_last && view.run().stop == StopReason::kReturned) return -1;
  return std::nullopt;
}

}  // namespace

Answer check_throw_reaches_boundary(const View& view) {
  constexpr const char* kName = "throw-reaches-boundary";
  const MachineRun& run = view.run();
  if (run.throws.empty()) return not_applicable(NotApplicableReason::kNoThrow);
  Unseen unseen;
  bool looked = false;
  for (const MachineThrow& thrown : run.throws) {
    const auto event = static_cast<std::size_t>(thrown.event);
    const std::int64_t thrower = run.events[event].activation;
    if (&thrown == lost_throw(run)) return view.at_event(kName, event, thrower, run.detail);
    if (callback_of(view, thrown) < 0) continue;  // the run ended on the way
    const Frame* boundary = view.frame(thrown.boundary);
    const int expected = run.activations[static_cast<std::size_t>(thrown.boundary)].program;
    if (thrown.walk.program != expected) {
      return view.at_event(kName, event, thrower,
                           fmt::format("the throw ends at program {}, its boundary is program {}",
                                       thrown.walk.program, expected));
    }
    looked = true;
    unseen.note_if(boundary->record == 0, NotApplicableReason::kFramePointerUnknown);
    if (boundary->record == 0 || thrown.walk.fp == frame_pointer_of(view, *boundary)) continue;
    return view.at_event(kName, event, thrower,
                         "the throw ends at a frame of another call than its boundary");
  }
  return unseen.held_if(looked, NotApplicableReason::kStopped);
}

Answer check_boundary_sp_matches(const View& view) {
  constexpr const char* kName = "boundary-sp-matches";
  const MachineRun& run = view.run();
  if (run.throws.empty()) return not_applicable(NotApplicableReason::kNoThrow);
  Unseen unseen;
  bool looked = false;
  for (const MachineThrow& thrown : run.throws) {
    const std::int32_t callback = callback_of(view, thrown);
    if (callback < 0 || view.frame(thrown.boundary) == nullptr) continue;
    const auto event = static_cast<std::size_t>(thrown.event);
    const bool has_sp = sp_rule(view, thrown) != ThrowSp::kZero;
    if (has_sp && thrown.walk.sp != thrown.boundary_sp) {
      return view.at_event(
          kName, event, callback,
          fmt::format("the callback is given a stack pointer {} bytes from that of the boundary's "
                      "call",
                      static_cast<std::int64_t>(thrown.walk.sp - thrown.boundary_sp)));
    }
    if (view.misses_offsets()) {
      unseen.note(NotApplicableReason::kOffsetsUnknown);
      continue;
    }
    looked = true;
    const StackAccess* const stray = stray_read(view, callback, saved_by(view, thrown.boundary));
    if (stray == nullptr) continue;
    return view.at_access(
        kName, *stray,
        fmt::format("{} reads back {}, where the boundary has saved nothing",
                    view.code_name(stray->pc), view.stack_name(stray->address, thrown.boundary)));
  }
  return unseen.held_if(looked, NotApplicableReason::kStopped);
}

Answer check_callback_frame_valid(const View& view) {
  constexpr const char* kName = "callback-frame-valid";
  const MachineRun& run = view.run();
  if (run.throws.empty()) return not_applicable(NotApplicableReason::kNoThrow);
  Unseen unseen;
  unseen.note_if(view.misses_offsets(), NotApplicableReason::kOffsetsUnknown);
  bool looked = false;
  for (const MachineThrow& thrown : run.throws) {
    const std::int32_t callback = callback_of(view, thrown);
    if (callback < 0 || view.frame(callback) == nullptr) continue;
    looked = true;
    unseen.note_if(view.frame(callback)->record == 0, NotApplicableReason::kFramePointerUnknown);
    if (const MachineStep* step = stray_step(view, callback)) {
      Violation violation = view.at_event(
          kName, static_cast<std::size_t>(thrown.event), callback,
          fmt::format("at {} the frame pointer is not the boundary's", view.code_name(step->pc)));
      violation.at = view.place_of(step->pc);
      return violation;
    }
    const StackAccess* const store = early_store(view, callback, saved_by(view, thrown.boundary));
    if (store == nullptr) continue;
    return view.at_access(kName, *store,
                          fmt::format("{} overwrites {}, which the callback has still to read back",
                                      store->pc == 0 ? "a helper" : view.code_name(store->pc),
                                      view.stack_name(store->address, thrown.boundary)));
  }
  return unseen.held_if(looked, NotApplicableReason::kStopped);
}

Answer check_throw_restores_callee_saved(const View& view) {
  constexpr const char* kName = "throw-restores-callee-saved";
  const MachineRun& run = view.run();
  if (run.throws.empty()) return not_applicable(NotApplicableReason::kNoThrow);
  bool looked = false;
  for (const MachineThrow& thrown : run.throws) {
    const std::int32_t callback = callback_of(view, thrown);
    if (callback < 0) continue;
    const auto end = end_of(view, callback);
    if (!end) continue;
    looked = true;
    const bool is_exit = *end < 0;
    const auto index = static_cast<std::size_t>(is_exit ? std::ssize(run.events) - 1 : *end);
    const std::int32_t call = run.events[index].call;
    const RegisterFile& before =
        is_exit ? run.entry_registers : run.events[static_cast<std::size_t>(call)].registers;
    const RegisterFile& after = is_exit ? run.exit_registers : run.events[index].registers;
    for (RegisterSet left = view.platform().callee_saved; left != 0; left &= left - 1) {
      const auto reg = static_cast<std::size_t>(std::countr_zero(left));
      if (before[reg] == after[reg]) continue;
      return view.at_event(kName, index, callback,
                           fmt::format("the exception callback returns with {} changed",
                                       view.register_name(static_cast<int>(reg))));
    }
  }
  return held_if(looked, NotApplicableReason::kStopped);
}

}  // namespace plumb::invariants
