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

// What a program finds outside itself.
struct Surroundings {
  std::uint32_t context_size = 0;
  std::vector<std::uint64_t> region_addresses;
  std::vector<std::uint64_t> region_sizes;
  HelperFunction (*helper)(std::int32_t number) = nullptr;  // what a call of it calls
};

// A function as librte_bpf takes it: one program, slot by slot as it came, with addresses in place
// of names.
struct Translation {
  std::vector<plumb_insn> insns;
  // One for each call and each address. The library knows by signature how much memory is behind a
  // pointer, where Linux's verifier reads the next argument: so each call has a signature of its
  // own, with the size that the code in front of it makes plain.
  std::vector<rte_bpf_xsym> externals;

  // Points into this object.
  [[nodiscard]] rte_bpf_prm parameters(std::uint32_t context_size) const;
};

// False where the function names what the library has no place for; why then says what, with the
// slot.
[[nodiscard]] bool translate(const plumb_function& function, const Surroundings& around,
                             Translation& out, std::string& why);

}  // namespace plumb::dpdk
