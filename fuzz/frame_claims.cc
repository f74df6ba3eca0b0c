// SPDX-License-Identifier: GPL-2.0-or-later
#include "fuzz/frame_claims.h"

#include <utility>

#include "core/check.h"
#include "fuzz/odd_numbers.h"

namespace plumb::fuzz {
namespace {

void lie_about_a_row(gen::ChoiceStream& choices, Claims& claims) {
  const std::size_t i = choices.below(claims.rows.size());
  plumb_unwind_row& row = claims.rows[i];
  const auto number = [&] { return static_cast<std::int32_t>(odd_number(choices)); };
  const auto byte = [&] { return static_cast<std::uint8_t>(odd_number(choices)); };
  switch (choices.below(11)) {
    case 0:
      row.address = odd_number(choices);
      break;
    case 1:
      row.address += static_cast<std::uint64_t>(choices.range(-9, 9));
      break;
    case 2:
      row.cfa_register = choices.chance(50) ? PLUMB_NO_REGISTER : byte();
      break;
    case 3:
      row.fp_rule = byte();
      break;
    case 4:
      row.ra_rule = byte();
      break;
    case 5:
      row.cfa_offset = number();
      break;
    case 6:
      row.fp_offset = number();
      break;
    case 7:
      row.ra_offset = number();
      break;
    case 8:
      row.struct_size = odd_stride(choices, sizeof(row));
      break;
    case 9:
      std::swap(row, claims.rows[choices.below(claims.rows.size())]);
      break;
    default:
      claims.rows.pop_back();
      break;
  }
}

}  // namespace

void claim_frame(Claims& claims, std::uint64_t address, std::uint32_t size) {
  plumb_unwind_row row{};
  row.struct_size = sizeof(row);
  row.address = address;
  row.cfa_register = PLUMB_REGISTER(4);
  row.cfa_offset = 8;
  row.fp_rule = PLUMB_SAVED_SAME;
  row.ra_rule = PLUMB_SAVED_AT_OFFSET;
  row.ra_offset = -8;
  claims.rows.push_back(row);
  row.address = address + 4;
  row.cfa_register = PLUMB_REGISTER(5);
  row.cfa_offset = 16;
  row.fp_rule = PLUMB_SAVED_AT_OFFSET;
  row.fp_offset = -16;
  claims.rows.push_back(row);
  claims.fp_ranges.push_back({.address = address + 4, .size = size - 4});
}

void claim_end(Claims& claims, std::uint64_t address) {
  plumb_unwind_row row{};
  row.struct_size = sizeof(row);
  row.address = address;
  row.cfa_register = PLUMB_NO_REGISTER;
  claims.rows.push_back(row);
}

void lie_about_frames(gen::ChoiceStream& choices, Claims& claims) {
  if (claims.rows.empty() || claims.fp_ranges.empty()) return;
  plumb_range& range = claims.fp_ranges[choices.below(claims.fp_ranges.size())];
  switch (choices.below(8)) {
    case 0:
      range.address = odd_number(choices);
      break;
    case 1:
      range.size = odd_number(choices);
      break;
    case 2: {
      const plumb_range twice = range;
      claims.fp_ranges.push_back(twice);
      break;
    }
    case 3:
      claims.row_stride = odd_stride(choices, sizeof(plumb_unwind_row));
      break;
    default:
      lie_about_a_row(choices, claims);
      break;
  }
}

void check_rows(const Image& image) {
  const auto& rows = image.unwind_rows;
  if (rows.empty()) return;
  PLUMB_CHECK(rows.back().kind == unwind::Row::Kind::kUnknown);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    PLUMB_CHECK(i == 0 || rows[i - 1].begin < rows[i].begin);
    const bool is_unknown = rows[i].kind == unwind::Row::Kind::kUnknown;
    PLUMB_CHECK(is_unknown || rows[i].kind == unwind::Row::Kind::kFrame);
    PLUMB_CHECK(kClaimedArena.contains(rows[i].begin, is_unknown ? 0 : 1));
    PLUMB_CHECK(is_unknown || rows[i].ra_offset);  // of x86-64
  }
}

}  // namespace plumb::fuzz
