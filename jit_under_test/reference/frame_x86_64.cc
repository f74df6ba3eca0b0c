// SPDX-License-Identifier: GPL-2.0-or-later
//
// Prologue, epilogue and tail call on x86-64. What they push, pop and address comes from the
// FrameLayout; the layouts differ in nothing else.
#include <algorithm>

#include "core/check.h"
#include "core/guest.h"
#include "jit_under_test/reference/emitter_x86_64.h"

namespace plumb::jit::reference {

using namespace asmjit;  // NOLINT: registers are named as in assembly
using x86::eax;
using x86::edx;
using x86::r9;
using x86::rax;
using x86::rbp;
using x86::rbx;
using x86::rcx;
using x86::rdx;
using x86::rsi;
using x86::rsp;

namespace {

constexpr int kRax = 0;
constexpr int kRbp = 5;
constexpr int kR11 = 11;
constexpr int kUpperHalf = 4;  // of a count's slot: what counts, up to 6.11

x86::Gp saved(int number) { return x86::gpq(static_cast<std::uint32_t>(number)); }

}  // namespace

void EmitterX86::push(const Gp& reg) {
  a_.push(reg);
  reg == rbp ? notes().fp_pushed(here()) : notes().sp_moved(here(), -8);
}

void EmitterX86::pop(const Gp& reg) {
  a_.pop(reg);
  reg == rbp ? notes().fp_popped(here()) : notes().sp_moved(here(), 8);
}

void EmitterX86::allocate(int bytes) {
  a_.sub(rsp, bytes);
  notes().sp_moved(here(), -bytes);
}

void EmitterX86::give_back(int bytes) {
  a_.add(rsp, bytes);
  notes().sp_moved(here(), bytes);
}

void EmitterX86::move_fp(int by) {
  by < 0 ? a_.sub(rbp, -by) : a_.add(rbp, by);
  notes().fp_moved(here(), by);
}

void EmitterX86::leave() {
  a_.leave();
  notes().left(here());
}

void EmitterX86::nop(int bytes) {
  // The recommended sequences of Intel's manual, volume 2B, NOP.
  static constexpr std::uint8_t kNops[6][5] = {{},
                                               {0x90},
                                               {0x66, 0x90},
                                               {0x0f, 0x1f, 0x00},
                                               {0x0f, 0x1f, 0x40, 0x00},
                                               {0x0f, 0x1f, 0x44, 0x00, 0x00}};
  a_.embed(kNops[bytes], static_cast<std::size_t>(bytes));
}

void EmitterX86::step(const Step& step) {
  switch (step.kind) {
    case StepKind::kNop:
      return nop(step.value);
    case StepKind::kLandingPad:
      a_.endbr64();
      return;
    case StepKind::kClearCount:
      step.value == 2 ? a_.xor_(eax, eax) : a_.xor_(rax, rax);
      return;
    case StepKind::kPush:
      return push(saved(step.a));
    case StepKind::kPushZero:
      a_.push(0);
      return notes().sp_moved(here(), -8);
    case StepKind::kPointAtSp:
      a_.mod_mr().mov(saved(step.a), rsp);
      if (step.a == kRbp) notes().fp_from_sp(here());
      return;
    case StepKind::kAllocate:
      a_.long_();
      return allocate(step.value);
    case StepKind::kShift:
      PLUMB_CHECK(step.a == kRbp);
      return move_fp(step.value);
    case StepKind::kStore:
      a_.mov(x86::qword_ptr(rbp, step.value), saved(step.a));
      return;
    case StepKind::kStoreZero:
      a_.xor_(eax, eax);
      a_.mov(x86::qword_ptr(rbp, step.value), rax);
      return;
    case StepKind::kCountByReference:
      return count_by_reference();
    case StepKind::kPrivate:
      return private_stack();
    case StepKind::kTakeOver:
      return take_over();
    case StepKind::kPointAtFrame:
    case StepKind::kEntry:
    case StepKind::kSaveLink:
    case StepKind::kSignReturn:
    case StepKind::kFrameBase:
      return;
  }
}

void EmitterX86::take_over() {
  const int fp = frame().frame_pointer;
  const int record_fp = fp;
  const int record_ra = fp + 8;
  const int skipped = has(Defect::kCallbackPopsTooHigh) ? 8 : 0;
  skipped != 0 ? a_.lea(rsp, x86::qword_ptr(rsi, skipped)) : a_.mod_mr().mov(rsp, rsi);
  int at = frame().boundary_sp + skipped;
  notes().taken_over(here(), at, std::nullopt, record_fp, record_ra);
  if (!has(Defect::kCallbackKeepsFramePointer)) a_.mod_mr().mov(rbp, rdx);
  notes().taken_over(here(), at, fp, record_fp, record_ra);
  std::vector<int> registers;
  for (const Step& s : frame().taken_over) {
    if (s.a != kRbp) registers.insert(registers.begin(), s.a);
  }
  if (has(Defect::kCallbackPopsInPushOrder)) std::ranges::reverse(registers);
  for (const int reg : registers) {
    const bool lost = has(Defect::kCallbackLosesRegister) && reg == 15;
    a_.pop(saved(lost ? kR11 : reg));
    notes().sp_moved(here(), 8);
  }
  if (has(Defect::kCallbackPopsOneMore)) {
    a_.pop(saved(kR11));
    notes().sp_moved(here(), 8);
  }
  a_.mod_mr().mov(rsp, rbp);
  notes().sp_from_fp(here(), fp);
}

// rax is a count, at most 33: push it and point at it; or an address already: push it twice.
void EmitterX86::count_by_reference() {
  const Label is_address = a_.newLabel();
  const Label done = a_.newLabel();
  a_.cmp(rax, kTailCallLimit);
  a_.short_().ja(is_address);
  const FrameState before = notes().state();
  push(rax);
  a_.mod_mr().mov(rax, rsp);
  a_.short_().jmp(done);
  a_.bind(is_address);
  notes().restore(here(), before);
  push(rax);
  a_.bind(done);
  push(rax);
}

// The kernel adds this_cpu_off, which the machine's per-CPU memory holds as 0.
void EmitterX86::private_stack() {
  a_.movabs(r9, function_.private_stack);
  Mem this_cpu_off = x86::qword_ptr(static_cast<std::uint64_t>(0));
  this_cpu_off.setSegment(x86::gs);
  a_.add(r9, this_cpu_off);
}

// ---- epilogue ----

void EmitterX86::load_saved() {
  for (const Step& s : frame().prologue) {
    if (s.kind != StepKind::kStore) continue;
    if (has(Defect::kRegisterNotRestored) && s.a == 3) continue;
    a_.mov(saved(s.a), x86::qword_ptr(rbp, s.value));
  }
  if (has(Defect::kRestoresInPushOrder)) a_.xchg(rbx, x86::r13);
}

void EmitterX86::pop_saved() {
  std::vector<int> registers;
  for (const Step& s : frame().prologue) {
    const bool is_saved = s.kind == StepKind::kPush && s.a != kRax && s.a != kRbp;
    if (is_saved) registers.insert(registers.begin(), s.a);
  }
  if (has(Defect::kRestoresInPushOrder)) std::ranges::reverse(registers);
  for (const int reg : registers) {
    const bool lost = has(Defect::kRegisterNotRestored) && reg == registers.back();
    pop(saved(lost ? kR11 : reg));
  }
}

void EmitterX86::stray_stores() {
  const int fp = frame().frame_pointer;
  if (has(Defect::kWritesAboveEntry) && function_.function == 0) {
    a_.mov(x86::qword_ptr(rbp, -fp), rax);
  }
  if (has(Defect::kScribblesOnStack) && frame().r10 && frame().stack_size >= 8) {
    a_.mov(x86::qword_ptr(rbp, *frame().r10 - 8 - fp), rax);
  }
  const auto saved = std::ranges::find(frame().slots, SlotRole::kSaved, &Slot::role);
  if (has(Defect::kScribblesOnSaved) && saved != frame().slots.end()) {
    a_.mov(x86::qword_ptr(rbp, saved->offset - fp), rax);
  }
}

void EmitterX86::epilogue() {
  stray_stores();
  const bool is_shifted = has(Defect::kFramePointerShifted);
  switch (traits().epilogue) {
    case Epilogue::kLoads:
      load_saved();
      if (frame().frame_pointer != -16) move_fp(-16 - frame().frame_pointer);
      leave();
      break;
    case Epilogue::kPopsLeave:
      for (const Step& s : frame().prologue) {
        if (s.kind == StepKind::kPushZero) pop(rbx);
      }
      pop_saved();
      if (is_shifted) move_fp(8);
      leave();
      break;
    case Epilogue::kLeaPops: {
      int lowest = 0;
      for (const Slot& s : frame().slots) {
        if (s.role == SlotRole::kSaved) lowest = std::min(lowest, s.offset);
      }
      a_.lea(rsp, x86::qword_ptr(rbp, lowest - frame().frame_pointer));
      notes().sp_from_fp(here(), lowest);
      pop_saved();
      pop(rbp);
      break;
    }
    case Epilogue::kLeavePops:
      leave();
      pop(rbx);  // the count
      pop_saved();
      pop(rbp);
      break;
  }
  if (has(Defect::kReturnAddressPopped)) give_back(8);
  a_.ret();
}

// ---- tail call ----

x86::Gp EmitterX86::target_register() const { return traits().loads_target_in_rax ? rax : rcx; }

x86::Mem EmitterX86::count_slot(int byte, int size) const {
  int offset = frame().count.value_or(0) - frame().frame_pointer + byte;
  if (has(Defect::kCountSlotTooHigh)) offset += 8;
  return x86::Mem(rbp, offset, static_cast<std::uint32_t>(size));
}

void EmitterX86::check_bound(const Label& out) {
  if (!has(Defect::kIndexIn64Bits)) a_.mod_mr().mov(edx, edx);
  a_.cmp(x86::dword_ptr(rsi, kArraySlotCount), edx);
  has(Defect::kBoundOffByOne) ? a_.short_().jb(out) : a_.short_().jbe(out);
}

void EmitterX86::check_count(const Label& out) {
  const int limit = tail_call_limit();
  if (traits().counter == Counter::kReference) {
    a_.mov(rax, count_slot(0, 8));
    a_.cmp(x86::qword_ptr(rax), limit);
    a_.short_().jae(out);
    if (has(Defect::kCountsEmptySlots)) count_up();
    return;
  }
  a_.mov(eax, count_slot(kUpperHalf, 4));
  if (traits().count_check == CountCheck::kAbove32) {
    a_.cmp(eax, limit - 1);
    a_.short_().ja(out);
  } else {
    a_.cmp(eax, limit);
    a_.short_().jae(out);
  }
  if (!has(Defect::kCountsOnlySuccesses)) count_up();
}

void EmitterX86::count_up() {
  if (has(Defect::kNoWriteBack)) return;
  const int more = has(Defect::kCountsByTwo) ? 2 : 1;
  if (has(Defect::kCountStartsAgain)) {
    const Mem count =
        traits().counter == Counter::kReference ? x86::qword_ptr(rax) : count_slot(kUpperHalf, 4);
    a_.mov(count, 1);
  } else if (traits().counter == Counter::kReference) {
    a_.add(x86::qword_ptr(rax), more);
  } else if (has(Defect::kCountsOnlySuccesses)) {
    a_.add(count_slot(kUpperHalf, 4), more);
  } else {
    a_.add(eax, more);
    a_.mov(count_slot(kUpperHalf, 4), eax);
  }
}

void EmitterX86::load_target(const Label& out) {
  const Gp target = target_register();
  a_.mov(target, x86::qword_ptr(rsi, rdx, 3, kArraySlots));
  if (has(Defect::kNoNullTest)) return;
  a_.test(target, target);
  a_.short_().je(out);
}

void EmitterX86::undo(const Step& step) {
  switch (step.kind) {
    case StepKind::kPush:
      return pop(saved(step.a));
    case StepKind::kCountByReference:
      pop(rax);
      return pop(rax);
    case StepKind::kAllocate:
      a_.long_();
      return give_back(step.value);
    default:
      return;
  }
}

void EmitterX86::unwind() {
  for (const Step& s : steps_to_undo()) undo(s);
  if (has(Defect::kTailCallRestartsCount)) a_.xor_(eax, eax);
}

// The array and the key are known, so the slot's content is part of the code: see poke.md's states
// B (nop, unwind, jump) and C (skip, unwind, nop). Frames that are reused need no skip.
void EmitterX86::direct_tail_call(const TailCallSite& site, const Label& out) {
  const int target = direct_target(site);
  const bool taken = target != kNoProgram;
  const bool skips = has(Defect::kBypassLeftOver) || (!taken && !has(Defect::kNoBypass));
  check_count(out);
  const bool unwinds = frame().row->recipe.back().part != Part::kEntry;
  if (unwinds) skips ? (void)a_.long_().jmp(out) : nop(5);
  count_late();
  unwind();
  if (taken) {
    a_.long_().jmp(unit_.tail_call_entries[static_cast<std::size_t>(target)]);
  } else {
    nop(5);
  }
}

void EmitterX86::count_late() {
  const bool late = traits().counter == Counter::kReference ? !has(Defect::kCountsEmptySlots)
                                                            : has(Defect::kCountsOnlySuccesses);
  if (late) count_up();
}

void EmitterX86::indirect_tail_call(const Label& out) {
  check_bound(out);
  check_count(out);
  if (has(Defect::kUnwindsBeforeNullTest)) unwind();
  load_target(out);
  count_late();
  if (!has(Defect::kUnwindsBeforeNullTest)) unwind();
  const Gp address = target_register();
  if (!has(Defect::kJumpsToProgramObject)) a_.mov(address, x86::qword_ptr(address, kProgramEntry));
  a_.add(address, entry_offset());
  a_.jmp(address);
}

void EmitterX86::tail_call(const TailCallSite& site) {
  const Label out = a_.newLabel();
  is_direct(site) ? direct_tail_call(site, out) : indirect_tail_call(out);
  a_.bind(out);
  if (has(Defect::kRefusalReturns)) a_.jmp(epilogue_label());
}

EmittedFunction emit_x86_64(const CompileUnit& unit, const FunctionUnit& function,
                            BaseAssembler& assembler) {
  return EmitterX86(unit, function, static_cast<x86::Assembler&>(assembler)).run();
}

}  // namespace plumb::jit::reference
