// SPDX-License-Identifier: GPL-2.0-or-later
//
// Stores to the stack: those of the JIT itself, the count of tail calls, and the program's against
// the oracle's.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "invariants/testing_run.h"
#include "invariants/testing_text.h"

namespace plumb::invariants {
namespace {

struct Damage {
  const char* name;
  std::function<void(BuiltRun&)> apply;
  const char* invariant;  // the first one that the run then breaks
  const char* role;
};

const std::vector<Damage>& damages() {
  static const std::vector<Damage> rows{
      {"a push lands above the invocation",
       [](BuiltRun& b) {
         StackAccess& push = b.run.accesses.front();
         push.pc = b.image.entry + 0x30;  // of the call
         push.address = b.run.entry_sp + 8;
       },
       "caller-stack-unwritten", "main"},
      {"the caller's memory has changed",
       [](BuiltRun& b) { b.run.caller_stack_changed = b.run.entry_sp + 512; },
       "caller-stack-unwritten", "main"},
      {"a helper call's code stores",
       [](BuiltRun& b) { b.store(0).pc = b.image.entry + 0x20 + 2 * 0x10; },
       "stores-are-accounted-for", "main"},
      {"a prologue stores above its entry",
       [](BuiltRun& b) {
         StackAccess access = b.store(2);
         access.pc = b.image.functions[3].address + 0x18;
         access.address = b.run.activations[0].r10 - 8;
         const auto index = &b.store(2) - b.run.accesses.data();
         b.run.accesses.insert(b.run.accesses.begin() + index, access);
       },
       "bpf-stack-disjoint-from-saved-area", "tail-callee"},
      {"a prologue stores beside the BPF stack of its caller",
       [](BuiltRun& b) {
         for (NativeFunction& function : b.image.functions) function.stack_size = 8;
         StackAccess access = b.store(2);
         access.pc = b.image.functions[3].address + 0x18;
         access.address = b.run.activations[0].r10 - 16;
         const auto index = &b.store(2) - b.run.accesses.data();
         b.run.accesses.insert(b.run.accesses.begin() + index, access);
       },
       "stores-are-accounted-for", "tail-callee"},
      {"a store of the program hits the count",
       [](BuiltRun& b) {
         StackAccess store = b.store(2);
         store.address = b.count(0).address;
         b.run.accesses.push_back(store);
         b.run.accesses.back().event = 6;
       },
       "tail-call-counter-intact", "tail-callee"},
      {"a helper writes into the count",
       [](BuiltRun& b) {
         StackAccess store = b.store(2);
         store.address = b.count(0).address;
         store.pc = 0;
         b.run.accesses.push_back(store);
       },
       "tail-call-counter-intact", "tail-callee"},
      {"a tail call counts by two", [](BuiltRun& b) { ++b.count(0).value; },
       "tail-call-counter-intact", "subprogram"},
      {"a tail call counts twice, one each time",
       [](BuiltRun& b) {
         StackAccess again = b.count(0);
         ++again.value;
         const auto index = &b.count(0) - b.run.accesses.data();
         b.run.accesses.insert(b.run.accesses.begin() + index + 1, again);
       },
       "tail-call-counter-intact", "subprogram"},
      {"the code of a tail call adds one to a saved register",
       [](BuiltRun& b) {
         StackAccess stray = b.count(0);
         const auto saved = std::ranges::find_if(b.run.accesses, [&](const StackAccess& access) {
           return access.activation == 1 && access.address < b.run.activations[1].r10;
         });
         stray.address = saved->address;
         stray.value = saved->value + 1;
         const auto index = &b.count(0) - b.run.accesses.data();
         b.run.accesses.insert(b.run.accesses.begin() + index, stray);
       },
       "tail-call-counter-intact", "subprogram"},
      {"a refused tail call counts",
       [](BuiltRun& b) {
         StackAccess count = b.count(0);
         count.pc = b.image.functions[3].address + 0x20 + 0x10 + 3;
         ++count.value;
         count.activation = 2;
         count.event = static_cast<std::int32_t>(b.nth(EventKind::kTailCallTaken));
         b.run.accesses.push_back(count);
       },
       "tail-call-counter-intact", "tail-callee"},
      {"a tail call starts the count again",
       [](BuiltRun& b) {
         b = tail_call_chain(3);
         b.count(2).value = 1;
       },
       "tail-call-counter-intact", "tail-callee"},
      {"a tail call counts where no count is kept",
       [](BuiltRun& b) { b.count(0).address = b.run.activations[1].r10 - 64; },
       "tail-call-counter-intact", "subprogram"},
      {"a store is made twice",
       [](BuiltRun& b) {
         const StackAccess store = b.store(1);
         const auto index = &b.store(1) - b.run.accesses.data();
         b.run.accesses.insert(b.run.accesses.begin() + index, store);
       },
       "same-stores", "subprogram"},
      {"a store is left out",
       [](BuiltRun& b) {
         const auto index = &b.store(1) - b.run.accesses.data();
         b.run.accesses.erase(b.run.accesses.begin() + index);
       },
       "same-stores", "tail-callee"},
      {"the last store is left out",
       [](BuiltRun& b) {
         const auto index = &b.store(2) - b.run.accesses.data();
         b.run.accesses.erase(b.run.accesses.begin() + index);
       },
       "same-stores", "main"},
      {"a store is 8 bytes off and inside", [](BuiltRun& b) { b.store(2).address += 8; },
       "same-stores", "tail-callee"},
      {"a store has another value", [](BuiltRun& b) { ++b.store(2).value; }, "same-stores",
       "tail-callee"},
      {"an atomic stores something else",
       [](BuiltRun& b) {
         b.oracle_store(2).by = StackStore::By::kAtomic;
         ++b.oracle_store(2).value.bits;
       },
       "same-stores", "tail-callee"},
      {"an exchange that fails stores something else",
       [](BuiltRun& b) {
         b.oracle_store(2).by = StackStore::By::kFailedAtomic;
         ++b.oracle_store(2).value.bits;
       },
       "same-stores", "tail-callee"},
      {"a store is narrower", [](BuiltRun& b) { b.store(2).size = 4; }, "same-stores",
       "tail-callee"},
      {"a stored pointer is 8 bytes off",
       [](BuiltRun& b) { b.oracle_store(2).value = Value::pointer(Space::kContext, 0, 0); },
       "same-stores", "tail-callee"},
  };
  return rows;
}

TEST(Stores, EachDamageIsNamedByTheInvariantItBreaks) {
  for (const Damage& row : damages()) {
    SCOPED_TRACE(row.name);
    BuiltRun built = good_run();
    row.apply(built);
    const auto violations = check(built.subject()).violations;
    ASSERT_FALSE(violations.empty());
    EXPECT_EQ(violations[0].invariant, std::string_view(row.invariant)) << listing(violations);
    EXPECT_EQ(violations[0].role, row.role) << listing(violations);
  }
}

// An attempt at an empty slot counts where the contract says so.
TEST(Stores, HoldWhenARefusedTailCallMayCount) {
  BuiltRun built = good_run();
  count_at_empty_slot(built);
  const auto violations = check(built.subject()).violations;
  EXPECT_TRUE(violations.empty()) << listing(violations);
}

}  // namespace
}  // namespace plumb::invariants
