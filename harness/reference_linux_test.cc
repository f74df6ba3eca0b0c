// SPDX-License-Identifier: GPL-2.0-or-later
//
// A reference layout beside the kernel JIT of the same era: the prologues have the same bytes.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/rng.h"
#include "gen/generate.h"
#include "jit_under_test/jit.h"
#include "jit_under_test/reference/reference.h"

namespace plumb::harness {
namespace {

struct Pair {
  const char* linux_jit;
  const char* reference;
};
constexpr Pair kPairs[] = {
    {"linux-6.12-x86_64", "reference:x86_64-6.12"},
    {"linux-6.1-x86_64", "reference:x86_64-6.7"},  // 6.1.192 has the fixes up to 2b5dcb31a19a
    {"linux-6.12-arm64", "reference:arm64-6.12"},
    {"linux-6.1-arm64", "reference:arm64-5.19"},
};
constexpr std::uint64_t kCases = 150;

// The prologue's bytes. Where the arm64 JIT points x27 depends on the offsets that the function
// uses, and the reference does not look at them: the constant of "sub x27, x25, #n" is left out.
std::string prologue(const Image& image, const NativeFunction& native) {
  const auto code = image.placement.bytes(native.address, native.insn_offsets.front());
  std::string bytes(code.begin(), code.end());
  if (image.arch != Arch::kArm64) return bytes;
  constexpr std::uint32_t kSubX27X25 = 0xd100033b;
  constexpr std::uint32_t kConstant = 0xfff << 10;
  for (std::size_t i = 0; i + 4 <= bytes.size(); i += 4) {
    std::uint32_t word = 0;
    std::memcpy(&word, bytes.data() + i, 4);
    if ((word & ~kConstant) == kSubX27X25) std::memcpy(bytes.data() + i, &kSubX27X25, 4);
  }
  return bytes;
}

std::string hex(const std::string& bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

class ReferenceBesideLinux : public testing::TestWithParam<Pair> {};

TEST_P(ReferenceBesideLinux, ProloguesHaveTheSameBytes) {
  const auto kernel =
      jit::open_plugin(fmt::format("{}/{}.so", PLUMB_PLUGIN_DIR, GetParam().linux_jit));
  ASSERT_TRUE(kernel.has_value()) << kernel.error().str();
  const auto ours = jit::reference::open(GetParam().reference);
  ASSERT_TRUE(ours.has_value());
  // But for tail calls in callbacks, which kernels let through and no layout supports.
  Contract contract = (*kernel)->info().contract;
  EXPECT_TRUE(std::exchange(contract.tail_call_in_callback, false));
  EXPECT_EQ(contract, (*ours)->info().contract);
  int compared = 0;
  int marked_otherwise = 0;
  for (std::uint64_t n = 0; n < kCases; ++n) {
    const Case value = gen::generate(nth_seed(5, n));
    const jit::LoadOutcome theirs = (*kernel)->load(value);
    const jit::LoadOutcome mine = (*ours)->load(value);
    if (theirs.image == nullptr || mine.image == nullptr) continue;
    for (const NativeFunction& f : mine.image->image().functions) {
      const NativeFunction* k = theirs.image->image().find_function(f.program, f.function);
      ASSERT_NE(k, nullptr);
      // The verifier's walk marks some functions that lead to no tail call.
      if (k->tail_call_reachable != f.tail_call_reachable) {
        ++marked_otherwise;
        continue;
      }
      ++compared;
      EXPECT_EQ(hex(prologue(theirs.image->image(), *k)), hex(prologue(mine.image->image(), f)))
          << "case " << n << ", program " << f.program << ", function " << f.function;
      EXPECT_EQ(k->stack_size, f.stack_size) << "case " << n;
      if (f.function == 0) {
        EXPECT_EQ(k->tail_call_entry, f.tail_call_entry);
      }
    }
  }
  EXPECT_GT(compared, static_cast<int>(kCases));
  EXPECT_LT(marked_otherwise, compared / 10);
}

INSTANTIATE_TEST_SUITE_P(Eras, ReferenceBesideLinux, testing::ValuesIn(kPairs),
                         [](const auto& pair) {
                           std::string name = pair.param.linux_jit;
                           for (char& c : name)
                             c = std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '_';
                           return name;
                         });

}  // namespace
}  // namespace plumb::harness
