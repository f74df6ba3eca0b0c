// SPDX-License-Identifier: GPL-2.0-or-later
#include <asm/prctl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <functional>
#include <utility>

#include "core/check.h"
#include "core/guest.h"
#include "machine/native/fault_catcher.h"
#include "machine/native/native_machine.h"
#include "machine/native/native_memory.h"
#include "machine/native/native_stubs.h"
#include "machine/native/trampoline.h"

namespace plumb::machine {
namespace {

constexpr std::uint64_t kPage = guest::kPage;
// Processor time. A case that the oracle defines has a few thousand instructions.
constexpr double kOnceSeconds = 1.0;
constexpr double kTraceSeconds = 10.0;
constexpr double kManySeconds = 10.0;
// As the emulated machine has it: room above the entry for stores that miss the frame upwards.
constexpr std::uint64_t kRoomAboveEntry = 0x400;

constexpr std::size_t kRax = 0;
constexpr std::size_t kRsp = 4;
constexpr std::uint8_t kRdi = 7;
struct NamedRegister {
  std::size_t number;
  const char* name;
};
constexpr NamedRegister kCalleeSaved[] = {{3, "rbx"},  {5, "rbp"},  {12, "r12"},
                                          {13, "r13"}, {14, "r14"}, {15, "r15"}};

// What a register holds at entry when it is no argument: no address of anything, different for each
// register, with a high half that a 32-bit operation would clear.
constexpr std::uint64_t entry_poison(std::size_t number) {
  return 0x7e57'0000'7e57'0000 | number << 32 | number;
}

class MachineX86_64 final : public NativeMachine {
 public:
  MachineX86_64(Trampoline trampoline, std::unique_ptr<FaultCatcher> catcher)
      : trampoline_(std::move(trampoline)), catcher_(std::move(catcher)) {}

  Result<NativeCode> load(const Case& value, const Image& image, NativeHelpers helpers) override;

 private:
  NativeRun run() override;
  NativeStop repeat(std::uint64_t calls) override { return repeat(image_->entry, calls); }
  NativeStop repeat_empty(std::uint64_t calls) override {
    return repeat(trampoline_.empty_function(), calls);
  }
  std::vector<std::uint64_t> trace() override;
  void unload() override;

  [[nodiscard]] Result<void> check(const Image& image) const;
  [[nodiscard]] Result<void> write_stubs(NativeHelpers helpers);
  [[nodiscard]] bool protect_code() const;
  [[nodiscard]] CatchPlan plan() const;
  void prepare();
  [[nodiscard]] NativeStop repeat(std::uint64_t function, std::uint64_t calls);
  [[nodiscard]] NativeStop stop_of(const CaughtSignal& caught) const;
  [[nodiscard]] std::string place_of(std::uint64_t pc) const;
  [[nodiscard]] bool is_wild(const NativeStop& stop) const;
  [[nodiscard]] std::string after_what();
  [[nodiscard]] std::vector<std::string> broken_promises() const;

