// SPDX-License-Identifier: GPL-2.0-or-later
// The second opinion must be able to disagree: with the oracle, with the JIT, with both.
#include "harness/second_opinion.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <functional>

#include "core/case_text.h"
#include "harness/coding.h"
#include "harness/fuzz_driver.h"
#include "harness/judge.h"
#include "harness/testing_jit.h"
#include "oracle/oracle.h"

namespace plumb::harness {
namespace {

using jit::Interpretation;
using Status = SecondOpinion::Status;

Case parsed(const std::string& text) {
  auto value = parse_case(".case 1\n" + text);
  EXPECT_TRUE(value.has_value()) << value.error().str() << "\n" << text;
  return *std::move(value);
}

// ---- What differs ----

// Stores a pointer to the context and one to its own stack, hands both to a helper, and returns 7.
const char* const kPointers =
    ".array jmp 1\n.region data 24\n.program p\n.function main\n"
    " r6 = data ll\n *(u64 *)(r6 + 0) = r1\n *(u64 *)(r10 - 8) = 5\n r1 = r10\n r1 += -8\n"
    " *(u64 *)(r6 + 8) = r1\n r2 = 8\n r3 = 1\n r4 = 2\n r5 = 3\n call 6\n r0 = 7\n exit\n"
    ".context 01 02 03 04 05 06 07 08\n";

void put_64(std::vector<std::uint8_t>& bytes, std::size_t at, std::uint64_t word) {
  for (std::size_t i = 0; i < 8; ++i) bytes[at + i] = static_cast<std::uint8_t>(word >> (8 * i));
}

constexpr std::uint64_t kContextAt = 0x1000;
constexpr std::uint64_t kStackAt = 0x7000;

Interpretation what_it_should_be() {
  Interpretation seen;
  seen.status = Interpretation::Status::kRan;
  seen.context_address = kContextAt;
  seen.region_addresses = {0x2000};
  seen.array_addresses = {0x3000};
  seen.result = 7;
  seen.context = {1, 2, 3, 4, 5, 6, 7, 8};
  seen.regions = {std::vector<std::uint8_t>(24)};
  put_64(seen.regions[0], 0, kContextAt);
  put_64(seen.regions[0], 8, kStackAt - 8);
  seen.helper_calls = {{.number = 6, .arguments = {kStackAt - 8, 8, 1, 2, 3}}};
  return seen;
}

TEST(Difference, IsSeenInAllThatIsCompared) {
  const Case value = parsed(kPointers);
  const Execution execution = oracle::run(value, Contract{});
  ASSERT_TRUE(execution.defined) << execution.undefined_reason;
  struct Row {
    void (*change)(Interpretation&);
    const char* text;  // null: no difference
  };
  for (const Row& row : {
           Row{[](Interpretation&) {}, nullptr},
           // Wherever its frames lie, as long as all pointers into one fit together.
           Row{[](Interpretation& seen) {
                 put_64(seen.regions[0], 8, 0x9000);
                 seen.helper_calls[0].arguments[0] = 0x9000;
               },
               nullptr},
           Row{[](Interpretation& seen) { put_64(seen.regions[0], 8, 0x9000); },
               "leaves another region data, at byte 8"},
           Row{[](Interpretation& seen) { put_64(seen.regions[0], 0, kContextAt + 1); },
               "leaves another region data, at byte 0"},
           Row{[](Interpretation& seen) { seen.regions[0][23] = 1; },
               "leaves another region data, at byte 23"},
           Row{[](Interpretation& seen) { seen.context[3] = 0; },
               "leaves another context, at byte 3"},
           Row{[](Interpretation& seen) { seen.padding_intact = false; },
               "writes bytes beside the context or a region"},
           Row{[](Interpretation& seen) { seen.result = 8; }, "returns 0x8, the oracle 0x7"},
           Row{[](Interpretation& seen) { seen.result |= std::uint64_t{1} << 32; },
               "returns 0x100000007, the oracle 0x7"},
           Row{[](Interpretation& seen) { seen.helper_calls[0].number = 7; },
               "makes helper call 1 of 7, the oracle of 6"},
           Row{[](Interpretation& seen) { seen.helper_calls[0].arguments[4] = 4; },
               "has another R5 at helper call 1"},
           Row{[](Interpretation& seen) { seen.helper_calls.clear(); },
               "makes 0 helper calls, the oracle more"},
           Row{[](Interpretation& seen) { seen.helper_calls.push_back(seen.helper_calls[0]); },
               "makes 2 helper calls, the oracle 1"},
       }) {
    Interpretation seen = what_it_should_be();
    row.change(seen);
    const auto text = difference(value, Contract{}, execution, seen);
    EXPECT_EQ(text.value_or("none"), row.text == nullptr ? "none" : row.text);
  }
}

TEST(Difference, OnlyTheBitsOfTheResultCount) {
  const Case value = parsed(kPointers);
  Contract contract;
  contract.result_bits = 32;
  Interpretation seen = what_it_should_be();
  seen.result |= std::uint64_t{1} << 32;
  const Execution execution = oracle::run(value, contract);
  EXPECT_FALSE(difference(value, contract, execution, seen));
  seen.result ^= 1;
  EXPECT_TRUE(difference(value, contract, execution, seen));
}

// ---- Who stands alone, on the kernel's own JIT and interpreter ----

Case returning(int number) {
  return parsed(".program p\n.function main\n r0 = " + std::to_string(number) + "\n exit\n");
}

// Misunderstands every case as another one.
class OtherJit final : public jit::Jit {
 public:
  using Change = std::function<Case(const Case&)>;
  OtherJit(jit::Jit& real, Change change) : real_(real), change_(std::move(change)) {}
  [[nodiscard]] const jit::JitInfo& info() const override { return real_.info(); }
  [[nodiscard]] jit::LoadOutcome load(const Case& value) override {
    return real_.load(change_(value));
  }

