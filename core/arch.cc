// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/arch.h"

#include <array>
#include <utility>

namespace plumb {
namespace {

constexpr std::array kArches{
    std::pair{Arch::kX86_64, std::string_view("x86_64")},
    std::pair{Arch::kArm64, std::string_view("arm64")},
    std::pair{Arch::kRiscv64, std::string_view("riscv64")},
};

}  // namespace

std::string_view arch_name(Arch arch) {
  for (const auto& [value, name] : kArches) {
    if (value == arch) return name;
  }
  return "?";
}

bool has_arch(std::string_view letters, Arch arch) {
  return letters.contains(arch_name(arch).front());
}

std::optional<Arch> parse_arch(std::string_view name) {
  for (const auto& [value, text] : kArches) {
    if (text == name) return value;
  }
  return std::nullopt;
}

}  // namespace plumb
