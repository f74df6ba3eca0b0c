// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/llvm_disassembler.h"

#include <llvm-c/Disassembler.h>
#include <llvm-c/Target.h>

#include <array>
#include <vector>

#include "core/check.h"

namespace plumb::machine {

struct LlvmDisassembler::Handle {
  LLVMDisasmContextRef context = nullptr;

  explicit Handle(LLVMDisasmContextRef opened) : context(opened) { PLUMB_CHECK(opened != nullptr); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() { LLVMDisasmDispose(context); }
};

namespace {

LLVMDisasmContextRef open_context(const char* triple, const char* features) {
  return LLVMCreateDisasmCPUFeatures(triple, "", features, nullptr, 0, nullptr, nullptr);
}

}  // namespace

LlvmDisassembler::LlvmDisassembler(Arch arch) {
  switch (arch) {
    case Arch::kX86_64:
      return;  // Capstone decodes all of it
    case Arch::kArm64:
      LLVMInitializeAArch64TargetInfo();
      LLVMInitializeAArch64TargetMC();
      LLVMInitializeAArch64Disassembler();
      handle_ = std::make_unique<Handle>(open_context("aarch64", "+all"));
      return;
    case Arch::kRiscv64:
      LLVMInitializeRISCVTargetInfo();
      LLVMInitializeRISCVTargetMC();
      LLVMInitializeRISCVDisassembler();
      handle_ = std::make_unique<Handle>(open_context("riscv64", "+m,+a,+c,+zba,+zbb"));
      return;
  }
}

LlvmDisassembler::~LlvmDisassembler() = default;

std::optional<std::string> LlvmDisassembler::decode(std::span<const std::uint8_t> bytes,
                                                    std::uint64_t address) {
  if (handle_ == nullptr) return std::nullopt;
  std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());  // the C API takes non-const
  std::array<char, 256> text{};
  const std::size_t size = LLVMDisasmInstruction(handle_->context, copy.data(), copy.size(),
                                                 address, text.data(), text.size());
  if (size != bytes.size()) return std::nullopt;
  // "\tswpal\tw0, w1, [x2]"
  std::string result = text.data();
  result.erase(0, result.find_first_not_of('\t'));
  for (char& c : result) c = c == '\t' ? ' ' : c;
  return result;
}

}  // namespace plumb::machine