 private:
  jit::Jit& real_;
  Change change_;
};

class OtherInterpreter final : public jit::Interpreter {
 public:
  using Change = std::function<Interpretation(jit::Interpreter&, const Case&)>;
  OtherInterpreter(jit::Interpreter& real, Change change)
      : real_(real), change_(std::move(change)) {}
  [[nodiscard]] const jit::InterpreterInfo& info() const override { return real_.info(); }
  [[nodiscard]] Interpretation run(const Case& value) override { return change_(real_, value); }

 private:
  jit::Interpreter& real_;
  Change change_;
};

class SecondOpinionTest : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    auto jits = jit::open_jits(PLUMB_PLUGIN_DIR, GetParam());
    ASSERT_TRUE(jits.has_value()) << jits.error().str();
    jits_ = std::move(*jits);
    auto interpreters = jit::open_interpreters(PLUMB_PLUGIN_DIR);
    ASSERT_TRUE(interpreters.has_value()) << interpreters.error().str();
    interpreters_ = std::move(*interpreters);
    real_ = find_interpreter(interpreters_, GetParam());
    ASSERT_NE(real_, nullptr);
  }
  [[nodiscard]] jit::Jit& jit() { return *jits_[0]; }

  // A list with one interpreter that changes what the real one says.
  [[nodiscard]] std::vector<std::unique_ptr<jit::Interpreter>> changed(
      OtherInterpreter::Change change) {
    std::vector<std::unique_ptr<jit::Interpreter>> list;
    list.push_back(std::make_unique<OtherInterpreter>(*real_, std::move(change)));
    return list;
  }

  std::vector<std::unique_ptr<jit::Jit>> jits_;
  std::vector<std::unique_ptr<jit::Interpreter>> interpreters_;
  jit::Interpreter* real_ = nullptr;
};

