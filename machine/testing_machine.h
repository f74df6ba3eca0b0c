// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "machine/machine.h"
#include "machine/testing_image.h"

namespace plumb::machine {

inline constexpr std::uint64_t kTestArenaAddress = 0x50000000;
inline constexpr RunOptions kFastRun{.depth = Depth::kFast, .block_budget = 10'000};
inline constexpr RunOptions kFullRun{.depth = Depth::kFull, .block_budget = 10'000};

// Hardware numbers.
inline constexpr int kRax = 0;
inline constexpr int kRcx = 1;
inline constexpr int kRdx = 2;
inline constexpr int kRbx = 3;
inline constexpr int kRsp = 4;
inline constexpr int kRbp = 5;
inline constexpr int kRsi = 6;
inline constexpr int kRdi = 7;
inline constexpr int kR11 = 11;

using Kinds = std::vector<EventKind>;
[[nodiscard]] inline Kinds kinds(const MachineRun& run) {
  Kinds result;
  for (const MachineEvent& event : run.events) result.push_back(event.kind);
  return result;
}

class MachineX86_64 : public testing::Test {
 protected:
  const MachineRun& run(const TestImage& t, const RunOptions& options = kFastRun) {
    return machine_->run(t.value, t.image, options);
  }

  TestArena arena_{kTestArenaAddress};
  std::unique_ptr<Machine> machine_ = make_machine(Arch::kX86_64);
};

// main: r0 = result; exit
inline void straight_return(TestImage& t, int result = 7) {
  t.function(0, 0);
  t.prologue();
  t.slot(bpf_mov(0, result)).bytes({0xb8, result, 0, 0, 0});  // mov eax, result
  t.exit().body_end();
}

// main: r0 = 1; code; exit. For one odd instruction in an ordinary place.
inline void around(TestImage& t, const std::vector<int>& code) {
  t.function(0, 0);
  t.prologue();
  t.bytes({0x48, 0x83, 0xec, 0x40});  // sub rsp, 64
  t.slot(bpf_mov(0, 1)).bytes(code);
  t.exit().body_end();
}

}  // namespace plumb::machine
