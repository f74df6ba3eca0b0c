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
  return text + "\n" + tallies_text(matrix.unwinders, matrix.tallies);
}

double right_percent(const WalkTally& tally) {
  return std::floor(harness::share_right(tally) * 10'000) / 100;
}

std::string tallies_text(const std::vector<Unwinder>& unwinders,
                         const std::vector<WalkTally>& tallies) {
  std::string text = fmt::format("{:<28}{:>10}{:>8}", "unwinder", "walks", "right");
  for (const unwind::OutcomeInfo& info : unwind::outcome_table()) {
    text += fmt::format("{:>{}}", info.name, info.name.size() + 3);
  }
  text += "\n";
  for (std::size_t i = 0; i < unwinders.size(); ++i) {
    text += fmt::format("{:<28}{:>10}{:>7.2f}%", unwind::unwinder_info(unwinders[i]).name,
                        sum_of(tallies[i]), right_percent(tallies[i]));
    for (const unwind::OutcomeInfo& info : unwind::outcome_table()) {
      text += fmt::format("{:>{}}", tallies[i][static_cast<std::size_t>(info.id)],
                          info.name.size() + 3);
    }
    text += "\n";
  }
  return text;
}

nlohmann::ordered_json tallies_json(const std::vector<Unwinder>& unwinders,
                                    const std::vector<WalkTally>& tallies) {
  auto out = nlohmann::ordered_json::array();
  for (std::size_t i = 0; i < unwinders.size(); ++i) {
    nlohmann::ordered_json one{{"unwinder", unwind::unwinder_info(unwinders[i]).name},
                               {"walks", sum_of(tallies[i])},
                               {"share_right", harness::share_right(tallies[i])}};
    for (const unwind::OutcomeInfo& info : unwind::outcome_table()) {
      one[std::string(info.name)] = tallies[i][static_cast<std::size_t>(info.id)];
    }
    out.push_back(std::move(one));
  }
  return out;
}

nlohmann::ordered_json matrix_json(const UnwindMatrix& matrix) {
  nlohmann::ordered_json out{{"jit", matrix.jit},
                             {"instructions", matrix.steps},
                             {"unwinders", tallies_json(matrix.unwinders, matrix.tallies)}};
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
