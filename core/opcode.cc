// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/opcode.h"

#include <array>
#include <cstddef>

#include "core/check.h"

namespace plumb {
namespace {

constexpr OpcodeInfo kTable[] = {
#define PLUMB_OPCODE(name, code, selector, value, operation, width, operand, group, version, text) \
  {Opcode::k##name,                                                                                \
   #name,                                                                                          \
   code,                                                                                           \
   Selector::k##selector,                                                                          \
   value,                                                                                          \
   Operation::k##operation,                                                                        \
   width,                                                                                          \
   Operand::k##operand,                                                                            \
   Group::k##group,                                                                                \
   version,                                                                                        \
   text},
#include "core/opcodes.inc"
};

constexpr std::size_t kRows = std::size(kTable);

bool selects(const OpcodeInfo& info, const Insn& insn) {
  switch (info.selector) {
    case Selector::kNone:
      return true;
    case Selector::kOff:
      return insn.offset == info.selector_value;
    case Selector::kImm:
      return insn.immediate == info.selector_value;
    case Selector::kSrc:
      return insn.src == info.selector_value;
  }
  return false;
}

// Rows of one opcode byte stand at most kFormsPerByte apart in no particular order, so the index
// lists them by byte.
constexpr std::size_t kFormsPerByte = 16;
struct ByteIndex {
  std::array<std::uint8_t, kFormsPerByte> row{};
  std::size_t count = 0;
};

constexpr std::array<ByteIndex, 256> make_index() {
  std::array<ByteIndex, 256> index{};
  for (std::size_t i = 0; i < kRows; ++i) {
    ByteIndex& entry = index[kTable[i].code];
    entry.row[entry.count++] = static_cast<std::uint8_t>(i);
  }
  return index;
}
static_assert(kRows < 256);
constexpr std::array<ByteIndex, 256> kIndex = make_index();

// Which fields a form gives a meaning to, beside its selector.
struct FieldUse {
  bool dst = false;
  bool src = false;
  bool offset = false;
  bool immediate = false;
  bool writes_dst = false;
};

FieldUse field_use(const OpcodeInfo& info) {
  const Operation operation = info.operation;
  const bool imm = info.operand == Operand::kImm;
  const bool reg = info.operand == Operand::kReg;
  if (is_alu(operation)) return {true, reg, false, imm, true};
  if (is_atomic(operation)) return {true, true, true, false, false};
  if (operation == Operation::kMayGoto) return {.offset = true};
  if (is_conditional_jump(operation)) return {true, reg, true, imm, false};
  if (operation == Operation::kJa) {
    return info.width == 64 ? FieldUse{.offset = true} : FieldUse{.immediate = true};
  }
  if (operation == Operation::kExit || operation == Operation::kThrow) return {};
  if (operation == Operation::kLoad || operation == Operation::kLoadSigned) {
    return {true, true, true, false, true};
  }
  if (operation == Operation::kStore) return {true, reg, true, imm, false};
  if (operation == Operation::kLoadAbs) return {.immediate = true};
  if (operation == Operation::kLoadInd) return {.src = true};
  if (info.operand == Operand::kImm64) return {true, false, false, true, true};
  PLUMB_CHECK(operation == Operation::kCallHelper || operation == Operation::kCallFunction);
  return {.immediate = true};
}

bool fetches_into_src(Operation operation) {
  return operation >= Operation::kAtomicAddFetch && operation <= Operation::kXchg;
}

}  // namespace

std::span<const OpcodeInfo> opcode_table() { return kTable; }

const OpcodeInfo& opcode_info(Opcode id) { return kTable[static_cast<std::size_t>(id)]; }

const OpcodeInfo* decode(const Insn& insn) {
  const ByteIndex& entry = kIndex[insn.opcode];
  for (std::size_t i = 0; i < entry.count; ++i) {
    const OpcodeInfo& info = kTable[entry.row[i]];
    if (selects(info, insn)) return &info;
  }
  return nullptr;
}

const char* malformed(const Insn& insn) {
  const OpcodeInfo* info = decode(insn);
  if (info == nullptr) return "no such instruction";
  const FieldUse use = field_use(*info);
  const Selector selector = info->selector;
  if (insn.dst >= kRegisterCount) return "destination register out of range";
  if (selector != Selector::kSrc && insn.src >= kRegisterCount) {
    return "source register out of range";
  }
  if (use.writes_dst && insn.dst == kFramePointerRegister) return "r10 is read-only";
  if (fetches_into_src(info->operation) && insn.src == kFramePointerRegister) {
    return "r10 is read-only";
  }
  if (!use.dst && insn.dst != 0) return "destination register must be 0 here";
  if (!use.src && selector != Selector::kSrc && insn.src != 0) {
    return "source register must be 0 here";
  }
  if (!use.offset && selector != Selector::kOff && insn.offset != 0) {
    return "offset must be 0 here";
  }
  if (!use.immediate && selector != Selector::kImm && insn.immediate != 0) {
    return "immediate must be 0 here";
  }
  return nullptr;
}

Insn make_insn(Opcode id, std::uint8_t dst, std::uint8_t src, std::int16_t offset,
               std::int32_t immediate) {
  const OpcodeInfo& info = opcode_info(id);
  Insn insn{info.code, dst, src, offset, immediate};
  switch (info.selector) {
    case Selector::kNone:
      break;
    case Selector::kOff:
      insn.offset = static_cast<std::int16_t>(info.selector_value);
      break;
    case Selector::kImm:
      insn.immediate = info.selector_value;
      break;
    case Selector::kSrc:
      insn.src = static_cast<std::uint8_t>(info.selector_value);
      break;
  }
  return insn;
}

bool is_conditional_jump(Operation operation) {
  return (operation >= Operation::kJeq && operation <= Operation::kJsle) ||
         operation == Operation::kMayGoto;
}

bool is_jump(Operation operation) {
  return is_conditional_jump(operation) || operation == Operation::kJa;
}

bool is_alu(Operation operation) { return operation <= Operation::kBswap; }

bool is_atomic(Operation operation) {
  return operation >= Operation::kAtomicAdd && operation <= Operation::kCmpxchg;
}

int slot_count(const Insn& insn) { return insn.opcode == kWideLoadOpcode ? 2 : 1; }

std::int64_t jump_target(const Insn& insn, std::int64_t slot) {
  const OpcodeInfo* info = decode(insn);
  PLUMB_CHECK(info != nullptr && is_jump(info->operation));
  const bool by_immediate = info->operation == Operation::kJa && info->width == 32;
  return slot + 1 + (by_immediate ? insn.immediate : insn.offset);
}

bool set_jump_distance(Insn& insn, std::int64_t distance) {
  if (decode(insn)->id == Opcode::kJal) {
    if (distance != static_cast<std::int32_t>(distance)) return false;
    insn.immediate = static_cast<std::int32_t>(distance);
    return true;
  }
  if (distance != static_cast<std::int16_t>(distance)) return false;
  insn.offset = static_cast<std::int16_t>(distance);
  return true;
}

}  // namespace plumb
