// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/command_jits.h"

#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "core/arch.h"
#include "core/capability.h"
#include "core/printable.h"
#include "jit_under_test/jit.h"
#include "tools/jits_contracts.h"
#include "tools/open_jits.h"
#include "tools/session.h"

namespace plumb::tools {
namespace {

nlohmann::ordered_json describe(const jit::JitEntry& entry, const Session& session) {
  nlohmann::ordered_json out{
      {"name", entry.name}, {"available", entry.available}, {"reason", entry.reason}};
  if (!entry.available) return out;
  const auto opened = jit::open_jit(entry, isolation_of(session));
  if (!opened) {
    out["available"] = false;
    out["reason"] = opened.error().message;
    return out;
  }
  const jit::JitInfo& info = (*opened)->info();
  out["arch"] = arch_name(info.arch);
  out["family"] = info.family;
  out["version"] = info.version;
  out["origin"] = info.origin;
  auto capabilities = nlohmann::ordered_json::array();
  for (const auto& [capability, name] : kCapabilities) {
    if ((info.capabilities & capability_bit(capability)) != 0) capabilities.push_back(name);
  }
  out["capabilities"] = capabilities;
  out["contract"] = contract_json(info);
  if (!info.notice.empty()) out["notice"] = info.notice;
  return out;
}

// The words that matter most; null is what the JIT does not say.
std::string contract_line(const nlohmann::ordered_json& contract) {
  const auto said = [&contract](const char* field) { return !contract[field].is_null(); };
  std::string line = "whether an empty slot consumes the count is unknown";
  if (said("empty_slot_consumes_count")) {
    line = contract["empty_slot_consumes_count"].get<bool>()
               ? "an empty slot consumes the count"
               : "an empty slot does not consume the count";
  }
  const auto number = [&](const char* field) {
    return said(field) ? contract[field].dump() : std::string("unknown");
  };
  line += fmt::format("; calls at sp % {} = 0; result {} bits", number("call_alignment"),
                      number("result_bits"));
  if (!said("landing_pad")) return line + "; landing pads unknown";
  const auto pad = contract["landing_pad"].get<std::string>();
  return pad == "none" ? line : line + "; indirect jumps and calls land on " + pad;
}

void print_entry(const nlohmann::ordered_json& jit) {
  const auto text = [&jit](const char* field) { return printable(jit[field].get<std::string>()); };
  fmt::print("{}\n", text("name"));
  if (!jit["available"].get<bool>()) {
    fmt::print("  not available: {}\n", text("reason"));
    return;
  }
  std::string capabilities;
  for (const auto& name : jit["capabilities"]) {
    capabilities += (capabilities.empty() ? "" : " ") + name.get<std::string>();
  }
  const auto& contract = jit["contract"];
  fmt::print("  architecture  {}\n  origin        {}, version {}\n  capabilities  {}\n",
             text("arch"), text("origin"), text("version"), capabilities);
  fmt::print("  contract      {}\n", contract_line(contract));
  if (jit.contains("notice")) fmt::print("  notice        {}\n", text("notice"));
}

// The JITs that cannot be opened have no contract: they are told apart.
int print_contracts(const Session& session) {
  std::vector<jit::JitInfo> infos;
  auto jits = nlohmann::ordered_json::array();
  std::vector<jit::JitEntry> entries = jit::find_jits(session.plugin_directory);
  for (jit::JitEntry& entry : jit::built_in_jits()) entries.push_back(std::move(entry));
  for (const jit::JitEntry& entry : entries) {
    if (!entry.available) continue;
    const auto opened = jit::open_jit(entry, isolation_of(session));
    if (!opened) {
      fmt::print(stderr, "plumb: {}: not available: {}\n", printable(entry.name),
                 printable(opened.error().message));
      continue;
    }
    const jit::JitInfo& info = (*opened)->info();
    infos.push_back(info);
    jits.push_back(
        {{"name", info.name}, {"arch", arch_name(info.arch)}, {"contract", contract_json(info)}});
  }
  if (session.json) {
    fmt::print("{}\n", jits.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    fmt::print("{}", contracts_text(infos));
  }
  return kStatusConforms;
}

int print_jits(const Session& session) {
  auto jits = nlohmann::ordered_json::array();
  std::vector<jit::JitEntry> entries = jit::find_jits(session.plugin_directory);
  for (jit::JitEntry& entry : jit::built_in_jits()) entries.push_back(std::move(entry));
  for (const jit::JitEntry& entry : entries) jits.push_back(describe(entry, session));
  if (session.json) {
    fmt::print("{}\n", jits.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  } else {
    for (const auto& jit : jits) print_entry(jit);
  }
  return kStatusConforms;
}

}  // namespace

void add_jits_command(CLI::App& app, Session& session) {
  CLI::App* command = app.add_subcommand("jits", "List the JITs that can be tested");
  auto contracts = std::make_shared<bool>(false);
  command->add_flag("--contracts", *contracts, "their contracts side by side");
  command->callback([command, contracts, &session] {
    // Also called after the callback of add or remove.
    if (!command->get_subcommands().empty()) return;
    session.action = [contracts, &session] {
      return *contracts ? print_contracts(session) : print_jits(session);
    };
  });
  add_jits_add_commands(*command, session);
  add_jits_test_command(*command, session);
}

}  // namespace plumb::tools
