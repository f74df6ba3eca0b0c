// SPDX-License-Identifier: GPL-2.0-or-later
#include "invariants/testing_image.h"

#include "core/guest.h"
#include "core/helper_model.h"
#include "core/opcode.h"

namespace plumb::invariants {
namespace {

Insn store_insn() { return make_insn(Opcode::kStoreImm64, 10, 0, -8, kStoredValue); }
Insn helper_insn(std::int32_t number) { return make_insn(Opcode::kCallHelper, 0, 0, 0, number); }

}  // namespace

Case built_case() {
  const Insn exit = make_insn(Opcode::kExit);
  const Insn tail_call = helper_insn(kTailCallHelper);
  Case value;
  value.programs = {
      Program{
          .name = "entry",
          .functions =
              {Function{.name = "main",
                        .insns = {store_insn(), make_insn(Opcode::kCallFunction, 0, 1, 0, 1),
                                  helper_insn(7), tail_call, helper_insn(kLoopHelper), exit},
                        .stack_depth = 16},
               Function{.name = "sub", .insns = {store_insn(), tail_call, exit}, .stack_depth = 8},
               Function{.name = "each", .insns = {store_insn(), exit}, .stack_depth = 8}}},
      Program{.name = "next",
              .functions = {Function{.name = "main",
                                     .insns = {store_insn(), tail_call, helper_insn(7), exit},
                                     .stack_depth = 32}}},
  };
  value.arrays = {ProgArray{.name = "jmp", .slots = {1, kNoProgram}}};
  value.regions = {Region{.name = "map", .bytes = std::vector<std::uint8_t>(16)}};
  value.context.resize(8);
  return value;
}

Image built_image(const Case& value, const BuiltLayout& layout) {
  Image image;
  image.arch = layout.arch;
  image.jit = "built";
  image.family = "built";
  image.registers = layout.registers;
  image.contract.call_alignment = layout.stack_alignment;
  image.arena = {.address = kBuiltArena, .size = 0x20000};
  image.placement = guest::placement(value, image.arena);
  image.arrays = {{.address = kBuiltArena + 0x18000, .size = 64}};
  image.code = {{.address = kBuiltCode, .size = 0x4000}};
  image.entry = kBuiltCode;
  std::uint64_t address = kBuiltCode;
  for (std::size_t p = 0; p < value.programs.size(); ++p) {
    for (std::size_t f = 0; f < value.programs[p].functions.size(); ++f) {
      const Function& function = value.programs[p].functions[f];
      NativeFunction native;
      native.program = static_cast<int>(p);
      native.function = static_cast<int>(f);
      native.address = address;
      native.size = 0x400;
      native.tail_call_entry = layout.landing;
      const int rounding = layout.stack_alignment;
      native.stack_size =
          static_cast<std::uint32_t>((function.stack_depth + rounding - 1) / rounding * rounding);
      for (std::uint32_t slot = 0; slot <= function.insns.size(); ++slot) {
        native.insn_offsets.push_back(kBuiltPrologue + slot * kBuiltInsn);
      }
      address += 0x400;
      image.functions.push_back(native);
    }
  }
  return image;
}

}  // namespace plumb::invariants
