// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/capability.h"
#include "core/case.h"

namespace plumb::gen {

// How often each kind of statement is drawn.
struct Mix {
#define PLUMB_STATEMENT(name, description) int name = 0;
#include "gen/statements.inc"
};

// The first bytes of the context and of region 0 have a purpose; no random store goes there.
inline constexpr int kCounterOffset = 0;  // u64: activations of main functions so far
inline constexpr int kKeyOffset = 8;      // kKeyCount u16: keys of indirect tail calls
inline constexpr int kKeyCount = 4;
inline constexpr int kReservedBytes = 16;

enum class ArgumentKind : std::uint8_t {
  kScalar,
  kContext,
  kBuffer,
  kContextCell,  // points to the caller's frame, where a pointer to the context lies
};

struct Argument {
  ArgumentKind kind = ArgumentKind::kScalar;
  int size = 0;  // kBuffer: bytes of initialised scalars at an 8-byte aligned address
};

enum class KeySource : std::uint8_t {
  kConstant,  // "r2 = jmp ll; r3 = key; call 12": what a JIT can patch directly
  kContext,   // one of the keys at kKeyOffset
  kRegion,
  kCounter,  // the activation counter modulo the array's size
};

struct TailCallPlan {
  int array = 0;
  KeySource source = KeySource::kConstant;
  std::int32_t key = 0;    // kConstant: the key; kContext, kRegion: which of the keys
  bool dirty_key = false;  // garbage in the upper half of R3
  int only_below = 0;      // not 0: only while the activation counter is below this
};

enum class Throws : std::uint8_t {
  kNever,
  kSometimes,  // under a condition, somewhere in the body
  kAtEnd,      // instead of returning
};

struct FunctionPlan {
  int stack_depth = 0;
  std::vector<Argument> arguments;  // R1 ...; a main function has the context alone
  bool is_callback = false;         // returns 0 or 1; main functions: so that a loop may go on
  std::vector<int> calls;           // subprograms, in order, one call each
  std::vector<int> callbacks;       // called through bpf_loop with (scalar, 0, buffer or cell)
  std::vector<TailCallPlan> tail_calls;
  Throws throws = Throws::kNever;  // of none that a callback reaches
  std::uint32_t saved = 0;         // which of R6 ... R9 it uses: bits 6 ... 9
  int statements = 0;              // besides what is required above
  Mix mix;
};

struct ProgramPlan {
  std::vector<FunctionPlan> functions;   // calls go to higher indices only
  int exception_callback = kNoFunction;  // one that nothing calls, without tail calls
  std::uint64_t cost_limit = 600;        // instructions that loops may bring one activation to
};

struct RegionPlan {
  int size = 0;  // a multiple of 8
};

// A case before its code is written: programs, who calls whom, frames.
struct CasePlan {
  std::vector<ProgramPlan> programs;
  std::vector<std::vector<int>> arrays;  // slots
  std::vector<RegionPlan> regions;       // at least one; region 0 has at least 64 bytes
  int context_size = 0;                  // at least 24, a multiple of 8
  std::array<std::uint16_t, kKeyCount> keys{0, 1, 2, 3};  // what lies at kKeyOffset at the start
  bool v4 = false;                                        // instructions of version 4 too
  std::uint64_t capabilities = kAllCapabilities;          // of the JIT: nothing beyond is written
};

// Shrinks frames until the program keeps the stack rules of oracle/validate.h under every verifier
// (kEveryVerifier of core/contract.h).
void fit_stack(ProgramPlan& program);

// Leaves out what a JIT with these capabilities would not take. Without tail calls there is one
// program and no array. Subprograms go where there may be none, or none beside a tail call; their
// tail calls become the main function's. Callbacks are of shapes that need them.
void keep_within(CasePlan& plan, std::uint64_t capabilities);

}  // namespace plumb::gen
