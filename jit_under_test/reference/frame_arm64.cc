// SPDX-License-Identifier: GPL-2.0-or-later
//
// Prologue, epilogue and tail call on arm64: what a prologue does is undone step by step, to the
// end by an epilogue, down to the tail-call entry by a tail call.
#include <algorithm>

#include "jit_under_test/reference/emitter_arm64.h"

namespace plumb::jit::reference {

using namespace asmjit;  // NOLINT: registers are named as in assembly
using a64::sp;
using a64::w10;
using a64::w2;
using a64::x0;
using a64::x1;
using a64::x10;
using a64::x11;
using a64::x12;
using a64::x2;
using a64::x25;
using a64::x26;
using a64::x27;
using a64::x30;
using a64::x7;
using a64::x9;
using a64::xzr;

namespace {

constexpr int kXzr = 31;
constexpr int kLink = 30;
constexpr int kFp = 29;
constexpr int kCount = 26;

// HINT numbers of instructions that AsmJit does not name (Arm ARM, C6.2).
constexpr int kPaciasp = 25;
constexpr int kAutiasp = 29;
constexpr int kBtiJ = 36;
constexpr int kBtiJc = 38;

a64::Gp gp(int number) {
  if (number == kXzr) return xzr;
  return a64::x(static_cast<std::uint32_t>(number));
}

bool is_record(const Step& step) { return step.a == kLink || step.b == kLink; }

}  // namespace

void EmitterArm64::allocate(int bytes) {
  a_.sub(sp, sp, bytes);
  notes().sp_moved(here(), -bytes);
}

void EmitterArm64::give_back(int bytes) {
  a_.add(sp, sp, bytes);
  notes().sp_moved(here(), bytes);
}

void EmitterArm64::shift(int reg, int by) {
  by < 0 ? a_.sub(gp(reg), gp(reg), -by) : a_.add(gp(reg), gp(reg), by);
  if (reg == kFp) notes().fp_moved(here(), by);
}

void EmitterArm64::step(const Step& step) {
  switch (step.kind) {
    case StepKind::kNop:
      a_.nop();
      return;
    case StepKind::kSaveLink:
      a_.add(x9, x30, 0);  // as the kernel spells a move
      a_.nop();
      return;
    case StepKind::kLandingPad:
      // A function is called and jumped to (by trampolines), a tail-call entry jumped to.
      a_.hint(step.value == 1 ? kBtiJc : kBtiJ);
      return;
    case StepKind::kSignReturn:
      a_.hint(kPaciasp);
      return;
    case StepKind::kClearCount:
      a_.movz(gp(step.a), 0);
      return;
    case StepKind::kPush:
      a_.stp(gp(step.a), gp(step.b), a64::ptr_pre(sp, -16));
      return is_record(step) ? notes().record_pushed(here(), step.b == kLink)
                             : notes().sp_moved(here(), -16);
    case StepKind::kPointAtSp:
      a_.mov(gp(step.a), sp);
      if (step.a == kFp) notes().fp_from_sp(here());
      return;
    case StepKind::kAllocate:
      return allocate(step.value);
    case StepKind::kShift:
      return shift(step.a, step.value);
    case StepKind::kTakeOver:
      return take_over(step.value);
    case StepKind::kPointAtFrame:
      a_.mov(gp(step.a), gp(kFp));
      return;
    case StepKind::kFrameBase:
      a_.sub(x27, x25, step.value);
      return;
    case StepKind::kEntry:
    case StepKind::kPushZero:
    case StepKind::kStore:
    case StepKind::kStoreZero:
    case StepKind::kCountByReference:
    case StepKind::kPrivate:
      return;
  }
}

// From the caller's frame pointer on, everything is where the boundary left it.
void EmitterArm64::take_over(int below) {
  const int fp = frame().frame_pointer;
  const int sp_before = notes().state().sp;
  if (!has(Defect::kCallbackKeepsFramePointer)) a_.add(gp(kFp), x2, 0);
  notes().taken_over(here(), sp_before, fp, fp, fp + 8);
  const int skipped = has(Defect::kCallbackPopsTooHigh) ? 16 : 0;
  const int more = has(Defect::kCallbackPopsOneMore) ? 16 : 0;
  a_.sub(sp, gp(kFp), below + more - skipped);
  notes().taken_over(here(), fp - below - more, fp, fp, fp + 8);
  if (more == 0) return;
  a_.ldp(x10, x11, a64::ptr_post(sp, more));
  notes().sp_moved(here(), more);
}

// A pair of two equal registers must not be loaded (Arm ARM, LDP: CONSTRAINED UNPREDICTABLE).
void EmitterArm64::pop_pair(int low, int high) {
  if (low == high) low = kXzr;
  if (low == kXzr && high == kXzr) return give_back(16);
  a_.ldp(gp(low), gp(high), a64::ptr_post(sp, 16));
  const bool has_link = low == kLink || high == kLink;
  has_link ? notes().record_popped(here()) : notes().sp_moved(here(), 16);
}

void EmitterArm64::undo(const Step& step) {
  switch (step.kind) {
    case StepKind::kPush:
      return pop_pair(step.a, step.b);
    case StepKind::kAllocate:
      return give_back(step.value);
    case StepKind::kShift:
      return shift(step.a, -step.value);
    default:
      return;
  }
}

void EmitterArm64::damage_restores(std::vector<Step>& steps) const {
  const auto is_save = [](const Step& s) { return s.kind == StepKind::kPush && !is_record(s); };
  for (Step& s : steps) {
    if (is_save(s) && s.a == 21 && has(Defect::kCallbackLosesRegister)) s.a = kXzr;
  }
  if (!has(Defect::kCallbackPopsInPushOrder)) return;
  const auto first = std::ranges::find_if(steps, is_save);
  const auto second = std::find_if(first + 1, steps.end(), is_save);
  if (second != steps.end()) std::iter_swap(first, second);
}

std::vector<Step> EmitterArm64::epilogue_steps() const {
  std::vector<Step> steps(frame().prologue.rbegin(), frame().prologue.rend());
  // An exception callback undoes what the boundary did, too.
  steps.insert(steps.end(), frame().taken_over.rbegin(), frame().taken_over.rend());
  if (!frame().taken_over.empty()) damage_restores(steps);
  const auto is_save = [](const Step& s) { return s.kind == StepKind::kPush && !is_record(s); };
  if (has(Defect::kRegisterNotRestored)) {
    for (Step& s : steps) {
      if (is_save(s) && s.a >= 19 && s.a <= 22) s.a = kXzr;
    }
  }
  if (has(Defect::kRestoresInPushOrder)) {
    std::vector<Step> saves;
    std::ranges::copy_if(steps, std::back_inserter(saves), is_save);
    for (Step& s : steps) {
      if (!is_save(s)) continue;
      s = saves.back();
      saves.pop_back();
    }
  }
  return steps;
}

// sp stands where it stands in the body.
void EmitterArm64::stray_stores() {
  const int body = frame().body_sp;
  if (has(Defect::kWritesAboveEntry) && function_.function == 0) {
    a_.str(x7, a64::ptr(sp, -body));
  }
  if (has(Defect::kScribblesOnStack) && frame().r10 && frame().stack_size >= 8) {
    a_.str(x7, a64::ptr(sp, *frame().r10 - 8 - body));
  }
  const auto saved = std::ranges::find(frame().slots, SlotRole::kSaved, &Slot::role);
  if (has(Defect::kScribblesOnSaved) && saved != frame().slots.end()) {
    a_.str(x7, a64::ptr(sp, saved->offset - body));
  }
}

void EmitterArm64::epilogue() {
  stray_stores();
  bool is_signed = false;
  for (const Step& s : epilogue_steps()) {
    undo(s);
    is_signed |= s.kind == StepKind::kSignReturn;
  }
  if (has(Defect::kReturnAddressPopped)) give_back(16);
  a_.mov(x0, x7);
  if (is_signed) a_.hint(kAutiasp);
  a_.ret(x30);
}

// ---- tail call ----

void EmitterArm64::check_bound(const Label& out) {
  a_.ldr(w10, a64::ptr(x1, kArraySlotCount));
  if (has(Defect::kIndexIn64Bits)) {
    a_.cmp(w2, w10);
  } else {
    a_.mov(w2, w2);
    a_.cmp(w2, w10);
  }
  has(Defect::kBoundOffByOne) ? a_.b_hi(out) : a_.b_cs(out);
}

void EmitterArm64::check_count(const Label& out) {
  const int limit = tail_call_limit();
  if (traits().counter == Counter::kReference) {
    a_.ldr(x12, a64::ptr(x26));
    a_.cmp(x12, limit);
    a_.b_cs(out);
    if (has(Defect::kCountStartsAgain)) {
      a_.movz(x12, 1);
    } else if (!has(Defect::kNoWriteBack)) {
      a_.add(x12, x12, has(Defect::kCountsByTwo) ? 2 : 1);
    }
    if (has(Defect::kCountsEmptySlots)) a_.str(x12, a64::ptr(x26));
    return;
  }
  if (traits().count_check == CountCheck::kAbove32) {
    a_.cmp(x26, limit - 1);
    a_.b_hi(out);
  } else {
    a_.cmp(x26, limit);
    a_.b_cs(out);
  }
  const bool later = has(Defect::kCountsOnlySuccesses);
  if (!later && !has(Defect::kNoWriteBack)) a_.add(x26, x26, 1);
}

void EmitterArm64::load_target(const Label& out) {
  a_.add(x11, x1, kArraySlots);
  a_.ldr(x11, a64::ptr(x11, x2, a64::lsl(3)));
  if (!has(Defect::kNoNullTest)) a_.cbz(x11, out);
  if (has(Defect::kCountsOnlySuccesses)) a_.add(x26, x26, 1);
  const bool counts = traits().counter == Counter::kReference && !has(Defect::kCountsEmptySlots);
  if (counts) a_.str(x12, a64::ptr(x26));
}

void EmitterArm64::unwind() {
  for (const Step& s : steps_to_undo()) undo(s);
  if (has(Defect::kTailCallRestartsCount)) a_.movz(gp(kCount), 0);
}

void EmitterArm64::tail_call(const TailCallSite&) {
  const Label out = a_.newLabel();
  check_bound(out);
  check_count(out);
  if (has(Defect::kUnwindsBeforeNullTest)) unwind();
  load_target(out);
  if (!has(Defect::kUnwindsBeforeNullTest)) unwind();
  if (has(Defect::kJumpsToProgramObject)) {
    a_.mov(x10, x11);
  } else {
    a_.ldr(x10, a64::ptr(x11, kProgramEntry));
  }
  a_.add(x10, x10, entry_offset());
  a_.br(x10);
  a_.bind(out);
  if (has(Defect::kRefusalReturns)) a_.b(epilogue_label());
}

EmittedFunction emit_arm64(const CompileUnit& unit, const FunctionUnit& function,
                           BaseAssembler& assembler) {
  return EmitterArm64(unit, function, static_cast<a64::Assembler&>(assembler)).run();
}

}  // namespace plumb::jit::reference
