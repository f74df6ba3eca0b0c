// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/image.h"
#include "core/machine_run.h"
#include "core/unwind/step.h"
#include "machine/engine.h"
#include "machine/guest_memory.h"
#include "machine/target.h"

namespace plumb::machine {

// C functions that have a body of their own (c_routine.h).
enum class CFunction : std::uint8_t {
  // u64 bpf_loop(u32 nr_loops, void *callback, void *context, u64 flags). kernel/bpf/bpf_iter.c:
  // flags first, then the bound, both on the values as their C types truncate them.
  kLoop,
  // void bpf_throw(u64 cookie). kernel/bpf/helpers.c: walks the stack to the first BPF frame that
  // is of a main function, and calls the exception callback of that program. It never returns, so
  // it owes nobody the registers that it saved.
  kThrow,
};

// The calls of C functions in progress, and what these do. A C function may use every register that
// it saves, and promises nothing about those that it need not save: before each call that it makes
// every register but arguments, stack pointer and frame pointer holds junk, and the flags. What it
// has to remember lies in its frame.
class CCalls {
 public:
  CCalls(const Target& target, GuestMemory& memory)
      : target_(target), memory_(memory), rows_(unwind::frame_record_rows(target.facts().arch)) {}

  void begin(const Image& image);
  // Control is at a stub whose jump leads to the routine. arguments: as passed.
  void enter(CFunction function, std::span<const std::uint64_t> arguments);
  struct Outcome {
    const char* problem = nullptr;  // why the function cannot go on: a clause
    bool ends = false;              // control is at the routine's end, with the result in place
    bool is_lost_throw = false;     // problem: bpf_throw found no boundary
  };
  // A basic block of the routine begins.
  [[nodiscard]] Outcome arrive(Engine& engine, std::uint64_t address);
  // What the last throw gave to the callback.
  [[nodiscard]] const ThrowWalk& last_throw() const { return throw_; }

 private:
  static constexpr std::size_t kMaxArguments = 5;
  struct Call {
    CFunction function = CFunction::kLoop;
    bool has_begun = false;
    std::uint64_t frame_pointer = 0;  // of its frame, once that is there
    std::array<std::uint64_t, kMaxArguments> arguments{};
  };
  // What a function does next: it calls, or (target 0) returns the result.
  struct Next {
    std::uint64_t target = 0;
    std::array<std::uint64_t, kMaxArguments> arguments{};
    std::uint64_t result = 0;
    const char* problem = nullptr;
  };
  // Words of a function's state, in its frame; the first one is the address to call.
  enum State : int { kTarget, kIndex, kCount, kCallback, kContext, kStateEnd };
  static_assert(kStateEnd <= kStateWords);

  Outcome step(Engine& engine);
  [[nodiscard]] Next loop(Engine& engine, Call& call);
  [[nodiscard]] Next throw_exception(const Call& call);
  void scramble_for_call(Engine& engine);
  [[nodiscard]] std::uint64_t state(const Call& call, State word) const;
  void set_state(const Call& call, State word, std::uint64_t value);
  [[nodiscard]] const CRoutine& routine() const { return target_.stub_code().routine; }

  const Target& target_;
  GuestMemory& memory_;
  const unwind::Rows& rows_;
  const Image* image_ = nullptr;
  std::vector<Call> calls_;
  std::array<std::uint64_t, kMaxArguments> next_arguments_{};
  std::uint64_t result_ = 0;
  ThrowWalk throw_;
};

}  // namespace plumb::machine
