// SPDX-License-Identifier: GPL-2.0-or-later
#include "reports/layout_pictures.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>
#include <vector>

namespace plumb::reports {
namespace {

using jit::reference::FrameLayout;
using jit::reference::LayoutRow;
using jit::reference::register_name;
using jit::reference::Slot;
using jit::reference::SlotRole;

constexpr int kPicturedStack = 64;  // bytes; what a private stack begins with

// Which moment a register points there.
enum class Moment : std::uint8_t { kEntry, kBody, kTailCall };

struct Pointer {
  Moment moment;
  std::string name;
};

// One row of a picture, from high to low.
struct Line {
  int offset = 0;  // from the CFA
  std::string text;
  int size = 0;
  SlotRole role = SlotRole::kPadding;
  std::vector<Pointer> pointers;
};

std::string_view moment_text(Moment moment) {
  switch (moment) {
    case Moment::kEntry:
      return "at entry";
    case Moment::kBody:
      return "in the body";
    case Moment::kTailCall:
      return "at the tail-call jump";
  }
  return {};
}

std::string slot_text(const Slot& slot, Arch arch) {
  switch (slot.role) {
    case SlotRole::kReturnAddress:
      return arch == Arch::kArm64 ? "return address (x30)" : "return address";
    case SlotRole::kFramePointer:
    case SlotRole::kSaved:
      return fmt::format("saved {}", register_name(arch, slot.saved));
    case SlotRole::kCount:
      return "tail-call count";
    case SlotRole::kCountAddress:
      return "address of the count";
    case SlotRole::kPadding:
      return "padding";
    case SlotRole::kBpfStack:
      return fmt::format("BPF stack, {} bytes", slot.size);
  }
  return {};
}

// Registers that point into the frame, by offset from the CFA.
std::map<int, std::vector<Pointer>> pointers_of(const FrameLayout& frame) {
  const Arch arch = frame.row->arch;
  const std::string fp = register_name(arch, arch == Arch::kArm64 ? 29 : 5);
  std::map<int, std::vector<Pointer>> pointers;
  pointers[arch == Arch::kArm64 ? 0 : -8].push_back({Moment::kEntry, "sp"});
  std::string body_fp = fp;
  if (frame.r10 && *frame.r10 == frame.frame_pointer) {
    body_fp += frame.r10_register == (arch == Arch::kArm64 ? 29 : 5)
                   ? " = R10"
                   : fmt::format(", {} = R10", register_name(arch, frame.r10_register));
  } else if (frame.r10) {
    const std::string bias = frame.r10_bias != 0 ? fmt::format("{:+}", frame.r10_bias) : "";
    pointers[*frame.r10].push_back(
        {Moment::kBody, fmt::format("{}{} = R10", register_name(arch, frame.r10_register), bias)});
  }
  pointers[frame.frame_pointer].push_back({Moment::kBody, body_fp});
  pointers[frame.body_sp].push_back({Moment::kBody, "sp"});
  if (frame.keeps_count) pointers[frame.entry_sp].push_back({Moment::kTailCall, "sp"});
  return pointers;
}

std::vector<Line> lines_of(const FrameLayout& frame) {
  std::vector<Line> lines;
  lines.reserve(frame.slots.size());
  for (const Slot& slot : frame.slots) {
    lines.push_back({.offset = slot.offset,
                     .text = slot_text(slot, frame.row->arch),
                     .size = slot.size,
                     .role = slot.role,
                     .pointers = {}});
  }
  for (auto& [offset, pointers] : pointers_of(frame)) {
    auto line = std::ranges::find(lines, offset, &Line::offset);
    if (line == lines.end()) {
      // Nothing begins there: an edge of its own.
      const auto below = std::ranges::find_if(
          lines, [at = offset](const Line& other) { return other.offset < at; });
      line = lines.insert(
          below,
          Line{
              .offset = offset, .text = {}, .size = 0, .role = SlotRole::kPadding, .pointers = {}});
    }
    line->pointers = pointers;
  }
  return lines;
}

std::string verdict(const LayoutRow& row) {
  return row.traits.known_wrong.empty() ? std::string("sound")
                                        : fmt::format("wrong: {}", row.traits.known_wrong);
}

std::string cfa(int offset) { return offset == 0 ? "CFA" : fmt::format("CFA{:+}", offset); }

std::string escape(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else {
      out += c;
    }
  }
  return out;
}

// ---- SVG ----

constexpr int kColumns = 5;
constexpr int kColumnWidth = 384;
constexpr int kHead = 84;
constexpr int kSlotHeight = 20;
constexpr int kStackHeight = 64;
constexpr int kBoxLeft = 76;
constexpr int kBoxWidth = 176;
constexpr int kLegend = 40;

std::string_view fill(SlotRole role) {
  switch (role) {
    case SlotRole::kReturnAddress:
      return "#f6d9b0";
    case SlotRole::kFramePointer:
      return "#cfe0f7";
    case SlotRole::kSaved:
      return "#e4e4e4";
    case SlotRole::kCount:
    case SlotRole::kCountAddress:
      return "#f7cfd6";
    case SlotRole::kPadding:
      return "#ffffff";
    case SlotRole::kBpfStack:
      return "#d8f0d0";
  }
  return "#ffffff";
}

std::string_view colour(Moment moment) {
  switch (moment) {
    case Moment::kEntry:
      return "#2a7d2a";
    case Moment::kBody:
      return "#1f4fa8";
    case Moment::kTailCall:
      return "#b4461e";
  }
  return "#000000";
}

int height_of(const Line& line) {
  if (line.size == 0) return 0;
  return line.role == SlotRole::kBpfStack ? kStackHeight : kSlotHeight;
}

int height_of(const std::vector<Line>& lines) {
  int height = kHead;
  for (const Line& line : lines) height += height_of(line);
  return height + 2 * kSlotHeight;
}

std::string text_at(int x, int y, std::string_view text, std::string_view attributes = {}) {
  return fmt::format("<text x=\"{}\" y=\"{}\"{}{}>{}</text>\n", x, y, attributes.empty() ? "" : " ",
                     attributes, escape(text));
}

// Lines that fit a column.
std::vector<std::string> wrap(std::string_view text) {
  constexpr std::size_t kMost = 48;
  std::vector<std::string> lines;
  while (text.size() > kMost) {
    const std::size_t space = text.rfind(' ', kMost);
    if (space == std::string_view::npos) break;
    lines.emplace_back(text.substr(0, space));
    text.remove_prefix(space + 1);
  }
  lines.emplace_back(text);
  return lines;
}

std::string pointers_svg(const Line& line, int left, int y) {
  std::string out;
  const int x = left + kBoxLeft + kBoxWidth;
  int at = x + 16;
  for (const Pointer& pointer : line.pointers) {
    if (at == x + 16) {
      out += fmt::format("<path d=\"M{} {}l8 -4v8z\" fill=\"{}\"/>\n", x + 2, y,
                         colour(pointer.moment));
    }
    out += text_at(at, y + 4, pointer.name, fmt::format("fill=\"{}\"", colour(pointer.moment)));
    at += 8 * static_cast<int>(pointer.name.size()) + 10;
  }
  return out;
}

std::string picture_svg(const LayoutRow& row, int left, int top) {
  const std::vector<Line> lines = lines_of(pictured_frame(row));
  std::string out = text_at(left + 8, top + 18, row.name, "font-weight=\"bold\"");
  out += text_at(left + 8, top + 34, row.era, "font-size=\"11\"");
  const bool is_sound = row.traits.known_wrong.empty();
  int line_y = top + 50;
  for (const std::string& part : wrap(verdict(row))) {
    out += text_at(
        left + 8, line_y, part,
        is_sound ? "font-size=\"11\" fill=\"#2a7d2a\"" : "font-size=\"11\" fill=\"#b00020\"");
    line_y += 14;
  }
  int y = top + kHead;
  for (const Line& line : lines) {
    const int height = height_of(line);
    if (height != 0) {
      out += fmt::format(
          "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\" stroke=\"#444\"/>\n",
          left + kBoxLeft, y, kBoxWidth, height, fill(line.role));
      out += text_at(left + kBoxLeft + 6, y + height / 2 + 4, line.text);
    }
    y += height;
    if (height != 0) {
      out += text_at(left + kBoxLeft - 4, y - 4, cfa(line.offset),
                     "text-anchor=\"end\" font-size=\"10\" fill=\"#666\"");
    }
    out += pointers_svg(line, left, y);
  }
  if (!pictured_frame(row).r10) {
    out += text_at(left + kBoxLeft, y + 18, "r9 = R10: into per-CPU memory", "fill=\"#1f4fa8\"");
  }
  return out;
}

std::string legend_svg() {
  std::string out = text_at(8, 24,
                            "Frame layouts. High addresses at the top; a register points at "
                            "the lower edge that it stands beside:");
  int x = 880;
  for (const Moment moment : {Moment::kEntry, Moment::kBody, Moment::kTailCall}) {
    out += text_at(x, 24, moment_text(moment), fmt::format("fill=\"{}\"", colour(moment)));
    x += 120;
  }
  return out;
}

}  // namespace

