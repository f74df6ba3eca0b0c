// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/kernel_tests.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/opcode.h"
#include "invariants/invariants.h"
#include "oracle/capabilities.h"
#include "oracle/oracle.h"

namespace plumb::harness {
namespace {

using Verdict = KernelTestOutcome::Verdict;
using Oracle = KernelTestOutcome::Oracle;
using Context = jit::KernelTest::Context;

constexpr std::size_t kStateSize = 4;
// Bytes of a packet's struct sk_buff, none of which a test of eBPF looks at.
constexpr std::size_t kPacketSize = 256;

// The largest tests run some 100,000 instructions; without the oracle's count, this many blocks are
// taken for a loop without end.
constexpr oracle::Limits kLimits{.fuel = 20'000'000};
constexpr std::uint64_t kBlockBudget = 10'000'000;

std::uint64_t budget_for(const Execution& execution) {
  return execution.defined ? 10'000 + 64 * execution.instructions : kBlockBudget;
}

KernelTestOutcome outcome_of(Verdict verdict, std::string reason) {
  KernelTestOutcome outcome;
  outcome.verdict = verdict;
  outcome.reason = std::move(reason);
  return outcome;
}

std::size_t context_size(const jit::KernelTest& test, const jit::KernelSubtest& subtest) {
  switch (test.context) {
    case Context::kNothing:
      return 0;
    case Context::kPacket:
      return kPacketSize;
    case Context::kMemory:
      return subtest.data_size;
    case Context::kState:
      return kStateSize;
  }
  return 0;
}

// A register combined with itself by XOR is 0, whatever it held: how converted programs begin.
bool clears_register(const Insn& insn) {
  const OpcodeInfo* info = decode(insn);
  return info != nullptr && info->id == Opcode::kXor32Reg && insn.dst == insn.src;
}

// What no verifier has asked for and the oracle does: that the last instruction ends the program,
// and that no register is read before it is written.
Execution interpret(const Case& value, const Contract& contract) {
  Case closed = value;
  for (Program& program : closed.programs) {
    std::vector<Insn>& insns = program.functions[0].insns;
    insns.push_back(make_insn(Opcode::kExit));
    for (std::size_t i = 0; i < insns.size() && clears_register(insns[i]); ++i) {
      insns[i] = make_insn(Opcode::kMov32Imm, insns[i].dst);
    }
  }
  return oracle::run(closed, contract, kLimits);
}

std::uint32_t low_word(std::uint64_t value) { return static_cast<std::uint32_t>(value); }

std::uint32_t state_in(std::span<const std::uint8_t> context) {
  std::uint32_t state = 0;
  if (context.size() == kStateSize) std::memcpy(&state, context.data(), kStateSize);
  return state;
}

std::uint32_t result_of(const jit::KernelTest& test, std::span<const std::uint8_t> context,
                        std::uint64_t r0) {
  return test.result_in_state ? state_in(context) : low_word(r0);
}

// As the kernel prints it. A result that the oracle computes, too, speaks against the test.
std::string wrong_result(std::uint32_t got, std::uint32_t expected, Oracle oracle) {
  return fmt::format("ret {} != {} ({:#x} != {:#x}){}", static_cast<std::int32_t>(got),
                     static_cast<std::int32_t>(expected), got, expected,
                     oracle == Oracle::kDisagrees ? "; nor is that what the oracle returns" : "");
}

KernelTestOutcome not_loaded(const jit::LoadOutcome& loaded) {
  using Status = jit::LoadOutcome::Status;
  switch (loaded.status) {
    case Status::kNotApplicable:
      return outcome_of(Verdict::kNotApplicable, loaded.reason);
    case Status::kRefused:
      return outcome_of(Verdict::kFailed, "not compiled: " + loaded.reason);
    case Status::kDied:
      return outcome_of(Verdict::kFailed, "the JIT: " + loaded.reason);
    case Status::kBroken:
    case Status::kLoaded:
      break;
  }
  return outcome_of(Verdict::kHarnessFailed, "the plugin failed: " + loaded.reason);
}

}  // namespace

Case kernel_test_case(const jit::KernelTests& tests, jit::KernelSuite suite, std::uint32_t index,
                      const jit::KernelTest& test) {
  Case value;
  const auto add = [&value](std::string name, const jit::KernelTest& from) {
    value.programs.push_back(
        {.name = std::move(name), .functions = {from.code}, .preparation = from.preparation});
  };
  if (suite != jit::KernelSuite::kTailCalls) {
    add("test", test);
    return value;
  }
  const std::uint32_t count = tests.count(suite);
  value.arrays.push_back({.name = "progs", .slots = {}});
  for (std::uint32_t i = 0; i < count; ++i) {
    add(fmt::format("test_{}", i), tests.get(suite, i));
    value.arrays[0].slots.push_back(static_cast<int>(i));
  }
  value.arrays[0].slots.push_back(kNoProgram);
  value.enter = static_cast<int>(index);
  if (test.context != Context::kNothing) return value;
  // These compute with the null pointer that they are given. Only the first program gets it from
  // the kernel: it becomes one of its own, which clears R1 first.
  add("entry", test);
  std::vector<Insn>& insns = value.programs.back().functions[0].insns;
  insns.insert(insns.begin(), make_insn(Opcode::kMov64Imm, 1));
  value.enter = static_cast<int>(count);
  return value;
}

struct KernelTestRunner::Experiment {
  const jit::KernelTest& test;
  const jit::KernelSubtest& subtest;
  const Case& value;
  const jit::JitInfo& info;
  const Image& image;
  const Execution& execution;
};

KernelTestRunner::KernelTestRunner(Judge::MachineFactory make_machine)
    : make_machine_(std::move(make_machine)) {}

void KernelTestRunner::doing(Activity activity) {
  if (activity_ != nullptr) activity_->store(activity, std::memory_order_relaxed);
}

machine::Machine* KernelTestRunner::machine_for(Arch arch) {
  auto& machine = machines_[static_cast<std::size_t>(arch)];
  if (machine == nullptr) machine = make_machine_(arch);
  return machine.get();
}

KernelTestOutcome KernelTestRunner::run(const jit::KernelTests& tests, jit::KernelSuite suite,
                                        std::uint32_t index, jit::Jit& jit) {
  doing(Activity::kGenerating);
  const jit::KernelTest test = tests.get(suite, index);
  switch (test.status) {
    case jit::KernelTest::Status::kReady:
      break;
    case jit::KernelTest::Status::kNotApplicable:
      return outcome_of(Verdict::kNotApplicable, test.reason);
    case jit::KernelTest::Status::kBroken:
      return outcome_of(Verdict::kHarnessFailed, test.reason);
  }
  if (test.rejected) return outcome_of(Verdict::kPassed, {});
  Case value = kernel_test_case(tests, suite, index, test);
  return run_all(test, value, jit);
}

KernelTestOutcome KernelTestRunner::run_all(const jit::KernelTest& test, Case& value,
                                            jit::Jit& jit) {
  if ((oracle::required_capabilities(value) & ~jit.info().capabilities) != 0) {
    return outcome_of(Verdict::kNotApplicable, "the JIT lacks what the test needs");
  }
  if (machine_for(jit.info().arch) == nullptr) {
    return outcome_of(Verdict::kNotApplicable, "no machine runs this architecture");
  }
  doing(Activity::kCompiling);
  jit::LoadOutcome loaded = jit.load(value);
  if (loaded.status != jit::LoadOutcome::Status::kLoaded) return not_loaded(loaded);
  KernelTestOutcome outcome = outcome_of(Verdict::kPassed, {});
  outcome.ran = true;
  for (const jit::KernelSubtest& subtest : test.subtests) {
    value.context = subtest.context;
    if (value.context.empty()) value.context.assign(context_size(test, subtest), 0);
    doing(Activity::kInterpreting);
    const Execution execution = interpret(value, jit.info().contract);
    outcome.reason =
        run_one({test, subtest, value, jit.info(), loaded.image->image(), execution}, outcome);
    if (outcome.reason.empty()) continue;
    if (outcome.verdict == Verdict::kPassed) outcome.verdict = Verdict::kFailed;
    break;
  }
  doing(Activity::kUnloading);
  Judgement unloading;
  unload(loaded.image, jit.info(), unloading);
  if (!unloading.violations.empty()) {
    outcome.verdict = Verdict::kFailed;
    outcome.reason = "the JIT: " + unloading.violations.front().message;
  }
  doing(Activity::kIdle);
  return outcome;
}

// What the oracle says, which must be what the test expects.
void KernelTestRunner::ask_oracle(const Experiment& experiment, KernelTestOutcome& outcome) {
  const Execution& execution = experiment.execution;
  if (!execution.defined) {
    outcome.oracle = Oracle::kUndefined;
    outcome.undefined_reason = execution.undefined_reason;
    return;
  }
  const std::uint32_t said =
      result_of(experiment.test, execution.context.bytes, execution.result.bits);
  if (said != experiment.subtest.result) {
    outcome.oracle = Oracle::kDisagrees;
  } else if (outcome.oracle == Oracle::kNotAsked) {
    outcome.oracle = Oracle::kAgrees;
  }
}

std::string KernelTestRunner::run_one(const Experiment& experiment, KernelTestOutcome& outcome) {
  const Execution& execution = experiment.execution;
  ask_oracle(experiment, outcome);
  doing(Activity::kRunning);
  const MachineRun& run = machine_for(experiment.info.arch)
                              ->run(experiment.value, experiment.image,
                                    {.depth = Depth::kFast, .block_budget = budget_for(execution)});
  doing(Activity::kChecking);
  if (run.stop == StopReason::kEmulatorFailed) return "the emulator failed: " + run.detail;
  if (run.stop == StopReason::kReturned) {
    const std::uint32_t expected = experiment.subtest.result;
    const std::uint32_t got = result_of(experiment.test, run.context, run.result);
    if (got != expected) return wrong_result(got, expected, outcome.oracle);
    if (outcome.oracle == Oracle::kDisagrees) {
      outcome.verdict = Verdict::kHarnessFailed;
      return "the oracle alone returns something else";
    }
  } else if (!execution.defined) {
    return fmt::format("{}: {}", stop_reason_name(run.stop), run.detail);
  }
  if (!execution.defined) return {};
  const std::vector<Violation> violations =
      invariants::check({&experiment.value, &experiment.image, &execution, &run, Depth::kFast})
          .violations;
  if (violations.empty()) return {};
  return fmt::format("{}: {}", violations[0].invariant, violations[0].message);
}

}  // namespace plumb::harness
