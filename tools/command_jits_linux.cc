// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>
#include <vector>

#include "harness/call_in_child.h"
#include "jit_under_test/linux/trees/acquire.h"
#include "jit_under_test/linux/trees/build.h"
#include "jit_under_test/linux/trees/cache.h"
#include "jit_under_test/linux/trees/tree.h"
#include "tools/command_jits.h"

namespace plumb::tools {
namespace {

namespace fs = std::filesystem;

using jit::trees::build_jits;
using jit::trees::BuildRequest;
using jit::trees::BuiltJit;
using jit::trees::check_name;
using jit::trees::Scratch;

void progress(const std::string& line) {
  if (isatty(STDERR_FILENO) == 1) fmt::print(stderr, "{}\n", line);
}

// Keeps the log of a build that failed, and says where.
std::string keep_log(const Session& session, const BuildRequest& request) {
  const fs::path kept = log_file(session, request.name);
  std::error_code error;
  fs::create_directories(kept.parent_path(), error);
  fs::copy_file(request.log, kept, fs::copy_options::overwrite_existing, error);
  return error ? "" : fmt::format(" (log: {})", kept.string());
}

nlohmann::ordered_json describe(const BuiltJit& jit) {
  return {{"name", jit.name},      {"arch", jit.arch}, {"added", !jit.plugin.empty()},
          {"reason", jit.reason},  {"has", jit.has},   {"lacks", jit.lacks},
          {"seconds", jit.seconds}};
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text.empty() ? "nothing" : text;
}

void print_added(const Session& session, const BuildRequest& request, const std::string& version,
                 const std::vector<BuiltJit>& jits) {
  if (session.json) {
    auto rows = nlohmann::ordered_json::array();
    for (const BuiltJit& jit : jits) rows.push_back(describe(jit));
    const nlohmann::ordered_json out{
        {"name", request.name}, {"version", version}, {"jits", std::move(rows)}};
    fmt::print("{}\n", out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    return;
  }
  fmt::print("{}: {}, version {}\n", request.name, request.origin, version);
  for (const BuiltJit& jit : jits) {
    if (jit.plugin.empty()) {
      fmt::print("  {:<8} not built: {}\n", jit.arch, jit.reason);
      continue;
    }
    if (jit.kind != BuiltJit::Kind::kJit) {
      fmt::print("  {}, {:.1f} s\n",
                 jit.kind == BuiltJit::Kind::kTests ? "tests, lib/test_bpf.c"
                                                    : "interpreter, for second opinions",
                 jit.seconds);
      continue;
    }
    fmt::print("  {:<8} {}, {:.1f} s\n", jit.arch, jit.name, jit.seconds);
    fmt::print("           the tree has: {}; it lacks: {}\n", joined(jit.has), joined(jit.lacks));
  }
}

int finish_linux(const AddArguments& arguments, const Session& session, const Scratch& scratch,
                 const BuildRequest& request, const std::string& version,
                 const std::vector<BuiltJit>& jits) {
  const auto failed = std::ranges::find_if(jits, &BuiltJit::failed);
  // JITs without an interpreter and without tests can be used.
  const auto lacking = std::ranges::find_if(
      jits, [](const BuiltJit& j) { return j.plugin.empty() && j.kind == BuiltJit::Kind::kJit; });
  const bool named = !arguments.archs.empty();  // then all of them are wanted
  const std::string log = failed == jits.end() ? "" : keep_log(session, request);
  const auto collected = jit::trees::collect(request, jits);
  if (!collected) return unusable(collected.error().str());
  if (*collected == 0 || (named && lacking != jits.end())) {
    const bool is_jit = failed != jits.end() && failed->kind == BuiltJit::Kind::kJit;
    const BuiltJit& jit = is_jit ? *failed : *lacking;
    return unusable(
        fmt::format("{}: nothing was added: {}: {}{}", arguments.what, jit.arch, jit.reason, log));
  }
  const auto installed =
      jit::trees::install(scratch, session.cache_directory, request.name, arguments.force);
  if (!installed) return unusable(installed.error().str());
  if (failed == jits.end()) {
    std::error_code error;
    fs::remove(log_file(session, request.name), error);
  }
  print_added(session, request, version, jits);
  for (const BuiltJit& jit : jits) {
    if (jit.failed) fmt::print(stderr, "plumb: {}: {}{}\n", jit.name, jit.reason, log);
  }
  return kStatusConforms;
}

}  // namespace

int add_linux(const AddArguments& arguments, const std::string& path, const Session& session) {
  const fs::path from = path;
  const fs::path source = arguments.source.empty() ? session.source_directory : arguments.source;
  std::error_code error;
  if (!fs::exists(source / "jit_under_test/linux/standalone/CMakeLists.txt", error)) {
    return unusable(
        fmt::format("'{}' is no checkout of Plumbline: give --source DIR", source.string()));
  }
  const auto tools = jit::trees::find_build_tools();
  if (!tools) return unusable(tools.error().str());
  const auto scratch = Scratch::make(session.cache_directory);
  if (!scratch) return unusable(scratch.error().str());
  BuildRequest request{.source = fs::canonical(source, error),
                       .tree = scratch->path() / "tree",
                       .scratch = scratch->path(),
                       .log = scratch->path() / "build.log",
                       .name = arguments.name,
                       .origin = "kernel tree " + jit::trees::plain_name(from),
                       .archs = arguments.archs.empty() ? jit::trees::all_archs() : arguments.archs,
                       .in_child = harness::call_in_child};
  const auto version = jit::trees::acquire_tree(*tools, request, from, progress);
  if (!version) return unusable(version.error().str());
  const auto name =
      check_name(request.name.empty() ? jit::trees::default_tree_name(*version) : request.name);
  if (!name) return unusable(name.error().str());
  request.name = *name;
  std::vector<std::string> names;
  names.reserve(request.archs.size());
  for (const std::string& arch : request.archs)
    names.push_back(fmt::format("linux-{}-{}", *name, arch));
  if (const auto reason = conflict(session, *name, names, arguments.force))
    return unusable(*reason);
  progress(fmt::format("building the JITs of {}", from.string()));
  const auto jits = build_jits(*tools, request);
  if (!jits) return unusable(jits.error().str() + keep_log(session, request));
  return finish_linux(arguments, session, *scratch, request, *version, *jits);
}

}  // namespace plumb::tools
