// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/llvm_disassembler.h"

namespace plumb::machine {

struct LlvmDisassembler::Handle {};

LlvmDisassembler::LlvmDisassembler(Arch) {}
LlvmDisassembler::~LlvmDisassembler() = default;

std::optional<std::string> LlvmDisassembler::decode(std::span<const std::uint8_t>, std::uint64_t) {
  return std::nullopt;
}

}  // namespace plumb::machine
