// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/image.h"

#include <algorithm>
#include <iterator>

namespace plumb {

const NativeFunction* Image::function_at(std::uint64_t address) const {
  const auto it = std::ranges::find_if(
      functions, [address](const NativeFunction& f) { return address - f.address < f.size; });
  return it == functions.end() ? nullptr : &*it;
}

NativeRegister Image::r10_register(const NativeFunction* function) const {
  const NativeRegister usual = registers.bpf[10];
  return function != nullptr ? function->r10_register.or_else(usual) : usual;
}

const NativeFunction* Image::find_function(int program, int function) const {
  const auto it = std::ranges::find_if(functions, [=](const NativeFunction& f) {
    return f.program == program && f.function == function;
  });
  return it == functions.end() ? nullptr : &*it;
}

int slot_at(const NativeFunction& function, std::uint32_t offset) {
  // Equal offsets belong to instructions without code and second slots of wide loads: the last one
  // of them owns the code.
  const auto it = std::ranges::upper_bound(function.insn_offsets, offset);
  return static_cast<int>(std::distance(function.insn_offsets.begin(), it)) - 1;
}

}  // namespace plumb
