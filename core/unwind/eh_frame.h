// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/arch.h"
#include "core/unwind/step.h"

// Rows as call frame information, for readers that others wrote: gdb, perf, elfutils.
namespace plumb::unwind {

// What DWARF calls the registers that rows speak of: System V psABI x86-64, figure 3.36 (there the
// return address is a column of its own); AADWARF64, section 4.1; RISC-V DWARF specification,
// "Dwarf register numbers".
struct DwarfRegisters {
  std::uint8_t sp = 0;
  std::uint8_t fp = 0;
  std::uint8_t return_address = 0;
};
[[nodiscard]] const DwarfRegisters& dwarf_registers(Arch arch);

// The bytes of a section .eh_frame (LSB 5.0, Core, section 10.6; instructions: DWARF 5, section
// 6.4.2), little-endian: one CIE, an FDE for each run of rows that can be written, and the end
// mark. Its addresses are absolute, so that it may lie anywhere.
//
// The rows are ascending, and the last one is unknown: it says where the one before ends. Of two
// that begin at the same address the second counts. No FDE has what is unknown, what need not hold
// at every instruction (readers take all that stands there for true), an interrupt's registers, and
// what has its return address in a register where there is none for it. Of outermost rows the
// return address is undefined.
[[nodiscard]] std::vector<std::uint8_t> eh_frame(Arch arch, std::span<const Row> rows);

}  // namespace plumb::unwind
