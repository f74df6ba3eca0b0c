// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "harness/corpus.h"
#include "harness/kill_matrix.h"
#include "tools/session.h"

namespace plumb::tools {
namespace {

struct DefectsArguments {
  bool kill_matrix = false;
  harness::KillOptions options;
};

void print_list(bool json) {
  auto list = nlohmann::ordered_json::array();
  std::vector<jit::reference::DefectInfo> defects(jit::reference::defect_table().begin(),
                                                  jit::reference::defect_table().end());
  defects.insert(defects.end(), harness::unwinder_defects().begin(),
                 harness::unwinder_defects().end());
  for (const jit::reference::DefectInfo& defect : defects) {
    if (!json) {
      fmt::print("{}\n  {}\n  layouts   {}\n  expected  {}\n  after     {}\n", defect.name,
                 defect.sentence, defect.layouts, defect.expected, defect.reenacts);
      continue;
    }
    list.push_back({{"name", defect.name},
                    {"sentence", defect.sentence},
                    {"layouts", defect.layouts},
                    {"expected", defect.expected},
                    {"reenacts", defect.reenacts}});
  }
  if (json) fmt::print("{}\n", list.dump(2));
}

nlohmann::ordered_json row_json(const harness::KillRow& row) {
  auto invariants = nlohmann::ordered_json::object();
  for (const auto& [name, cell] : row.cells) {
    invariants[name] = {{"led", cell.led}, {"seen", cell.seen}};
  }
  return {{"defect", row.defect->name}, {"layout", row.layout},
          {"cases", row.cases},         {"ran", row.ran},
          {"cases_needed", row.needed}, {"caught_by", row.caught_by},
          {"invariants", invariants}};
}

int print_matrix(const DefectsArguments& arguments, const Session& session) {
  const bool json = session.json;
  const bool shows_progress = isatty(STDERR_FILENO) == 1;
  const auto waivers = harness::read_waivers(session.known_directory);
  if (!waivers) return unusable(waivers.error().str());
  harness::KillOptions options = arguments.options;
  options.waivers = *waivers;
  const auto rows = harness::kill_matrix(options, [&](const harness::KillRow& row) {
    if (shows_progress) fmt::print(stderr, "\r\033[K{} in {}", row.defect->name, row.layout);
  });
  if (shows_progress) fmt::print(stderr, "\r\033[K");
  if (!rows) return unusable(rows.error().str());
  const auto caught = std::ranges::count_if(*rows, [](const auto& row) { return row.needed != 0; });
  if (json) {
    auto list = nlohmann::ordered_json::array();
    for (const harness::KillRow& row : *rows) list.push_back(row_json(row));
    fmt::print("{}\n", nlohmann::ordered_json{{"version", 1},
                                              {"command", "defects"},
                                              {"seed", arguments.options.seed},
                                              {"caught", caught},
                                              {"rows", list}}
                           .dump(2));
  } else {
    fmt::print("{}\n{} defects, {} rows, {} caught by an expected invariant ({:.1f} %)\n",
               harness::print_kill_matrix(*rows),
               jit::reference::defect_table().size() + harness::unwinder_defects().size(),
               rows->size(), caught,
               100.0 * static_cast<double>(caught) / static_cast<double>(rows->size()));
  }
  return caught == std::ssize(*rows) ? kStatusConforms : kStatusFinding;
}

}  // namespace

void add_defects_command(CLI::App& app, Session& session) {
  CLI::App* command =
      app.add_subcommand("defects", "The seeded defects of the reference JIT and of unwinders");
  auto arguments = std::make_shared<DefectsArguments>();
  command->add_flag("--kill-matrix", arguments->kill_matrix, "Fuzz each and show what catches it");
  command->add_option("--runs", arguments->options.runs, "At most so many cases for each")
      ->check(CLI::PositiveNumber);
  command->add_option("--seed", arguments->options.seed, "Seed of the cases");
  command->callback([arguments, &session] {
    session.action = [arguments, &session] {
      if (arguments->kill_matrix) return print_matrix(*arguments, session);
      print_list(session.json);
      return kStatusConforms;
    };
  });
}

}  // namespace plumb::tools
