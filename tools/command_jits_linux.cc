// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "core/printable.h"
#include "harness/call_in_child.h"
#include "harness/corpus.h"
#include "harness/probe.h"
#include "jit_under_test/jit.h"
#include "jit_under_test/linux/trees/acquire.h"
#include "jit_under_test/linux/trees/build.h"
#include "jit_under_test/linux/trees/cache.h"
#include "jit_under_test/linux/trees/debian.h"
#include "jit_under_test/linux/trees/tree.h"
#include "tools/command_jits.h"
#include "tools/open_jits.h"

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

// What was seen of a JIT when it was added, by its name.
struct Held {
  std::size_t tiny = 0, compared = 0;
  std::vector<std::string> complaints;
};
using Seen = std::map<std::string, Held>;

// Holds what every JIT that was added says of itself against what it does.
Seen probe_added(const Session& session, const BuildRequest& request,
                 const std::vector<BuiltJit>& jits) {
  const auto waivers = harness::read_waivers(session.known_directory);
  const std::string directory = (fs::path(session.cache_directory) / request.name).string();
  Seen seen;
  for (const BuiltJit& built : jits) {
    if (built.kind != BuiltJit::Kind::kJit || built.plugin.empty()) continue;
    progress("trying " + built.name);
    Held& held = seen[built.name];
    const auto opened = jit::open_jits(directory, built.name, isolation_of(session));
    if (!opened) {
      held.complaints.push_back(opened.error().message);
      continue;
    }
    const harness::Probe probe = harness::probe(
        opened->front(), waivers ? std::span(*waivers) : std::span<const harness::NamedWaiver>(),
        std::max(1U, std::thread::hardware_concurrency()));
    held.tiny = static_cast<std::size_t>(
        std::ranges::count(probe.diagnosis.steps, Verdict::kConforms,
                           [](const harness::DoctorStep& step) { return step.judgement.verdict; }));
    held.compared = probe.compared;
    held.complaints = probe.complaints();
  }
  return seen;
}

nlohmann::ordered_json describe(const BuiltJit& jit, const Seen& seen) {
  nlohmann::ordered_json row{{"name", jit.name},       {"arch", jit.arch},
                             {"variant", jit.variant}, {"added", !jit.plugin.empty()},
                             {"reason", jit.reason},   {"remedy", jit.remedy},
                             {"has", jit.has},         {"lacks", jit.lacks},
                             {"seconds", jit.seconds}};
  if (const auto held = seen.find(jit.name); held != seen.end()) {
    row["tiny_cases"] = held->second.tiny;
    row["compared"] = held->second.compared;
    row["complaints"] = held->second.complaints;
  }
  return row;
}

std::string joined(const std::vector<std::string>& words) {
  return words.empty() ? "nothing" : fmt::format("{}", fmt::join(words, " "));
}

bool is_base(const BuiltJit& jit) {
  return jit.kind == BuiltJit::Kind::kJit && jit.variant.empty();
}

// The variants of one architecture in a line, those that are not there in one each.
void print_variants(const std::vector<BuiltJit>& jits, const std::string& arch) {
  std::vector<std::string> names;
  double seconds = 0;
  for (const BuiltJit& jit : jits) {
    if (jit.arch != arch || jit.variant.empty() || jit.plugin.empty()) continue;
    names.push_back(":" + jit.variant);
    seconds += jit.seconds;
  }
  if (!names.empty()) fmt::print("           variants: {}, {:.1f} s\n", joined(names), seconds);
  for (const BuiltJit& jit : jits) {
    if (jit.arch != arch || jit.variant.empty() || !jit.plugin.empty()) continue;
    fmt::print("           no :{}: {}\n", jit.variant, jit.reason);
  }
}

