// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/emulated_machine.h"

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "machine/arena_bytes.h"

namespace plumb::machine {
namespace {

// An engine's buffer of translated code only grows, by about 25 bytes per byte of native code.
constexpr std::uint64_t kMaxRunsPerEngine = 20'000;
constexpr std::uint64_t kMaxTranslatedPerEngine = 8u << 20;  // bytes of native code

// What a register holds at entry when it is no argument: recognisable, different for each register,
// with a high half that a 32-bit operation would clear, no address of anything, and no tail-call
// count that a program could take over from its caller.
std::uint64_t entry_poison(std::size_t hardware_register) {
  return 0x7e57'0000'7e57'0000 | hardware_register << 32 | hardware_register;
}

// Room above the entry for stores that miss the frame upwards. The stack is aligned here; on x86-64
// the entry is 8 mod 16 then, as after a call.
constexpr std::uint64_t kStackAtCall = guest::kStackTop - 0x400;

void reset(MachineRun& run) {
  run.stop = StopReason::kReturned;
  run.detail.clear();
  run.fault_pc = 0;
  run.fault_address = 0;
  run.result = 0;
  run.exit_registers = {};
  run.exit_sp = 0;
  run.context.clear();
  run.regions.clear();
  run.object_padding_intact = true;
  run.events.clear();
  run.activations.clear();
  run.frames.clear();
  run.accesses.clear();
  run.landings.clear();
  run.shadow.clear();
  run.steps.clear();
  run.caller_stack_changed = 0;
  run.tail_calls = 0;
  run.lowest_sp = guest::kStackTop;
  run.instructions = 0;
}

// A run that is not observed: helpers work, nothing else is looked at.
class BareClient final : public EngineClient {
 public:
  BareClient(Engine& engine, const Target& target, const Image& image, HelperMock& mock)
      : engine_(engine), target_(target), image_(image), mock_(mock) {}

  void on_block(std::uint64_t address, std::uint32_t) override {
    if (address == target_.loop_end(image_.stub_base)) return mock_.end_loop(engine_);
    const std::uint64_t offset = address - image_.stub_base;
    if (offset >= kLoopRoutineOffset) return;
    const HelperInfo* helper = find_helper(static_cast<std::int32_t>(offset / guest::kStubStride));
    if (helper == nullptr || helper->number == kTailCallHelper) return engine_.stop();
    if (helper->number == kLoopHelper) return mock_.begin_loop(engine_);
    RegisterFile registers{};
    engine_.read_all(registers);
    if (mock_.call(engine_, *helper, registers).problem != nullptr) engine_.stop();
  }
  void on_instruction(std::uint64_t) override {}
  void on_stack_access(AccessKind, std::uint64_t, std::uint8_t, std::uint64_t) override {}
  void on_fault(FaultKind, std::uint64_t) override {}

