// SPDX-License-Identifier: GPL-2.0-or-later
//
// Small edits of what the Linux JITs made of a few cases, and the invariant that each breaks. The
// layouts that the patterns match are those of kernel 6.12 (x86-64: commit 116e04ba1459).
#pragma once

#include <vector>

#include "core/image.h"
#include "core/machine_run.h"

namespace plumb::harness {

constexpr const char* kPlain = "linux-6.12-x86_64";
constexpr const char* kIbt = "linux-6.12-x86_64:ibt";
constexpr const char* kFineIbt = "linux-6.12-x86_64:fineibt";
constexpr const char* kKcfi = "linux-6.12-x86_64:kcfi";
constexpr const char* kBlinding = "linux-6.12-x86_64:blinding";
constexpr const char* kExceptions = "linux-6.12-x86_64:exceptions";
constexpr const char* kArena = "linux-6.12-x86_64:arena";
constexpr const char* kArm64 = "linux-6.12-arm64";
constexpr const char* kArm64Exceptions = "linux-6.12-arm64:exceptions";
constexpr const char* kArm64Arena = "linux-6.12-arm64:arena";
constexpr const char* kArm64Pac = "linux-6.12-arm64:pac";
constexpr const char* kRiscv64 = "linux-6.12-riscv64";
constexpr const char* kPlain61 = "linux-6.1-x86_64";
constexpr const char* kRiscv64Arena = "linux-6.12-riscv64:arena";

// One edit: bytes in the code of a function, found and replaced.
struct Edit {
  int function;
  const char* from;  // hex bytes; ?? is any byte
  const char* to;    // hex bytes; ?? keeps the byte, +N and -N change the 32-bit word here
  int nth = 0;       // which match, counting from 0
};

struct Defect {
  const char* name;
  const char* text;
  std::vector<Edit> edits;
  const char* invariant;  // what has to speak first
  const char* jit = kPlain;
  Depth needs = Depth::kFast;  // the least depth at which it can be seen
  // What else is wrong: in what the JIT says of its frames, in who unwinds
  // (core/unwind/mistakes.h).
  void (*claim)(Image&) = nullptr;
  const char* unwinder = nullptr;
};

const std::vector<Defect>& defects();

// The texts of the cases that the rows edit; without an edit every JIT conforms on each.
const std::vector<const char*>& defect_cases();
extern const char* const kTreeCase;  // tail calls from a subprogram

}  // namespace plumb::harness
