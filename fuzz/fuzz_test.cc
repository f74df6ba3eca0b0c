// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the targets share, driven without libFuzzer: a fixed number of inputs, each made from the
// one before it. The floors are what a fuzzer that tests nothing would fall below.
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "core/capability.h"
#include "core/case_text.h"
#include "core/rng.h"
#include "fuzz/command_line.h"
#include "fuzz/finding_file.h"
#include "fuzz/jit_fuzzer.h"
#include "gen/generate.h"
#include "harness/corpus.h"
#include "harness/fuzz_input.h"
#include "harness/minimize.h"
#include "oracle/capabilities.h"

namespace plumb::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr harness::InputLimits kLimits{.max_size = 16384};

std::vector<std::uint8_t> bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

JitFuzzer make_fuzzer(const std::string& jits, std::vector<harness::NamedWaiver> waivers = {}) {
  auto opened = jit::open_jits(PLUMB_PLUGIN_DIR, jits);
  if (!opened) throw std::runtime_error(opened.error().str());
  return {*std::move(opened), std::move(waivers)};
}

// Mutates from an empty corpus on, as the custom mutator does; what was compared is built upon.
template <typename OnStep>
void drive(JitFuzzer& fuzzer, int executions, OnStep on_step, std::uint64_t seed = 1) {
  std::vector<std::vector<std::uint8_t>> corpus{{}};
  Rng rng(seed);
  for (int i = 0; i < executions; ++i) {
    const auto& parent = corpus[rng.below(corpus.size())];
    const auto text = harness::mutate_input(parent, kLimits, rng.next());
    ASSERT_TRUE(text.has_value());
    const auto input = bytes_of(*text);
    const Step step = fuzzer.run(input);
    if (step.compared && corpus.size() < 200) corpus.push_back(input);
    if (!on_step(step, input)) return;
  }
}

TEST(Funnel, StaysAboveItsFloors) {
  auto waivers = harness::read_waivers("corpus/known");
  ASSERT_TRUE(waivers.has_value());
  JitFuzzer fuzzer = make_fuzzer("linux-6.12-x86_64", *std::move(waivers));
  // What one corpus holds is much alike, so its shares are luck (helper calls: 9 to 65 % of 600
  // inputs, by the seed): several, each from its own beginning.
  constexpr int kCorpora = 24;
  for (std::uint64_t seed = 1; seed <= kCorpora; ++seed) {
    const auto on_step = [](const Step& step, const auto&) {
      for (const NewFinding& finding : step.findings) {
        EXPECT_NE(finding.known, "") << finding.signature.str();
      }
      return true;
    };
    drive(fuzzer, 400, on_step, seed);
  }
  fmt::print("{}", funnel_text(fuzzer, 0));
  const harness::FunnelCounts& counts = fuzzer.funnel(0).counts;
  EXPECT_EQ(counts.generated, 400u * kCorpora);
  EXPECT_GE(100 * counts.compared, 95 * counts.generated);
  EXPECT_GE(100 * counts.with_subprogram_call, 40 * counts.compared);
  EXPECT_GE(100 * counts.with_tail_call, 20 * counts.compared);
  EXPECT_GE(100 * counts.with_tail_call_refused, 4 * counts.compared);
  EXPECT_GE(100 * counts.with_stack_pointer_argument, 2 * counts.compared);
  EXPECT_GE(100 * counts.with_helper_call, 25 * counts.compared);
}

// Linux 6.1 counts tail calls by value: every subprogram gets a count of its own.
TEST(Findings, FromAnEmptyCorpusUnboundedTailCallsAreFoundAndMinimised) {
  JitFuzzer fuzzer = make_fuzzer("linux-6.1-x86_64");
  bool found = false;
  drive(fuzzer, 3000, [&](const Step& step, const auto& input) {
    for (const NewFinding& finding : step.findings) {
      if (finding.signature.invariant != "tail-call-bound") continue;
      found = true;
      fmt::print("{} after {} executions\n", finding.signature.str(), finding.cases_until_found);
      EXPECT_EQ(finding.known, "");
      const Case small = fuzzer.minimised(input, finding);
      const harness::CaseSize before = harness::case_size(harness::read_input(input).value);
      EXPECT_LT(harness::case_size(small), before);
      EXPECT_TRUE(small.notes[0].starts_with(finding.signature.str()));
    }
    return !found;
  });
  EXPECT_TRUE(found);
}

