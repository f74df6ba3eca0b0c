// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/frame_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <vector>

#include "core/insn.h"
#include "machine/machine.h"
#include "oracle/capabilities.h"

namespace plumb::harness {
namespace {

constexpr std::uint8_t kExitOpcode = 0x95;
constexpr std::uint8_t kCallOpcode = 0x85;
constexpr std::uint64_t kLongestInsn = 15;  // x86-64
constexpr std::uint64_t kWord = 8;
constexpr std::uint64_t kThunkSize = 64;  // of a thunk that does not say its own
// A shape that calls back a thousand times has to fit.
constexpr std::uint64_t kInstructionBudget = 5'000'000;

class Counting {
 public:
  Counting(const Case& value, const Image& image, const MachineRun& run)
      : case_(value), image_(image), run_(run) {}

  FrameFigures count() {
    count_steps();
    count_accesses();
    figures_.frame = figures_.prologue + figures_.epilogue + figures_.tail_calls + figures_.calls;
    for (const NativeFunction& function : image_.functions) figures_.code_bytes += function.size;
    figures_.stack_bytes = run_.entry_sp - lowest_;
    return figures_;
  }

 private:
  using Figure = std::uint64_t FrameFigures::*;

  void count_steps() {
    counted_.assign(run_.steps.size(), false);
    // The class of the last instruction in a function; null: the body.
    Figure current = nullptr;
    for (std::size_t i = 0; i < run_.steps.size(); ++i) {
      const MachineStep& step = run_.steps[i];
      if (const NativeFunction* const function = image_.function_at(step.pc)) {
        current = figure_of(*function, step.pc);
      } else if (!is_thunk(step.pc)) {
        continue;
      }
      counted_[i] = true;
      ++figures_.instructions;
      if (current != nullptr) ++(figures_.*current);
      if (i + 1 == run_.steps.size() || run_.steps[i + 1].pc != step.pc + size_at(step.pc)) {
        ++figures_.branches;
      }
      lowest_ = std::min(lowest_, step.sp);
    }
  }

  void count_accesses() {
    for (const StackAccess& access : run_.accesses) {
      if (access.pc == 0 || access.step < 0 || !counted_[static_cast<std::size_t>(access.step)]) {
        continue;
      }
      const bool is_write = access.kind == AccessKind::kWrite;
      (is_write ? figures_.stack_stores : figures_.stack_loads) +=
          (access.size + kWord - 1) / kWord;
      if (is_write) lowest_ = std::min(lowest_, access.address);
    }
  }

  [[nodiscard]] Figure figure_of(const NativeFunction& native, std::uint64_t pc) const {
    const int slot = slot_at(native, static_cast<std::uint32_t>(pc - native.address));
    if (slot < 0) return &FrameFigures::prologue;
    const auto& insns = case_.programs[static_cast<std::size_t>(native.program)]
                            .functions[static_cast<std::size_t>(native.function)]
                            .insns;
    if (static_cast<std::size_t>(slot) >= insns.size()) return &FrameFigures::epilogue;
    const Insn& insn = insns[static_cast<std::size_t>(slot)];
    if (insn.opcode == kExitOpcode) return &FrameFigures::epilogue;
    if (insn.opcode != kCallOpcode) return nullptr;
    const bool is_tail_call = insn.src == 0 && insn.immediate == kTailCallHelper;
    return is_tail_call ? &FrameFigures::tail_calls : &FrameFigures::calls;
  }

  [[nodiscard]] bool is_thunk(std::uint64_t pc) const {
    return std::ranges::any_of(image_.symbols, [pc](const Symbol& symbol) {
      return symbol.is_thunk && pc - symbol.address < (symbol.size != 0 ? symbol.size : kThunkSize);
    });
  }

  [[nodiscard]] std::uint64_t size_at(std::uint64_t pc) {
    const auto [known, is_new] = sizes_.try_emplace(pc, 0);
    if (is_new) {
      const auto insns = machine::disassemble(image_, {pc, kLongestInsn});
      known->second = insns.empty() ? 0 : insns.front().bytes.size();
    }
    return known->second;
  }

  const Case& case_;
  const Image& image_;
  const MachineRun& run_;
  FrameFigures figures_;
  std::vector<bool> counted_;  // by step
  std::uint64_t lowest_ = run_.entry_sp;
  std::unordered_map<std::uint64_t, std::uint64_t> sizes_;  // of instructions, by address
};

}  // namespace

FrameFigures figures_of(const Case& value, const Image& image, const MachineRun& run) {
  return Counting(value, image, run).count();
}

Result<FrameFigures> count_figures(const Case& value, jit::Jit& jit) {
  if ((oracle::required_capabilities(value) & ~jit.info().capabilities) != 0) {
    return fail("not applicable: " + oracle::lacking(value, jit.info().capabilities).phrase);
  }
  const jit::LoadOutcome outcome = jit.load(value);
  if (outcome.status == jit::LoadOutcome::Status::kNotApplicable) {
    return fail("not applicable: " + outcome.reason);
  }
  if (outcome.image == nullptr) return fail("not loaded: " + outcome.reason);
  const Image& image = outcome.image->image();
  const auto has_no_offsets = [](const NativeFunction& f) { return f.insn_offsets.empty(); };
  if (std::ranges::any_of(image.functions, has_no_offsets)) {
    return fail("not applicable: where the code of each instruction begins is not known");
  }
  const auto machine = machine::make_machine(image.arch);
  const MachineRun& run =
      machine->run(value, image, {.depth = Depth::kFull, .block_budget = kInstructionBudget});
  if (run.stop != StopReason::kReturned) {
    return fail(fmt::format("{}: {}", stop_reason_name(run.stop), run.detail));
  }
  return figures_of(value, image, run);
}

}  // namespace plumb::harness
