// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/engine.h"

#include <unicorn/unicorn.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/check.h"

namespace plumb::machine {

// The handle and what the C callbacks need; its address is their user data, so it never moves.
struct Engine::Handle {
  uc_engine* uc = nullptr;
  Watch watch = Watch::kFast;
  EngineArch arch;
  EngineClient* client = nullptr;  // only while it runs
  uc_err last_error = UC_ERR_OK;
  Range stack;
  std::vector<HostRange> code;
  std::vector<Range> stubs;  // watched
  std::vector<uc_hook> instruction_hooks;

  Handle() = default;
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (uc != nullptr) PLUMB_CHECK(uc_close(uc) == UC_ERR_OK);
  }
};

namespace {

constexpr std::uint64_t kEverywhereBegin = 1;  // begin > end: no bounds
constexpr std::uint64_t kEverywhereEnd = 0;
// Unicorn 2.0 registers every call site of a hook that is the only one of its kind, which costs
// more than it saves in code that runs once: a second hook, which never matches, keeps it from
// that.
constexpr std::uint64_t kNowhere = 2;
constexpr std::size_t kMaxBatch = kMaxNativeRegisters + 1;

Engine::Handle& handle_of(void* user) { return *static_cast<Engine::Handle*>(user); }

std::uint64_t code_address(const Engine::Handle& handle, std::uint64_t address) {
  return plumb::code_address(handle.arch.arch, address);
}

void block_hook(uc_engine*, std::uint64_t address, std::uint32_t size, void* user) {
  const Engine::Handle& handle = handle_of(user);
  handle.client->on_block(code_address(handle, address), size);
}

void instruction_hook(uc_engine*, std::uint64_t address, std::uint32_t, void* user) {
  const Engine::Handle& handle = handle_of(user);
  handle.client->on_instruction(code_address(handle, address));
}

// The emulator reports a value that is stored as wide as it is, zero-extended.
void access_hook(uc_engine*, uc_mem_type type, std::uint64_t address, int size, std::int64_t value,
                 void* user) {
  EngineClient& client = *handle_of(user).client;
  const auto bytes = static_cast<std::uint8_t>(size);
  if (type == UC_MEM_WRITE) {
    client.on_stack_access(AccessKind::kWrite, address, bytes, static_cast<std::uint64_t>(value));
  } else {
    client.on_stack_access(AccessKind::kRead, address, bytes, 0);
  }
}

FaultKind fault_kind(uc_mem_type type) {
  switch (type) {
    case UC_MEM_WRITE:
    case UC_MEM_WRITE_UNMAPPED:
    case UC_MEM_WRITE_PROT:
      return FaultKind::kWrite;
    case UC_MEM_FETCH:
    case UC_MEM_FETCH_UNMAPPED:
    case UC_MEM_FETCH_PROT:
      return FaultKind::kExecute;
    case UC_MEM_READ:
    case UC_MEM_READ_UNMAPPED:
    case UC_MEM_READ_PROT:
    case UC_MEM_READ_AFTER:
      break;
  }
  return FaultKind::kRead;
}

// Unicorn 2.0 tells all 64 bits of an address that x86-64 cannot map, 2.1 the 52 of a physical
// address: those, so that either says the same.
std::uint64_t data_address(const Engine::Handle& handle, std::uint64_t address) {
  constexpr std::uint64_t kPhysical = (std::uint64_t{1} << 52) - 1;
  return handle.arch.arch == Arch::kX86_64 ? address & kPhysical : address;
}

bool fault_hook(uc_engine*, uc_mem_type type, std::uint64_t address, int, std::int64_t,
                void* user) {
  const Engine::Handle& handle = handle_of(user);
  const FaultKind kind = fault_kind(type);
  const bool is_code = kind == FaultKind::kExecute;
  handle.client->on_fault(kind,
                          is_code ? code_address(handle, address) : data_address(handle, address));
  return false;  // not repaired: the run ends
}

// The C API takes every callback as void*.
template <typename Callback>
uc_hook add_hook(Engine::Handle& handle, int type, Callback callback, std::uint64_t begin,
                 std::uint64_t end) {
  uc_hook hook = 0;
  PLUMB_CHECK(uc_hook_add(handle.uc, &hook, type, reinterpret_cast<void*>(callback), &handle, begin,
                          end) == UC_ERR_OK);
  return hook;
}

// Hooks of code: at the range and at its alias.
void add_code_hooks(Engine::Handle& handle, int type, uc_cb_hookcode_t callback, const Range& range,
                    std::vector<uc_hook>* hooks) {
  const auto add = [&](std::uint64_t begin) {
    const uc_hook hook = add_hook(handle, type, callback, begin, begin + range.size - 1);
    if (hooks != nullptr) hooks->push_back(hook);
  };
  add(range.address);
  if (has_code_alias(handle.arch.arch)) add(kCodeAlias | range.address);
}

bool watches_everything(const Engine::Handle& handle) {
  return handle.watch == Watch::kFull ||
         (handle.watch == Watch::kFast && !handle.arch.knows_accessing_insn);
}

void add_hooks(Engine::Handle& handle) {
  const std::uint64_t stack_end = handle.stack.address + handle.stack.size - 1;
  add_hook(handle, UC_HOOK_MEM_INVALID, fault_hook, kEverywhereBegin, kEverywhereEnd);
  if (handle.watch == Watch::kStubs) return;
  add_hook(handle, UC_HOOK_BLOCK, block_hook, kEverywhereBegin, kEverywhereEnd);
  add_hook(handle, UC_HOOK_BLOCK, block_hook, kNowhere, kNowhere);
  add_hook(handle, UC_HOOK_MEM_WRITE, access_hook, handle.stack.address, stack_end);
  if (watches_everything(handle)) {
    add_hook(handle, UC_HOOK_CODE, instruction_hook, kEverywhereBegin, kEverywhereEnd);
    add_hook(handle, UC_HOOK_CODE, instruction_hook, kNowhere, kNowhere);
  }
  if (handle.watch != Watch::kFull) return;
  add_hook(handle, UC_HOOK_MEM_READ, access_hook, handle.stack.address, stack_end);
}

std::uint32_t protection(const HostMapping& mapping) {
  std::uint32_t bits = UC_PROT_READ;
  if (mapping.writable) bits |= UC_PROT_WRITE;
  if (mapping.executable) bits |= UC_PROT_EXEC;
  return bits;
}

EngineArch engine_arch(Arch arch) {
  switch (arch) {
    case Arch::kX86_64:
      return engine_arch_x86_64();
    case Arch::kArm64:
      return engine_arch_arm64();
    case Arch::kRiscv64:
      return engine_arch_riscv64();
  }
  return engine_arch_x86_64();
}

constexpr std::size_t kMaxInstructionHooks = 64;

Range hull(std::span<const Range> ranges) {
  std::uint64_t begin = ~std::uint64_t{0};
  std::uint64_t end = 0;
  for (const Range& range : ranges) {
    begin = std::min(begin, range.address);
    end = std::max(end, range.address + range.size);
  }
  return {.address = begin, .size = end - begin};
}

bool overlap(const Range& a, const Range& b) {
  return a.address < b.address + b.size && b.address < a.address + a.size;
}

}  // namespace

