// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/capability.h"
#include "core/case.h"

namespace plumb::gen {

// What cases of a shape do when they run, at least one in twenty.
enum class Reach : std::uint32_t {
  kCall = 1u << 0,           // of a BPF function, or a callback
  kTailCall = 1u << 1,       // taken
  kTailCallLimit = 1u << 2,  // refused, because the limit of 33 is reached
  kStackPointer = 1u << 3,   // passed to a BPF function
  kHelperCall = 1u << 4,
  kThrow = 1u << 5,
};
[[nodiscard]] constexpr std::uint32_t reach_bit(Reach reach) {
  return static_cast<std::uint32_t>(reach);
}
inline constexpr std::uint32_t kReachesAll = ~std::uint32_t{0};

// One row of the shape table (shapes.inc): a kind of case, and how often it is chosen.
struct Shape {
  std::string_view name;
  std::string_view description;
  int weight = 0;
  std::uint32_t reaches = 0;  // or of Reach
  std::uint64_t needs = 0;    // or of core/capability.h: a JIT without them gets no such case
};

[[nodiscard]] std::span<const Shape> shapes();
[[nodiscard]] const Shape* find_shape(std::string_view name);

// What its cases do on a JIT with these capabilities: without tail calls beside subprograms, a
// shape of tail calls has no calls.
[[nodiscard]] std::uint32_t reaches(const Shape& shape, std::uint64_t capabilities);

// The capabilities that a generated case can need; the others change nothing.
inline constexpr std::uint64_t kObeyedCapabilities =
    capability_bit(Capability::kCallSubprograms) | capability_bit(Capability::kTailCall) |
    capability_bit(Capability::kTailCallInSubprogram) | capability_bit(Capability::kCallBack) |
    capability_bit(Capability::kAtomics) | capability_bit(Capability::kV4) |
    capability_bit(Capability::kJumpBack) | capability_bit(Capability::kAtomicAdd) |
    capability_bit(Capability::kJump32) | capability_bit(Capability::kDivmul) |
    capability_bit(Capability::kArsh32) | capability_bit(Capability::kReachBelow) |
    capability_bit(Capability::kMixStackSizes) | capability_bit(Capability::kIndexStack) |
    capability_bit(Capability::kThrow);

// A case from choices: every decision reads the next bytes, and when they run out a generator
// seeded from all of them goes on, so that any input gives a whole case. Same bytes and
// capabilities, same case. A shape given overrides the choice of one; it must need nothing beyond
// the capabilities. The case needs nothing beyond them either (oracle/capabilities.h). What is
// absent is drawn again or left out, so that most cases that do not need it are the same whatever
// the capabilities are.
[[nodiscard]] Case generate(std::span<const std::uint8_t> choices, const Shape* shape = nullptr,
                            std::uint64_t capabilities = kAllCapabilities);

// The same from a seed: what "plumb gen --seed" prints.
[[nodiscard]] Case generate(std::uint64_t seed, const Shape* shape = nullptr,
                            std::uint64_t capabilities = kAllCapabilities);

}  // namespace plumb::gen
