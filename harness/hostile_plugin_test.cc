// SPDX-License-Identifier: GPL-2.0-or-later
//
// Plugins that do what a plugin must not do (jit_under_test/hostile_plugin.c), each in a process of
// its own: what they do is a finding on them, or the reason why they are not available, and another
// JIT that is judged beside them is judged as without them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/case_text.h"
#include "harness/check.h"
#include "harness/fuzz_driver.h"
#include "harness/isolate.h"
#include "harness/minimize_isolated.h"
#include "jit_under_test/isolated/isolated_jit.h"
#include "jit_under_test/isolated/strangers.h"
#include "jit_under_test/reference/reference.h"

namespace plumb::harness {
namespace {

using Jits = std::vector<std::unique_ptr<jit::Jit>>;

struct Row {
  const char* name;
  const char* not_available;  // why; null: it can be opened
  Verdict verdict;
  const char* reason;  // a part of it
};

constexpr const char* kEnded = "ended without a verdict (status 0)";
constexpr const char* kAborted = "killed by signal 6 (ABRT)";

constexpr Row kRows[] = {
    {"NONE", nullptr, Verdict::kConforms, ""},
    {"EXIT_IN_LOAD", nullptr, Verdict::kCrash, kEnded},
    {"EXIT_IN_UNLOAD", nullptr, Verdict::kCrash, kEnded},
    {"EXIT_IN_CONSTRUCTOR", "it cannot be opened: ended without a verdict (status 0)",
     Verdict::kNotJudged, ""},
    {"ABORT", nullptr, Verdict::kCrash, kAborted},
    {"HANG_IN_LOAD", nullptr, Verdict::kCrash, "does not end"},
    {"HANG_IN_OPEN", "it cannot be opened: does not end", Verdict::kNotJudged, ""},
    {"FORK", nullptr, Verdict::kCrash, kEnded},
    {"MEMORY", nullptr, Verdict::kCrash, ""},  // how it dies is the allocator's choice
    {"STDOUT", nullptr, Verdict::kConforms, ""},
    {"ESCAPES", nullptr, Verdict::kRefused,
     "]}\\nplumb: the harness failed: forged\\n\\x1b[2Jall conforms\\n\\xff\\xfe"},
    {"LONGJMP", nullptr, Verdict::kCrash, ""},  // to a frame that is no more: anything
    {"EXCEPTION", nullptr, Verdict::kCrash, kAborted},
    {"OVERWRITE", nullptr, Verdict::kCrash, ""},
    {"KILLED", nullptr, Verdict::kCrash, "killed by signal 9 (KILL)"},
};

Result<std::unique_ptr<jit::Jit>> open_hostile(const Row& row) {
  jit::HostLimits limits;
  // Of what never ends anyway.
  if (std::string_view(row.name).starts_with("HANG")) {
    limits.seconds_to_open = limits.seconds_to_load = 0.5;
  }
  limits.memory = std::uint64_t{256} << 20;
  return jit::open_isolated(fmt::format("{}/{}.so", PLUMB_HOSTILE_PLUGINS, row.name), limits);
}

void add_bystander(Jits& jits) {
  auto jit = jit::reference::open("reference:x86_64-5.2");
  ASSERT_TRUE(jit);
  jits.push_back(std::move(*jit));
}

// Returns 0, which is what the plugin's code does, whatever the program.
Case harmless_case() {
  return parse_case(".case 1\n.program p\n.function main\n r1 = 4\n r1 += 3\n r0 = 0\n exit\n")
      .value();
}

class HostilePlugin : public testing::TestWithParam<Row> {
 protected:
  // Null: it is not available, as the row says.
  std::unique_ptr<jit::Jit> open() {
    auto opened = open_hostile(GetParam());
    EXPECT_EQ(opened.has_value(), GetParam().not_available == nullptr);
    if (!opened) {
      EXPECT_EQ(opened.error().message, GetParam().not_available);
    }
    return opened ? std::move(*opened) : nullptr;
  }

