// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <atomic>
#include <string_view>

namespace plumb {

// Prints one line to stderr and ends the process with status 3: the harness itself is wrong.
[[noreturn]] void check_failed(const char* file, int line, std::string_view condition);

// From here on check_failed() aborts: a fuzzing engine sees signals, not exit statuses, and keeps
// the input of those.
void abort_on_failed_checks();

// From here on check_failed() sets the cell before it ends the process: a parent that shares it
// tells our failure from a status that code under test has chosen.
void mark_failed_checks(std::atomic<bool>* cell);

}  // namespace plumb

// Stays on in release builds. For our own errors only: bad input is a Result, a wrong JIT a
// Finding.
#define PLUMB_CHECK(condition) \
  ((condition) ? void(0) : ::plumb::check_failed(__FILE__, __LINE__, #condition))