// A finding of Linux 6.1 and the input that showed it.
class FindingFiles : public testing::Test {
 protected:
  void SetUp() override {
    const auto files = harness::read_corpus(std::vector<std::string>{"corpus/known"});
    for (const harness::CorpusFile& file : files) {
      const auto bytes = bytes_of(print_case(*file.value));
      for (const NewFinding& finding : fuzzer_.run(bytes).findings) {
        if (finding.signature.invariant != "tail-call-bound") continue;
        finding_ = finding;
        input_ = bytes;
        return;
      }
    }
    FAIL() << "no case of corpus/known shows it";
  }
  void TearDown() override { fs::remove_all(directory_); }

  [[nodiscard]] std::string path(const std::string& middle = "") const {
    return (directory_ / (finding_.signature.str() + middle + ".bpf")).string();
  }
  [[nodiscard]] std::string write(const std::function<void()>& in_child = {}) const {
    const auto written = write_finding(fuzzer_, input_, finding_, directory_.string(), in_child);
    return written ? *written : written.error().str();
  }
  void put(const Case& value) const {
    fs::create_directories(directory_);
    ASSERT_TRUE(harness::write_file(path(), print_case(value)).has_value());
  }
  [[nodiscard]] bool shows(const std::string& file) const {
    const Result<Case> value = read_case(file);
    return value.has_value() && fuzzer_.shows(*value, finding_);
  }

  JitFuzzer fuzzer_ = make_fuzzer("linux-6.1-x86_64");
  NewFinding finding_;
  std::vector<std::uint8_t> input_;
  fs::path directory_ = fs::temp_directory_path() / ("plumb-fuzz-" + std::to_string(getpid()));
};

Case conforming(const std::string& note) {
  Case value = *parse_case(".case 1\n.program p\n.function main\n r0 = 7\n exit\n");
  if (!note.empty()) value.notes = {note};
  return value;
}

TEST_F(FindingFiles, AreMinimisedInOtherProcesses) {
  const pid_t self = getpid();
  EXPECT_EQ(write([&] {
              if (getpid() == self) throw std::logic_error("in the engine's process");
            }),
            path());
  EXPECT_TRUE(shows(path()));
  EXPECT_TRUE(read_case(path())->notes.back().ends_with(", minimised."));
  EXPECT_LE(harness::case_size(*read_case(path())),
            harness::case_size(harness::read_input(input_).value));
}

TEST_F(FindingFiles, ThatCannotBeWrittenAreSaidToBe) {
  EXPECT_TRUE(write([] { _exit(9); }).ends_with("ended with status 9"));
  std::ofstream(directory_.string()) << "no directory";
  EXPECT_TRUE(write().starts_with(path()));
}

TEST_F(FindingFiles, OfAnotherRunStayAsLongAsTheyShowTheFinding) {
  Case older = harness::read_input(input_).value;
  older.notes = {"older"};
  put(older);
  EXPECT_EQ(write(), path());
  EXPECT_EQ(*read_case(path()), older);
  put(conforming(""));
  EXPECT_EQ(write(), path());
  EXPECT_TRUE(shows(path()));
  put(conforming(fuzzer_.origin_of(finding_)));
  EXPECT_EQ(write(), path());
  EXPECT_TRUE(shows(path()));
}

TEST_F(FindingFiles, OfAnotherJitStay) {
  const Case other = conforming(finding_.signature.str() + " on linux-5.15-x86_64");
  put(other);
  EXPECT_EQ(write(), path(".linux-6.1-x86_64"));
  EXPECT_EQ(*read_case(path()), other);
  EXPECT_TRUE(shows(path(".linux-6.1-x86_64")));
}

TEST(Findings, KnownOnesAreNamedAsSuchAndEachIsToldOnce) {
  auto waivers = harness::read_waivers("corpus/known");
  ASSERT_TRUE(waivers.has_value());
  JitFuzzer fuzzer = make_fuzzer("linux-6.1-x86_64", *std::move(waivers));
  const auto files = harness::read_corpus(std::vector<std::string>{"corpus/known"});
  int known = 0;
  for (int round = 0; round < 2; ++round) {
    for (const harness::CorpusFile& file : files) {
      for (const NewFinding& finding : fuzzer.run(bytes_of(print_case(*file.value))).findings) {
        EXPECT_NE(finding.known, "") << finding.signature.str();
        EXPECT_EQ(round, 0) << finding.signature.str();
        ++known;
      }
    }
  }
  EXPECT_GE(known, 2);
}

