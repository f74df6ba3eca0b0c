// SPDX-License-Identifier: GPL-2.0-or-later
#include "bench/native_row.h"

#include <fmt/format.h>

#include <utility>

#include "harness/call_in_child.h"
#include "harness/isolate.h"
#include "machine/native/native_machine.h"
#include "oracle/oracle.h"

namespace plumb::bench {
namespace {

constexpr unsigned kSeconds = 20;
const std::string kInOrder = "in order";

// A line: kInOrder, or what is wrong.
std::string run_natively(const Case& value, jit::Jit& jit) {
  const Execution execution = oracle::run(value, jit.info().contract);
  if (!execution.defined) return "the case is undefined: " + execution.undefined_reason;
  const auto machine = machine::NativeMachine::open();
  if (!machine) return machine.error().message;
  const jit::LoadOutcome outcome = jit.load(value);
  if (outcome.image == nullptr) return outcome.reason;
  auto code = (*machine)->load(value, outcome.image->image(), machine::NativeHelpers::kThorough);
  if (!code) return code.error().message;
  const machine::NativeRun run = code->run();
  if (!run.stop.returned()) return run.stop.detail;
  if (!run.broken.empty()) return run.broken.front();
  // The lower half is part of the result, however wide it is.
  const int bits = jit.info().contract.result_bits;
  const std::uint64_t mask = bits == 64 ? ~std::uint64_t{0} : 0xffff'ffffu;
  const std::uint64_t result = run.result & mask;
  if (result != (execution.result.bits & mask)) {
    return fmt::format("the result is {:#x}, and {:#x} is right", result, execution.result.bits);
  }
  return kInOrder;
}

}  // namespace

RowCheck check_row(const Case& value, jit::Jit& jit) {
  RowCheck check;
  const auto line = harness::call_in_child([&] { return run_natively(value, jit); }, kSeconds);
  if (!line) {
    check.problem = line.error().message;
  } else if (*line != kInOrder) {
    check.problem = *line;
  }
  if (!check.problem.empty()) return check;
  const auto figures =
      harness::run_isolated<harness::FrameFigures>(kSeconds, [&](std::atomic<harness::Activity>&) {
        auto counted = harness::count_figures(value, jit);
        return counted ? *counted : harness::FrameFigures{};
      });
  if (!figures) {
    check.problem = "counting failed: " + figures.error().death.str();
  } else if (*figures == harness::FrameFigures{}) {
    check.problem = "the code does not return in the emulator, or its figures are not known";
  } else {
    check.figures = *figures;
  }
  return check;
}

}  // namespace plumb::bench
