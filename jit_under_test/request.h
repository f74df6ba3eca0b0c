// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <vector>

#include "core/case.h"
#include "jit_under_test/plugin.h"

namespace plumb::jit {

// A case as the C ABI wants it. Keeps its vectors from one case to the next; the request points
// into them and into the case, so it is valid until either changes.
class RequestBuilder {
 public:
  // stubs: guest address of the helper stubs; 0: there are none, as for interpreters.
  [[nodiscard]] const plumb_load_request& build(const Case& value, std::uint64_t stubs);

 private:
  void add_programs(const Case& value);
  void add_helpers(std::uint64_t stubs);

  std::vector<plumb_insn> insns_;
  std::vector<plumb_function> functions_;
  std::vector<plumb_program> programs_;
  std::vector<plumb_prog_array> arrays_;
  std::vector<std::uint64_t> region_addresses_;
  std::vector<std::uint64_t> region_sizes_;
  std::vector<plumb_helper> helpers_;
  plumb_load_request request_{};
};

}  // namespace plumb::jit
