// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/capability.h"

#include <fmt/format.h>

#include <algorithm>

namespace plumb {
namespace {

constexpr std::uint8_t kClassMask = 0x07;  // RFC 9669 section 3
constexpr std::uint8_t kClassJump32 = 0x06;

}  // namespace

std::string capability_names(std::uint64_t set) {
  std::string names;
  for (const auto& [capability, name] : kCapabilities) {
    if ((set & capability_bit(capability)) == 0) continue;
    if (!names.empty()) names += ", ";
    names += name;
  }
  return names;
}

Result<std::uint64_t> parse_capabilities(std::string_view names) {
  std::uint64_t set = 0;
  while (!names.empty()) {
    const std::string_view name = names.substr(0, names.find(','));
    const auto row = std::ranges::find(kCapabilities, name, &CapabilityInfo::name);
    if (row == kCapabilities.end()) return fail(fmt::format("no capability is called '{}'", name));
    set |= capability_bit(row->capability);
    names.remove_prefix(std::min(names.size(), name.size() + 1));
  }
  return set;
}

std::uint64_t needed_by(const OpcodeInfo& info) {
  std::uint64_t needs = 0;
  const auto need = [&needs](bool needed, Capability capability) {
    if (needed) needs |= capability_bit(capability);
  };
  const bool plain_add = info.operation == Operation::kAtomicAdd;
  need(info.version >= 4, Capability::kV4);
  need((info.code & kClassMask) == kClassJump32, Capability::kJump32);
  need(info.group == Group::kDivmul32 || info.group == Group::kDivmul64, Capability::kDivmul);
  need(info.operation == Operation::kArsh && info.width == 32, Capability::kArsh32);
  need(info.group == Group::kPacket, Capability::kLegacyPacketAccess);
  need(plain_add, Capability::kAtomicAdd);
  need(is_atomic(info.operation) && !plain_add, Capability::kAtomics);
  need(info.operation == Operation::kLoadFunction, Capability::kCallBack);
  need(info.operation == Operation::kThrow, Capability::kThrow);
  return needs;
}

std::uint64_t needed_by(const OpcodeInfo& info, const Insn& insn) {
  std::uint64_t needs = needed_by(info);
  if (is_jump(info.operation) && jump_target(insn, 0) <= 0) {
    needs |= capability_bit(Capability::kJumpBack);
  }
  if (info.operation == Operation::kCallHelper && insn.immediate == kTailCallHelper) {
    needs |= capability_bit(Capability::kTailCall);
  }
  return needs;
}

}  // namespace plumb
