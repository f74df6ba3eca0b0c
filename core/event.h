// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "core/value.h"

namespace plumb {

// A place in a case.
struct Place {
  std::int16_t program = 0;
  std::int16_t function = 0;
  std::int32_t slot = 0;  // instruction slot

  bool operator==(const Place&) const = default;
};

enum class EventKind : std::uint8_t {
  kCall,             // a bpf-to-bpf call, about to run the callee
  kCallback,         // a helper calls a function of the program
  kReturn,           // a function that was called (or called back) returned; at: the call's place
  kHelperCall,       // about to run the helper; tail calls are not helper calls
  kTailCallTaken,    // about to run the target program
  kTailCallRefused,  // fell through
  kThrow,            // bpf_throw was called; about to run the exception callback
  kExit,             // the invocation returned to the kernel
};

enum class RefusalReason : std::uint8_t { kNone, kIndexOutOfRange, kLimitReached, kEmptySlot };

[[nodiscard]] std::string_view event_kind_name(EventKind kind);
[[nodiscard]] std::string_view refusal_reason_name(RefusalReason reason);

// One event of the oracle's trace.
struct Event {
  EventKind kind = EventKind::kCall;
  Place at;                      // of the instruction that caused it; kExit: the exit instruction
  std::uint32_t activation = 0;  // ordinal of the activation that it happened in
  std::int32_t target = 0;       // helper number, callee function, or target program; kThrow: the
                                 // callback, a function of the boundary's program
  RefusalReason reason = RefusalReason::kNone;
  std::array<Value, 5> args{};  // R1 ... R5 of calls, helper calls and callbacks; kThrow: R1
  Value result{};               // R0 of kReturn and kExit

  bool operator==(const Event&) const = default;
};

}  // namespace plumb
