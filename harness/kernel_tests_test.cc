// SPDX-License-Identifier: GPL-2.0-or-later
// The kernel's own tests on a JIT of the kernel's, and on JITs that are wrong.
#include "harness/kernel_tests.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <string>
#include <utility>

#include "core/capability.h"
#include "core/opcode.h"

namespace plumb::harness {
namespace {

using Verdict = KernelTestOutcome::Verdict;
using Oracle = KernelTestOutcome::Oracle;
using jit::KernelSuite;
using jit::KernelTest;

const std::string kPlugins = PLUMB_PLUGIN_DIR;

std::unique_ptr<jit::Jit> open_jit(const std::string& name) {
  auto jit = jit::open_plugin(kPlugins + "/" + name + ".so");
  EXPECT_TRUE(jit) << jit.error().str();
  return jit ? std::move(*jit) : nullptr;
}

std::unique_ptr<jit::KernelTests> open_tests(const std::string& tree) {
  auto tests = jit::open_kernel_tests(kPlugins + "/tests/" + tree + ".so");
  EXPECT_TRUE(tests) << tests.error().str();
  return tests ? std::move(*tests) : nullptr;
}

std::uint32_t index_of(const jit::KernelTests& tests, KernelSuite suite, const std::string& name) {
  for (std::uint32_t i = 0; i < tests.count(suite); ++i) {
    if (tests.name(suite, i) == name) return i;
  }
  ADD_FAILURE() << "no test " << name;
  return 0;
}

// The tests of a tree, changed on their way.
class ChangedTests final : public jit::KernelTests {
 public:
  using Change = std::function<void(KernelTest&)>;
  ChangedTests(const jit::KernelTests& tests, Change change)
      : tests_(tests), change_(std::move(change)) {}
  [[nodiscard]] const std::string& version() const override { return tests_.version(); }
  [[nodiscard]] std::uint32_t count(KernelSuite suite) const override {
    return tests_.count(suite);
  }
  [[nodiscard]] std::string name(KernelSuite suite, std::uint32_t index) const override {
    return tests_.name(suite, index);
  }
  [[nodiscard]] KernelTest get(KernelSuite suite, std::uint32_t index) const override {
    KernelTest test = tests_.get(suite, index);
    change_(test);
    return test;
  }

 private:
  const jit::KernelTests& tests_;
  Change change_;
};

// A JIT that compiles another program than it was given.
class WrongJit final : public jit::Jit {
 public:
  using Defect = std::function<void(Case&)>;
  WrongJit(jit::Jit& jit, Defect defect)
      : jit_(jit), info_(jit.info()), defect_(std::move(defect)) {}
  [[nodiscard]] const jit::JitInfo& info() const override { return info_; }
  [[nodiscard]] jit::JitInfo& change_info() { return info_; }
  [[nodiscard]] jit::LoadOutcome load(const Case& value) override {
    Case changed = value;
    defect_(changed);
    return jit_.load(changed);
  }

 private:
  jit::Jit& jit_;
  jit::JitInfo info_;
  Defect defect_;
};

class KernelTestsTest : public testing::Test {
 protected:
  [[nodiscard]] KernelTestOutcome run(const std::string& name) { return run(name, *tests_, *jit_); }
  [[nodiscard]] KernelTestOutcome run(const std::string& name, const jit::KernelTests& tests,
                                      jit::Jit& jit, KernelSuite suite = KernelSuite::kTestBpf) {
    return runner_.run(tests, suite, index_of(tests, suite, name), jit);
  }

