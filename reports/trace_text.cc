// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>

#include "core/helper_model.h"
#include "core/insn.h"
#include "reports/explain.h"

namespace plumb::reports {
namespace {

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

std::string oracle_line(const Case& value, const Event& event) {
  std::string text =
      fmt::format("{} {}{}", place_text(value, event.at), event_kind_name(event.kind),
                  target_text(value, event.kind, event.at, event.target));
  if (event.kind == EventKind::kTailCallRefused) {
    text += fmt::format(" ({})", refusal_reason_name(event.reason));
  }
  if (event.result.is_scalar()) text += fmt::format(" = {:#x}", event.result.bits);
  return text;
}

std::string machine_line(const Explained& explained, const MachineEvent& event) {
  std::string text =
      fmt::format("{} {}{}", place_text(*explained.value, event.at), event_kind_name(event.kind),
                  target_text(*explained.value, event.kind, event.at, event.target));
  if (event.kind == EventKind::kReturn || event.kind == EventKind::kExit) {
    text += fmt::format(" = {:#x}", event.registers[explained.image->registers.bpf[0]]);
  }
  return text;
}

bool differ(const Event& a, const MachineEvent& b) {
  return a.kind != b.kind || a.at != b.at || a.target != b.target;
}

}  // namespace

std::string trace_text(const Explained& explained, std::size_t most) {
  const auto& oracle = explained.execution->trace;
  const auto& machine = explained.run->events;
  const std::size_t common = std::min(oracle.size(), machine.size());
  const std::size_t all = std::max(oracle.size(), machine.size());
  std::size_t first = 0;
  while (first < common && !differ(oracle[first], machine[first])) ++first;
  const bool diverges = first < all;
  const std::size_t before = most / 2;
  const std::size_t begin = diverges && first > before ? first - before : 0;
  const std::size_t end = std::min(all, begin + most);

  std::string text =
      diverges ? fmt::format("Trace: the machine leaves the oracle's path at event {}\n", first)
               : fmt::format("Trace: {} events, kinds and places agree\n", all);
  text += fmt::format("   {:>4}  {:<52} {}\n", "#", "oracle", "machine");
  if (begin > 0) text += fmt::format("         ... {} events alike\n", begin);
  for (std::size_t i = begin; i < end; ++i) {
    const std::string left = i < oracle.size() ? oracle_line(*explained.value, oracle[i]) : "-";
    const std::string right = i < machine.size() ? machine_line(explained, machine[i]) : "-";
    text += fmt::format(" {} {:>4}  {:<52} {}\n", i == first ? '>' : ' ', i, left, right);
  }
  if (end < all) text += fmt::format("         ... {} more\n", all - end);
  return text;
}

}  // namespace plumb::reports
