// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/kernel_tests.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/opcode.h"
#include "invariants/invariants.h"
#include "oracle/oracle.h"
#include "oracle/validate.h"

namespace plumb::harness {
namespace {

using Verdict = KernelTestOutcome::Verdict;
using Oracle = KernelTestOutcome::Oracle;
using Context = jit::KernelTest::Context;

constexpr std::uint8_t kExitOpcode = 0x95;
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

// No verifier has asked for a last instruction that ends the program, the oracle does.
Execution interpret(const Case& value, const Contract& contract) {
  Case closed = value;
  for (Program& program : closed.programs) {
    program.functions[0].insns.push_back(
        {.opcode = kExitOpcode, .dst = 0, .src = 0, .offset = 0, .immediate = 0});
  }
  return oracle::run(closed, contract, kLimits);
}

std::uint32_t low_word(std::uint64_t value) { return static_cast<std::uint32_t>(value); }

std::uint32_t state_in(std::span<const std::uint8_t> context) {
  std::uint32_t state = 0;
  if (context.size() == kStateSize) std::memcpy(&state, context.data(), kStateSize);
  return state;
}

std::string not_loaded(const jit::LoadOutcome& loaded) {
  const bool refused = loaded.status == jit::LoadOutcome::Status::kRefused;
  return fmt::format("{}: {}", refused ? "not compiled" : "the JIT broke down", loaded.reason);
}

}  // namespace

Case kernel_test_case(const jit::KernelTests& tests, jit::KernelSuite suite, std::uint32_t index,
                      const jit::KernelTest& test) {
  Case value;
  const auto add = [&value](std::string name, const jit::KernelTest& from) {
    value.programs.push_back({.name = std::move(name),
                              .functions = {from.code},
                              .preparation = from.preparation});
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
  const jit::LoadOutcome loaded = jit.load(value);
  if (loaded.status == jit::LoadOutcome::Status::kNotApplicable) {
    return outcome_of(Verdict::kNotApplicable, loaded.reason);
  }
  if (loaded.status != jit::LoadOutcome::Status::kLoaded) {
    return outcome_of(Verdict::kFailed, not_loaded(loaded));
  }
  KernelTestOutcome outcome = outcome_of(Verdict::kPassed, {});
  outcome.ran = true;
  for (const jit::KernelSubtest& subtest : test.subtests) {
    value.context.assign(context_size(test, subtest), 0);
    outcome.reason = run_one({test, subtest, value, jit.info(), loaded.image->image()}, outcome);
    if (outcome.reason.empty()) continue;
    if (outcome.verdict == Verdict::kPassed) outcome.verdict = Verdict::kFailed;
    break;
  }
  doing(Activity::kIdle);
  return outcome;
}

std::string KernelTestRunner::run_one(const Experiment& experiment, KernelTestOutcome& outcome) {
  const std::uint32_t expected = experiment.subtest.result;
  const bool in_state = experiment.test.result_in_state;
  doing(Activity::kInterpreting);
  const Execution execution = interpret(experiment.value, experiment.info.contract);
  if (!execution.defined) {
    outcome.oracle = Oracle::kUndefined;
    outcome.undefined_reason = execution.undefined_reason;
  } else {
    const std::uint32_t said =
        in_state ? state_in(execution.context.bytes) : low_word(execution.result.bits);
    if (said != expected) {
      outcome.verdict = Verdict::kHarnessFailed;
      return fmt::format("the oracle returns {:#x}, the test expects {:#x}", said, expected);
    }
    if (outcome.oracle == Oracle::kNotAsked) outcome.oracle = Oracle::kAgrees;
  }
  doing(Activity::kRunning);
  const MachineRun& run = machine_for(experiment.info.arch)
                              ->run(experiment.value, experiment.image,
                                    {.depth = Depth::kFast, .block_budget = budget_for(execution)});
  doing(Activity::kChecking);
  if (run.stop == StopReason::kEmulatorFailed) return "the emulator failed: " + run.detail;
  const std::uint32_t got = in_state ? state_in(run.context) : low_word(run.result);
  if (run.stop == StopReason::kReturned && got != expected) {
    return fmt::format("ret {} != {} ({:#x} != {:#x})", static_cast<std::int32_t>(got),
                       static_cast<std::int32_t>(expected), got, expected);
  }
  if (!execution.defined) {
    return run.stop == StopReason::kReturned
               ? ""
               : fmt::format("{}: {}", stop_reason_name(run.stop), run.detail);
  }
  const auto violations = invariants::check(
      {&experiment.value, &experiment.image, &execution, &run, Depth::kFast});
  if (violations.empty()) return {};
  return fmt::format("{}: {}", violations[0].invariant, violations[0].message);
}

}  // namespace plumb::harness