  void expect_judged(const Judgement& judgement) {
    EXPECT_EQ(judgement.verdict, GetParam().verdict) << judgement.reason;
    EXPECT_NE(judgement.reason.find(GetParam().reason), std::string::npos) << judgement.reason;
    EXPECT_EQ(judgement.reason.find_first_of("\n\033"), std::string::npos);
    if (judgement.verdict == Verdict::kCrash) {
      EXPECT_EQ(judgement.signature.str(), "jit-survives.hostile.x86_64.-");
    }
  }
};

TEST_P(HostilePlugin, IsJudgedInTheProcessThatAsks) {
  const std::unique_ptr<jit::Jit> jit = open();
  if (jit == nullptr) return;
  Judge judge;
  for (int i = 0; i < 2; ++i) {  // with a new process, where it died
    expect_judged(judge.judge(harmless_case(), *jit, Depth::kFull).judgement);
  }
}

TEST_P(HostilePlugin, CheckJudgesTheNextJitAsWithoutIt) {
  Jits jits;
  if (auto jit = open()) jits.push_back(std::move(jit));
  add_bystander(jits);
  const NamedCase named{.name = "c", .path = "c.bpf", .value = harmless_case()};
  const CheckReport report = check_cases(std::span(&named, 1), jits, {});
  EXPECT_TRUE(report.harness_failures.empty());
  ASSERT_EQ(report.rows.size(), jits.size());
  EXPECT_EQ(report.rows.back().judgement.verdict, Verdict::kConforms);
  if (jits.size() == 2) expect_judged(report.rows.front().judgement);
}

TEST_P(HostilePlugin, FuzzJudgesTheNextJitAsWithoutIt) {
  FuzzOptions options;
  options.seed = 3;
  options.runs = 12;
  options.full_every = 4;
  options.minimize_attempts = 2;
  Jits jits;
  add_bystander(jits);
  const FuzzReport alone = fuzz(jits, options);
  if (auto jit = open()) jits.insert(jits.begin(), std::move(jit));
  const FuzzReport report = fuzz(jits, options);
  EXPECT_TRUE(report.harness_failures.empty());
  const JitFuzzReport& bystander = report.jits.back();
  EXPECT_EQ(bystander.funnel, alone.jits[0].funnel);
  EXPECT_EQ(bystander.findings.size(), alone.jits[0].findings.size());
  if (jits.size() == 1) return;
  const JitFuzzReport& hostile = report.jits.front();
  EXPECT_EQ(hostile.funnel.counts.generated, options.runs);
  EXPECT_GT(hostile.funnel.counts.applicable, 0u);
  if (GetParam().verdict == Verdict::kConforms) return;  // but for its code, which is wrong
  ASSERT_FALSE(hostile.findings.empty());
  EXPECT_EQ(hostile.findings[0].verdict, GetParam().verdict);
}

TEST_P(HostilePlugin, AFindingIsMinimised) {
  const std::unique_ptr<jit::Jit> jit = open();
  if (jit == nullptr || GetParam().verdict == Verdict::kConforms) return;
  const Judgement found = Judge().judge(harmless_case(), *jit, Depth::kFast).judgement;
  const IsolatedMinimised small =
      minimize_isolated(harmless_case(), *jit, found.signature, found.verdict,
                        {.max_attempts = 3, .interpreters = {}});
  EXPECT_TRUE(small.minimised);
  EXPECT_LE(small.result.value.programs[0].functions[0].insns.size(), 4u);
}

INSTANTIATE_TEST_SUITE_P(Deeds, HostilePlugin, testing::ValuesIn(kRows),
                         [](const auto& row) { return std::string(row.param.name); });

// Each process that judges has one of its own, with its own memory, and the parent's goes on.
TEST(IsolatedJit, ProcessesDoNotShareAnArena) {
  auto jit = open_hostile(kRows[0]);
  ASSERT_TRUE(jit);
  Judge judge;
  const auto judged = [&] {
    return judge.judge(harmless_case(), **jit, Depth::kFast).judgement.verdict;
  };
  EXPECT_EQ(judged(), Verdict::kConforms);
  const jit::LoadOutcome loaded = (*jit)->load(harmless_case());
  ASSERT_NE(loaded.image, nullptr);
  const Image& image = loaded.image->image();
  const auto code = image.placement.bytes(image.entry, 3);
  EXPECT_EQ(code[0], 0x31);
  const auto in_child = run_isolated<int>(10, [&](std::atomic<Activity>&) {
    const jit::LoadOutcome own = (*jit)->load(harmless_case());
    if (own.image == nullptr) return -1;
    own.image->image().placement.bytes(image.entry, 3)[0] = 0xcc;
    return static_cast<int>(own.image->image().placement.bytes(image.entry, 3)[0]);
  });
  EXPECT_EQ(in_child, 0xcc);
  EXPECT_EQ(code[0], 0x31);
}

// What a plugin says in the process that holds it.
TEST(IsolatedJit, WhatAnImageKeepsIsAFinding) {
  const auto jit = jit::open_isolated(fmt::format("{}/LEAKS.so", PLUMB_TESTING_PLUGINS));
  ASSERT_TRUE(jit) << jit.error().str();
  EXPECT_TRUE((*jit)->info().counts_memory);
  const Judgement judgement = Judge().judge(harmless_case(), **jit, Depth::kFast).judgement;
  ASSERT_FALSE(judgement.violations.empty());
  EXPECT_EQ(judgement.violations.back().invariant, kImageFreed);
  EXPECT_NE(judgement.violations.back().message.find("2 more pieces of memory are"),
            std::string::npos)
      << judgement.violations.back().message;
}

TEST(IsolatedJit, APluginWithoutOurMarkIsAStranger) {
  EXPECT_FALSE(jit::is_ours(fmt::format("{}/NONE.so", PLUMB_HOSTILE_PLUGINS)));
  EXPECT_FALSE(jit::is_ours("no/such/file.so"));
  EXPECT_TRUE(jit::is_ours(PLUMB_ENDING_PLUGIN));
}

}  // namespace
}  // namespace plumb::harness
