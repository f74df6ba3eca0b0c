// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/removal_sweep.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <regex>
#include <string>
#include <vector>

#include "core/case_text.h"

namespace plumb::harness {
namespace {

// Frames that take part in a throw.
constexpr const char* kSeeds = "^throw-.*\\.bpf$";

// What may be left out, and nobody can tell.
struct Harmless {
  const char* jits;  // regular expressions
  const char* text;
  bool (*when)(const Survivor& survivor);
  const char* why;
};
bool is_thrown(const Survivor& s) { return s.is_thrown; }
bool is_callback(const Survivor& s) { return s.is_exception_callback; }
bool has_no_stack(const Survivor& s) { return !s.names_r10; }
bool calls_nothing(const Survivor& s) { return !s.calls && !s.changes; }
bool changes_nothing(const Survivor& s) { return !s.changes; }
bool counts_little(const Survivor& s) { return s.tail_calls < kTailCallLimit; }
bool is_any(const Survivor&) { return true; }

constexpr Harmless kHarmless[] = {
    // ---- x86-64 ----
    {"x86_64", "^push r(bx|13|14|15)$", is_thrown,
     "a throw ends the frame: its saves are not read"},
    {"x86_64", "^mov rsp, rbp$", is_callback, "the callback's stack lies lower; leave comes back"},
    {"x86_64", "^pop r12$", changes_nothing,
     "in front of leave; the body has not written the register"},
    {"x86_64", "^(push rax|mov rax, rsp|xor rax, rax|mov edx, edx)$", counts_little,
     "no tail call comes to the limit"},
    {"x86_64", "^(add qword ptr \\[rax\\], 1|mov rax, qword ptr \\[rbp - 0x[0-9a-f]+\\])$",
     counts_little, "no tail call comes to the limit"},
    // ---- arm64 ----
    {"arm64", "^(add x9, x30, #0|mov x9, x30)$", is_any, "nobody is attached at the entry"},
    {"arm64", "^stp x(19|20|21|25|26), ", is_thrown,
     "a throw ends the frame: its saves are not read"},
    {"arm64", "^mov x25, sp$", has_no_stack, "the function does not name R10"},
    {"arm64", "^(add x0, x7, #0|mov x0, x7)$", changes_nothing, "a call left the result in x0"},
    {"arm64", "^mov x29, sp$", calls_nothing,
     "only interrupts walk from a function that calls nothing, and rely on nothing"},
    {"arm64", "^(mov x26, sp|str x12, \\[x26\\]|mov w10, #0x21|add w2, w2, #0|mov w2, w2)$",
     counts_little, "no tail call comes to the limit"},
    {"arm64", "^ldr w10, \\[x1", changes_nothing, "the key is refused all the same"},
};

struct Seed {
  std::string name;
  Case value;
};

std::vector<Seed> seeds() {
  std::vector<std::filesystem::path> files;
  const std::regex wanted(kSeeds);
  for (const auto& entry : std::filesystem::directory_iterator("corpus/seeds")) {
    if (std::regex_match(entry.path().filename().string(), wanted)) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  std::vector<Seed> all;
  for (const auto& file : files) {
    auto value = read_case(file.string());
    EXPECT_TRUE(value.has_value()) << value.error().str();
    if (value && value->expectation.kind == Expectation::Kind::kReturn)
      all.push_back({file.stem().string(), *std::move(value)});
  }
  return all;
}

struct Row {
  const char* jit;
  std::size_t broken;  // cases that it does not conform in: known/tail-call-in-callback-linux
};

class RemovalSweep : public testing::TestWithParam<Row> {};

TEST_P(RemovalSweep, WhatAFrameLacksIsAFinding) {
  auto jits = jit::open_jits(PLUMB_PLUGIN_DIR, GetParam().jit);
  ASSERT_TRUE(jits.has_value()) << jits.error().str();
  jit::Jit& jit = *jits->front();
  const auto machine = machine::make_machine(jit.info().arch);
  RemovalCounts counts;
  for (const Seed& seed : seeds()) {
    RemovalCounts more = sweep_removals(seed.value, jit, *machine);
    for (Survivor& survivor : more.survivors) survivor.where = seed.name + ": " + survivor.where;
    counts += more;
  }
  std::map<std::string, std::size_t> left;
  for (const Survivor& survivor : counts.survivors) {
    const auto row = std::ranges::find_if(kHarmless, [&](const Harmless& harmless) {
      return std::regex_search(GetParam().jit, std::regex(harmless.jits)) &&
             std::regex_search(survivor.text, std::regex(harmless.text)) && harmless.when(survivor);
    });
    const bool is_listed = row != std::end(kHarmless);
    ++left[is_listed ? row->why
                     : fmt::format("NOT LISTED{}: {}", survivor.changes ? ", changes the run" : "",
                                   survivor.text)];
    EXPECT_TRUE(is_listed) << survivor.where << ": " << survivor.text;
  }
  fmt::print("{}: {} cases, {} left out, {} instructions removed, {} found, {} idle\n",
             GetParam().jit, counts.cases, counts.left_out, counts.removed, counts.found,
             counts.idle);
  for (const auto& [why, times] : left) fmt::print("  {} left: {}\n", times, why);
  EXPECT_TRUE(counts.problems.empty()) << counts.problems.front();
  EXPECT_EQ(counts.broken, GetParam().broken);
  EXPECT_GT(counts.cases, 8u);
  EXPECT_GT(counts.found, 100u);
}

INSTANTIATE_TEST_SUITE_P(Jits, RemovalSweep,
                         testing::Values(Row{"linux-6.12-x86_64", 1}, Row{"linux-6.12-arm64", 1},
                                         Row{"reference:x86_64-6.12", 0},
                                         Row{"reference:arm64-6.12", 0}),
                         [](const auto& row) {
                           std::string name = row.param.jit;
                           for (char& c : name) c = std::isalnum(c) ? c : '_';
                           return name;
                         });

}  // namespace
}  // namespace plumb::harness
