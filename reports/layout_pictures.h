// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <string>

#include "jit_under_test/reference/frame_layout.h"

namespace plumb::reports {

// Pictures of the reference layouts, drawn from the FrameLayout of one function: a main function
// that tail-calls, uses R6 ... R9 and has some BPF stack. High addresses at the top.

// The frame that is drawn for a layout.
[[nodiscard]] jit::reference::FrameLayout pictured_frame(const jit::reference::LayoutRow& row);

// For the terminal.
[[nodiscard]] std::string layout_text(const jit::reference::LayoutRow& row);

// One sheet with all of them side by side: an SVG document.
[[nodiscard]] std::string layouts_svg(std::span<const jit::reference::LayoutRow> rows);

}  // namespace plumb::reports
