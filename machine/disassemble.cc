// SPDX-License-Identifier: GPL-2.0-or-later
#include <capstone/capstone.h>
#include <fmt/format.h>

#include <string>
#include <utility>

#include "core/check.h"
#include "machine/arena_bytes.h"
#include "machine/machine.h"

namespace plumb::machine {
namespace {

class Capstone {
 public:
  Capstone(cs_arch arch, cs_mode mode) {
    PLUMB_CHECK(cs_open(arch, mode, &handle_) == CS_ERR_OK);
    insn_ = cs_malloc(handle_);
    PLUMB_CHECK(insn_ != nullptr);
  }
  ~Capstone() {
    cs_free(insn_, 1);
    static_cast<void>(cs_close(&handle_));
  }
  Capstone(const Capstone&) = delete;
  Capstone& operator=(const Capstone&) = delete;

  // The instruction at the start of the bytes, or null. Valid until the next call.
  [[nodiscard]] const cs_insn* decode(const std::uint8_t* bytes, std::size_t size,
                                      std::uint64_t address) {
    return cs_disasm_iter(handle_, &bytes, &size, &address, insn_) ? insn_ : nullptr;
  }

 private:
  csh handle_ = 0;
  cs_insn* insn_ = nullptr;
};

// Capstone 4 has no RISC-V.
bool make_mode(Arch arch, cs_arch& out_arch, cs_mode& out_mode) {
  switch (arch) {
    case Arch::kX86_64:
      out_arch = CS_ARCH_X86;
      out_mode = CS_MODE_64;
      return true;
    case Arch::kArm64:
      out_arch = CS_ARCH_ARM64;
      out_mode = CS_MODE_LITTLE_ENDIAN;
      return true;
    case Arch::kRiscv64:
      break;
  }
  return false;
}

DisassembledInsn raw_byte(std::uint64_t address, std::uint8_t byte) {
  return {.address = address, .bytes = {byte}, .text = fmt::format(".byte {:#04x}", byte)};
}

DisassembledInsn converted(const cs_insn& insn) {
  std::string text = insn.mnemonic;
  if (insn.op_str[0] != '\0') text += std::string(" ") + insn.op_str;
  return {.address = insn.address,
          .bytes = {insn.bytes, insn.bytes + insn.size},
          .text = std::move(text)};
}

}  // namespace

std::vector<DisassembledInsn> disassemble(Arch arch, std::uint64_t address, std::uint64_t size) {
  std::vector<DisassembledInsn> result;
  const auto* const bytes = arena_bytes(address);
  cs_arch capstone_arch{};
  cs_mode capstone_mode{};
  if (!make_mode(arch, capstone_arch, capstone_mode)) {
    for (std::uint64_t i = 0; i < size; ++i) result.push_back(raw_byte(address + i, bytes[i]));
    return result;
  }
  Capstone capstone(capstone_arch, capstone_mode);
  for (std::uint64_t done = 0; done < size;) {
    const cs_insn* const insn = capstone.decode(bytes + done, size - done, address + done);
    result.push_back(insn == nullptr ? raw_byte(address + done, bytes[done]) : converted(*insn));
    done += result.back().bytes.size();
  }
  return result;
}

}  // namespace plumb::machine
