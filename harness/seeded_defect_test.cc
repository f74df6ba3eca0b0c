// SPDX-License-Identifier: GPL-2.0-or-later
//
// Is the harness able to see a wrong JIT? Each row of seeded_defects.h edits a few bytes of what a
// Linux JIT made of a case and names the invariant that has to speak first.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "core/case_text.h"
#include "harness/amended_jit.h"
#include "harness/judge.h"
#include "harness/mistaken_machine.h"
#include "harness/seeded_defects.h"
#include "invariants/invariants.h"
#include "jit_under_test/plugin.h"
#include "oracle/capabilities.h"

namespace plumb::harness {
namespace {

std::vector<std::string> tokens(const char* text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

bool matches(std::span<const std::uint8_t> bytes, const std::vector<std::string>& pattern) {
  if (bytes.size() < pattern.size()) return false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] != "??" && std::stoul(pattern[i], nullptr, 16) != bytes[i]) return false;
  }
  return true;
}

// Adds to the 32-bit number at the front: a displacement.
void add_to_word(std::span<std::uint8_t> bytes, int amount) {
  std::uint32_t word = 0;
  std::memcpy(&word, bytes.data(), sizeof(word));
  word += static_cast<std::uint32_t>(amount);
  std::memcpy(bytes.data(), &word, sizeof(word));
}

void replace(std::span<std::uint8_t> bytes, const std::vector<std::string>& pattern) {
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const std::string& word = pattern[i];
    if (word[0] == '+' || word[0] == '-') {
      add_to_word(bytes.subspan(i), std::stoi(word));
    } else if (word != "??") {
      bytes[i] = static_cast<std::uint8_t>(std::stoi(word, nullptr, 16));
    }
  }
}

// False when the code holds no such bytes. The arena is writable (plugin.h).
bool apply(const Image& image, const Edit& edit) {
  const NativeFunction* function = image.find_function(0, edit.function);
  if (function == nullptr) return false;
  const auto below = static_cast<std::uint64_t>(image.code_rule.cfi.hash_below);
  const auto code = image.placement.bytes(function->address - below, below + function->size);
  const auto pattern = tokens(edit.from);
  int nth = edit.nth;
  for (std::size_t i = 0; i < code.size(); ++i) {
    if (!matches(code.subspan(i), pattern) || nth-- > 0) continue;
    replace(code.subspan(i), tokens(edit.to));
    return true;
  }
  return false;
}

// The real JIT, with defects put into what it made.
class DefectiveJit final : public jit::Jit {
 public:
  DefectiveJit(jit::Jit& real, std::span<const Edit> edits) : real_(real), edits_(edits) {}
  [[nodiscard]] const jit::JitInfo& info() const override { return real_.info(); }
  [[nodiscard]] jit::LoadOutcome load(const Case& value) override {
    jit::LoadOutcome outcome = real_.load(value);
    if (outcome.status != jit::LoadOutcome::Status::kLoaded) return outcome;
    for (const Edit& edit : edits_) missed_ |= !apply(outcome.image->image(), edit);
    return outcome;
  }
  // An edit found nothing to change.
  [[nodiscard]] bool has_missed() const { return missed_; }

 private:
  jit::Jit& real_;
  std::span<const Edit> edits_;
  bool missed_ = false;
};

Case parsed(const char* text) {
  auto value = parse_case(text);
  EXPECT_TRUE(value.has_value()) << value.error().str();
  return *std::move(value);
}

std::string listing(const Judgement& judgement) {
  std::string text = fmt::format("{} {}\n", verdict_name(judgement.verdict), judgement.reason);
  for (const Violation& violation : judgement.violations) {
    text += fmt::format("{} ({}): {}\n", violation.invariant, violation.role, violation.message);
  }
  return text;
}

class SeededDefects : public testing::TestWithParam<Depth> {
 protected:
  static void SetUpTestSuite() {
    for (const char* name :
         {kPlain, kIbt, kFineIbt, kExceptions, kArena, kArm64, kArm64Exceptions, kArm64Arena,
          kRiscv64, kRiscv64Arena, kPlain61, kKcfi, kArm64Pac, kBlinding}) {
      auto opened = jit::open_jits(PLUMB_PLUGIN_DIR, name);
      ASSERT_TRUE(opened.has_value()) << opened.error().str();
      jits_[name] = std::move(opened->front());
    }
    judge_ = std::make_unique<Judge>();
  }
  static void TearDownTestSuite() {
    judge_.reset();
    mistaken_.reset();
    jits_.clear();
  }

