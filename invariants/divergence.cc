// SPDX-License-Identifier: GPL-2.0-or-later
#include "invariants/divergence.h"

#include <fmt/format.h>

#include <algorithm>

namespace plumb::invariants {
namespace {

using What = Divergence::What;

Divergence differs(What what, int argument = 0) {
  return {.what = what, .index = -1, .argument = argument, .unseen = {}};
}

bool has_arguments(EventKind kind) {
  return kind == EventKind::kCall || kind == EventKind::kHelperCall ||
         kind == EventKind::kCallback || kind == EventKind::kThrow;
}

bool has_target(EventKind kind) { return has_arguments(kind) || kind == EventKind::kTailCallTaken; }

// What of the event is not compared. A value of the oracle that has no known address in the machine
// matches anything.
Unseen unseen_of(const View& view, std::size_t index) {
  const Event& oracle = view.execution().trace[index];
  const auto compares = [](const Value& value) {
    return value.kind != Value::Kind::kUninitialised;
  };
  Unseen unseen;
  const auto note_value = [&](const Value& value) {
    unseen.note_if(compares(value) && !view.native(value), NotApplicableReason::kValueUnknown);
  };
  const NativeFunction* function =
      view.image().find_function(oracle.at.program, oracle.at.function);
  unseen.note_if(
      oracle.kind != EventKind::kExit && function != nullptr && function->insn_offsets.empty(),
      NotApplicableReason::kOffsetsUnknown);
  if (oracle.kind == EventKind::kReturn) {
    unseen.note_if(compares(oracle.result) && !view.result_register(index).is_known(),
                   view.run().events[index].settled ? NotApplicableReason::kR0RegisterUnknown
                                                    : NotApplicableReason::kNotSettled);
    note_value(oracle.result);
  }
  if (!has_arguments(oracle.kind)) return unseen;
  for (int number = 1; number <= 5; ++number) {
    const Value& value = oracle.args[static_cast<std::size_t>(number - 1)];
    unseen.note_if(compares(value) && !view.argument(view.run().events[index], number),
                   NotApplicableReason::kArgumentRegistersUnknown);
    note_value(value);
  }
  return unseen;
}

// Where nobody says where the code of each instruction begins, the machine knows the function only.
bool same_place(const View& view, const Place& oracle, const Place& machine) {
  if (oracle == machine) return true;
  const NativeFunction* function = view.image().find_function(oracle.program, oracle.function);
  return function != nullptr && function->insn_offsets.empty() &&
         oracle.program == machine.program && oracle.function == machine.function;
}

bool matches(const View& view, const Value& expected, std::optional<std::uint64_t> seen) {
  return !seen || view.matches(expected, *seen);
}

// R0 as the event of a return has it.
std::optional<std::uint64_t> returned(const View& view, std::size_t index) {
  const NativeRegister native = view.result_register(index);
  if (!native.is_known()) return std::nullopt;
  return view.run().events[index].registers[native.number()];
}

Divergence compare(const View& view, std::size_t index) {
  const Event& oracle = view.execution().trace[index];
  const MachineEvent& machine = view.run().events[index];
  if (oracle.kind != machine.kind) return differs(What::kKind);
  // JITs share one epilogue among all exits, so where the last event is says nothing.
  if (oracle.kind != EventKind::kExit && !same_place(view, oracle.at, machine.at)) {
    return differs(What::kPlace);
  }
  if (oracle.activation != machine.activation) return differs(What::kActivation);
  if (has_target(oracle.kind) && oracle.target != machine.target) return differs(What::kTarget);
  if (has_arguments(oracle.kind)) {
    for (int number = 1; number <= 5; ++number) {
      const Value& expected = oracle.args[static_cast<std::size_t>(number - 1)];
      if (!matches(view, expected, view.argument(machine, number))) {
        return differs(What::kArgument, number);
      }
    }
  }
  if (oracle.kind == EventKind::kReturn && !matches(view, oracle.result, returned(view, index))) {
    return differs(What::kResult);
  }
  return {};
}

std::string event_text(const View& view, EventKind kind, const Place& at) {
  const auto& programs = view.value().programs;
  if (at.program < 0 || static_cast<std::size_t>(at.program) >= programs.size()) {
    return std::string(event_kind_name(kind));
  }
  const Program& program = programs[static_cast<std::size_t>(at.program)];
  const auto function = static_cast<std::size_t>(at.function);
  return fmt::format("{} in {}.{} at slot {}", event_kind_name(kind), program.name,
                     function < program.functions.size() ? program.functions[function].name : "?",
                     at.slot);
}

std::string difference_text(const View& view, std::size_t index) {
  const Event& oracle = view.execution().trace[index];
  const MachineEvent& machine = view.run().events[index];
  switch (view.divergence().what) {
    case What::kTarget:
      return fmt::format("its target is {}, the oracle's {}", machine.target, oracle.target);
    case What::kActivation:
      return fmt::format("it happens in activation {}, the oracle's in {}", machine.activation,
                         oracle.activation);
    case What::kArgument: {
      const int number = view.divergence().argument;
      const Value& expected = oracle.args[static_cast<std::size_t>(number - 1)];
      return fmt::format("R{} is {}, the oracle's {}", number,
                         native_text(view, expected, view.argument(machine, number).value_or(0)),
                         value_text(expected));
    }
    case What::kResult:
      return fmt::format("R0 is {}, the oracle's {}",
                         native_text(view, oracle.result, returned(view, index).value_or(0)),
                         value_text(oracle.result));
    case What::kNone:
    case What::kMissing:
    case What::kExtra:
    case What::kKind:
    case What::kPlace:
      break;
  }
  return "the oracle has " + event_text(view, oracle.kind, oracle.at);
}

}  // namespace

std::string value_text(const Value& value) {
  if (value.is_scalar()) return fmt::format("{:#x}", value.bits);
  switch (value.space) {
    case Space::kContext:
      return fmt::format("context{:+d}", value.offset());
    case Space::kRegion:
      return fmt::format("region {}{:+d}", value.index, value.offset());
    case Space::kStack:
      return fmt::format("R10{:+d} of activation {}", value.offset(), value.index);
    case Space::kArray:
      return fmt::format("array {}", value.index);
    case Space::kFunction:
      return fmt::format("function {} of program {}", value.index % kMaxFunctions,
                         value.index / kMaxFunctions);
  }
  return "?";
}

std::string native_text(const View& view, const Value& expected, std::uint64_t seen) {
  const auto native = view.native(expected);
  if (expected.is_pointer() && native) {
    return fmt::format("that {:+d}", static_cast<std::int64_t>(seen - *native));
  }
  const Range& arena = view.image().arena;
  const std::uint64_t code = code_address(view.image().arch, seen);
  if (arena.contains(code)) return fmt::format("arena+{:#x}", code - arena.address);
  return fmt::format("{:#x}", seen);
}

Divergence find_divergence(const View& view) {
  const auto& oracle = view.execution().trace;
  const auto& machine = view.run().events;
  const std::size_t common = std::min(oracle.size(), machine.size());
  Unseen unseen;
  for (std::size_t i = 0; i < common; ++i) {
    Divergence divergence = compare(view, i);
    unseen.note(unseen_of(view, i));
    if (divergence.what == What::kNone) continue;
    divergence.index = static_cast<std::int32_t>(i);
    return divergence;
  }
  const auto index = static_cast<std::int32_t>(common);
  if (machine.size() > common) {
    return {.what = What::kExtra, .index = index, .argument = 0, .unseen = {}};
  }
  // A run that was stopped has no end to compare.
  if (oracle.size() > common && view.run().stop == StopReason::kReturned) {
    return {.what = What::kMissing, .index = index, .argument = 0, .unseen = {}};
  }
  Divergence none;
  none.unseen = unseen;
  return none;
}

DivergedIn diverges_in(const View& view) {
  const Divergence& divergence = view.divergence();
  if (divergence.what == What::kNone || view.is_bound_broken()) return DivergedIn::kNothing;
  const auto index = static_cast<std::size_t>(divergence.index);
  const auto& trace = view.execution().trace;
  const auto& events = view.run().events;
  const Event* oracle = index < trace.size() ? &trace[index] : nullptr;
  const MachineEvent* machine = index < events.size() ? &events[index] : nullptr;
  const auto oracle_is = [&](EventKind kind) { return oracle != nullptr && oracle->kind == kind; };
  const auto machine_is = [&](EventKind kind) {
    return machine != nullptr && machine->kind == kind;
  };
  // The same kind of tail-call event, at another place or with another target.
  if (oracle != nullptr && machine != nullptr && oracle->kind == machine->kind) {
    return DivergedIn::kEvents;
  }
  if (oracle_is(EventKind::kTailCallTaken) && machine_is(EventKind::kTailCallRefused)) {
    return DivergedIn::kTailCallCount;
  }
  if (oracle_is(EventKind::kTailCallRefused)) {
    const bool limit = oracle->reason == RefusalReason::kLimitReached;
    return limit && machine_is(EventKind::kTailCallTaken) ? DivergedIn::kTailCallCount
                                                          : DivergedIn::kRefusal;
  }
  if (machine_is(EventKind::kTailCallRefused)) return DivergedIn::kRefusal;
  const bool about_tail_calls =
      oracle_is(EventKind::kTailCallTaken) || machine_is(EventKind::kTailCallTaken);
  if (about_tail_calls && view.run().tail_calls != view.execution().tail_calls) {
    return DivergedIn::kTailCallCount;
  }
  return DivergedIn::kEvents;
}

std::string divergence_text(const View& view) {
  const auto index = static_cast<std::size_t>(view.divergence().index);
  const auto& trace = view.execution().trace;
  const auto& events = view.run().events;
  if (index >= events.size()) {
    return "native code lacks the oracle's " + event_text(view, trace[index].kind, trace[index].at);
  }
  const std::string seen = event_text(view, events[index].kind, events[index].at);
  if (index >= trace.size()) return seen + " is one event more than the oracle has";
  return seen + ": " + difference_text(view, index);
}

Violation at_divergence(const View& view, std::string_view invariant, std::string message) {
  const auto& events = view.run().events;
  const auto index = static_cast<std::size_t>(std::max(view.divergence().index, 0));
  if (view.divergence().what == What::kNone || index >= events.size()) {
    return view.at_end(invariant, std::move(message));
  }
  return view.at_event(invariant, index, events[index].activation, std::move(message));
}

}  // namespace plumb::invariants
