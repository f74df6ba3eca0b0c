// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/capability.h"
#include "core/case.h"
#include "core/opcode.h"
#include "gen/choices.h"
#include "gen/facts.h"

// What the mutations are written with. See mutate.h.
namespace plumb::gen {

struct Mutation {
  Case& value;
  ChoiceStream& choices;
  std::uint64_t capabilities = kAllCapabilities;  // of the JIT: no form of instruction beyond them

  [[nodiscard]] bool takes(std::uint64_t needs) const { return (needs & ~capabilities) == 0; }
  [[nodiscard]] bool takes(const OpcodeInfo& form) const { return takes(needed_by(form)); }
};

// A place in a case, with what is known about the program around it.
struct Spot {
  std::size_t program = 0;
  std::size_t function = 0;
  std::size_t slot = 0;
  std::vector<FunctionFacts> facts;  // of the program

  [[nodiscard]] const PointFacts& point() const { return facts[function].points[slot]; }
  [[nodiscard]] const PointFacts& point(std::size_t at) const { return facts[function].points[at]; }
};

[[nodiscard]] Function& function_at(Mutation& m, const Spot& spot);
[[nodiscard]] const Insn& insn_at(const Mutation& m, const Spot& spot);

// One of the reached instructions of a program that the predicate likes, each as likely as the
// others; tries another program when the first has none.
using SpotFilter = std::function<bool(const Spot&, const Insn&, const OpcodeInfo&)>;
[[nodiscard]] std::optional<Spot> pick_spot(Mutation& m, const SpotFilter& likes);
[[nodiscard]] std::optional<Spot> pick_spot(Mutation& m);

// Puts code in front of the instruction. What jumps to the instruction goes by the new code, or,
// now and then, runs it. False: a jump would become too long, or the function.
[[nodiscard]] bool insert(Mutation& m, const Spot& spot, std::span<const Insn> code);
// Puts code in place of `slots` slots.
[[nodiscard]] bool replace(Mutation& m, const Spot& spot, std::size_t slots,
                           std::span<const Insn> code);

// Makes the frame deeper by at least `bytes`, for an object aligned to `alignment`. Its offset from
// R10, or nothing when the frame would be too deep.
[[nodiscard]] std::optional<std::int16_t> grow_frame(Function& function, int bytes, int alignment);

// The body with what it destroys (R0 ... R5) saved before and restored after it, as far as it is
// live at the point: in callee-saved registers that are free, or in new stack. Nothing when there
// is no room.
[[nodiscard]] std::optional<std::vector<Insn>> saving(Mutation& m, Function& function,
                                                      const PointFacts& before, std::uint32_t live,
                                                      std::span<const Insn> body);

// A few arithmetic instructions that write registers of the set only and read scalars.
[[nodiscard]] std::vector<Insn> random_alu(Mutation& m, std::uint32_t targets,
                                           std::uint32_t scalars, int count);
[[nodiscard]] bool uses_version_4(const Case& value);

// Arguments for a call of the function as its own callers pass them, or nothing when this place
// cannot supply them.
[[nodiscard]] std::optional<std::vector<Insn>> arguments_for(Mutation& m, const PointFacts& here,
                                                             const PointFacts& callee_entry);

// A name that nothing in the case has: prefix and a number.
[[nodiscard]] std::string fresh_name(const Case& value, std::string_view prefix);

// Appends a small leaf function that returns a number; its index, or nothing.
[[nodiscard]] std::optional<int> append_leaf(Mutation& m, std::size_t program);

[[nodiscard]] Insn move_register(int dst, int src);
[[nodiscard]] Insn call_function(int function);

#define PLUMB_MUTATION(id, name, weight, needs, description) bool mutate_##id(Mutation& m);
#include "gen/mutations.inc"

}  // namespace plumb::gen