TEST_P(SecondOpinionTest, NamesWhoStandsAlone) {
  struct Row {
    int oracle, jit, interpreter;  // what each returns
    Verdict verdict;
    const char *role, *text;
  };
  for (const Row& row : {
           Row{7, 7, 7, Verdict::kConforms, "", ""},
           Row{7, 8, 7, Verdict::kViolation, "main",
               "the interpreter agrees with the oracle: the JIT stands alone"},
           Row{7, 7, 8, Verdict::kSecondOpinion, "interpreter",
               "the interpreter stands alone: the interpreter returns 0x8, the oracle 0x7"},
           Row{8, 7, 7, Verdict::kSecondOpinion, "oracle",
               "the oracle stands alone, the interpreter agrees with the JIT: the interpreter "
               "returns 0x7, the oracle 0x8"},
           Row{7, 8, 9, Verdict::kSecondOpinion, "each",
               "oracle, interpreter and JIT all differ: the interpreter returns 0x9, the oracle "
               "0x7"},
       }) {
    OtherJit jit(this->jit(), [&](const Case&) { return returning(row.jit); });
    const auto interpreters = changed(
        [&](jit::Interpreter& real, const Case&) { return real.run(returning(row.interpreter)); });
    Judge judge;
    judge.ask(interpreters);
    const Execution execution = oracle::run(returning(row.oracle), jit.info().contract);
    const Judgement judgement = judge.judge(returning(7), execution, jit, Depth::kFull).judgement;
    EXPECT_EQ(judgement.verdict, row.verdict) << row.text;
    EXPECT_EQ(judgement.signature.role, row.role);
    EXPECT_EQ(judgement.opinion.text, row.text);
    EXPECT_EQ(is_finding(judgement), row.verdict != Verdict::kConforms);
    if (row.verdict == Verdict::kSecondOpinion) {
      EXPECT_EQ(judgement.violations[0].invariant, kSecondOpinion);
      EXPECT_EQ(judgement.violations[0].message, row.text);
      EXPECT_EQ(judgement.opinion.status, Status::kDisagrees);
    }
    const auto back = decode<Judgement>(encode(judgement));
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(back->opinion, judgement.opinion);
    EXPECT_EQ(back->violations, judgement.violations);
  }
}

// An interpreter that adds 1 at every multiplication, and one that does so everywhere.
TEST_P(SecondOpinionTest, AWaiverForCodeCoversWhatTheInterpreterGetsWrongThere) {
  const Case value = parsed(".program p\n.function main\n r0 = 7\n r0 *= 3\n exit\n");
  const Contract& contract = jit().info().contract;
  const std::string signature =
      "second-opinion.linux." + std::string(arch_name(jit().info().arch)) + ".interpreter";
  struct Row {
    bool everywhere;
    const char* code;
    const char *known, *role;
  };
  for (const Row& row :
       {Row{false, "_[*]=_", "w", "interpreter"}, Row{false, "_/=_", "", "interpreter"},
        Row{true, "_[*]=_", "", "interpreter-not-as-known"},
        Row{false, "", "", "interpreter-not-as-known"}}) {
    const auto interpreters = changed([&](jit::Interpreter& real, const Case& asked) {
      Interpretation seen = real.run(asked);
      const bool has_code = asked.programs[0].functions[0].insns.size() == 3;
      if (row.everywhere || has_code) ++seen.result;
      return seen;
    });
    const std::vector<NamedWaiver> waivers{{.name = "w",
                                            .waiver = {.signature = signature,
                                                       .jits = "*",
                                                       .like = {},
                                                       .code = row.code,
                                                       .reason = "a test"}}};
    Judge judge;
    judge.ask(interpreters);
    judge.know(waivers);
    const Judgement judgement =
        judge.judge(value, oracle::run(value, contract), jit(), Depth::kFast).judgement;
    EXPECT_EQ(judgement.verdict, Verdict::kSecondOpinion) << row.code;
    EXPECT_EQ(judgement.known, row.known) << row.code;
    EXPECT_EQ(judgement.signature.role, row.role) << row.code;
  }
}

