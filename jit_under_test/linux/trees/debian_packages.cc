// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/linux/trees/debian_packages.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <ranges>
#include <sstream>
#include <utility>

namespace plumb::jit::trees {
namespace {

constexpr std::string_view kPackage = "linux-source-";
constexpr std::size_t kLongestWish = 64;

// https://www.debian.org/releases/: the names that stay, and the code names of those since 2021.
constexpr std::array<std::string_view, 12> kReleases{
    "stable", "oldstable", "oldoldstable", "testing", "unstable", "experimental",
    "sid",    "bullseye",  "bookworm",     "trixie",  "forky",    "duke"};
constexpr std::string_view kSecurity = "-security";

struct Suite {
  std::size_t group;
  bool security;
  std::string_view name;
};

// Code names, and for the releases after these the names that stay, which mirrors have as links.
constexpr std::array<Suite, 13> kSuites{{{0, false, "sid"},
                                         {0, false, "trixie-backports"},
                                         {0, false, "stable-backports"},
                                         {1, false, "testing"},
                                         {1, false, "trixie"},
                                         {1, true, "trixie-security"},
                                         {1, true, "stable-security"},
                                         {1, false, "bookworm"},
                                         {1, false, "bookworm-backports"},
                                         {1, true, "bookworm-security"},
                                         {1, true, "oldstable-security"},
                                         {1, false, "bullseye"},
                                         {1, true, "bullseye-security"}}};

bool is_release_of_debian(std::string_view suite) {
  return std::ranges::any_of(kReleases, [suite](std::string_view release) {
    return suite == release ||
           (suite.starts_with(release) && suite.substr(release.size()).starts_with('-'));
  });
}

// "7.3" as numbers, so that 6.12 is newer than 6.2.
std::optional<std::pair<unsigned, unsigned>> numbers(std::string_view line) {
  std::pair<unsigned, unsigned> parts{};
  const char* const end = std::to_address(line.end());
  const auto first = std::from_chars(std::to_address(line.begin()), end, parts.first);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != '.') return std::nullopt;
  const auto second = std::from_chars(first.ptr + 1, end, parts.second);
  if (second.ec != std::errc() || second.ptr != end) return std::nullopt;
  return parts;
}

// What stands between the bars of "name | version | where".
std::string_view version_column(std::string_view line) {
  const std::size_t begin = line.find('|');
  if (begin == std::string_view::npos) return {};
  line.remove_prefix(begin + 1);
  line = line.substr(0, line.find('|'));
  const std::size_t text = line.find_first_not_of(' ');
  if (text == std::string_view::npos) return {};
  return line.substr(text, line.find_last_not_of(' ') - text + 1);
}

// Whether a package's version is the wanted one: itself, or that version in some packaging.
bool is_version(std::string_view version, std::string_view wanted) {
  return version == wanted ||
         (version.starts_with(wanted) && std::string_view("-~+").contains(version[wanted.size()]));
}

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  for (const auto line : std::views::split(text, '\n')) lines.emplace_back(line);
  return lines;
}

}  // namespace

std::optional<DebianMirrors> find_mirrors(std::string_view lines) {
  DebianMirrors mirrors;
  for (const std::string_view line : lines_of(lines)) {
    std::istringstream words{std::string(line)};
    std::string mark, uri, suite, component, origin;
    words >> mark >> uri >> suite >> component >> origin;
    if (mark != "plumb" || component != "main" || uri.starts_with("cdrom:")) continue;
    if (origin.empty() ? !is_release_of_debian(suite) : origin != "Debian") continue;
    std::string& mirror = suite.ends_with(kSecurity) ? mirrors.security : mirrors.archive;
    if (mirror.empty()) mirror = uri;
  }
  if (mirrors.archive.empty()) return std::nullopt;
  return mirrors;
}

std::string sources_list(const DebianMirrors& mirrors, std::size_t group,
                         std::string_view keyring) {
  std::string text;
  for (const Suite& suite : kSuites) {
    const std::string& mirror = suite.security ? mirrors.security : mirrors.archive;
    if (suite.group != group || mirror.empty()) continue;
    text += fmt::format("deb [signed-by={}] {} {} main\n", keyring, mirror, suite.name);
  }
  return text;
}

Result<WantedKernel> parse_wanted(std::string_view text) {
  if (text == "newest") return WantedKernel{};
  const auto wrong = [text] {
    return fail(fmt::format(
        "debian={}: what to add is debian=newest, a line like debian=7.3, or a version like "
        "debian=7.3.4",
        text.substr(0, kLongestWish)));
  };
  const bool plain = std::ranges::all_of(text, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view(".+~-").contains(c);
  });
  if (!plain || text.size() > kLongestWish) return wrong();
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return wrong();
  const std::size_t end = std::min(text.find_first_not_of("0123456789", dot + 1), text.size());
  const std::string_view line = text.substr(0, end);
  if (!numbers(line)) return wrong();
  return WantedKernel{.line = std::string(line),
                      .version = line == text ? std::string() : std::string(text)};
}

std::vector<std::string> kernel_lines(std::string_view names) {
  std::vector<std::pair<std::pair<unsigned, unsigned>, std::string>> found;
  for (const std::string_view name : lines_of(names)) {
    if (!name.starts_with(kPackage)) continue;
    const std::string_view line = name.substr(kPackage.size());
    if (const auto parts = numbers(line)) found.emplace_back(*parts, line);
  }
  std::ranges::sort(found, std::greater());
  std::vector<std::string> lines;
  for (auto& [parts, line] : found) {
    if (lines.empty() || lines.back() != line) lines.push_back(std::move(line));
  }
  return lines;
}

std::optional<std::string> choose_package(std::string_view names, const WantedKernel& wanted) {
  const std::vector<std::string> lines = kernel_lines(names);
  if (lines.empty()) return std::nullopt;
  if (wanted.line.empty()) return std::string(kPackage) + lines.front();
  if (std::ranges::find(lines, wanted.line) == lines.end()) return std::nullopt;
  return std::string(kPackage) + wanted.line;
}

std::optional<std::string> choose_version(std::string_view madison, const WantedKernel& wanted) {
  for (const std::string_view line : lines_of(madison)) {
    const std::string_view version = version_column(line);
    if (version.empty()) continue;
    if (wanted.version.empty() || is_version(version, wanted.version)) return std::string(version);
  }
  return std::nullopt;
}

}  // namespace plumb::jit::trees
