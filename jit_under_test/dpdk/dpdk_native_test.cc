// SPDX-License-Identifier: GPL-2.0-or-later
//
// What corpus/known says of the JIT, without anything of ours between: the library's native code
// runs on this processor, beside the library's interpreter.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "core/case_text.h"
#include "jit_under_test/dpdk/loading.h"
#include "jit_under_test/request.h"

namespace plumb::dpdk {
namespace {

// What a compiler may make of C: vectors on the stack are stored as aligned.
std::uint64_t helper(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t) {
  alignas(16) volatile char bytes[256];
  for (volatile char& byte : bytes) byte = 0x55;
  asm volatile("movaps %%xmm0, %0"
               : "=m"(*const_cast<char(*)[16]>(reinterpret_cast<volatile char(*)[16]>(&bytes))));
  return 1;
}

enum class Runner { kNativeCode, kInterpreter };

std::uint64_t run_here(const Case& value, Runner runner) {
  jit::RequestBuilder builder;
  const plumb_load_request& request = builder.build(value, 0);
  const Loading loading =
      load_program(request, 0, [](const plumb_helper&) -> HelperFunction { return helper; });
  if (loading.program == nullptr) _exit(2);
  std::vector<std::uint8_t> context = value.context;
  context.resize(context.size() + 8);
  if (runner == Runner::kInterpreter) return rte_bpf_exec(loading.program.get(), context.data());
  rte_bpf_jit code{};
  if (rte_bpf_get_jit(loading.program.get(), &code) != 0) _exit(3);
  return code.func(context.data());
}

// In a process of its own; nothing: it did not come back.
std::optional<std::uint64_t> result_of(const Case& value, Runner runner) {
  const int pages = MAP_SHARED | MAP_ANONYMOUS;
  void* const shared = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, pages, -1, 0);
  EXPECT_NE(shared, MAP_FAILED);
  const pid_t child = fork();
  if (child == 0) {
    const std::uint64_t result = run_here(value, runner);
    std::memcpy(shared, &result, sizeof(result));
    _exit(0);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  std::optional<std::uint64_t> result;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) std::memcpy(&result.emplace(), shared, 8);
  munmap(shared, 4096);
  return result;
}

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PLUMB_CATCHES_SIGNALS true
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define PLUMB_CATCHES_SIGNALS true
#endif
#ifndef PLUMB_CATCHES_SIGNALS
#define PLUMB_CATCHES_SIGNALS false
#endif

class DpdkNative : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (PLUMB_CATCHES_SIGNALS) GTEST_SKIP() << "a sanitizer catches what wrong code raises";
  }
};

TEST_P(DpdkNative, CodeIsWrongWhereTheInterpreterIsRight) {
  const std::string path = std::string("corpus/known/") + GetParam() + "-dpdk.bpf";
  const Result<Case> value = read_case(path);
  ASSERT_TRUE(value.has_value()) << value.error().str();
  EXPECT_NE(result_of(*value, Runner::kNativeCode), value->expectation.value);
  EXPECT_EQ(result_of(*value, Runner::kInterpreter), value->expectation.value);
}

INSTANTIATE_TEST_SUITE_P(Known, DpdkNative,
                         testing::Values("condition-first", "division-by-itself",
                                         "division-clears-upper-half", "far-epilogue",
                                         "jset-small-immediate", "shift-by-itself",
                                         "stack-alignment", "stale-offsets",
                                         "stale-offsets-leave-image"));

using DpdkNativeDeath = DpdkNative;

TEST_P(DpdkNativeDeath, TheValidatorDividesTheLeastNumberByMinusOne) {
  const Result<Case> value = read_case(std::string("corpus/known/") + GetParam() + "-dpdk.bpf");
  ASSERT_TRUE(value.has_value()) << value.error().str();
  EXPECT_EXIT(run_here(*value, Runner::kInterpreter), testing::KilledBySignal(SIGFPE), "");
}

INSTANTIATE_TEST_SUITE_P(Known, DpdkNativeDeath, testing::Values("validator-divides-by-minus-one"));

}  // namespace
}  // namespace plumb::dpdk
