// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <csignal>
#include <cstdint>
#include <ctime>
#include <functional>
#include <memory>
#include <vector>

#include "core/placement.h"
#include "core/result.h"

namespace plumb::machine {

// A signal that ended native code.
struct CaughtSignal {
  int number = 0;  // 0: none did
  std::uint64_t pc = 0;
  std::uint64_t address = 0;  // that could not be accessed, where the processor says so
};

// Where a thread goes on after a signal in native code, and what is noted of single steps.
struct CatchPlan {
  const volatile std::uint64_t* running = nullptr;  // holds 0: this is no native code
  std::uint64_t give_up = 0;                        // to jump to
  const std::uint64_t* sp = nullptr;                // holds the stack pointer that is right there
  std::uint64_t step_end = 0;                       // the address at which single steps end
  const std::vector<Range>* steps = nullptr;  // note them in these ranges; null: a step is a fault
};

struct CatcherState;

// While it lives, the signals that native code can raise end that code and not the process. The
// handlers run on a stack of their own. One at a time.
class FaultCatcher {
 public:
  [[nodiscard]] static Result<std::unique_ptr<FaultCatcher>> install();
  FaultCatcher(const FaultCatcher&) = delete;
  FaultCatcher& operator=(const FaultCatcher&) = delete;
  ~FaultCatcher();

  // Calls the function in this thread. Ends it at the first signal, and when it has used that much
  // processor time.
  [[nodiscard]] CaughtSignal call(const std::function<void()>& function, const CatchPlan& plan,
                                  double seconds);
  // Program counters of the last call with steps, up to kMostSteps.
  [[nodiscard]] const std::vector<std::uint64_t>& steps() const;
  static constexpr std::size_t kMostSteps = std::size_t{1} << 20;

 private:
  explicit FaultCatcher(std::unique_ptr<CatcherState> state);

  std::unique_ptr<CatcherState> state_;
};

// "SIGSEGV".
[[nodiscard]] const char* signal_name(int number);

}  // namespace plumb::machine
