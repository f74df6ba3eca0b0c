// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/machine.h"

#include "core/guest.h"
#include "machine/emulated_machine.h"
#include "machine/target.h"

namespace plumb::machine {

std::unique_ptr<Machine> make_machine(Arch arch) {
  return std::make_unique<EmulatedMachine>(make_target(arch));
}

std::unique_ptr<Machine> make_machine_for_large_contexts(Arch arch) {
  return std::make_unique<EmulatedMachine>(make_target(arch), kLargeContext / guest::kPage);
}

}  // namespace plumb::machine
