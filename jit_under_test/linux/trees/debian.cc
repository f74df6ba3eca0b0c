// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/linux/trees/debian.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <system_error>
#include <utility>
#include <vector>

#include "jit_under_test/linux/trees/process.h"

namespace plumb::jit::trees {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
constexpr std::string_view kConfiguration = "apt.conf";
constexpr std::size_t kLongestReason = 300;

// What one of the programs printed, or why it did not run.
struct Printed {
  int status = 0;
  std::string text;
};

std::string read_text(const fs::path& file) {
  std::ifstream in(file);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

// Runs a program of apt in a directory, with our configuration where there is one yet.
Result<Printed> run(const DebianTools& tools, const fs::path& apt,
                    std::vector<std::string> command) {
  const fs::path output = apt / "output";
  std::error_code error;
  fs::remove(output, error);
  std::vector<std::string> words{tools.env, "-C", apt.string()};
  if (const fs::path file = apt / kConfiguration; fs::exists(file, error)) {
    words.push_back("APT_CONFIG=" + file.string());
  }
  std::ranges::move(command, std::back_inserter(words));
  const auto status = run_process(words, output.string());
  if (!status) return std::unexpected(status.error());
  return Printed{.status = *status, .text = read_text(output)};
}

// The first line in which apt says what is wrong.
std::string complaint(std::string_view text) {
  std::istringstream lines{std::string(text)};
  std::string first;
  for (std::string line; std::getline(lines, line);) {
    for (const std::string_view mark : {"E: ", "W: "}) {
      if (!line.starts_with(mark)) continue;
      line = line.substr(mark.size(), kLongestReason);
      if (mark == "E: ") return line;
      if (first.empty()) first = std::exchange(line, {});
    }
  }
  return first.empty() ? "apt gives no reason" : first;
}

bool is_hook(std::string_view line) {
  return std::ranges::any_of(
      std::array<std::string_view, 5>{"APT::Update::", "DPkg::", "Dpkg::", "Dir::Etc::sourcelist",
                                      "Dir::Etc::sourceparts"},
      [line](std::string_view prefix) { return line.starts_with(prefix); });
}

// apt's configuration as it stands (its proxies are wanted), without hooks, and with our places. It
// replaces that of the system: apt reads APT_CONFIG first, and there the rest is cut off.
Result<std::string> private_configuration(const DebianTools& tools, const fs::path& apt) {
  const auto dump = run(tools, apt, {tools.apt_config, "dump"});
  if (!dump) return std::unexpected(dump.error());
  std::istringstream lines(dump->text);
  std::string text;
  for (std::string line; std::getline(lines, line);) {
    if (!is_hook(line)) text += line + "\n";
  }
  for (const auto& [name, place] :
       {std::pair<std::string_view, std::string>{"Dir::State::Lists", (apt / "lists").string()},
        {"Dir::Cache", (apt / "cache").string()},
        {"Dir::Etc::SourceList", (apt / "sources.list").string()},
        {"Dir::Etc::SourceParts", "/dev/null"},
        {"Dir::Etc::Main", "/dev/null"},
        {"Dir::Etc::Parts", "/dev/null"},
        {"Acquire::Languages", "none"},
        {"APT::Sandbox::User",
         "root"}}) {  // as root it would download as _apt, who cannot write here
    text += fmt::format("{} \"{}\";\n", name, place);
  }
  return text;
}

bool write_text(const fs::path& file, std::string_view text) {
  std::ofstream out(file, std::ios::binary);
  out << text;
  out.close();
  return out.good();
}

struct Package {
  std::string name, version;
};

// One look into a group of suites.
struct Look {
  std::optional<Package> found;
  std::string names;   // of all linux-source packages there
  std::string reason;  // why lists are missing, if any are
};

Result<Look> look(const DebianTools& tools, const fs::path& apt, const WantedKernel& wanted) {
  Look look;
  const auto update = run(tools, apt, {tools.apt_get, "update"});
  if (!update) return std::unexpected(update.error());
  const bool incomplete = update->status != 0 || update->text.contains("\nW: Failed to fetch");
  if (incomplete) look.reason = complaint(update->text);
  const auto names = run(tools, apt, {tools.apt_cache, "pkgnames", "linux-source-"});
  if (!names) return std::unexpected(names.error());
  look.names = names->text;
  const auto name = choose_package(look.names, wanted);
  if (!name) return look;
  const auto versions = run(tools, apt, {tools.apt_cache, "madison", *name});
  if (!versions) return std::unexpected(versions.error());
  if (const auto version = choose_version(versions->text, wanted)) {
    look.found = Package{.name = *name, .version = *version};
  }
  return look;
}

std::string spoken(const WantedKernel& wanted) {
  if (wanted.line.empty()) return "newest";
  return wanted.version.empty() ? wanted.line : wanted.version;
}

Result<Package> find_package(const DebianTools& tools, const fs::path& apt,
                             const WantedKernel& wanted, const DebianMirrors& mirrors,
                             const std::function<void(const std::string& line)>& progress) {
  std::string names, reason;
  for (std::size_t group = 0; group < kSuiteGroups; ++group) {
    progress(fmt::format("asking {} for linux-source packages", mirrors.archive));
    if (!write_text(apt / "sources.list", sources_list(mirrors, group, tools.keyring.string()))) {
      return fail((apt / "sources.list").string() + " cannot be written");
    }
    Result<Look> seen = look(tools, apt, wanted);
    if (!seen) return std::unexpected(seen.error());
    if (seen->found) return *std::move(seen->found);
    names += seen->names + "\n";
    if (reason.empty()) reason = seen->reason;
  }
  const std::vector<std::string> lines = kernel_lines(names);
  if (lines.empty()) {
    return fail(fmt::format("debian={}: no list of packages from {}: {}", spoken(wanted),
                            mirrors.archive, reason.empty() ? "it has no linux-source" : reason));
  }
  return fail(fmt::format("debian={}: {} has no such linux-source; it has {}{}", spoken(wanted),
                          mirrors.archive, fmt::join(lines, ", "),
                          reason.empty() ? "" : " (some lists are missing: " + reason + ")"));
}

// The only file of its kind below a directory. Apt's lists lie there too, and their names hold
// those of mirrors, such as deb.example.org.
std::optional<fs::path> find_file(const fs::path& directory, bool (*is_one)(const fs::path&)) {
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(directory, error)) {
    if (is_one(entry.path()) && entry.is_regular_file(error)) return entry.path();
  }
  return std::nullopt;
}
bool is_package(const fs::path& path) { return path.extension() == ".deb"; }
bool is_archive(const fs::path& path) {
  constexpr std::string_view kEndings[] = {".tar", ".tar.xz", ".tar.gz", ".tar.bz2", ".tar.zst"};
  const std::string name = path.filename().string();
  return std::ranges::any_of(kEndings, [&](std::string_view end) { return name.ends_with(end); });
}

}  // namespace

