// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/image.h"

namespace plumb::invariants {

// One word that a prologue saves.
struct SavedWord {
  std::uint32_t pc = 0;        // offset of the instruction, which may save two
  std::uint64_t below = 0;     // arrival sp - address
  std::uint64_t sp_below = 0;  // arrival sp - sp before the instruction; less than below: a push
  std::size_t number = 0;      // the register

  [[nodiscard]] bool is_push() const { return below > sp_below; }
};

// The frame that the 6.12 kernel's JIT of an architecture builds, as far as tests need it.
//
//   x86-64:  return address | rbp | BPF stack | counter | counter | rbx | r13
//   arm64:   x30, x29 | x26, counter | x25, x19 | BPF stack
//   riscv64: ra | s0 | s1 | s2 | s5 | - | BPF stack; without ra when it calls nothing
struct BuiltLayout {
  Arch arch = Arch::kX86_64;
  RegisterMap registers;
  std::size_t sp = 0;
  std::size_t result = 0;
  std::size_t link = 0;  // register of the return address; the sp's own number: there is none
  int stack_alignment = 8;
  std::uint64_t call_pushes = 0;
  std::uint64_t call_size = 0;
  std::uint32_t landing = 0;              // offset of the tail-call entry
  std::uint64_t landing_below = 0;        // arrival sp - sp there
  std::uint64_t frame_pointer_below = 0;  // arrival sp - frame pointer
  std::int64_t record_saved = 0;          // from the frame pointer
  std::int64_t record_return = 0;
  std::vector<SavedWord> saved;            // above the BPF stack
  std::vector<std::size_t> pushed_behind;  // registers pushed below it
  std::uint64_t stack_below = 0;           // arrival sp - R10, the upper end of the BPF stack
  bool sp_moves_first = false;             // by all that the frame takes
  bool counts_on_stack = true;             // tail calls; else in a register

  [[nodiscard]] bool has_link() const { return link != sp; }
};

// Of a function that calls something, or of one that does not.
[[nodiscard]] BuiltLayout built_layout(Arch arch, bool makes_calls);

}  // namespace plumb::invariants
