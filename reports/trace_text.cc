// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <memory_resource>

#include "core/helper_model.h"
#include "core/insn.h"
#include "invariants/divergence.h"
#include "invariants/view.h"
#include "reports/explain.h"

namespace plumb::reports {
namespace {

using invariants::View;

const std::string& program_name(const Case& value, int program) {
  return value.programs[static_cast<std::size_t>(program)].name;
}

std::string place_text(const Case& value, const Place& at) {
  const Program& program = value.programs[static_cast<std::size_t>(at.program)];
  return fmt::format("{}.{}+{}", program.name,
                     program.functions[static_cast<std::size_t>(at.function)].name, at.slot);
}

std::string target_text(const Case& value, EventKind kind, const Place& at, std::int32_t target) {
  switch (kind) {
    case EventKind::kHelperCall: {
      const HelperInfo* helper = find_helper(target);
      return helper == nullptr ? fmt::format(" {}", target) : fmt::format(" {}", helper->name);
    }
    case EventKind::kCall:
    case EventKind::kCallback: {
      const auto& functions = value.programs[static_cast<std::size_t>(at.program)].functions;
      const auto index = static_cast<std::size_t>(target);
      return index < functions.size() ? " " + functions[index].name : fmt::format(" {}", target);
    }
    case EventKind::kThrow: {
      const auto& functions = value.programs[static_cast<std::size_t>(at.program)].functions;
      const auto index = static_cast<std::size_t>(target);
      return index < functions.size() ? " to " + functions[index].name : "";
    }
    case EventKind::kTailCallTaken:
      return target >= 0 && static_cast<std::size_t>(target) < value.programs.size()
                 ? " to " + program_name(value, target)
                 : "";
    case EventKind::kReturn:
    case EventKind::kTailCallRefused:
    case EventKind::kExit:
      return "";
  }
  return "";
}

// What the invocation returns, as far as the contract says that it counts.
std::uint64_t result_mask(const Image& image) {
  return image.contract.result_bits == 64 ? ~std::uint64_t{0} : 0xffff'ffffu;
}

Value counted_result(const Image& image, const Event& event) {
  const bool masked = event.kind == EventKind::kExit && event.result.is_scalar();
  return masked ? Value::scalar(event.result.bits & result_mask(image)) : event.result;
}

std::string oracle_line(const Explained& explained, const Event& event) {
  const Case& value = *explained.value;
  std::string text =
      fmt::format("{} {}{}", place_text(value, event.at), event_kind_name(event.kind),
                  target_text(value, event.kind, event.at, event.target));
  if (event.kind == EventKind::kTailCallRefused) {
    text += fmt::format(" ({})", refusal_reason_name(event.reason));
  }
  const Value result = counted_result(*explained.image, event);
  if (result.is_scalar() || result.is_pointer()) {
    text += " = " + invariants::value_text(result);
  }
  return text;
}

// What the event's function returned, in the register that its caller takes it from.
std::string result_text(const View& view, std::size_t index) {
  const MachineEvent& event = view.run().events[index];
  const auto& trace = view.execution().trace;
  const bool is_exit = event.kind == EventKind::kExit;
  if (!is_exit && event.kind != EventKind::kReturn) return {};
  const NativeRegister native = view.result_register(index);
  if (!is_exit && !native.is_known()) return {};
  const std::uint64_t seen =
      is_exit ? view.run().result & result_mask(view.image()) : event.registers[native.number()];
  const bool has_partner = index < trace.size() && trace[index].kind == event.kind;
  const Value expected =
      has_partner ? counted_result(view.image(), trace[index]) : Value::scalar(seen);
  if (expected.is_pointer() && view.matches(expected, seen)) {
    return " = " + invariants::value_text(expected);
  }
  return " = " + invariants::native_text(view, expected, seen);
}

std::string machine_line(const Explained& explained, const View& view, std::size_t index) {
  const MachineEvent& event = view.run().events[index];
  return fmt::format(
      "{} {}{}{}", place_text(*explained.value, event.at), event_kind_name(event.kind),
      target_text(*explained.value, event.kind, event.at, event.target), result_text(view, index));
}

}  // namespace

std::string trace_text(const Explained& explained, std::size_t most) {
  std::pmr::monotonic_buffer_resource memory;
  const View view(
      {explained.value, explained.image, explained.execution, explained.run, Depth::kFull},
      &memory);
  const auto& oracle = view.execution().trace;
  const auto& machine = explained.run->events;
  const std::size_t all = std::max(oracle.size(), machine.size());
  const invariants::Divergence& divergence = view.divergence();
  const bool diverges = divergence.what != invariants::Divergence::What::kNone;
  const std::size_t first = diverges ? static_cast<std::size_t>(divergence.index) : all;
  const std::size_t before = most / 2;
  const std::size_t begin = diverges && first > before ? first - before : 0;
  const std::size_t end = std::min(all, begin + most);

  std::string text =
      diverges ? fmt::format("Trace: the machine leaves the oracle's path at event {}\n  {}\n",
                             first, invariants::divergence_text(view))
               : fmt::format("Trace: {} events, as in the oracle{}\n", machine.size(),
                             machine.size() < oracle.size() ? ", which goes on" : "");
  text += fmt::format("   {:>4}  {:<52} {}\n", "#", "oracle", "machine");
  if (begin > 0) text += fmt::format("         ... {} events alike\n", begin);
  for (std::size_t i = begin; i < end; ++i) {
    const std::string left = i < oracle.size() ? oracle_line(explained, oracle[i]) : "-";
    const std::string right = i < machine.size() ? machine_line(explained, view, i) : "-";
    text += fmt::format(" {} {:>4}  {:<52} {}\n", i == first ? '>' : ' ', i, left, right);
  }
  if (end < all) text += fmt::format("         ... {} more\n", all - end);
  return text;
}

}  // namespace plumb::reports
