// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "core/case_text.h"
#include "core/printable.h"
#include "core/rng.h"
#include "gen/generate.h"
#include "harness/corpus.h"
#include "harness/isolate.h"
#include "harness/judge.h"
#include "harness/loss.h"
#include "harness/unwind_elf.h"
#include "harness/walks.h"
#include "invariants/invariants.h"
#include "machine/code_effects.h"
#include "reports/unwind_matrix.h"
#include "reports/unwind_sheet.h"
#include "reports/unwind_svg.h"
#include "tools/open_jits.h"
#include "tools/session.h"
#include "tools/walked.h"

namespace plumb::tools {
namespace {

struct UnwindArguments {
  std::string file;
  std::string jits;
  std::uint64_t cases = 0;
  std::uint64_t seed = 1;
  bool layouts = false;
  // Files to write, or empty.
  std::string eh_frame;
  std::string svg;
  std::string html;
};

// Is anything wrong with the run but for what is said of walks?
bool is_wrong_by_itself(const Judgement& judgement) {
  if (!harness::is_finding(judgement)) return false;
  return judgement.violations.empty() ||
         std::ranges::any_of(judgement.violations, [](const Violation& violation) {
           const auto* const info = invariants::find_invariant(violation.invariant);
           return info == nullptr || info->group != "unwinding";
         });
}

// False: there is nothing to walk.
bool walk_case(Walked& walked, const Case& value, jit::Jit& jit, harness::Judge& judge,
               const std::string& name, bool keeps_matrix) {
  harness::Trial trial = judge.examine(value, jit, Depth::kFull);
  const bool is_compared = trial.stage == harness::Stage::kCompared;
  const std::string reason =
      fmt::format("{} on {}{}{}", verdict_name(trial.judgement.verdict), jit.info().name,
                  trial.judgement.reason.empty() ? "" : ": ", printable(trial.judgement.reason));
  if (trial.judgement.verdict == Verdict::kPluginFailed) walked.failure = reason;
  if (!is_compared || (!keeps_matrix && is_wrong_by_itself(trial.judgement))) {
    ++walked.left_out[static_cast<std::size_t>(trial.judgement.verdict)];
    if (keeps_matrix) walked.failure = reason;
    return false;
  }
  const Image& image = trial.image->image();
  const harness::WalkReport report =
      harness::walk_report(image, trial.run, harness::unwinders_for(image));
  add(walked, value, image, report, name);
  walked.throws += trial.run.throws.size();
  if (keeps_matrix) {
    const reports::UnwindMatrix matrix = reports::unwind_matrix(value, image, report);
    walked.text = reports::matrix_text(matrix);
    walked.json = reports::matrix_json(matrix).dump();
    walked.svg = reports::matrix_svg(matrix, reports::PictureKind::kDocument);
    walked.html = reports::matrix_page(matrix);
    walked.elf = harness::unwind_elf(image, machine::unwind_knowledge(image),
                                     harness::named_code(value, image));
  }
  harness::unload(trial.image, jit.info(), trial.judgement);
  return true;
}

Walked walk_generated(const UnwindArguments& arguments, jit::Jit& jit, harness::Judge& judge) {
  Walked walked;
  for (std::uint64_t n = 0; n < arguments.cases && walked.failure.empty(); ++n) {
    const Case value = gen::generate(nth_seed(arguments.seed, n), nullptr,
                                     jit.info().capabilities & gen::kObeyedCapabilities);
    walk_case(walked, value, jit, judge, fmt::format("case {} of seed {}", n, arguments.seed),
              false);
  }
  return walked;
}

nlohmann::ordered_json summary_json(const Walked& walked, const std::string& jit) {
  nlohmann::ordered_json out{{"jit", jit},
                             {"cases", walked.walked},
                             {"throws", walked.throws},
                             {"left_out", left_out_text(walked)}};
  out["unwinders"] = reports::tallies_json(unwinders_of(walked), tallies_of(walked));
  for (std::size_t i = 0; i < walked.first.size(); ++i) {
    if (!walked.first[i].empty()) out["unwinders"][i]["first_not_right"] = walked.first[i];
  }
  out["starts"] = reports::starts_json(unwinders_of(walked), starts_of(walked));
  return out;
}

std::string summary_text(const Walked& walked, const std::string& jit) {
  std::string text = fmt::format("{}: {} cases walked with {} throws, left out: {}\n", jit,
                                 walked.walked, walked.throws, left_out_text(walked));
  text += reports::tallies_text(unwinders_of(walked), tallies_of(walked));
  for (std::size_t i = 0; i < walked.first.size(); ++i) {
    if (walked.first[i].empty()) continue;
    text += fmt::format("  {}: first {}\n", unwind::unwinder_info(unwinders_of(walked)[i]).name,
                        walked.first[i]);
  }
  return text + reports::starts_text(unwinders_of(walked), starts_of(walked));
}

int status_of_walks(const Walked& walked, const std::string& jit) {
  if (walked.walked == 0) {
    return unusable(fmt::format("nothing to walk on {}: {}", jit, left_out_text(walked)));
  }
  return walked.lies ? kStatusFinding : kStatusConforms;
}

// What a child process found out, or the status to end with: one line says why.
std::expected<Walked, int> walk_isolated(const UnwindArguments& arguments, const Case* value,
                                         jit::Jit& jit) {
  const double seconds = value != nullptr ? 60 : 600 + static_cast<double>(arguments.cases);
  auto walked =
      harness::run_isolated<Walked>(seconds, [&](std::atomic<harness::Activity>& activity) {
        harness::Judge judge;
        judge.show_activity(&activity);
        if (value == nullptr) return walk_generated(arguments, jit, judge);
        Walked one;
        walk_case(one, *value, jit, judge, arguments.file, true);
        return one;
      });
  if (!walked) {
    const harness::Loss& loss = walked.error();
    fmt::print(stderr, "plumb: {}: {}\n", jit.info().name, loss.death.str());
    return std::unexpected(harness::is_our_failure(loss) ? kStatusHarnessFailed : kStatusFinding);
  }
  if (!walked->failure.empty()) return std::unexpected(unusable(walked->failure));
  return *std::move(walked);
}

int unwind_jit(const UnwindArguments& arguments, const Case* value, jit::Jit& jit,
               const Session& session, nlohmann::ordered_json& json) {
  const auto walked = walk_isolated(arguments, value, jit);
  if (!walked) return walked.error();
  const int status = status_of_walks(*walked, jit.info().name);
  if (status == kStatusUnusable) return status;
  const auto written = harness::write_files({{arguments.eh_frame, walked->elf},
                                             {arguments.svg, walked->svg},
                                             {arguments.html, walked->html}});
  if (!written) return unusable(written.error().str());
  if (session.json) {
    json.push_back(value != nullptr ? nlohmann::ordered_json::parse(walked->json)
                                    : summary_json(*walked, jit.info().name));
  } else {
    fmt::print("{}", value != nullptr ? walked->text : summary_text(*walked, jit.info().name));
  }
  return status;
}

// walked is null where the process that walked was lost: the row has no cells.
reports::SheetRow sheet_row(const jit::JitInfo& info, const Walked* walked) {
  reports::SheetRow row{.jit = info.name,
                        .arch = info.arch,
                        .era = info.version,
                        .cases = 0,
                        .left_out = "all",
                        .unwinders = {},
                        .tallies = {}};
  if (walked == nullptr) return row;
  row.cases = walked->walked;
  row.left_out = left_out_text(*walked);
  row.unwinders = unwinders_of(*walked);
  row.tallies = tallies_of(*walked);
  return row;
}

// Every layout of the reference JIT, and what --jit names beside them. One that cannot be walked
// is told of on stderr; the others are there.
int unwind_sheet(const UnwindArguments& arguments, const Session& session) {
  auto jits = open_named_jits(session, "reference:*");
  if (!jits) return unusable(jits.error().str());
  if (!arguments.jits.empty()) {
    auto others = open_named_jits(session, arguments.jits);
    if (!others) return unusable(others.error().str());
    for (auto& jit : others->jits) {
      const auto is_there = [&](const auto& one) { return one->info().name == jit->info().name; };
      if (std::ranges::none_of(jits->jits, is_there)) jits->jits.push_back(std::move(jit));
    }
    std::ranges::move(others->not_available, std::back_inserter(jits->not_available));
  }
  reports::UnwindSheet sheet{.cases = arguments.cases, .seed = arguments.seed, .rows = {}};
  int status = kStatusConforms;
  for (const Arch arch : {Arch::kX86_64, Arch::kArm64, Arch::kRiscv64}) {
    for (const auto& jit : jits->jits) {
      if (jit->info().arch != arch) continue;
      const auto walked = walk_isolated(arguments, nullptr, *jit);
      status =
          std::max(status, !walked ? walked.error() : status_of_walks(*walked, jit->info().name));
      sheet.rows.push_back(sheet_row(jit->info(), walked ? &*walked : nullptr));
    }
  }
  if (!arguments.svg.empty()) {
    const auto written = harness::write_file(arguments.svg, reports::sheet_svg(sheet));
    if (!written) return unusable(written.error().str());
  }
  if (session.json) {
    fmt::print("{}\n", reports::sheet_json(sheet).dump(2));
  } else {
    fmt::print("{}", reports::sheet_text(sheet));
  }
  return status_of(status, *jits);
}

// Two options that name one file, or nothing: one of them would be lost.
std::string same_file(const UnwindArguments& arguments) {
  const std::array named{std::pair{"the case file", &arguments.file},
                         std::pair{"--eh-frame", &arguments.eh_frame},
                         std::pair{"--svg", &arguments.svg}, std::pair{"--html", &arguments.html}};
  for (std::size_t i = 0; i < named.size(); ++i) {
    for (std::size_t k = i + 1; k < named.size(); ++k) {
      if (named[i].second->empty() || named[k].second->empty()) continue;
      std::error_code none;
      const auto one = std::filesystem::weakly_canonical(*named[i].second, none);
      if (one != std::filesystem::weakly_canonical(*named[k].second, none)) continue;
      return fmt::format("{} and {} are one file", named[i].first, named[k].first);
    }
  }
  return {};
}

// What is wrong with the options, or nothing.
std::string usage_problem(const UnwindArguments& arguments) {
  const bool has_file = !arguments.file.empty();
  if (std::string problem = same_file(arguments); !problem.empty()) return problem;
  if (arguments.layouts) {
    if (has_file) return "--layouts takes generated cases, not a case file";
  } else {
    if (has_file == (arguments.cases != 0)) {
      return "unwind takes a case file, or --cases N for generated ones, or --layouts";
    }
    if (arguments.jits.empty()) return "unwind takes --jit NAMES";
  }
  for (const auto& [name, path] :
       {std::pair{"--eh-frame", &arguments.eh_frame}, std::pair{"--svg", &arguments.svg},
        std::pair{"--html", &arguments.html}}) {
    const bool is_of_sheet = arguments.layouts && path == &arguments.svg;
    if (path->empty() || has_file || is_of_sheet) continue;
    return fmt::format("{} takes a case file{}", name,
                       path == &arguments.svg ? ", or --layouts" : "");
  }
  return {};
}

int unwind(UnwindArguments arguments, const Session& session) {
  if (const std::string problem = usage_problem(arguments); !problem.empty()) {
    return unusable(problem);
  }
  if (arguments.layouts) {
    if (arguments.cases == 0) arguments.cases = 100;
    return unwind_sheet(arguments, session);
  }
  std::unique_ptr<Case> value;
  if (!arguments.file.empty()) {
    Result<Case> read = read_case(arguments.file);
    if (!read) return unusable(read.error().str());
    value = std::make_unique<Case>(*std::move(read));
  }
  const auto jits = open_named_jits(session, arguments.jits);
  if (!jits) return unusable(jits.error().str());
  for (const auto& [name, path] :
       {std::pair{"--eh-frame", &arguments.eh_frame}, std::pair{"--svg", &arguments.svg},
        std::pair{"--html", &arguments.html}}) {
    if (path->empty() || jits->jits.size() == 1) continue;
    return unusable(fmt::format("{} takes one JIT, not {}", name, jits->jits.size()));
  }
  auto json = nlohmann::ordered_json::array();
  int status = kStatusConforms;
  for (const auto& jit : jits->jits) {
    if (!session.json && jit != jits->jits.front()) fmt::print("\n");
    status = std::max(status, unwind_jit(arguments, value.get(), *jit, session, json));
  }
  if (session.json) fmt::print("{}\n", json.dump(2));
  return status_of(status, *jits);
}

}  // namespace

void add_unwind_command(CLI::App& app, Session& session) {
  auto arguments = std::make_shared<UnwindArguments>();
  CLI::App* command = app.add_subcommand(
      "unwind", "Every unwinder from every instruction, beside the calls that were in progress");
  command->add_option("file", arguments->file, "case file");
  command->add_option("--jit", arguments->jits, "JIT names, comma-separated");
  command->add_flag("--layouts", arguments->layouts,
                    "one sheet: every layout of the reference JIT, and --jit, by every unwinder; "
                    "100 generated cases");
  command->add_option("--cases", arguments->cases, "so many generated cases, and the shares alone")
      ->check(CLI::Range(1, 1'000'000));
  command->add_option("--seed", arguments->seed, "of the generated cases");
  command->add_option(
      "--eh-frame", arguments->eh_frame,
      "write the case's code, its call frame information and symbols to this ELF file: "
      "for gdb, perf, readelf");
  command->add_option("--svg", arguments->svg, "write the matrix, or the sheet, to this file");
  command->add_option("--html", arguments->html, "write the matrix and its legend to this page");
  command->callback([arguments, &session] {
    session.action = [arguments, &session] { return unwind(*arguments, session); };
  });
}

}  // namespace plumb::tools
