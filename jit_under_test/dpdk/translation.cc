// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/dpdk/translation.h"

#include <algorithm>
#include <array>
#include <cstddef>

namespace plumb::dpdk {
namespace {

// RFC 9669, sections 3 and 5.4.
enum : std::uint8_t {
  kClassMask = 0x07,
  kClassStore = 0x02,
  kClassStoreRegister = 0x03,
  kClassJump = 0x05,
  kCall = 0x85,
  kWideLoad = 0x18,
  kMov32Imm = 0xb4,
  kMov64Imm = 0xb7,
  kRegionSource = 2,
};

enum class Argument : std::uint8_t {
  None,
  Any,
  Anything,
  Context,
  Array,
  ReadMem,
  WriteMem,
  Size,
  Function
};

struct Helper {
  std::int32_t number;
  std::array<Argument, 5> arguments;
};

constexpr Helper kHelpers[] = {
#define PLUMB_HELPER(name, number, result, a1, a2, a3, a4, a5) \
  {number, {Argument::a1, Argument::a2, Argument::a3, Argument::a4, Argument::a5}},
#include "core/helpers.inc"
};

constexpr rte_bpf_arg kScalar{.type = RTE_BPF_ARG_RAW, .size = 8, .buf_size = 0};

std::uint8_t destination(const plumb_insn& insn) { return insn.registers & 0xf; }
std::uint8_t source(const plumb_insn& insn) { return insn.registers >> 4; }

bool writes_register(const plumb_insn& insn, std::uint8_t reg) {
  const int instruction_class = insn.opcode & kClassMask;
  const bool stores = instruction_class == kClassStore || instruction_class == kClassStoreRegister;
  return !stores && destination(insn) == reg;
}

// The constant that straight code in front of the call puts into the register; 0: none.
std::size_t constant_before(const plumb_function& function, std::uint32_t call, std::uint8_t reg) {
  for (std::uint32_t i = call; i-- > 0;) {
    const plumb_insn& insn = function.insns[i];
    if ((insn.opcode & kClassMask) == kClassJump) return 0;
    if (!writes_register(insn, reg)) continue;
    const bool is_constant = insn.opcode == kMov64Imm || insn.opcode == kMov32Imm;
    return is_constant && insn.immediate > 0 ? static_cast<std::size_t>(insn.immediate) : 0;
  }
  return 0;
}

rte_bpf_xsym describe_call(const plumb_function& function, std::uint32_t call, const Helper& helper,
                           HelperFunction target) {
  rte_bpf_xsym external{.name = "helper", .type = RTE_BPF_XTYPE_FUNC, .func = {}};
  external.func.val = target;
  external.func.ret = kScalar;
  for (std::uint8_t i = 0; i < helper.arguments.size(); ++i) {
    const Argument argument = helper.arguments[i];
    if (argument == Argument::None) break;
    const bool is_memory = argument == Argument::ReadMem || argument == Argument::WriteMem;
    const auto size_register = static_cast<std::uint8_t>(i + 2);
    external.func.nb_args = i + 1u;
    external.func.args[i] =
        is_memory ? rte_bpf_arg{.type = RTE_BPF_ARG_PTR,
                                .size = constant_before(function, call, size_register),
                                .buf_size = 0}
                  : kScalar;
  }
  return external;
}

// Empty, or why not.
std::string translate_call(const plumb_function& function, std::uint32_t slot,
                           const Surroundings& around, Translation& out) {
  plumb_insn& insn = out.insns[slot];
  const auto* const helper = std::ranges::find(kHelpers, insn.immediate, &Helper::number);
  if (source(insn) != 0) return "a call of a BPF function";
  if (helper == std::end(kHelpers)) return "no helper has that number";
  insn.immediate = static_cast<std::int32_t>(out.externals.size());
  out.externals.push_back(describe_call(function, slot, *helper, around.helper(helper->number)));
  return {};
}

std::string translate_address(std::uint32_t slot, const Surroundings& around, Translation& out) {
  plumb_insn& low = out.insns[slot];
  plumb_insn& high = out.insns[slot + 1];
  const auto region = static_cast<std::uint32_t>(low.immediate);
  if (source(low) != kRegionSource || region >= around.region_addresses.size()) {
    return "the address of something else than a map value";
  }
  const auto offset = static_cast<std::uint32_t>(high.immediate);
  const std::uint64_t size = around.region_sizes[region];
  const std::uint64_t address = around.region_addresses[region] + offset;
  low.registers = destination(low);
  low.immediate = static_cast<std::int32_t>(address);
  high.immediate = static_cast<std::int32_t>(address >> 32);
  rte_bpf_xsym external{.name = "map value", .type = RTE_BPF_XTYPE_VAR, .var = {}};
  external.var.val = reinterpret_cast<void*>(address);
  external.var.desc = {
      .type = RTE_BPF_ARG_PTR, .size = offset < size ? size - offset : 0, .buf_size = 0};
  out.externals.push_back(external);
  return {};
}

}  // namespace

rte_bpf_prm Translation::parameters(std::uint32_t context_size) const {
  return {.ins = insns.data(),
          .nb_ins = static_cast<std::uint32_t>(insns.size()),
          .xsym = externals.data(),
          .nb_xsym = static_cast<std::uint32_t>(externals.size()),
          .prog_arg = {.type = RTE_BPF_ARG_PTR, .size = context_size, .buf_size = 0}};
}

bool translate(const plumb_function& function, const Surroundings& around, Translation& out,
               std::string& why) {
  out.insns.assign(function.insns, function.insns + function.insn_count);
  out.externals.clear();
  for (std::uint32_t slot = 0; slot < function.insn_count; ++slot) {
    const plumb_insn& insn = out.insns[slot];
    std::string problem;
    if (insn.opcode == kCall) problem = translate_call(function, slot, around, out);
    if (insn.opcode == kWideLoad) {
      if (source(insn) != 0) problem = translate_address(slot, around, out);
      ++slot;
    }
    if (!problem.empty()) {
      why = "slot " + std::to_string(slot) + ": " + problem;
      return false;
    }
  }
  return true;
}

}  // namespace plumb::dpdk
