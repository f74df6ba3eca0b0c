// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/kernel_test_suite.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <span>
#include <utility>

#include "jit_under_test/kernel_tests.h"
#include "jit_under_test/library.h"

namespace plumb::jit {
namespace {

static_assert(static_cast<int>(KernelSuite::kTestBpf) == PLUMB_SUITE_TEST_BPF);
static_assert(static_cast<int>(KernelSuite::kTailCalls) == PLUMB_SUITE_TAIL_CALLS);
static_assert(static_cast<int>(KernelSuite::kSkbSegment) == PLUMB_SUITE_SKB_SEGMENT);
static_assert(kKernelSuites.size() == PLUMB_SUITE_COUNT);

constexpr std::array<std::string_view, kKernelSuites.size()> kSuiteNames{
    "test_bpf", "test_tail_calls", "test_skb_segment"};

KernelTest::Context context_of(std::uint32_t flags) {
  if ((flags & PLUMB_TEST_STATE) != 0) return KernelTest::Context::kState;
  if ((flags & PLUMB_TEST_MEMORY) != 0) return KernelTest::Context::kMemory;
  if ((flags & PLUMB_TEST_PACKET) != 0) return KernelTest::Context::kPacket;
  return KernelTest::Context::kNothing;
}

Insn decode_slot(const plumb_insn& slot) {
  return {.opcode = slot.opcode,
          .dst = static_cast<std::uint8_t>(slot.registers & 0xf),
          .src = static_cast<std::uint8_t>(slot.registers >> 4),
          .offset = slot.offset,
          .immediate = slot.immediate};
}

void read_test(const plumb_kernel_test& from, KernelTest& test) {
  test.rejected = (from.flags & PLUMB_TEST_REJECTED) != 0;
  test.context = context_of(from.flags);
  test.result_in_state = (from.flags & PLUMB_TEST_RESULT_IN_STATE) != 0;
  test.preparation = (from.flags & PLUMB_TEST_ZERO_EXTENDED) != 0 ? Preparation::kZeroExtended
                                                                  : Preparation::kNone;
  for (const plumb_kernel_subtest& subtest : std::span(from.subtests, from.subtest_count)) {
    const std::span context(subtest.context, subtest.context_size);
    test.subtests.push_back({.data_size = subtest.data_size,
                             .result = subtest.result,
                             .context = {context.begin(), context.end()}});
  }
  test.code.name = "main";
  test.code.stack_depth = static_cast<int>(from.stack_depth);
  test.code.insns.reserve(from.insn_count);
  for (const plumb_insn& slot : std::span(from.insns, from.insn_count)) {
    test.code.insns.push_back(decode_slot(slot));
  }
}

class LibraryTests final : public KernelTests {
 public:
  LibraryTests(Library library, const plumb_kernel_tests& table)
      : library_(std::move(library)), table_(table), version_(table.version) {}

  [[nodiscard]] const std::string& version() const override { return version_; }
  [[nodiscard]] std::uint32_t count(KernelSuite suite) const override {
    return table_.counts[static_cast<std::size_t>(suite)];
  }
  [[nodiscard]] std::string name(KernelSuite suite, std::uint32_t index) const override {
    const char* name = table_.name(static_cast<std::uint32_t>(suite), index);
    return name == nullptr ? std::string() : name;
  }
  [[nodiscard]] KernelTest get(KernelSuite suite, std::uint32_t index) const override;

 private:
  Library library_;
  const plumb_kernel_tests& table_;
  std::string version_;
};

KernelTest LibraryTests::get(KernelSuite suite, std::uint32_t index) const {
  std::array<char, 256> error{};
  plumb_kernel_test raw{};
  const int status =
      table_.get(static_cast<std::uint32_t>(suite), index, &raw, error.data(), error.size());
  error.back() = '\0';
  KernelTest test;
  test.reason = error.data();
  if (status == PLUMB_TEST_NOT_APPLICABLE) test.status = KernelTest::Status::kNotApplicable;
  if (status != PLUMB_TEST_READY) return test;
  test.status = KernelTest::Status::kReady;
  read_test(raw, test);
  table_.release(&raw);
  return test;
}

Result<std::unique_ptr<KernelTests>> open_library(Library library) {
  void* symbol = dlsym(library.get(), PLUMB_KERNEL_TESTS_ENTRY);
  if (symbol == nullptr) {
    return fail("no kernel tests: it does not export " PLUMB_KERNEL_TESTS_ENTRY "()");
  }
  const plumb_kernel_tests* table = reinterpret_cast<decltype(&plumb_kernel_tests_entry)>(symbol)();
  if (table == nullptr || table->struct_size < sizeof(plumb_kernel_tests)) {
    return fail("its table of tests is too short");
  }
  if (table->abi != PLUMB_KERNEL_TESTS_ABI) {
    return fail(fmt::format("its tests speak ABI {}, this build speaks {}", table->abi,
                            PLUMB_KERNEL_TESTS_ABI));
  }
  if (table->version == nullptr || table->get == nullptr || table->release == nullptr ||
      table->name == nullptr) {
    return fail("its table of tests lacks a version or a function");
  }
  return std::make_unique<LibraryTests>(std::move(library), *table);
}

}  // namespace

std::string_view kernel_suite_name(KernelSuite suite) {
  return kSuiteNames[static_cast<std::size_t>(suite)];
}

std::optional<KernelSuite> parse_kernel_suite(std::string_view name) {
  const auto* const found = std::ranges::find(kSuiteNames, name);
  if (found == kSuiteNames.end()) return std::nullopt;
  return kKernelSuites[static_cast<std::size_t>(found - kSuiteNames.begin())];
}

Result<std::unique_ptr<KernelTests>> open_kernel_tests(const std::string& path) {
  Result<Library> library = load_library(path);
  if (!library) return std::unexpected(library.error());
  Result<std::unique_ptr<KernelTests>> tests = open_library(*std::move(library));
  if (!tests) tests.error().file = path;
  return tests;
}

std::string kernel_tests_path(const JitEntry& entry, const JitInfo& info) {
  std::string tree = entry.name.substr(0, entry.name.find(':'));
  const std::string ending = fmt::format("-{}", arch_name(info.arch));
  if (tree.ends_with(ending)) tree.resize(tree.size() - ending.size());
  const std::filesystem::path directory = std::filesystem::path(entry.path).parent_path();
  return (directory / "tests" / (tree + ".so")).string();
}

}  // namespace plumb::jit
