// SPDX-License-Identifier: GPL-2.0-or-later
#include "reports/bench_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "reports/bench_statistics.h"

namespace plumb::reports {
namespace {

using Json = nlohmann::ordered_json;

// A hundredth of a nanosecond is far below what is measured.
double rounded(double nanoseconds) { return std::round(nanoseconds * 100) / 100; }

Json figures_json(const harness::FrameFigures& figures) {
  Json out = Json::object();
  for (const harness::FigureRow& row : harness::kFigures) out[row.name] = figures.*row.member;
  return out;
}

Json times_json(const std::vector<double>& times) {
  Json out = Json::array();
  for (const double time : times) out.push_back(rounded(time));
  return out;
}

Json cell_json(const MeasuredLayout& layout, const MeasuredShape& shape, const Measured& cell) {
  Json out{{"layout", layout.name}, {"shape", shape.name}};
  out["figures"] = cell.figures ? figures_json(*cell.figures) : Json(nullptr);
  if (!cell.figures) out["no_figures"] = cell.no_figures;
  out["times_ns"] = times_json(cell.times);
  if (cell.times.empty()) {
    out["no_times"] = cell.no_times;
  } else {
    out["median_ns"] = rounded(spread_of(cell.times).median);
  }
  return out;
}

template <typename Named>
std::size_t index_of(const std::vector<Named>& list, const std::string& name) {
  const auto it = std::ranges::find(list, name, &Named::name);
  if (it == list.end()) throw std::out_of_range(fmt::format("'{}' is not listed", name));
  return static_cast<std::size_t>(it - list.begin());
}

void read_cell(const Json& json, BenchResults& results) {
  Measured& cell = results.at(index_of(results.shapes, json.at("shape").get<std::string>()),
                              index_of(results.layouts, json.at("layout").get<std::string>()));
  const Json& figures = json.at("figures");
  if (figures.is_null()) {
    cell.no_figures = json.at("no_figures").get<std::string>();
  } else {
    cell.figures.emplace();
    for (const harness::FigureRow& row : harness::kFigures) {
      const Json& value = figures.at(row.name);
      if (!value.is_number_unsigned()) {
        throw std::out_of_range(fmt::format("{} is no count", row.name));
      }
      cell.figures.value().*row.member = value.get<std::uint64_t>();
    }
  }
  for (const Json& time : json.at("times_ns")) cell.times.push_back(time.get<double>());
  cell.no_times = json.value("no_times", "");
}

BenchResults read(const Json& json) {
  if (json.at("command").get<std::string>() != "bench") throw std::out_of_range("another command");
  if (json.at("version").get<int>() != kBenchVersion) throw std::out_of_range("another version");
  BenchResults results;
  results.processor = json.at("processor").get<std::string>();
  for (const Json& time : json.at("loop_times_ns"))
    results.loop_times.push_back(time.get<double>());
  for (const Json& shape : json.at("shapes")) {
    results.shapes.push_back({.name = shape.at("name").get<std::string>(),
                              .description = shape.at("description").get<std::string>()});
  }
  for (const Json& layout : json.at("layouts")) {
    const auto arch = parse_arch(layout.at("arch").get<std::string>());
    if (!arch) throw std::out_of_range("an architecture that is not known");
    results.layouts.push_back({.name = layout.at("name").get<std::string>(),
                               .arch = *arch,
                               .era = layout.at("era").get<std::string>()});
  }
  results.cells.resize(results.shapes.size() * results.layouts.size());
  for (const Json& cell : json.at("results")) read_cell(cell, results);
  return results;
}

}  // namespace

std::string bench_json(const BenchResults& results) {
  Json out{{"version", kBenchVersion}, {"command", "bench"}, {"processor", results.processor}};
  out["loop_times_ns"] = times_json(results.loop_times);
  out["shapes"] = Json::array();
  for (const MeasuredShape& shape : results.shapes) {
    out["shapes"].push_back({{"name", shape.name}, {"description", shape.description}});
  }
  out["layouts"] = Json::array();
  for (const MeasuredLayout& layout : results.layouts) {
    out["layouts"].push_back(
        {{"name", layout.name}, {"arch", arch_name(layout.arch)}, {"era", layout.era}});
  }
  out["results"] = Json::array();
  for (std::size_t s = 0; s < results.shapes.size(); ++s) {
    for (std::size_t l = 0; l < results.layouts.size(); ++l) {
      out["results"].push_back(cell_json(results.layouts[l], results.shapes[s], results.at(s, l)));
    }
  }
  return out.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

Result<BenchResults> read_bench_json(std::string_view text, const std::string& file) {
  try {
    return read(Json::parse(text));
  } catch (const Json::parse_error& error) {
    return std::unexpected(
        Error{.file = file,
              .line = 0,
              .column = 0,
              .message = fmt::format("no JSON of plumb bench: at byte {}", error.byte)});
  } catch (const std::exception& error) {
    return std::unexpected(
        Error{.file = file,
              .line = 0,
              .column = 0,
              .message = fmt::format("no JSON of plumb bench: {}", error.what())});
  }
}

}  // namespace plumb::reports
