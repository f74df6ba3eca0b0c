// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/emulated_machine.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "core/check.h"
#include "core/unwind/code_knowledge.h"
#include "machine/code_effects.h"

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

// Room above the entry for stores that miss the frame upwards. The stack is aligned there; on
// x86-64 the entry is 8 mod 16 then, as after a call.
constexpr std::uint64_t kRoomAboveEntry = 0x400;

// Of the code at a helper's stub, in bytes.
constexpr std::uint64_t kLongestStub = 8;

bool overlap(const Range& a, const Range& b) {
  return a.address < b.address + b.size && b.address < a.address + a.size;
}

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
  run.code.clear();
  run.returns.clear();
  run.shadow.clear();
  run.steps.clear();
  run.helper_stores.clear();
  run.throws.clear();
  run.caller_stack_changed = 0;
  run.tail_calls = 0;
  run.tail_calls_seen = true;
  run.instructions = 0;
  run.interrupts = 0;
  run.knowledge = nullptr;
}

// A clause that says why code cannot have its values there, or null.
const char* check_registers(const RegisterMap& map, const TargetFacts& facts) {
  const auto exists = [&](NativeRegister native) {
    return !native.is_known() || native.number() < facts.register_count;
  };
  const auto is_argument = [&](NativeRegister native) {
    return !native.is_none() && exists(native);
  };
  const NativeRegister handed_over[] = {map.frame_pointer, map.entry_context,
                                        map.entry_context_size, map.entry_stack,
                                        map.entry_stack_size};
  if (!std::ranges::all_of(handed_over, exists)) return "a register that does not exist";
  if (!std::ranges::all_of(map.helper_argument, is_argument)) {
    return "arguments of helpers in no register";
  }
  const NativeRegister result = map.helper_result;
  if (result.is_unknown()) return nullptr;
  const bool may_change = result.is_known() && (facts.caller_saved >> result.number() & 1) != 0;
  return may_change ? nullptr : "the result of helpers in a register that they preserve";
}

// A run that is not observed: helpers work, nothing else is looked at.
class BareClient final : public EngineClient {
 public:
  BareClient(Engine& engine, const Image& image, HelperMock& mock, CCalls& c_calls)
      : engine_(engine), image_(image), mock_(mock), c_calls_(c_calls) {}

  void on_block(std::uint64_t address, std::uint32_t) override {
    if (address >= image_.placement.routines) {
      const CCalls::Outcome outcome = c_calls_.arrive(engine_, address);
      if (outcome.problem != nullptr) return engine_.stop();
      if (outcome.ends) mock_.leave(engine_);
      return;
    }
    const auto number = image_.placement.helper_at(address);
    if (number == kThrowStub)
      return c_calls_.enter(CFunction::kThrow, mock_.enter(engine_, CFunction::kThrow));
    if (number == kLoopHelper)
      return c_calls_.enter(CFunction::kLoop, mock_.enter(engine_, CFunction::kLoop));
    const HelperInfo* helper = number ? find_helper(*number) : nullptr;
    if (helper == nullptr || helper->number == kTailCallHelper) return engine_.stop();
    RegisterFile registers{};
    engine_.read_all(registers);
    if (mock_.call(engine_, *helper, registers).problem != nullptr) engine_.stop();
  }
  void on_instruction(std::uint64_t) override {}
  void on_stack_access(AccessKind, std::uint64_t, std::uint8_t, std::uint64_t) override {}
  void on_fault(FaultKind, std::uint64_t) override {}

 private:
  Engine& engine_;
  const Image& image_;
  HelperMock& mock_;
  CCalls& c_calls_;
};

}  // namespace

EmulatedMachine::EmulatedMachine(std::unique_ptr<Target> target, std::size_t context_pages)
    : target_(std::move(target)),
      memory_(context_pages),
      observer_(*target_, memory_),
      bare_mock_(*target_, memory_),
      bare_c_calls_(*target_, memory_) {}

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
  const char* problem = place(value, image);
  const auto entry = problem == nullptr ? map_.entry_function() : std::nullopt;
  if (problem == nullptr && !entry) problem = "the entry is no function";
  if (problem != nullptr) {
    run.stop = StopReason::kEmulatorFailed;
    run.detail = problem;
    return;
  }
  Engine& engine =
      prepare_engine(options.depth == Depth::kFast ? Watch::kFast : Watch::kFull, image);
  memory_.prepare_objects(value);
  memory_.prepare_stack();
  run.lowest_sp = image.placement.stack.address + image.placement.stack.size;
  run.entry_registers = entry_registers(value, image);
  run.entry_sp = run.entry_registers[static_cast<std::size_t>(target_->facts().stack_pointer)];
  engine.write_all(run.entry_registers);
  observer_.begin({.engine = &engine,
                   .image = &image,
                   .map = &map_,
                   .options = options,
                   .run = &run,
                   .keeps_steps = keeps_steps},
                  *entry);
  observer_.finish(engine.run(observer_, image.entry, image.placement.exit));
  memory_.collect(value, run);
  if (options.depth == Depth::kInterrupts) {
    run.knowledge = std::make_shared<const unwind::CodeKnowledge>(unwind_knowledge(image));
  }
}

