// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/case.h"

namespace plumb {

std::size_t count_slots(const Case& value) {
  std::size_t count = 0;
  for (const Program& program : value.programs) {
    for (const Function& function : program.functions) count += function.insns.size();
  }
  return count;
}

}  // namespace plumb
