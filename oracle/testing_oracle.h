// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <string_view>

#include "core/case.h"
#include "core/case_text.h"
#include "core/opcode.h"
#include "oracle/oracle.h"
#include "oracle/reasons.h"

namespace plumb::oracle {

// The case of a text without its first line.
inline Case case_of(std::string_view text) {
  Result<Case> parsed = parse_case(".case 1\n" + std::string(text), "test");
  EXPECT_TRUE(parsed.has_value()) << (parsed ? "" : parsed.error().str()) << "\n" << text;
  return parsed ? *parsed : Case{};
}

inline Execution run_text(std::string_view text, const Contract& contract = {}) {
  return run(case_of(text), contract);
}

// A program of one function, with 64 bytes of context, 32 and 16 bytes of regions and an array.
inline std::string in_main(std::string_view body) {
  return ".array jmp 2\n.region big 32\n.region small 16\n.program p\n.function main\n" +
         std::string(body) + "\n.context" + [] {
           std::string zeros;
           for (int i = 0; i < 64; ++i) zeros += " 00";
           return zeros;
         }();
}

inline void expect_returns(const Execution& execution, std::uint64_t value) {
  ASSERT_TRUE(execution.defined) << execution.undefined_reason << " at slot "
                                 << execution.undefined_at.slot;
  EXPECT_EQ(execution.result, Value::scalar(value));
}

}  // namespace plumb::oracle
