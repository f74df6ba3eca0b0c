// SPDX-License-Identifier: GPL-2.0-or-later
//
// The corpus against the oracle: every file says what it shows, is defined under every contract,
// and comes out as its author computed by hand. The JITs are judged elsewhere (plumb replay).
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/case_text.h"
#include "oracle/oracle.h"

namespace plumb {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLeastSeeds = 60;
constexpr std::size_t kMostNotes = 3;

std::vector<fs::path> case_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".bpf") files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

std::vector<fs::path> all_files() {
  std::vector<fs::path> files = case_files("corpus/seeds");
  for (const char* folder : {"corpus/known", "corpus/regressions"}) {
    for (fs::path& path : case_files(folder)) files.push_back(std::move(path));
  }
  return files;
}

struct Entry {
  fs::path path;
  Case value;
};

std::vector<Entry> read_all() {
  std::vector<Entry> entries;
  for (const fs::path& path : all_files()) {
    Result<Case> parsed = read_case(path.string());
    if (parsed) {
      entries.push_back({path, std::move(*parsed)});
    } else {
      ADD_FAILURE() << parsed.error().str();
    }
  }
  return entries;
}

// Read once; files that do not parse are missing here and fail the first test that asks.
const std::vector<Entry>& all_cases() {
  static const std::vector<Entry> kEntries = read_all();
  return kEntries;
}

std::vector<Contract> contracts() {
  Contract consuming;
  consuming.empty_slot_consumes_count = Tristate::kYes;
  return {Contract{}, consuming};
}

// Why the oracle's answer is not what the file expects; nothing when it is.
std::optional<std::string> disagreement(const Case& value, const Contract& contract) {
  const Execution execution = oracle::run(value, contract);
  if (value.expectation.kind == Expectation::Kind::kUndefined) {
    if (!execution.defined) return std::nullopt;
    return "defined, against its .expect";
  }
  if (!execution.defined) {
    return "undefined: " + execution.undefined_reason + " (program " +
           std::to_string(execution.undefined_at.program) + ", function " +
           std::to_string(execution.undefined_at.function) + ", slot " +
           std::to_string(execution.undefined_at.slot) + ")";
  }
  if (value.expectation.kind == Expectation::Kind::kNone) return std::nullopt;
  if (execution.result == Value::scalar(value.expectation.value)) return std::nullopt;
  return "expected " + std::to_string(value.expectation.value) + ", the oracle says " +
         std::to_string(execution.result.bits);
}

bool is_kebab_case(const std::string& stem) {
  if (stem.empty() || stem.front() == '-' || stem.back() == '-') return false;
  return std::ranges::all_of(stem, [](unsigned char c) {
    return std::islower(c) != 0 || std::isdigit(c) != 0 || c == '-';
  });
}

TEST(Corpus, Parses) { EXPECT_EQ(all_cases().size(), all_files().size()); }

TEST(Corpus, HasEnoughSeeds) { EXPECT_GE(case_files("corpus/seeds").size(), kLeastSeeds); }

TEST(Corpus, HasAKnownFinding) {
  std::size_t waived = 0;
  for (const Entry& entry : all_cases()) {
    if (entry.path.parent_path().filename() != "known") continue;
    EXPECT_FALSE(entry.value.waivers.empty()) << entry.path << " waives nothing";
    waived += entry.value.waivers.size();
  }
  EXPECT_GE(waived, 1u);
}

TEST(Corpus, SeedsAreNamedInKebabCaseAndOnce) {
  for (const fs::path& path : case_files("corpus/seeds")) {
    EXPECT_TRUE(is_kebab_case(path.stem().string())) << path;
  }
  std::set<std::string> names;
  for (const fs::path& path : all_files()) {
    EXPECT_TRUE(names.insert(path.filename().string()).second) << path << " is there twice";
  }
}

