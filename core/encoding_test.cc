// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/encoding.h"

#include <gtest/gtest.h>

#include "core/rng.h"

namespace plumb {
namespace {

TEST(Encoding, LaysOutASlotAsTheRfcDoes) {
  const Insn insn{.opcode = 0x7b, .dst = 10, .src = 3, .offset = -8, .immediate = 0x01020304};
  const std::array<std::uint8_t, kSlotBytes> expected = {0x7b, 0x3a, 0xf8, 0xff,
                                                         0x04, 0x03, 0x02, 0x01};
  EXPECT_EQ(encode(insn), expected);
}

TEST(Encoding, EveryEightBytesRoundTrip) {
  Rng rng(1);
  for (int i = 0; i < 10'000; ++i) {
    std::array<std::uint8_t, kSlotBytes> bytes{};
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(rng.below(256));
    ASSERT_EQ(encode(decode_slot(bytes)), bytes);
  }
}

}  // namespace
}  // namespace plumb