std::unique_ptr<Engine> Engine::open(Arch arch, Watch watch, const EngineMemory& memory) {
  auto handle = std::make_unique<Handle>();
  handle->watch = watch;
  handle->arch = engine_arch(arch);
  handle->stack = memory.stack;
  PLUMB_CHECK(uc_open(static_cast<uc_arch>(handle->arch.emulator_arch),
                      static_cast<uc_mode>(handle->arch.emulator_mode), &handle->uc) == UC_ERR_OK);
  if (handle->arch.cpu_model >= 0) {
    PLUMB_CHECK(uc_ctl_set_cpu_model(handle->uc, handle->arch.cpu_model) == UC_ERR_OK);
  }
  for (const HostMapping& m : memory.mappings) {
    PLUMB_CHECK(uc_mem_map_ptr(handle->uc, m.guest.address, m.guest.size, protection(m), m.host) ==
                UC_ERR_OK);
  }
  if (handle->arch.per_cpu_base != 0) {
    PLUMB_CHECK(uc_reg_write(handle->uc, handle->arch.per_cpu_base, &memory.per_cpu) == UC_ERR_OK);
  }
  add_hooks(*handle);
  return std::unique_ptr<Engine>(new Engine(std::move(handle)));
}

Engine::Engine(std::unique_ptr<Handle> handle) : handle_(std::move(handle)) {}
Engine::~Engine() = default;

bool Engine::map_code(const HostRange& memory) {
  if (std::ranges::find(handle_->code, memory) != handle_->code.end()) return true;
  for (const HostRange& other : handle_->code) {
    if (overlap(memory.guest, other.guest)) return false;
  }
  const auto map_at = [&](std::uint64_t address) {
    PLUMB_CHECK(uc_mem_map_ptr(handle_->uc, address, memory.guest.size, UC_PROT_READ | UC_PROT_EXEC,
                               memory.host) == UC_ERR_OK);
  };
  map_at(memory.guest.address);
  if (has_code_alias(handle_->arch.arch)) map_at(kCodeAlias | memory.guest.address);
  handle_->code.push_back(memory);
  return true;
}

void Engine::watch_stubs(const Range& stubs) {
  if (handle_->watch != Watch::kStubs) return;
  if (std::ranges::find(handle_->stubs, stubs) != handle_->stubs.end()) return;
  add_code_hooks(*handle_, UC_HOOK_BLOCK, block_hook, stubs, nullptr);
  handle_->stubs.push_back(stubs);
}

void Engine::drop_code(const Range& range) {
  if (range.size == 0) return;
  // Translations belong to the host's memory: those of the alias go with the others.
  PLUMB_CHECK(uc_ctl_remove_cache(handle_->uc, range.address, range.address + range.size) ==
              UC_ERR_OK);
}

