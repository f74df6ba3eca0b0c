// SPDX-License-Identifier: GPL-2.0-or-later
#include "reports/unwind_matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "machine/machine.h"
#include "reports/code_names.h"

namespace plumb::reports {
namespace {

using harness::InsnWalks;
using harness::WalkReport;
using harness::WalkTally;
using unwind::Unwinder;

const InsnWalks* walks_at(const WalkReport& report, std::uint64_t address) {
  const auto it = std::ranges::lower_bound(report.insns, address, {}, &InsnWalks::address);
  return it == report.insns.end() || it->address != address ? nullptr : &*it;
}

MatrixFunction function_of(const Image& image, const WalkReport& report, std::string name,
                           const Range& code, std::span<const std::string> texts) {
  MatrixFunction function{.name = std::move(name), .rows = {}};
  const auto insns = machine::disassemble(image, code);
  for (std::size_t i = 0; i < insns.size(); ++i) {
    MatrixRow row{.offset = insns[i].address - code.address,
                  .text = i < texts.size() ? texts[i] : insns[i].text,
                  .outcomes = {}};
    const InsnWalks* const walks = walks_at(report, insns[i].address);
    for (const Unwinder unwinder : report.unwinders) {
      row.outcomes.push_back(walks == nullptr ? std::nullopt : walks->worst(unwinder));
    }
    function.rows.push_back(std::move(row));
  }
  return function;
}

std::uint64_t sum_of(const WalkTally& tally) {
  return std::accumulate(tally.begin(), tally.end(), std::uint64_t{0});
}

std::string legend() {
  std::string text;
  for (const unwind::OutcomeInfo& info : unwind::outcome_table()) {
    text += fmt::format("  {}  {}: {}\n", info.letter, info.name, info.sentence);
  }
  return text;
}

}  // namespace

UnwindMatrix unwind_matrix(const Case& value, const Image& image, const WalkReport& report) {
  UnwindMatrix matrix{.jit = image.jit,
                      .unwinders = report.unwinders,
                      .functions = {},
                      .tallies = {},
                      .starts = report.starts,
                      .steps = report.steps};
  for (const NativeFunction& native : image.functions) {
    const Range code{.address = native.address, .size = native.size};
    const auto insns = machine::disassemble(image, code);
    const auto texts = instruction_texts(value, image, native, insns);
    const Program& program = value.programs[static_cast<std::size_t>(native.program)];
    const std::string& function = program.functions[static_cast<std::size_t>(native.function)].name;
    matrix.functions.push_back(
        function_of(image, report, program.name + "." + function, code, texts));
  }
  for (const Symbol& symbol : image.symbols) {
    const Range code{.address = symbol.address, .size = symbol.size};
    if (!symbol.is_thunk || symbol.size == 0) continue;
    const auto ran = [&](const InsnWalks& insn) { return code.contains(insn.address); };
    if (std::ranges::none_of(report.insns, ran)) continue;
    matrix.functions.push_back(function_of(image, report, symbol.name, code, {}));
  }
  for (const Unwinder unwinder : report.unwinders) matrix.tallies.push_back(report.tally(unwinder));
  return matrix;
}

std::string matrix_text(const UnwindMatrix& matrix) {
  std::string text =
      fmt::format("Walks from every instruction that ran, on {}: {} instructions, {} unwinders\n",
                  matrix.jit, matrix.steps, matrix.unwinders.size());
  text += legend();
  for (std::size_t i = 0; i < matrix.unwinders.size(); ++i) {
    text += fmt::format("  {}  {}: {}\n", i + 1, unwind::unwinder_info(matrix.unwinders[i]).name,
                        unwind::unwinder_info(matrix.unwinders[i]).sentence);
  }
  for (const MatrixFunction& function : matrix.functions) {
    text += fmt::format("\n{}\n  ", function.name);
    for (std::size_t i = 0; i < matrix.unwinders.size(); ++i) text += fmt::format("{} ", i + 1);
    text += "\n";
    for (const MatrixRow& row : function.rows) {
      text += "  ";
      for (const auto& outcome : row.outcomes) {
        text += fmt::format("{} ", outcome ? unwind::outcome_info(*outcome).letter : ' ');
      }
      text += fmt::format("{:>7}  {}\n", fmt::format("+{:#x}", row.offset), row.text);
    }
  }
  text += "\n" + tallies_text(matrix.unwinders, matrix.tallies);
  const std::string starts = starts_text(matrix.unwinders, matrix.starts);
  return starts.empty() ? text : text + "\n" + starts;
}

double right_percent(const WalkTally& tally) {
  return std::floor(harness::share_right(tally) * 10'000) / 100;
}

namespace {

// Wide enough for "behind an interrupt, fake-frame".
constexpr int kStartColumn = 32;

std::string header(std::string_view what, int width) {
  std::string text =
      fmt::format("{:<{}}{:<28}{:>10}{:>8}", what, width, "unwinder", "walks", "right");
  for (const unwind::OutcomeInfo& info : unwind::outcome_table()) {
    text += fmt::format("{:>{}}", info.name, info.name.size() + 3);
  }
  return text + "\n";
}

std::string tally_line(Unwinder unwinder, const WalkTally& tally) {
  std::string text = fmt::format("{:<28}{:>10}{:>7.2f}%", unwind::unwinder_info(unwinder).name,
                                 sum_of(tally), right_percent(tally));
  for (const unwind::OutcomeInfo& info : unwind::outcome_table()) {
    text += fmt::format("{:>{}}", tally[static_cast<std::size_t>(info.id)], info.name.size() + 3);
  }
  return text + "\n";
}

void add_tally(nlohmann::ordered_json& out, Unwinder unwinder, const WalkTally& tally) {
  out["unwinder"] = unwind::unwinder_info(unwinder).name;
  out["walks"] = sum_of(tally);
  out["share_right"] = harness::share_right(tally);
  for (const unwind::OutcomeInfo& info : unwind::outcome_table()) {
    out[std::string(info.name)] = tally[static_cast<std::size_t>(info.id)];
  }
}

std::string start_name(const harness::StartWalks& start) {
  std::string name(unwind::start_info(start.start).name);
  if (start.start == unwind::Start::kInterrupt) {
    name += fmt::format(", {}", unwind::mark_info(start.mark).name);
  }
  return name;
}

// Calls what(start, unwinder, tally) where there were walks.
template <typename What>
void for_each_start(const std::vector<Unwinder>& unwinders,
                    const std::vector<harness::StartWalks>& starts, What what) {
  for (const harness::StartWalks& start : starts) {
    for (const Unwinder unwinder : unwinders) {
      const WalkTally& tally = start.tallies[static_cast<std::size_t>(unwinder)];
      if (sum_of(tally) != 0) what(start, unwinder, tally);
    }
  }
}

}  // namespace

std::string tallies_text(const std::vector<Unwinder>& unwinders,
                         const std::vector<WalkTally>& tallies) {
  std::string text = header("", 0);
  for (std::size_t i = 0; i < unwinders.size(); ++i) text += tally_line(unwinders[i], tallies[i]);
  return text;
}

nlohmann::ordered_json tallies_json(const std::vector<Unwinder>& unwinders,
                                    const std::vector<WalkTally>& tallies) {
  auto out = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < unwinders.size(); ++i) {
    add_tally(out.emplace_back(), unwinders[i], tallies[i]);
  }
  return out;
}

std::string starts_text(const std::vector<Unwinder>& unwinders,
                        const std::vector<harness::StartWalks>& starts) {
  std::string text;
  for_each_start(unwinders, starts, [&](const auto& start, Unwinder unwinder, const auto& tally) {
    if (text.empty()) text = header("from C code", kStartColumn);
    text += fmt::format("{:<{}}", start_name(start), kStartColumn) + tally_line(unwinder, tally);
  });
  return text;
}

nlohmann::ordered_json starts_json(const std::vector<Unwinder>& unwinders,
                                   const std::vector<harness::StartWalks>& starts) {
  auto out = nlohmann::ordered_json::array();
  for_each_start(unwinders, starts, [&](const auto& start, Unwinder unwinder, const auto& tally) {
    nlohmann::ordered_json& one = out.emplace_back();
    one["start"] = unwind::start_info(start.start).name;
    if (start.start == unwind::Start::kInterrupt) {
      one["mark"] = unwind::mark_info(start.mark).name;
    }
    add_tally(one, unwinder, tally);
  });
  return out;
}

nlohmann::ordered_json matrix_json(const UnwindMatrix& matrix) {
  nlohmann::ordered_json out{{"jit", matrix.jit},
                             {"instructions", matrix.steps},
                             {"unwinders", tallies_json(matrix.unwinders, matrix.tallies)},
                             {"starts", starts_json(matrix.unwinders, matrix.starts)}};
  auto functions = nlohmann::ordered_json::array();
  for (const MatrixFunction& function : matrix.functions) {
    auto rows = nlohmann::ordered_json::array();
    for (const MatrixRow& row : function.rows) {
      auto outcomes = nlohmann::ordered_json::array();
      for (const auto& outcome : row.outcomes) {
        outcomes.push_back(outcome ? nlohmann::ordered_json(unwind::outcome_info(*outcome).name)
                                   : nlohmann::ordered_json(nullptr));
      }
      rows.push_back({{"offset", row.offset}, {"text", row.text}, {"outcomes", outcomes}});
    }
    functions.push_back({{"name", function.name}, {"code", rows}});
  }
  out["functions"] = functions;
  return out;
}

}  // namespace plumb::reports
