// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/arch.h"
#include "core/contract.h"
#include "jit_under_test/reference/defects.h"
#include "jit_under_test/reference/function_facts.h"
#include "jit_under_test/reference/recipes.h"

namespace plumb::jit::reference {

enum class Saves : std::uint8_t { kUsed, kAll, kUsedAllInBoundary };
// How an x86-64 epilogue undoes the prologue; arm64 undoes it step by step.
enum class Epilogue : std::uint8_t { kPopsLeave, kLoads, kLeaPops, kLeavePops };
enum class FixedStack : std::uint8_t { kNever, kWithTailCalls, kAlways };
// Where the tail-call count lives: in a slot of each frame, in a register, or in one slot that all
// frames point at.
enum class Counter : std::uint8_t { kSlot, kRegister, kReference };
// How the limit of 33 is spelt.
enum class CountCheck : std::uint8_t { kAbove32, kAtLeast33 };
// Before which calls the count goes back into its register.
enum class Reload : std::uint8_t { kNever, kBeforeCalls, kBeforeReachableCalls };

struct LayoutTraits {
  bool subprograms = true;
  bool tail_calls_with_subprograms = true;
  Saves saves = Saves::kUsed;
  Epilogue epilogue = Epilogue::kPopsLeave;
  bool throws = false;   // programs may throw
  int entry_offset = 0;  // bytes from a main function's address to its tail-call entry
  FixedStack fixed_stack = FixedStack::kNever;  // 512 bytes of BPF stack, whatever is used
  int r10 = 5;                                  // native register
  int r10_bias = 0;                             // R10 = r10 + r10_bias
  CountCheck count_check = CountCheck::kAbove32;
  Counter counter = Counter::kSlot;
  bool direct_tail_calls = false;
  Reload reload = Reload::kNever;
  LandingPad pad = LandingPad::kNone;
  bool private_stack = false;
  int alignment = 8;                 // of the BPF stack's size
  bool loads_target_in_rax = false;  // up to 5.9 tail calls find their target in rax, later in rcx
  // What is wrong with the layout itself; corpus/known has the cases. Empty: it is sound.
  std::string_view known_wrong = {};
};

enum class LayoutId : std::uint8_t {
#define PLUMB_LAYOUT(id, ...) k##id,
#include "jit_under_test/reference/layouts.inc"
};

struct LayoutRow {
  LayoutId id;
  std::string_view name;
  Arch arch;
  std::span<const RecipeLine> recipe;
  std::string_view era;
  std::string_view source;
  LayoutTraits traits;
};

[[nodiscard]] std::span<const LayoutRow> layout_table();
[[nodiscard]] const LayoutRow* find_layout(std::string_view name);

// One step of one function's prologue. Registers are hardware numbers, 31 is arm64's xzr.
enum class StepKind : std::uint8_t {
  kNop,         // value bytes
  kSaveLink,    // arm64's patch site: mov x9, lr; nop
  kLandingPad,  // value: 1 at the entry, 2 at the tail-call entry
  kSignReturn,
  kClearCount,  // value: bytes
  kEntry,
  kPush,  // a; arm64: a at the lower address, b above
  kPushZero,
  kPointAtSp,         // a = sp
  kAllocate,          // sp -= value
  kShift,             // a += value
  kStore,             // [frame pointer + value] = a
  kStoreZero,         // [frame pointer + value] = 0, through rax
  kCountByReference,  // see kPushCountByReference; in a main function
  kFrameBase,         // x27 = x25 - value
  kPrivate,           // r9 = private stack
  kPointAtFrame,      // a = frame pointer
  kTakeOver,          // an exception callback: the boundary's frame becomes its own. arm64: value
                      // is what lies below the frame record
};
struct Step {
  StepKind kind;
  int a = -1;
  int b = -1;
  int value = 0;

  bool operator==(const Step&) const = default;
};

enum class SlotRole : std::uint8_t {
  kReturnAddress,
  kFramePointer,  // the caller's, or the first of a double frame
  kSaved,
  kCount,  // the upper half counts where it is a value up to 6.11
  kCountAddress,
  kPadding,
  kBpfStack,
};
struct Slot {
  SlotRole role;
  int offset = 0;  // of the lowest byte, from the CFA
  int size = 0;    // bytes
  int saved = -1;  // hardware register that the prologue stores there

  bool operator==(const Slot&) const = default;
};

// Where everything lies in the frame of one function, in bytes from the CFA: the stack pointer
// before the call that entered it (x86-64: before the call pushed). Computed once; prologue,
// epilogue, tail call, claims and pictures read it.
struct FrameLayout {
  const LayoutRow* row = nullptr;
  std::vector<Step> prologue;
  // An exception callback: the steps of the boundary's prologue that it undoes, on x86-64 before
  // its body, on arm64 in its epilogue.
  std::vector<Step> taken_over;
  int boundary_sp = 0;      // the same: sp in the boundary's body
  std::vector<Slot> slots;  // from high to low
  int entry_sp = 0;         // sp where tail calls land
  int body_sp = 0;          // sp between BPF instructions
  int frame_pointer = 0;    // value of the frame pointer in the body
  int r10_register = 0;
  int r10_bias = 0;
  std::optional<int> r10;    // R10; none: not on this stack
  int stack_size = 0;        // bytes of BPF stack
  std::optional<int> count;  // slot of the count, or of its address
  bool keeps_count = false;  // has to pass the count on
  int first_pop = 0;         // index in prologue of the first step behind the tail-call entry
};

struct FrameRequest {
  const LayoutRow* row = nullptr;
  const FunctionFacts* facts = nullptr;
  const FunctionFacts* boundary = nullptr;  // of an exception callback: of the main function
  std::optional<Defect> defect;
  bool is_private = false;          // the BPF stack lies in per-CPU memory
  bool is_private_program = false;  // that of functions which want so does
};
// Does the layout give this function a private stack, in a program without tail calls?
[[nodiscard]] bool wants_private_stack(const LayoutRow& row, const FunctionFacts& facts);
[[nodiscard]] FrameLayout compute_frame(const FrameRequest& request);

// "rbx", "x19", "xzr".
[[nodiscard]] std::string register_name(Arch arch, int number);

}  // namespace plumb::jit::reference
