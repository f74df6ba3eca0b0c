// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "core/arch.h"

namespace plumb::machine {

// What Capstone 4 cannot decode: RISC-V, and arm64's LSE atomics and pointer authentication. Owns
// LLVM's handle. LLVM is optional when the project is built; without it decode() knows nothing.
class LlvmDisassembler {
 public:
  explicit LlvmDisassembler(Arch arch);
  ~LlvmDisassembler();
  LlvmDisassembler(const LlvmDisassembler&) = delete;
  LlvmDisassembler& operator=(const LlvmDisassembler&) = delete;

  // The instruction that all of the bytes are: "swpal w0, w1, [x2]". Nothing when they are none.
  [[nodiscard]] std::optional<std::string> decode(std::span<const std::uint8_t> bytes,
                                                  std::uint64_t address);

 private:
  struct Handle;
  std::unique_ptr<Handle> handle_;
};

}  // namespace plumb::machine
