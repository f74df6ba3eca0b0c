// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/reference/emitter.h"

#include <algorithm>
#include <cstdlib>

#include "core/check.h"
#include "core/edit.h"

namespace plumb::jit::reference {
namespace {

constexpr std::int64_t kFarSlots = 1024;

}  // namespace

Emitter::Emitter(const CompileUnit& unit, const FunctionUnit& function,
                 asmjit::BaseAssembler& assembler)
    : unit_(unit),
      function_(function),
      assembler_(assembler),
      notes_(unit.row->arch, unit.defect) {}

EmittedFunction Emitter::run() {
  const auto p = static_cast<std::size_t>(function_.program);
  const auto f = static_cast<std::size_t>(function_.function);
  const auto& insns = unit_.value->programs[p].functions[f].insns;
  labels_.clear();
  for (std::size_t i = 0; i <= insns.size(); ++i) labels_.push_back(assembler_.newLabel());
  epilogue_ = assembler_.newLabel();
  starts_ = instruction_starts(insns);
  EmittedFunction out;
  out.begin = assembler_.offset();
  notes_.begin(here());
  assembler_.bind(unit_.functions[p][f]);
  for (const Step& prologue_step : frame().prologue) {
    if (prologue_step.kind != StepKind::kEntry) {
      step(prologue_step);
      continue;
    }
    // No tail call lands in an exception callback.
    PLUMB_CHECK(facts().is_exception_callback || notes_.state().sp == frame().entry_sp);
    out.tail_call_entry = assembler_.offset();
    if (f == 0) assembler_.bind(unit_.tail_call_entries[p]);
  }
  for (std::size_t i = 0; i < insns.size(); ++i) emit_slot(i, out);
  assembler_.bind(labels_.back());
  out.slots.push_back(assembler_.offset());
  out.end = assembler_.offset();
  notes_.end(here());
  out.rows = notes_.rows();
  return out;
}

void Emitter::emit_slot(std::size_t index, EmittedFunction& out) {
  const auto& insns = unit_.value->programs[static_cast<std::size_t>(function_.program)]
                          .functions[static_cast<std::size_t>(function_.function)]
                          .insns;
  slot_ = static_cast<std::int64_t>(index);
  // What was noted on the way here, beside what was computed ahead.
  const FrameState& state = notes_.state();
  PLUMB_CHECK(state.sp == frame().body_sp && (!state.fp || state.fp == frame().frame_pointer));
  assembler_.bind(labels_[index]);
  out.slots.push_back(assembler_.offset());
  if (!starts_[index]) return;
  const OpcodeInfo* info = decode(insns[index]);
  PLUMB_CHECK(info != nullptr);
  if (info->operation == Operation::kExit) return exit();
  if (info->operation == Operation::kCallHelper && insns[index].immediate == kTailCallHelper) {
    const auto site =
        std::ranges::find(facts().tail_calls, static_cast<int>(index), &TailCallSite::slot);
    PLUMB_CHECK(site != facts().tail_calls.end());
    const FrameState body = notes_.state();
    tail_call(*site);
    return notes_.restore(here(), body);
  }
  instruction(*info, &insns[index]);
}

// The first exit of a function has the epilogue, all others jump there. What follows has its frame
// still.
void Emitter::exit() {
  if (has_epilogue_) return jump(epilogue_);
  has_epilogue_ = true;
  assembler_.bind(epilogue_);
  const FrameState body = notes_.state();
  epilogue();
  notes_.restore(here(), body);
}

const asmjit::Label& Emitter::target_of(const Insn& insn) const {
  const std::int64_t target = jump_target(insn, slot_);
  if (!has(Defect::kFarJumpCutOff)) return slot_label(target);
  return slot_label(slot_ + (target - slot_) % kFarSlots);
}

bool Emitter::is_far(const Insn& insn) const {
  return std::abs(jump_target(insn, slot_) - slot_) >= kFarSlots;
}

const asmjit::Label& Emitter::callee(const Insn& insn) const {
  return unit_.functions[static_cast<std::size_t>(function_.program)]
                        [static_cast<std::size_t>(insn.immediate)];
}

bool Emitter::callee_is_reachable(const Insn& insn) const {
  return (*function_.facts)[static_cast<std::size_t>(insn.immediate)].tail_call_reachable;
}

std::uint64_t Emitter::stub(std::int32_t helper) const { return unit_.placement->stub(helper); }

bool Emitter::is_direct(const TailCallSite& site) const {
  return traits().direct_tail_calls && site.known &&
         site.key < unit_.value->arrays[site.array].slots.size();
}

int Emitter::direct_target(const TailCallSite& site) const {
  return unit_.value->arrays[site.array].slots[site.key];
}

std::uint64_t Emitter::wide_value(const OpcodeInfo& info, const Insn* insn) const {
  const auto low = static_cast<std::uint32_t>(insn[0].immediate);
  const auto high = static_cast<std::uint32_t>(insn[1].immediate);
  if (info.operation == Operation::kLoadArray) return unit_.array_objects[low];
  if (info.operation == Operation::kLoadRegion) {
    return unit_.placement->regions[low] + high;
  }
  return low | std::uint64_t{high} << 32;
}

std::vector<Step> Emitter::steps_to_undo() const {
  std::vector<Step> steps(frame().prologue.begin() + frame().first_pop, frame().prologue.end());
  std::ranges::reverse(steps);
  if (has(Defect::kTailCallPopsInPushOrder)) {
    const auto is_save = [](const Step& s) { return s.kind == StepKind::kPush && s.a != 0; };
    std::vector<Step> saves;
    std::ranges::copy_if(steps, std::back_inserter(saves), is_save);
    for (Step& s : steps) {
      if (!is_save(s)) continue;
      s = saves.back();
      saves.pop_back();
    }
  }
  if (has(Defect::kTailCallForgetsPop)) {
    const auto it = std::ranges::find(steps, StepKind::kPush, &Step::kind);
    if (it != steps.end()) steps.erase(it);
  }
  if (has(Defect::kTailCallKeepsStack)) {
    std::erase_if(steps, [](const Step& s) { return s.kind == StepKind::kAllocate; });
  }
  return steps;
}

int Emitter::tail_call_limit() const {
  if (has(Defect::kLimitTooLow)) return kTailCallLimit - 1;
  if (has(Defect::kLimitTooHigh)) return kTailCallLimit + 1;
  if (has(Defect::kCountsByTwo)) return 2 * kTailCallLimit;
  return kTailCallLimit;
}

int Emitter::entry_offset() const {
  const int offset = traits().entry_offset;
  if (has(Defect::kEntryOffsetShort)) return offset - (unit_.row->arch == Arch::kArm64 ? 4 : 3);
  return offset;
}

}  // namespace plumb::jit::reference