Result<DebianTools> find_debian_tools() {
  DebianTools tools{.env = find_program({"env"}),
                    .apt_get = find_program({"apt-get"}),
                    .apt_cache = find_program({"apt-cache"}),
                    .apt_config = find_program({"apt-config"}),
                    .dpkg_deb = find_program({"dpkg-deb"}),
                    .keyring = kKeyring};
  for (const auto& [program, name] :
       {std::pair{tools.env, "env"}, std::pair{tools.apt_get, "apt-get"},
        std::pair{tools.apt_cache, "apt-cache"}, std::pair{tools.apt_config, "apt-config"},
        std::pair{tools.dpkg_deb, "dpkg-deb"}}) {
    if (program.empty()) {
      return fail(fmt::format(
          "fetching a kernel from Debian takes {}: none in PATH; linux=ARCHIVE takes one that you "
          "fetched",
          name));
    }
  }
  std::error_code error;
  if (!fs::exists(tools.keyring, error)) {
    return fail(fmt::format(
        "fetching a kernel from Debian takes its archive keys, {}: install debian-archive-keyring",
        tools.keyring.string()));
  }
  return tools;
}

Result<DebianArchive> fetch_debian(const DebianTools& tools, const WantedKernel& wanted,
                                   const fs::path& scratch,
                                   const std::function<void(const std::string& line)>& progress) {
  const fs::path apt = scratch / "apt";
  std::error_code error;
  for (const char* place : {"lists/partial", "cache/archives/partial", "deb"}) {
    fs::create_directories(apt / place, error);
    if (error) return fail(fmt::format("{}: {}", (apt / place).string(), error.message()));
  }
  const auto targets = run(tools, apt,
                           {tools.apt_get, "indextargets", "--format",
                            std::string(kIndexTargetFormat), "Created-By: Packages"});
  if (!targets) return std::unexpected(targets.error());
  const auto mirrors = find_mirrors(targets->text);
  if (!mirrors) {
    return fail(
        fmt::format("debian={}: apt is configured with no mirror of Debian", spoken(wanted)));
  }
  const auto configuration = private_configuration(tools, apt);
  if (!configuration) return std::unexpected(configuration.error());
  if (!write_text(apt / kConfiguration, *configuration)) {
    return fail((apt / kConfiguration).string() + " cannot be written");
  }
  const auto package = find_package(tools, apt, wanted, *mirrors, progress);
  if (!package) return std::unexpected(package.error());

  progress(fmt::format("fetching {} {} (about 170 MB)", package->name, package->version));
  const auto fetched =
      run(tools, apt, {tools.apt_get, "download", package->name + "=" + package->version});
  if (!fetched) return std::unexpected(fetched.error());
  const auto file = find_file(apt, is_package);
  if (fetched->status != 0 || !file) {
    return fail(fmt::format("debian={}: {} {} cannot be fetched: {}", spoken(wanted), package->name,
                            package->version, complaint(fetched->text)));
  }
  const auto unpacked =
      run(tools, apt, {tools.dpkg_deb, "-x", file->string(), (apt / "deb").string()});
  if (!unpacked) return std::unexpected(unpacked.error());
  const auto archive = find_file(apt / "deb", is_archive);
  if (unpacked->status != 0 || !archive) {
    return fail(fmt::format("debian={}: {} holds no archive of sources", spoken(wanted),
                            file->filename().string()));
  }
  fs::remove(*file, error);
  return DebianArchive{.archive = *archive,
                       .line = package->name.substr(std::string_view("linux-source-").size()),
                       .version = package->version};
}

}  // namespace plumb::jit::trees
