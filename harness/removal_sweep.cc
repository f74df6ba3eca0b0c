// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/removal_sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <set>
#include <span>
#include <string_view>

#include "core/opcode.h"
#include "invariants/invariants.h"
#include "oracle/oracle.h"

namespace plumb::harness {
namespace {

// Mnemonics as the disassembler spells them.
constexpr std::string_view kMovesX86[] = {"push", "pop", "mov",   "movabs", "lea",
                                          "sub",  "add", "leave", "xor"};
constexpr std::string_view kMovesArm64[] = {"stp", "ldp", "str",  "ldr", "mov",
                                            "add", "sub", "stur", "ldur"};
constexpr std::string_view kMovesRiscv64[] = {
    "sd",   "ld",   "addi",  "mv",     "li",     "add",    "c.sd",       "c.ld",
    "c.mv", "c.li", "c.add", "c.addi", "c.sdsp", "c.ldsp", "c.addi16sp", "c.addi4spn"};

std::span<const std::string_view> moves_of(Arch arch) {
  switch (arch) {
    case Arch::kX86_64:
      return kMovesX86;
    case Arch::kArm64:
      return kMovesArm64;
    case Arch::kRiscv64:
      break;
  }
  return kMovesRiscv64;
}

// As many bytes of code that does nothing.
std::vector<std::uint8_t> nops(Arch arch, std::size_t size) {
  constexpr std::array<std::uint8_t, 4> kArm64{0x1f, 0x20, 0x03, 0xd5};
  constexpr std::array<std::uint8_t, 4> kRiscv64{0x13, 0x00, 0x00, 0x00};
  constexpr std::array<std::uint8_t, 2> kCompressed{0x01, 0x00};
  switch (arch) {
    case Arch::kX86_64:
      return std::vector<std::uint8_t>(size, 0x90);
    case Arch::kArm64:
      return {kArm64.begin(), kArm64.end()};
    case Arch::kRiscv64:
      break;
  }
  if (size == 2) return {kCompressed.begin(), kCompressed.end()};
  return {kRiscv64.begin(), kRiscv64.end()};
}

struct Part {
  Range code;
  std::string name;  // of what the offset is from
  std::uint64_t origin = 0;
  const NativeFunction* function = nullptr;
};

bool ends_function(const Insn& insn) {
  const OpcodeInfo* const info = decode(insn);
  if (info == nullptr) return false;
  const bool is_tail_call =
      info->operation == Operation::kCallHelper && insn.immediate == kTailCallHelper;
  return info->operation == Operation::kExit || is_tail_call;
}

// Prologues, the code of exits and of tail calls, what stands behind bodies.
std::vector<Part> parts_of(const Case& value, const Image& image) {
  std::vector<Part> parts;
  for (const NativeFunction& f : image.functions) {
    if (f.insn_offsets.empty()) continue;
    const std::string name = fmt::format("program {} function {}", f.program, f.function);
    const auto add = [&](std::uint32_t begin, std::uint32_t end) {
      if (begin < end) parts.push_back({{f.address + begin, end - begin}, name, f.address, &f});
    };
    add(0, f.insn_offsets.front());
    const auto& insns = value.programs[static_cast<std::size_t>(f.program)]
                            .functions[static_cast<std::size_t>(f.function)]
                            .insns;
    for (std::size_t slot = 0; slot < insns.size() && slot + 1 < f.insn_offsets.size(); ++slot) {
      if (ends_function(insns[slot])) add(f.insn_offsets[slot], f.insn_offsets[slot + 1]);
    }
    add(f.insn_offsets.back(), f.size);
  }
  return parts;
}

// What a caller can tell, and what the program and its helpers can.
bool same_outcome(const MachineRun& a, const MachineRun& b) {
  if (a.stop != b.stop || a.result != b.result || a.context != b.context ||
      a.regions != b.regions || a.events.size() != b.events.size() || a.exit_sp != b.exit_sp) {
    return false;
  }
  const auto same_event = [](const MachineEvent& x, const MachineEvent& y) {
    return x.kind == y.kind && x.at == y.at && x.sp == y.sp && x.registers == y.registers;
  };
  return std::ranges::equal(a.events, b.events, same_event) && a.exit_registers == b.exit_registers;
}

class Sweep {
 public:
  Sweep(const Case& value, const Image& image, const Execution& execution,
        machine::Machine& machine)
      : value_(value), image_(image), execution_(execution), machine_(machine) {}

  RemovalCounts run() {
    RemovalCounts counts;
    clean_ = machine_.run(value_, image_, {.depth = Depth::kInterrupts});
    if (!check(clean_).empty()) return {.broken = 1};
    ++counts.cases;
    std::set<std::uint64_t> ran;
    for (const MachineStep& step : clean_.steps) ran.insert(step.pc);
    for (const Part& part : parts_of(value_, image_)) {
      for (const machine::DisassembledInsn& insn : machine::disassemble(image_, part.code)) {
        if (!moves_frame(image_.arch, insn.text)) continue;
        if (ran.contains(insn.address)) {
          remove(part, insn, counts);
        } else {
          ++counts.idle;
        }
      }
    }
    return counts;
  }