 private:
  Engine& engine_;
  const Target& target_;
  const Image& image_;
  HelperMock& mock_;
};

}  // namespace

EmulatedMachine::EmulatedMachine(std::unique_ptr<Target> target, std::size_t context_pages)
    : target_(std::move(target)),
      memory_(context_pages),
      mappings_(memory_.mappings()),
      observer_(*target_, memory_),
      bare_mock_(*target_, memory_) {}

const MachineRun& EmulatedMachine::run(const Case& value, const Image& image,
                                       const RunOptions& options) {
  PLUMB_CHECK(image.arch == target_->facts().arch);
  execute(value, image, options, run_, true);
  if (run_.stop == StopReason::kFault && options.depth == Depth::kFast) {
    // Loads are not hooked at kFast, so the emulator knows only the block that faulted.
    execute(value, image, {.depth = Depth::kFull, .block_budget = ~std::uint64_t{0}}, exact_,
            false);
    if (exact_.stop == StopReason::kFault) {
      run_.fault_pc = exact_.fault_pc;
      run_.detail = exact_.detail;
    }
  }
  return run_;
}

void EmulatedMachine::execute(const Case& value, const Image& image, const RunOptions& options,
                              MachineRun& run, bool keeps_steps) {
  reset(run);
  const char* problem = map_.build(value, image);
  const auto entry = problem == nullptr ? map_.entry_function() : std::nullopt;
  if (problem == nullptr && !entry) problem = "the entry is no function";
  if (problem != nullptr) {
    run.stop = StopReason::kEmulatorFailed;
    run.detail = problem;
    return;
  }
  Engine& engine =
      prepare_engine(options.depth == Depth::kFull ? Watch::kFull : Watch::kFast, image);
  memory_.prepare_objects(value);
  memory_.prepare_stack();
  run.entry_registers = entry_registers(value, image);
  run.entry_sp = run.entry_registers[static_cast<std::size_t>(target_->facts().stack_pointer)];
  engine.write_all(run.entry_registers);
  observer_.begin({.engine = &engine,
                   .image = &image,
                   .map = &map_,
                   .options = options,
                   .run = &run,
                   .keeps_steps = keeps_steps},
                  image.functions[*entry]);
  observer_.finish(engine.run(observer_, image.entry, guest::kExitAddress));
  memory_.collect(value, run);
}

std::uint64_t EmulatedMachine::run_bare(const Case& value, const Image& image, const RunOptions&) {
  PLUMB_CHECK(image.arch == target_->facts().arch);
  if (map_.build(value, image) != nullptr) return 0;
  Engine& engine = prepare_engine(Watch::kStubs, image);
  memory_.prepare_objects(value);
  memory_.note_whole_stack_written();  // nobody watches the stores
  engine.write_all(entry_registers(value, image));
  bare_mock_.begin(image);
  BareClient client(engine, *target_, image, bare_mock_);
  static_cast<void>(engine.run(client, image.entry, guest::kExitAddress));
  RegisterFile registers{};
  engine.read_all(registers);
  return registers[static_cast<std::size_t>(target_->facts().result)];
}

RegisterFile EmulatedMachine::entry_registers(const Case& value, const Image& image) {
  const TargetFacts& facts = target_->facts();
  RegisterFile registers{};
  for (std::size_t i = 0; i < static_cast<std::size_t>(facts.register_count); ++i) {
    registers[i] = entry_poison(i);
  }
  registers[image.registers.bpf[1]] = guest::context_address(value.context.size());
  registers[image.registers.frame_pointer] = kPoisonFramePointer;
  registers[static_cast<std::size_t>(facts.stack_pointer)] = kStackAtCall;
  if (facts.zero >= 0) registers[static_cast<std::size_t>(facts.zero)] = 0;
  target_->set_return_address(registers, memory_, guest::kExitAddress);
  return registers;
}

Engine& EmulatedMachine::prepare_engine(Watch watch, const Image& image) {
  Seat& seat = seats_[static_cast<std::size_t>(watch)];
  refresh_stubs(image);
  const bool is_worn = ++seat.runs > kMaxRunsPerEngine || seat.translated > kMaxTranslatedPerEngine;
  if (seat.engine == nullptr || is_worn || !seat.engine->map_arena(image.arena, map_.stubs())) {
    renew(seat, watch, image);
  }
  if (seat.stub_generation != stub_generation_) {
    seat.engine->drop_code(map_.stubs());
    seat.stub_generation = stub_generation_;
  }
  refresh_code(seat, image);
  return *seat.engine;
}

void EmulatedMachine::renew(Seat& seat, Watch watch, const Image& image) {
  seat = Seat{};
  seat.engine = Engine::open(target_->facts().arch, watch, mappings_);
  PLUMB_CHECK(seat.engine != nullptr);
  PLUMB_CHECK(seat.engine->map_arena(image.arena, map_.stubs()));
  seat.stub_generation = stub_generation_;
}

// A plugin that opens an arena finds it empty, also where another arena was before.
void EmulatedMachine::refresh_stubs(const Image& image) {
  if (target_->stubs_intact(image.stub_base)) return;
  target_->write_stubs(image.stub_base);
  ++stub_generation_;
}

// Old translations run silently if they are kept, and translating anew is what a run mostly costs:
// so everything that may run now is dropped, unless nothing at all changed.
void EmulatedMachine::refresh_code(Seat& seat, const Image& image) {
  bytes_.clear();
  for (const Range& range : image.code) {
    const auto* const begin = arena_bytes(range.address);
    bytes_.insert(bytes_.end(), begin, begin + range.size);
  }
  const auto watched = map_.watched();
  if (seat.code == image.code && seat.bytes == bytes_ &&
      std::ranges::equal(seat.watched, watched)) {
    return;
  }
  for (const Range& range : image.code) seat.engine->drop_code(range);
  seat.engine->watch_instructions(watched);
  seat.translated += bytes_.size();
  seat.code = image.code;
  std::swap(seat.bytes, bytes_);
  seat.watched.assign(watched.begin(), watched.end());
}

}  // namespace plumb::machine
