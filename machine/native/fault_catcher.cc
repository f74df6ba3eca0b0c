// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/native/fault_catcher.h"

#include <fmt/format.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <utility>

#include "core/check.h"
#include "machine/native/trampoline.h"

namespace plumb::machine {
namespace {

// SIGVTALRM is the timer's.
constexpr std::array kSignals{SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGVTALRM};
constexpr std::size_t kSignalStack = 1 << 16;
constexpr std::uint64_t kAlignmentCheckFlag = 0x40000;

}  // namespace

struct CatcherState {
  CatchPlan plan;
  CaughtSignal caught;
  std::vector<std::uint64_t> steps;

  std::array<struct sigaction, kSignals.size()> before{};
  std::vector<std::uint8_t> signal_stack;
  stack_t stack_before{};
  timer_t timer{};

  [[nodiscard]] bool note_step(mcontext_t& context);
  void handle(int number, siginfo_t* info, mcontext_t& context);
};

namespace {

// A signal handler finds its data in no other way.
thread_local CatcherState* current = nullptr;

std::uint64_t read(const mcontext_t& context, int number) {
  return static_cast<std::uint64_t>(context.gregs[number]);
}
void write(mcontext_t& context, int number, std::uint64_t value) {
  context.gregs[number] = static_cast<greg_t>(value);
}

}  // namespace

// True: the code goes on.
bool CatcherState::note_step(mcontext_t& context) {
  const std::uint64_t pc = read(context, REG_RIP);
  if (pc == plan.step_end) {
    write(context, REG_EFL, read(context, REG_EFL) & ~kTrapFlag);
    return true;
  }
  const bool is_noted =
      std::ranges::any_of(*plan.steps, [pc](const Range& range) { return range.contains(pc); });
  if (is_noted && steps.size() == steps.capacity()) return false;
  if (is_noted) steps.push_back(pc);
  // Code that writes the flags does not end the steps.
  write(context, REG_EFL, read(context, REG_EFL) | kTrapFlag);
  return true;
}

void CatcherState::handle(int number, siginfo_t* info, mcontext_t& context) {
  const bool is_step = number == SIGTRAP && info->si_code == TRAP_TRACE;
  if (is_step && plan.steps != nullptr && note_step(context)) return;
  caught.number = number;
  caught.pc = read(context, REG_RIP);
  // SI_KERNEL: a general protection fault, which has no address.
  const bool has_address = (number == SIGSEGV || number == SIGBUS) && info->si_code != SI_KERNEL;
  caught.address = has_address ? reinterpret_cast<std::uint64_t>(info->si_addr) : 0;
  write(context, REG_RIP, plan.give_up);
  write(context, REG_RSP, *plan.sp);
  constexpr std::uint64_t kCleared = kTrapFlag | kDirectionFlag | kAlignmentCheckFlag;
  write(context, REG_EFL, read(context, REG_EFL) & ~kCleared);
}

namespace {

extern "C" void plumb_native_signal(int number, siginfo_t* info, void* context) {
  const int saved = errno;
  if (current != nullptr && current->plan.running != nullptr && *current->plan.running != 0) {
    current->handle(number, info, static_cast<ucontext_t*>(context)->uc_mcontext);
  } else if (number != SIGVTALRM) {
    // Not native code's: it happens again without this handler.
    struct sigaction plain{};
    plain.sa_handler = SIG_DFL;
    const auto at =
        static_cast<std::size_t>(std::ranges::find(kSignals, number) - kSignals.begin());
    sigaction(number, current != nullptr ? &current->before[at] : &plain, nullptr);
  }
  errno = saved;
}

}  // namespace

Result<std::unique_ptr<FaultCatcher>> FaultCatcher::install() {
  if (current != nullptr) return fail("native code is in use by this thread");
  auto state = std::make_unique<CatcherState>();
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = SIGVTALRM;
  event._sigev_un._tid = static_cast<pid_t>(syscall(SYS_gettid));
  if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &state->timer) != 0) {
    return fail(fmt::format("no timer: {}", std::strerror(errno)));
  }
  state->signal_stack.resize(kSignalStack);
  stack_t stack{};
  stack.ss_sp = state->signal_stack.data();
  stack.ss_size = state->signal_stack.size();
  PLUMB_CHECK(sigaltstack(&stack, &state->stack_before) == 0);
  struct sigaction action{};
  action.sa_sigaction = plumb_native_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigfillset(&action.sa_mask);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    PLUMB_CHECK(sigaction(kSignals[i], &action, &state->before[i]) == 0);
  }
  current = state.get();
  return std::unique_ptr<FaultCatcher>(new FaultCatcher(std::move(state)));
}

FaultCatcher::FaultCatcher(std::unique_ptr<CatcherState> state) : state_(std::move(state)) {}

FaultCatcher::~FaultCatcher() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], &state_->before[i], nullptr);
  }
  sigaltstack(&state_->stack_before, nullptr);
  timer_delete(state_->timer);
  current = nullptr;
}

CaughtSignal FaultCatcher::call(const std::function<void()>& function, const CatchPlan& plan,
                                double seconds) {
  CatcherState& state = *state_;
  PLUMB_CHECK(current == &state);
  state.plan = plan;
  state.caught = {};
  state.steps.clear();
  if (plan.steps != nullptr) state.steps.reserve(kMostSteps);
  itimerspec limit{};
  const double whole = std::floor(seconds);
  limit.it_value.tv_sec = static_cast<time_t>(whole);
  limit.it_value.tv_nsec = static_cast<long>((seconds - whole) * 1e9);
  limit.it_interval = limit.it_value;  // one that comes before the code runs has no effect
  PLUMB_CHECK(timer_settime(state.timer, 0, &limit, nullptr) == 0);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  function();
  std::atomic_signal_fence(std::memory_order_seq_cst);
  const itimerspec never{};
  PLUMB_CHECK(timer_settime(state.timer, 0, &never, nullptr) == 0);
  return state.caught;
}

const std::vector<std::uint64_t>& FaultCatcher::steps() const { return state_->steps; }

const char* signal_name(int number) {
  switch (number) {
    case SIGSEGV:
      return "SIGSEGV";
    case SIGBUS:
      return "SIGBUS";
    case SIGILL:
      return "SIGILL";
    case SIGTRAP:
      return "SIGTRAP";
    case SIGFPE:
      return "SIGFPE";
    default:
      return "a signal";
  }
}

}  // namespace plumb::machine
