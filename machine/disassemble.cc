// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "core/check.h"
#include "machine/capstone.h"
#include "machine/llvm_disassembler.h"
#include "machine/machine.h"

namespace plumb::machine {
namespace {

DisassembledInsn raw_byte(std::uint64_t address, std::uint8_t byte) {
  return {.address = address, .bytes = {byte}, .text = fmt::format(".byte {:#04x}", byte)};
}

DisassembledInsn converted(const cs_insn& insn) {
  std::string text = insn.mnemonic;
  // The arm64 alias that Capstone 4 prints and Capstone 5 does not: the same text with either.
  if (text == "movz") text = "mov";
  if (insn.op_str[0] != '\0') text += std::string(" ") + insn.op_str;
  return {.address = insn.address,
          .bytes = {insn.bytes, insn.bytes + insn.size},
          .text = std::move(text)};
}

std::vector<DisassembledInsn> disassemble_x86_64(std::span<const std::uint8_t> bytes,
                                                 std::uint64_t address) {
  std::vector<DisassembledInsn> result;
  Capstone capstone(CS_ARCH_X86, CS_MODE_64);
  for (std::uint64_t done = 0; done < bytes.size();) {
    const cs_insn* const insn =
        capstone.decode(bytes.data() + done, bytes.size() - done, address + done);
    result.push_back(insn == nullptr ? raw_byte(address + done, bytes[done]) : converted(*insn));
    done += result.back().bytes.size();
  }
  return result;
}

// A word or half that nothing decodes.
std::string raw_text(std::span<const std::uint8_t> bytes) {
  std::uint32_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = value << 8 | bytes[i];
  return bytes.size() == 4 ? fmt::format(".word {:#010x}", value)
                           : fmt::format(".half {:#06x}", value);
}

// LLVM writes where a branch of RISC-V goes as a distance: "bnez a3, 64", "j -8".
std::string with_absolute_target(std::string text, std::uint64_t address) {
  const std::size_t space = text.find(' ');
  if (space == std::string::npos) return text;
  const bool is_branch = text[0] == 'b' || text.starts_with("j ") || text.starts_with("jal ");
  const std::size_t last = text.find_last_of(' ') + 1;
  char* end = nullptr;
  const long distance = std::strtol(text.c_str() + last, &end, 0);
  if (!is_branch || end == text.c_str() + last || *end != '\0') return text;
  return fmt::format("{}{:#x}", text.substr(0, last),
                     address + static_cast<std::uint64_t>(distance));
}

std::vector<DisassembledInsn> disassemble_arm64(std::span<const std::uint8_t> bytes,
                                                std::uint64_t address) {
  std::vector<DisassembledInsn> result;
  Capstone capstone(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN);
  std::optional<LlvmDisassembler> llvm;
  for (std::uint64_t done = 0; done < bytes.size();) {
    const auto word = bytes.subspan(done, std::min<std::uint64_t>(4, bytes.size() - done));
    const cs_insn* const insn = capstone.decode(word.data(), word.size(), address + done);
    // Pointer authentication and landing pads are hints to Capstone 4.
    const bool is_known = insn != nullptr && insn->id != ARM64_INS_HINT;
    if (!is_known && word.size() == 4 && !llvm) llvm.emplace(Arch::kArm64);
    const auto text =
        is_known || word.size() < 4 ? std::nullopt : llvm->decode(word, address + done);
    if (insn != nullptr) {
      result.push_back(converted(*insn));
      if (text) result.back().text = *text;
    } else if (word.size() == 4) {
      result.push_back({.address = address + done,
                        .bytes = {word.begin(), word.end()},
                        .text = text.value_or(raw_text(word))});
    } else {
      result.push_back(raw_byte(address + done, word[0]));
    }
    done += result.back().bytes.size();
  }
  return result;
}

std::vector<DisassembledInsn> disassemble_riscv64(std::span<const std::uint8_t> bytes,
                                                  std::uint64_t address) {
  std::vector<DisassembledInsn> result;
  LlvmDisassembler llvm(Arch::kRiscv64);
  for (std::uint64_t done = 0; done < bytes.size();) {
    const std::uint64_t here = address + done;
    const std::uint64_t length = (bytes[done] & 3) == 3 ? 4 : 2;
    if (length > bytes.size() - done) {
      result.push_back(raw_byte(here, bytes[done]));
      ++done;
      continue;
    }
    const auto insn = bytes.subspan(done, length);
    const auto text = llvm.decode(insn, here);
    result.push_back({.address = here,
                      .bytes = {insn.begin(), insn.end()},
                      .text = text ? with_absolute_target(*text, here) : raw_text(insn)});
    done += length;
  }
  return result;
}

}  // namespace

std::vector<DisassembledInsn> disassemble(Arch arch, std::span<const std::uint8_t> bytes,
                                          std::uint64_t address) {
  switch (arch) {
    case Arch::kX86_64:
      return disassemble_x86_64(bytes, address);
    case Arch::kArm64:
      return disassemble_arm64(bytes, address);
    case Arch::kRiscv64:
      return disassemble_riscv64(bytes, address);
  }
  return {};
}

std::vector<DisassembledInsn> disassemble(const Image& image, const Range& range) {
  return disassemble(image.arch, image.placement.bytes_up_to(range.address, range.size),
                     range.address);
}

}  // namespace plumb::machine
