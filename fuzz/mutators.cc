// SPDX-License-Identifier: GPL-2.0-or-later
//
// libFuzzer's hooks for inputs that are cases: structural changes first, bytes now and then.
#include "fuzz/mutators.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>

#include "core/rng.h"
#include "gen/generate.h"
#include "harness/fuzz_input.h"

// Of libFuzzer: its own changes of bytes.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

namespace {

// Bytes that do not parse any more are entropy: a new case, far from the old one.
constexpr std::uint64_t kBytesPercent = 5;
// An input that is entropy stays so as often; else it becomes text that can be changed bit by bit.
constexpr std::uint64_t kStayEntropyPercent = 30;

std::uint64_t& capabilities() {
  static std::uint64_t of_the_target = static_cast<std::uint64_t>(-1);
  return of_the_target;
}

// Bytes drive the generator without a look at what the JITs lack (harness/fuzz_input.h).
bool lacks_something() { return (plumb::gen::kObeyedCapabilities & ~capabilities()) != 0; }

std::size_t put(const std::string& text, std::uint8_t* out) {
  std::memcpy(out, text.data(), text.size());
  return text.size();
}

}  // namespace

void plumb::fuzz::set_capabilities(std::uint64_t of_the_target) { capabilities() = of_the_target; }

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned int seed);
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned int seed) {
  plumb::Rng rng(seed);
  const bool is_text = size > 5 && std::memcmp(data, ".case", 5) == 0;
  const bool wants_bytes = rng.below(100) < (is_text ? kBytesPercent : kStayEntropyPercent);
  if (wants_bytes && !lacks_something()) return LLVMFuzzerMutate(data, size, max_size);
  // Other bytes, and a new case out of them, is what changed bytes come to.
  const std::uint64_t seed_of_change = rng.next();
  const std::uint64_t other = rng.next();
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(&other);
  const auto text = plumb::harness::mutate_input(
      wants_bytes ? std::span(bytes, sizeof(other)) : std::span<const std::uint8_t>(data, size),
      {.max_size = max_size, .capabilities = capabilities()}, seed_of_change);
  return text ? put(*text, data) : LLVMFuzzerMutate(data, size, max_size);
}

extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* data1, std::size_t size1,
                                                 const std::uint8_t* data2, std::size_t size2,
                                                 std::uint8_t* out, std::size_t max_out_size,
                                                 unsigned int seed);
extern "C" std::size_t LLVMFuzzerCustomCrossOver(const std::uint8_t* data1, std::size_t size1,
                                                 const std::uint8_t* data2, std::size_t size2,
                                                 std::uint8_t* out, std::size_t max_out_size,
                                                 unsigned int seed) {
  const auto text = plumb::harness::cross_inputs(
      {data1, size1}, {data2, size2}, {.max_size = max_out_size, .capabilities = capabilities()},
      seed);
  if (text) return put(*text, out);
  const std::size_t size = std::min(size1, max_out_size);
  std::memcpy(out, data1, size);
  return size;
}
