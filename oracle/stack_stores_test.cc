// SPDX-License-Identifier: GPL-2.0-or-later
//
// The record of what the program and its helpers write to the stack.
#include <fmt/core.h>

#include "oracle/testing_oracle.h"

namespace plumb::oracle {
namespace {

using By = StackStore::By;

struct Row {
  std::string_view name;
  std::string_view body;  // the last store to the stack is looked at
  By by;
  std::uint32_t size;
  std::int64_t offset;  // from R10
  std::uint64_t value;  // low bytes; helpers: not looked at
};

constexpr Row kRows[] = {
    {"a store of a constant", "*(u64 *)(r10 - 8) = -2", By::kStore, 8, -8, ~std::uint64_t{1}},
    {"a store of a byte", "r2 = 0x1ff ll\n*(u8 *)(r10 - 3) = r2", By::kStore, 1, -3, 0xff},
    {"an addition", "*(u64 *)(r10 - 8) = 5\nr2 = 3\nlock *(u64 *)(r10 - 8) += r2", By::kAtomic, 8,
     -8, 8},
    {"a 32-bit or", "*(u32 *)(r10 - 8) = 4\nr2 = 3\nlock *(u32 *)(r10 - 8) |= w2", By::kAtomic, 4,
     -8, 7},
    {"an exchange", "*(u64 *)(r10 - 8) = 5\nr2 = 3\nr2 = xchg_64(r10 - 8, r2)", By::kAtomic, 8, -8,
     3},
    {"a comparison that holds",
     "*(u64 *)(r10 - 8) = 5\nr2 = 3\nr0 = 5\nr0 = cmpxchg_64(r10 - 8, r0, r2)", By::kAtomic, 8, -8,
     3},
    {"a comparison that does not",
     "*(u64 *)(r10 - 8) = 5\nr2 = 3\nr0 = 6\nr0 = cmpxchg_64(r10 - 8, r0, r2)", By::kFailedAtomic,
     8, -8, 5},
    {"a helper", "r1 = r10\nr1 += -16\nr2 = 16\ncall 16", By::kHelper, 16, -16, 0},
};

TEST(StackStores, AreRecordedWithWhereAndWhat) {
  for (const Row& row : kRows) {
    SCOPED_TRACE(row.name);
    const Execution execution = run_text(in_main(fmt::format("{}\nr0 = 0\nexit", row.body)));
    ASSERT_TRUE(execution.defined) << execution.undefined_reason;
    ASSERT_FALSE(execution.stack_stores.empty());
    const StackStore& store = execution.stack_stores.back();
    EXPECT_EQ(store.by, row.by);
    EXPECT_EQ(store.by == By::kHelper ? store.helper_size : store.size, row.size);
    EXPECT_EQ(store.target, Value::pointer(Space::kStack, 0, row.offset));
    if (row.by == By::kHelper) continue;
    const std::uint64_t mask = row.size == 8 ? ~std::uint64_t{0} : (1ull << 8 * row.size) - 1;
    ASSERT_TRUE(store.value.is_scalar());
    EXPECT_EQ(store.value.bits & mask, row.value);
  }
}

// Stores elsewhere are none; events count as in the trace.
TEST(StackStores, AreOfTheStackOnlyAndKnowTheEventBefore) {
  const Execution execution =
      run_text(in_main("*(u64 *)(r10 - 8) = 1\n*(u64 *)(r1 + 0) = 2\ncall 7\n"
                       "*(u64 *)(r10 - 16) = 3\nr0 = 0\nexit"));
  ASSERT_TRUE(execution.defined) << execution.undefined_reason;
  ASSERT_EQ(execution.stack_stores.size(), 2u);
  EXPECT_EQ(execution.stack_stores[0].event, -1);
  EXPECT_EQ(execution.stack_stores[1].event, 0);
}

}  // namespace
}  // namespace plumb::oracle
