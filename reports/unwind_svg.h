// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "reports/unwind_matrix.h"

// Pictures of walks. They need no other file and no script, and are light or dark as the reader has
// it. Letters and colours are those of core/unwind/outcomes.inc; no colour is without its letter.
namespace plumb::reports {

enum class PictureKind : std::uint8_t {
  kElement,   // of an HTML page, which has unwind_style() once
  kDocument,  // a file of its own
};

// The colours that the pictures, and pages around them, refer to.
[[nodiscard]] std::string_view unwind_style();

// The class of what has an outcome's colour: "o0" for the best.
[[nodiscard]] std::string outcome_class(unwind::Outcome outcome);

// Pieces of pictures. Coordinates are pixels; a text's y is its baseline.
[[nodiscard]] std::string text_element(double x, double y, std::string_view text,
                                       std::string_view classes, std::string_view more = {});
[[nodiscard]] std::string outcome_rect(double x, double y, double width, double height,
                                       unwind::Outcome outcome);
// A row for each outcome, from the best to the worst: its letter and what it says.
[[nodiscard]] std::string outcome_legend(double x, double y);
inline constexpr double kLegendRow = 20;

struct Picture {
  std::string title;
  double width = 0;
  double height = 0;
  std::string body;
};
[[nodiscard]] std::string picture_svg(const Picture& picture, PictureKind kind);

// The code with a coloured cell for each instruction and unwinder; above it what the letters mean,
// and the share of each unwinder.
[[nodiscard]] std::string matrix_svg(const UnwindMatrix& matrix, PictureKind kind);
// An HTML page: the picture, and in words what the unwinders do and what the outcomes mean.
[[nodiscard]] std::string matrix_page(const UnwindMatrix& matrix);

}  // namespace plumb::reports
