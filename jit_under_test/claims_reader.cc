// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/claims_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "jit_under_test/plugin_struct.h"

namespace plumb::jit {
namespace {

using unwind::Row;

constexpr std::uint32_t kMostRows = 1u << 20;
constexpr std::uint32_t kMostRanges = 1u << 16;
constexpr std::int32_t kFarthest = 1 << 20;
constexpr std::int32_t kWord = 8;

// By hardware number; link: of the return address, which x86-64 has none for.
struct FrameRegisters {
  std::uint8_t stack_pointer = 0;
  std::uint8_t frame_pointer = 0;
  std::optional<std::uint8_t> link = std::nullopt;
};
FrameRegisters frame_registers(Arch arch) {
  switch (arch) {
    case Arch::kX86_64:
      break;
    case Arch::kArm64:
      return {.stack_pointer = 31, .frame_pointer = 29, .link = 30};
    case Arch::kRiscv64:
      return {.stack_pointer = 2, .frame_pointer = 8, .link = 1};
  }
  return {.stack_pointer = 4, .frame_pointer = 5};
}

Result<void> check_offset(const std::string& field, std::int32_t offset) {
  if (offset % kWord == 0 && offset >= -kFarthest && offset <= kFarthest) return {};
  return out_of_range(field, offset,
                      fmt::format("a multiple of 8 from {0} to {1}", -kFarthest, kFarthest));
}

class ClaimsReader {
 public:
  ClaimsReader(const plumb_claims& from, Image& image)
      : from_(from), image_(image), registers_(frame_registers(image.arch)) {}

  [[nodiscard]] Result<void> read() {
    if (auto rows = read_rows(); !rows) return rows;
    return read_fp_ranges();
  }

 private:
  Result<void> read_rows();
  [[nodiscard]] Result<Row> row_of(const plumb_unwind_row& from, const std::string& where) const;
  Result<void> read_base(const plumb_unwind_row& from, const std::string& where, Row& row) const;
  Result<void> read_return(const plumb_unwind_row& from, const std::string& where, Row& row) const;
  [[nodiscard]] Result<void> check_place(const Row& row, const std::string& where) const;
  Result<void> read_fp_ranges();

  [[nodiscard]] std::uint32_t most_rows() const {
    std::uint64_t bytes = 1;  // one more row says where the last one ends
    for (const Range& code : image_.code) bytes = std::max(bytes, bytes + code.size);
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(bytes, kMostRows));
  }

