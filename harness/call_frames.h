// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "core/arch.h"
#include "core/unwind/unwinder.h"

namespace plumb::harness {

// The call frame information of an ELF file, as libdw of elfutils reads it: .eh_frame is decoded
// there, and what it says of one address comes back as location expressions. Those that rows lead
// to (core/unwind/eh_frame.h) are made rows again.
class CallFrames final : public unwind::CallFrameInfo {
 public:
  // The file is one of ours (harness/unwind_elf.h): that libdw cannot read it is our error.
  CallFrames(std::string elf, Arch arch);
  ~CallFrames() override;

  // nullopt, too, where the expressions are of no row.
  [[nodiscard]] std::optional<unwind::Row> row_at(std::uint64_t pc) const override;

 private:
  struct Handles;

  std::string elf_;
  Arch arch_;
  std::unique_ptr<Handles> handles_;
  mutable std::unordered_map<std::uint64_t, std::optional<unwind::Row>> known_;
};

}  // namespace plumb::harness
