// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/case.h"

namespace plumb {

std::size_t count_slots(const Case& value) {
  std::size_t count = 0;
  for (const Program& program : value.programs) {
    const std::size_t written = program.functions.size() - (program.has_default_callback ? 1 : 0);
    for (std::size_t f = 0; f < written; ++f) count += program.functions[f].insns.size();
  }
  return count;
}

}  // namespace plumb
