// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/walks.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "core/case_text.h"
#include "core/rng.h"
#include "gen/generate.h"
#include "harness/judge.h"
#include "jit_under_test/jit.h"
#include "jit_under_test/reference/reference.h"
#include "machine/code_effects.h"

namespace plumb::harness {
namespace {

using unwind::Outcome;
using unwind::Row;
using unwind::Unwinder;

constexpr std::uint64_t kCases = 60;
constexpr const char* kLinux[] = {"linux-6.12-x86_64", "linux-6.12-arm64", "linux-6.12-riscv64"};

std::unique_ptr<jit::Jit> open_jit(const std::string& name) {
  auto jit = name.starts_with("reference:")
                 ? jit::reference::open(name)
                 : jit::open_plugin(fmt::format("{}/{}.so", PLUMB_PLUGIN_DIR, name));
  EXPECT_TRUE(jit.has_value()) << name;
  return *std::move(jit);
}

std::uint64_t count(const WalkTally& tally, Outcome outcome) {
  return tally[static_cast<std::size_t>(outcome)];
}

// ---- what is claimed of rows from code ----

class Walks : public testing::TestWithParam<std::string> {};

std::vector<std::string> all_jits() {
  std::vector<std::string> names(std::begin(kLinux), std::end(kLinux));
  for (const auto& row : jit::reference::layout_table()) {
    names.push_back(fmt::format("reference:{}", row.name));
  }
  return names;
}

std::string test_name(const testing::TestParamInfo<std::string>& jit) {
  std::string name = jit.param;
  std::ranges::replace_if(name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(Jits, Walks, testing::ValuesIn(all_jits()), test_name);

// Cases that the JIT gets wrong by itself are left out, as plumb unwind does.
TEST_P(Walks, ByRowsFromCodeAreRightAndNoOtherLies) {
  const auto jit = open_jit(GetParam());
  Judge judge;
  std::uint64_t walked = 0;
  std::uint64_t skipped = 0;
  for (std::uint64_t n = 0; n < kCases; ++n) {
    const Case value = gen::generate(nth_seed(23, n), nullptr,
                                     jit->info().capabilities & gen::kObeyedCapabilities);
    const Trial trial = judge.examine(value, *jit, Depth::kFull);
    if (trial.stage != Stage::kCompared || is_finding(trial.judgement)) continue;
    Image image = trial.image->image();
    image.unwind_rows.clear();  // those that are handed over: handed_over_rows_test.cc
    const WalkReport report = walk_report(image, trial.run, unwinders_for(image));
    ++walked;
    EXPECT_GT(report.steps, 0u) << "case " << n;
    ASSERT_GE(report.unwinders.size(), 3u);
    for (const Unwinder unwinder : report.unwinders) {
      const WalkTally tally = report.tally(unwinder);
      const std::string_view name = unwind::unwinder_info(unwinder).name;
      EXPECT_EQ(std::accumulate(tally.begin(), tally.end(), std::uint64_t{0}), report.steps)
          << name;
      EXPECT_EQ(count(tally, Outcome::kLie), 0u) << name << ", case " << n;
      if (unwinder == Unwinder::kOrcWithJitRows || unwinder == Unwinder::kDwarf) {
        // Where an exception callback has the boundary's stack pointer and not yet its frame
        // pointer, its own code does not tell where that stands.
        const bool has_gap = image.arch == Arch::kX86_64;
        EXPECT_EQ(count(tally, Outcome::kRight) + (has_gap ? trial.run.throws.size() : 0),
                  report.steps)
            << "case " << n;
      } else {
        EXPECT_EQ(count(tally, Outcome::kRight), 0u) << name << ", case " << n;
        skipped += count(tally, Outcome::kSkipped);
      }
    }
  }
  EXPECT_GE(walked, 15u);
  EXPECT_GT(skipped, 0u);  // by those who take the frame pointer's word, in prologues at least
}

// ---- position by position ----

constexpr std::string_view kCall = R"(.case 1
.program entry
.function main
        r6 = r1
        r1 = 5
        call sub
        r0 += 1
        exit
.function sub
        *(u64 *)(r10 - 8) = r1
        r0 = *(u64 *)(r10 - 8)
        exit
)";
constexpr std::string_view kTailCall = R"(.case 1
.array jmp 1
.slot jmp 0 next
.program entry
.function main
        r6 = r1
        r2 = jmp ll
        r3 = 0
        call 12
        r0 = 1
        exit
.program next
.function main
        r7 = r1
        r0 = 2
        exit
)";
constexpr std::string_view kLeaf = R"(.case 1
.program entry
.function main
        r6 = 1
        r0 = r6
        exit
)";

// A case that ran, and the walks from it.
struct Walked {
  std::unique_ptr<jit::Jit> jit;
  Trial trial;

