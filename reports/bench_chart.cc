// SPDX-License-Identifier: GPL-2.0-or-later
#include "reports/bench_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/printable.h"
#include "reports/bench_statistics.h"
#include "reports/markup.h"

namespace plumb::reports {
namespace {

using harness::FrameFigures;

constexpr double kRow = 18;
constexpr double kBar = 11;      // height
constexpr double kHeading = 30;  // of an architecture: its name, and what the columns are
constexpr double kTitle = 34;    // of a document
constexpr double kMargin = 12;
constexpr double kEraLeft = 222;
constexpr std::size_t kEraMost = 24;
constexpr double kWidth = 1180;

// A column with bars: where it begins, how long the longest bar is, how much room its text has.
struct Column {
  double left;
  double longest;
};
constexpr Column kInstructions{380, 150};
constexpr Column kStack{634, 80};
constexpr Column kCode{768, 80};
constexpr Column kTime{906, 180};

// Beyond so many times the highest upper quartile the whiskers are cut.
constexpr double kMostWhisker = 1.3;

std::string text_at(double x, double y, std::string_view text, std::string_view classes,
                    std::string_view more = {}) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"{}\"{}{}>{}</text>\n", x, y, classes,
                     more.empty() ? "" : " ", more, escape_markup(text));
}

std::string bar(double x, double y, double width, std::string_view classes) {
  return fmt::format(
      "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{}\" class=\"{}\"/>\n", x, y,
      std::max(width, 0.0), kBar, classes);
}

// The greatest of all layouts of one architecture in one shape; at least 1.
struct Scale {
  double instructions = 1;
  double stack = 1;
  double code = 1;
  double time = 1;
  bool any_time = false;
};

class Chart {
 public:
  Chart(const BenchResults& results, std::size_t shape) : results_(results), shape_(shape) {}

  std::string body(double top) {
    y_ = top;
    for (std::size_t l = 0; l < results_.layouts.size(); ++l) {
      if (l == 0 || results_.layouts[l].arch != results_.layouts[l - 1].arch) {
        begin(results_.layouts[l].arch);
      }
      add_row(results_.layouts[l], results_.at(shape_, l));
    }
    return std::move(out_);
  }
  [[nodiscard]] double bottom() const { return y_ + kMargin; }

 private:
  void begin(Arch arch) {
    if (!out_.empty()) y_ += kRow / 2;
    scale_ = scale_of(arch);
    y_ += kHeading;
    const double y = y_ - 10;
    out_ += text_at(kMargin, y, arch_name(arch), "heading");
    out_ += fmt::format(
        "<text x=\"{:.1f}\" y=\"{:.1f}\" class=\"column\">instructions: <tspan class=\"frame "
        "strong\">frame</tspan> + <tspan class=\"body strong\">body</tspan></text>\n",
        kInstructions.left, y);
    out_ += text_at(kStack.left, y, "bytes of stack", "column");
    out_ += text_at(kCode.left, y, "bytes of code", "column");
    out_ += text_at(kTime.left, y,
                    scale_.any_time ? "time in ns: median, quartiles, range" : untimed(arch),
                    scale_.any_time ? "column" : "muted");
    out_ += fmt::format("<path d=\"M{:.1f} {:.1f}H{:.1f}\" class=\"rule\"/>\n", kMargin, y_ - 3,
                        kWidth - kMargin);
  }

  [[nodiscard]] Scale scale_of(Arch arch) const {
    Scale scale;
    double upper = 0;
    double greatest = 0;
    for (std::size_t l = 0; l < results_.layouts.size(); ++l) {
      if (results_.layouts[l].arch != arch) continue;
      const Measured& cell = results_.at(shape_, l);
      if (cell.figures) {
        const auto raise = [&](double& most, std::uint64_t value) {
          most = std::max(most, static_cast<double>(value));
        };
        raise(scale.instructions, cell.figures->instructions);
        raise(scale.stack, cell.figures->stack_bytes);
        raise(scale.code, cell.figures->code_bytes);
      }
      if (cell.times.empty()) continue;
      const Spread spread = spread_of(cell.times);
      scale.any_time = true;
      upper = std::max(upper, spread.upper);
      greatest = std::max(greatest, spread.greatest);
    }
    if (scale.any_time) scale.time = std::max(std::min(greatest, kMostWhisker * upper), 1e-3);
    return scale;
  }

  // Why no layout of the architecture has times: what the first says.
  [[nodiscard]] std::string untimed(Arch arch) const {
    for (std::size_t l = 0; l < results_.layouts.size(); ++l) {
      const std::string& why = results_.at(shape_, l).no_times;
      if (results_.layouts[l].arch == arch && !why.empty())
        return "no times: " + printable(why, 44);
    }
    return {};
  }

  void add_row(const MeasuredLayout& layout, const Measured& cell) {
    const double baseline = y_ + kRow - 5;
    const bool is_measured = cell.figures || !cell.times.empty();
    out_ += fmt::format("<g><title>{}: {}</title>\n", escape_markup(printable(layout.name)),
                        escape_markup(printable(layout.era)));
    out_ += text_at(kMargin, baseline, printable(layout.name), is_measured ? "label" : "muted");
    out_ += text_at(kEraLeft, baseline, short_era(layout.era), "muted");
    out_ += "</g>\n";
    if (cell.figures) {
      add_figures(*cell.figures, baseline);
    } else {
      out_ += text_at(kInstructions.left, baseline, printable(cell.no_figures, 84), "muted");
    }
    if (!cell.times.empty()) {
      add_time(spread_of(cell.times), baseline);
    } else if (cell.figures && scale_.any_time) {
      out_ += text_at(kTime.left, baseline, printable(cell.no_times, 40), "muted");
    }
    y_ += kRow;
  }

