// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/linux/trees/build.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <ranges>
#include <set>
#include <sstream>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

#include "jit_under_test/jit.h"
#include "jit_under_test/kernel_test_suite.h"
#include "jit_under_test/linux/trees/missing_word.h"
#include "jit_under_test/linux/trees/process.h"
#include "jit_under_test/second_opinion.h"

namespace plumb::jit::trees {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kSecondsToStart = 20;
constexpr std::string_view kStarted = "started";

std::string read_text(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// "TAIL_CALL_COUNT_BY_POINTER" -> "tail-call-count-by-pointer"
std::string spoken(std::string_view feature) {
  std::string text;
  for (const char c : feature) {
    text += c == '_' ? '-' : (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  return text;
}

// One line of the report that standalone/CMakeLists.txt writes.
BuiltJit read_report_line(const std::string& line, const BuildRequest& request) {
  std::istringstream words(line);
  std::string kind;
  BuiltJit jit;
  words >> kind >> jit.arch;
  if (kind == "interpreter" || kind == "tests") {
    jit.kind = kind == "tests" ? BuiltJit::Kind::kTests : BuiltJit::Kind::kInterpreter;
    jit.name = std::exchange(jit.arch, kind);
    if (jit.name.empty()) jit.reason = "the tree has no lib/test_bpf.c";
    return jit;
  }
  jit.name = fmt::format("linux-{}-{}", request.name, jit.arch);
  if (kind == "variant" || kind == "without") {
    words >> jit.variant;
    jit.name += ":" + jit.variant;
  }
  if (kind == "lack" || kind == "without") {
    std::getline(words >> std::ws, jit.reason);
    return jit;
  }
  if (kind == "variant") return jit;
  std::string target;
  words >> target;
  for (std::string feature; words >> feature;) {
    const std::string name = spoken(std::string_view(feature).substr(0, feature.find('=')));
    (feature.ends_with("=1") ? jit.has : jit.lacks).push_back(name);
  }
  return jit;
}

// The first complaint that the log has behind position, without our own directories.
std::string first_error(const BuildRequest& request, std::size_t position) {
  std::istringstream log(read_text(request.log).substr(position));
  const std::string tree = (request.scratch / "tree").string() + "/";
  for (std::string line; std::getline(log, line);) {
    if (line.find("error:") == std::string::npos && line.find("Error") == std::string::npos &&
        line.find("undefined reference") == std::string::npos) {
      continue;
    }
    for (std::size_t at = 0; (at = line.find(tree)) != std::string::npos;) {
      line.erase(at, tree.size());
    }
    return line;
  }
  return "no error message";
}

std::string for_cmake(const Variants& variants) {
  switch (variants.which) {
    case Variants::Which::kFrames:
      return "frames";
    case Variants::Which::kAll:
      return "all";
    case Variants::Which::kNone:
      return "none";
    case Variants::Which::kNamed:
      return fmt::format("{}", fmt::join(variants.names, ";"));
  }
  return {};
}

// A target's name cannot have a colon, a file's can.
std::string target(const BuiltJit& jit) {
  if (jit.variant.empty()) return jit.name;
  return fmt::format("{}--{}", jit.name.substr(0, jit.name.find(':')), jit.variant);
}

Result<std::string> configure(const BuildTools& tools, const BuildRequest& request) {
  const fs::path build = request.scratch / "build";
  std::string archs;
  for (const std::string& arch : request.archs) archs += (archs.empty() ? "" : ";") + arch;
  std::vector<std::string> command{tools.cmake,
                                   "-G",
                                   tools.generator,
                                   "-S",
                                   (request.source / "jit_under_test/linux/standalone").string(),
                                   "-B",
                                   build.string(),
                                   "-DCMAKE_BUILD_TYPE=Release",
                                   "-DCMAKE_MAKE_PROGRAM=" + tools.make,
                                   "-DPLUMB_TREE=" + request.tree.string(),
                                   "-DPLUMB_NAME=" + request.name,
                                   "-DPLUMB_ORIGIN=" + request.origin,
                                   "-DPLUMB_ARCHS=" + archs,
                                   "-DPLUMB_VARIANTS=" + for_cmake(request.variants)};
  if (!tools.compiler.empty()) command.push_back("-DCMAKE_C_COMPILER=" + tools.compiler);
  const auto status = run_process(command, request.log.string());
  if (!status) return std::unexpected(status.error());
  if (*status != 0) return fail("the build cannot be set up: " + first_error(request, 0));
  return read_text(build / "report.txt");
}

// Why building what begins behind position in the log failed, and what would mend it.
void explain_failure(const BuildRequest& request, std::size_t position, BuiltJit& jit) {
  const std::string complaint = first_error(request, position);
  jit.reason = "it does not compile: " + complaint;
  const auto missing = find_missing_word(complaint);
  if (!missing) return;
  jit.remedy = line_to_add(*missing);
  if (const auto there = find_declaration(request.tree, *missing)) {
    jit.remedy += fmt::format(" (the tree: {})", *there);
  }
}

// Empty, or why the plugin is of no use.
std::string opening_error(const fs::path& plugin, BuiltJit::Kind kind) {
  const auto error_of = [](const auto& opened) {
    return opened ? std::string() : opened.error().message;
  };
  switch (kind) {
    case BuiltJit::Kind::kJit:
      return error_of(jit::open_plugin(plugin.string()));
    case BuiltJit::Kind::kInterpreter:
      return error_of(jit::open_interpreter(plugin.string()));
    case BuiltJit::Kind::kTests:
      return error_of(jit::open_kernel_tests(plugin.string()));
  }
  return {};
}

// Starts the plugin once, in a process of its own: an edited JIT may do anything.
std::string why_it_does_not_start(const InChild& in_child, const fs::path& plugin,
                                  BuiltJit::Kind kind) {
  const Result<std::string> line = in_child(
      [&plugin, kind] {
        std::string error = opening_error(plugin, kind);
        return error.empty() ? std::string(kStarted) : error;
      },
      kSecondsToStart);
  if (!line) return "it does not start: " + line.error().str();
  return *line == kStarted ? "" : *line;
}

Result<BuiltJit> build_one(const BuildTools& tools, const BuildRequest& request, BuiltJit jit) {
  const fs::path build = request.scratch / "build";
  const auto begin = std::chrono::steady_clock::now();
  std::error_code error;
  const std::uintmax_t logged = fs::file_size(request.log, error);
  const unsigned jobs = std::max(1U, std::thread::hardware_concurrency());
  const auto status = run_process({tools.cmake, "--build", build.string(), "--target", target(jit),
                                   "--parallel", std::to_string(jobs)},
                                  request.log.string());
  if (!status) return std::unexpected(status.error());
  const std::string file = jit.kind == BuiltJit::Kind::kJit ? jit.name : "linux-" + request.name;
  const fs::path plugin = build / "plugins" / directory_of(jit.kind) / (file + ".so");
  if (*status != 0 || !fs::exists(plugin, error)) {
    explain_failure(request, logged, jit);
  } else {
    jit.reason = why_it_does_not_start(request.in_child, plugin, jit.kind);
  }
  jit.failed = !jit.reason.empty();
  if (!jit.failed) jit.plugin = plugin;
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  jit.seconds = seconds.count();
  return jit;
}

// Whether it is a variant of a JIT that could not be built: it would say the same once more.
bool failed_arch(const std::vector<BuiltJit>& jits, const BuiltJit& jit) {
  return !jit.variant.empty() && std::ranges::any_of(jits, [&jit](const BuiltJit& other) {
    return other.failed && other.arch == jit.arch && other.variant.empty();
  });
}

}  // namespace

std::string_view directory_of(BuiltJit::Kind kind) {
  switch (kind) {
    case BuiltJit::Kind::kJit:
      return "";
    case BuiltJit::Kind::kInterpreter:
      return "interpreters";
    case BuiltJit::Kind::kTests:
      return "tests";
  }
  return "";
}

Result<Variants> parse_variants(std::string_view text, const fs::path& source,
                                const std::vector<std::string>& archs) {
  using Which = Variants::Which;
  for (const auto& [word, which] :
       {std::pair{"frames", Which::kFrames}, std::pair{"all", Which::kAll},
        std::pair{"none", Which::kNone}}) {
    if (text == word) return Variants{.which = which, .names = {}};
  }
  std::set<std::string> known;
  for (const std::string& arch : archs) {
    std::istringstream rows(
        read_text(source / "jit_under_test/linux/shim" / arch / "variants.txt"));
    for (std::string row; std::getline(rows, row);) {
      if (!row.starts_with('#')) known.insert(row.substr(0, row.find_first_of(" |")));
    }
  }
  Variants variants{.which = Which::kNamed, .names = {}};
  for (const auto word : std::views::split(text, ',')) {
    std::string name(std::string_view{word});
    if (!known.contains(name)) {
      return fail(
          fmt::format("--variants {}: there is no variant '{}'; there are {}, and the words "
                      "frames, all, none",
                      text, name, fmt::join(known, ", ")));
    }
    variants.names.push_back(std::move(name));
  }
  return variants;
}

Result<BuildTools> find_build_tools() {
  BuildTools tools;
  tools.cmake = find_program({"cmake"});
  tools.tar = find_program({"tar"});
  tools.make = find_program({"ninja", "make"});
  tools.generator = tools.make.ends_with("ninja") ? "Ninja" : "Unix Makefiles";
  tools.compiler = find_program({"cc", "gcc", "clang", "clang-19"});
  for (const auto& [program, what] :
       {std::pair{tools.cmake, "cmake"}, std::pair{tools.make, "ninja or make"},
        std::pair{tools.compiler, "a C compiler"}, std::pair{tools.tar, "tar"}}) {
    if (program.empty()) return fail(fmt::format("building a JIT takes {}: none in PATH", what));
  }
  // CMake understands CC with arguments; what it says, goes.
  const char* wanted = std::getenv("CC");
  if (wanted != nullptr && *wanted != '\0') tools.compiler.clear();
  return tools;
}

Result<fs::path> extract_tree(const BuildTools& tools, const BuildRequest& request,
                              const fs::path& archive) {
  const fs::path script = request.source / "jit_under_test/linux/standalone/extract.cmake";
  const auto status = run_process({tools.cmake, "-DARCHIVE=" + archive.string(),
                                   "-DDESTINATION=" + request.tree.string(), "-P", script.string()},
                                  request.log.string());
  if (!status) return std::unexpected(status.error());
  const std::string reason = read_text(request.tree.string() + ".error");
  if (!reason.empty()) return fail(reason);
  if (*status != 0) return fail("cannot be extracted");
  return request.tree;
}

Result<std::vector<BuiltJit>> build_jits(const BuildTools& tools, const BuildRequest& request) {
  const Result<std::string> report = configure(tools, request);
  if (!report) return std::unexpected(report.error());
  std::vector<BuiltJit> jits;
  std::istringstream lines(*report);
  for (std::string line; std::getline(lines, line);) {
    BuiltJit jit = read_report_line(line, request);
    if (!jit.reason.empty()) {
      jits.push_back(std::move(jit));
      continue;
    }
    if (failed_arch(jits, jit)) continue;
    Result<BuiltJit> built = build_one(tools, request, std::move(jit));
    if (!built) return std::unexpected(built.error());
    jits.push_back(std::move(*built));
  }
  return jits;
}

}  // namespace plumb::jit::trees
