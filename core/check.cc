// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/check.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

namespace plumb {
namespace {

bool& aborts() {
  static bool value = false;
  return value;
}

std::atomic<bool>*& failed_mark() {
  static std::atomic<bool>* mark = nullptr;
  return mark;
}

}  // namespace

void mark_failed_checks(std::atomic<bool>* cell) { failed_mark() = cell; }

void abort_on_failed_checks() { aborts() = true; }

void check_failed(const char* file, int line, std::string_view condition) {
  if (failed_mark() != nullptr) *failed_mark() = true;
  fmt::print(stderr, "plumb: internal error at {}:{}: {}\n", file, line, condition);
  std::fflush(nullptr);
  if (aborts()) std::abort();
  std::_Exit(3);
}

}  // namespace plumb
