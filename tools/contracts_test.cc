// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>

#include "tools/jits_contracts.h"

namespace plumb::tools {
namespace {

jit::JitInfo plain(std::string name, Arch arch) {
  jit::JitInfo info;
  info.name = std::move(name);
  info.arch = arch;
  for (std::uint8_t i = 0; i < info.registers.bpf.size(); ++i) info.registers.bpf[i] = i;
  info.registers.frame_pointer = 5;
  return info;
}

TEST(Contracts, EachFieldThatDiffersShowsInJsonAndInText) {
  const jit::JitInfo base = plain("base", Arch::kX86_64);
  struct Row {
    const char* key;
    void (*change)(jit::JitInfo&);
    const char *json, *text;
  };
  for (const Row& row : {
           Row{"empty_slot_consumes_count",
               [](jit::JitInfo& j) { j.contract.empty_slot_consumes_count = Tristate::kYes; },
               "true", "yes"},
           Row{"calls_keep_count", [](jit::JitInfo& j) { j.contract.calls_keep_count = true; },
               "true", "yes"},
           Row{"empty_slot_consumes_count",
               [](jit::JitInfo& j) { j.contract.empty_slot_consumes_count = Tristate::kUnknown; },
               "null", "unknown"},
           Row{"count_in_frames",
               [](jit::JitInfo& j) { j.contract.count_in_frames = Tristate::kYes; }, "true", "yes"},
           Row{"count_in_frames",
               [](jit::JitInfo& j) { j.contract.count_in_frames = Tristate::kUnknown; }, "null",
               "unknown"},
           Row{"call_alignment", [](jit::JitInfo& j) { j.contract.call_alignment = 16; }, "16",
               "16"},
           Row{"call_alignment", [](jit::JitInfo& j) { j.contract.call_alignment = 0; }, "null",
               "unknown"},
           Row{"result_bits", [](jit::JitInfo& j) { j.contract.result_bits = 0; }, "null",
               "unknown"},
           Row{"sp_at_calls", [](jit::JitInfo& j) { j.contract.sp_at_calls = SpAtCalls::kByKind; },
               "\"by kind\"", "by kind"},
           Row{"sp_at_calls", [](jit::JitInfo& j) { j.contract.sp_at_calls = SpAtCalls::kUnknown; },
               "null", "unknown"},
           Row{"division_by_zero",
               [](jit::JitInfo& j) { j.contract.division_by_zero = DivisionByZero::kEndsProgram; },
               "\"ends program\"", "ends program"},
           Row{"division_by_zero",
               [](jit::JitInfo& j) { j.contract.division_by_zero = DivisionByZero::kUnknown; },
               "null", "unknown"},
           Row{"bpf_stack", [](jit::JitInfo& j) { j.contract.bpf_stack = BpfStack::kElsewhere; },
               "\"elsewhere\"", "elsewhere"},
           Row{"bpf_stack", [](jit::JitInfo& j) { j.contract.bpf_stack = BpfStack::kUnknown; },
               "null", "unknown"},
           Row{"r6_r9_saved_by", [](jit::JitInfo& j) { j.contract.r6_r9_saved_by = Side::kCaller; },
               "\"caller\"", "caller"},
           Row{"r6_r9_saved_by",
               [](jit::JitInfo& j) { j.contract.r6_r9_saved_by = Side::kUnknown; }, "null",
               "unknown"},
           Row{"r10_moved_by", [](jit::JitInfo& j) { j.contract.r10_moved_by = Side::kCaller; },
               "\"caller\"", "caller"},
           Row{"r10_only_where_used",
               [](jit::JitInfo& j) { j.contract.r10_only_where_used = Tristate::kNo; }, "false",
               "-"},
           Row{"r10_only_where_used",
               [](jit::JitInfo& j) { j.contract.r10_only_where_used = Tristate::kUnknown; }, "null",
               "unknown"},
           Row{"helper_arguments", [](jit::JitInfo& j) { j.registers.helper_argument[1] = 8; },
               R"([null,"r8",null,null,null])", "unknown r8 unknown"},
           Row{"helper_result", [](jit::JitInfo& j) { j.registers.helper_result = 2; }, "\"rdx\"",
               "rdx"},
           Row{"entry_registers", [](jit::JitInfo& j) { j.registers.entry_stack = 6; },
               R"([null,null,"rsi",null])", "unknown unknown rsi"},
           Row{"result_bits", [](jit::JitInfo& j) { j.contract.result_bits = 32; }, "32", "32"},
           Row{"frame_rounding", [](jit::JitInfo& j) { j.contract.frame_rounding = 32; }, "32",
               "32"},
           Row{"chain_rounding", [](jit::JitInfo& j) { j.contract.chain_rounding = 32; }, "32",
               "32"},
           Row{"tail_call_in_callback",
               [](jit::JitInfo& j) { j.contract.tail_call_in_callback = false; }, "false", "-"},
           Row{"landing_pad", [](jit::JitInfo& j) { j.landing.pad = LandingPad::kBti; }, "\"bti\"",
               "bti"},
           Row{"landing_pad", [](jit::JitInfo& j) { j.landing.pad = LandingPad::kUnknown; }, "null",
               "unknown"},
           Row{"call_preamble", [](jit::JitInfo& j) { j.landing.call_preamble = 16; }, "16", "16"},
           Row{"frame_pointer", [](jit::JitInfo& j) { j.registers.frame_pointer = 3; }, "\"rbx\"",
               "rbx"},
           Row{"frame_pointer",
               [](jit::JitInfo& j) { j.registers.frame_pointer = NativeRegister::none(); },
               "\"none\"", "none"},
           Row{"frame_pointer", [](jit::JitInfo& j) { j.registers.frame_pointer = {}; }, "null",
               "unknown"},
           Row{"r10_bias", [](jit::JitInfo& j) { j.registers.r10_bias = -24; }, "-24", "-24"},
           Row{"r10_bias", [](jit::JitInfo& j) { j.registers.r10_bias.reset(); }, "null",
               "unknown"},
           Row{"bpf_registers", [](jit::JitInfo& j) { j.registers.bpf[10] = 15; },
               R"(["rax","rcx","rdx","rbx","rsp","rbp","rsi","rdi","r8","r9","r15"])", "r9 r15"},
           Row{"bpf_registers", [](jit::JitInfo& j) { j.registers.bpf[10] = {}; },
               R"(["rax","rcx","rdx","rbx","rsp","rbp","rsi","rdi","r8","r9",null])", "r9 unknown"},
       }) {
    jit::JitInfo changed = base;
    row.change(changed);
    const auto before = contract_json(base);
    const auto after = contract_json(changed);
    ASSERT_TRUE(after.contains(row.key)) << row.key;
    EXPECT_EQ(after[row.key].dump(), row.json);
    for (const auto& [key, value] : after.items()) {
      EXPECT_EQ(value == before[key], key != row.key) << row.key << " and " << key;
    }
    const std::array both{changed};
    const std::string text = contracts_text(both);
    const std::string line = text.substr(text.find('\n') + 1, text.find("\n\n") - text.find('\n'));
    EXPECT_NE(line.find(row.text), std::string::npos) << text;
  }
}

TEST(Contracts, RegistersAreNamedAsTheArchitectureNamesThem) {
  EXPECT_EQ(contract_json(plain("a", Arch::kX86_64))["frame_pointer"], "rbp");
  EXPECT_EQ(contract_json(plain("b", Arch::kArm64))["frame_pointer"], "x5");
  EXPECT_EQ(contract_json(plain("c", Arch::kRiscv64))["frame_pointer"], "t0");
  jit::JitInfo unknown = plain("d", Arch::kX86_64);
  unknown.registers.frame_pointer = 31;
  EXPECT_EQ(contract_json(unknown)["frame_pointer"], "31");
}

TEST(Contracts, TheTableHasOneLineForEachJitAndExplainsItsColumns) {
  const std::array jits{plain("short", Arch::kX86_64), plain("a-much-longer-name", Arch::kArm64)};
  const std::string text = contracts_text(jits);
  std::set<std::size_t> starts;  // of the second column
  for (const char* name : {"short ", "a-much-longer-name "}) {
    const std::size_t at = text.find(std::string("\n") + name);
    ASSERT_NE(at, std::string::npos) << text;
    const std::size_t end_of_name = text.find(' ', at);
    starts.insert(text.find_first_not_of(' ', end_of_name) - at);
  }
  EXPECT_EQ(starts.size(), 1U) << text;
  EXPECT_NE(text.find("call_alignment: bytes that"), std::string::npos);
  EXPECT_EQ(text.find(" \n"), std::string::npos);
}

}  // namespace
}  // namespace plumb::tools
