// SPDX-License-Identifier: GPL-2.0-or-later
//
// Who writes where on the stack. A frame of the x86-64 kernel JIT:
//
//   | return address  |  entry sp
//   | saved rbp       |  <- rbp = R10
//   | BPF stack       |  [R10 - stack size, R10)
//   | counter, saved  |  pushed by the prologue
#include <fmt/format.h>

#include <array>

#include "invariants/bytes.h"
#include "invariants/checkers.h"

namespace plumb::invariants {
namespace {

constexpr std::uint64_t kSlot = 8;

// Does the access touch the BPF stack of the frame?
bool touches_stack(const Frame& frame, const StackAccess& access) {
  return frame.r10 != 0 && frame.stack_low < frame.r10 &&
         overlap(access.address, access.size, frame.stack_low, frame.r10 - frame.stack_low);
}

// Most accesses lie below everything of this frame and its callers: no need to look further.
bool is_below(const StackAccess& access, std::uint64_t lowest) {
  return access.address + access.size <= lowest;
}

// Does it store what belongs to the frame, and not to the program?
bool saves_registers(AccessRole role, const StackAccess& access) {
  switch (role) {
    case AccessRole::kPush:
    case AccessRole::kPrologue:
    case AccessRole::kThunk:
    case AccessRole::kCallSave:
      return true;
    case AccessRole::kUnplaced:
      return access.is_push;
    case AccessRole::kBpfStore:
    case AccessRole::kHelper:
    case AccessRole::kCount:
    case AccessRole::kCountBack:
    case AccessRole::kOther:
    case AccessRole::kRead:
      break;
  }
  return false;
}

bool is_program_store(AccessRole role) {
  return role == AccessRole::kBpfStore || role == AccessRole::kHelper;
}

// What the prologues of the live frames have saved, in the order of the run.
class SavedSlots {
 public:
  struct Slot {
    std::uint64_t address;
    std::uint64_t pc;
    std::uint32_t activation;
    std::uint32_t size;
  };

  explicit SavedSlots(const View& view) : view_(view) {}

  // Forgets the slots of frames that have ended before this activation runs.
  void enter(std::uint32_t activation) {
    if (activation == current_) return;
    current_ = activation;
    while (count_ > 0 && !view_.is_live(current_, slots_[count_ - 1].activation)) --count_;
  }
  // False: the table is full.
  [[nodiscard]] bool add(const StackAccess& access) {
    if (count_ == slots_.size()) return false;
    slots_[count_++] = {access.address, access.pc, access.activation, access.size};
    return true;
  }
  // Of all live frames, or of the callers only.
  [[nodiscard]] const Slot* find(const StackAccess& access, bool of_callers) const {
    for (std::size_t i = 0; i < count_; ++i) {
      if (of_callers && slots_[i].activation == access.activation) continue;
      if (overlap(access.address, access.size, slots_[i].address, slots_[i].size)) {
        return &slots_[i];
      }
    }
    return nullptr;
  }

