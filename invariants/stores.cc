// SPDX-License-Identifier: GPL-2.0-or-later
//
// Is there a reason for every store to the stack, and does the program store what the oracle does?
//
//   by                      may write                                   checked by
//   the program, helpers    what the oracle writes, where it does       same-stores
//   push, call              below the stack pointer                     bpf-stack-disjoint-...
//   prologue                below its entry (tail callees: landing)     here
//   thunk                   the return address that it replaces, and    here
//                           below all that the frame is known to hold
//   call of a BPF function  what the caller saves, if it is the caller  bpf-stack-disjoint-...
//   tail call               one more into the word of the count         tail-call-counter-intact
//                           (where frames keep what is left: one less)
//   call that is back       what is left, where frames keep it          tail-call-counter-intact
//   anything else           nothing                                     here; what lies below the
//                                                                       stack pointer:
//                                                                       no-live-data-below-sp
#include <fmt/format.h>

#include <algorithm>

#include "invariants/checkers.h"

namespace plumb::invariants {
namespace {

// Upper end of what the prologue of an activation may write: its entry, or where tail calls land.
std::uint64_t prologue_end(const View& view, const StackAccess& access) {
  const Frame* frame = view.frame(access.activation);
  if (frame == nullptr) return ~std::uint64_t{0};
  const bool is_tail_callee = view.run().activations[access.activation].replaced >= 0;
  const std::uint64_t landing =
      is_tail_callee ? view.landing_below_entry(access.activation).value_or(std::uint64_t{0}) : 0;
  return frame->entry_sp - landing;
}

// A thunk that the invocation enters by has its own frame above that of the main function. Others
// are called out of a body: their frames lie below all that it holds.
bool is_in_frame_of_thunk(const View& view, const StackAccess& access) {
  const std::uint64_t end = access.address + access.size;
  const Frame* frame = view.frame(access.activation);
  if (view.is_entered_by_thunk(access.activation)) {
    const bool has_begun = access.event >= 0;
    if (end <= view.run().entry_sp && (!has_begun || access.address >= frame->entry_sp))
      return true;
  }
  if (frame == nullptr) return false;
  std::uint64_t lowest = frame->saved_low;
  if (frame->r10 != 0) lowest = lowest == 0 ? frame->stack_low : std::min(lowest, frame->stack_low);
  return lowest != 0 && end <= lowest;
}

// Why nothing accounts for the store, or null.
const char* unaccounted(const View& view, const StackAccess& access, AccessRole role) {
  switch (role) {
    case AccessRole::kRead:
    case AccessRole::kPush:
    case AccessRole::kBpfStore:
    case AccessRole::kHelper:
    case AccessRole::kCount:
    case AccessRole::kCountBack:
    case AccessRole::kCallSave:
    case AccessRole::kUnplaced:
      return nullptr;
    case AccessRole::kThunk:
      return access.is_push || access.address == access.sp || is_in_frame_of_thunk(view, access)
                 ? nullptr
                 : "a thunk, but to no return address";
    case AccessRole::kPrologue:
      return access.address + access.size <= prologue_end(view, access)
                 ? nullptr
                 : "a prologue, but above where it was entered";
    case AccessRole::kOther:
      return access.address + access.size <= access.sp ? nullptr : "code that has nothing to store";
  }
  return nullptr;
}

// What the contract would have to say about the store.
void note_unaccounted(const View& view, const StackAccess& access, AccessRole role,
                      Unseen& unseen) {
  const Contract& contract = view.image().contract;
  switch (role) {
    case AccessRole::kUnplaced:
      return unseen.note(NotApplicableReason::kOffsetsUnknown);
    case AccessRole::kCallSave:
      unseen.note_if(contract.r6_r9_saved_by == Side::kUnknown,
                     NotApplicableReason::kSavedByUnknown);
      return unseen.note_if(contract.r10_moved_by == Side::kUnknown,
                            NotApplicableReason::kR10MovedByUnknown);
    case AccessRole::kPrologue: {
      const bool is_tail_callee = view.frame(access.activation) != nullptr &&
                                  view.run().activations[access.activation].replaced >= 0;
      return unseen.note_if(is_tail_callee && !view.landing_below_entry(access.activation),
                            NotApplicableReason::kLandingUnknown);
    }
    case AccessRole::kCountBack:
      return unseen.note_if(contract.count_in_frames == Tristate::kUnknown,
                            NotApplicableReason::kCountInFramesUnknown);
    case AccessRole::kPush:
    case AccessRole::kBpfStore:
    case AccessRole::kHelper:
    case AccessRole::kThunk:
    case AccessRole::kCount:
    case AccessRole::kOther:
    case AccessRole::kRead:
      return;
  }
}

}  // namespace

Answer check_stores_are_accounted_for(const View& view) {
  Unseen unseen;
  const auto& accesses = view.run().accesses;
  for (std::size_t i = 0; i < accesses.size(); ++i) {
    note_unaccounted(view, accesses[i], view.access_roles()[i], unseen);
    const char* const problem = unaccounted(view, accesses[i], view.access_roles()[i]);
    if (problem == nullptr) continue;
    return view.at_access("stores-are-accounted-for", accesses[i],
                          fmt::format("{} bytes are stored at {} by {} ({})", accesses[i].size,
                                      view.stack_name(accesses[i].address, accesses[i].activation),
                                      problem, view.code_name(accesses[i].pc)));
  }
  return unseen.held_if(!accesses.empty(), NotApplicableReason::kNoStackAccess);
}

Answer check_caller_stack_unwritten(const View& view) {
  const std::uint64_t end = view.run().entry_sp + view.platform().geometry.call_pushes;
  for (const StackAccess& access : view.run().accesses) {
    if (access.kind != AccessKind::kWrite || access.address + access.size <= end) continue;
    return view.at_access(
        "caller-stack-unwritten", access,
        fmt::format("{} writes {} bytes of the invocation's caller, {} bytes above its stack "
                    "pointer",
                    access.pc == 0 ? "a helper" : view.code_name(access.pc), access.size,
                    static_cast<std::int64_t>(access.address - end)));
  }
  if (view.run().caller_stack_changed != 0) {
    return view.at_end("caller-stack-unwritten",
                       fmt::format("the stack of the invocation's caller has changed {} bytes "
                                   "above its stack pointer",
                                   view.run().caller_stack_changed - end));
  }
  return Held{};
}

}  // namespace plumb::invariants