TEST(Corpus, SaysWhatEachFileShows) {
  for (const Entry& entry : all_cases()) {
    EXPECT_FALSE(entry.value.notes.empty()) << entry.path << " has no comment after .case";
    if (entry.path.parent_path().filename() == "seeds") {
      EXPECT_LE(entry.value.notes.size(), kMostNotes) << entry.path;
    }
  }
}

TEST(Corpus, HoldsNoCaseTwice) {
  std::set<std::string> texts;
  for (const Entry& entry : all_cases()) {
    Case bare = entry.value;
    bare.notes.clear();
    EXPECT_TRUE(texts.insert(print_case(bare)).second) << entry.path << " repeats another file";
  }
}

TEST(Corpus, RoundTripsThroughThePrinter) {
  for (const Entry& entry : all_cases()) {
    const std::string text = print_case(entry.value);
    const Result<Case> again = parse_case(text, entry.path.string());
    ASSERT_TRUE(again.has_value()) << again.error().str() << "\n" << text;
    EXPECT_TRUE(*again == entry.value) << entry.path;
    EXPECT_EQ(print_case(*again), text) << entry.path;
  }
}

TEST(Corpus, IsWhatTheOracleSaysUnderEveryContract) {
  for (const Entry& entry : all_cases()) {
    for (const Contract& contract : contracts()) {
      const std::optional<std::string> problem = disagreement(entry.value, contract);
      EXPECT_FALSE(problem.has_value())
          << entry.path
          << (contract.empty_slot_consumes_count == Tristate::kYes ? " (empty slots consume)" : "")
          << ": " << *problem;
    }
  }
}

// A file whose result depends on the contract has no .expect; there are few, and they do depend.
TEST(Corpus, LeavesOutTheResultOnlyWhereContractsDiffer) {
  for (const Entry& entry : all_cases()) {
    if (entry.value.expectation.kind != Expectation::Kind::kNone) continue;
    std::set<std::uint64_t> results;
    for (const Contract& contract : contracts()) {
      results.insert(oracle::run(entry.value, contract).result.bits);
    }
    EXPECT_GT(results.size(), 1u) << entry.path << " could say .expect";
  }
}

// Call chains that only some verifiers let through are no use for the other kernels' JITs.
TEST(Corpus, FitsUnderEveryVerifierOrSaysWhichRefusesIt) {
  int refused = 0;
  for (const Entry& entry : all_cases()) {
    if (entry.value.expectation.kind == Expectation::Kind::kUndefined) continue;
    if (!disagreement(entry.value, kEveryVerifier)) continue;
    ++refused;
    const bool said = std::ranges::any_of(entry.value.notes, [](const std::string& note) {
      return note.find("6.1 refuses") != std::string::npos;
    });
    EXPECT_TRUE(said) << entry.path << ": " << *disagreement(entry.value, kEveryVerifier);
  }
  EXPECT_EQ(refused, 1);
}

// Nobody computed by hand what machine-made cases return.
TEST(Corpus, DistilledCasesAreDefined) {
  for (const fs::path& path : case_files("corpus/distilled")) {
    const Result<Case> value = read_case(path.string());
    ASSERT_TRUE(value.has_value()) << value.error().str();
    EXPECT_FALSE(value->notes.empty()) << path;
    const Execution execution = oracle::run(*value, Contract{});
    EXPECT_TRUE(execution.defined) << path << ": " << execution.undefined_reason;
  }
}

TEST(Corpus, NoticesAWrongExpectation) {
  const Result<Case> parsed = parse_case(
      ".case 1\n.program p\n.function main\n        r0 = 1\n        exit\n.expect return 2\n");
  ASSERT_TRUE(parsed.has_value()) << parsed.error().str();
  EXPECT_TRUE(disagreement(*parsed, Contract{}).has_value());
  const Result<Case> undefined = parse_case(
      ".case 1\n.program p\n.function main\n        r0 = r3\n        exit\n.expect return 2\n");
  ASSERT_TRUE(undefined.has_value()) << undefined.error().str();
  EXPECT_TRUE(disagreement(*undefined, Contract{}).has_value());
}

}  // namespace
}  // namespace plumb
