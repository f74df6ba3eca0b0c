// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/code_map.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/guest.h"
#include "core/opcode.h"
#include "core/printable.h"

namespace plumb::machine {
namespace {

// Of a thunk whose size is not given: longer than retpolines and plain return thunks. An address
// that lies in a function as well belongs to the function.
constexpr std::uint64_t kThunkSize = 64;
constexpr std::uint64_t kMaxCodeSpan = 1u << 28;

constexpr std::uint8_t kCallOpcode = 0x85;

bool is_tail_call(const Insn& insn) {
  return insn.opcode == kCallOpcode && insn.src == 0 && insn.immediate == kTailCallHelper;
}

bool is_atomic_operation(const Insn& insn) {
  constexpr std::uint8_t kAtomic32 = 0xc3;
  constexpr std::uint8_t kAtomic64 = 0xdb;
  return insn.opcode == kAtomic32 || insn.opcode == kAtomic64;
}

bool is_bpf_call(const Insn& insn) { return insn.opcode == kCallOpcode && insn.src == kPseudoCall; }

bool loops_to_start(const Function& function) {
  for (std::size_t slot = 0; slot < function.insns.size(); ++slot) {
    const OpcodeInfo* const info = decode(function.insns[slot]);
    if (info == nullptr || !is_jump(info->operation)) continue;
    if (jump_target(function.insns[slot], static_cast<std::int64_t>(slot)) == 0) return true;
  }
  return false;
}

const Function* find_function(const Case& value, int program, int function) {
  if (program < 0 || static_cast<std::size_t>(program) >= value.programs.size()) return nullptr;
  const auto& functions = value.programs[static_cast<std::size_t>(program)].functions;
  if (function < 0 || static_cast<std::size_t>(function) >= functions.size()) return nullptr;
  return &functions[static_cast<std::size_t>(function)];
}

}  // namespace

const char* CodeMap::build(const Case& value, const Image& image, const HostRange& stubs) {
  for (const Range& range : marked_) {
    std::fill_n(roles_.begin() + static_cast<std::ptrdiff_t>(range.address), range.size,
                std::uint16_t{0});
  }
  marked_.clear();
  watched_.clear();
  thunks_.clear();
  case_ = &value;
  image_ = &image;
  span_ = 0;
  stubs_ = stubs;
  memory_ = {};
  for (const HostRange& memory : image.placement.memory) {
    if (memory.guest.contains(image.entry)) memory_ = memory;
  }
  if (image.functions.empty()) return "no functions";
  if (image.functions.size() >= Role::kFunctionMask) return "too many functions";
  std::uint64_t low = ~std::uint64_t{0};
  std::uint64_t high = 0;
  for (const NativeFunction& f : image.functions) {
    if (!image.arena.contains(f.address, f.size)) return "a function outside the arena";
    if (image.placement.bytes_up_to(f.address, f.size).size() != f.size) {
      return "a function outside all memory";
    }
    if (find_function(value, f.program, f.function) == nullptr) return "an unknown function";
    low = std::min(low, f.address);
    high = std::max(high, f.address + f.size);
  }
  if (high - low > kMaxCodeSpan) return "functions too far apart";
  base_ = low;
  span_ = high - low;
  if (roles_.size() < span_) roles_.resize(span_);
  for (const Symbol& symbol : image.symbols) {
    const std::uint64_t size = symbol.size != 0 ? symbol.size : kThunkSize;
    if (symbol.is_thunk) thunks_.push_back({{symbol.address, size}, &symbol});
  }
  for (std::size_t i = 0; i < image.functions.size(); ++i) mark_function(i);
  for (const NativeFunction& f : image.functions) {
    if (f.size != 0 && in_thunk(f.address - 1)) watched_.push_back({f.address, 1});
  }
  return nullptr;
}

void CodeMap::mark(std::uint64_t address, std::uint16_t flag) {
  roles_[address - base_] = static_cast<std::uint16_t>(roles_[address - base_] | flag);
}

void CodeMap::mark_function(std::size_t index) {
  const NativeFunction& f = image_->functions[index];
  const Range range{f.address - base_, f.size};
  std::fill_n(roles_.begin() + static_cast<std::ptrdiff_t>(range.address), range.size,
              static_cast<std::uint16_t>(index + 1));
  marked_.push_back(range);
  if (f.size == 0) return;
  mark(f.address, Role::kEntry);
  if (f.tail_call_entry_unknown) {
    for (std::uint32_t i = 0; i < f.size; ++i) mark(f.address + i, Role::kTailCallEntry);
  } else if (f.tail_call_entry && *f.tail_call_entry < f.size) {
    mark(f.address + *f.tail_call_entry, Role::kTailCallEntry);
  }
  if (f.insn_offsets.empty()) {
    const Function& function = *find_function(*case_, f.program, f.function);
    if (std::ranges::any_of(function.insns, is_atomic_operation)) {
      watched_.push_back({f.address, f.size});
    }
    return;
  }
  mark_slots(f);
}

void CodeMap::mark_slots(const NativeFunction& f) {
  const bool caller_restores = image_->contract.r6_r9_saved_by == Side::kCaller ||
                               image_->contract.r10_moved_by == Side::kCaller;
  const std::vector<Insn>& insns = find_function(*case_, f.program, f.function)->insns;
  for (std::size_t slot = 0; slot + 1 < f.insn_offsets.size(); ++slot) {
    const std::uint32_t begin = f.insn_offsets[slot];
    const std::uint32_t end = std::min(f.insn_offsets[slot + 1], f.size);
    if (begin >= end) continue;  // no code
    mark(f.address + begin, Role::kSlotStart);
    if (slot >= insns.size()) continue;
    if (is_atomic_operation(insns[slot])) watched_.push_back({f.address + begin, end - begin});
    if (caller_restores && is_bpf_call(insns[slot]) && end != f.size) {
      watched_.push_back({f.address + end, 1});
    }
    if (!is_tail_call(insns[slot])) continue;
    for (std::uint32_t i = begin; i < end; ++i) mark(f.address + i, Role::kTailCall);
    if (end == f.size) continue;
    mark(f.address + end, Role::kAfterTailCall);
    watched_.push_back({f.address + end, 1});
  }
}

const std::uint8_t* CodeMap::other_bytes(std::uint64_t address) const {
  if (in_stubs(address)) return stubs_.host + (address - stubs_.guest.address);
  const auto bytes = image_->placement.bytes_up_to(address, 1);
  return bytes.empty() ? nullptr : bytes.data();
}

const CodeMap::Thunk* CodeMap::find_thunk(std::uint64_t address) const {
  const auto it = std::ranges::find_if(
      thunks_, [address](const Thunk& thunk) { return thunk.code.contains(address); });
  return it == thunks_.end() ? nullptr : &*it;
}

Place CodeMap::place(std::uint64_t address) const {
  const NativeFunction& f = function(role(address));
  return {.program = static_cast<std::int16_t>(f.program),
          .function = static_cast<std::int16_t>(f.function),
          .slot = slot_at(f, static_cast<std::uint32_t>(address - f.address))};
}

const Insn* CodeMap::insn(const Place& place) const {
  const Function* const function = find_function(*case_, place.program, place.function);
  if (function == nullptr || place.slot < 0) return nullptr;
  const auto slot = static_cast<std::size_t>(place.slot);
  return slot < function->insns.size() ? &function->insns[slot] : nullptr;
}

std::optional<std::size_t> CodeMap::entry_function() const {
  const auto& functions = image_->functions;
  auto it = std::ranges::find(functions, image_->entry, &NativeFunction::address);
  if (it == functions.end() && in_thunk(image_->entry)) {
    it = std::ranges::find_if(functions, [this](const NativeFunction& f) {
      return f.program == case_->enter && f.function == 0;
    });
  }
  if (it == functions.end()) return std::nullopt;
  return static_cast<std::size_t>(it - functions.begin());
}

std::optional<std::uint64_t> CodeMap::next_insn(const Place& place) const {
  const NativeFunction* const f = image_->find_function(place.program, place.function);
  const auto next = static_cast<std::size_t>(place.slot) + 1;  // slot -1: not known
  if (f == nullptr || place.slot < 0 || next >= f->insn_offsets.size()) return std::nullopt;
  return f->address + f->insn_offsets[next];
}

// A jump into another function is no branch. Inside the main function, a jump out of the code of a
// tail call tells itself; else it has to land where no branch can.
bool CodeMap::tells_tail_calls() const {
  return std::ranges::none_of(image_->functions, [this](const NativeFunction& f) {
    if (f.function != 0 || !f.insn_offsets.empty()) return false;
    const Function& main = *find_function(*case_, f.program, f.function);
    const bool holds_itself = std::ranges::any_of(case_->arrays, [&](const ProgArray& array) {
      return std::ranges::find(array.slots, f.program) != array.slots.end();
    });
    if (!holds_itself || std::ranges::none_of(main.insns, is_tail_call)) return false;
    return f.tail_call_entry_unknown || loops_to_start(main);
  });
}

std::string CodeMap::describe(std::uint64_t address) const {
  if (const Role r = role(address); r.in_function()) {
    const NativeFunction& f = function(r);
    return fmt::format("program {} function {} +{:#x}", f.program, f.function, address - f.address);
  }
  const Placement& placement = image_->placement;
  if (in_stubs(address)) {
    if (address >= placement.routines) return "the body of a helper";
    const auto helper = placement.helper_at(address);
    return helper ? fmt::format("stub of helper {}", *helper) : "between the stubs of helpers";
  }
  if (const Thunk* const thunk = find_thunk(address)) {
    return fmt::format("thunk {} +{:#x}", printable(thunk->symbol->name),
                       address - thunk->code.address);
  }
  if (image_->arena.contains(address)) return "the arena, outside all code";
  const auto around = [address](std::uint64_t page, std::uint64_t size) {
    return address >= page - guest::kPage && address < page + size + guest::kPage;
  };
  const Range& stack = placement.stack;
  if (around(stack.address, stack.size)) {
    return fmt::format("stack base +{:#x}", static_cast<std::int64_t>(address - stack.address));
  }
  if (around(placement.context, case_->context.size())) {
    return fmt::format("context {:+d}", static_cast<std::int64_t>(address - placement.context));
  }
  for (std::size_t i = 0; i < case_->regions.size(); ++i) {
    const std::uint64_t region = placement.regions[i];
    if (!around(region, case_->regions[i].bytes.size())) continue;
    return fmt::format("region {} {:+d}", i, static_cast<std::int64_t>(address - region));
  }
  const Range& bpf_stack = placement.bpf_stack;
  if (bpf_stack.size != 0 && around(bpf_stack.address, bpf_stack.size)) {
    return fmt::format("memory for BPF stacks {:+d}",
                       static_cast<std::int64_t>(address - bpf_stack.address));
  }
  if (around(placement.exit, 0)) return "the exit page";
  return "memory that belongs to nothing";
}

}  // namespace plumb::machine
