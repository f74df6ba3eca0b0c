// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "machine/c_calls.h"
#include "machine/code_map.h"
#include "machine/engine.h"
#include "machine/guest_memory.h"
#include "machine/helper_mock.h"
#include "machine/machine.h"
#include "machine/observer.h"
#include "machine/stub_area.h"
#include "machine/target.h"

namespace plumb::machine {

// The machine of every architecture that Unicorn runs. What differs is in its Target.
class EmulatedMachine final : public Machine {
 public:
  explicit EmulatedMachine(std::unique_ptr<Target> target, std::size_t context_pages = 1);

  const MachineRun& run(const Case& value, const Image& image, const RunOptions& options) override;
  std::uint64_t run_bare(const Case& value, const Image& image, const RunOptions& options) override;

 private:
  // An engine, how worn it is, and what of its translated code is still valid.
  struct UsedEngine {
    std::unique_ptr<Engine> engine;
    std::uint64_t runs = 0;
    std::uint64_t translated = 0;  // bytes of native code given to it so far
    std::uint64_t stub_generation = 0;
    std::vector<Range> code;  // of the last image, and its bytes
    std::vector<std::uint8_t> bytes;
    std::vector<Range> watched;
  };

  void execute(const Case& value, const Image& image, const RunOptions& options, MachineRun& run,
               bool keeps_steps);
  [[nodiscard]] const char* place(const Case& value, const Image& image);
  Engine& prepare_engine(Watch watch, const Image& image);
  [[nodiscard]] bool map_code(Engine& engine) const;
  void refresh_code(UsedEngine& used, const Image& image);
  [[nodiscard]] RegisterFile entry_registers(const Case& value, const Image& image);

  std::unique_ptr<Target> target_;
  GuestMemory memory_;
  EngineMemory engine_memory_;
  StubArea stubs_;
  std::vector<HostRange> code_;  // of the image, and of the stubs
  CodeMap map_;
  Observer observer_;
  HelperMock bare_mock_;
  CCalls bare_c_calls_;
  std::array<UsedEngine, 3> engines_;  // by Watch
  std::uint64_t stub_generation_ = 1;
  std::vector<std::uint8_t> bytes_;  // scratch
  MachineRun run_;
  MachineRun exact_;  // the same run at kFull, where kFast cannot tell the address of a fault
};

}  // namespace plumb::machine
