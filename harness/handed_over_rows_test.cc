// SPDX-License-Identifier: GPL-2.0-or-later
//
// The rows that the reference JIT hands over, which its emitter notes while it emits: held against
// the calls of what ran, and against the rows that come from following the code.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/case_text.h"
#include "core/rng.h"
#include "gen/generate.h"
#include "harness/judge.h"
#include "harness/walks.h"
#include "jit_under_test/reference/reference.h"
#include "machine/code_effects.h"
#include "machine/machine.h"

namespace plumb::harness {
namespace {

using unwind::Outcome;
using unwind::Row;
using unwind::Unwinder;

constexpr std::uint64_t kCases = 60;
constexpr Unwinder kByRows[] = {Unwinder::kOrcWithJitRows, Unwinder::kDwarf};

std::unique_ptr<jit::Jit> open_reference(std::string_view layout) {
  auto opened = jit::reference::open(fmt::format("reference:{}", layout));
  EXPECT_TRUE(opened.has_value()) << layout;
  return *std::move(opened);
}

// The n-th generated case under the JIT, where it ran.
Trial examine(jit::Jit& jit, Judge& judge, std::uint64_t n) {
  const Case value =
      gen::generate(nth_seed(53, n), nullptr, jit.info().capabilities & gen::kObeyedCapabilities);
  return judge.examine(value, jit, Depth::kFull);
}

class HandedOverRows : public testing::TestWithParam<std::string> {};

std::vector<std::string> all_layouts() {
  std::vector<std::string> names;
  for (const auto& row : jit::reference::layout_table()) names.emplace_back(row.name);
  return names;
}
std::string test_name(const testing::TestParamInfo<std::string>& layout) {
  std::string name = layout.param;
  std::ranges::replace_if(name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Layouts, HandedOverRows, testing::ValuesIn(all_layouts()), test_name);

// ---- the rows are there ----

void expect_well_formed(const Image& image) {
  const std::vector<Row>& rows = image.unwind_rows;
  ASSERT_FALSE(rows.empty());
  for (std::size_t i = 1; i < rows.size(); ++i) EXPECT_LT(rows[i - 1].begin, rows[i].begin);
  EXPECT_EQ(rows.back().kind, Row::Kind::kUnknown);
  const unwind::Rows list(image.arch, rows);
  for (const NativeFunction& native : image.functions) {
    const auto insns =
        machine::disassemble(image, {.address = native.address, .size = native.size});
    for (const auto& insn : insns) {
      const Row* const row = list.find(insn.address);
      ASSERT_NE(row, nullptr) << insn.text;
      EXPECT_EQ(row->kind, Row::Kind::kFrame) << insn.text;
    }
    const auto begins = [&](std::uint64_t address) {
      return address == native.address + native.size ||
             std::ranges::find(insns, address, [](const auto& i) { return i.address; }) !=
                 insns.end();
    };
    for (const Row& row : rows) {
      const bool is_inside = row.begin - native.address < native.size;
      EXPECT_TRUE(!is_inside || begins(row.begin)) << std::hex << row.begin;
    }
  }
}

// ---- they lead to the callers ----

// Walks by the rows, and by nothing else that anybody might know.
std::uint64_t walk_all(const Trial& trial) {
  const WalkReport report = walk_report(trial.image->image(), trial.run, kByRows);
  for (const Unwinder unwinder : kByRows) {
    const WalkTally tally = report.tally(unwinder);
    EXPECT_EQ(tally[static_cast<std::size_t>(Outcome::kRight)], report.steps)
        << unwind::unwinder_info(unwinder).name;
  }
  return report.steps;
}

// From each instruction that ran, to the caller by either. How many had both.
std::uint64_t compare_with_derived(const Trial& trial) {
  const Image& image = trial.image->image();
  const unwind::Rows handed_over(image.arch, image.unwind_rows);
  const unwind::Rows derived = machine::derived_jit_rows(image);
  unwind::StackReplay stack(trial.run, image.placement.stack, image.arch, image.placement.exit);
  std::uint64_t compared = 0;
  for (std::size_t i = 0; i < trial.run.steps.size(); ++i) {
    const MachineStep& step = trial.run.steps[i];
    if (image.function_at(step.pc) == nullptr) continue;
    const Row* const one = handed_over.find(step.pc);
    const Row* const other = derived.find(step.pc);
    if (one == nullptr || other == nullptr || one->kind == Row::Kind::kUnknown ||
        other->kind == Row::Kind::kUnknown) {
      continue;
    }
    stack.advance_to(i);
    const unwind::Cursor cursor = unwind::cursor_at(step, image.arch);
    EXPECT_EQ(unwind::step_by_row(cursor, stack, image.arch, *one),
              unwind::step_by_row(cursor, stack, image.arch, *other))
        << std::hex << step.pc;
    ++compared;
  }
  return compared;
}

// Cases that the layout gets wrong by itself are left out, as plumb unwind does.
TEST_P(HandedOverRows, LeadToEveryCallerFromEveryInstruction) {
  const auto jit = open_reference(GetParam());
  Judge judge;
  std::uint64_t cases = 0;
  std::uint64_t walks = 0;
  std::uint64_t compared = 0;
  std::uint64_t throws = 0;
  for (std::uint64_t n = 0; n < kCases; ++n) {
    SCOPED_TRACE(fmt::format("case {}", n));
    const Trial trial = examine(*jit, judge, n);
    if (trial.image != nullptr) expect_well_formed(trial.image->image());
    if (trial.stage != Stage::kCompared || is_finding(trial.judgement)) continue;
    ++cases;
    walks += walk_all(trial);
    compared += compare_with_derived(trial);
    throws += trial.run.throws.size();
    if (HasFailure()) return;
  }
  EXPECT_GE(cases, 15u);
  EXPECT_GE(walks, 1000u);
  // Nothing is unknown to either, but for one instruction of an exception callback on x86-64: it
  // has the stack pointer of the boundary, of which its own code does not tell where it stands.
  const bool has_gap = jit->info().arch == Arch::kX86_64;
  EXPECT_EQ(compared + (has_gap ? throws : 0), walks);
  RecordProperty("walks", static_cast<int>(walks));
  RecordProperty("compared", static_cast<int>(compared));
}

// What is noted is what was emitted: a frame that is wrong has rows that are right. (Where a frame
// that is not linked is given up to another function, that one's rows cannot know it.)
TEST(HandedOverRowsOfAWrongFrame, LeadToEveryCaller) {
  for (const char* name :
       {"arm64-5.10+frame-not-linked", "arm64-5.19+record-swapped", "arm64-6.12+record-swapped",
        "x86_64-6.12+frame-pointer-shifted", "x86_64-5.10+frame-pointer-shifted"}) {
    SCOPED_TRACE(name);
    const auto jit = open_reference(name);
    Judge judge;
    std::uint64_t walks = 0;
    for (std::uint64_t n = 0; n < kCases; ++n) {
      const Trial trial = examine(*jit, judge, n);
      if (trial.stage != Stage::kCompared) continue;
      expect_well_formed(trial.image->image());
      walks += walk_all(trial);
      if (testing::Test::HasFailure()) return;
    }
    EXPECT_GE(walks, 1000u);
  }
}

// ---- rows that are wrong ----

constexpr std::string_view kCall = R"(.case 1
.program entry
.function main
        r6 = r1
        r0 = 0
        exit
)";
constexpr std::string_view kDefects[] = {"rows-one-late", "no-row-behind-leave",
                                         "cfa-wrong-after-push"};

std::vector<std::uint8_t> code_of(const Image& image) {
  std::vector<std::uint8_t> bytes;
  for (const NativeFunction& native : image.functions) {
    const auto code = image.placement.bytes(native.address, native.size);
    bytes.insert(bytes.end(), code.begin(), code.end());
  }
  return bytes;
}

TEST_P(HandedOverRows, WithADefectLeadElsewhereAndLeaveTheCodeAlone) {
  const auto value = parse_case(kCall);
  ASSERT_TRUE(value.has_value());
  const auto sound = open_reference(GetParam());
  const auto loaded = sound->load(*value);
  ASSERT_NE(loaded.image, nullptr) << loaded.reason;
  Judge judge;
  for (const std::string_view defect : kDefects) {
    SCOPED_TRACE(defect);
    const auto jit = open_reference(fmt::format("{}+{}", GetParam(), defect));
    const Trial of_case = judge.examine(*value, *jit, Depth::kFull);
    ASSERT_NE(of_case.image, nullptr);
    EXPECT_EQ(code_of(of_case.image->image()), code_of(loaded.image->image()));
    std::uint64_t not_right = 0;
    std::uint64_t cases = 0;
    for (std::uint64_t n = 0; n < 8; ++n) {
      const Trial trial = examine(*jit, judge, n);
      if (trial.stage != Stage::kCompared) continue;
      ++cases;
      const WalkReport report = walk_report(trial.image->image(), trial.run, {kByRows, 1});
      const WalkTally tally = report.tally(Unwinder::kOrcWithJitRows);
      not_right += report.steps - tally[static_cast<std::size_t>(Outcome::kRight)];
    }
    EXPECT_GE(not_right, cases);
    EXPECT_GE(cases, 2u);
  }
}

// The instructions of the case from which a walk is not right.
std::vector<std::string> not_right(const std::string& jit_name) {
  const auto value = parse_case(kCall);
  EXPECT_TRUE(value.has_value());
  const auto jit = open_reference(jit_name);
  const Trial trial = Judge().examine(*value, *jit, Depth::kFull);
  const Image& image = trial.image->image();
  std::vector<std::string> result;
  for (const InsnWalks& insn : walk_report(image, trial.run, {kByRows, 1}).insns) {
    if (insn.worst(Unwinder::kOrcWithJitRows) == Outcome::kRight) continue;
    const NativeFunction& native = *image.function_at(insn.address);
    const auto rest = native.address + native.size - insn.address;
    result.push_back(
        machine::disassemble(image, {.address = insn.address, .size = rest}).front().text);
  }
  return result;
}

TEST(HandedOverRowsWithADefect, AreWrongWhereItIs) {
  using Texts = std::vector<std::string>;
  const struct {
    const char* jit;
    Texts wrong;
  } rows[] = {
      {"x86_64-6.12+no-row-behind-leave", {"ret"}},
      {"x86_64-6.12+cfa-wrong-after-push", {"mov rbp, rsp"}},
      {"x86_64-rbp-40+no-row-behind-leave", {"ret"}},
      {"arm64-6.12+no-row-behind-leave", {"mov x0, x7", "ret"}},
      {"arm64-6.12+cfa-wrong-after-push", {"mov x29, sp"}},
  };
  for (const auto& row : rows) EXPECT_EQ(not_right(row.jit), row.wrong) << row.jit;
}

}  // namespace
}  // namespace plumb::harness