  const plumb_claims& from_;
  Image& image_;
  FrameRegisters registers_;
};

Result<void> ClaimsReader::read_rows() {
  const PluginList<plumb_unwind_row> list{.name = "claims.rows",
                                          .of = "claims.row",
                                          .first = from_.rows,
                                          .count = from_.row_count,
                                          .stride = from_.row_stride};
  if (auto checked = list.check(most_rows()); !checked) return checked;
  std::vector<Row>& rows = image_.unwind_rows;
  for (std::size_t i = 0; i < list.count; ++i) {
    const Result<plumb_unwind_row> from = list.at(i);
    if (!from) return std::unexpected(from.error());
    const std::string where = list.element(i);
    const Result<Row> row = row_of(*from, where);
    if (!row) return std::unexpected(row.error());
    if (auto checked = check_place(*row, where); !checked) return checked;
    if (!rows.empty() && rows.back().begin >= row->begin) {
      return fail(fmt::format("{}.address is {:#x}: above that of the row before, {:#x}", where,
                              row->begin, rows.back().begin));
    }
    rows.push_back(*row);
  }
  if (rows.empty() || rows.back().kind == Row::Kind::kUnknown) return {};
  return fail(fmt::format("{} is the last one: its cfa_register has to be PLUMB_NO_REGISTER",
                          list.element(list.count - 1)));
}

Result<Row> ClaimsReader::row_of(const plumb_unwind_row& from, const std::string& where) const {
  Row row{.begin = from.address, .kind = Row::Kind::kUnknown};
  if (from.cfa_register == PLUMB_NO_REGISTER) return row;
  row.kind = Row::Kind::kFrame;
  if (auto read = read_base(from, where, row); !read) return std::unexpected(read.error());
  if (from.fp_rule != PLUMB_SAVED_SAME && from.fp_rule != PLUMB_SAVED_AT_OFFSET) {
    return out_of_range(where + ".fp_rule", from.fp_rule, "1 or 2");
  }
  if (from.fp_rule == PLUMB_SAVED_AT_OFFSET) {
    const Result<void> checked = check_offset(where + ".fp_offset", from.fp_offset);
    if (!checked) return std::unexpected(checked.error());
    row.fp_offset = from.fp_offset;
  }
  if (auto read = read_return(from, where, row); !read) return std::unexpected(read.error());
  return row;
}

Result<void> ClaimsReader::read_base(const plumb_unwind_row& from, const std::string& where,
                                     Row& row) const {
  const std::uint8_t sp = PLUMB_REGISTER(registers_.stack_pointer);
  const std::uint8_t fp = PLUMB_REGISTER(registers_.frame_pointer);
  if (from.cfa_register != sp && from.cfa_register != fp) {
    return out_of_range(
        where + ".cfa_register", from.cfa_register,
        fmt::format("{}, the stack pointer, {}, the frame pointer, or PLUMB_NO_REGISTER", sp, fp));
  }
  row.base = from.cfa_register == sp ? Row::Base::kStackPointer : Row::Base::kFramePointer;
  row.cfa_offset = from.cfa_offset;
  return check_offset(where + ".cfa_offset", from.cfa_offset);
}

Result<void> ClaimsReader::read_return(const plumb_unwind_row& from, const std::string& where,
                                       Row& row) const {
  if (from.ra_rule == PLUMB_SAVED_AT_OFFSET) {
    row.ra_offset = from.ra_offset;
    return check_offset(where + ".ra_offset", from.ra_offset);
  }
  if (!registers_.link) {
    return out_of_range(where + ".ra_rule", from.ra_rule, "2, where a call stores it");
  }
  if (from.ra_rule == PLUMB_SAVED_SAME) return {};
  if (from.ra_rule != PLUMB_SAVED_IN_REGISTER) {
    return out_of_range(where + ".ra_rule", from.ra_rule, "from 1 to 3");
  }
  const std::uint8_t link = PLUMB_REGISTER(*registers_.link);
  if (from.ra_register == link) return {};
  return out_of_range(where + ".ra_register", from.ra_register,
                      fmt::format("{}, the register that a call leaves it in", link));
}

// What is unknown may begin where code ends.
Result<void> ClaimsReader::check_place(const Row& row, const std::string& where) const {
  const bool is_unknown = row.kind == Row::Kind::kUnknown;
  const bool is_in_code = std::ranges::any_of(image_.code, [&](const Range& code) {
    return code.contains(row.begin) || (is_unknown && code.address + code.size == row.begin);
  });
  if (is_in_code) return {};
  return fail(fmt::format("{} is for {:#x}, which lies in no code range", where, row.begin));
}

Result<void> ClaimsReader::read_fp_ranges() {
  const PluginList<plumb_range> list{.name = "claims.fp_ranges",
                                     .of = "claims.fp_range",
                                     .first = from_.fp_ranges,
                                     .count = from_.fp_range_count,
                                     .stride = from_.fp_range_stride};
  if (auto checked = list.check(kMostRanges); !checked) return checked;
  for (std::size_t i = 0; i < list.count; ++i) {
    const Result<plumb_range> range = list.at(i);
    if (!range) return std::unexpected(range.error());
    if (std::ranges::none_of(image_.code, [&](const Range& code) {
          return code.contains(range->address, range->size);
        })) {
      return fail(fmt::format("{} lies in no code range: {:#x}, {} bytes", list.element(i),
                              range->address, range->size));
    }
    const auto native = std::ranges::find_if(image_.functions, [&](const NativeFunction& function) {
      return Range{function.address, function.size}.contains(range->address, range->size);
    });
    if (native == image_.functions.end()) continue;
    if (native->fp_begin != 0 || native->fp_end != 0) {
      return fail(fmt::format("{} is the second one of function {} of program {}", list.element(i),
                              native->function, native->program));
    }
    native->fp_begin = static_cast<std::uint32_t>(range->address - native->address);
    native->fp_end = native->fp_begin + static_cast<std::uint32_t>(range->size);
  }
  return {};
}

}  // namespace

Result<void> read_frame_claims(const plumb_claims& from, Image& image) {
  const Result<plumb_claims> filled = take_struct(&from, "claims");
  if (!filled) return std::unexpected(filled.error());
  return ClaimsReader(*filled, image).read();
}

}  // namespace plumb::jit