FrameLayout pictured_frame(const LayoutRow& row) {
  jit::reference::FunctionFacts facts;
  facts.is_main = true;
  facts.calls = true;
  facts.used = 0x7ff;
  facts.stack_depth = kPicturedStack;
  const bool is_private = row.traits.private_stack;
  facts.has_tail_call = facts.tail_call_reachable = !is_private;
  return jit::reference::compute_frame(
      {.row = &row, .facts = &facts, .defect = std::nullopt, .is_private = is_private});
}

std::string layout_text(const LayoutRow& row) {
  const FrameLayout frame = pictured_frame(row);
  std::string text =
      fmt::format("{}  {}\n  after {}; {}\n", row.name, row.era, row.source, verdict(row));
  constexpr int kWidth = 24;
  const std::string edge = fmt::format("  {:>8} +{:-<{}}+", "", "", kWidth + 2);
  const std::vector<Line> lines = lines_of(frame);
  text += edge;
  for (const Line& line : lines) {
    if (line.size != 0) {
      text += fmt::format("\n  {:>8} | {:<{}} |\n{}", cfa(line.offset), line.text, kWidth, edge);
    }
    std::string_view separator = " <- ";
    for (const Pointer& pointer : line.pointers) {
      text += fmt::format("{}{} {}", separator, pointer.name, moment_text(pointer.moment));
      separator = "; ";
    }
  }
  text += '\n';
  if (!frame.r10) text += "           r9 = R10: the BPF stack lies in per-CPU memory\n";
  return text;
}

std::string layouts_svg(std::span<const LayoutRow> rows) {
  std::string body;
  int top = kLegend;
  for (std::size_t i = 0; i < rows.size(); i += kColumns) {
    int tallest = 0;
    for (std::size_t j = i; j < std::min(rows.size(), i + kColumns); ++j) {
      body += picture_svg(rows[j], static_cast<int>(j - i) * kColumnWidth, top);
      tallest = std::max(tallest, height_of(lines_of(pictured_frame(rows[j]))));
    }
    top += tallest;
  }
  const int width = kColumnWidth * static_cast<int>(std::min<std::size_t>(rows.size(), kColumns));
  return fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" viewBox=\"0 0 {0} "
      "{1}\" font-family=\"monospace\" font-size=\"13\">\n<rect width=\"{0}\" height=\"{1}\" "
      "fill=\"#ffffff\"/>\n{2}{3}</svg>\n",
      std::max(width, rows.size() > 2 ? 1300 : width), top, rows.size() > 2 ? legend_svg() : "",
      body);
}

}  // namespace plumb::reports
