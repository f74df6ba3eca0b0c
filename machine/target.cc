// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/target.h"

namespace plumb::machine {

std::unique_ptr<Target> make_target(Arch arch) {
  switch (arch) {
    case Arch::kX86_64:
      return make_target_x86_64();
    case Arch::kArm64:
      return make_target_arm64();
    case Arch::kRiscv64:
      return make_target_riscv64();
  }
  return make_target_x86_64();
}

std::vector<std::uint8_t> word_bytes(std::uint32_t word) {
  std::vector<std::uint8_t> bytes(sizeof word);
  std::memcpy(bytes.data(), &word, sizeof word);
  return bytes;
}

}  // namespace plumb::machine
