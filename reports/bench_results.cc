// SPDX-License-Identifier: GPL-2.0-or-later
#include "reports/bench_results.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <string_view>
#include <tuple>

#include "jit_under_test/reference/frame_layout.h"

namespace plumb::reports {
namespace {

using jit::reference::layout_table;
using jit::reference::LayoutRow;

constexpr std::string_view kReference = "reference:";

struct Version {
  int major = 0;
  int minor = 0;

  auto operator<=>(const Version&) const = default;
};

// "6.12.117" is 6.12; what begins with no version is 0.0.
Version version_of(std::string_view text) {
  Version version;
  const char* const begin = std::to_address(text.begin());
  const char* const end = std::to_address(text.end());
  const auto [dot, error] = std::from_chars(begin, end, version.major);
  if (error != std::errc() || dot == end || *dot != '.') return {};
  if (std::from_chars(dot + 1, end, version.minor).ec != std::errc()) return {};
  return version;
}

// The row of a layout of the reference JIT, with or without a seeded defect; or null.
const LayoutRow* row_of(std::string_view jit) {
  if (!jit.starts_with(kReference)) return nullptr;
  jit.remove_prefix(kReference.size());
  const LayoutRow* const row = jit::reference::find_layout(jit.substr(0, jit.find('+')));
  return row;
}

// Proposals are as old as the row before them.
Version version_of(const LayoutRow& wanted) {
  Version version;
  for (const LayoutRow& row : layout_table()) {
    if (row.arch != wanted.arch) continue;
    const Version own = version_of(row.name.substr(row.name.find('-') + 1));
    if (own != Version{}) version = own;
    if (row.id == wanted.id) break;
  }
  return version;
}

using Key = std::tuple<Arch, Version, bool, std::size_t, std::string>;

Key era_key(const jit::JitInfo& info) {
  const LayoutRow* const row = row_of(info.name);
  if (row == nullptr) return {info.arch, version_of(info.version), true, 0, info.name};
  return {row->arch, version_of(*row), false, static_cast<std::size_t>(row->id), info.name};
}

// Indices of those that are named, in the order of the list.
template <typename Named>
Result<std::vector<std::size_t>> chosen(const std::vector<Named>& list, const std::string& globs,
                                        std::string_view what) {
  std::vector<bool> wanted(list.size(), false);
  std::size_t begin = 0;
  while (begin <= globs.size()) {
    const std::size_t end = std::min(globs.find(',', begin), globs.size());
    const std::string glob = globs.substr(begin, end - begin);
    bool matched = false;
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (glob != "all" && fnmatch(glob.c_str(), list[i].name.c_str(), 0) != 0) continue;
      wanted[i] = matched = true;
    }
    if (!matched) return fail(fmt::format("the results have no {} '{}'", what, glob));
    begin = end + 1;
  }
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (wanted[i]) out.push_back(i);
  }
  return out;
}

}  // namespace

Result<BenchResults> select(const BenchResults& results, const std::string& layouts,
                            const std::string& shapes) {
  const auto columns = chosen(results.layouts, layouts, "JIT");
  if (!columns) return std::unexpected(columns.error());
  const auto rows = chosen(results.shapes, shapes, "shape");
  if (!rows) return std::unexpected(rows.error());
  BenchResults out;
  out.processor = results.processor;
  out.loop_times = results.loop_times;
  for (const std::size_t l : *columns) out.layouts.push_back(results.layouts[l]);
  for (const std::size_t s : *rows) {
    out.shapes.push_back(results.shapes[s]);
    for (const std::size_t l : *columns) out.cells.push_back(results.at(s, l));
  }
  return out;
}

void sort_by_era(std::vector<std::unique_ptr<jit::Jit>>& jits) {
  std::ranges::sort(jits, {},
                    [](const std::unique_ptr<jit::Jit>& jit) { return era_key(jit->info()); });
}

MeasuredLayout measured_layout(const jit::JitInfo& info) {
  const LayoutRow* const row = row_of(info.name);
  return {.name = info.name,
          .arch = info.arch,
          .era = row != nullptr ? std::string(row->era) : info.version};
}

}  // namespace plumb::reports