std::uint64_t EmulatedMachine::run_bare(const Case& value, const Image& image, const RunOptions&) {
  PLUMB_CHECK(image.arch == target_->facts().arch);
  if (place(value, image) != nullptr) return 0;
  Engine& engine = prepare_engine(Watch::kStubs, image);
  memory_.prepare_objects(value);
  memory_.note_whole_stack_written();  // nobody watches the stores
  engine.write_all(entry_registers(value, image));
  bare_mock_.begin(image);
  bare_c_calls_.begin(image);
  BareClient client(engine, image, bare_mock_, bare_c_calls_);
  static_cast<void>(engine.run(client, image.entry, image.placement.exit));
  RegisterFile registers{};
  engine.read_all(registers);
  return registers[static_cast<std::size_t>(target_->facts().result)];
}

RegisterFile EmulatedMachine::entry_registers(const Case& value, const Image& image) {
  const TargetFacts& facts = target_->facts();
  const RegisterMap& map = image.registers;
  RegisterFile registers{};
  for (std::size_t i = 0; i < static_cast<std::size_t>(facts.register_count); ++i) {
    registers[i] = entry_poison(i);
  }
  const auto set = [&](NativeRegister native, std::uint64_t number) {
    if (native.is_known()) registers[native.number()] = number;
  };
  set(map.entry_context.or_else(facts.arguments.front()), image.placement.context);
  set(map.entry_context_size, value.context.size());
  set(map.entry_stack, image.placement.bpf_stack.address);
  set(map.entry_stack_size, image.placement.bpf_stack.size);
  set(map.frame_pointer, kPoisonFramePointer);
  registers[static_cast<std::size_t>(facts.stack_pointer)] =
      image.placement.stack.address + image.placement.stack.size - kRoomAboveEntry;
  if (facts.zero >= 0) registers[static_cast<std::size_t>(facts.zero)] = 0;
  target_->set_return_address(registers, memory_, image.placement.exit);
  return registers;
}

// A clause that says why the image cannot be run, or null.
const char* EmulatedMachine::place(const Case& value, const Image& image) {
  const Placement& placement = image.placement;
  if (const char* problem = memory_.check(value, image)) return problem;
  if (const char* problem = check_registers(image.registers, target_->facts())) return problem;
  const auto in_stubs = [&](const HelperStub& stub) {
    return placement.stubs.contains(stub.address, kLongestStub);
  };
  if (!placement.stubs.contains(placement.routines) ||
      !std::ranges::all_of(placement.helpers, in_stubs)) {
    return "stubs outside their range";
  }
  if (memory_.place(value, image)) {
    // What engines have translated is of no use where everything lies elsewhere.
    engines_ = {};
    engine_memory_ = {
        .mappings = memory_.mappings(), .stack = placement.stack, .per_cpu = placement.per_cpu};
  }
  if (stubs_.place(placement)) engines_ = {};
  code_.assign(placement.memory.begin(), placement.memory.end());
  if (stubs_.is_own()) code_.push_back(stubs_.range());
  for (const HostRange& code : code_) {
    for (const HostMapping& other : engine_memory_.mappings) {
      if (overlap(code.guest, other.guest)) return "code in the way of data";
    }
  }
  if (!stubs_.is_intact(*target_)) {
    // A plugin that opens an arena finds it empty, also where another arena was before.
    if (const char* problem = stubs_.write(*target_)) return problem;
    ++stub_generation_;
  }
  return map_.build(value, image, stubs_.range());
}

Engine& EmulatedMachine::prepare_engine(Watch watch, const Image& image) {
  UsedEngine& used = engines_[static_cast<std::size_t>(watch)];
  const bool is_worn = ++used.runs > kMaxRunsPerEngine || used.translated > kMaxTranslatedPerEngine;
  if (used.engine == nullptr || is_worn || !map_code(*used.engine)) {
    used = UsedEngine{};
    used.engine = Engine::open(target_->facts().arch, watch, engine_memory_);
    PLUMB_CHECK(used.engine != nullptr && map_code(*used.engine));
    used.stub_generation = stub_generation_;
  }
  used.engine->watch_stubs(image.placement.stubs);
  if (used.stub_generation != stub_generation_) {
    used.engine->drop_code(image.placement.stubs);
    used.stub_generation = stub_generation_;
  }
  refresh_code(used, image);
  return *used.engine;
}

bool EmulatedMachine::map_code(Engine& engine) const {
  return std::ranges::all_of(code_, [&](const HostRange& code) { return engine.map_code(code); });
}

// Old translations run silently if they are kept, and translating anew is what a run mostly costs:
// so everything that may run now is dropped, unless nothing at all changed.
void EmulatedMachine::refresh_code(UsedEngine& used, const Image& image) {
  bytes_.clear();
  for (const Range& range : image.code) {
    const auto code = image.placement.bytes_up_to(range.address, range.size);
    bytes_.insert(bytes_.end(), code.begin(), code.end());
  }
  const auto watched = map_.watched();
  if (used.code == image.code && used.bytes == bytes_ &&
      std::ranges::equal(used.watched, watched)) {
    return;
  }
  for (const Range& range : image.code) used.engine->drop_code(range);
  used.engine->watch_instructions(watched);
  used.translated += bytes_.size();
  used.code = image.code;
  std::swap(used.bytes, bytes_);
  used.watched.assign(watched.begin(), watched.end());
}

}  // namespace plumb::machine