void print_row(const BuiltJit& jit, const std::vector<BuiltJit>& jits) {
  if (!jit.variant.empty()) return;  // with its base
  if (jit.plugin.empty()) {
    fmt::print("  {:<8} not built: {}\n", jit.arch, jit.reason);
    return;
  }
  switch (jit.kind) {
    case BuiltJit::Kind::kTests:
      fmt::print("  tests, lib/test_bpf.c, {:.1f} s\n", jit.seconds);
      return;
    case BuiltJit::Kind::kInterpreter:
      fmt::print("  interpreter, for second opinions, {:.1f} s\n", jit.seconds);
      return;
    case BuiltJit::Kind::kJit:
      fmt::print("  {:<8} {}, {:.1f} s\n", jit.arch, jit.name, jit.seconds);
      fmt::print("           the tree has: {}; it lacks: {}\n", joined(jit.has), joined(jit.lacks));
      print_variants(jits, jit.arch);
      return;
  }
}

// What was tried: for people one line over all, and one for each complaint.
void print_seen(const Seen& seen) {
  std::size_t tiny = 0, compared = 0, wrong = 0;
  for (const auto& [name, held] : seen) {
    tiny += held.tiny;
    compared += held.compared;
    wrong += held.complaints.empty() ? 0 : 1;
  }
  fmt::print("  tried: {} JITs in {} tiny and {} generated cases, {}\n", seen.size(), tiny,
             compared,
             wrong == 0 ? "all conform" : fmt::format("{} of them do not conform", wrong));
}

void print_complaints(const Seen& seen) {
  for (const auto& [name, held] : seen) {
    for (const std::string& complaint : held.complaints) {
      fmt::print(stderr,
                 "plumb: {}: what it says of itself and what it does differ: {} (see 'plumb jits "
                 "test {}')\n",
                 name, printable(complaint), name);
    }
  }
}