TEST_P(SecondOpinionTest, IsAskedOnlyWhereItCanAnswer) {
  struct Row {
    const char* text;
    Status status;
    const char* why;
  };
  for (const Row& row : {
           Row{".program p\n.function main\n r0 = 1\n exit\n", Status::kAgrees, ""},
           Row{".program p\n.function main\n r0 = r5\n exit\n", Status::kNotAsked, ""},
           Row{".array a 1\n.program p\n.function main\n r6 = r1\n call f\n exit\n.function f\n"
               " r2 = a ll\n r3 = 0\n call 12\n r0 = 0\n exit\n",
               Status::kNotApplicable,
               "the interpreter does not run tail calls in a program with subprograms"},
           Row{".program p\n.function main\n r1 = 2\n r2 = f ll\n r3 = 0\n r4 = 0\n call 181\n"
               " exit\n.function f\n r0 = 0\n exit\n",
               Status::kNotApplicable, "the interpreter does not run callbacks"},
       }) {
    Judge judge;
    judge.ask(interpreters_);
    const Judgement judgement = judge.judge(parsed(row.text), jit(), Depth::kFast).judgement;
    EXPECT_EQ(judgement.opinion.status, row.status) << row.text;
    EXPECT_EQ(judgement.opinion.text, row.why);
    Judge alone;
    EXPECT_EQ(alone.judge(parsed(row.text), jit(), Depth::kFast).judgement.opinion.status,
              Status::kNotAsked);
  }
}

// 20 attempts at an empty slot count for the interpreter; for a JIT of 6.12 they do not.
TEST_P(SecondOpinionTest, EachIsHeldAgainstTheOracleUnderItsOwnContract) {
  const Case value = parsed(
      ".array jmp 2\n.slot jmp 1 p\n.region data 8\n.program p\n.function main\n"
      " r7 = r1\n r8 = data ll\n r0 = *(u64 *)(r8 + 0)\n r0 += 1\n *(u64 *)(r8 + 0) = r0\n"
      " r1 = r7\n r2 = jmp ll\n r3 = 0\n call 12\n r1 = r7\n r2 = jmp ll\n r3 = 1\n call 12\n"
      " r0 = *(u64 *)(r8 + 0)\n exit\n");
  Judge judge;
  judge.ask(interpreters_);
  const Judgement judgement = judge.judge(value, jit(), Depth::kFull).judgement;
  EXPECT_EQ(judgement.verdict, Verdict::kConforms);
  EXPECT_EQ(judgement.opinion.status, Status::kAgrees);
  const bool jit_counts = jit().info().contract.empty_slot_consumes_count == Tristate::kYes;
  EXPECT_EQ(oracle::run(value, jit().info().contract).result.bits, jit_counts ? 17U : 34U);
  EXPECT_EQ(real_->run(value).result, 17U);
}

TEST_P(SecondOpinionTest, AnInterpreterThatDiesOrDoesNotEndIsAFinding) {
  struct Row {
    void (*misbehave)();
    const char* reason;
    double seconds;  // long enough for what comes before
  };
  const bool once = jit().info().name == "linux-6.12-x86_64";  // waiting is the same for both
  for (const Row& row : {Row{[] { (void)std::raise(SIGKILL); }, "killed by signal 9 (KILL)", 60},
                         Row{[] {
                               while (true) pause();
                             },
                             "does not end", 3}}) {
    if (row.seconds < 10 && !once) continue;
    const auto interpreters = changed([&](jit::Interpreter& real, const Case& value) {
      row.misbehave();
      return real.run(value);
    });
    CheckOptions options;
    options.interpreters = interpreters;
    options.seconds_per_case = row.seconds;
    const NamedCase item{.name = "it", .path = "it.bpf", .value = returning(7)};
    const CheckReport report = check_cases(std::span(&item, 1), jits_, options);
    EXPECT_TRUE(report.harness_failures.empty());
    const Judgement& judgement = report.rows.at(0).judgement;
    EXPECT_EQ(judgement.signature.invariant, kSecondOpinion);
    EXPECT_EQ(judgement.signature.role, "interpreter");
    EXPECT_EQ(judgement.reason, row.reason);
    EXPECT_EQ(report.status(), 1);
  }
}

