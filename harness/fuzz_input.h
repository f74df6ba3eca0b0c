// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "core/capability.h"
#include "core/case.h"

namespace plumb::harness {

// What a coverage-guided fuzzer's inputs mean: the text of a case; anything that does not parse
// drives the generator, so that no input is wasted. Every function here is one of its arguments;
// what bytes mean does not depend on the JITs, so that an artefact is the same case everywhere.

// Slots of a case that is read; a few bytes can ask for more (.repeat), and an input takes time.
inline constexpr int kMaxInputSlots = 1 << 16;

struct FuzzInput {
  Case value;
  bool parsed = false;  // else generated
};
[[nodiscard]] FuzzInput read_input(std::span<const std::uint8_t> bytes);

// What a made input has to keep to.
struct InputLimits {
  std::size_t max_size = 0;                       // bytes of text
  std::uint64_t capabilities = kAllCapabilities;  // that a JIT has: nothing beyond is needed
};

// Another input like it: the case changed by a few structural mutations, or crossed with a new one.
// What the oracle does not define is tried again. Nothing when no attempt keeps to the limits.
[[nodiscard]] std::optional<std::string> mutate_input(std::span<const std::uint8_t> bytes,
                                                      const InputLimits& limits,
                                                      std::uint64_t seed);

// A case made of both.
[[nodiscard]] std::optional<std::string> cross_inputs(std::span<const std::uint8_t> first,
                                                      std::span<const std::uint8_t> second,
                                                      const InputLimits& limits,
                                                      std::uint64_t seed);

}  // namespace plumb::harness