  // Makes the mistake of the row's unwinder, if it has one.
  static Judge& judge_of(const Defect& defect) {
    if (defect.unwinder == nullptr) return *judge_;
    const unwind::MistakeInfo* const mistake = unwind::find_mistake(defect.unwinder);
    EXPECT_NE(mistake, nullptr) << defect.unwinder;
    mistaken_ = std::make_unique<Judge>([mistake](Arch arch) {
      return std::make_unique<MistakenMachine>(machine::make_machine(arch), mistake->id);
    });
    return *mistaken_;
  }

  static inline std::map<std::string_view, std::unique_ptr<jit::Jit>> jits_;
  static inline std::unique_ptr<Judge> mistaken_;
  static inline std::unique_ptr<Judge> judge_;
};

// Only indirect jumps and calls look for pads.
TEST_P(SeededDefects, DirectJumpsAndCallsNeedNoPads) {
  const std::vector<Edit> without_pads = {{0, "48 89 e5 f3 0f 1e fa", "48 89 e5 0f 1f 40 00"},
                                          {1, "f3 0f 1e fa", "0f 1f 40 00"}};
  DefectiveJit jit(*jits_[kIbt], without_pads);
  const Outcome outcome = judge_->judge(parsed(kTreeCase), jit, GetParam());
  EXPECT_FALSE(jit.has_missed());
  EXPECT_EQ(outcome.judgement.verdict, Verdict::kConforms) << listing(outcome.judgement);
}

TEST_P(SeededDefects, TheCasesConformWithoutThem) {
  for (const auto& [name, jit] : jits_) {
    for (const char* text : defect_cases()) {
      // A count that is passed by value starts again in each subprogram.
      if (name == kPlain61 && text == kTreeCase) continue;
      const Case value = parsed(text);
      const std::uint64_t needed = oracle::required_capabilities(value);
      if ((needed & ~jit->info().capabilities) != 0) {
        if ((needed & PLUMB_CAN_THROW) != 0) {
          EXPECT_TRUE(name.starts_with(kRiscv64) || name == kPlain61) << name << text;
          continue;
        }
        // No tail calls in programs with subprograms.
        EXPECT_TRUE(name.starts_with(kRiscv64)) << name << text;
        EXPECT_EQ(needed & ~jit->info().capabilities, PLUMB_CAN_TAIL_CALL_IN_SUBPROGRAM);
        continue;
      }
      const Outcome outcome = judge_->judge(value, *jit, GetParam());
      EXPECT_EQ(outcome.judgement.verdict, Verdict::kConforms)
          << name << text << listing(outcome.judgement);
      EXPECT_EQ(outcome.stage, Stage::kCompared);
    }
  }
}

TEST_P(SeededDefects, EachIsCaughtByTheInvariantThatItBreaks) {
  for (const Defect& defect : defects()) {
    if (GetParam() < defect.needs) continue;
    SCOPED_TRACE(defect.name);
    DefectiveJit edited(*jits_[defect.jit], defect.edits);
    AmendedJit jit(edited, {.image = [&defect](Image& image) {
                     if (defect.claim != nullptr) defect.claim(image);
                   }});
    const Outcome outcome = judge_of(defect).judge(parsed(defect.text), jit, GetParam());
    EXPECT_FALSE(edited.has_missed()) << "the bytes to edit are not there";
    EXPECT_EQ(outcome.judgement.verdict, Verdict::kViolation) << listing(outcome.judgement);
    // Code that finds the wrong place on the stack may read there what an interrupt has left.
    if (GetParam() == Depth::kInterrupts && defect.needs != Depth::kInterrupts) continue;
    EXPECT_EQ(outcome.judgement.signature.invariant, defect.invariant)
        << listing(outcome.judgement);
  }
}

INSTANTIATE_TEST_SUITE_P(Depths, SeededDefects,
                         testing::Values(Depth::kFast, Depth::kFull, Depth::kInterrupts),
                         [](const auto& depth) {
                           if (depth.param == Depth::kInterrupts) return "interrupts";
                           return depth.param == Depth::kFast ? "fast" : "full";
                         });

TEST(SeededDefectTable, EveryInvariantHasOne) {
  std::set<std::string_view> caught;
  for (const Defect& defect : defects()) caught.insert(defect.invariant);
  for (const auto& info : invariants::invariant_table()) {
    EXPECT_TRUE(caught.contains(info.name)) << info.name;
  }
}

}  // namespace
}  // namespace plumb::harness
