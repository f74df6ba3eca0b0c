// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/arch.h"
#include "harness/corpus.h"
#include "jit_under_test/reference/frame_layout.h"
#include "reports/layout_pictures.h"
#include "tools/session.h"

namespace plumb::tools {
namespace {

using jit::reference::LayoutRow;

struct LayoutsArguments {
  std::string name;
  std::string svg;
};

nlohmann::ordered_json layout_json(const LayoutRow& row) {
  const auto frame = reports::pictured_frame(row);
  auto slots = nlohmann::ordered_json::array();
  for (const auto& slot : frame.slots) {
    slots.push_back({{"offset", slot.offset}, {"size", slot.size}, {"saved", slot.saved}});
  }
  return {{"name", row.name},     {"arch", arch_name(row.arch)},           {"era", row.era},
          {"source", row.source}, {"known_wrong", row.traits.known_wrong}, {"slots", slots}};
}

int draw(const LayoutsArguments& arguments, bool json) {
  std::vector<LayoutRow> rows;
  for (const LayoutRow& row : jit::reference::layout_table()) {
    if (arguments.name.empty() || row.name == arguments.name) rows.push_back(row);
  }
  if (rows.empty()) return unusable(fmt::format("no frame layout is called '{}'", arguments.name));
  if (!arguments.svg.empty()) {
    const auto written = harness::write_file(arguments.svg, reports::layouts_svg(rows));
    return written ? kStatusConforms : unusable(written.error().str());
  }
  if (json) {
    auto list = nlohmann::ordered_json::array();
    for (const LayoutRow& row : rows) list.push_back(layout_json(row));
    fmt::print("{}\n", list.dump(2));
    return kStatusConforms;
  }
  for (const LayoutRow& row : rows) fmt::print("{}\n", reports::layout_text(row));
  return kStatusConforms;
}

}  // namespace

void add_layouts_command(CLI::App& app, Session& session) {
  CLI::App* command = app.add_subcommand("layouts", "Pictures of the reference JIT's frames");
  auto arguments = std::make_shared<LayoutsArguments>();
  command->add_option("name", arguments->name, "One layout; all when left out");
  command->add_option("--svg", arguments->svg, "Write one sheet to this file");
  command->callback([arguments, &session] {
    session.action = [arguments, &session] { return draw(*arguments, session.json); };
  });
}

}  // namespace plumb::tools
