// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/jits_contracts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/arch.h"

namespace plumb::tools {
namespace {

using Json = nlohmann::ordered_json;

// In JSON null is what the JIT does not say.
const Json kUnknown = nullptr;

Json word_of(Tristate answer) {
  return answer == Tristate::kUnknown ? kUnknown : Json(answer == Tristate::kYes);
}

Json word_of(Side side) {
  switch (side) {
    case Side::kUnknown:
      break;
    case Side::kCallee:
      return "callee";
    case Side::kCaller:
      return "caller";
  }
  return kUnknown;
}

Json word_of(SpAtCalls rule) {
  switch (rule) {
    case SpAtCalls::kUnknown:
      break;
    case SpAtCalls::kConstant:
      return "constant";
    case SpAtCalls::kByKind:
      return "by kind";
    case SpAtCalls::kVaries:
      return "varies";
  }
  return kUnknown;
}

Json word_of(BpfStack stack) {
  switch (stack) {
    case BpfStack::kUnknown:
      break;
    case BpfStack::kInFrame:
      return "in frame";
    case BpfStack::kElsewhere:
      return "elsewhere";
  }
  return kUnknown;
}

Json word_of(DivisionByZero division) {
  switch (division) {
    case DivisionByZero::kUnknown:
      break;
    case DivisionByZero::kRfc:
      return "RFC 9669";
    case DivisionByZero::kEndsProgram:
      return "ends program";
  }
  return kUnknown;
}

Json word_of(LandingPad pad) {
  switch (pad) {
    case LandingPad::kUnknown:
      break;
    case LandingPad::kNone:
      return "none";
    case LandingPad::kEndbr64:
      return "endbr64";
    case LandingPad::kBti:
      return "bti";
  }
  return kUnknown;
}

Json number_or_unknown(int number) { return number == 0 ? kUnknown : Json(number); }

Json word_of(Arch arch, NativeRegister native) {
  if (native.is_known()) return register_name(arch, native);
  return native.is_none() ? Json("none") : kUnknown;
}

Json registers(Arch arch, std::span<const NativeRegister> natives) {
  Json names = Json::array();
  for (const NativeRegister native : natives) names.push_back(word_of(arch, native));
  return names;
}

struct Column {
  std::string_view key;     // in JSON: the field's name
  std::string_view header;  // in text
  std::string_view meaning;
  Json (*value)(const jit::JitInfo&);
};

using Info = const jit::JitInfo&;

constexpr std::array kColumns{
    Column{"empty_slot_consumes_count", "empty slot", "an attempt at an empty slot counts",
           [](Info info) { return word_of(info.contract.empty_slot_consumes_count); }},
    Column{"calls_keep_count", "kept",
           "... but not in a function that also calls: it keeps the count in a register",
           [](Info info) { return Json(info.contract.calls_keep_count); }},
    Column{"count_in_frames", "in frames",
           "each frame has a word with the tail calls that are left, and hands it back",
           [](Info info) { return word_of(info.contract.count_in_frames); }},
    Column{"call_alignment", "sp %", "bytes that the stack pointer is a multiple of at a call",
           [](Info info) { return number_or_unknown(info.contract.call_alignment); }},
    Column{"sp_at_calls", "sp at calls", "where the stack pointer stands at the calls of a frame",
           [](Info info) { return word_of(info.contract.sp_at_calls); }},
    Column{"result_bits", "result", "bits of the main program's R0 that are the result",
           [](Info info) { return number_or_unknown(info.contract.result_bits); }},
    Column{"division_by_zero", "x / 0", "what a division or remainder by zero does",
           [](Info info) { return word_of(info.contract.division_by_zero); }},
    Column{"bpf_stack", "stack", "where the memory below R10 lies",
           [](Info info) { return word_of(info.contract.bpf_stack); }},
    Column{"frame_rounding", "stack %",
           "bytes that the BPF stack of a frame is a multiple of; 1 where that is not known",
           [](Info info) { return Json(info.contract.frame_rounding); }},
    Column{"chain_rounding", "chain %",
           "bytes that a frame counts a multiple of when the verifier adds up a call chain",
           [](Info info) { return Json(info.contract.chain_rounding); }},
    Column{"tail_call_in_callback", "callback", "the verifier lets callbacks make tail calls",
           [](Info info) { return Json(info.contract.tail_call_in_callback); }},
    Column{"landing_pad", "pad", "what indirect jumps and calls land on",
           [](Info info) { return word_of(info.landing.pad); }},
    Column{"call_preamble", "preamble", "bytes in front of a function where indirect calls arrive",
           [](Info info) { return Json(info.landing.call_preamble); }},
    Column{"constants_blinded", "blinded", "no constant of the program stands in the code",
           [](Info info) { return word_of(info.code_rule.constants_blinded); }},
    Column{"return_addresses_signed", "signed", "functions sign their return addresses",
           [](Info info) { return word_of(info.code_rule.return_addresses_signed); }},
    Column{"cfi_hash_below", "hash",
           "bytes in front of a function where the hash of its type stands; none: there is none",
           [](Info info) {
             const CfiRule& cfi = info.code_rule.cfi;
             if (cfi.hashes == Tristate::kUnknown) return kUnknown;
             return cfi.hashes == Tristate::kYes ? Json(cfi.hash_below) : Json("none");
           }},
    Column{"counts_memory", "memory", "the plugin counts what it holds, so that leaks are seen",
           [](Info info) { return Json(info.counts_memory); }},
    Column{"frame_pointer", "chain", "register that heads the chain of frame records",
           [](Info info) { return word_of(info.arch, info.registers.frame_pointer); }},
    Column{"r6_r9_saved_by", "R6 - R9", "who saves R6 to R9 at a call of a BPF function",
           [](Info info) { return word_of(info.contract.r6_r9_saved_by); }},
    Column{"r10_moved_by", "R10", "who moves R10 there",
           [](Info info) { return word_of(info.contract.r10_moved_by); }},
    Column{"r10_only_where_used", "R10 unset",
           "functions that do not use R10 may leave its register alone",
           [](Info info) { return word_of(info.contract.r10_only_where_used); }},
    Column{"r10_bias", "bias", "R10 is its register plus that",
           [](Info info) {
             const auto bias = info.registers.r10_bias;
             return bias ? Json(*bias) : kUnknown;
           }},
    Column{"bpf_registers", "R0 ... R10", "registers that hold BPF's",
           [](Info info) { return registers(info.arch, info.registers.bpf); }},
    Column{"helper_arguments", "arguments",
           "registers of a helper's arguments; unknown: as the platform's C ABI has them",
           [](Info info) { return registers(info.arch, info.registers.helper_argument); }},
    Column{"helper_result", "helper's result", "the same of its result",
           [](Info info) { return word_of(info.arch, info.registers.helper_result); }},
    Column{"entry_registers", "at entry",
           "registers of the context, its size, memory for the stack and its size, on entry to a "
           "program; unknown: the first C argument, and nothing else is passed",
           [](Info info) {
             const RegisterMap& map = info.registers;
             const std::array natives{map.entry_context, map.entry_context_size, map.entry_stack,
                                      map.entry_stack_size};
             return registers(info.arch, natives);
           }},
};

std::string cell_text(const Json& value) {
  if (value.is_null()) return "unknown";
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "-";
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  if (std::ranges::all_of(value, [](const Json& part) { return part.is_null(); })) {
    return "unknown";
  }
  std::string text;
  for (const Json& part : value) {
    if (!text.empty()) text += ' ';
    text += cell_text(part);
  }
  return text;
}

using Row = std::vector<std::string>;

// Columns as wide as their widest cell, and no blanks at the end of a line.
std::string aligned(std::span<const Row> rows) {
  std::vector<std::size_t> widths;
  for (const Row& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const Row& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}  ", row[i], widths[i]);
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

}  // namespace

Json contract_json(const jit::JitInfo& info) {
  Json contract = Json::object();
  for (const Column& column : kColumns) contract[std::string(column.key)] = column.value(info);
  return contract;
}

std::string contracts_text(std::span<const jit::JitInfo> jits) {
  std::vector<Row> rows{{"JIT"}};
  for (const Column& column : kColumns) rows[0].emplace_back(column.header);
  for (const jit::JitInfo& info : jits) {
    Row row{info.name};
    for (const Column& column : kColumns) row.push_back(cell_text(column.value(info)));
    rows.push_back(std::move(row));
  }
  std::string text = aligned(rows) + "\n";
  for (const Column& column : kColumns) {
    text += fmt::format("{:<15} {}: {}\n", column.header, column.key, column.meaning);
  }
  return text;
}

}  // namespace plumb::tools