  [[nodiscard]] const Image& image() const { return trial.image->image(); }
};
Walked run(const std::string& jit_name, std::string_view text) {
  Walked walked{.jit = open_jit(jit_name), .trial = {}};
  const auto value = parse_case(text);
  EXPECT_TRUE(value.has_value());
  walked.trial = Judge().examine(*value, *walked.jit, Depth::kFull);
  EXPECT_EQ(walked.trial.stage, Stage::kCompared) << jit_name;
  return walked;
}

struct Position {
  std::string text;
  Outcome outcome = Outcome::kRight;
};
// Of what ran, by function and address.
std::vector<std::vector<Position>> positions(const Walked& walked, Unwinder unwinder) {
  const Image& image = walked.image();
  const Unwinder one[] = {unwinder};
  const WalkReport report = walk_report(image, walked.trial.run, one);
  std::vector<std::vector<Position>> functions;
  for (const NativeFunction& native : image.functions) {
    auto& function = functions.emplace_back();
    for (const auto& insn :
         machine::disassemble(image, {.address = native.address, .size = native.size})) {
      const auto walks = std::ranges::find(report.insns, insn.address, &InsnWalks::address);
      if (walks == report.insns.end()) continue;
      function.push_back({.text = insn.text, .outcome = *walks->worst(unwinder)});
    }
  }
  return functions;
}

// An interrupt there finds the caller's frame pointer in rbp until "mov rbp, rsp" has run, and
// again once "leave" has. Tail calls keep rbp, and land behind "mov rbp, rsp".
TEST(WalksOfLinux, SkipTheCallerWhereItsFramePointerIsInPlace) {
  for (const std::string_view text : {kCall, kTailCall}) {
    const Walked walked = run("linux-6.12-x86_64", text);
    int of_body = 0;
    int outside = 0;
    for (const auto& function : positions(walked, Unwinder::kOrc)) {
      // Where only tail calls land, the prologue does not run.
      bool has_frame = std::ranges::find(function, "push rbp", &Position::text) == function.end();
      for (const auto& [insn, outcome] : function) {
        EXPECT_EQ(outcome, has_frame ? Outcome::kNotReliable : Outcome::kSkipped) << insn;
        ++(has_frame ? of_body : outside);
        if (insn == "mov rbp, rsp") has_frame = true;
        if (insn == "leave") has_frame = false;
      }
    }
    EXPECT_GT(of_body, 8);
    EXPECT_GE(outside, 5);
  }
}

TEST(WalksOfReferences, AreGarbageWhileTheFramePointerIsMoved) {
  const Walked walked = run("reference:x86_64-4.13", kLeaf);
  const auto functions = positions(walked, Unwinder::kOrc);
  ASSERT_EQ(functions.size(), 1u);
  bool is_moved = false;
  int moved = 0;
  int wrong = 0;
  for (const auto& [insn, outcome] : functions.front()) {
    EXPECT_EQ(is_moved, outcome == Outcome::kStopped || outcome == Outcome::kLost) << insn;
    moved += is_moved ? 1 : 0;
    wrong += outcome == Outcome::kLost ? 1 : 0;
    if (insn == "sub rbp, 0x28") is_moved = true;
    if (insn == "add rbp, 0x28") is_moved = false;
  }
  EXPECT_GT(moved, 8);
  EXPECT_GT(wrong, 4);
  const auto by_rows = positions(walked, Unwinder::kOrcWithJitRows);
  for (const Position& position : by_rows.front()) {
    EXPECT_EQ(position.outcome, Outcome::kRight) << position.text;
  }
}

// ---- rows with a mistake ----

struct Place {
  std::string text;    // the instruction
  std::string before;  // the one before it in its function, or nothing
  Row row;
};

// A row for each instruction of the functions.
std::vector<Place> places_of(const Image& image, const unwind::Rows& rows) {
  std::vector<Place> places;
  for (const NativeFunction& native : image.functions) {
    std::string before;
    for (const auto& insn :
         machine::disassemble(image, {.address = native.address, .size = native.size})) {
      const Row* const row = rows.find(insn.address);
      Place place{.text = insn.text, .before = before, .row = *row};
      place.row.begin = insn.address;
      places.push_back(place);
      before = insn.text;
    }
  }
  return places;
}

// A run, and the rows for it, which are there to be spoilt.
class Rewalk {
 public:
  explicit Rewalk(const std::string& jit)
      : walked_(run(jit, kCall)),
        known_(machine::unwind_knowledge(walked_.image())),
        places(places_of(walked_.image(), known_.jit_rows)) {
    EXPECT_FALSE(places.empty());
    EXPECT_TRUE(not_right().empty());
  }
  // The instructions from which a walk by these rows is not right.
  [[nodiscard]] std::vector<std::string> not_right() const;

