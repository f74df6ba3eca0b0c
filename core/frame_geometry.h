// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>

#include "core/arch.h"
#include "core/case.h"

namespace plumb {

// Where things lie in a native frame of a BPF function, in bytes below the stack pointer on
// arrival by a call. The only place that says so: the machine's walk along the frame pointers, the
// invariants, the reference JIT's claims and the pictures read it.
//
//                x86-64              arm64             riscv64           riscv64, calls nothing
//   arrival sp   | return address |
//           - 8  | saved rbp      |  | saved x30  |    | saved ra  |     | saved s0  |
//           - 16                     | saved x29  |    | saved s0  |
//
// rbp and x29 point at where the caller's is saved, s0 holds the arrival sp. Where a JIT differs,
// its FrameRule (core/contract.h) says by how much.
struct FrameGeometry {
  std::uint64_t call_pushes = 0;                // bytes that a call pushes and a return pops
  std::uint64_t record_below_entry = 0;         // arrival sp - address of the saved frame pointer
  std::uint64_t return_below_entry = 0;         // arrival sp - address of the return address
  std::uint64_t frame_pointer_below_entry = 0;  // arrival sp - value of the frame pointer
  // A function that calls nothing keeps its return address in the register, and saves the frame
  // pointer where others save it.
  bool leaf_saves_no_return = false;
  // arrival sp - sp at the landing of a tail call. Where it is not given, the first function of the
  // run tells it, by what it has pushed where a tail call would land.
  std::optional<std::uint64_t> landing_below_entry = std::nullopt;

  // From the value of the frame pointer to the saved frame pointer and the return address, in a
  // function that calls.
  [[nodiscard]] constexpr std::int64_t record_from_frame_pointer() const {
    return static_cast<std::int64_t>(frame_pointer_below_entry - record_below_entry);
  }
  [[nodiscard]] constexpr std::int64_t return_from_frame_pointer() const {
    return static_cast<std::int64_t>(frame_pointer_below_entry - return_below_entry);
  }

  bool operator==(const FrameGeometry&) const = default;
};

// On x86-64 the landing stands behind "push rbp; mov rbp, rsp" in every kernel since 5.10 (kernel
// commit ebf7d1f508a7); on arm64 behind the record and the count in 6.12, behind all that is saved
// before.
[[nodiscard]] constexpr FrameGeometry frame_geometry(Arch arch) {
  switch (arch) {
    case Arch::kX86_64:
      return {.call_pushes = 8,
              .record_below_entry = 8,
              .return_below_entry = 0,
              .frame_pointer_below_entry = 8,
              .landing_below_entry = 8};
    case Arch::kArm64:
      return {.record_below_entry = 16, .return_below_entry = 8, .frame_pointer_below_entry = 16};
    case Arch::kRiscv64:
      break;
  }
  return {.record_below_entry = 16,
          .return_below_entry = 8,
          .frame_pointer_below_entry = 0,
          .leaf_saves_no_return = true};
}

// The frame record of one activation.
struct RecordPlace {
  std::uint64_t saved_frame_pointer = 0;  // address of the caller's frame pointer
  std::uint64_t return_address = 0;       // address of the return address; 0: only in a register

  bool operator==(const RecordPlace&) const = default;
};

// entry_sp: on arrival by a call; of an activation that a tail call began, that of the first of
// the chain. A function that is not known (null) is taken for one that calls.
[[nodiscard]] RecordPlace record_place(const FrameGeometry& geometry, std::uint64_t entry_sp,
                                       const Function* function);

}  // namespace plumb
