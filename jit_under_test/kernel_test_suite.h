// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/case.h"
#include "core/result.h"
#include "jit_under_test/jit.h"

namespace plumb::jit {

// The suites of a kernel's lib/test_bpf.c, in its order.
enum class KernelSuite : std::uint8_t { kTestBpf, kTailCalls, kSkbSegment };
inline constexpr std::array kKernelSuites{KernelSuite::kTestBpf, KernelSuite::kTailCalls,
                                          KernelSuite::kSkbSegment};

// As the kernel's module parameter test_suite names them: "test_bpf", "test_tail_calls",
// "test_skb_segment".
[[nodiscard]] std::string_view kernel_suite_name(KernelSuite suite);
[[nodiscard]] std::optional<KernelSuite> parse_kernel_suite(std::string_view name);

struct KernelSubtest {
  std::uint32_t data_size = 0;        // bytes of context
  std::uint32_t result = 0;           // of one run
  std::vector<std::uint8_t> context;  // what it holds; empty: zeros, as many as are needed

  bool operator==(const KernelSubtest&) const = default;
};

// One entry of the tables in lib/test_bpf.c.
struct KernelTest {
  enum class Status : std::uint8_t { kReady, kNotApplicable, kBroken };
  // What R1 points to at the start.
  enum class Context : std::uint8_t {
    kNothing,  // null
    kPacket,   // a packet
    kMemory,   // data_size bytes
    kState,    // a 32-bit counter, zero at the start
  };

  Status status = Status::kBroken;
  std::string reason;     // not ready: one line
  bool rejected = false;  // the kernel refuses the program, as the test expects: nothing to run
  Context context = Context::kNothing;
  bool result_in_state = false;  // the result is what the state holds in the end, not R0
  std::vector<KernelSubtest> subtests;
  Function code;  // array 0 is the table of tail calls
  Preparation preparation = Preparation::kNone;
};

// The BPF tests of one kernel tree.
class KernelTests {
 public:
  virtual ~KernelTests() = default;
  [[nodiscard]] virtual const std::string& version() const = 0;  // of the tree: "6.12.117"
  [[nodiscard]] virtual std::uint32_t count(KernelSuite suite) const = 0;
  // Both: index < count(suite).
  [[nodiscard]] virtual std::string name(KernelSuite suite, std::uint32_t index) const = 0;
  // Makes the program anew each time: some have 100,000s of instructions.
  [[nodiscard]] virtual KernelTest get(KernelSuite suite, std::uint32_t index) const = 0;
};

[[nodiscard]] Result<std::unique_ptr<KernelTests>> open_kernel_tests(const std::string& path);

// Where the tests of the tree lie that a Linux JIT is from: for linux-NAME-ARCH:VARIANT in a
// directory of plugins, tests/linux-NAME.so there.
[[nodiscard]] std::string kernel_tests_path(const JitEntry& entry, const JitInfo& info);

}  // namespace plumb::jit
