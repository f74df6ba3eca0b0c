// SPDX-License-Identifier: GPL-2.0-or-later
//
// Is the harness able to see a wrong JIT? Each row edits a few bytes of what the 6.12 x86-64 JIT
// made of a case and names the invariant that has to speak first. The layout that the patterns
// match is that of kernel commit 116e04ba1459. Some rows do the same to arm64 and riscv64.
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
#include "harness/judge.h"
#include "invariants/invariants.h"

namespace plumb::harness {
namespace {

// Calls, helper calls, callee-saved registers, stores to one's own and to the caller's stack.
constexpr const char* kCalls = R"(.case 1
.region map 16
.program entry
.function main
        r6 = 6
        r7 = 7
        *(u64 *)(r10 - 8) = 1
        r1 = r10
        r1 += -8
        call sub
        call 7
        r2 = map ll
        *(u64 *)(r2 + 0) = r6
        r0 = *(u64 *)(r10 - 8)
        r0 += r6
        r0 += r7
        exit
.function sub
        r6 = r1
        r7 = 70
        *(u64 *)(r10 - 16) = 2
        call leaf
        call 7
        *(u64 *)(r6 + 0) = 3
        r0 = 1
        exit
.function leaf
        *(u64 *)(r10 - 8) = 5
        r0 = *(u64 *)(r10 - 8)
        exit
)";

// A program that tail-calls itself up to the limit, with a stack and a saved register.
constexpr const char* kChain = R"(.case 1
.array jmp 1
.slot jmp 0 entry
.program entry
.function main
        r6 = r1
        *(u64 *)(r10 - 24) = 2
        call 7
        r1 = r6
        r2 = jmp ll
        r3 = 0
        call 12
        r0 = 7
        exit
)";

// Both calls of the subprogram tail-call the program again.
constexpr const char* kTree = R"(.case 1
.array jmp 1
.slot jmp 0 entry
.program entry
.function main
        r6 = r1
        *(u8 *)(r10 - 3) = 1
        call sub
        r1 = r6
        call sub
        r0 = 9
        exit
.function sub
        r2 = jmp ll
        r3 = 0
        call 12
        r0 = 7
        exit
)";

// One tail call to an empty slot (indirect), one out of range, one to an empty slot (direct).
constexpr const char* kRefused = R"(.case 1
.array jmp 2
.slot jmp 0 entry
.program entry
.function main
        r6 = *(u64 *)(r1 + 0)
        r7 = r1
        r2 = jmp ll
        r3 = r6
        call 12
        r1 = r7
        r2 = jmp ll
        r3 = r6
        r3 += 1
        call 12
        call 7
        r1 = r7
        r2 = jmp ll
        r3 = 1
        call 12
        r0 = 4
        exit
.context 01 00 00 00 00 00 00 00
)";

// A subprogram without a stack, and nothing of the caller's behind the pointer.
constexpr const char* kBare = R"(.case 1
.program entry
.function main
        call sub
        exit
.function sub
        call 7
        r0 = 1
        exit
)";

// A callback, which the kernel calls.
constexpr const char* kCallback = R"(.case 1
.program entry
.function main
        r1 = 2
        r2 = each ll
        r3 = 0
        r4 = 0
        call 181
        r0 = 1
        exit
.function each
        r6 = 77
        call 7
        r0 = 0
        exit
)";

// A tail call whose key nobody knows, with pads where the plugin makes them.
constexpr const char* kIndirect = R"(.case 1
.array jmp 1
.slot jmp 0 entry
.program entry
.function main
        r6 = r1
        r3 = *(u64 *)(r1 + 0)
        r2 = jmp ll
        call 12
        r0 = 7
        exit
.context 00 00 00 00 00 00 00 00
)";

constexpr const char* kPlain = "linux-6.12-x86_64";
constexpr const char* kIbt = "linux-6.12-x86_64:ibt";
constexpr const char* kFineIbt = "linux-6.12-x86_64:fineibt";
constexpr const char* kArm64 = "linux-6.12-arm64";
constexpr const char* kRiscv64 = "linux-6.12-riscv64";

// One edit: bytes in the code of a function, found and replaced.
struct Edit {
  int function;
  const char* from;  // hex bytes; ?? is any byte
  const char* to;    // hex bytes; ?? keeps the byte, +N and -N change the 32-bit word here
  int nth = 0;       // which match, counting from 0
};

