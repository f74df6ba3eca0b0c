// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/jits_contracts.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/arch.h"

namespace plumb::tools {
namespace {

using Json = nlohmann::ordered_json;

std::string_view landing_pad_name(LandingPad pad) {
  switch (pad) {
    case LandingPad::kUnknown:
      return "unknown";
    case LandingPad::kNone:
      return "none";
    case LandingPad::kEndbr64:
      return "endbr64";
    case LandingPad::kBti:
      return "bti";
  }
  return "none";
}

Json bpf_registers(const jit::JitInfo& info) {
  Json names = Json::array();
  for (const NativeRegister native : info.registers.bpf) {
    names.push_back(register_name(info.arch, native));
  }
  return names;
}

struct Column {
  std::string_view key;     // in JSON: the field's name
  std::string_view header;  // in text
  std::string_view meaning;
  Json (*value)(const jit::JitInfo&);
};

constexpr std::array kColumns{
    Column{"empty_slot_consumes_count", "empty slot", "an attempt at an empty slot counts",
           [](const jit::JitInfo& info) {
             return Json(info.contract.empty_slot_consumes_count == Tristate::kYes);
           }},
    Column{"calls_keep_count", "kept",
           "... but not in a function that also calls: it keeps the count in a register",
           [](const jit::JitInfo& info) { return Json(info.contract.calls_keep_count); }},
    Column{"call_alignment", "sp %", "bytes that the stack pointer is a multiple of at a call",
           [](const jit::JitInfo& info) { return Json(info.contract.call_alignment); }},
    Column{"result_bits", "result", "bits of the main program's R0 that are the result",
           [](const jit::JitInfo& info) { return Json(info.contract.result_bits); }},
    Column{"frame_rounding", "stack %", "bytes that the BPF stack of a frame is a multiple of",
           [](const jit::JitInfo& info) { return Json(info.contract.frame_rounding); }},
    Column{"chain_rounding", "chain %",
           "bytes that a frame counts a multiple of when the verifier adds up a call chain",
           [](const jit::JitInfo& info) { return Json(info.contract.chain_rounding); }},
    Column{"tail_call_in_callback", "callback", "the verifier lets callbacks make tail calls",
           [](const jit::JitInfo& info) { return Json(info.contract.tail_call_in_callback); }},
    Column{"landing_pad", "pad", "what indirect jumps and calls land on",
           [](const jit::JitInfo& info) { return Json(landing_pad_name(info.landing.pad)); }},
    Column{"call_preamble", "preamble", "bytes in front of a function where indirect calls arrive",
           [](const jit::JitInfo& info) { return Json(info.landing.call_preamble); }},
    Column{"frame_pointer", "chain", "register that heads the chain of frame records",
           [](const jit::JitInfo& info) {
             return Json(register_name(info.arch, info.registers.frame_pointer));
           }},
    Column{"r10_bias", "bias", "R10 is its register plus that",
           [](const jit::JitInfo& info) { return Json(info.registers.r10_bias.value_or(0)); }},
    Column{"bpf_registers", "R0 ... R10", "registers that hold BPF's", bpf_registers},
};

std::string cell_text(const Json& value) {
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "-";
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_array()) return value.dump();
  std::string text;
  for (const Json& part : value) {
    if (!text.empty()) text += ' ';
    text += part.get<std::string>();
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
    text += fmt::format("{:<11} {}: {}\n", column.header, column.key, column.meaning);
  }
  return text;
}

}  // namespace plumb::tools