  std::unique_ptr<jit::Jit> jit_ = open_jit("linux-6.12-x86_64");
  std::unique_ptr<jit::KernelTests> tests_ = open_tests("linux-6.12");
  KernelTestRunner runner_;
};

TEST_F(KernelTestsTest, TablesAreThoseOfTheTree) {
  EXPECT_EQ(tests_->version().substr(0, 5), "6.12.");
  EXPECT_GT(tests_->count(KernelSuite::kTestBpf), 1000u);
  EXPECT_GE(tests_->count(KernelSuite::kTailCalls), 10u);
  const KernelTest test = tests_->get(
      KernelSuite::kTestBpf, index_of(*tests_, KernelSuite::kTestBpf, "ALU64_ADD_K: 1 + 2 = 3"));
  EXPECT_EQ(test.status, KernelTest::Status::kReady);
  EXPECT_EQ(test.subtests,
            (std::vector<jit::KernelSubtest>{{.data_size = 0, .result = 3, .context = {}}}));
  EXPECT_EQ(test.code.insns.size(), 4u);
}

TEST_F(KernelTestsTest, SmallTestPassesAndTheOracleAgrees) {
  const KernelTestOutcome outcome = run("ALU64_ADD_K: 1 + 2 = 3");
  EXPECT_EQ(outcome.verdict, Verdict::kPassed) << outcome.reason;
  EXPECT_EQ(outcome.oracle, Oracle::kAgrees);
  EXPECT_TRUE(outcome.ran);
}

TEST_F(KernelTestsTest, LargeProgramsAndLargeContextsRun) {
  for (const char* name : {"Staggered jumps: JMP_JA", "ATOMIC_W_XCHG: all operand magnitudes",
                           "BPF_LDX_MEM | BPF_DW, large positive offset",
                           "BPF_LDX_MEM | BPF_B, large positive offset"}) {
    const KernelTestOutcome outcome = run(name);
    EXPECT_EQ(outcome.verdict, Verdict::kPassed) << name << ": " << outcome.reason;
    EXPECT_EQ(outcome.oracle, Oracle::kAgrees) << name;
  }
}

TEST_F(KernelTestsTest, ClassicProgramsAreConvertedByTheKernel) {
  for (const char* name : {"DIV_MOD_KX", "SPILL_FILL", "ADD default A", "LD_RXHASH", "LD_QUEUE",
                           "LD_VLAN_TAG_PRESENT", "BPF_MAXINSNS: Run/add until end"}) {
    const KernelTestOutcome outcome = run(name);
    EXPECT_EQ(outcome.verdict, Verdict::kPassed) << name << ": " << outcome.reason;
    EXPECT_EQ(outcome.oracle, Oracle::kAgrees) << name << ": " << outcome.undefined_reason;
  }
  const KernelTestOutcome refused = run("check: missing ret");
  EXPECT_EQ(refused.verdict, Verdict::kPassed) << refused.reason;
  EXPECT_FALSE(refused.ran);
  const KernelTestOutcome packet = run("LD_ABS byte");
  EXPECT_EQ(packet.verdict, Verdict::kNotApplicable);
  EXPECT_EQ(packet.reason, "classic BPF that follows pointers of a packet");
}

TEST_F(KernelTestsTest, TailCallsAreCountedInTheState) {
  for (const char* name :
       {"Tail call leaf", "Tail call 4", "Tail call error path, max count reached",
        "Tail call count preserved across function calls",
        "Tail call error path, index out of range"}) {
    const KernelTestOutcome outcome = run(name, *tests_, *jit_, KernelSuite::kTailCalls);
    EXPECT_EQ(outcome.verdict, Verdict::kPassed) << name << ": " << outcome.reason;
  }
}

TEST_F(KernelTestsTest, WrongExpectationFails) {
  const ChangedTests wrong(*tests_, [](KernelTest& test) { ++test.subtests.at(0).result; });
  const KernelTestOutcome outcome = run("ALU64_ADD_K: 1 + 2 = 3", wrong, *jit_);
  EXPECT_EQ(outcome.verdict, Verdict::kFailed);
  EXPECT_EQ(outcome.oracle, Oracle::kDisagrees);
  EXPECT_EQ(outcome.reason, "ret 3 != 4 (0x3 != 0x4); nor is that what the oracle returns");
}

TEST_F(KernelTestsTest, WrongTailCallCountFails) {
  const ChangedTests wrong(*tests_, [](KernelTest& test) { --test.subtests.at(0).result; });
  const KernelTestOutcome outcome =
      run("Tail call error path, max count reached", wrong, *jit_, KernelSuite::kTailCalls);
  EXPECT_EQ(outcome.verdict, Verdict::kFailed);
  EXPECT_EQ(outcome.reason.substr(0, 12), "ret 34 != 33");
}

TEST_F(KernelTestsTest, JitThatComputesSomethingElseFails) {
  WrongJit wrong(*jit_, [](Case& value) {
    Insn& add = value.programs[0].functions[0].insns[2];
    ASSERT_EQ(decode(add)->operation, Operation::kAdd);
    add.immediate += 5;
  });
  const KernelTestOutcome outcome = run("ALU64_ADD_K: 1 + 2 = 3", *tests_, wrong);
  EXPECT_EQ(outcome.verdict, Verdict::kFailed);
  EXPECT_EQ(outcome.oracle, Oracle::kAgrees);
  EXPECT_EQ(outcome.reason, "ret 8 != 3 (0x8 != 0x3)");
}

// What a verifier does for riscv64 elsewhere: here the JIT has to clear upper halves itself, unless
// it is told that the program does.
TEST_F(KernelTestsTest, NothingIsRewrittenOnTheWayToTheJit) {
  const std::string name = "ALU_MOV_K: 0x0000ffffffff0000 = 0x00000000ffffffff";
  const std::unique_ptr<jit::Jit> riscv = open_jit("linux-6.12-riscv64");
  const KernelTestOutcome honest = run(name, *tests_, *riscv);
  EXPECT_EQ(honest.verdict, Verdict::kPassed) << honest.reason;
  const ChangedTests claiming(
      *tests_, [](KernelTest& test) { test.preparation = Preparation::kZeroExtended; });
  EXPECT_EQ(run(name, claiming, *riscv).verdict, Verdict::kFailed);
}

TEST_F(KernelTestsTest, JitThatCannotTakeUnverifiedProgramsIsNotApplicable) {
  WrongJit careful(*jit_, [](Case&) {});
  careful.change_info().capabilities &= ~capability_bit(Capability::kUnverified);
  EXPECT_EQ(run("ALU64_ADD_K: 1 + 2 = 3", *tests_, careful).verdict, Verdict::kNotApplicable);
}

TEST_F(KernelTestsTest, JitThatDiesFailsItsTestAndNoOther) {
  const std::uint32_t victim = index_of(*tests_, KernelSuite::kTestBpf, "ALU64_ADD_K: 1 + 2 = 3");
  WrongJit dying(*jit_, [](Case& value) {
    const std::vector<Insn>& insns = value.programs[0].functions[0].insns;
    if (insns.size() == 4 && insns[2].immediate == 2) std::abort();
  });
  const std::array subjects{KernelTestSubject{&dying, tests_.get()}};
  KernelTestOptions options;
  options.wanted = [victim](KernelSuite suite, std::uint32_t index) {
    return suite == KernelSuite::kTestBpf && index >= victim && index <= victim + 1;
  };
  const std::vector<KernelTestRow> rows = run_kernel_tests(subjects, options);
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[0].outcome.verdict, Verdict::kFailed);
  EXPECT_EQ(rows[0].outcome.reason, "the JIT: killed by signal 6 (ABRT)");
  EXPECT_EQ(rows[1].outcome.verdict, Verdict::kPassed) << rows[1].outcome.reason;
}

TEST(KernelTestsPath, IsBesideThePluginsOfTheTree) {
  jit::JitInfo info;
  info.arch = Arch::kArm64;
  const jit::JitEntry entry{.name = "linux-6.12-arm64:bti+pac",
                            .available = true,
                            .reason = {},
                            .path = "/p/linux-6.12-arm64:bti+pac.so"};
  EXPECT_EQ(jit::kernel_tests_path(entry, info), "/p/tests/linux-6.12.so");
}

TEST(KernelTestsFile, ThatIsNoneIsRefused) {
  EXPECT_FALSE(jit::open_kernel_tests("/no/such/file.so"));
  const auto plugin = jit::open_kernel_tests(kPlugins + "/linux-6.12-x86_64.so");
  ASSERT_FALSE(plugin);
  EXPECT_NE(plugin.error().message.find("does not export"), std::string::npos);
}

}  // namespace
}  // namespace plumb::harness
