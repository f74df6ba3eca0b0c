// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/check.h"
#include "jit_under_test/reference/emitter.h"
namespace plumb::jit::reference {
EmittedFunction emit_arm64(const CompileUnit&, const FunctionUnit&, asmjit::BaseAssembler&) {
  PLUMB_CHECK(false);
  return {};
}
}  // namespace plumb::jit::reference
