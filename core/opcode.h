// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/insn.h"

namespace plumb {

enum class Opcode : std::uint8_t {
#define PLUMB_OPCODE(name, ...) k##name,
#include "core/opcodes.inc"
};

enum class Selector : std::uint8_t { kNone, kOff, kImm, kSrc };

enum class Operation : std::uint8_t {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kSdiv,
  kOr,
  kAnd,
  kLsh,
  kRsh,
  kMod,
  kSmod,
  kXor,
  kMov,
  kArsh,
  kNeg,
  kMovsx,
  kToLe,
  kToBe,
  kBswap,
  kJeq,
  kJgt,
  kJge,
  kJset,
  kJne,
  kJsgt,
  kJsge,
  kJlt,
  kJle,
  kJslt,
  kJsle,
  kJa,
  kCallHelper,
  kCallFunction,
  kThrow,
  kExit,
  kLoad,
  kLoadSigned,
  kStore,
  kAtomicAdd,
  kAtomicOr,
  kAtomicAnd,
  kAtomicXor,
  kAtomicAddFetch,
  kAtomicOrFetch,
  kAtomicAndFetch,
  kAtomicXorFetch,
  kXchg,
  kCmpxchg,
  kLoadImm64,
  kLoadArray,
  kLoadRegion,
  kLoadFunction,
  kMayGoto,
  kLoadAbs,
  kLoadInd,
};

enum class Operand : std::uint8_t { kNone, kImm, kReg, kMem, kImm64 };

// Conformance groups of RFC 9669 section 2.4, and what only Linux has.
enum class Group : std::uint8_t {
  kBase32,
  kBase64,
  kDivmul32,
  kDivmul64,
  kAtomic32,
  kAtomic64,
  kPacket,
  kLinux,
};

struct OpcodeInfo {
  Opcode id;
  std::string_view name;  // "Add64Imm"
  std::uint8_t code;
  Selector selector;
  std::int32_t selector_value;
  Operation operation;
  std::uint8_t width;
  Operand operand;
  Group group;
  std::uint8_t version;
  std::string_view text;
};

// All rows, in the order of the enumeration.
[[nodiscard]] std::span<const OpcodeInfo> opcode_table();
[[nodiscard]] const OpcodeInfo& opcode_info(Opcode id);

// The form that the slot encodes, or null. Only the opcode byte and the selector are looked at.
[[nodiscard]] const OpcodeInfo* decode(const Insn& insn);

// Null when the slot is well-formed: the form exists, registers are in range, r10 is not written,
// and fields that the form does not use are zero. Otherwise one clause that says what is wrong.
// The second slot of a wide load is not passed here.
[[nodiscard]] const char* malformed(const Insn& insn);

// An instruction of this form: the selector and opcode set, everything else from the arguments.
[[nodiscard]] Insn make_insn(Opcode id, std::uint8_t dst = 0, std::uint8_t src = 0,
                             std::int16_t offset = 0, std::int32_t immediate = 0);

[[nodiscard]] bool is_conditional_jump(Operation operation);  // Jeq ... Jsle, MayGoto
[[nodiscard]] bool is_jump(Operation operation);              // those and Ja
[[nodiscard]] bool is_alu(Operation operation);               // Add ... Bswap
[[nodiscard]] bool is_atomic(Operation operation);

// Slots that the instruction takes: 2 for the wide loads, else 1.
[[nodiscard]] int slot_count(const Insn& insn);

// Slot that a jump at the given slot goes to; only for is_jump() forms.
[[nodiscard]] std::int64_t jump_target(const Insn& insn, std::int64_t slot);
// Makes it jump that many slots on from the next one. False, and nothing is changed, when the
// distance does not fit its field: 16 bits, 32 for gotol.
[[nodiscard]] bool set_jump_distance(Insn& insn, std::int64_t distance);

}  // namespace plumb
