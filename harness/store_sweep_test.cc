// SPDX-License-Identifier: GPL-2.0-or-later
//
// With --whole: every site and every slot, and the seeds of the corpus (minutes).
#include "harness/store_sweep.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string_view>
#include <utility>
#include <vector>

#include "core/case_text.h"
#include "harness/corpus.h"
#include "harness/seeded_defects.h"

namespace plumb::harness {
namespace {

bool g_whole = false;

struct Row {
  const char* jit;
  std::size_t at_least;    // cases that it has to take part in
  std::size_t broken = 0;  // of all, those that it does not conform in: known/ says why
};

// Stacks full of life: atomics, helpers that read and write the stack, callbacks, pointers to a
// caller's stack, tail calls taken and refused for each reason.
constexpr const char* kSeeds[] = {
    "atomic-every-kind-32-bit-stack",
    "atomic-every-kind-64-bit-stack",
    "callback-and-tail-call-in-one-program",
    "callback-loop-writes-stack-through-context",
    "helper-reads-two-buffers",
    "helper-writes-the-callers-stack",
    "limit-and-empty-slots",
    "limit-not-used-up-by-out-of-range",
    "pointer-spilled-and-filled",
    "stack-mixed-widths-overlap",
    "stack-pointers-to-two-frames",
    "tail-call-refused-then-taken-in-subprogram",
    "tail-callee-runs-a-callback",
    "tailcall-bpf2bpf-6-pointer-to-stack",
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const char* text : defect_cases()) {
    auto value = parse_case(text);
    EXPECT_TRUE(value.has_value()) << value.error().str();
    if (value) all.push_back(*std::move(value));
  }
  for (const char* name : kSeeds) {
    auto value = read_case(fmt::format("corpus/seeds/{}.bpf", name));
    EXPECT_TRUE(value.has_value()) << value.error().str();
    if (value) all.push_back(*std::move(value));
  }
  return all;
}

class StraySweep : public testing::TestWithParam<Row> {};

TEST_P(StraySweep, EveryStoreToALiveSlotIsAFinding) {
  auto jits = jit::open_jits(PLUMB_PLUGIN_DIR, GetParam().jit);
  ASSERT_TRUE(jits.has_value()) << jits.error().str();
  jit::Jit& jit = *jits->front();
  const auto machine = machine::make_machine(jit.info().arch);
  const SweepOptions options = g_whole ? SweepOptions{} : SweepOptions{11, 13};
  SweepCounts counts;
  for (const Case& value : cases()) counts += sweep_stores(value, jit, *machine, options);
  fmt::print(
      "{}: {} cases, {} sites, {} slots, {} stores injected; live {}, of those found {} ({:.2f} "
      "%); dead {}, of those found {}\n",
      GetParam().jit, counts.cases, counts.sites, counts.slots, counts.injected, counts.live,
      counts.live_found,
      100.0 * static_cast<double>(counts.live_found) / static_cast<double>(counts.live),
      counts.injected - counts.live, counts.dead_found);
  for (const std::string& line : counts.missed) ADD_FAILURE() << line;
  EXPECT_EQ(counts.live_found, counts.live);
  EXPECT_GE(counts.cases, GetParam().at_least);
  EXPECT_EQ(counts.broken, GetParam().broken);
  EXPECT_GE(counts.live, g_whole ? 10'000u : 200u);
  EXPECT_GT(counts.injected, counts.live) << "no slot is ever dead";
}

INSTANTIATE_TEST_SUITE_P(Jits, StraySweep,
                         testing::Values(Row{"linux-6.12-x86_64", 10}, Row{"linux-6.12-arm64", 10},
                                         Row{"linux-6.12-riscv64", 8},
                                         Row{"linux-6.1-x86_64", 8, 1},
                                         Row{"reference:x86_64-6.12", 8},
                                         Row{"reference:x86_64-6.7", 8, 1},
                                         Row{"reference:arm64-6.12", 8}),
                         [](const auto& row) {
                           std::string name = row.param.jit;
                           for (char& c : name) c = std::isalnum(c) ? c : '_';
                           return name;
                         });

}  // namespace
}  // namespace plumb::harness

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  for (int i = 1; i < argc; ++i) {
    plumb::harness::g_whole |= std::string_view(argv[i]) == "--whole";
  }
  return RUN_ALL_TESTS();
}
