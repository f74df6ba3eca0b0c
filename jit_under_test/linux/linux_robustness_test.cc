// SPDX-License-Identifier: GPL-2.0-or-later
// What the kernel JIT plugins promise to a fuzzer: a status for every request, the same image for
// the same request, and no growth.
#include <cstdio>
#include <memory>

#include "jit_under_test/linux/testing_linux_plugin.h"

#if defined(__SANITIZE_ADDRESS__)
#define PLUMB_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define PLUMB_TEST_SANITIZED 1
#endif
#endif

#ifdef PLUMB_TEST_SANITIZED
// AddressSanitizer keeps freed blocks, 256 MiB by default: more than what growth is measured with.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "quarantine_size_mb=8"; }
#endif

namespace plumb_linux_test {
namespace {

class LinuxRobustness : public LinuxPlugin {};

INSTANTIATE_TEST_SUITE_P(Plugins, LinuxRobustness,
                         testing::Values(kNewName, kOldName, kNewArm64, kOldArm64, kNewRiscv64,
                                         kOldRiscv64),
                         test_name);

// ---- Requests that no verifier would let through ----

TEST_P(LinuxRobustness, MalformedRequestsGetAStatus) {
  struct Row {
    const char* name;
    CaseSpec spec;
  };
  const Code tail = {mov(0, 0), exit_insn()};
  const Row rows[] = {
      {"jump behind the end", one_function(Code{insn(0x05, 0, 0, 2, 0)} + tail)},
      {"jump before the start", one_function(Code{insn(0x05, 0, 0, -2, 0)} + tail)},
      {"jump into a 64-bit load",
       one_function(Code{insn(0x05, 0, 0, 1, 0)} +
                    Code{insn(0x18, 1, 0, 0, 1), insn(0, 0, 0, 0, 1)} + tail)},
      {"no exit", one_function({mov(0, 0)})},
      {"64-bit load cut off", one_function({insn(0x18, 1, 0, 0, 1)})},
      {"register 11", one_function(Code{mov(11, 0)} + tail)},
      {"register 15 as source", one_function(Code{mov_reg(1, 15)} + tail)},
      {"writes R10", one_function(Code{mov(10, 0)} + tail)},
      {"no such array", one_function(load_array(1, 0) + tail)},
      {"no such region", one_function({insn(0x18, 1, 2, 0, 0), insn(0, 0, 0, 0, 0), exit_insn()})},
      {"no such function", one_function(Code{call_function(1)} + tail)},
      {"no such callback", one_function(load_function(1, 1) + tail)},
      {"no such helper", one_function(Code{call_helper(5000)} + tail)},
      {"deep stack", one_function(tail, 520)},
      {"empty function", one_function({})},
      {"no programs", {}},
      {"no such program in a slot", {.programs = {{{tail, 0}}}, .arrays = {{3}}, .regions = {}}},
      {"unknown opcode", one_function(Code{insn(0xff, 0, 0, 0, 0)} + tail)},
      {"legacy packet access", one_function(Code{insn(0x20, 0, 0, 0, 0)} + tail)},
      {"recursion",
       {.programs = {{{{call_function(1), exit_insn()}, 0}, {{call_function(1), exit_insn()}, 0}}},
        .arrays = {},
        .regions = {}}},
  };
  for (const Row& row : rows) {
    const Request request(row.spec);
    const Loaded loaded(api_, request);
    EXPECT_NE(loaded.status, PLUMB_LOADED) << row.name;
    EXPECT_FALSE(loaded.message.empty()) << row.name;
  }
  const Request good(one_function(tail));
  const Loaded loaded(api_, good);
  EXPECT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
}

// ---- Same request, same image ----

// A function with a stack, a subprogram and tail calls: in one program, where the JIT can.
CaseSpec rich_case(const plumb_plugin* api, int32_t seed) {
  FunctionSpec main = {Code{mov_reg(6, 1), mov(7, seed)}, 24};
  for (int32_t i = 0; i < seed % 40; i++) main.code.push_back(insn(0x07, 7, 0, 0, i));
  main.code.push_back(store(7, -24));
  const Code leave = {mov_reg(1, 6), call_function(1), exit_insn()};
  const Code tail_call = direct_tail_call(0, 0) + Code{mov(0, 0), exit_insn()};
  const FunctionSpec sub = {
      Code{mov_reg(6, 1)} + indirect_tail_call(0) + Code{mov(0, 3), exit_insn()}, 40};
  if (!(api->info->capabilities & PLUMB_CAN_TAIL_CALL_IN_SUBPROGRAM)) {
    const FunctionSpec caller = {main.code + leave, 24}, leaf = {{mov(0, 3), exit_insn()}, 40};
    main.code = main.code + Code{call_helper(5), mov_reg(1, 6)} + tail_call;
    return {.programs = {{main}, {caller, leaf}, {sub}}, .arrays = {{1, 0, -1, 2}}, .regions = {}};
  }
  main.code = main.code + Code{call_function(1), mov_reg(1, 6)} + tail_call;
  return {.programs = {{main, sub}, {{{mov(0, seed), exit_insn()}, 0}}},
          .arrays = {{1, 0, -1}},
          .regions = {}};
}

struct Snapshot {
  std::vector<uint64_t> addresses;
  std::vector<Bytes> code;
  bool operator==(const Snapshot&) const = default;
};

Snapshot snapshot(const Loaded& loaded) {
  Snapshot s;
  for (uint32_t i = 0; i < loaded.image.function_count; i++) {
    const plumb_native_function& f = loaded.image.functions[i];
    s.addresses.push_back(f.address);
    s.code.push_back(loaded.code(f.program, f.function));
  }
  for (uint32_t i = 0; i < loaded.image.array_count; i++) {
    const plumb_range& range = loaded.image.array_objects[i];
    const auto* begin = reinterpret_cast<const uint8_t*>(range.address);
    s.addresses.push_back(range.address);
    s.code.emplace_back(begin, begin + range.size);
  }
  return s;
}

TEST_P(LinuxRobustness, ImageDoesNotDependOnWhatWasLoadedBefore) {
  const Request a(rich_case(api_, 7)), b(rich_case(api_, 33)), bad(one_function({mov(0, 0)}));
  auto load_and_forget = [&](const Request& request) {
    const Loaded loaded(api_, request);
    return loaded.status == PLUMB_LOADED ? snapshot(loaded) : Snapshot{};
  };
  const Snapshot first = load_and_forget(a);
  EXPECT_FALSE(first.code.empty());
  EXPECT_NE(load_and_forget(b), first);
  (void)load_and_forget(bad);
  EXPECT_EQ(load_and_forget(a), first);
  {
    // Also when two were there at once and went in the order in which they came.
    auto older = std::make_unique<Loaded>(api_, b);
    auto newer = std::make_unique<Loaded>(api_, a);
    EXPECT_NE(snapshot(*newer).addresses, first.addresses);
    older.reset();
    newer.reset();
  }
  EXPECT_EQ(load_and_forget(a), first);
}

// Resident pages of this process, from the kernel.
size_t resident_pages() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  unsigned long total = 0, resident = 0;
  const int count = std::fscanf(file, "%lu %lu", &total, &resident);
  std::fclose(file);
  return count == 2 ? resident : 0;
}

TEST_P(LinuxRobustness, LoadingAndUnloadingDoesNotGrow) {
  const Request request(rich_case(api_, 20));
  auto cycle = [&](int times) {
    for (int i = 0; i < times; i++) {
      const Loaded loaded(api_, request);
      ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
    }
  };
  cycle(2000);
  const size_t before = resident_pages();
#ifdef PLUMB_TEST_SANITIZED
  cycle(5000);
  constexpr size_t kSlack = 4096;
#else
  cycle(40000);
  constexpr size_t kSlack = 64;
#endif
  EXPECT_LE(resident_pages(), before + kSlack);
}

// ---- A kernel that finds itself broken says so ----

class LinuxPokeRobustness : public LinuxPlugin {};

INSTANTIATE_TEST_SUITE_P(Plugins, LinuxPokeRobustness, testing::Values(kNewName, kOldName),
                         test_name);

TEST_P(LinuxPokeRobustness, BugInsideTheJitIsAnErrorWithItsPlace) {
  const FunctionSpec caller = {direct_tail_call(0, 0) + Code{mov(0, 0), exit_insn()}, 0};
  const Request request({.programs = {{caller}}, .arrays = {{-1}}, .regions = {}});
  Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& f = loaded.function(0, 0);
  // Somebody overwrote the patch site, so the text poke does not find the bytes that it expects.
  auto* target = reinterpret_cast<uint8_t*>(f.address + f.insn_offsets[4] - 5);
  const Bytes saved(target, target + 5);
  target[0] = 0x90;
  Steps steps(8);
  char error[256] = "";
  EXPECT_EQ(api_->update_slot(&loaded.image, 0, 0, 0, 1, &steps.list, error, sizeof(error)), -1);
  EXPECT_EQ(std::string(error).rfind("BUG_ON(ret < 0) at bpf_jit_comp.c:", 0), 0u) << error;
  std::copy(saved.begin(), saved.end(), target);
}

TEST_P(LinuxRobustness, FullArenaIsAnErrorAndNotTheEnd) {
  const Code tail = {mov(0, 0), exit_insn()};
  const std::vector<int32_t> many(65536, -1);  // 512 KiB each, in an arena of 64 MiB
  const Request huge({.programs = {{{tail, 0}}},
                      .arrays = std::vector<std::vector<int32_t>>(200, many),
                      .regions = {}});
  const Request small(one_function(tail));
  Snapshot first;
  {
    const Loaded loaded(api_, small);
    first = snapshot(loaded);
  }
  const Loaded full(api_, huge);
  EXPECT_EQ(full.status, PLUMB_NOT_APPLICABLE);
  EXPECT_EQ(full.message, "code and prog arrays are larger than the arena");
  const Loaded loaded(api_, small);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  EXPECT_EQ(snapshot(loaded), first);
}

TEST_P(LinuxRobustness, LargeProgramSpansPages) {
  Code code;
  for (int32_t i = 0; i < 3000; i++) code.push_back(insn(0x07, 0, 0, 0, 0x12345 + i));
  code.insert(code.begin(), mov(0, 0));
  code.push_back(exit_insn());
  const Request request(one_function(code));
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& f = loaded.function(0, 0);
  EXPECT_GT(f.size, 3 * 4096u);
  ASSERT_EQ(loaded.image.code_range_count, 1u);
  EXPECT_LE(loaded.image.code_ranges[0].address, f.address);
  EXPECT_GE(loaded.image.code_ranges[0].address + loaded.image.code_ranges[0].size,
            f.address + f.size);
}

}  // namespace
}  // namespace plumb_linux_test
