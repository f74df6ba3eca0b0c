// SPDX-License-Identifier: GPL-2.0-or-later
#include "reports/unwind_sheet.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <string_view>

#include "core/printable.h"
#include "reports/unwind_matrix.h"
#include "reports/unwind_svg.h"

namespace plumb::reports {
namespace {

using harness::WalkTally;
using unwind::Outcome;
using unwind::OutcomeInfo;
using unwind::Unwinder;

constexpr std::string_view kClaim =
    "Instructions from which a walk finds every caller, in percent, and the worst outcome";

std::string sample_text(const UnwindSheet& sheet) {
  return fmt::format("{} generated case{} for each JIT, seed {}", sheet.cases,
                     sheet.cases == 1 ? "" : "s", sheet.seed);
}

// A long name in two lines, parted at the hyphen that is nearest to its middle.
std::vector<std::string> lines_of(std::string_view name) {
  constexpr std::size_t kMost = 14;
  if (name.size() <= kMost) return {std::string(name)};
  const std::size_t before = name.rfind('-', name.size() / 2);
  const std::size_t behind = name.find('-', name.size() / 2);
  std::size_t at = before;
  if (at == std::string_view::npos ||
      (behind != std::string_view::npos && behind + before < name.size())) {
    at = behind;
  }
  if (at == std::string_view::npos) return {std::string(name)};
  return {std::string(name.substr(0, at + 1)), std::string(name.substr(at + 1))};
}

constexpr double kMargin = 16;
constexpr double kTop = 66;      // title and what was run
constexpr double kHeading = 58;  // of an architecture: its name, the unwinders
constexpr double kRow = 20;
constexpr double kFirst = 424;  // column of cells
constexpr double kColumn = 104;

class SheetPicture {
 public:
  explicit SheetPicture(const UnwindSheet& sheet) : sheet_(sheet), unwinders_(sheet.unwinders()) {}

  Picture draw() {
    body_ = text_element(kMargin, 46, sample_text(sheet_), "muted");
    for (std::size_t i = 0; i < sheet_.rows.size(); ++i) {
      if (i == 0 || sheet_.rows[i].arch != sheet_.rows[i - 1].arch) begin(sheet_.rows[i].arch);
      add(sheet_.rows[i]);
    }
    y_ += 18;
    body_ += outcome_legend(kMargin, y_);
    y_ += kLegendRow * static_cast<double>(unwind::outcome_table().size());
    return {.title = std::string(kClaim),
            .width = std::max(800.0, kFirst + kColumn * static_cast<double>(columns_) + kMargin),
            .height = y_ + kMargin,
            .body = std::move(body_)};
  }

 private:
  void begin(Arch arch) {
    here_.clear();
    for (const Unwinder unwinder : unwinders_) {
      if (unwind::unwinder_info(unwinder).runs_on(arch)) here_.push_back(unwinder);
    }
    columns_ = std::max(columns_, here_.size());
    y_ += kHeading;
    body_ += text_element(kMargin, y_ - 8, arch_name(arch), "heading");
    for (std::size_t i = 0; i < here_.size(); ++i) {
      const auto lines = lines_of(unwind::unwinder_info(here_[i]).name);
      double baseline = y_ - 8 - 13 * static_cast<double>(lines.size() - 1);
      for (const std::string& line : lines) {
        body_ += text_element(left_of(i) + kColumn / 2, baseline, line, "muted",
                              "text-anchor=\"middle\"");
        baseline += 13;
      }
    }
    body_ += fmt::format("<path d=\"M{:.1f} {:.1f}H{:.1f}\" class=\"rule\"/>\n", kMargin, y_ - 2,
                         left_of(here_.size()));
  }

  void add(const SheetRow& row) {
    const double baseline = y_ + kRow - 6;
    body_ +=
        fmt::format("<g><title>{} cases walked; left out: {}</title>\n{}{}</g>\n", row.cases,
                    row.left_out, text_element(kMargin, baseline, printable(row.jit, 34), "label"),
                    text_element(kMargin + 222, baseline, era_of(row), "muted"));
    if (row.cases == 0)
      body_ += text_element(left_of(0) + 6, baseline, "left out: " + row.left_out, "muted");
    for (std::size_t i = 0; i < here_.size(); ++i) {
      const WalkTally* const tally = row.tally(here_[i]);
      const auto worst = tally == nullptr ? std::nullopt : worst_of(*tally);
      if (!worst) continue;
      const std::string colour = outcome_class(*worst);
      body_ += fmt::format(
          "<g><title>{}, worst: {}</title>{}{}{}</g>\n", unwind::unwinder_info(here_[i]).name,
          unwind::outcome_info(*worst).name,
          outcome_rect(left_of(i) + 1, y_ + 0.5, kColumn - 2, kRow - 1, *worst),
          text_element(left_of(i) + 64, baseline, fmt::format("{:.2f}", right_percent(*tally)),
                       "number " + colour + "t", "text-anchor=\"end\""),
          text_element(left_of(i) + 84, baseline,
                       std::string(1, unwind::outcome_info(*worst).letter),
                       "letter " + colour + "t"));
    }
    y_ += kRow;
  }

