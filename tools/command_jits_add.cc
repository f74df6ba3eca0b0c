// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "harness/call_in_child.h"
#include "jit_under_test/jit.h"
#include "jit_under_test/linux/trees/acquire.h"
#include "jit_under_test/linux/trees/cache.h"
#include "jit_under_test/linux/trees/process.h"
#include "tools/command_jits.h"

namespace plumb::tools {
namespace {

namespace fs = std::filesystem;

using jit::trees::check_name;
using jit::trees::Scratch;

constexpr std::string_view kLinux = "linux=";
constexpr std::string_view kDebian = "debian=";
constexpr std::string_view kPlugin = "plugin=";
constexpr unsigned kSecondsToStart = 20;

// ---- plugin=FILE.so ----

int add_plugin(const AddArguments& arguments, const Session& session) {
  const std::string file = arguments.what.substr(kPlugin.size());
  if (!arguments.name.empty() || !arguments.archs.empty()) {
    return unusable("--name and --arch are for kernel trees: a plugin has its own");
  }
  std::error_code error;
  if (!fs::is_regular_file(file, error)) return unusable(file + ": no such file");
  const auto line = harness::call_in_child(
      [&file] {
        const auto opened = jit::open_plugin(file);
        return opened ? "=" + (*opened)->info().name : opened.error().message;
      },
      kSecondsToStart);
  if (!line) return unusable(fmt::format("{}: {}", file, line.error().str()));
  if (!line->starts_with('=')) {
    return unusable(line->starts_with(file) ? *line : fmt::format("{}: {}", file, *line));
  }
  const auto name = check_name(std::string_view(*line).substr(1));
  if (!name) return unusable(fmt::format("{}: {}", file, name.error().message));
  if (const auto reason = conflict(session, *name, {*name}, arguments.force)) {
    return unusable(*reason);
  }
  const auto scratch = Scratch::make(session.cache_directory);
  if (!scratch) return unusable(scratch.error().str());
  fs::create_directory(scratch->path() / *name, error);
  fs::copy_file(file, scratch->path() / *name / (*name + ".so"), error);
  if (error) return unusable(fmt::format("{}: {}", file, error.message()));
  const auto installed =
      jit::trees::install(*scratch, session.cache_directory, *name, arguments.force);
  if (!installed) return unusable(installed.error().str());
  if (session.json) {
    fmt::print("{}\n", nlohmann::ordered_json{{"name", *name}}.dump(2));
  } else {
    fmt::print("{}: added\n", *name);
  }
  return kStatusConforms;
}

int add(const AddArguments& arguments, const Session& session) {
  const jit::trees::InterruptsHeld held;
  if (!arguments.name.empty()) {
    if (const auto name = check_name(arguments.name); !name) return unusable(name.error().str());
  }
  if (arguments.what.starts_with(kLinux)) {
    return add_linux(arguments, arguments.what.substr(kLinux.size()), session);
  }
  if (arguments.what.starts_with(kDebian)) {
    return add_debian(arguments, arguments.what.substr(kDebian.size()), session);
  }
  if (arguments.what.starts_with(kPlugin)) return add_plugin(arguments, session);
  return unusable(
      fmt::format("'{}': what to add is linux=DIR, linux=ARCHIVE, debian=VERSION or plugin=FILE",
                  arguments.what));
}

int remove(const std::string& name, const Session& session) {
  const jit::trees::InterruptsHeld held;
  const auto removed = jit::trees::remove_added(session.cache_directory, name);
  if (!removed) return unusable(removed.error().str());
  std::error_code error;
  fs::remove(log_file(session, name), error);
  if (!session.json) fmt::print("{}: removed\n", name);
  if (session.json) fmt::print("{}\n", nlohmann::ordered_json{{"removed", name}}.dump(2));
  return kStatusConforms;
}

}  // namespace

std::optional<std::string> conflict(const Session& session, const std::string& name,
                                    const std::vector<std::string>& jits, bool force) {
  std::error_code error;
  const fs::path own = fs::path(session.cache_directory) / name;
  if (!force && fs::exists(own, error)) {
    return fmt::format("'{}' was added before: give --force to replace it, or another --name",
                       name);
  }
  for (const jit::JitEntry& entry : jit::find_jits(session.plugin_directory)) {
    if (std::ranges::find(jits, entry.name) == jits.end()) continue;
    if (fs::path(entry.path).parent_path() == own) continue;
    return fmt::format("there is a JIT {} already: {}; give another --name", entry.name,
                       entry.path);
  }
  return std::nullopt;
}

fs::path log_file(const Session& session, const std::string& name) {
  return fs::path(session.cache_directory) / ".logs" / (name + ".log");
}

void add_jits_add_commands(CLI::App& jits, Session& session) {
  auto arguments = std::make_shared<AddArguments>();
  CLI::App* command = jits.add_subcommand("add", "Add the JITs of a kernel tree, or a plugin");
  command
      ->add_option("what", arguments->what,
                   "linux=DIR, linux=ARCHIVE, debian=7.3 (fetched with apt; also newest, or a "
                   "version), or plugin=FILE")
      ->required();
  command->add_option("--name", arguments->name,
                      "JITs are called linux-NAME-ARCH; default: the tree's version and -user, or "
                      "what debian= says");
  command
      ->add_option("--variants", arguments->variants,
                   "of the JITs, as in 'plumb jits': frames (those that change frames), all, none, "
                   "or NAME,...")
      ->capture_default_str();
  command->add_option("--arch", arguments->archs, "only these: x86_64, arm64, riscv64")
      ->delimiter(',')
      ->check(CLI::IsMember(jit::trees::all_archs()));
  command->add_option("--source", arguments->source, "checkout of Plumbline")->type_name("DIR");
  command->add_flag("--force", arguments->force, "replace what was added under that name");
  command->callback([arguments, &session] {
    session.action = [arguments, &session] { return add(*arguments, session); };
  });

  auto name = std::make_shared<std::string>();
  CLI::App* removal = jits.add_subcommand("remove", "Remove what was added under a name");
  removal->add_option("name", *name, "as given to add, or as add printed it")->required();
  removal->callback(
      [name, &session] { session.action = [name, &session] { return remove(*name, session); }; });
}

}  // namespace plumb::tools