struct Defect {
  const char* name;
  const char* text;
  std::vector<Edit> edits;
  const char* invariant;  // what has to speak first
  const char* jit = kPlain;
};

const std::vector<Defect>& defects() {
  static const std::vector<Defect> rows{
      // ---- registers ----
      {"the epilogue pops in the order of the pushes",
       kCalls,
       {{1, "41 5d 5b c9 c3", "5b 41 5d c9 c3"}},
       "r6-r9-survive-calls"},
      {"the prologue does not push rbx",
       kCalls,
       {{1, "53 41 55", "90 41 55"}},
       "r6-r9-survive-calls"},
      {"the prologue pushes r14 for r13",
       kCalls,
       {{1, "53 41 55", "53 41 56"}},
       "r6-r9-survive-calls"},
      {"the main function does not pop rbx",
       kCalls,
       {{0, "41 5d 5b c9 c3", "41 5d 90 c9 c3"}},
       "callee-saved-preserved"},
      {"a subprogram clobbers r12",
       kCalls,
       {{1, "0f 1f 44 00 00", "49 83 c4 01 90"}},
       "callee-saved-preserved"},
      {"a callback does not restore rbx",
       kCallback,
       {{1, "5b c9 c3", "90 c9 c3"}},
       "callee-saved-preserved"},
      {"the prologue pushes rax for rbp",
       kCalls,
       {{1, "55 48 89 e5", "50 48 89 e5"}},
       "r10-stable"},
      // ---- the stack pointer ----
      {"leave is only a pop of rbp", kCalls, {{1, "5b c9 c3", "5b 5d c3"}}, "stays-in-image"},
      {"leave is missing", kBare, {{1, "c9 c3", "90 c3"}}, "stays-in-image"},
      {"the frame is not rounded up to 8 bytes",
       kCalls,
       {{1, "48 81 ec 10 00 00 00", "48 81 ec 0c 00 00 00"}},
       "bpf-stack-disjoint-from-saved-area"},
      {"the frame is one byte too large",
       kCalls,
       {{1, "48 81 ec 10 00 00 00", "48 81 ec 11 00 00 00"}},
       "sp-aligned-at-call"},
      {"the frame is not allocated",
       kCalls,
       {{1, "48 81 ec 10 00 00 00", "48 81 ec 00 00 00 00"}},
       "bpf-stack-disjoint-from-saved-area"},
      {"the frame of a leaf is not allocated",
       kCalls,
       {{2, "48 81 ec 08 00 00 00", "48 81 ec 00 00 00 00"}},
       "no-live-data-below-sp"},
      {"a tail call leaves the frame on the stack",
       kChain,
       {{0, "48 81 c4 18 00 00 00", "48 81 c4 00 00 00 00"}},
       "stack-growth-bounded"},
      {"a tail call pops one register too few",
       kChain,
       {{0, "5b 58 58", "5b 58 90"}},
       "stack-growth-bounded"},
      {"a subprogram's tail call pops one register too few",
       kTree,
       {{1, "58 58 e9", "58 90 e9"}},
       "sp-balanced"},
      {"a tail call removes too much",
       kChain,
       {{0, "48 81 c4 18 00 00 00", "48 81 c4 20 00 00 00"}},
       "sp-balanced"},
      // ---- the frame record ----
      {"rbp is not set up, over a BPF stack",
       kCalls,
       {{1, "48 89 e5", "0f 1f 00"}},
       "bpf-stack-disjoint-from-saved-area"},
      {"rbp is not set up", kBare, {{1, "48 89 e5", "0f 1f 00"}}, "fp-chain-matches-calls"},
      // ---- stores ----
      {"a store hits the frame record",
       kCalls,
       {{0, "48 c7 45 f8", "48 c7 45 00"}},
       "saved-slots-unwritten"},
      {"a store hits the return address",
       kCalls,
       {{0, "48 c7 45 f8", "48 c7 45 08"}},
       "return-address-intact"},
      {"a store hits a saved register",
       kCalls,
       {{1, "48 c7 45 f0", "48 c7 45 e8"}},
       "saved-slots-unwritten"},
      {"a store hits memory above the frames",
       kCalls,
       {{0, "48 c7 45 f8", "48 c7 45 40"}},
       "bpf-stack-in-frame"},
      {"a store through a pointer is 8 bytes off",
       kCalls,
       {{1, "48 c7 43 00", "48 c7 43 08"}},
       "saved-slots-unwritten"},
      // ---- the tail-call counter ----
      {"34 tail calls are allowed", kChain, {{0, "48 83 38 21", "48 83 38 22"}}, "tail-call-bound"},
      {"jae is ja", kChain, {{0, "48 83 38 21 73", "48 83 38 21 77"}}, "tail-call-bound"},
      {"32 tail calls are allowed",
       kChain,
       {{0, "48 83 38 21", "48 83 38 20"}},
       "tail-call-count-matches-oracle"},
      {"the counter is not stored", kChain, {{0, "48 83 00 01", "48 83 00 00"}}, "tail-call-bound"},
      {"each tail call counts twice",
       kTree,
       {{1, "48 83 00 01", "48 83 00 02"}},
       "tail-call-count-matches-oracle"},
      {"a subprogram does not count",
       kTree,
       {{1, "48 83 00 01", "48 83 00 00"}},
       "tail-call-bound"},
      {"the counter's pointer is not loaded before a call",
       kTree,
       {{0, "48 8b 85 ?? ff ff ff e8", "0f 1f 80 00 00 00 00 ??", 1}},
       "native-fault"},
      {"the counter's pointer is loaded from half a slot off",
       kTree,
       {{0, "48 8b 85 ?? ff ff ff e8", "?? ?? ?? +4 ?? ?? ?? ??", 0}},
       "native-fault"},
      {"a subprogram sets the counter's pointer to 0",
       kTree,
       {{1, "0f 1f 00 55", "48 31 c0 55"}},
       "native-fault"},
      {"a tail callee starts a count of its own",
       kChain,
       {{0, "48 83 f8 21 77 06 50", "48 31 c0 90 77 06 50"}},
       "tail-call-bound"},
      // ---- control flow ----
      {"a tail call lands 4 bytes late",
       kTree,
       {{1, "58 58 e9 ??", "?? ?? ?? +4"}},
       "lands-on-entry-or-return"},
      {"a tail call lands on the entry",
       kTree,
       {{1, "58 58 e9 ??", "?? ?? ?? -12"}},
       "lands-on-entry-or-return"},
      {"a call lands one byte late",
       kCalls,
       {{0, "48 83 c7 f8 e8 ??", "?? ?? ?? ?? ?? +1"}},
       "lands-on-entry-or-return"},
      {"a call reaches another function's middle",
       kCalls,
       {{0, "48 83 c7 f8 e8 ??", "?? ?? ?? ?? ?? +64"}},
       "lands-on-entry-or-return"},
      {"a call reaches no helper", kBare, {{1, "e8 ??", "?? +16"}}, "lands-on-entry-or-return"},
      {"an empty slot is not noticed",
       kRefused,
       {{0, "48 85 c9 74 ??", "48 85 c9 66 90"}},
       "native-fault"},
      {"a refused tail call skips an instruction",
       kRefused,
       {{0, "48 83 38 21 73 ?? e9 ??", "?? ?? ?? ?? ?? ?? ?? +5"}},
       "refused-tail-call-falls-through"},
      {"a refused tail call has popped",
       kRefused,
       {{0, "48 85 c9 74 ??", "5b 41 5d eb ??"}},
       "sp-balanced"},
      {"an undefined instruction", kCalls, {{2, "48 8b 45 f8", "0f 0b 45 f8"}}, "native-fault"},
      {"a loop without an end", kCalls, {{2, "48 8b 45 f8", "eb fe 45 f8"}}, "terminates"},
      {"a jump out of the image",
       kCalls,
       {{2, "48 8b 45 f8 c9 c3", "31 c0 ff e0 c9 c3"}},
       "stays-in-image"},
      {"the entry has no pad",
       kBare,
       {{0, "f3 0f 1e fa", "0f 1f 40 00"}},
       "indirect-target-has-landing-pad",
       kIbt},
      {"where tail calls land is no pad",
       kIndirect,
       {{0, "48 89 e5 f3 0f 1e fa", "48 89 e5 0f 1f 40 00"}},
       "indirect-target-has-landing-pad",
       kIbt},
      {"a callback has no pad",
       kCallback,
       {{1, "f3 0f 1e fa", "0f 1f 40 00"}},
       "indirect-target-has-landing-pad",
       kIbt},
      {"with FineIBT, where tail calls land is no pad",
       kIndirect,
       {{0, "48 89 e5 f3 0f 1e fa", "48 89 e5 66 0f 1f 00"}},
       "indirect-target-has-landing-pad",
       kFineIbt},
      // ---- values ----
      {"another helper is called", kBare, {{1, "e8 ??", "?? -32"}}, "same-events"},
      {"a stack pointer argument is 8 bytes off",
       kCalls,
       {{0, "48 83 c7 f8", "48 83 c7 f0"}},
       "same-events"},
      {"a subprogram returns another value",
       kBare,
       {{1, "b8 01 00 00 00", "b8 02 00 00 00"}},
       "same-events"},
      {"the result is another value",
       kChain,
       {{0, "b8 07 00 00 00", "b8 08 00 00 00"}},
       "same-result"},
      {"the address of a map value is 8 bytes off",
       kCalls,
       {{0, "48 be f0", "48 be f8"}},
       "same-memory"},
      {"the address of a map value lies before the map",
       kCalls,
       {{0, "48 be f0", "48 be e8"}},
       "same-memory"},
      // ---- arm64 ----
      {"sp of a leaf is 8 modulo 16",
       kCalls,
       {{2, "ff 43 00 d1", "ff 63 00 d1"}, {2, "ff 43 00 91", "ff 63 00 91"}},  // 16: 24
       "sp-aligned-at-access",
       kArm64},
      {"x29 is not set up",
       kBare,
       {{1, "fd 03 00 91", "1f 20 03 d5"}},
       "fp-chain-matches-calls",
       kArm64},
      {"the record holds x29 twice",
       kBare,
       {{1, "fd 7b bf a9", "fd 77 bf a9"}},
       "fp-chain-matches-calls",
       kArm64},
      {"a store hits the record",  // str x10, [sp, #8]: [sp, #64]
       kCalls,
       {{0, "ea 07 00 f9", "ea 23 00 f9"}},
       "saved-slots-unwritten",
       kArm64},
      {"a store hits the return address",  // [sp, #72]
       kCalls,
       {{0, "ea 07 00 f9", "ea 27 00 f9"}},
       "return-address-intact",
       kArm64},
      {"a pair is popped in the other order",  // ldp x19, x20
       kCalls,
       {{1, "f3 53 c1 a8", "f4 4f c1 a8"}},
       "r6-r9-survive-calls",
       kArm64},
      {"a subprogram clobbers the register of the count",  // mov x9, x30: add x26, x26, #1
       kCalls,
       {{2, "c9 03 00 91", "5a 07 00 91"}},
       "callee-saved-preserved",
       kArm64},
      {"a tail call leaves the BPF stack",
       kChain,
       {{0, "ff 83 00 91", "1f 20 03 d5"}},
       "stack-growth-bounded",
       kArm64},
      {"the count is not stored",
       kTree,
       {{1, "4c 03 00 f9", "1f 20 03 d5"}},
       "tail-call-bound",
       kArm64},
      {"the result stays in x7", kBare, {{1, "e0 00 00 91", "1f 20 03 d5"}}, "same-events", kArm64},
      {"a call lands inside a function",
       kBare,
       {{0, "?? 00 00 94", "+1 ?? ?? ??"}},
       "lands-on-entry-or-return",
       kArm64},
      // ---- riscv64 ----
      {"the return address is not saved",  // sd ra, 8(sp)
       kBare,
       {{1, "23 34 11 00", "13 00 00 00"}},
       "fp-chain-matches-calls",
       kRiscv64},
      {"s0 is not set up",
       kBare,
       {{1, "13 04 01 01", "13 00 00 00"}},
       "fp-chain-matches-calls",
       kRiscv64},
      {"a store of a leaf hits the saved s0",  // sd t1, -8(s5): 8(s5)
       kCalls,
       {{2, "23 bc 6a fe", "23 b4 6a 00"}},
       "saved-slots-unwritten",
       kRiscv64},
      {"s1 is not restored",
       kCalls,
       {{1, "83 34 81 02", "13 00 00 00"}},
       "r6-r9-survive-calls",
       kRiscv64},
      {"a leaf leaves its frame",
       kCalls,
       {{2, "13 01 01 02", "13 00 00 00"}},
       "sp-balanced",
       kRiscv64},
      {"34 tail calls are allowed",
       kChain,
       {{0, "13 08 10 02", "13 08 20 02"}},
       "tail-call-bound",
       kRiscv64},
      {"the result stays in a5",
       kChain,
       {{0, "1b 85 07 00", "13 00 00 00"}},
       "same-result",
       kRiscv64},
  };
  return rows;
}

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