  // "proposed in June 2019, not merged" without what stands behind the comma.
  static std::string era_of(const SheetRow& row) {
    return printable(row.era.substr(0, row.era.find(',')), 30);
  }
  static double left_of(std::size_t column) {
    return kFirst + kColumn * static_cast<double>(column);
  }

  const UnwindSheet& sheet_;
  std::vector<Unwinder> unwinders_;
  std::vector<Unwinder> here_;  // of the architecture
  std::size_t columns_ = 0;
  double y_ = kTop - kHeading + 30;
  std::string body_;
};

}  // namespace

const WalkTally* SheetRow::tally(Unwinder unwinder) const {
  const auto it = std::ranges::find(unwinders, unwinder);
  return it == unwinders.end() ? nullptr
                               : &tallies[static_cast<std::size_t>(it - unwinders.begin())];
}

std::vector<Unwinder> UnwindSheet::unwinders() const {
  std::vector<Unwinder> result;
  for (const unwind::UnwinderInfo& info : unwind::unwinder_table()) {
    const auto has = [&](const SheetRow& row) { return row.tally(info.id) != nullptr; };
    if (std::ranges::any_of(rows, has)) result.push_back(info.id);
  }
  return result;
}

std::optional<Outcome> worst_of(const WalkTally& tally) {
  const auto it = std::ranges::find_if(tally.rbegin(), tally.rend(),
                                       [](std::uint64_t count) { return count != 0; });
  if (it == tally.rend()) return std::nullopt;
  return static_cast<Outcome>(std::distance(it, tally.rend()) - 1);
}

std::string sheet_text(const UnwindSheet& sheet) {
  std::string text = fmt::format("{}: {}\n", kClaim, sample_text(sheet));
  for (const OutcomeInfo& info : unwind::outcome_table()) {
    text += fmt::format("  {}  {}: {}\n", info.letter, info.name, info.sentence);
  }
  const std::vector<Unwinder> unwinders = sheet.unwinders();
  for (std::size_t i = 0; i < unwinders.size(); ++i) {
    text += fmt::format("  {}  {}\n", i + 1, unwind::unwinder_info(unwinders[i]).name);
  }
  std::size_t longest = 3;
  for (const SheetRow& row : sheet.rows) longest = std::max(longest, row.jit.size());
  text += fmt::format("\n{:<{}}{:>9}", "JIT", longest, "walks");
  for (std::size_t i = 0; i < unwinders.size(); ++i) text += fmt::format("{:>8}  ", i + 1);
  text.erase(text.find_last_not_of(' ') + 1);
  text += "\n";
  for (const SheetRow& row : sheet.rows) {
    std::string line = fmt::format("{:<{}}", row.jit, longest);
    std::uint64_t walks = 0;
    if (!row.tallies.empty()) {
      for (const std::uint64_t count : row.tallies.front()) walks += count;
    }
    line += fmt::format("{:>9}", walks);
    for (const Unwinder unwinder : unwinders) {
      const WalkTally* const tally = row.tally(unwinder);
      const auto worst = tally == nullptr ? std::nullopt : worst_of(*tally);
      line += worst ? fmt::format("{:>8.2f} {}", right_percent(*tally),
                                  unwind::outcome_info(*worst).letter)
                    : fmt::format("{:>10}", "");
    }
    if (walks == 0)
      line = fmt::format("{:<{}}{:>9}  left out: {}", row.jit, longest, 0, row.left_out);
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

nlohmann::ordered_json sheet_json(const UnwindSheet& sheet) {
  auto rows = nlohmann::ordered_json::array();
  for (const SheetRow& row : sheet.rows) {
    nlohmann::ordered_json one{
        {"jit", row.jit},           {"arch", arch_name(row.arch)},
        {"era", row.era},           {"cases", row.cases},
        {"left_out", row.left_out}, {"unwinders", tallies_json(row.unwinders, row.tallies)}};
    for (std::size_t i = 0; i < row.unwinders.size(); ++i) {
      const auto worst = worst_of(row.tallies[i]);
      one["unwinders"][i]["worst"] = worst
                                         ? nlohmann::ordered_json(unwind::outcome_info(*worst).name)
                                         : nlohmann::ordered_json(nullptr);
    }
    rows.push_back(std::move(one));
  }
  return {{"cases", sheet.cases}, {"seed", sheet.seed}, {"jits", std::move(rows)}};
}

std::string sheet_svg(const UnwindSheet& sheet) {
  return picture_svg(SheetPicture(sheet).draw(), PictureKind::kDocument);
}

}  // namespace plumb::reports
