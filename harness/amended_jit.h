// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "jit_under_test/jit.h"

namespace plumb::harness {

// The same code, described in another way.
struct Amendment {
  // Of the contract, the registers, the landing rule, the capabilities. Images have the first
  // three as the JIT has them. Empty: nothing.
  std::function<void(jit::JitInfo&)> info{};
  std::function<void(Image&)> image{};  // of what else an image says
};

// A JIT whose descriptions are amended. The other one outlives it.
class AmendedJit final : public jit::Jit {
 public:
  AmendedJit(jit::Jit& jit, Amendment amendment);

  [[nodiscard]] const jit::JitInfo& info() const override { return info_; }
  [[nodiscard]] jit::LoadOutcome load(const Case& value) override;

 private:
  jit::Jit& jit_;
  Amendment amendment_;
  jit::JitInfo info_;
};

}  // namespace plumb::harness