 private:
  const View& view_;
  // Eight frames of sixteen slots are more than a valid program has, but for tail calls out of
  // nested frames.
  std::array<Slot, 128> slots_;  // the first count_ of them
  std::size_t count_ = 0;
  std::uint32_t current_ = 0;
};

// The first frame whose saved registers a store must not damage. What a thunk writes may lie in the
// frame that it leads out of: registers are restored by then, and the stack pointer stands above.
std::int64_t first_in_danger(const View& view, AccessRole role, const StackAccess& access) {
  // What is in a function without offsets may be its prologue, which makes the frame.
  const bool is_own_free =
      role == AccessRole::kThunk || role == AccessRole::kPrologue || role == AccessRole::kUnplaced;
  const bool has_frame = view.frame(access.activation) != nullptr;
  return is_own_free && has_frame ? view.caller(access.activation) : access.activation;
}

// The live frame, from first on, whose frame record the access touches, or -1. The record outlives
// tail calls, so it belongs to no single prologue.
std::int64_t touched_record(const View& view, const StackAccess& access, std::int64_t first) {
  const Frame* innermost = view.frame(access.activation);
  if (innermost == nullptr || is_below(access, innermost->lowest_record)) return -1;
  for (std::int64_t i = first; const Frame* frame = view.frame(i); i = view.caller(i)) {
    if (overlap(access.address, access.size, frame->record, kSlot)) return i;
  }
  return -1;
}

// The same for the return address. Where no call pushes it, the frame's own prologue stores it; a
// thunk that calls a program's main function pushes it.
std::int64_t touched_return_address(const View& view, const StackAccess& access, AccessRole role) {
  const bool is_prologue = role == AccessRole::kPrologue || role == AccessRole::kUnplaced;
  const bool may_save = (view.platform().geometry.call_pushes == 0 && is_prologue) ||
                        (role == AccessRole::kThunk && view.is_entered_by_thunk(access.activation));
  const Frame* innermost = view.frame(access.activation);
  if (innermost == nullptr || is_below(access, innermost->lowest_record)) return -1;
  for (std::int64_t i = access.activation; const Frame* frame = view.frame(i); i = view.caller(i)) {
    if (frame->return_slot == 0 || (may_save && i == access.activation)) continue;
    if (overlap(access.address, access.size, frame->return_slot, kSlot)) return i;
  }
  return -1;
}

std::string store_text(const View& view, const StackAccess& access) {
  return fmt::format("{} {} bytes at {}", access.pc == 0 ? "a helper stores" : "a store of",
                     access.size, view.stack_name(access.address, access.activation));
}

// What rows about BPF stacks are not told.
Unseen unseen_stacks(const View& view) {
  Unseen unseen;
  unseen.note_if(view.misses_offsets(), NotApplicableReason::kOffsetsUnknown);
  switch (view.image().contract.bpf_stack) {
    case BpfStack::kUnknown:
      unseen.note(NotApplicableReason::kBpfStackUnknown);
      break;
    case BpfStack::kInFrame:
      break;
    case BpfStack::kElsewhere:
      unseen.note(NotApplicableReason::kStackElsewhere);
      break;
  }
  return unseen;
}

// Held where every frame that has a BPF stack shows where it lies.
Answer held_where_stacks_are_known(const View& view) {
  bool looked = false;
  Unseen unseen = unseen_stacks(view);
  for (const Frame& frame : view.frames()) {
    if (frame.native == nullptr || frame.native->stack_size == 0 || !frame.uses_r10) continue;
    looked = true;
    if (frame.r10 == 0) unseen.note(view.why_r10_unknown(frame));
    unseen.note_if(!frame.stack_size_known, NotApplicableReason::kStackSizeUnknown);
  }
  if (!looked) return not_applicable(NotApplicableReason::kNoBpfStack);
  return unseen.held_if(looked, NotApplicableReason::kNoBpfStack);
}

// Two live frames whose BPF stacks share bytes: the ordinal of the inner one, or nothing.
std::optional<std::size_t> overlapping_frames(const View& view) {
  const auto& frames = view.frames();
  for (std::size_t i = 1; i < frames.size(); ++i) {
    const Frame& inner = frames[i];
    if (inner.r10 == 0 || inner.stack_low == inner.r10) continue;
    for (std::int64_t j = inner.caller; const Frame* outer = view.frame(j); j = view.caller(j)) {
      if (outer->r10 != 0 && outer->stack_low < outer->r10 &&
          overlap(inner.stack_low, inner.r10 - inner.stack_low, outer->stack_low,
                  outer->r10 - outer->stack_low)) {
        return i;
      }
    }
  }
  return std::nullopt;
}

// Where no call pushes the return address, the frame record tells where it lies, and the prologue
// who may put it there.
Unseen unseen_return_addresses(const View& view) {
  Unseen unseen;
  if (view.platform().geometry.call_pushes != 0) return unseen;
  const NativeRegister head = view.image().registers.frame_pointer;
  unseen.note_if(head.is_none(), NotApplicableReason::kNoChain);
  unseen.note_if(!head.is_known(), NotApplicableReason::kFramePointerUnknown);
  unseen.note_if(view.misses_offsets(), NotApplicableReason::kOffsetsUnknown);
  return unseen;
}

}  // namespace

Answer check_return_address_intact(const View& view) {
  const MachineRun& run = view.run();
  for (std::size_t i = 0; i < run.accesses.size(); ++i) {
    const StackAccess& access = run.accesses[i];
    if (access.kind == AccessKind::kRead) continue;
    const std::int64_t frame = touched_return_address(view, access, view.access_roles()[i]);
    if (frame < 0) continue;
    return view.at_access("return-address-intact", access,
                          fmt::format("{} overwrites the return address of the {}",
                                      store_text(view, access), view.role(frame)));
  }
  for (std::size_t i = 0; i < run.events.size(); ++i) {
    const std::int32_t returned = view.run().events[i].entered;
    if (run.events[i].kind != EventKind::kReturn || view.frame(returned) == nullptr) continue;
    const std::uint64_t pushed = run.activations[static_cast<std::size_t>(returned)].return_address;
    if (run.events[i].pc == pushed) continue;
    return view.at_event("return-address-intact", i, returned,
                         fmt::format("returned to {} instead of {}",
                                     view.code_name(run.events[i].pc), view.code_name(pushed)));
  }
  return unseen_return_addresses(view).held_if(true, NotApplicableReason::kNoCalls);
}

Answer check_saved_slots_unwritten(const View& view) {
  SavedSlots saved(view);
  bool looked = false;
  Unseen unseen;
  unseen.note_if(view.misses_offsets(), NotApplicableReason::kOffsetsUnknown);
  const auto& accesses = view.run().accesses;
  for (std::size_t i = 0; i < accesses.size(); ++i) {
    const AccessRole role = view.access_roles()[i];
    if (role == AccessRole::kRead) continue;
    saved.enter(accesses[i].activation);
    // The count stands among the saved registers: tail-call-counter-intact.
    if (role == AccessRole::kCount || role == AccessRole::kCountBack) continue;
    const std::int64_t first = first_in_danger(view, role, accesses[i]);
    const SavedSlots::Slot* slot = saved.find(accesses[i], first != accesses[i].activation);
    if (role == AccessRole::kPrologue) {
      looked = true;
      unseen.note_if(!saved.add(accesses[i]), NotApplicableReason::kTableFull);
    }
    if (slot == nullptr && touched_record(view, accesses[i], first) < 0) continue;
    return view.at_access(
        "saved-slots-unwritten", accesses[i],
        fmt::format("{} overwrites what a prologue saved at {}", store_text(view, accesses[i]),
                    slot != nullptr ? view.code_name(slot->pc) : "its entry"));
  }
  return unseen.held_if(looked, NotApplicableReason::kNoSavedSlot);
}

Answer check_bpf_stack_disjoint(const View& view) {
  const auto& accesses = view.run().accesses;
  for (std::size_t i = 0; i < accesses.size(); ++i) {
    const AccessRole role = view.access_roles()[i];
    if (!saves_registers(role, accesses[i])) continue;
    const Frame* innermost = view.frame(accesses[i].activation);
    if (innermost == nullptr || is_below(accesses[i], innermost->lowest_stack)) continue;
    // Its own frame lies where the prologue left it; a thunk leads out of it.
    const bool is_own_dead = role == AccessRole::kThunk;
    for (std::int64_t j = is_own_dead ? view.caller(accesses[i].activation)
                                      : accesses[i].activation;
         const Frame* frame = view.frame(j); j = view.caller(j)) {
      if (!touches_stack(*frame, accesses[i])) continue;
      return view.at_access(
          "bpf-stack-disjoint-from-saved-area", accesses[i],
          fmt::format("{} saves a register at {}, in the BPF stack", view.code_name(accesses[i].pc),
                      view.stack_name(accesses[i].address, j)));
    }
  }
  if (const auto inner = overlapping_frames(view)) {
    return view.at_entry_of(
        "bpf-stack-disjoint-from-saved-area", static_cast<std::int64_t>(*inner),
        fmt::format("the BPF stack of activation {} shares bytes with a caller's", *inner));
  }
  return held_where_stacks_are_known(view);
}

Answer check_bpf_stack_in_frame(const View& view) {
  bool looked = false;
  Unseen unseen = unseen_stacks(view);
  const auto& accesses = view.run().accesses;
  for (std::size_t i = 0; i < accesses.size(); ++i) {
    const StackAccess& access = accesses[i];
    if (!is_program_store(view.access_roles()[i]) ||
        !view.image().placement.stack.contains(access.address))
      continue;
    looked = true;
    bool inside = false;
    for (std::int64_t j = access.activation; const Frame* frame = view.frame(j);
         j = view.caller(j)) {
      if (!frame->uses_r10) continue;
      // A frame whose R10 nobody saw may hold anything.
      if (frame->r10 == 0) {
        unseen.note(view.why_r10_unknown(*frame));
      } else if (access.address < frame->lowest_stack_low() ||
                 access.address + access.size > frame->r10) {
        continue;
      }
      unseen.note_if(!frame->stack_size_known, NotApplicableReason::kStackSizeUnknown);
      inside = true;
      break;
    }
    if (inside) continue;
    return view.at_access("bpf-stack-in-frame", access,
                          store_text(view, access) + " hits no BPF stack of a live frame");
  }
  if (!looked && !view.misses_offsets()) return not_applicable(NotApplicableReason::kNoBpfStore);
  return unseen.held_if(looked, NotApplicableReason::kNoBpfStore);
}

Answer check_no_live_data_below_sp(const View& view) {
  const auto& accesses = view.run().accesses;
  for (const StackAccess& access : accesses) {
    if (access.is_push || access.address >= access.sp) continue;
    return view.at_access("no-live-data-below-sp", access,
                          fmt::format("{} {} {} bytes below the stack pointer",
                                      access.pc == 0 ? "a helper" : view.code_name(access.pc),
                                      access.kind == AccessKind::kRead ? "reads" : "writes",
                                      access.sp - access.address));
  }
  return held_if(!accesses.empty(), NotApplicableReason::kNoStackAccess);
}

}  // namespace plumb::invariants