  Trampoline trampoline_;
  std::unique_ptr<FaultCatcher> catcher_;
  NativeMemory memory_;
  std::vector<std::uint8_t> stubs_;  // for the placement of the last image, and its helpers
  NativeHelpers helpers_{};
  Range stubs_at_;
  std::uint64_t routines_at_ = 0;
  const Image* image_ = nullptr;  // null: nothing is loaded
  Case value_;
  std::uint64_t gs_before_ = 0;
};

bool set_protection(Range range, int protection) {
  return mprotect(native_bytes(range.address), range.size, protection) == 0;
}

Range whole_pages(Range range) {
  const std::uint64_t first = range.address / kPage * kPage;
  const std::uint64_t end = (range.address + range.size + kPage - 1) / kPage * kPage;
  return {first, end - first};
}

// Programs are called here, and helpers made, as the platform's ABI says. A clause that names what
// an image wants otherwise, or null.
const char* unlike_abi(const RegisterMap& map) {
  constexpr std::uint8_t kArguments[] = {7, 6, 2, 1, 8};
  for (std::size_t i = 0; i < map.helper_argument.size(); ++i) {
    if (map.helper_argument[i].or_else(kArguments[i]) != NativeRegister(kArguments[i])) {
      return "helpers get their arguments elsewhere than in the ABI's registers";
    }
  }
  constexpr NativeRegister kResult = std::uint8_t{kRax};
  if (map.helper_result.or_else(kResult) != kResult) {
    return "the result of helpers is elsewhere than in the ABI's register";
  }
  constexpr NativeRegister kContext = kRdi;
  if (map.entry_context.or_else(kContext) != kContext || map.entry_context_size.is_known() ||
      map.entry_stack.is_known() || map.entry_stack_size.is_known()) {
    return "programs get more than their context, or get it elsewhere than in the ABI's register";
  }
  if (map.frame_pointer.is_known() && map.frame_pointer.number() >= kX86Registers) {
    return "the frame pointer is no register of x86-64";
  }
  return nullptr;
}

// For all images that native code here can be: its code lies where the image says.
Result<void> MachineX86_64::check(const Image& image) const {
  if (image.arch != Arch::kX86_64) {
    return fail(fmt::format("code for {} does not run on x86-64", arch_name(image.arch)));
  }
  if (const char* problem = unlike_abi(image.registers)) return fail(problem);
  for (const HostRange& range : image.placement.memory) {
    if (native_bytes(range.guest.address) != range.host || range.guest.address % kPage != 0) {
      return fail("the image does not lie at its own addresses");
    }
  }
  const auto is_held = [&](const Range& range) {
    return std::ranges::any_of(image.placement.memory, [&](const HostRange& memory) {
      return memory.guest.contains(range.address, range.size);
    });
  };
  if (!std::ranges::all_of(image.code, is_held) || !is_held(image.placement.stubs)) {
    return fail("code or stubs outside the image's memory");
  }
  return {};
}

Result<NativeCode> MachineX86_64::load(const Case& value, const Image& image,
                                       NativeHelpers helpers) {
  PLUMB_CHECK(image_ == nullptr);
  if (auto checked = check(image); !checked) return std::unexpected(checked.error());
  if (auto placed = memory_.place(value, image.placement); !placed) {
    return std::unexpected(placed.error());
  }
  image_ = &image;
  value_ = value;
  if (auto written = write_stubs(helpers); !written) {
    image_ = nullptr;
    return std::unexpected(written.error());
  }
  if (!protect_code() || syscall(SYS_arch_prctl, ARCH_GET_GS, &gs_before_) != 0 ||
      syscall(SYS_arch_prctl, ARCH_SET_GS, image.placement.per_cpu) != 0) {
    const int error = errno;
    unload();
    return fail(fmt::format("code cannot be made executable: {}", std::strerror(error)));
  }
  prepare();
  return NativeCode(*this);
}

Result<void> MachineX86_64::write_stubs(NativeHelpers helpers) {
  const Placement& placement = image_->placement;
  const bool is_for_these =
      stubs_at_ == placement.stubs && routines_at_ == placement.routines && helpers_ == helpers;
  if (!is_for_these) {
    auto stubs = native_stubs(placement, helpers);
    if (!stubs) return std::unexpected(stubs.error());
    stubs_ = *std::move(stubs);
    stubs_at_ = placement.stubs;
    routines_at_ = placement.routines;
    helpers_ = helpers;
  }
  std::uint8_t* const at = native_bytes(placement.stubs.address);
  if (std::memcmp(at, stubs_.data(), stubs_.size()) != 0) std::ranges::copy(stubs_, at);
  return {};
}

// Code can be read and executed, the image's other memory read.
bool MachineX86_64::protect_code() const {
  for (const HostRange& memory : image_->placement.memory) {
    if (!set_protection(memory.guest, PROT_READ)) return false;
  }
  const auto protect = [](const Range& code) {
    return code.size == 0 || set_protection(whole_pages(code), PROT_READ | PROT_EXEC);
  };
  return protect(image_->placement.stubs) && std::ranges::all_of(image_->code, protect);
}

void MachineX86_64::unload() {
  for (const HostRange& memory : image_->placement.memory) {
    PLUMB_CHECK(set_protection(memory.guest, PROT_READ | PROT_WRITE));
  }
  PLUMB_CHECK(syscall(SYS_arch_prctl, ARCH_SET_GS, gs_before_) == 0);
  image_ = nullptr;
}

CatchPlan MachineX86_64::plan() const {
  const TrampolineData& data = trampoline_.data();
  return {.running = &data.running,
          .give_up = trampoline_.give_up(),
          .sp = &data.host_sp,
          .step_end = trampoline_.returned(),
          .steps = nullptr};
}

// Memory and registers on arrival.
void MachineX86_64::prepare() {
  memory_.prepare(value_);
  TrampolineData& data = trampoline_.data();
  const Placement& placement = image_->placement;
  for (std::size_t i = 0; i < kX86Registers; ++i) data.before[i] = entry_poison(i);
  data.before[kRdi] = placement.context;
  const NativeRegister frame_pointer = image_->registers.frame_pointer;
  if (frame_pointer.is_known()) data.before[frame_pointer.number()] = kPoisonFramePointer;
  data.before[kRsp] = placement.stack.address + placement.stack.size - kRoomAboveEntry;
  data.flags_before = kPlainFlags;
  data.entry = image_->entry;
}

NativeRun MachineX86_64::run() {
  prepare();
  const auto once = [this] { trampoline_.once(); };
  NativeRun run;
  run.stop = stop_of(catcher_->call(once, plan(), kOnceSeconds));
  const auto context = memory_.context();
  run.context.assign(context.begin(), context.end());
  for (std::size_t i = 0; i < value_.regions.size(); ++i) {
    const auto region = memory_.region(i);
    run.regions.emplace_back(region.begin(), region.end());
  }
  if (!run.stop.returned()) {
    if (is_wild(run.stop)) run.stop.detail += after_what();
    return run;
  }
  run.result = trampoline_.data().after[kRax];
  run.broken = broken_promises();
  return run;
}

// Did it leave the image before the signal came?
bool MachineX86_64::is_wild(const NativeStop& stop) const {
  return stop.reason != StopReason::kBudget &&
         std::ranges::none_of(image_->code,
                              [&](const Range& code) { return code.contains(stop.pc); });
}

// Where the image was left: another run of the same tells.
std::string MachineX86_64::after_what() {
  const std::vector<std::uint64_t> steps = trace();
  return steps.empty() ? std::string() : ", left " + place_of(steps.back());
}

std::vector<std::string> MachineX86_64::broken_promises() const {
  const TrampolineData& data = trampoline_.data();
  std::vector<std::string> broken;
  for (const NamedRegister& reg : kCalleeSaved) {
    if (data.after[reg.number] == data.before[reg.number]) continue;
    broken.push_back(fmt::format("{} is not what the caller had in it", reg.name));
  }
  if (data.after[kRsp] != data.before[kRsp]) {
    const auto off = static_cast<std::int64_t>(data.after[kRsp] - data.before[kRsp]);
    broken.push_back(fmt::format("the stack pointer is off by {}", off));
  }
  if ((data.flags_after & kDirectionFlag) != 0) broken.emplace_back("the direction flag is set");
  if (!memory_.canaries_from(data.before[kRsp])) {
    broken.emplace_back("the caller's stack was written");
  }
  if (!memory_.padding_intact()) {
    broken.emplace_back("something was written beside the context or a region");
  }
  return broken;
}

NativeStop MachineX86_64::repeat(std::uint64_t function, std::uint64_t calls) {
  PLUMB_CHECK(calls != 0);
  TrampolineData& data = trampoline_.data();
  data.entry = function;
  data.calls = calls;
  const auto many = [this] { trampoline_.many(); };
  return stop_of(catcher_->call(many, plan(), kManySeconds));
}

std::vector<std::uint64_t> MachineX86_64::trace() {
  prepare();
  trampoline_.data().flags_before |= kTrapFlag;
  CatchPlan stepping = plan();
  stepping.steps = &image_->code;
  const auto once = [this] { trampoline_.once(); };
  static_cast<void>(catcher_->call(once, stepping, kTraceSeconds));
  return catcher_->steps();
}

NativeStop MachineX86_64::stop_of(const CaughtSignal& caught) const {
  if (caught.number == 0) return {};
  NativeStop stop;
  stop.pc = caught.pc;
  stop.address = caught.address;
  const std::string place = place_of(caught.pc);
  switch (caught.number) {
    case SIGVTALRM:
      stop.reason = StopReason::kBudget;
      stop.detail = fmt::format("no end after a long time, {}", place);
      return stop;
    case SIGILL:
    case SIGTRAP:
      stop.reason = StopReason::kInvalidInsn;
      break;
    default:
      stop.reason = StopReason::kFault;
  }
  stop.detail = fmt::format("{} {}", signal_name(caught.number), place);
  return stop;
}

// Host addresses are not for reports: they differ from run to run.
std::string MachineX86_64::place_of(std::uint64_t pc) const {
  if (const NativeFunction* const function = image_->function_at(pc)) {
    const Program& program = value_.programs[static_cast<std::size_t>(function->program)];
    return fmt::format("in {}.{} at offset {:#x}", program.name,
                       program.functions[static_cast<std::size_t>(function->function)].name,
                       pc - function->address);
  }
  if (image_->placement.stubs.contains(pc)) return "in a helper's stub";
  for (const Range& memory : image_->code) {
    if (memory.contains(pc)) return "in the image, outside its functions";
  }
  return "outside the image";
}

}  // namespace

Result<std::unique_ptr<NativeMachine>> NativeMachine::open() {
  auto trampoline = Trampoline::make();
  if (!trampoline) return std::unexpected(trampoline.error());
  auto catcher = FaultCatcher::install();
  if (!catcher) return std::unexpected(catcher.error());
  // Where the images of all our JITs want their data.
  NativeMemory memory;
  if (auto placed = memory.place(Case{}, guest::placement(Case{}, {})); !placed) {
    return std::unexpected(placed.error());
  }
  return std::make_unique<MachineX86_64>(*std::move(trampoline), *std::move(catcher));
}

}  // namespace plumb::machine