void Engine::watch_instructions(std::span<const Range> ranges) {
  if (handle_->watch == Watch::kStubs || watches_everything(*handle_)) return;
  for (const uc_hook hook : handle_->instruction_hooks) {
    PLUMB_CHECK(uc_hook_del(handle_->uc, hook) == UC_ERR_OK);
  }
  handle_->instruction_hooks.clear();
  if (ranges.size() > kMaxInstructionHooks) {
    const Range all = hull(ranges);
    add_code_hooks(*handle_, UC_HOOK_CODE, instruction_hook, all, &handle_->instruction_hooks);
    return;
  }
  for (const Range& range : ranges) {
    add_code_hooks(*handle_, UC_HOOK_CODE, instruction_hook, range, &handle_->instruction_hooks);
  }
}

EngineStatus Engine::run(EngineClient& client, std::uint64_t begin, std::uint64_t end) {
  handle_->client = &client;
  handle_->last_error = uc_emu_start(handle_->uc, begin, end, 0, 0);
  handle_->client = nullptr;
  switch (handle_->last_error) {
    case UC_ERR_OK:
      return EngineStatus::kStopped;
    case UC_ERR_READ_UNMAPPED:
    case UC_ERR_WRITE_UNMAPPED:
    case UC_ERR_FETCH_UNMAPPED:
    case UC_ERR_READ_PROT:
    case UC_ERR_WRITE_PROT:
    case UC_ERR_FETCH_PROT:
      return EngineStatus::kFault;
    case UC_ERR_INSN_INVALID:
      return EngineStatus::kInvalidInsn;
    case UC_ERR_EXCEPTION:
      return EngineStatus::kTrap;
    default:  // the library's other errors say that it was used wrongly or ran out of something
      return EngineStatus::kFailed;
  }
}

void Engine::stop() { PLUMB_CHECK(uc_emu_stop(handle_->uc) == UC_ERR_OK); }

std::string_view Engine::message() const { return uc_strerror(handle_->last_error); }

std::uint64_t Engine::program_counter() const {
  std::uint64_t value = 0;
  PLUMB_CHECK(uc_reg_read(handle_->uc, handle_->arch.program_counter, &value) == UC_ERR_OK);
  return code_address(*handle_, value);
}

std::uint64_t Engine::read(int hardware_register) const {
  const int id = handle_->arch.general[static_cast<std::size_t>(hardware_register)];
  std::uint64_t value = 0;
  PLUMB_CHECK(uc_reg_read(handle_->uc, id, &value) == UC_ERR_OK);
  return value;
}

void Engine::read(std::span<const int> hardware_registers, std::uint64_t* values) const {
  PLUMB_CHECK(hardware_registers.size() <= kMaxBatch);
  std::array<int, kMaxBatch> ids;
  std::array<void*, kMaxBatch> pointers;
  for (std::size_t i = 0; i < hardware_registers.size(); ++i) {
    ids[i] = handle_->arch.general[static_cast<std::size_t>(hardware_registers[i])];
    pointers[i] = &values[i];
  }
  PLUMB_CHECK(uc_reg_read_batch(handle_->uc, ids.data(), pointers.data(),
                                static_cast<int>(hardware_registers.size())) == UC_ERR_OK);
}

void Engine::read_all(RegisterFile& values) const {
  const auto general = handle_->arch.general;
  std::array<int, kMaxBatch> ids;
  std::array<void*, kMaxBatch> pointers;
  for (std::size_t i = 0; i < general.size(); ++i) {
    ids[i] = general[i];
    pointers[i] = &values[i];
  }
  PLUMB_CHECK(uc_reg_read_batch(handle_->uc, ids.data(), pointers.data(),
                                static_cast<int>(general.size())) == UC_ERR_OK);
}

namespace {

void write_masked(Engine::Handle& handle, std::uint32_t mask, const RegisterFile& values,
                  std::uint64_t flags) {
  RegisterFile copy = values;  // the C API takes pointers to non-const
  std::array<int, kMaxBatch> ids;
  std::array<void*, kMaxBatch> pointers;
  int count = 0;
  const auto append = [&](int id, std::uint64_t* value) {
    ids[static_cast<std::size_t>(count)] = id;
    pointers[static_cast<std::size_t>(count)] = value;
    ++count;
  };
  for (std::size_t i = 0; i < handle.arch.general.size(); ++i) {
    if ((mask >> i & 1u) != 0) append(handle.arch.general[i], &copy[i]);
  }
  if (handle.arch.flags != 0) append(handle.arch.flags, &flags);
  PLUMB_CHECK(uc_reg_write_batch(handle.uc, ids.data(), pointers.data(), count) == UC_ERR_OK);
}

}  // namespace

void Engine::write_all(const RegisterFile& values) {
  write_masked(*handle_, ~0u, values, handle_->arch.initial_flags);
}

void Engine::scramble(std::uint32_t mask, const RegisterFile& values) {
  write_masked(*handle_, mask, values, handle_->arch.scrambled_flags);
}

}  // namespace plumb::machine
