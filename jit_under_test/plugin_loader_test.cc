// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "core/case_text.h"
#include "jit_under_test/jit.h"

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
  for (const char* name : {"LIE_NONE", "OLD_SYMBOLS"}) {
    auto jit = open_plugin(testing_plugin(name));
    ASSERT_TRUE(jit.has_value()) << jit.error().str();
    const LoadOutcome outcome = (*jit)->load(two_functions());
    ASSERT_EQ(outcome.status, LoadOutcome::Status::kLoaded) << outcome.reason;
    const Image& image = outcome.image->image();
    EXPECT_EQ(image.landing, (LandingRule{.pad = LandingPad::kEndbr64, .call_preamble = 16}));
    ASSERT_EQ(image.symbols.size(), 2u);
    const bool has_size = std::string_view(name) == "LIE_NONE";
    const std::uint64_t first = image.arena.address + 2032;
    for (std::size_t i = 0; i < 2; ++i) {
      const Symbol expected{.name = "thunk",
                            .address = first + 32 * i,
                            .is_thunk = true,
                            .size = has_size ? 24u : 0u};
      EXPECT_EQ(image.symbols[i], expected) << name;
    }
  }
}

// A plugin that says nothing about its verifier gets what every verifier lets through.
TEST(PluginLoader, ReadsWhatTheVerifierLetsThrough) {
  const auto says = open_plugin(testing_plugin("LIE_NONE"));
  ASSERT_TRUE(says.has_value()) << says.error().str();
  EXPECT_EQ((*says)->info().contract.chain_rounding, 16);
  EXPECT_TRUE((*says)->info().contract.tail_call_in_callback);
  const auto silent = open_plugin(testing_plugin("OLD_SYMBOLS"));
  ASSERT_TRUE(silent.has_value()) << silent.error().str();
  EXPECT_EQ((*silent)->info().contract.chain_rounding, kEveryVerifier.chain_rounding);
  EXPECT_FALSE((*silent)->info().contract.tail_call_in_callback);
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

INSTANTIATE_TEST_SUITE_P(Lies, RefusedPlugin,
                         testing::Values(Refusal{"LIE_ABI", "ABI 99"},
                                         Refusal{"LIE_SHORT_TABLE", "too short"},
                                         Refusal{"LIE_NO_NAME", "lacks a name"},
                                         Refusal{"LIE_ARCH", "unknown architecture 9"},
                                         Refusal{"LIE_ARENA_HIGH", "below 2 GiB"},
                                         Refusal{"LIE_ARENA_SMALL", "no room for the helper"},
                                         Refusal{"LIE_CANNOT_OPEN", "no luck today"},
                                         Refusal{"LIE_NO_LOAD", "lacks open, load or unload"},
                                         Refusal{"LIE_CONTRACT", "contract is out of range"},
                                         Refusal{"LIE_LANDING_PAD", "contract is out of range"}),
                         [](const auto& row) { return std::string(row.param.lie); });

class LyingImage : public testing::TestWithParam<Refusal> {};

TEST_P(LyingImage, IsBrokenWithTheReason) {
  auto jit = open_plugin(testing_plugin(GetParam().lie));
  ASSERT_TRUE(jit.has_value()) << jit.error().str();
  const LoadOutcome outcome = (*jit)->load(two_functions());
  EXPECT_EQ(outcome.status, LoadOutcome::Status::kBroken);
  EXPECT_EQ(outcome.image, nullptr);
  EXPECT_THAT(outcome.reason, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(Lies, LyingImage,
                         testing::Values(Refusal{"LIE_OUTSIDE", "outside the arena"},
                                         Refusal{"LIE_OFFSETS", "instruction offsets"},
                                         Refusal{"LIE_COUNT", "1 functions compiled, 2 asked"},
                                         Refusal{"LIE_NO_FUNCTIONS", "no list of functions"},
                                         Refusal{"LIE_TWICE", "is there twice"},
                                         Refusal{"LIE_SYMBOL_OUTSIDE", "a symbol lies outside"},
                                         Refusal{"LIE_SYMBOL_SHORT", "a symbol is too short"},
                                         Refusal{"LIE_SYMBOL_NAMELESS", "has no name"},
                                         Refusal{"LIE_STATUS", ""}),
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
