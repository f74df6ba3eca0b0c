// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/call_frames.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <libelf.h>

#include <array>
#include <cstdlib>
#include <limits>
#include <span>
#include <utility>

#include "core/check.h"
#include "core/unwind/eh_frame.h"

namespace plumb::harness {
namespace {

using unwind::DwarfRegisters;
using unwind::Row;

struct FreeFrame {
  void operator()(Dwarf_Frame* frame) const { std::free(frame); }  // as libdw.h says
};
using FramePointer = std::unique_ptr<Dwarf_Frame, FreeFrame>;

std::optional<std::int32_t> offset_of(Dwarf_Word word) {
  const auto value = static_cast<std::int64_t>(word);
  if (value < std::numeric_limits<std::int32_t>::min()) return std::nullopt;
  if (value > std::numeric_limits<std::int32_t>::max()) return std::nullopt;
  return static_cast<std::int32_t>(value);
}

// DW_OP_bregx: a register and an offset.
bool read_cfa(Dwarf_Frame* frame, const DwarfRegisters& registers, Row& row) {
  Dwarf_Op* ops = nullptr;
  std::size_t count = 0;
  if (dwarf_frame_cfa(frame, &ops, &count) != 0) return false;
  if (count != 1 || ops[0].atom != DW_OP_bregx) return false;
  const bool by_sp = ops[0].number == registers.sp;
  if (!by_sp && ops[0].number != registers.fp) return false;
  const auto offset = offset_of(ops[0].number2);
  if (!offset) return false;
  row.base = by_sp ? Row::Base::kStackPointer : Row::Base::kFramePointer;
  row.cfa_offset = *offset;
  return true;
}

struct Saved {
  enum class Kind : std::uint8_t { kUndefined, kInRegister, kAtCfa };
  Kind kind = Kind::kUndefined;
  std::int32_t offset = 0;
};

// No expression: undefined, or, without a place for one, the same value. A place:
// DW_OP_call_frame_cfa, and DW_OP_plus_uconst unless it is the CFA itself.
std::optional<Saved> read_register(Dwarf_Frame* frame, int number) {
  std::array<Dwarf_Op, 3> memory{};
  Dwarf_Op* ops = nullptr;
  std::size_t count = 0;
  if (dwarf_frame_register(frame, number, memory.data(), &ops, &count) != 0) return std::nullopt;
  if (count == 0) {
    return Saved{ops == nullptr ? Saved::Kind::kInRegister : Saved::Kind::kUndefined};
  }
  if (ops[0].atom != DW_OP_call_frame_cfa) return std::nullopt;
  if (count == 1) return Saved{Saved::Kind::kAtCfa, 0};
  if (count != 2 || ops[1].atom != DW_OP_plus_uconst) return std::nullopt;
  const auto offset = offset_of(ops[1].number);
  if (!offset) return std::nullopt;
  return Saved{Saved::Kind::kAtCfa, *offset};
}

std::optional<std::int32_t> place_of(const Saved& saved) {
  return saved.kind == Saved::Kind::kAtCfa ? std::optional(saved.offset) : std::nullopt;
}

std::optional<Row> read_row(Dwarf_CFI* cfi, Arch arch, std::uint64_t pc) {
  Dwarf_Frame* found = nullptr;
  if (dwarf_cfi_addrframe(cfi, pc, &found) != 0) return std::nullopt;
  const FramePointer frame(found);
  const DwarfRegisters& registers = unwind::dwarf_registers(arch);
  Dwarf_Addr begin = 0;
  bool is_signal_frame = false;
  const int return_address = dwarf_frame_info(frame.get(), &begin, nullptr, &is_signal_frame);
  if (return_address != registers.return_address || is_signal_frame) return std::nullopt;
  Row row{.begin = begin};
  const auto back = read_register(frame.get(), return_address);
  const auto fp = read_register(frame.get(), registers.fp);
  if (!back || !fp || !read_cfa(frame.get(), registers, row)) return std::nullopt;
  if (back->kind == Saved::Kind::kUndefined) {
    row.kind = Row::Kind::kOutermost;
    return row;
  }
  if (fp->kind == Saved::Kind::kUndefined) return std::nullopt;
  row.fp_offset = place_of(*fp);
  row.ra_offset = place_of(*back);
  return row;
}

}  // namespace

struct CallFrames::Handles {
  Elf* elf = nullptr;
  Dwarf_CFI* cfi = nullptr;

  explicit Handles(std::string& file) {
    PLUMB_CHECK(elf_version(EV_CURRENT) != EV_NONE);
    elf = elf_memory(file.data(), file.size());
    PLUMB_CHECK(elf != nullptr);
    cfi = dwarf_getcfi_elf(elf);
    PLUMB_CHECK(cfi != nullptr);
  }
  Handles(const Handles&) = delete;
  Handles& operator=(const Handles&) = delete;
  ~Handles() {
    dwarf_cfi_end(cfi);
    elf_end(elf);
  }
};

CallFrames::CallFrames(std::string elf, Arch arch)
    : elf_(std::move(elf)), arch_(arch), handles_(std::make_unique<Handles>(elf_)) {}

CallFrames::~CallFrames() = default;

std::optional<Row> CallFrames::row_at(std::uint64_t pc) const {
  const auto [it, is_new] = known_.try_emplace(pc);
  if (is_new) it->second = read_row(handles_->cfi, arch_, pc);
  return it->second;
}

}  // namespace plumb::harness
