// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "core/unwind/step.h"

namespace plumb::unwind {

inline constexpr std::uint64_t kLow = 0x1000;
inline constexpr std::uint64_t kHigh = 0x2000;

// A stack of zeros from kLow to kHigh, but for what is put there.
class TestStack final : public StackReader {
 public:
  std::map<std::uint64_t, std::uint64_t> words;

  [[nodiscard]] std::optional<std::uint64_t> word_elsewhere(std::uint64_t address) const override {
    if (address < kLow || address > kHigh - 8) return std::nullopt;
    const auto it = words.find(address);
    return it == words.end() ? 0 : it->second;
  }
};

}  // namespace plumb::unwind