 private:
  Walked walked_;
  machine::UnwindKnowledge known_;

 public:
  std::vector<Place> places;
};

std::vector<std::string> Rewalk::not_right() const {
  const Image& image = walked_.image();
  const MachineRun& ran = walked_.trial.run;
  std::vector<Row> list;
  for (const Place& place : places) list.push_back(place.row);
  const unwind::Rows rows(image.arch, list);
  unwind::Knowledge knowledge = known_.knowledge();
  knowledge.jit_rows = &rows;
  unwind::StackReplay stack(ran, image.placement.stack, image.arch, image.placement.exit);
  std::vector<std::string> result;
  std::vector<std::uint64_t> calls;
  for (std::size_t i = 0; i < ran.steps.size(); ++i) {
    const MachineStep& step = ran.steps[i];
    const auto at = std::ranges::find(list, step.pc, &Row::begin);
    if (at == list.end()) continue;
    stack.advance_to(i);
    unwind::calls_in_progress(ran, step.shadow, calls);
    const auto walk = unwind::walk(Unwinder::kOrcWithJitRows, unwind::cursor_at(step, image.arch),
                                   stack, knowledge, 64);
    if (unwind::outcome_beside(walk, calls, 0) == Outcome::kRight) continue;
    result.push_back(places[static_cast<std::size_t>(at - list.begin())].text);
  }
  return result;
}

// The row of the instruction before it.
void be_late(std::vector<Place>& places, std::size_t i) {
  const std::uint64_t begin = places[i].row.begin;
  places[i].row = places[i - 1].row;
  places[i].row.begin = begin;
}

using Texts = std::vector<std::string>;

TEST(RowsWithAMistake, OneInstructionLateAreSeen) {
  for (const char* name : kLinux) {
    Rewalk again(name);
    for (std::size_t i = again.places.size(); i-- > 1;) {
      if (!again.places[i].before.empty()) be_late(again.places, i);
    }
    EXPECT_GE(again.not_right().size(), 3u) << name;
  }
}

TEST(RowsWithAMistake, OneThatIsMissingBehindLeaveIsSeen) {
  Rewalk again("linux-6.12-x86_64");
  for (std::size_t i = 1; i < again.places.size(); ++i) {
    if (again.places[i].before == "leave") be_late(again.places, i);
  }
  EXPECT_EQ(again.not_right(), (Texts{"ret", "ret"}));
}

TEST(RowsWithAMistake, AFrameAddressThatIsOffByAWordIsSeen) {
  Rewalk again("linux-6.12-x86_64");
  for (Place& place : again.places) {
    if (place.before == "push rbp") place.row.cfa_offset += 8;
  }
  EXPECT_EQ(again.not_right(), (Texts{"mov rbp, rsp", "mov rbp, rsp"}));
}

}  // namespace
}  // namespace plumb::harness