TEST_P(SecondOpinionTest, FuzzingSavesADisagreementMinimisedAndCounts) {
  namespace fs = std::filesystem;
  const auto interpreters = changed([](jit::Interpreter& real, const Case& value) {
    Interpretation seen = real.run(value);
    if (contains(value, Operation::kXchg)) seen.result ^= 1;
    return seen;
  });
  const fs::path out = fs::path(testing::TempDir()) / ("plumb-opinion-" + std::to_string(getpid()));
  FuzzOptions options;
  options.runs = 200;
  options.out_directory = out.string();
  options.interpreters = interpreters;
  const FuzzReport report = fuzz(jits_, options);
  const JitFuzzReport& jit = report.jits.at(0);
  const auto it = std::ranges::find(jit.findings, kSecondOpinion,
                                    [](const FuzzFinding& f) { return f.signature.invariant; });
  ASSERT_NE(it, jit.findings.end());
  EXPECT_EQ(it->signature.role, "interpreter");
  EXPECT_EQ(it->verdict, Verdict::kSecondOpinion);
  EXPECT_TRUE(it->minimised);
  EXPECT_TRUE(contains(it->value, Operation::kXchg)) << print_case(it->value);
  EXPECT_TRUE(fs::exists(it->path)) << it->path;
  EXPECT_EQ(report.status(), 1);
  const FunnelCounts& counts = jit.funnel.counts;
  // Faults too: tail calls in callbacks, which both kernels' JITs get wrong.
  EXPECT_GE(counts.opinion_asked, counts.compared);
  EXPECT_EQ(counts.opinion_asked, counts.ran);
  EXPECT_LT(counts.opinion_agreed, counts.opinion_given);
  EXPECT_EQ(counts.opinion_given - counts.opinion_agreed, it->count);
  std::uint64_t not_given = 0;
  for (const auto& [reason, count] : jit.funnel.no_opinion) not_given += count;
  EXPECT_EQ(counts.opinion_asked - counts.opinion_given, not_given);
  fs::remove_all(out);
}

INSTANTIATE_TEST_SUITE_P(Linux, SecondOpinionTest,
                         testing::Values("linux-6.12-x86_64", "linux-6.1-x86_64"),
                         [](const auto& test) {
                           return std::string(test.param) == "linux-6.1-x86_64" ? "6_1" : "6_12";
                         });

// ---- Counting ----

TEST(OpinionFunnel, AskingInVainIsAnEmptyStage) {
  FunnelCounts counts;
  count_opinion(counts, {});
  EXPECT_EQ(counts, FunnelCounts{});
  count_opinion(counts, {.status = Status::kNotApplicable, .text = "why"});
  EXPECT_EQ(std::ranges::count(zero_stages(counts, {.capabilities = 0}), "opinion_given"), 1);
  count_opinion(counts, {.status = Status::kDisagrees, .text = "who"});
  EXPECT_EQ(std::ranges::count(zero_stages(counts, {.capabilities = 0}), "opinion_given"), 0);
  count_opinion(counts, {.status = Status::kAgrees, .text = {}});
  EXPECT_EQ(counts.opinion_asked, 3U);
  EXPECT_EQ(counts.opinion_given, 2U);
  EXPECT_EQ(counts.opinion_agreed, 1U);
}

}  // namespace
}  // namespace plumb::harness