 private:
  std::vector<Violation> check(const MachineRun& run) const {
    return invariants::check({&value_, &image_, &execution_, &run, Depth::kInterrupts}).violations;
  }

  void remove(const Part& part, const machine::DisassembledInsn& insn, RemovalCounts& counts) {
    const auto bytes = image_.placement.bytes(insn.address, insn.bytes.size());
    if (bytes.empty()) return;
    std::ranges::copy(nops(image_.arch, bytes.size()), bytes.begin());
    const MachineRun& run = machine_.run(
        value_, image_,
        {.depth = Depth::kInterrupts, .block_budget = 2'000 + 4 * clean_.instructions});
    std::ranges::copy(insn.bytes, bytes.begin());
    ++counts.removed;
    if (!check(run).empty()) {
      ++counts.found;
      return;
    }
    Survivor& survivor = counts.survivors.emplace_back();
    survivor.where = fmt::format("{} +{:#x}", part.name, insn.address - part.origin);
    survivor.text = insn.text;
    survivor.changes = !same_outcome(clean_, run);
    survivor.tail_calls = clean_.tail_calls;
    describe(*part.function, survivor);
  }

  void describe(const NativeFunction& f, Survivor& survivor) const {
    const Program& program = value_.programs[static_cast<std::size_t>(f.program)];
    survivor.is_exception_callback = program.exception_callback == f.function;
    survivor.names_r10 = survivor.calls = false;
    for (const Insn& insn : program.functions[static_cast<std::size_t>(f.function)].insns) {
      survivor.names_r10 |= insn.dst == kFramePointerRegister || insn.src == kFramePointerRegister;
    }
    for (const MachineEvent& event : clean_.events) {
      const Activation& activation = clean_.activations[event.activation];
      const bool is_own = activation.program == f.program && activation.function == f.function;
      survivor.calls |= is_own && event.kind != EventKind::kExit;
    }
    survivor.is_thrown = !clean_.throws.empty();
    for (std::size_t i = 0; i < clean_.activations.size(); ++i) {
      const Activation& activation = clean_.activations[i];
      if (activation.program != f.program || activation.function != f.function) continue;
      survivor.is_thrown &= !returns(static_cast<std::int32_t>(i));
    }
  }

  // Does the frame end by a return, an exit or a tail call, or does a callback take it over?
  bool returns(std::int32_t activation) const {
    const bool is_left = std::ranges::any_of(clean_.events, [=](const MachineEvent& event) {
      const bool is_return = event.kind == EventKind::kReturn && event.entered == activation;
      const bool is_last =
          event.kind == EventKind::kExit || event.kind == EventKind::kTailCallTaken;
      return is_return || (is_last && event.activation == static_cast<std::uint32_t>(activation));
    });
    const bool is_boundary = std::ranges::any_of(
        clean_.throws, [=](const MachineThrow& thrown) { return thrown.boundary == activation; });
    return is_left || is_boundary;
  }

  const Case& value_;
  const Image& image_;
  const Execution& execution_;
  machine::Machine& machine_;
  MachineRun clean_;
};

}  // namespace

bool moves_frame(Arch arch, std::string_view text) {
  const std::string_view mnemonic = text.substr(0, text.find_first_of(" \t"));
  return std::ranges::count(moves_of(arch), mnemonic) != 0;
}

RemovalCounts& RemovalCounts::operator+=(const RemovalCounts& other) {
  cases += other.cases;
  broken += other.broken;
  left_out += other.left_out;
  removed += other.removed;
  found += other.found;
  idle += other.idle;
  survivors.insert(survivors.end(), other.survivors.begin(), other.survivors.end());
  problems.insert(problems.end(), other.problems.begin(), other.problems.end());
  return *this;
}

RemovalCounts sweep_removals(const Case& value, jit::Jit& jit, machine::Machine& machine) {
  const Execution execution = oracle::run(value, jit.info().contract);
  const bool is_beyond = (execution.required_capabilities & ~jit.info().capabilities) != 0;
  if (!execution.defined || is_beyond) return {.left_out = 1};
  const jit::LoadOutcome loaded = jit.load(value);
  if (loaded.status == jit::LoadOutcome::Status::kNotApplicable) return {.left_out = 1};
  if (loaded.status != jit::LoadOutcome::Status::kLoaded) return {.problems = {loaded.reason}};
  return Sweep(value, loaded.image->image(), execution, machine).run();
}

}  // namespace plumb::harness
