// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/stop_signal.h"

#include <signal.h>

#include "core/check.h"

namespace plumb::tools {
namespace {

constexpr int kStopSignals[] = {SIGINT, SIGTERM};

// A handler reaches nothing but globals.
volatile sig_atomic_t asked = 0;

extern "C" void ask_to_stop(int) {
  asked = 1;
  for (const int number : kStopSignals) signal(number, SIG_DFL);
}

}  // namespace

void catch_stop_signals() {
  for (const int number : kStopSignals) {
    struct sigaction before = {};
    PLUMB_CHECK(sigaction(number, nullptr, &before) == 0);
    if (before.sa_handler == SIG_IGN) continue;
    PLUMB_CHECK(signal(number, ask_to_stop) != SIG_ERR);
  }
}

bool stop_was_asked_for() { return asked != 0; }

}  // namespace plumb::tools
