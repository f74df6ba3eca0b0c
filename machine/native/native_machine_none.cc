// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/native/native_machine.h"

namespace plumb::machine {

Result<std::unique_ptr<NativeMachine>> NativeMachine::open() {
  return fail("native code runs on x86-64 processors only");
}

}  // namespace plumb::machine
