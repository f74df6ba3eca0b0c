// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/dpdk/translation.h"

#include <cstddef>
#include <iterator>

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

rte_bpf_xsym describe_call(const plumb_function& function, std::uint32_t call,
                           const plumb_helper& helper, HelperFunction target) {
  rte_bpf_xsym external{.name = "helper", .type = RTE_BPF_XTYPE_FUNC, .func = {}};
  external.func.val = target;
  external.func.ret = kScalar;
  for (std::size_t i = 0; i < std::size(helper.argument); ++i) {
    const std::uint8_t type = helper.argument[i];
    if (type == PLUMB_TYPE_NONE) break;
    const bool is_memory = type == PLUMB_TYPE_READ_MEMORY || type == PLUMB_TYPE_WRITE_MEMORY;
    const auto size_register = static_cast<std::uint8_t>(i + 2);
    external.func.nb_args = static_cast<std::uint32_t>(i + 1);
    external.func.args[i] =
        is_memory ? rte_bpf_arg{.type = RTE_BPF_ARG_PTR,
                                .size = constant_before(function, call, size_register),
                                .buf_size = 0}
                  : kScalar;
  }
  return external;
}

const plumb_helper* find_helper(const plumb_load_request& request, std::int32_t number) {
  for (std::uint32_t i = 0; i < request.helper_count; ++i) {
    const plumb_helper* const helper =
        // A stride counts bytes. NOLINTNEXTLINE(bugprone-casting-through-void)
        PLUMB_AT(plumb_helper, request.helpers, request.helper_stride, i);
    if (helper->number == number) return helper;
  }
  return nullptr;
}

// Empty, or why not.
std::string translate_call(const plumb_function& function, std::uint32_t slot,
                           const plumb_load_request& request, HelperTarget target,
                           Translation& out) {
  plumb_insn& insn = out.insns[slot];
  if (source(insn) != 0) return "a call of a BPF function";
  const plumb_helper* const helper = find_helper(request, insn.immediate);
  if (helper == nullptr) return "no helper has that number";
  insn.immediate = static_cast<std::int32_t>(out.externals.size());
  out.externals.push_back(describe_call(function, slot, *helper, target(*helper)));
  return {};
}

std::string translate_address(std::uint32_t slot, const plumb_load_request& request,
                              Translation& out) {
  plumb_insn& low = out.insns[slot];
  plumb_insn& high = out.insns[slot + 1];
  const auto region = static_cast<std::uint32_t>(low.immediate);
  if (source(low) != kRegionSource || region >= request.region_count) {
    return "the address of something else than a map value";
  }
  const auto offset = static_cast<std::uint32_t>(high.immediate);
  const std::uint64_t size = request.region_sizes[region];
  const std::uint64_t address = request.region_addresses[region] + offset;
  low.registers = destination(low);
  low.immediate = static_cast<std::int32_t>(address);
  high.immediate = static_cast<std::int32_t>(address >> 32);
  rte_bpf_xsym external{.name = "map value", .type = RTE_BPF_XTYPE_VAR, .var = {}};
  // A guest address. NOLINTNEXTLINE(performance-no-int-to-ptr)
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

std::string translate(const plumb_function& function, const plumb_load_request& request,
                      HelperTarget target, Translation& out) {
  out.insns.assign(function.insns, function.insns + function.insn_count);
  out.externals.clear();
  for (std::uint32_t slot = 0; slot < function.insn_count; ++slot) {
    const plumb_insn& insn = out.insns[slot];
    std::string problem;
    if (insn.opcode == kCall) problem = translate_call(function, slot, request, target, out);
    if (insn.opcode == kWideLoad && source(insn) != 0) {
      problem = translate_address(slot, request, out);
    }
    if (!problem.empty()) return "slot " + std::to_string(slot) + ": " + problem;
    if (insn.opcode == kWideLoad) ++slot;
  }
  return {};
}

}  // namespace plumb::dpdk
