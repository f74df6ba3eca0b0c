// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <utility>
#include <vector>

#include "tools/command_jits.h"
#include "tools/jits_build.h"
#include "tools/jits_cache.h"
#include "tools/jits_tree.h"

namespace plumb::tools {
namespace {

namespace fs = std::filesystem;

void progress(const std::string& line) {
  if (isatty(STDERR_FILENO) == 1) fmt::print(stderr, "{}\n", line);
}

// The last part of a path, with what would need quoting replaced.
std::string plain_name(const fs::path& path) {
  const fs::path normal = (fs::absolute(path) / "").lexically_normal().parent_path();
  std::string text = normal.filename().string();
  for (char& c : text) {
    if (!is_name_character(c)) c = '_';
  }
  return text;
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

Result<std::string> acquire_tree(const BuildTools& tools, const BuildRequest& request,
                                 const fs::path& from) {
  std::error_code error;
  const fs::path absolute = fs::absolute(from, error);
  if (fs::is_directory(from, error)) {
    // Through a link, so that no character of the user's path means anything to CMake.
    if (auto version = tree_version(absolute); !version) return version;
    fs::create_directory_symlink(absolute, request.tree, error);
    if (error) return fail(fmt::format("{}: {}", request.tree.string(), error.message()));
    return tree_version(request.tree);
  }
  if (!fs::exists(from, error)) return fail(from.string() + ": no such file or directory");
  if (!is_archive_name(from)) {
    return fail(from.string() + ": neither a directory nor an archive (.tar.xz, .tar.gz, ...)");
  }
  progress(fmt::format("extracting {} (about 10 s)", from.string()));
  const fs::path link = request.scratch / "archive";
  fs::create_symlink(absolute, link, error);
  if (auto done = extract_tree(tools, request, link); !done) {
    return fail(fmt::format("{}: {}", from.string(), done.error().message));
  }
  auto version = tree_version(request.tree);
  if (!version) return fail(from.string() + ": the archive holds no kernel tree");
  return version;
}

// Moves what was built to scratch/NAME, interpreters and tests to directories of their own there.
// The number of JITs.
Result<std::size_t> collect(const BuildRequest& request, const std::vector<BuiltJit>& jits) {
  const fs::path directory = request.scratch / request.name;
  std::error_code error;
  fs::create_directory(directory, error);
  std::size_t count = 0;
  for (const BuiltJit& jit : jits) {
    if (jit.plugin.empty()) continue;
    const fs::path to = directory / directory_of(jit.kind);
    fs::create_directory(to, error);
    fs::rename(jit.plugin, to / jit.plugin.filename(), error);
    if (error) return fail(fmt::format("{}: {}", jit.plugin.string(), error.message()));
    count += jit.kind == BuiltJit::Kind::kJit ? 1 : 0;
  }
  return count;
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
  const auto collected = collect(request, jits);
  if (!collected) return unusable(collected.error().str());
  if (*collected == 0 || (named && lacking != jits.end())) {
    const bool is_jit = failed != jits.end() && failed->kind == BuiltJit::Kind::kJit;
    const BuiltJit& jit = is_jit ? *failed : *lacking;
    return unusable(
        fmt::format("{}: nothing was added: {}: {}{}", arguments.what, jit.arch, jit.reason, log));
  }
  const auto installed = install(scratch, session.cache_directory, request.name, arguments.force);
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

std::vector<std::string> all_archs() { return {"x86_64", "arm64", "riscv64"}; }

int add_linux(const AddArguments& arguments, const std::string& path, const Session& session) {
  const fs::path from = path;
  const fs::path source = arguments.source.empty() ? session.source_directory : arguments.source;
  std::error_code error;
  if (!fs::exists(source / "jit_under_test/linux/standalone/CMakeLists.txt", error)) {
    return unusable(
        fmt::format("'{}' is no checkout of Plumbline: give --source DIR", source.string()));
  }
  const auto tools = find_build_tools();
  if (!tools) return unusable(tools.error().str());
  const auto scratch = Scratch::make(session.cache_directory);
  if (!scratch) return unusable(scratch.error().str());
  BuildRequest request{.source = fs::canonical(source, error),
                       .tree = scratch->path() / "tree",
                       .scratch = scratch->path(),
                       .log = scratch->path() / "build.log",
                       .name = arguments.name,
                       .origin = "kernel tree " + plain_name(from),
                       .archs = arguments.archs.empty() ? all_archs() : arguments.archs};
  const auto version = acquire_tree(*tools, request, from);
  if (!version) return unusable(version.error().str());
  const auto name = check_name(request.name.empty() ? default_tree_name(*version) : request.name);
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
