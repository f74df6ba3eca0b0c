// SPDX-License-Identifier: GPL-2.0-or-later
#include "invariants/constants.h"

#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <optional>

#include "core/opcode.h"

namespace plumb::invariants {
namespace {

std::uint32_t word_at(std::span<const std::uint8_t> code, std::size_t offset) {
  std::uint32_t word = 0;
  std::memcpy(&word, code.data() + offset, sizeof(word));
  return word;
}

bool has_half(std::uint64_t value, std::uint32_t constant) {
  return static_cast<std::uint32_t>(value) == constant ||
         static_cast<std::uint32_t>(value >> 32) == constant;
}

std::uint32_t bits(std::uint32_t word, unsigned low, unsigned count) {
  return word >> low & ((1u << count) - 1);
}

// A field of so many bits, as a two's complement number.
std::uint64_t sign_extended(std::uint32_t field, unsigned count) {
  return static_cast<std::uint64_t>(
      static_cast<std::int64_t>(std::uint64_t{field} << (64 - count)) >> (64 - count));
}

// What registers hold, as far as immediates alone made it.
using Known = std::array<std::optional<std::uint64_t>, 32>;

// The register that the instruction sets to a known value, or nothing.
using Result = std::optional<std::uint32_t>;

// Arm Architecture Reference Manual, C4.1.92, "Move wide (immediate)": sf, opc, 100101, hw, imm16,
// Rd.
Result move_wide(std::uint32_t word, Known& known) {
  if (bits(word, 23, 6) != 0b100101) return std::nullopt;
  enum : std::uint32_t { kMovn = 0, kMovz = 2, kMovk = 3 };
  const std::uint32_t opc = bits(word, 29, 2);
  const unsigned shift = 16 * bits(word, 21, 2);
  const std::uint64_t field = std::uint64_t{bits(word, 5, 16)} << shift;
  const std::uint32_t rd = bits(word, 0, 5);
  std::optional<std::uint64_t>& value = known[rd];
  if (opc == kMovz) {
    value = field;
  } else if (opc == kMovn) {
    value = ~field;
  } else if (opc == kMovk && value) {
    value = (*value & ~(std::uint64_t{0xffff} << shift)) | field;
  } else {
    return std::nullopt;
  }
  if (bits(word, 31, 1) == 0) value = static_cast<std::uint32_t>(*value);
  return rd;
}

bool stands_in_arm64(std::span<const std::uint8_t> code, std::uint32_t constant) {
  Known known{};
  for (std::size_t at = 0; at + 4 <= code.size(); at += 4) {
    const Result rd = move_wide(word_at(code, at), known);
    if (rd && has_half(*known[*rd], constant)) return true;
  }
  return false;
}

struct RiscvStep {
  enum class What : std::uint8_t { kOther, kLui, kAddi, kAddiw, kSlli } what = What::kOther;
  std::uint32_t rd = 0;
  std::uint32_t rs = 0;
  std::uint64_t immediate = 0;
};

// RISC-V unprivileged ISA, 2.4 and 4.2: LUI, ADDI, ADDIW, SLLI.
RiscvStep riscv_step(std::uint32_t word) {
  using What = RiscvStep::What;
  const std::uint32_t opcode = bits(word, 0, 7);
  const std::uint32_t funct3 = bits(word, 12, 3);
  RiscvStep step{.rd = bits(word, 7, 5),
                 .rs = bits(word, 15, 5),
                 .immediate = sign_extended(bits(word, 20, 12), 12)};
  if (opcode == 0x37) {
    step.what = What::kLui;
    step.immediate = sign_extended(bits(word, 12, 20), 20) << 12;
  } else if (opcode == 0x13 && funct3 == 0) {
    step.what = What::kAddi;
  } else if (opcode == 0x1b && funct3 == 0) {
    step.what = What::kAddiw;
  } else if (opcode == 0x13 && funct3 == 1) {
    step.what = What::kSlli;
    step.immediate = bits(word, 20, 6);
  }
  return step;
}

// The same, chapter "C": C.LUI, C.LI, C.ADDI, C.ADDIW, C.SLLI. All have rd in bits 7 ... 11 and a
// field of 6 bits in 12 and 2 ... 6.
RiscvStep compressed_step(std::uint32_t half) {
  using What = RiscvStep::What;
  const std::uint32_t quadrant = bits(half, 0, 2);
  const std::uint32_t funct3 = bits(half, 13, 3);
  const std::uint32_t rd = bits(half, 7, 5);
  const std::uint32_t field = bits(half, 12, 1) << 5 | bits(half, 2, 5);
  RiscvStep step{.rd = rd, .rs = rd, .immediate = sign_extended(field, 6)};
  constexpr std::uint32_t kSp = 2;  // there it is C.ADDI16SP
  if (quadrant == 1 && funct3 == 0) {
    step.what = What::kAddi;
  } else if (quadrant == 1 && funct3 == 1) {
    step.what = What::kAddiw;
  } else if (quadrant == 1 && funct3 == 2) {
    step.what = What::kAddi;
    step.rs = 0;
  } else if (quadrant == 1 && funct3 == 3 && rd != kSp) {
    step.what = What::kLui;
    step.immediate <<= 12;
  } else if (quadrant == 2 && funct3 == 0) {
    step.what = What::kSlli;
    step.immediate = field;
  }
  return step;
}

// Does the step set its register to a known value?
bool apply(const RiscvStep& step, Known& known) {
  using What = RiscvStep::What;
  if (step.what == What::kOther || step.rd == 0) return false;
  if (step.what != What::kLui && !known[step.rs]) return false;
  const std::uint64_t before = step.what == What::kLui ? 0 : *known[step.rs];
  switch (step.what) {
    case What::kOther:
      return false;
    case What::kLui:
    case What::kAddi:
      known[step.rd] = before + step.immediate;
      return true;
    case What::kAddiw:
      known[step.rd] = sign_extended(static_cast<std::uint32_t>(before + step.immediate), 32);
      return true;
    case What::kSlli:
      known[step.rd] = before << step.immediate;
      return true;
  }
  return false;
}

bool stands_in_riscv64(std::span<const std::uint8_t> code, std::uint32_t constant) {
  Known known{};
  known[0] = 0;
  std::size_t at = 0;
  while (at + 2 <= code.size()) {
    const auto half = static_cast<std::uint32_t>(code[at] | code[at + 1] << 8);
    const bool is_compressed = (half & 3) != 3;
    if (!is_compressed && at + 4 > code.size()) break;
    const RiscvStep step = is_compressed ? compressed_step(half) : riscv_step(word_at(code, at));
    if (apply(step, known) && has_half(*known[step.rd], constant)) return true;
    at += is_compressed ? 2 : 4;
  }
  return false;
}

bool stands_in_x86_64(std::span<const std::uint8_t> code, std::uint32_t constant) {
  for (std::size_t at = 0; at + 4 <= code.size(); ++at) {
    if (word_at(code, at) == constant) return true;
  }
  return false;
}

bool is_shift(Operation operation) {
  return operation == Operation::kLsh || operation == Operation::kRsh ||
         operation == Operation::kArsh;
}

}  // namespace

std::vector<std::uint32_t> constants_of(const Insn& insn, const Insn* next) {
  const OpcodeInfo* const info = decode(insn);
  if (info == nullptr) return {};
  const auto immediate = static_cast<std::uint32_t>(insn.immediate);
  if (info->operation == Operation::kLoadImm64) {
    if (next == nullptr) return {immediate};
    return {immediate, static_cast<std::uint32_t>(next->immediate)};
  }
  const bool is_operand = is_alu(info->operation) || is_conditional_jump(info->operation) ||
                          info->operation == Operation::kStore;
  const bool is_blinded =
      info->operand == Operand::kImm && is_operand && !is_shift(info->operation);
  return is_blinded ? std::vector{immediate} : std::vector<std::uint32_t>();
}

bool is_distinctive(std::uint32_t constant) {
  for (unsigned byte = 0; byte < 4; ++byte) {
    const std::uint32_t value = bits(constant, 8 * byte, 8);
    if (value == 0 || value == 0xff) return false;
  }
  return true;
}

bool stands_in(Arch arch, std::span<const std::uint8_t> code, std::uint32_t constant) {
  switch (arch) {
    case Arch::kX86_64:
      return stands_in_x86_64(code, constant);
    case Arch::kArm64:
      return stands_in_arm64(code, constant);
    case Arch::kRiscv64:
      return stands_in_riscv64(code, constant);
  }
  return false;
}

}  // namespace plumb::invariants
