// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "core/insn.h"

namespace plumb {

// Bounds on a case. Corpus files come from strangers: the parser refuses what is larger.
inline constexpr int kMaxPrograms = 32;
inline constexpr int kMaxFunctions = 32;  // per program
// Instruction slots of all functions together: what one program of a privileged user may have in
// Linux (BPF_COMPLEXITY_LIMIT_INSNS). A file says more than it holds only by .repeat.
inline constexpr int kMaxSlots = 1'000'000;
inline constexpr int kMaxArrays = 8;
inline constexpr int kMaxArraySlots = 256;
inline constexpr int kMaxRegions = 8;
inline constexpr int kMaxRegionSize = 4096;              // bytes
inline constexpr int kMaxContextSize = 4096;             // bytes
inline constexpr int kMaxStackDepth = 512;               // bytes, of one call chain (MAX_BPF_STACK)
inline constexpr int kMaxCallDepth = 8;                  // frames (MAX_CALL_FRAMES)
inline constexpr int kMaxCallerDepthWithTailCall = 256;  // bytes (kernel commit 7f6e4312e15a)
inline constexpr int kTailCallLimit = 33;                // MAX_TAIL_CALL_CNT
inline constexpr int kMaxCaseText = 1 << 20;             // bytes of a case file
inline constexpr int kNoProgram = -1;
inline constexpr int kNoFunction = -1;

struct Function {
  std::string name;
  std::vector<Insn> insns;
  // Bytes below R10 that the function may use. Given by .stack, else inferred (stack_depth.h).
  int stack_depth = 0;

  bool operator==(const Function&) const = default;
};

// What became of the instructions before the JIT gets them. A case file has no word for it: only
// the kernel's own tests come without a verifier.
enum class Preparation : std::uint8_t {
  kVerifier,      // rewritten as the verifier does (divisions, zero extensions, direct tail calls)
  kNone,          // as they stand
  kZeroExtended,  // as they stand, with explicit zero extensions where there have to be some
};

struct Program {
  std::string name;
  std::vector<Function> functions;  // functions[0] is the main function
  Preparation preparation = Preparation::kVerifier;
  // The function that runs in the place of the program when it throws, or kNoFunction.
  int exception_callback = kNoFunction;
  // Nobody wrote that function: the last one, "r0 = r1; exit" (core/exceptions.h).
  bool has_default_callback = false;

  bool operator==(const Program&) const = default;
};

// BPF_MAP_TYPE_PROG_ARRAY: what each slot holds at the start, an index of a program or kNoProgram.
struct ProgArray {
  std::string name;
  std::vector<int> slots;

  bool operator==(const ProgArray&) const = default;
};

// A map value: named memory of fixed size.
struct Region {
  std::string name;
  std::vector<std::uint8_t> bytes;

  bool operator==(const Region&) const = default;
};

// A finding that is known and not ours to fix. Matches (signature, JIT name glob).
struct Waiver {
  std::string signature;
  std::string jits;  // glob: "linux-6.1-*"
  // A JIT that has this bug and no other, or empty. What it does not show as well, at the same
  // event, has another cause and is not covered.
  std::string like{};
  // A regular expression (ECMAScript) for the instructions that are compiled wrongly, or empty:
  // each is looked for in "SLOT:INSTRUCTION" with blanks as _. The waiver is for cases that have
  // such an instruction, the signature is a glob, and what a case shows without them too is not
  // covered.
  std::string code{};
  std::string reason;  // one line: the mechanism, the upstream commit

  bool operator==(const Waiver&) const = default;
};

// What a corpus file says about itself.
struct Expectation {
  enum class Kind : std::uint8_t { kNone, kReturn, kUndefined };
  Kind kind = Kind::kNone;
  std::uint64_t value = 0;  // kReturn: R0 of the whole invocation

  bool operator==(const Expectation&) const = default;
};

// Everything that one experiment needs. References are indices into these vectors.
struct Case {
  std::vector<std::string> notes;  // comment lines between ".case" and the first directive
  std::vector<Program> programs;   // not empty; every program has a function
  std::vector<ProgArray> arrays;
  std::vector<Region> regions;
  std::vector<std::uint8_t> context;
  int enter = 0;  // index of the program that the invocation starts in
  Expectation expectation;
  std::vector<Waiver> waivers;

  bool operator==(const Case&) const = default;
};

// Instruction slots of all functions: at most kMaxSlots, or no file can hold the case.
[[nodiscard]] std::size_t count_slots(const Case& value);

}  // namespace plumb
