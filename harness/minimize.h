// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <functional>

#include "core/case.h"

namespace plumb::harness {

// Does the smaller case still show what the larger one did? Must be a function of the case.
using Predicate = std::function<bool(const Case&)>;

struct MinimizeOptions {
  std::size_t max_attempts = 20'000;  // calls of the predicate
};

struct Minimised {
  Case value;
  std::size_t attempts = 0;
  bool complete = false;  // no single step makes it smaller; else the attempts ran out
};

// Makes the case smaller step by step and keeps every step for which the predicate holds: fewer
// programs, functions, arrays, regions, instructions; calls and slots that point at the lowest
// function and program; smaller immediates, stacks and memory. Notes, expectation and waivers are
// left out, for they speak of the larger case. The predicate must hold for the case given.
// Deterministic; minimising a complete result again changes nothing.
[[nodiscard]] Minimised minimize(const Case& value, const Predicate& holds,
                                 const MinimizeOptions& options = {});

// What minimising makes smaller, first to last.
struct CaseSize {
  std::size_t programs = 0;
  std::size_t functions = 0;
  std::size_t slots = 0;  // instruction slots
  std::size_t bytes = 0;  // context, regions, stacks and prog-array slots

  auto operator<=>(const CaseSize&) const = default;
};
[[nodiscard]] CaseSize case_size(const Case& value);

// Instructions, the exits of functions left out.
[[nodiscard]] std::size_t instructions_without_exits(const Case& value);

}  // namespace plumb::harness
