// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

namespace plumb {

// SplitMix64 (Steele, Lea, Flood 2014): the same sequence everywhere, from the seed alone.
class Rng {
 public:
  explicit Rng(std::uint64_t seed) : state_(seed) {}
  [[nodiscard]] std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // Uniform enough in [0, bound); bound > 0.
  [[nodiscard]] std::uint64_t below(std::uint64_t bound) {
    return static_cast<std::uint64_t>((Wide{next()} * bound) >> 64);
  }

 private:
  __extension__ using Wide = unsigned __int128;  // both compilers have it; -Wpedantic asks

  std::uint64_t state_;
};

// The seed of the n-th case of a run.
[[nodiscard]] inline std::uint64_t nth_seed(std::uint64_t seed, std::uint64_t n) {
  return Rng(seed ^ (n * 0xd1342543de82ef95u)).next();
}

}  // namespace plumb
