// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <capstone/capstone.h>

#include <cstddef>
#include <cstdint>

#include "core/check.h"

namespace plumb::machine {

// Owner of a handle of Capstone and of one instruction.
class Capstone {
 public:
  // With operands: instructions carry cs_insn::detail.
  Capstone(cs_arch arch, cs_mode mode, bool with_operands = false) {
    PLUMB_CHECK(cs_open(arch, mode, &handle_) == CS_ERR_OK);
    if (with_operands) cs_option(handle_, CS_OPT_DETAIL, CS_OPT_ON);
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

  [[nodiscard]] csh handle() const { return handle_; }

 private:
  csh handle_ = 0;
  cs_insn* insn_ = nullptr;
};

}  // namespace plumb::machine
