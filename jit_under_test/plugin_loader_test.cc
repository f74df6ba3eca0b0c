// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/case_text.h"
#include "jit_under_test/jit.h"
#include "jit_under_test/plugin.h"

namespace plumb::jit {
namespace {

using testing::HasSubstr;

std::string testing_plugin(const std::string& lie) {
  return std::string(PLUMB_TESTING_PLUGINS) + "/" + lie + ".so";
}

Case two_functions() {
  auto value = parse_case(
      ".case 1\n.program p\n.function main\n call f\n r0 = 0\n exit\n"
      ".function f\n r0 = 1\n r0 = 0\n exit\n");
  EXPECT_TRUE(value.has_value()) << value.error().str();
  return *value;
}

Case throwing() {
  auto value = parse_case(
      ".case 1\n.program p\n.callback cb\n.function main\n r1 = 7\n call bpf_throw\n"
      ".function cb\n r0 = r1\n exit\n");
  EXPECT_TRUE(value.has_value()) << value.error().str();
  return *value;
}

TEST(PluginLoader, LoadsAnHonestPlugin) {
  auto jit = open_plugin(testing_plugin("LIE_NONE"));
  ASSERT_TRUE(jit.has_value()) << jit.error().str();
  EXPECT_EQ((*jit)->info().name, "testing-1-x86_64");
  EXPECT_EQ((*jit)->info().registers.bpf[10], 5);
  const LoadOutcome outcome = (*jit)->load(two_functions());
  ASSERT_EQ(outcome.status, LoadOutcome::Status::kLoaded) << outcome.reason;
  const Image& image = outcome.image->image();
  ASSERT_EQ(image.functions.size(), 2u);
  EXPECT_EQ(image.entry, image.functions[0].address);
  EXPECT_EQ(image.function_at(image.functions[1].address + 2), &image.functions[1]);
  EXPECT_FALSE(image.functions[0].tail_call_entry.has_value());
}

TEST(PluginLoader, ReadsLandingPadsAndThunks) {
  for (const char* name : {"LIE_NONE", "NOTHING_KNOWN"}) {
    auto jit = open_plugin(testing_plugin(name));
    ASSERT_TRUE(jit.has_value()) << jit.error().str();
    const LoadOutcome outcome = (*jit)->load(two_functions());
    ASSERT_EQ(outcome.status, LoadOutcome::Status::kLoaded) << outcome.reason;
    const Image& image = outcome.image->image();
    const bool says = std::string_view(name) == "LIE_NONE";
    EXPECT_EQ(image.landing, says ? (LandingRule{.pad = LandingPad::kEndbr64, .call_preamble = 16})
                                  : (LandingRule{.pad = LandingPad::kUnknown}));
    ASSERT_EQ(image.symbols.size(), 2u);
    const std::uint64_t first = image.functions[0].address + 2048;
    for (std::size_t i = 0; i < 2; ++i) {
      const Symbol expected{
          .name = "thunk", .address = first + 32 * i, .is_thunk = true, .size = says ? 24u : 0u};
      EXPECT_EQ(image.symbols[i], expected) << name;
    }
  }
}

// What a plugin does not say is unknown, never what Linux has.
TEST(PluginLoader, WhatAPluginDoesNotSayIsUnknown) {
  const auto jit = open_plugin(testing_plugin("NOTHING_KNOWN"));
  ASSERT_TRUE(jit.has_value()) << jit.error().str();
  const JitInfo& info = (*jit)->info();
  const Contract nothing{.empty_slot_consumes_count = Tristate::kUnknown,
                         .calls_keep_count = false,
                         .count_in_frames = Tristate::kUnknown,
                         .call_alignment = 0,
                         .sp_at_calls = SpAtCalls::kUnknown,
                         .result_bits = 0,
                         .frame_rounding = 1,
                         .bpf_stack = BpfStack::kUnknown,
                         .division_by_zero = DivisionByZero::kUnknown,
                         .r6_r9_saved_by = Side::kUnknown,
                         .r10_moved_by = Side::kUnknown,
                         .r10_only_where_used = Tristate::kUnknown,
                         .chain_rounding = kEveryVerifier.chain_rounding,
                         .tail_call_in_callback = false};
  EXPECT_EQ(info.contract, nothing);
  EXPECT_EQ(info.registers, RegisterMap{.r10_bias = std::nullopt});
  EXPECT_EQ(info.code_rule, (CodeRule{.constants_blinded = Tristate::kUnknown,
                                      .return_addresses_signed = Tristate::kUnknown,
                                      .cfi = {.hashes = Tristate::kUnknown}}));
  const LoadOutcome outcome = (*jit)->load(two_functions());
  ASSERT_EQ(outcome.status, LoadOutcome::Status::kLoaded) << outcome.reason;
  for (const NativeFunction& function : outcome.image->image().functions) {
    EXPECT_TRUE(function.insn_offsets.empty());
    EXPECT_EQ(function.stack_size, std::nullopt);
    EXPECT_EQ(function.tail_call_entry, std::nullopt);
    EXPECT_TRUE(function.tail_call_entry_unknown);
  }
}

TEST(PluginLoader, ReadsWhatHardensCode) {
  const auto says = open_plugin(testing_plugin("LIE_NONE"));
  ASSERT_TRUE(says.has_value()) << says.error().str();
  const CodeRule rule{.constants_blinded = Tristate::kYes,
                      .return_addresses_signed = Tristate::kNo,
                      .cfi = {.hashes = Tristate::kYes,
                              .hash_below = 9,
                              .hash_of_program = 0x11223344,
                              .hash_of_callback = 0x55667788}};
  EXPECT_EQ((*says)->info().code_rule, rule);
  const LoadOutcome outcome = (*says)->load(two_functions());
  ASSERT_NE(outcome.image, nullptr) << outcome.reason;
  EXPECT_EQ(outcome.image->image().code_rule, rule);
}

TEST(PluginLoader, CountsWhatIsKeptOfAnImage) {
  const struct {
    const char* plugin;
    bool counts;
    std::uint64_t kept;
  } rows[] = {{"LEAKS", true, 2}, {"LIE_NONE", true, 0}, {"NOTHING_KNOWN", false, 0}};
  for (const auto& row : rows) {
    const auto jit = open_plugin(testing_plugin(row.plugin));
    ASSERT_TRUE(jit.has_value()) << jit.error().str();
    EXPECT_EQ((*jit)->info().counts_memory, row.counts) << row.plugin;
    for (int i = 0; i < 2; ++i) {
      const LoadOutcome outcome = (*jit)->load(two_functions());
      ASSERT_NE(outcome.image, nullptr) << outcome.reason;
      const Result<Unloaded> unloaded = outcome.image->unload();
      ASSERT_TRUE(unloaded.has_value());
      EXPECT_EQ(unloaded->kept, row.kept) << row.plugin;
      EXPECT_EQ(outcome.image->unload()->kept, 0u) << "once is enough";
    }
  }
}

TEST(PluginLoader, ReadsWhatTheVerifierLetsThrough) {
  const auto says = open_plugin(testing_plugin("LIE_NONE"));
  ASSERT_TRUE(says.has_value()) << says.error().str();
  EXPECT_EQ((*says)->info().contract, Contract{});
}

TEST(PluginLoader, ReadsWhatIsClaimedOfFramesWhereThatIsAnnounced) {
  using unwind::Row;
  for (const char* name : {"CLAIMS", "LIE_NONE"}) {
    const auto jit = open_plugin(testing_plugin(name));
    ASSERT_TRUE(jit.has_value()) << jit.error().str();
    const LoadOutcome outcome = (*jit)->load(two_functions());
    ASSERT_NE(outcome.image, nullptr) << outcome.reason;
    const Image& image = outcome.image->image();
    const std::uint64_t first = image.functions[0].address;
    Row row{.base = Row::Base::kStackPointer, .cfa_offset = 8, .ra_offset = -8};
    std::vector<Row> expected(2, row);
    expected.push_back({.kind = Row::Kind::kUnknown});
    for (std::size_t i = 0; i < 3; ++i) expected[i].begin = first + 16 * i;
    const bool claims = std::string_view(name) == "CLAIMS";
    EXPECT_EQ(image.unwind_rows, claims ? expected : std::vector<Row>{});
    EXPECT_EQ(image.functions[0].fp_end, 0u);
    EXPECT_EQ(image.functions[1].fp_begin, claims ? 2u : 0u);
    EXPECT_EQ(image.functions[1].fp_end, claims ? 3u : 0u);
  }
}

TEST(PluginLoader, AsksHowThrowsFindTheirWay) {
  for (const char* name : {"THROWS", "THROWS_SILENT", "LIE_NONE"}) {
    SCOPED_TRACE(name);
    const auto jit = open_plugin(testing_plugin(name));
    ASSERT_TRUE(jit.has_value()) << jit.error().str();
    const bool has_throws = std::string_view(name) != "LIE_NONE";
    const LoadOutcome outcome = (*jit)->load(has_throws ? throwing() : two_functions());
    ASSERT_NE(outcome.image, nullptr) << outcome.reason;
    const Image& image = outcome.image->image();
    const bool says = std::string_view(name) == "THROWS";
    const ThrowPath path{.program = 0,
                         .boundary = 0,
                         .callback = 1,
                         .address = image.functions[1].address,
                         .sp = says ? ThrowSp::kAtCall : ThrowSp::kUnknown};
    EXPECT_EQ(image.throws, has_throws ? std::vector{path} : std::vector<ThrowPath>{});
  }
}

// Only those that have throws are asked, and only of programs with an exception callback.
TEST(PluginLoader, AsksNothingWhereNothingIsThrown) {
  const auto jit = open_plugin(testing_plugin("LIE_THROWS_FAIL"));
  ASSERT_TRUE(jit.has_value()) << jit.error().str();
  const LoadOutcome outcome = (*jit)->load(two_functions());
  ASSERT_NE(outcome.image, nullptr) << outcome.reason;
  EXPECT_TRUE(outcome.image->image().throws.empty());
}

TEST(PluginLoader, GivesTheArenaBackWhenTheJitIsClosed) {
  for (int i = 0; i < 3; ++i) {
    const auto jit = open_plugin(testing_plugin("LIE_NONE"));
    ASSERT_TRUE(jit.has_value()) << jit.error().str();
  }
}

struct Refusal {
  const char* lie;
  const char* message;
};

void PrintTo(const Refusal& refusal, std::ostream* out) { *out << refusal.lie; }

class RefusedPlugin : public testing::TestWithParam<Refusal> {};

TEST_P(RefusedPlugin, IsNamedWithTheReason) {
  const std::string path = testing_plugin(GetParam().lie);
  const auto jit = open_plugin(path);
  ASSERT_FALSE(jit.has_value());
  EXPECT_EQ(jit.error().file, path);
  EXPECT_THAT(jit.error().message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Lies, RefusedPlugin,
    testing::Values(Refusal{"LIE_ABI", "ABI 99"},
                    Refusal{"LIE_SERVES_OTHERS", "host of plugin ABI 2"},
                    Refusal{"LIE_SHORT_TABLE", "plugin.struct_size is 8: "},
                    Refusal{"LIE_NO_NAME", "info.name is null"},
                    Refusal{"LIE_HASH", "contract.cfi_hash_below is 3: "},
                    Refusal{"LIE_SIGNED", "contract.return_addresses_signed is 2: "},
                    Refusal{"LIE_FAMILY", "info.family is '../testing': "},
                    Refusal{"LIE_ARCH", "info.arch is 9: from 1 to 3"},
                    Refusal{"LIE_ARENA_HIGH", "below 2 GiB"},
                    Refusal{"LIE_ARENA_SMALL", "no room for the helper"},
                    Refusal{"LIE_CANNOT_OPEN", "no luck today"},
                    Refusal{"LIE_NO_LOAD", "lacks open, load or unload"},
                    Refusal{"LIE_CONTRACT", "contract.result_bits is 48: "},
                    Refusal{"LIE_LANDING_PAD", "contract.landing_pad is 4: from 0 to 3"},
                    Refusal{"LIE_NO_CLAIMS", "its plugin table lacks claims"}),
    [](const auto& row) { return std::string(row.param.lie); });

class LyingImage : public testing::TestWithParam<Refusal> {};

TEST_P(LyingImage, IsBrokenWithTheReason) {
  auto jit = open_plugin(testing_plugin(GetParam().lie));
  ASSERT_TRUE(jit.has_value()) << jit.error().str();
  const bool has_throws = ((*jit)->info().capabilities & PLUMB_CAN_THROW) != 0;
  const LoadOutcome outcome = (*jit)->load(has_throws ? throwing() : two_functions());
  EXPECT_EQ(outcome.status, LoadOutcome::Status::kBroken);
  EXPECT_EQ(outcome.image, nullptr);
  EXPECT_THAT(outcome.reason, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Lies, LyingImage,
    testing::Values(Refusal{"LIE_OUTSIDE", "outside the arena"},
                    Refusal{"LIE_OFFSETS", "functions[0].insn_offsets[1] is 0: "},
                    Refusal{"LIE_COUNT", "1 functions compiled, 2 asked"},
                    Refusal{"LIE_NO_FUNCTIONS", "functions is null"},
                    Refusal{"LIE_TWICE", "is there twice"},
                    Refusal{"LIE_SYMBOL_OUTSIDE", "symbols[0] lies outside"},
                    Refusal{"LIE_SYMBOL_SHORT", "symbols[0].struct_size is 4: "},
                    Refusal{"LIE_SYMBOL_NAMELESS", "symbols[0] has no name"},
                    Refusal{"LIE_TOO_MUCH", "more of the image than"},
                    Refusal{"LIE_CLAIMS_FAIL", "it cannot say what it claims: it is a secret"},
                    Refusal{"LIE_CLAIMS_LONG", "more of the claims than"},
                    Refusal{"LIE_ROWS_DESCEND", "claims.rows[1].address is"},
                    Refusal{"LIE_ROW_OUTSIDE", "claims.rows[0] is for"},
                    Refusal{"LIE_ROW_SHORT", "claims.rows[0].struct_size is 24: "},
                    Refusal{"LIE_THROWS_FAIL", "throws find their way: it is a secret"},
                    Refusal{"LIE_THROWS_LONG", "more of the throw_info than"},
                    Refusal{"LIE_THROWS_ELSEWHERE", "throw_info of program 0: callback is"},
                    Refusal{"LIE_STATUS", "it answered with unknown status 77"}),
    [](const auto& row) { return std::string(row.param.lie); });

TEST(PluginLoader, PassesOnARefusal) {
  auto jit = open_plugin(testing_plugin("LIE_REFUSED"));
  ASSERT_TRUE(jit.has_value()) << jit.error().str();
  const LoadOutcome outcome = (*jit)->load(two_functions());
  EXPECT_EQ(outcome.status, LoadOutcome::Status::kRefused);
  EXPECT_EQ(outcome.reason, "not this one");
}

TEST(PluginLoader, RefusesWhatIsNoPlugin) {
  const auto missing = open_plugin("no/such/plugin.so");
  ASSERT_FALSE(missing.has_value());
  EXPECT_THAT(missing.error().str(), HasSubstr("no/such/plugin.so"));

  const std::string path = testing::TempDir() + "/plumb_not_a_plugin.so";
  std::ofstream(path) << "not an ELF file";
  EXPECT_FALSE(open_plugin(path).has_value());
}

}  // namespace
}  // namespace plumb::jit