void print_added(const Session& session, const BuildRequest& request, const std::string& version,
                 const std::vector<BuiltJit>& jits, const Seen& seen) {
  if (session.json) {
    auto rows = nlohmann::ordered_json::array();
    for (const BuiltJit& jit : jits) rows.push_back(describe(jit, seen));
    const nlohmann::ordered_json out{
        {"name", request.name}, {"version", version}, {"jits", std::move(rows)}};
    fmt::print("{}\n", out.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
    return;
  }
  fmt::print("{}: {}, version {}\n", request.name, request.origin, version);
  for (const BuiltJit& jit : jits) print_row(jit, jits);
  print_seen(seen);
}

// One line for each that was to be built and could not be, with what would mend it.
void print_failures(const std::vector<BuiltJit>& jits) {
  for (const BuiltJit& jit : jits) {
    if (!jit.failed) continue;
    fmt::print(stderr, "plumb: {}: {}{}{}\n", jit.name, jit.reason, jit.remedy.empty() ? "" : ": ",
               jit.remedy);
  }
}

int finish_linux(const AddArguments& arguments, const Session& session, const Scratch& scratch,
                 const BuildRequest& request, const std::string& version,
                 const std::vector<BuiltJit>& jits) {
  const bool failed = std::ranges::any_of(jits, &BuiltJit::failed);
  // JITs without an interpreter and without tests can be used.
  const auto lacking = std::ranges::find_if(
      jits, [](const BuiltJit& jit) { return is_base(jit) && jit.plugin.empty(); });
  const bool named = !arguments.archs.empty();  // then all of them are wanted
  const std::string log = failed ? keep_log(session, request) : "";
  const auto collected = jit::trees::collect(request, jits);
  if (!collected) return unusable(collected.error().str());
  if (*collected == 0 || (named && lacking != jits.end())) {
    print_failures(jits);
    return unusable(fmt::format("{}: nothing was added: {}: {}{}", arguments.what, lacking->arch,
                                lacking->failed ? "see above" : lacking->reason, log));
  }
  const auto installed =
      jit::trees::install(scratch, session.cache_directory, request.name, arguments.force);
  if (!installed) return unusable(installed.error().str());
  if (!failed) {
    std::error_code error;
    fs::remove(log_file(session, request.name), error);
  }
  const Seen seen = probe_added(session, request, jits);
  print_added(session, request, version, jits, seen);
  print_failures(jits);
  print_complaints(seen);
  if (failed) fmt::print(stderr, "plumb: {}: some of it was not added{}\n", request.name, log);
  return kStatusConforms;
}

// Where the tree comes from, and what it is called when the user does not say.
struct Origin {
  fs::path from;
  std::string name;  // empty: the tree's version and -user
  std::string text;  // for people: letters, digits, ' ', '.', '_', '+' and '-'
};

// What both begin with: the checkout, the tools, a directory to work in.
struct Ground {
  jit::trees::BuildTools tools;
  Scratch scratch;
  BuildRequest request;
};

Result<Ground> prepare(const AddArguments& arguments, const Session& session) {
  const fs::path source = arguments.source.empty() ? session.source_directory : arguments.source;
  std::error_code error;
  if (!fs::exists(source / "jit_under_test/linux/standalone/CMakeLists.txt", error)) {
    return fail(
        fmt::format("'{}' is no checkout of Plumbline: give --source DIR", source.string()));
  }
  const auto archs = arguments.archs.empty() ? jit::trees::all_archs() : arguments.archs;
  auto variants = jit::trees::parse_variants(arguments.variants, source, archs);
  if (!variants) return std::unexpected(variants.error());
  auto tools = jit::trees::find_build_tools();
  if (!tools) return std::unexpected(tools.error());
  auto scratch = Scratch::make(session.cache_directory);
  if (!scratch) return std::unexpected(scratch.error());
  BuildRequest request{.source = fs::canonical(source, error),
                       .tree = scratch->path() / "tree",
                       .scratch = scratch->path(),
                       .log = scratch->path() / "build.log",
                       .name = {},
                       .origin = {},
                       .archs = archs,
                       .variants = *std::move(variants),
                       .in_child = harness::call_in_child};
  return Ground{
      .tools = *std::move(tools), .scratch = *std::move(scratch), .request = std::move(request)};
}

int add_tree(const AddArguments& arguments, const Session& session, Ground& ground,
             const Origin& origin) {
  BuildRequest& request = ground.request;
  request.origin = origin.text;
  const auto version = jit::trees::acquire_tree(ground.tools, request, origin.from, progress);
  if (!version) return unusable(version.error().str());
  const std::string usual =
      origin.name.empty() ? jit::trees::default_tree_name(*version) : origin.name;
  const auto name = check_name(arguments.name.empty() ? usual : arguments.name);
  if (!name) return unusable(name.error().str());
  request.name = *name;
  std::vector<std::string> names;
  names.reserve(request.archs.size());
  for (const std::string& arch : request.archs) {
    names.push_back(fmt::format("linux-{}-{}", *name, arch));
  }
  if (const auto reason = conflict(session, *name, names, arguments.force)) {
    return unusable(*reason);
  }
  progress(fmt::format("building the JITs of {}", origin.text));
  const auto jits = build_jits(ground.tools, request);
  if (!jits) return unusable(jits.error().str() + keep_log(session, request));
  return finish_linux(arguments, session, ground.scratch, request, *version, *jits);
}

}  // namespace

int add_linux(const AddArguments& arguments, const std::string& path, const Session& session) {
  auto ground = prepare(arguments, session);
  if (!ground) return unusable(ground.error().str());
  return add_tree(
      arguments, session, *ground,
      {.from = path, .name = {}, .text = "kernel tree " + jit::trees::plain_name(path)});
}

int add_debian(const AddArguments& arguments, const std::string& wanted, const Session& session) {
  const auto kernel = jit::trees::parse_wanted(wanted);
  if (!kernel) return unusable(kernel.error().str());
  const auto tools = jit::trees::find_debian_tools();
  if (!tools) return unusable(tools.error().str());
  auto ground = prepare(arguments, session);
  if (!ground) return unusable(ground.error().str());
  const auto fetched = jit::trees::fetch_debian(*tools, *kernel, ground->scratch.path(), progress);
  if (!fetched) return unusable(fetched.error().str());
  return add_tree(arguments, session, *ground,
                  {.from = fetched->archive,
                   .name = fetched->line,
                   .text = "Debian linux-source-" + fetched->line});
}

}  // namespace plumb::tools
