// SPDX-License-Identifier: GPL-2.0-or-later
#include "oracle/capabilities.h"

#include <string>

#include "core/capability.h"
#include "oracle/testing_oracle.h"

namespace plumb::oracle {
namespace {

constexpr std::string_view kTailCallCode = "r2 = jmp ll\nr3 = 0\ncall 12\n";

constexpr std::string_view kArray = ".array jmp 1\n";

// A program of two functions, of which the second begins with the given code.
std::string program_p(std::string_view second = "") {
  return ".program p\n.function main\ncall f\nr0 = 0\nexit\n.function f\n" + std::string(second) +
         "r0 = 0\nexit\n";
}

TEST(RequiredCapabilities, FollowTheInstructions) {
  using enum Capability;
  struct Row {
    std::string_view body;
    std::uint64_t expected;
  };
  const Row rows[] = {
      {"", 0},
      {"call 7", 0},
      {"if r1 == 0 goto +0", 0},
      {"if w1 == 0 goto +0", capability_bit(kJump32)},
      {"r2 = 1\nlock *(u64 *)(r1 + 0) += r2", capability_bit(kAtomicAdd)},
      {"r2 = 1\nlock *(u32 *)(r1 + 0) += w2", capability_bit(kAtomicAdd)},
      {"r2 = 1\nlock *(u32 *)(r1 + 0) |= w2", capability_bit(kAtomics)},
      {"r2 = 1\nr2 = atomic_fetch_add((u64 *)(r1 + 0), r2)", capability_bit(kAtomics)},
      {"r2 = 1\nr2 = xchg_64(r1 + 0, r2)", capability_bit(kAtomics)},
      {"r2 = 1\nr2 *= 2", capability_bit(kDivmul)},
      {"r2 = 1\nw2 %= w2", capability_bit(kDivmul)},
      {"r2 = 1\nr2 s/= 2", capability_bit(kV4) | capability_bit(kDivmul)},
      {"r2 = 1\nr2 s%= r2", capability_bit(kV4) | capability_bit(kDivmul)},
      {"r2 = 1\nr2 = (s8)r2", capability_bit(kV4)},
      {"r2 = *(s8 *)(r1 + 0)", capability_bit(kV4)},
      {"r2 = 1\nr2 = bswap16 r2", capability_bit(kV4)},
      {"gotol +0", capability_bit(kV4) | capability_bit(kJump32)},
      {"r2 = 1\nif r1 == 0 goto -2", capability_bit(kJumpBack)},
      {"if r1 == 0 goto -1", capability_bit(kJumpBack)},
      {"goto +1\ngoto -2", capability_bit(kJumpBack)},
      {"goto +1\ngotol -2",
       capability_bit(kJumpBack) | capability_bit(kV4) | capability_bit(kJump32)},
      {"r0 = *(u8 *)skb[4]", capability_bit(kLegacyPacketAccess)},
      {"r2 = jmp ll\nr3 = 0\ncall 12", capability_bit(kTailCall)},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.body);
    Case value = case_of(in_main(std::string(row.body) + "\nr0 = 0\nexit"));
    value.arrays.clear();
    EXPECT_EQ(required_capabilities(value), row.expected);
  }
}

// A JIT without tail calls has no such object, even where the code does not name it.
TEST(RequiredCapabilities, AProgArrayIsForTailCalls) {
  const Case value = case_of(in_main("r0 = 0\nexit"));
  EXPECT_EQ(required_capabilities(value), capability_bit(Capability::kTailCall));
  EXPECT_EQ(run(value, {}).required_capabilities, required_capabilities(value));
  const Lack lack = lacking(value, 0);
  EXPECT_EQ(lack.phrase, "the JIT lacks tail-calls");
  EXPECT_EQ(lack.detail, "tail-calls for array jmp");
}

TEST(RequiredCapabilities, MixingCallsAndTailCallsIsOneOfItsOwn) {
  using enum Capability;
  EXPECT_EQ(required_capabilities(case_of(program_p())), capability_bit(kCallSubprograms));
  EXPECT_EQ(required_capabilities(case_of(std::string(kArray) + program_p(kTailCallCode))),
            capability_bit(kCallSubprograms) | capability_bit(kTailCall) |
                capability_bit(kTailCallInSubprogram));
  // A tail call in one program and subprograms in another do not mix.
  const std::string tail_calls =
      ".program q\n.function main\n" + std::string(kTailCallCode) + "r0 = 0\nexit\n";
  for (const std::string& programs : {program_p() + tail_calls, tail_calls + program_p()}) {
    EXPECT_EQ(required_capabilities(case_of(std::string(kArray) + programs)),
              capability_bit(kCallSubprograms) | capability_bit(kTailCall));
  }
  EXPECT_EQ(required_capabilities(case_of(
                ".program p\n.function main\nr2 = f ll\nr0 = 0\nexit\n.function f\nexit\n")),
            capability_bit(kCallSubprograms) | capability_bit(kCallBack));
}

// A layout without exceptions has no code for a callback, thrown to or not.
TEST(RequiredCapabilities, AnExceptionCallbackIsForThrows) {
  using enum Capability;
  const Case value = case_of(
      ".program p\n.callback f\n.function main\nr0 = 0\nexit\n.function f\nr0 = r1\nexit\n");
  EXPECT_EQ(required_capabilities(value),
            capability_bit(kCallSubprograms) | capability_bit(kThrow));
  EXPECT_EQ(run(value, {}).required_capabilities, required_capabilities(value));
  EXPECT_EQ(lacking(value, capability_bit(kCallSubprograms)).detail,
            "exceptions for p.f at slot 0");
}

TEST(RequiredCapabilities, AreFoundWhileDecodingToo) {
  const std::string both = std::string(kArray) + program_p(kTailCallCode) +
                           ".program q\n.function main\nr0 = 1\nr0 s/= 2\nexit\n";
  for (const std::string& text : {program_p(), both}) {
    const Case value = case_of(text);
    EXPECT_EQ(run(value, {}).required_capabilities, required_capabilities(value)) << text;
  }
  // Of code that does not hold together nothing is said.
  EXPECT_EQ(
      run_text(".program p\n.function main\ncall 999\nr0 s/= 2\nexit\n").required_capabilities, 0u);
}

TEST(Lack, NamesWhatIsMissingAndWhere) {
  using enum Capability;
  const Case value = case_of(std::string(kArray) + program_p(kTailCallCode) +
                             ".program q\n.function main\nr0 = 1\nr0 s/= 2\nexit\n");
  const std::uint64_t needs = required_capabilities(value);
  const Lack one = lacking(value, needs & ~capability_bit(kV4));
  EXPECT_EQ(one.phrase, "the JIT lacks v4");
  EXPECT_EQ(one.detail, "v4 for q.main at slot 1");
  const Lack mixed = lacking(value, needs & ~capability_bit(kTailCallInSubprogram));
  EXPECT_EQ(mixed.phrase, "the JIT lacks tail-calls-in-subprograms");
  EXPECT_EQ(mixed.detail, "tail-calls-in-subprograms for p.f at slot 3");
  const Lack all = lacking(value, 0);
  EXPECT_EQ(all.phrase,
            "the JIT lacks subprograms, tail-calls, tail-calls-in-subprograms, v4, divmul");
  EXPECT_EQ(all.detail,
            "subprograms for p.f at slot 0, tail-calls for p.f at slot 3, "
            "tail-calls-in-subprograms for p.f at slot 3, v4 for q.main at slot 1, "
            "divmul for q.main at slot 1");
}

}  // namespace
}  // namespace plumb::oracle
