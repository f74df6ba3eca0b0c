// SPDX-License-Identifier: GPL-2.0-or-later
#include "reports/layout_pictures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <pugixml.hpp>
#include <set>
#include <string>

#include "core/frame_geometry.h"

namespace plumb::reports {
namespace {

using jit::reference::layout_table;
using jit::reference::LayoutRow;
using testing::HasSubstr;

TEST(LayoutPictures, DrawTheFrameOf510AsItsSourceSays) {
  const LayoutRow* row = jit::reference::find_layout("x86_64-5.10");
  ASSERT_NE(row, nullptr);
  EXPECT_EQ(layout_text(*row),
            "x86_64-5.10  5.10 to 5.16\n"
            "  after e411901c0b77, ebf7d1f508a7; wrong: the count goes to subprograms by value\n"
            "           +--------------------------+\n"
            "     CFA-8 | return address           |\n"
            "           +--------------------------+ <- sp at entry\n"
            "    CFA-16 | saved rbp                |\n"
            "           +--------------------------+ <- rbp = R10 in the body; sp at the tail-call "
            "jump\n"
            "    CFA-80 | BPF stack, 64 bytes      |\n"
            "           +--------------------------+\n"
            "    CFA-88 | tail-call count          |\n"
            "           +--------------------------+\n"
            "    CFA-96 | saved rbx                |\n"
            "           +--------------------------+\n"
            "   CFA-104 | saved r13                |\n"
            "           +--------------------------+\n"
            "   CFA-112 | saved r14                |\n"
            "           +--------------------------+\n"
            "   CFA-120 | saved r15                |\n"
            "           +--------------------------+ <- sp in the body\n");
}

TEST(LayoutPictures, FillTheirFrameWithoutGapOrOverlap) {
  for (const LayoutRow& row : layout_table()) {
    const auto frame = pictured_frame(row);
    int edge = 0;
    for (const auto& slot : frame.slots) {
      EXPECT_EQ(slot.offset + slot.size, edge) << row.name;
      edge = slot.offset;
    }
    EXPECT_EQ(edge, frame.body_sp) << row.name;
  }
}

// What the layouts compute from their recipes, against core/frame_geometry.h.
TEST(LayoutPictures, HaveTheirRecordWhereTheGeometrySays) {
  using jit::reference::SlotRole;
  for (const LayoutRow& row : layout_table()) {
    const FrameGeometry geometry = frame_geometry(row.arch);
    const int entry = -static_cast<int>(geometry.call_pushes);
    const auto offset_of = [&](SlotRole role) {
      const auto frame = pictured_frame(row);
      const auto slot = std::ranges::find(frame.slots, role, &jit::reference::Slot::role);
      return slot == frame.slots.end() ? 0 : slot->offset;
    };
    EXPECT_EQ(offset_of(SlotRole::kReturnAddress),
              entry - static_cast<int>(geometry.return_below_entry))
        << row.name;
    EXPECT_EQ(offset_of(SlotRole::kFramePointer),
              entry - static_cast<int>(geometry.record_below_entry))
        << row.name;
  }
}

TEST(LayoutPictures, StandOnOneSheetInsideItsBorders) {
  const std::string svg = layouts_svg(layout_table());
  pugi::xml_document document;
  ASSERT_TRUE(document.load_string(svg.c_str()));
  const pugi::xml_node sheet = document.child("svg");
  const int width = sheet.attribute("width").as_int();
  const int height = sheet.attribute("height").as_int();
  std::set<std::string> texts;
  for (const pugi::xml_node node : sheet.children("text")) {
    texts.insert(node.child_value());
    // A monospaced character is 0.6 em wide; what is anchored at its end grows to the left.
    const bool to_left = std::string(node.attribute("text-anchor").value()) == "end";
    const int size = node.attribute("font-size").as_int(sheet.attribute("font-size").as_int());
    const auto characters = static_cast<int>(std::string(node.child_value()).size());
    const int length = to_left ? 0 : characters * size * 6 / 10;
    EXPECT_LE(node.attribute("x").as_int() + length, width) << node.child_value();
    EXPECT_LE(node.attribute("y").as_int(), height) << node.child_value();
    const pugi::xml_node box = node.previous_sibling();
    if (std::string(box.name()) != "rect" || box == sheet.first_child()) continue;
    const int right = box.attribute("x").as_int() + box.attribute("width").as_int();
    EXPECT_LT(node.attribute("x").as_int() + length, right) << node.child_value();
  }
  for (const LayoutRow& row : layout_table()) {
    EXPECT_TRUE(texts.contains(std::string(row.name))) << row.name;
    for (const auto& slot : pictured_frame(row).slots) {
      if (slot.saved < 0 || slot.role != jit::reference::SlotRole::kSaved) continue;
      EXPECT_THAT(svg, HasSubstr("saved " + jit::reference::register_name(row.arch, slot.saved)));
    }
  }
}

}  // namespace
}  // namespace plumb::reports