TEST(Inputs, AnyBytesAreACase) {
  const std::string text = print_case(gen::generate(std::uint64_t{5}));
  EXPECT_TRUE(harness::read_input(bytes_of(text)).parsed);
  EXPECT_EQ(harness::read_input(bytes_of(text)).value, gen::generate(std::uint64_t{5}));
  const auto entropy = bytes_of(text.substr(1));
  EXPECT_FALSE(harness::read_input(entropy).parsed);
  EXPECT_EQ(harness::read_input(entropy).value, gen::generate(entropy));
}

TEST(Inputs, MutationAndCrossoverKeepToTheSizeAndToTheSeed) {
  const auto first = bytes_of(print_case(gen::generate(std::uint64_t{1})));
  const auto second = bytes_of(print_case(gen::generate(std::uint64_t{2})));
  EXPECT_EQ(harness::mutate_input(first, kLimits, 3), harness::mutate_input(first, kLimits, 3));
  EXPECT_NE(harness::mutate_input(first, kLimits, 3), harness::mutate_input(first, kLimits, 4));
  EXPECT_EQ(harness::mutate_input(first, {.max_size = 10}, 3), std::nullopt);
  const auto crossed = harness::cross_inputs(first, second, kLimits, 5);
  ASSERT_TRUE(crossed.has_value());
  EXPECT_LE(crossed->size(), kLimits.max_size);
  EXPECT_EQ(crossed, harness::cross_inputs(first, second, kLimits, 5));
}

// A case that no verifier accepts is no ground for mutations: the bytes are entropy then.
TEST(Inputs, InvalidCasesAreNotBuiltUpon) {
  const auto input = bytes_of(
      ".case 1\n.program p\n.function main\n        call f\n        exit\n"
      ".function f\n        call f\n        exit\n");
  ASSERT_TRUE(harness::read_input(input).parsed);
  EXPECT_TRUE(harness::mutate_input(input, kLimits, 1).has_value());
}

TEST(Inputs, NeedNothingThatTheJitsLack) {
  const std::uint64_t tail_call = capability_bit(Capability::kTailCall);
  const harness::InputLimits limits{.max_size = 16384, .capabilities = ~tail_call};
  int made = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const auto text = harness::mutate_input({}, limits, seed);
    if (!text) continue;
    ++made;
    const Case value = harness::read_input(bytes_of(*text)).value;
    EXPECT_EQ(oracle::required_capabilities(value) & tail_call, 0u);
  }
  EXPECT_GE(made, 36);
}

TEST(Depths, AShareOfTheInputsGoesTheLongWay) {
  int full = 0;
  int interrupts = 0;
  for (int i = 0; i < 3200; ++i) {
    const Depth depth = depth_for(bytes_of(std::to_string(i)));
    full += depth == Depth::kFull;
    interrupts += depth == Depth::kInterrupts;
  }
  for (const int share : {full, interrupts}) {
    EXPECT_GE(share, 25);
    EXPECT_LE(share, 100);
  }
}

TEST(CommandLine, TakesItsOwnOptionsAndTheArtefactsDirectory) {
  const CommandLine line = read_command_line(
      {"target", "--jit=a,b", "-runs=3", "--keep-going", "-artifact_prefix=dir/x-"}, "default");
  EXPECT_EQ(line.jits, "a,b");
  EXPECT_EQ(line.out, "dir/");
  EXPECT_TRUE(line.keep_going);
  EXPECT_EQ(read_command_line({"target"}, "default").jits, "default");
  EXPECT_EQ(read_command_line({"target", "--out=o", "-artifact_prefix=d/"}, "j").out, "o");
}

TEST(CommandLine, DefaultFlagsComeBeforeTheUsers) {
  std::string name = "target";
  std::string flag = "-max_len=9";
  std::vector<char*> given{name.data(), flag.data(), nullptr};
  int argc = 2;
  char** argv = given.data();
  add_default_flags(&argc, &argv);
  EXPECT_STREQ(argv[0], "target");
  EXPECT_STREQ(argv[argc - 1], "-max_len=9");
  EXPECT_EQ(argv[argc], nullptr);
  EXPECT_GT(argc, 2);
}

}  // namespace
}  // namespace plumb::fuzz