  // "proposed in June 2019, not merged" without what stands behind the comma.
  static std::string short_era(const std::string& era) {
    return printable(era.substr(0, era.find(',')), kEraMost);
  }

  void add_figures(const FrameFigures& figures, double baseline) {
    const double top = y_ + (kRow - kBar) / 2;
    const auto width = [](std::uint64_t value, double most, const Column& column) {
      return static_cast<double>(value) / most * column.longest;
    };
    const double frame = width(figures.frame, scale_.instructions, kInstructions);
    const double all = width(figures.instructions, scale_.instructions, kInstructions);
    out_ += bar(kInstructions.left, top, frame, "frame");
    out_ += bar(kInstructions.left + frame, top, all - frame, "body");
    out_ += text_at(kInstructions.left + all + 5, baseline,
                    fmt::format("{} + {}", figures.frame, figures.instructions - figures.frame),
                    "number");
    for (const auto& [column, value, most] : {std::tuple{kStack, figures.stack_bytes, scale_.stack},
                                              std::tuple{kCode, figures.code_bytes, scale_.code}}) {
      out_ += bar(column.left, top, width(value, most, column), "bytes");
      out_ += text_at(column.left + width(value, most, column) + 5, baseline,
                      fmt::format("{}", value), "number");
    }
  }

  // Whiskers from the least to the greatest, a box between the quartiles, a line at the median.
  void add_time(const Spread& spread, double baseline) {
    const double top = y_ + (kRow - kBar) / 2;
    const auto x = [this](double time) {
      return kTime.left + std::min(time / scale_.time, 1.0) * kTime.longest;
    };
    out_ += fmt::format(
        "<g><title>median {:.2f} ns, quartiles {:.2f} and {:.2f}, least {:.2f}, "
        "greatest {:.2f}</title>\n",
        spread.median, spread.lower, spread.upper, spread.least, spread.greatest);
    out_ += bar(kTime.left, top, x(spread.median) - kTime.left, "time");
    const double middle = top + kBar / 2;
    out_ += fmt::format("<path d=\"M{:.1f} {:.1f}H{:.1f}\" class=\"whisker\"/>\n", x(spread.least),
                        middle, x(spread.greatest));
    out_ += fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{}\" class=\"box\"/>\n",
        x(spread.lower), top, std::max(x(spread.upper) - x(spread.lower), 1.0), kBar);
    out_ += fmt::format("<path d=\"M{:.1f} {:.1f}v{}\" class=\"median\"/>\n", x(spread.median),
                        top - 1.5, kBar + 3);
    out_ +=
        text_at(x(spread.greatest) + 6, baseline, fmt::format("{:.2f}", spread.median), "number");
    out_ += "</g>\n";
  }

  const BenchResults& results_;
  std::size_t shape_;
  Scale scale_;
  double y_ = 0;
  std::string out_;
};

}  // namespace

std::string_view bench_chart_style() {
  return R"(:root { color-scheme: light dark; --page: #ffffff; --text: #1c2128; --muted: #69717c; --rule: #d4d9e0;
  --frame: #c7541a; --body: #8fb0d6; --body-text: #3c6ea6; --bytes: #9aa4b1; --time: #bcd9bf; --mark: #23692d; }
@media (prefers-color-scheme: dark) { :root { --page: #14181d; --text: #e4e8ed; --muted: #939ca8; --rule: #343b44;
  --frame: #ee8147; --body: #44658e; --body-text: #86aedc; --bytes: #5b6672; --time: #2b4e33; --mark: #86d293; } }
svg text { font: 12px system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: var(--text); }
svg .heading { font-weight: 600; font-size: 13px; }
svg .title { font-weight: 600; font-size: 15px; }
svg .column { fill: var(--text); font-size: 11.5px; }
svg .muted { fill: var(--muted); font-size: 11.5px; }
svg .number { font-size: 11.5px; font-variant-numeric: tabular-nums; }
svg tspan.strong { font-weight: 600; }
svg .frame { fill: var(--frame); }
svg .body { fill: var(--body); }
svg tspan.body { fill: var(--body-text); }
svg .bytes { fill: var(--bytes); }
svg .time { fill: var(--time); }
svg .box { fill: none; stroke: var(--mark); stroke-width: 1.2; }
svg .median { stroke: var(--mark); stroke-width: 2; }
svg .whisker { stroke: var(--mark); stroke-width: 1; }
svg .rule { stroke: var(--rule); }
svg .page { fill: var(--page); }
)";
}

std::string bench_chart(const BenchResults& results, std::size_t shape, ChartKind kind) {
  const bool is_document = kind == ChartKind::kDocument;
  const std::string title =
      fmt::format("{}: {}", results.shapes[shape].name, results.shapes[shape].description);
  Chart chart(results, shape);
  const std::string body = chart.body(is_document ? kTitle : 0);
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1:.0f}\" viewBox=\"0 0 "
      "{0} "
      "{1:.0f}\" role=\"img\" aria-label=\"{2}\">\n",
      kWidth, chart.bottom(), escape_markup(title));
  if (is_document) {
    out += fmt::format(
        "<style>\n{}</style>\n<rect width=\"{}\" height=\"{:.0f}\" class=\"page\"/>\n{}",
        bench_chart_style(), kWidth, chart.bottom(), text_at(kMargin, 24, title, "title"));
  }
  return out + body + "</svg>\n";
}

}  // namespace plumb::reports
