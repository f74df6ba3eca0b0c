// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/unwind/eh_frame.h"

#include <limits>
#include <optional>
#include <utility>

#include "core/check.h"

namespace plumb::unwind {
namespace {

using Kind = Row::Kind;

constexpr DwarfRegisters kRegistersX86_64{.sp = 7, .fp = 6, .return_address = 16};
constexpr DwarfRegisters kRegistersArm64{.sp = 31, .fp = 29, .return_address = 30};
constexpr DwarfRegisters kRegistersRiscv64{.sp = 2, .fp = 8, .return_address = 1};

// DWARF 5, table 7.29.
enum Operation : std::uint8_t {
  kAdvance = 0x40,    // + bytes
  kOffset = 0x80,     // + register; ULEB128
  kAdvance1 = 0x02,   // 1 byte
  kAdvance2 = 0x03,   // 2 bytes
  kAdvance4 = 0x04,   // 4 bytes
  kUndefined = 0x07,  // register
  kSameValue = 0x08,  // register
  kDefCfa = 0x0c,     // register, ULEB128
  kDefCfaRegister = 0x0d,
  kDefCfaOffset = 0x0e,
  kOffsetExtendedSf = 0x11,  // register, SLEB128
  kDefCfaSf = 0x12,          // register, SLEB128
};
constexpr std::uint64_t kMostAdvance = 0x3f;  // in the operation itself
constexpr std::size_t kAlignment = 8;

class Bytes {
 public:
  std::vector<std::uint8_t> list;

  void byte(std::uint64_t value) { list.push_back(static_cast<std::uint8_t>(value)); }
  void fixed(std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) byte(value >> (8 * i));
  }
  void uleb(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) byte(value | 0x80);
    byte(value);
  }
  void sleb(std::int64_t value) {
    for (; value < -0x40 || value >= 0x40; value >>= 7)
      byte(static_cast<std::uint64_t>(value) | 0x80);
    byte(static_cast<std::uint64_t>(value) & 0x7f);
  }
  void append(const Bytes& other) { list.insert(list.end(), other.list.begin(), other.list.end()); }
};

// What the CIE says: a function that was just called.
Row at_entry(Arch arch) {
  Row row{.base = Row::Base::kStackPointer};
  if (arch != Arch::kX86_64) return row;
  row.cfa_offset = 8;
  row.ra_offset = -8;
  return row;
}

bool can_be_written(Arch arch, const Row& row) {
  if (!row.is_reliable) return false;
  if (row.kind == Kind::kOutermost) return true;
  return row.kind == Kind::kFrame && (row.ra_offset || arch != Arch::kX86_64);
}

class Writer {
 public:
  explicit Writer(Arch arch) : arch_(arch), registers_(dwarf_registers(arch)) {}

  // The data alignment factor is -1, for any offset must do.
  void cie() {
    Bytes body;
    body.fixed(0, 4);  // what tells it from an FDE
    body.byte(1);      // version
    for (const char c : {'z', 'R', '\0'}) body.byte(static_cast<std::uint8_t>(c));
    body.uleb(1);   // code alignment factor
    body.sleb(-1);  // data alignment factor
    body.byte(registers_.return_address);
    body.uleb(1);  // bytes of what R stands for:
    body.byte(0);  // addresses are DW_EH_PE_absptr
    const Row entry = at_entry(arch_);
    body.byte(kDefCfa);
    body.uleb(registers_.sp);
    body.uleb(static_cast<std::uint64_t>(entry.cfa_offset));
    if (entry.ra_offset) saved(body, registers_.return_address, entry.ra_offset);
    entry_of(body);
  }

  // The rows are one run; the end is that of the last one.
  void fde(std::span<const Row> rows, std::uint64_t end) {
    Bytes body;
    body.fixed(out_.list.size() + 4, 4);  // from here back to the CIE
    body.fixed(rows.front().begin, 8);
    body.fixed(end - rows.front().begin, 8);
    body.uleb(0);  // bytes of what the augmentation adds
    Row state = at_entry(arch_);
    std::uint64_t at = rows.front().begin;
    for (const Row& row : rows) {
      Bytes changed;
      change(changed, state, row);
      if (changed.list.empty()) continue;
      advance(body, row.begin - at);
      at = row.begin;
      body.append(changed);
    }
    entry_of(body);
  }

