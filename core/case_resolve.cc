// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/core.h>

#include <cstdlib>

#include "core/case_draft.h"
#include "core/edit.h"
#include "core/exceptions.h"

namespace plumb::text {
namespace {

constexpr std::string_view kThrowName = "bpf_throw";

Read<std::size_t> find(const Names& names, const NameUse& use, std::string_view what) {
  const auto it = names.find(use.name);
  if (it != names.end()) return it->second.index;
  return problem(use.spot, fmt::format("there is no {} {}", what, quoted(use.name)));
}

// "r2 = name ll" must mean one thing, so functions do not share names with arrays and regions.
Read<void> check_function_names(const Draft& draft) {
  for (const Names& functions : draft.functions) {
    for (const auto& [name, function] : functions) {
      if (name == kThrowName) {
        return problem(function.spot, "'bpf_throw' is the kernel's, no function's name");
      }
      const auto object = draft.objects.find(name);
      if (object == draft.objects.end()) continue;
      const bool is_array = object->second.kind == Declared::Kind::kArray;
      return problem(function.spot,
                     fmt::format("{} is already the name of {}, line {}", quoted(name),
                                 is_array ? "an array" : "a region", object->second.spot.line));
    }
  }
  return {};
}

Insn* insn_of(Draft& draft, const NameUse& use) {
  return &draft.value.programs[use.owner].functions[use.function].insns[use.slot];
}

Read<void> resolve_region(const Draft& draft, const NameUse& use, std::size_t index, Insn* insn) {
  const std::size_t size = draft.value.regions[index].bytes.size();
  if (use.offset >= size) {
    return problem(use.spot, fmt::format("offset {} is outside region {} of {} bytes", use.offset,
                                         quoted(use.name), size));
  }
  insn[0].src = kPseudoRegion;
  insn[1].immediate = static_cast<std::int32_t>(use.offset);
  return {};
}

Read<void> resolve_symbol(Draft& draft, const NameUse& use) {
  Insn* insn = insn_of(draft, use);
  const Names& functions = draft.functions[use.owner];
  Names::const_iterator it = draft.objects.find(use.name);
  if (it == draft.objects.end()) {
    it = functions.find(use.name);
    if (it == functions.end()) {
      return problem(use.spot,
                     fmt::format("there is no array, region or function {}", quoted(use.name)));
    }
  }
  const Declared& declared = it->second;
  insn->immediate = static_cast<std::int32_t>(declared.index);
  if (declared.kind == Declared::Kind::kRegion) {
    return resolve_region(draft, use, declared.index, insn);
  }
  if (use.has_offset) return problem(use.spot, "only a region takes an offset");
  insn->src = declared.kind == Declared::Kind::kArray ? kPseudoArray : kPseudoFunction;
  return {};
}

// Callbacks that are named, and then those of programs that throw and name none.
Read<void> resolve_callbacks(Draft& draft) {
  for (const NameUse& use : draft.callbacks) {
    const Read<std::size_t> function = find(draft.functions[use.owner], use, "function");
    if (!function) return std::unexpected(function.error());
    if (*function == 0) return problem(use.spot, "the main function is no exception callback");
    draft.value.programs[use.owner].exception_callback = static_cast<int>(*function);
  }
  for (Program& program : draft.value.programs) {
    if (complete_callback(program)) continue;
    return problem(draft.programs.find(program.name)->second.spot,
                   "a program that throws and names no '.callback' gets one function more, and has "
                   "no room for it");
  }
  return {};
}

}  // namespace

Read<void> resolve(Draft& draft) {
  if (Read<void> names = check_function_names(draft); !names) return names;
  for (const NameUse& use : draft.slots) {
    const Read<std::size_t> program = find(draft.programs, use, "program");
    if (!program) return std::unexpected(program.error());
    draft.value.arrays[use.owner].slots[use.slot] = static_cast<int>(*program);
  }
  for (const NameUse& use : draft.calls) {
    const Read<std::size_t> callee = find(draft.functions[use.owner], use, "function");
    if (!callee) return std::unexpected(callee.error());
    insn_of(draft, use)->immediate = static_cast<std::int32_t>(*callee);
  }
  for (const NameUse& use : draft.symbols) {
    if (Read<void> symbol = resolve_symbol(draft, use); !symbol) return symbol;
  }
  if (draft.enter) {
    const Read<std::size_t> program = find(draft.programs, *draft.enter, "program");
    if (!program) return std::unexpected(program.error());
    draft.value.enter = static_cast<int>(*program);
  }
  return resolve_callbacks(draft);
}

Read<void> Labels::define(std::string_view name, std::size_t slot, const Spot& spot) {
  const auto [it, is_new] = labels_.emplace(std::string(name), Label{slot, spot});
  if (is_new) return {};
  return problem(spot, fmt::format("label {} is already defined, line {}", quoted(name),
                                   it->second.spot.line));
}

void Labels::jump(const Reference& reference, std::size_t slot, const Spot& spot) {
  Jump jump{std::nullopt, slot, spot};
  if (reference.kind == Reference::Kind::kLabel) jump.label = std::string(reference.name);
  jumps_.push_back(std::move(jump));
}

Read<void> Labels::resolve_jump(std::vector<Insn>& insns, const std::vector<bool>& starts,
                                const Jump& jump) const {
  Insn& insn = insns[jump.slot];
  if (jump.label) {
    const auto it = labels_.find(*jump.label);
    if (it == labels_.end()) {
      return problem(jump.spot, fmt::format("there is no label {}", quoted(*jump.label)));
    }
    const std::int64_t distance =
        static_cast<std::int64_t>(it->second.slot) - static_cast<std::int64_t>(jump.slot) - 1;
    if (!set_jump_distance(insn, distance)) {
      return problem(jump.spot, fmt::format("label {} is {} slots away: more than 16 bits reach",
                                            quoted(*jump.label), std::abs(distance)));
    }
  }
  const std::int64_t target = jump_target(insn, static_cast<std::int64_t>(jump.slot));
  if (target < 0 || target >= static_cast<std::int64_t>(insns.size())) {
    return problem(jump.spot, "the jump leaves the function");
  }
  if (!starts[static_cast<std::size_t>(target)]) {
    return problem(jump.spot, "the jump lands in the middle of a wide load");
  }
  return {};
}

Read<void> Labels::resolve(Function& function) {
  const std::vector<bool> starts = instruction_starts(function.insns);
  for (const auto& [name, label] : labels_) {
    if (label.slot >= function.insns.size()) {
      return problem(label.spot, fmt::format("no instruction follows label {}", quoted(name)));
    }
  }
  for (const Jump& jump : jumps_) {
    if (Read<void> step = resolve_jump(function.insns, starts, jump); !step) return step;
  }
  labels_.clear();
  jumps_.clear();
  return {};
}

}  // namespace plumb::text