// False when the code holds no such bytes. Guest addresses are host addresses, and the arena is
// writable (plugin.h).
bool apply(const Image& image, const Edit& edit) {
  const NativeFunction* function = image.find_function(0, edit.function);
  if (function == nullptr) return false;
  const std::span<std::uint8_t> code(reinterpret_cast<std::uint8_t*>(function->address),
                                     function->size);
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
    for (const char* name : {kPlain, kIbt, kFineIbt, kArm64, kRiscv64}) {
      auto opened = jit::open_jits(PLUMB_PLUGIN_DIR, name);
      ASSERT_TRUE(opened.has_value()) << opened.error().str();
      jits_[name] = std::move(opened->front());
    }
    judge_ = std::make_unique<Judge>();
  }
  static void TearDownTestSuite() {
    judge_.reset();
    jits_.clear();
  }

  static inline std::map<std::string_view, std::unique_ptr<jit::Jit>> jits_;
  static inline std::unique_ptr<Judge> judge_;
};

// Only indirect jumps and calls look for pads.
TEST_P(SeededDefects, DirectJumpsAndCallsNeedNoPads) {
  const std::vector<Edit> without_pads = {{0, "48 89 e5 f3 0f 1e fa", "48 89 e5 0f 1f 40 00"},
                                          {1, "f3 0f 1e fa", "0f 1f 40 00"}};
  DefectiveJit jit(*jits_[kIbt], without_pads);
  const Outcome outcome = judge_->judge(parsed(kTree), jit, GetParam());
  EXPECT_FALSE(jit.has_missed());
  EXPECT_EQ(outcome.judgement.verdict, Verdict::kConforms) << listing(outcome.judgement);
}