  std::vector<std::uint8_t> end() && {
    out_.fixed(0, 4);
    return std::move(out_.list);
  }

 private:
  // Padded with DW_CFA_nop, which is 0.
  void entry_of(Bytes& body) {
    while ((body.list.size() + 4) % kAlignment != 0) body.byte(0);
    PLUMB_CHECK(body.list.size() < std::numeric_limits<std::uint32_t>::max() - 16);
    out_.fixed(body.list.size(), 4);
    out_.append(body);
  }

  static void advance(Bytes& out, std::uint64_t by) {
    if (by == 0) return;
    if (by <= kMostAdvance) return out.byte(kAdvance | by);
    if (by <= 0xff) {
      out.byte(kAdvance1);
      return out.fixed(by, 1);
    }
    if (by <= 0xffff) {
      out.byte(kAdvance2);
      return out.fixed(by, 2);
    }
    PLUMB_CHECK(by <= 0xffff'ffff);
    out.byte(kAdvance4);
    out.fixed(by, 4);
  }

  // Where the register's value of the caller is.
  static void saved(Bytes& out, std::uint8_t reg, std::optional<std::int32_t> offset) {
    if (!offset) {
      out.byte(kSameValue);
      return out.uleb(reg);
    }
    const std::int64_t below = -std::int64_t{*offset};
    if (below < 0) {
      out.byte(kOffsetExtendedSf);
      out.uleb(reg);
      return out.sleb(below);
    }
    out.byte(kOffset | reg);
    out.uleb(static_cast<std::uint64_t>(below));
  }

  void cfa(Bytes& out, const Row& state, const Row& row) const {
    const bool same_base = row.base == state.base;
    const bool same_offset = row.cfa_offset == state.cfa_offset;
    if (same_base && same_offset) return;
    const std::uint8_t base = row.base == Row::Base::kStackPointer ? registers_.sp : registers_.fp;
    const bool is_negative = row.cfa_offset < 0;
    if (is_negative) {
      out.byte(kDefCfaSf);
      out.uleb(base);
      return out.sleb(-std::int64_t{row.cfa_offset});
    }
    out.byte(same_base ? kDefCfaOffset : same_offset ? kDefCfaRegister : kDefCfa);
    if (!same_base) out.uleb(base);
    if (!same_offset) out.uleb(static_cast<std::uint64_t>(row.cfa_offset));
  }

  // What is new in the row; the state becomes that of the row.
  void change(Bytes& out, Row& state, const Row& row) const {
    const bool was_outermost = state.kind == Kind::kOutermost;
    if (row.kind == Kind::kOutermost) {
      if (was_outermost) return;
      out.byte(kUndefined);
      out.uleb(registers_.return_address);
      state.kind = Kind::kOutermost;
      return;
    }
    cfa(out, state, row);
    if (row.fp_offset != state.fp_offset) saved(out, registers_.fp, row.fp_offset);
    if (was_outermost || row.ra_offset != state.ra_offset) {
      saved(out, registers_.return_address, row.ra_offset);
    }
    state = row;
  }

  Arch arch_;
  const DwarfRegisters& registers_;
  Bytes out_;
};

}  // namespace

const DwarfRegisters& dwarf_registers(Arch arch) {
  switch (arch) {
    case Arch::kX86_64:
      break;
    case Arch::kArm64:
      return kRegistersArm64;
    case Arch::kRiscv64:
      return kRegistersRiscv64;
  }
  return kRegistersX86_64;
}

std::vector<std::uint8_t> eh_frame(Arch arch, std::span<const Row> rows) {
  PLUMB_CHECK(rows.empty() || rows.back().kind == Kind::kUnknown);
  Writer writer(arch);
  writer.cie();
  std::vector<Row> run;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Row& row = rows[i];
    PLUMB_CHECK(i == 0 || rows[i - 1].begin <= row.begin);
    const bool is_empty = i + 1 < rows.size() && rows[i + 1].begin == row.begin;
    if (is_empty) continue;
    if (can_be_written(arch, row)) {
      run.push_back(row);
      continue;
    }
    if (!run.empty()) writer.fde(run, row.begin);
    run.clear();
  }
  return std::move(writer).end();
}

}  // namespace plumb::unwind
