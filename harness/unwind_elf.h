// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/case.h"
#include "core/image.h"
#include "machine/code_effects.h"

// An image as an executable file that debuggers, profilers and readelf can read: its code at the
// guest's addresses, the rows of all code as .eh_frame (core/unwind/eh_frame.h), and symbols.
namespace plumb::harness {

// The functions as "program:function" (with a dot gdb would take a name for one of Ada), what the
// image has names for, and the code around it: "helpers", and "kernel", which calls the program.
[[nodiscard]] std::vector<Symbol> named_code(const Case& value, const Image& image);

// The bytes of an ELF64 file of type ET_EXEC (System V gABI, chapters 4 and 5): a section and a
// segment for each range of code (.text, .text.1, ...) and, without contents, for the code around
// it
// (.helpers, .kernel); .eh_frame on a page behind the image's; and the symbols, those with a size
// as functions. The entry point is the kernel's: gdb shows no callers of that function, nor, where
// it is none, of any other code that is in no function.
[[nodiscard]] std::string unwind_elf(const Image& image, const machine::UnwindKnowledge& known,
                                     std::span<const Symbol> symbols);

}  // namespace plumb::harness