TEST_P(SeededDefects, TheCasesConformWithoutThem) {
  for (const auto& [name, jit] : jits_) {
    for (const char* text : {kCalls, kChain, kTree, kRefused, kBare, kCallback, kIndirect}) {
      if (name == kRiscv64 && text == kTree) continue;  // no tail calls in subprograms
      const Outcome outcome = judge_->judge(parsed(text), *jit, GetParam());
      EXPECT_EQ(outcome.judgement.verdict, Verdict::kConforms)
          << name << text << listing(outcome.judgement);
      EXPECT_EQ(outcome.stage, Stage::kCompared);
    }
  }
}

TEST_P(SeededDefects, EachIsCaughtByTheInvariantThatItBreaks) {
  for (const Defect& defect : defects()) {
    SCOPED_TRACE(defect.name);
    DefectiveJit jit(*jits_[defect.jit], defect.edits);
    const Outcome outcome = judge_->judge(parsed(defect.text), jit, GetParam());
    EXPECT_FALSE(jit.has_missed()) << "the bytes to edit are not there";
    EXPECT_EQ(outcome.judgement.verdict, Verdict::kViolation) << listing(outcome.judgement);
    EXPECT_EQ(outcome.judgement.signature.invariant, defect.invariant)
        << listing(outcome.judgement);
  }
}

INSTANTIATE_TEST_SUITE_P(Depths, SeededDefects, testing::Values(Depth::kFast, Depth::kFull),
                         [](const auto& depth) {
                           return depth.param == Depth::kFast ? "fast" : "full";
                         });

// fp-chain-walkable is a first finding only where the frame pointer is wrong during a call and
// right again behind it, which no edit of a few bytes makes of this layout.
TEST(SeededDefectTable, EveryInvariantHasOne) {
  std::set<std::string_view> caught{"fp-chain-walkable"};
  for (const Defect& defect : defects()) caught.insert(defect.invariant);
  for (const auto& info : invariants::invariant_table()) {
    EXPECT_TRUE(caught.contains(info.name)) << info.name;
  }
}

}  // namespace
}  // namespace plumb::harness
