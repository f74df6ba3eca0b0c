// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/contract_reader.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/rng.h"
#include "jit_under_test/plugin_v1.h"
#include "jit_under_test/plugin_v1_table.h"

namespace plumb::jit {
namespace {

struct Row {
  const char* name;
  std::function<void(plumb_contract&)> say;
  Arch arch;
  const char* refusal;  // empty: taken
};

const std::vector<Row>& rows() {
  using C = plumb_contract;
  static const std::vector<Row> table{
      {"nothing", [](C&) {}, Arch::kX86_64, ""},
      {"a short one", [](C& c) { c.struct_size = 2; }, Arch::kX86_64,
       "contract.struct_size is 2: 4 or more"},
      {"a long one", [](C& c) { c.struct_size = 4000; }, Arch::kX86_64, ""},
      {"no power of two", [](C& c) { c.call_alignment = 5; }, Arch::kX86_64,
       "contract.call_alignment is 5: a power of two from 8 to 64 on x86-64"},
      {"below the floor", [](C& c) { c.call_alignment = 1; }, Arch::kX86_64,
       "contract.call_alignment is 1: a power of two from 8 to 64 on x86-64"},
      {"below arm64's floor", [](C& c) { c.call_alignment = 8; }, Arch::kArm64,
       "contract.call_alignment is 8: a power of two from 16 to 64 on arm64"},
      {"below riscv64's floor", [](C& c) { c.call_alignment = 8; }, Arch::kRiscv64,
       "contract.call_alignment is 8: a power of two from 16 to 64 on riscv64"},
      {"the floor", [](C& c) { c.call_alignment = 8; }, Arch::kX86_64, ""},
      {"above every stack's", [](C& c) { c.call_alignment = 128; }, Arch::kX86_64,
       "contract.call_alignment is 128: "},
      {"a register of other processors", [](C& c) { c.frame_pointer = PLUMB_REGISTER(31); },
       Arch::kX86_64,
       "contract.frame_pointer is 32: 0, PLUMB_REGISTER(0) to (15) on x86-64, or "
       "PLUMB_NO_REGISTER"},
      {"a register of arm64", [](C& c) { c.frame_pointer = PLUMB_REGISTER(31); }, Arch::kArm64, ""},
      {"no frame pointer", [](C& c) { c.frame_pointer = PLUMB_NO_REGISTER; }, Arch::kX86_64, ""},
      {"no such register", [](C& c) { c.bpf_register[3] = 41; }, Arch::kArm64,
       "contract.bpf_register[3] is 41: "},
      {"an argument nowhere", [](C& c) { c.helper_argument[4] = PLUMB_NO_REGISTER; }, Arch::kX86_64,
       "contract.helper_argument[4] is 255: 0, or PLUMB_REGISTER(0) to (15)"},
      {"no such answer", [](C& c) { c.empty_slot_consumes_count = 3; }, Arch::kX86_64,
       "contract.empty_slot_consumes_count is 3: from 0 to 2"},
      {"no such answer about frames", [](C& c) { c.count_in_frames = 3; }, Arch::kX86_64,
       "contract.count_in_frames is 3: from 0 to 2"},
      {"no such place", [](C& c) { c.sp_at_calls = 4; }, Arch::kX86_64,
       "contract.sp_at_calls is 4: from 0 to 3"},
      {"no such side", [](C& c) { c.r6_r9_saved_by = 3; }, Arch::kX86_64,
       "contract.r6_r9_saved_by is 3: from 0 to 2"},
      {"no such width", [](C& c) { c.result_bits = 48; }, Arch::kX86_64,
       "contract.result_bits is 48: 32 or 64"},
      {"an odd rounding", [](C& c) { c.frame_rounding = 24; }, Arch::kX86_64,
       "contract.frame_rounding is 24: a power of two up to 128"},
      {"far away",
       [](C& c) {
         c.r10_bias = 70000;
         c.r10_bias_known = PLUMB_YES;
       },
       Arch::kX86_64, "contract.r10_bias is 70000: from -65536 to 65536"},
      {"a bias that is not looked at", [](C& c) { c.r10_bias = 70000; }, Arch::kX86_64, ""},
  };
  return table;
}

TEST(ContractReader, NamesTheFieldTheValueAndTheRange) {
  for (const Row& row : rows()) {
    SCOPED_TRACE(row.name);
    // Whatever lies behind a struct that says that it is longer.
    struct {
      plumb_contract contract{};
      std::uint8_t behind[4096]{};
    } room;
    std::memset(room.behind, 0xab, sizeof room.behind);
    room.contract.struct_size = sizeof(plumb_contract);
    row.say(room.contract);
    JitInfo info;
    info.arch = row.arch;
    const auto read = read_contract(&room.contract, info);
    EXPECT_EQ(read.has_value(), std::string(row.refusal).empty());
    if (!read) {
      EXPECT_EQ(read.error().message.rfind(row.refusal, 0), 0U) << read.error().message;
    }
  }
}

// Bytes behind struct_size are not the contract's.
TEST(ContractReader, TakesNoMoreThanWasFilled) {
  plumb_contract contract;
  std::memset(&contract, 0xab, sizeof contract);
  contract.struct_size = offsetof(plumb_contract, frame_pointer);
  for (std::uint8_t& code : contract.bpf_register) code = PLUMB_REGISTER(7);
  JitInfo info;
  const auto read = read_contract(&contract, info);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(info.registers.bpf[10], NativeRegister(7));
  EXPECT_TRUE(info.registers.frame_pointer.is_unknown());
  EXPECT_EQ(info.contract.result_bits, 0);
  EXPECT_EQ(info.landing.pad, LandingPad::kUnknown);
}

// Whether calls keep the count matters where empty slots consume it, and there alone.
TEST(ContractReader, HalfAnAnswerAboutTheCountIsNone) {
  const auto consumes = [](std::uint8_t empty, std::uint8_t keep) {
    plumb_contract contract{};
    contract.struct_size = sizeof contract;
    contract.empty_slot_consumes_count = empty;
    contract.calls_keep_count = keep;
    JitInfo info;
    EXPECT_TRUE(read_contract(&contract, info).has_value());
    return info.contract.empty_slot_consumes_count;
  };
  EXPECT_EQ(consumes(PLUMB_YES, PLUMB_UNKNOWN), Tristate::kUnknown);
  EXPECT_EQ(consumes(PLUMB_YES, PLUMB_NO), Tristate::kYes);
  EXPECT_EQ(consumes(PLUMB_NO, PLUMB_UNKNOWN), Tristate::kNo);
}

// The word lies behind what plugins that were built before it filled, padding included.
TEST(ContractReader, ACountInFramesIsAWordOfItsOwn) {
  const auto in_frames = [](std::uint8_t word, std::size_t filled) {
    plumb_contract contract{};
    contract.struct_size = static_cast<std::uint32_t>(filled);
    contract.count_in_frames = word;
    JitInfo info;
    EXPECT_TRUE(read_contract(&contract, info).has_value());
    return info.contract.count_in_frames;
  };
  EXPECT_EQ(in_frames(PLUMB_YES, sizeof(plumb_contract)), Tristate::kYes);
  EXPECT_EQ(in_frames(PLUMB_NO, sizeof(plumb_contract)), Tristate::kNo);
  EXPECT_EQ(in_frames(PLUMB_UNKNOWN, sizeof(plumb_contract)), Tristate::kUnknown);
  constexpr std::size_t kBefore = 48;
  static_assert(offsetof(plumb_contract, count_in_frames) == kBefore);
  EXPECT_EQ(in_frames(PLUMB_YES, kBefore), Tristate::kUnknown);
}

TEST(ContractReader, AnyBytesEndInAContractOrARefusalThatNamesAField) {
  Rng rng(1);
  int taken = 0;
  constexpr int kInputs = 5000;
  for (int i = 0; i < kInputs; ++i) {
    plumb_contract contract{};
    auto* const bytes = reinterpret_cast<std::uint8_t*>(&contract);
    for (int changes = static_cast<int>(rng.below(3)); changes > 0; --changes) {
      bytes[rng.below(sizeof contract)] = static_cast<std::uint8_t>(rng.next());
    }
    contract.struct_size = sizeof contract;
    JitInfo info;
    const auto read = read_contract(&contract, info);
    taken += read.has_value();
    if (!read) {
      EXPECT_EQ(read.error().message.rfind("contract.", 0), 0U) << read.error().message;
    }
  }
  EXPECT_GT(taken, kInputs / 10);
  EXPECT_LT(taken, kInputs * 9 / 10);
}

// ---- ABI 1 ----

plumb_v1_plugin_info first_info() {
  plumb_v1_plugin_info info{};
  info.struct_size = sizeof info;
  info.arch = PLUMB_ARCH_X86_64;
  info.name = info.family = info.version = info.origin = "first";
  info.contract = {.struct_size = sizeof(plumb_v1_contract),
                   .empty_slot_consumes_count = 1,
                   .call_alignment = 8,
                   .result_bits = 64,
                   .frame_rounding = 8,
                   .bpf_register = {0, 7, 6, 2, 1, 8, 3, 13, 14, 15, 5},
                   .frame_pointer = 5,
                   .r10_bias = 0,
                   .calls_keep_count = 0,
                   .landing_pad = 1,
                   .call_preamble = 16,
                   .verifier_rules = PLUMB_VERIFIER_ROUNDS_TO_16};
  return info;
}

Result<JitInfo> read_first(const plumb_v1_plugin_info& info) {
  const plumb_v1_plugin plugin{
      .struct_size = sizeof(plumb_v1_plugin),
      .abi = 1,
      .info = &info,
      .open = [](std::uint64_t, std::uint64_t, char*, std::size_t) { return 0; },
      .load = [](const plumb_v1_load_request*, plumb_v1_image*, char*, std::size_t) -> int {
        return PLUMB_REFUSED;
      },
      .unload = [](plumb_v1_image*) {},
      .update_slot = nullptr};
  const auto table = read_v1_table(&plugin);
  if (!table) return std::unexpected(table.error());
  return (*table)->info();
}

TEST(PluginOfAbi1, KeepsItsWordsAndLeavesTheOthersUnknown) {
  const auto info = read_first(first_info());
  ASSERT_TRUE(info.has_value()) << info.error().message;
  const Contract expected{.empty_slot_consumes_count = Tristate::kYes,
                          .calls_keep_count = false,
                          .call_alignment = 8,
                          .sp_at_calls = SpAtCalls::kUnknown,
                          .result_bits = 64,
                          .frame_rounding = 8,
                          .bpf_stack = BpfStack::kInFrame,
                          .division_by_zero = DivisionByZero::kUnknown,
                          .r6_r9_saved_by = Side::kUnknown,
                          .r10_moved_by = Side::kUnknown,
                          .r10_only_where_used = Tristate::kUnknown,
                          .chain_rounding = 16,
                          .tail_call_in_callback = false};
  EXPECT_EQ(info->contract, expected);
  EXPECT_EQ(info->registers.bpf[10], NativeRegister(5));
  EXPECT_EQ(info->registers.frame_pointer, NativeRegister(5));
  EXPECT_EQ(info->registers.r10_bias, std::optional<std::int32_t>(0));
  EXPECT_EQ(info->landing, (LandingRule{.pad = LandingPad::kEndbr64, .call_preamble = 16}));
  EXPECT_NE(info->notice.find("plumb jits add"), std::string::npos);
}

TEST(PluginOfAbi1, IsHeldToTheSameRanges) {
  plumb_v1_plugin_info info = first_info();
  info.contract.call_alignment = 5;
  EXPECT_FALSE(read_first(info).has_value());
  info = first_info();
  info.contract.frame_pointer = 31;
  EXPECT_FALSE(read_first(info).has_value());
  info = first_info();
  info.contract.frame_pointer = 254;  // not what PLUMB_NO_REGISTER is made of
  EXPECT_FALSE(read_first(info).has_value());
  info = first_info();
  info.contract.landing_pad = 255;  // not what "unknown" is made of
  EXPECT_FALSE(read_first(info).has_value());
}

}  // namespace
}  // namespace plumb::jit
