// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <tuple>

#include "core/case.h"
#include "core/codec.h"
#include "core/image.h"
#include "core/machine_run.h"
#include "core/result.h"
#include "jit_under_test/jit.h"

namespace plumb::harness {

// What one run of a case costs under one JIT, counted in the machine at full depth: the same on
// every machine and in every run. frame_figures.inc says what each member counts.
//
// Every counted instruction belongs to one class, by the BPF instruction in whose code it lies
// (NativeFunction::insn_offsets): prologue, epilogue, tail call, call, or else the body. An
// instruction of a thunk belongs to the class of the one that went there. frame is the sum of the
// first four: a layout decides about these, the program about the body.
//
// Loads and stores are those to the stack: the machine does not record others. A pair (arm64 ldp)
// is two; an instruction that reads and writes the same word is one of each. A return to the kernel
// and a call of a helper are branches taken; what a helper does is not counted, but for its frame
// in stack_bytes while it calls back. A private stack lies elsewhere and is not in stack_bytes.
struct FrameFigures {
#define PLUMB_FIGURE(member, name, text) std::uint64_t member = 0;
#include "harness/frame_figures.inc"

  bool operator==(const FrameFigures&) const = default;
};

struct FigureRow {
  std::uint64_t FrameFigures::* member;
  std::string_view name;
  std::string_view text;
};
inline constexpr std::array kFigures = {
#define PLUMB_FIGURE(member, name, text) FigureRow{&FrameFigures::member, name, text},
#include "harness/frame_figures.inc"
};

// An error: the JIT does not take the case (begins with "not applicable: "), or its code does not
// return. What ends the process ends it: call this in a child (harness/isolate.h).
[[nodiscard]] Result<FrameFigures> count_figures(const Case& value, jit::Jit& jit);

// Of a run at kFull that returned.
[[nodiscard]] FrameFigures figures_of(const Case& value, const Image& image, const MachineRun& run);

}  // namespace plumb::harness

template <>
struct plumb::Members<plumb::harness::FrameFigures> {
  static constexpr std::tuple value{
#define PLUMB_FIGURE(member, name, text) &plumb::harness::FrameFigures::member,
#include "harness/frame_figures.inc"
  };
};
