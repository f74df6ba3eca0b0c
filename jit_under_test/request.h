// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <vector>

#include "core/case.h"
#include "jit_under_test/plugin.h"

namespace plumb::jit {

// A case as the C ABI wants it. Keeps its vectors from one case to the next; the request points
// into them and into the case, so it is valid until either changes.
class RequestBuilder {
 public:
  [[nodiscard]] const plumb_load_request& build(const Case& value);

 private:
  void add_programs(const Case& value);

  std::vector<plumb_insn> insns_;
  std::vector<plumb_function> functions_;
  std::vector<plumb_program> programs_;
  std::vector<plumb_prog_array> arrays_;
  std::vector<std::uint64_t> regions_;
  plumb_load_request request_{};
};

}  // namespace plumb::jit
