// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "jit_under_test/dpdk/library.h"
#include "jit_under_test/plugin.h"

namespace plumb::dpdk {

using HelperFunction = std::uint64_t (*)(std::uint64_t, std::uint64_t, std::uint64_t, std::uint64_t,
                                         std::uint64_t);

// What a call of the helper calls.
using HelperTarget = HelperFunction (*)(const plumb_helper& helper);

// A function as librte_bpf takes it: one program, slot by slot as it came, with addresses in place
// of names.
struct Translation {
  std::vector<plumb_insn> insns;
  // One for each call and each address. The library knows by signature how much memory is behind a
  // pointer, where Linux's verifier reads the next argument: so each call has a signature of its
  // own, with the size that the code in front of it makes plain.
  std::vector<rte_bpf_xsym> externals;

  // Points into this object. Context size in bytes.
  [[nodiscard]] rte_bpf_prm parameters(std::uint32_t context_size) const;
};

// Empty, or what the function names that the library has no place for: "slot 3: ...".
[[nodiscard]] std::string translate(const plumb_function& function,
                                    const plumb_load_request& request, HelperTarget target,
                                    Translation& out);

}  // namespace plumb::dpdk
