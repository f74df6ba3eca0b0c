// SPDX-License-Identifier: GPL-2.0-or-later
#include "invariants/view.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "core/helper_model.h"

namespace plumb::invariants {
namespace {

// Instruction classes ST and STX of RFC 9669 section 3.1: stores and atomics.
bool is_store(const Insn& insn) {
  const int instruction_class = insn.opcode & 0x07;
  return instruction_class == 2 || instruction_class == 3;
}

bool in_thunk(const Image& image, std::uint64_t pc) {
  return std::ranges::any_of(image.symbols, [pc](const Symbol& symbol) {
    return symbol.is_thunk && pc - symbol.address < symbol.size;
  });
}

constexpr std::uint8_t kCallOpcode = 0x85;

bool is_tail_call(const Insn& insn) {
  return insn.opcode == kCallOpcode && insn.src == 0 && insn.immediate == kTailCallHelper;
}

bool is_function_call(const Insn& insn) {
  constexpr std::uint8_t kPseudoCall = 1;
  return insn.opcode == kCallOpcode && insn.src == kPseudoCall;
}

// Of a store in the code of a call to a BPF function. What nobody says may be so.
AccessRole role_in_call(const Contract& contract, AccessRole other) {
  const auto is = [&](Side side) {
    return contract.r6_r9_saved_by == side || contract.r10_moved_by == side;
  };
  if (is(Side::kCaller)) return AccessRole::kCallSave;
  if (contract.count_in_frames != Tristate::kNo) return AccessRole::kCountBack;
  return is(Side::kUnknown) ? AccessRole::kCallSave : other;
}

bool names_r10(const Function& function) {
  return std::ranges::any_of(function.insns, [](const Insn& insn) {
    return insn.dst == kFramePointerRegister || insn.src == kFramePointerRegister;
  });
}

}  // namespace

View::View(const Subject& subject, std::pmr::memory_resource* memory)
    : subject_(subject),
      platform_(invariants::platform(subject.image->arch)),
      frames_(memory),
      access_roles_(memory) {
  leave_out_unseen_refusals();
  learn_landing();
  build_frames();
  classify_accesses();
  divergence_ = find_divergence(*this);
}

bool View::is_bound_broken() const {
  return run().stop == StopReason::kTailCallBound ||
         run().tail_calls > static_cast<std::uint32_t>(kTailCallLimit);
}

bool View::is_completed() const {
  return run().stop == StopReason::kReturned && !is_bound_broken();
}

// A refused tail call is seen where its code ends, so not where nobody says where that is.
void View::leave_out_unseen_refusals() {
  const auto is_unseen = [&](const Event& event) {
    if (event.kind != EventKind::kTailCallRefused) return false;
    const NativeFunction* native = image().find_function(event.at.program, event.at.function);
    return native != nullptr && native->insn_offsets.empty();
  };
  const auto has_no_offsets = [](const NativeFunction& f) { return f.insn_offsets.empty(); };
  if (std::ranges::none_of(image().functions, has_no_offsets)) return;
  if (std::ranges::none_of(execution().trace, is_unseen)) return;
  Execution visible = execution();
  std::vector<std::int32_t> last_seen;  // by index in the whole trace: that or the last one before
  last_seen.reserve(visible.trace.size());
  std::int32_t seen = -1;
  for (const Event& event : visible.trace) last_seen.push_back(is_unseen(event) ? seen : ++seen);
  std::erase_if(visible.trace, is_unseen);
  for (StackStore& store : visible.stack_stores) {
    if (store.event >= 0) store.event = last_seen[static_cast<std::size_t>(store.event)];
  }
  visible_ = std::move(visible);
}

void View::build_frames() {
  frames_.resize(run().activations.size());
  for (std::size_t i = 0; i < frames_.size(); ++i) {
    const Activation& activation = run().activations[i];
    Frame& frame = frames_[i];
    frame.native = image().find_function(activation.program, activation.function);
    frame.has_offsets = frame.native != nullptr && !frame.native->insn_offsets.empty();
    frame.caller = activation.caller;
    frame.entry_sp = activation.entry_sp;
    frame.entered_by = activation.entered_by;
    frame.helper_event = activation.helper_event;
    frame.is_callback = activation.helper_event >= 0;
    if (activation.replaced >= 0 && static_cast<std::size_t>(activation.replaced) < i) {
      const Frame& replaced = frames_[static_cast<std::size_t>(activation.replaced)];
      frame.entry_sp = replaced.entry_sp;
    }
    locate_record(frame, static_cast<std::int64_t>(i));
    locate_stack(frame, activation.r10);
    note_lowest(frame);
  }
}

// The first function is entered by a call: what it pushes up to its landing is what a tail call has
// to leave on the stack.
void View::learn_landing() {
  const bool has_chain = image().registers.frame_pointer.is_known();
  // The general rule is that of code that makes a frame record first.
  if (has_chain) landing_ = platform_.geometry.landing_below_entry;
  if (image().frame.landing_below_entry != 0) landing_ = image().frame.landing_below_entry;
  const bool has_rule = platform_.geometry.landing_below_entry.has_value();
  if (landing_ || has_rule || run().activations.empty()) return;
  const Activation& first = run().activations.front();
  const NativeFunction* native = image().find_function(first.program, first.function);
  if (native == nullptr || !native->tail_call_entry) return;
  std::uint64_t lowest = first.entry_sp;
  for (const StackAccess& access : run().accesses) {
    if (access.event < 0 && in_thunk(image(), access.pc)) continue;
    if (access.activation != 0 || access.pc - native->address >= *native->tail_call_entry) break;
    if (access.kind == AccessKind::kWrite) lowest = std::min(lowest, access.address);
  }
  landing_ = first.entry_sp - lowest;
}

std::optional<std::uint64_t> View::landing_below_entry(std::int64_t activation) const {
  const Frame* target = frame(activation);
  const bool is_unknown =
      target == nullptr || target->native == nullptr || target->native->tail_call_entry_unknown;
  return is_unknown ? std::nullopt : landing_;
}

bool View::misses_offsets() const {
  return std::ranges::any_of(frames_, [](const Frame& frame) { return !frame.has_offsets; });
}

bool View::is_entered_by_thunk(std::int64_t activation) const {
  const Frame* entered = frame(activation);
  return entered != nullptr && entered->caller < 0 && entered->entry_sp != run().entry_sp;
}

void View::locate_record(Frame& frame, std::int64_t activation) const {
  const bool is_pushed = platform_.geometry.call_pushes != 0;
  if (image().registers.frame_pointer.is_known()) {
    const RecordPlace place =
        record_place(platform_.geometry, frame.entry_sp,
                     frame.native != nullptr ? &bpf_function(*frame.native) : nullptr);
    frame.record = place.saved_frame_pointer;
    frame.return_slot = place.return_address;
  } else if (is_pushed) {
    frame.return_slot = frame.entry_sp;
  }
  // A thunk that jumps on has pushed what it likes: the frame returns where the invocation does.
  const std::uint64_t back = run().activations[static_cast<std::size_t>(activation)].return_address;
  if (is_entered_by_thunk(activation) && back == image().placement.exit) {
    frame.record = 0;
    frame.return_slot = is_pushed ? run().entry_sp : 0;
  }
}

void View::locate_stack(Frame& frame, std::uint64_t seen_r10) const {
  const RegisterMap& map = image().registers;
  const Contract& contract = image().contract;
  const NativeRegister native = image().r10_register(frame.native);
  if (native.is_known() && map.r10_bias) frame.r10 = seen_r10;
  if (native.is_known() && native == map.frame_pointer) {
    // A leaf shows no event in its body; where R10 is the frame pointer, it is known all the same.
    if (frame.r10 == 0 && frame.record != 0 && map.r10_bias &&
        contract.r10_moved_by == Side::kCallee) {
      const std::int64_t offset = image().frame.frame_pointer_offset;
      frame.r10 = frame.record + static_cast<std::uint64_t>(offset + *map.r10_bias);
    }
  } else if (contract.r10_only_where_used != Tristate::kNo && frame.native != nullptr &&
             !names_r10(bpf_function(*frame.native))) {
    frame.r10 = 0;
    frame.uses_r10 = false;
  }
  std::uint64_t size = 0;
  if (frame.native != nullptr) {
    frame.stack_size_known = frame.native->stack_size.has_value();
    // What the program may use is the least that it can be.
    const int declared = bpf_function(*frame.native).stack_depth;
    size = frame.native->stack_size.value_or(static_cast<std::uint32_t>(declared));
  }
  frame.stack_low = frame.r10 - size;
}

NotApplicableReason View::why_r10_unknown(const Frame& frame) const {
  if (!image().r10_register(frame.native).is_known())
    return NotApplicableReason::kR10RegisterUnknown;
  if (!image().registers.r10_bias) return NotApplicableReason::kR10BiasUnknown;
  return NotApplicableReason::kR10Unknown;
}

void View::note_lowest(Frame& frame) const {
  frame.lowest_record = frame.record != 0 ? frame.record : frame.entry_sp;
  frame.lowest_stack = frame.r10 != 0 ? frame.stack_low : ~std::uint64_t{0};
  if (const Frame* outer = this->frame(frame.caller)) {
    frame.lowest_record = std::min(frame.lowest_record, outer->lowest_record);
    frame.lowest_stack = std::min(frame.lowest_stack, outer->lowest_stack);
  }
}

std::int32_t View::innermost() const {
  const auto& events = run().events;
  if (events.empty()) return 0;
  const MachineEvent& last = events.back();
  const bool begins = last.kind != EventKind::kReturn && last.entered >= 0;
  return begins ? last.entered : static_cast<std::int32_t>(last.activation);
}

void View::classify_accesses() {
  access_roles_.resize(run().accesses.size());
  for (std::size_t i = 0; i < access_roles_.size(); ++i) {
    const StackAccess& access = run().accesses[i];
    access_roles_[i] = classify(access);
    if (access_roles_[i] != AccessRole::kPrologue) continue;
    if (frame(access.activation) == nullptr) continue;
    std::uint64_t& low = frames_[access.activation].saved_low;
    if (low == 0 || access.address < low) low = access.address;
  }
}

AccessRole View::classify(const StackAccess& access) const {
  if (access.kind == AccessKind::kRead) return AccessRole::kRead;
  if (access.pc == 0) return AccessRole::kHelper;
  const Frame* owner = frame(access.activation);
  const NativeFunction* native = owner != nullptr ? owner->native : nullptr;
  if (native == nullptr || access.pc - native->address >= native->size) {
    native = image().function_at(access.pc);
  }
  const AccessRole other = access.is_push ? AccessRole::kPush : AccessRole::kOther;
  if (native == nullptr) return in_thunk(image(), access.pc) ? AccessRole::kThunk : other;
  if (native->insn_offsets.empty()) return AccessRole::kUnplaced;
  const auto offset = static_cast<std::uint32_t>(access.pc - native->address);
  if (offset < native->insn_offsets.front()) return AccessRole::kPrologue;
  if (access.is_push) return AccessRole::kPush;
  const int slot = slot_at(*native, offset);
  const auto& insns = bpf_function(*native).insns;
  if (slot < 0 || static_cast<std::size_t>(slot) >= insns.size()) return other;
  const Insn& insn = insns[static_cast<std::size_t>(slot)];
  if (is_tail_call(insn)) return AccessRole::kCount;
  const Contract& contract = image().contract;
  return is_function_call(insn) ? role_in_call(contract, other)
         : is_store(insn)       ? AccessRole::kBpfStore
                                : other;
}

const Function& View::bpf_function(const NativeFunction& native) const {
  return value()
      .programs[static_cast<std::size_t>(native.program)]
      .functions[static_cast<std::size_t>(native.function)];
}

bool View::is_live(std::uint32_t current, std::uint32_t activation) const {
  for (std::int64_t i = current; i >= activation && frame(i) != nullptr; i = caller(i)) {
    if (i == activation) return true;
  }
  return false;
}

std::optional<std::uint64_t> View::native(const Value& value) const {
  if (value.is_scalar()) return value.bits;
  if (!value.is_pointer()) return std::nullopt;
  switch (value.space) {
    case Space::kContext:
      return image().placement.context + value.bits;
    case Space::kRegion:
      if (value.index >= this->value().regions.size()) return std::nullopt;
      return image().placement.regions[value.index] + value.bits;
    case Space::kStack: {
      const Frame* owner = frame(value.index);
      if (owner == nullptr || owner->r10 == 0) return std::nullopt;
      return owner->r10 + value.bits;
    }
    case Space::kArray:
      if (value.index >= image().arrays.size()) return std::nullopt;
      return image().arrays[value.index].address + value.bits;
    case Space::kFunction: {
      const NativeFunction* function =
          image().find_function(static_cast<int>(value.index) / kMaxFunctions,
                                static_cast<int>(value.index) % kMaxFunctions);
      if (function == nullptr) return std::nullopt;
      return function->address + value.bits;
    }
  }
  return std::nullopt;
}

bool View::matches(const Value& value, std::uint64_t seen) const {
  const auto expected = native(value);
  if (!expected || *expected == seen) return true;
  return value.is_pointer() && value.space == Space::kFunction &&
         *expected == code_address(image().arch, seen);
}

NativeRegister View::result_register(std::size_t event) const {
  const MachineEvent& back = run().events[event];
  const NativeRegister by_abi = platform_.result_register;
  const bool to_bpf =
      back.call >= 0 && run().events[static_cast<std::size_t>(back.call)].kind == EventKind::kCall;
  if (!to_bpf) return by_abi;
  const Contract& contract = image().contract;
  const NativeRegister r0 = image().registers.bpf[0];
  // The registers are those where the caller's next BPF instruction begins, or not yet.
  if (contract.r6_r9_saved_by == Side::kCaller || contract.r10_moved_by == Side::kCaller) {
    return back.settled ? r0 : NativeRegister();
  }
  if (!r0.is_known() || platform_.returns_in_r0 || r0 == by_abi) return r0;
  return contract.r6_r9_saved_by == Side::kCallee ? by_abi : NativeRegister();
}

std::optional<std::uint64_t> View::argument(const MachineEvent& event, int number) const {
  const auto index = static_cast<std::size_t>(number - 1);
  NativeRegister native = platform_.argument_registers[index];
  if (event.kind == EventKind::kCall) native = image().registers.bpf[index + 1];
  if (event.kind == EventKind::kHelperCall || event.kind == EventKind::kThrow) {
    native = image().registers.helper_argument[index].or_else(native);
  }
  if (!native.is_known()) return std::nullopt;
  return event.registers[native.number()];
}

std::optional<std::uint64_t> View::r10(const MachineEvent& event, std::int64_t activation) const {
  const Frame* owner = frame(activation);
  const NativeRegister native = image().r10_register(owner != nullptr ? owner->native : nullptr);
  const auto bias = image().registers.r10_bias;
  if (!native.is_known() || !bias) return std::nullopt;
  return event.registers[native.number()] + static_cast<std::uint64_t>(std::int64_t{*bias});
}

std::string View::register_name(int native) const {
  for (std::size_t number = 0; number < image().registers.bpf.size(); ++number) {
    if (const NativeRegister& bpf = image().registers.bpf[number];
        bpf.is_known() && bpf.number() == native) {
      return fmt::format("native register {} (R{})", native, number);
    }
  }
  return fmt::format("native register {}", native);
}

bool View::is_exception_callback(std::int64_t activation) const {
  const Frame* owner = frame(activation);
  return owner != nullptr && owner->entered_by >= 0 &&
         run().events[static_cast<std::size_t>(owner->entered_by)].kind == EventKind::kThrow;
}

std::string View::role(std::int64_t activation) const {
  const Frame* owner = frame(activation);
  if (owner == nullptr) return "-";
  const Activation& seen = run().activations[static_cast<std::size_t>(activation)];
  if (is_exception_callback(activation)) return "exception-callback";
  if (seen.replaced >= 0) return "tail-callee";
  if (owner->is_callback) return "callback";
  return seen.function == 0 ? "main" : "subprogram";
}

std::string View::code_name(std::uint64_t address) const {
  if (address == image().placement.exit) return "the exit";
  if (const NativeFunction* native = image().function_at(address)) {
    const Program& program = value().programs[static_cast<std::size_t>(native->program)];
    return fmt::format("{}.{}+{:#x}", program.name, bpf_function(*native).name,
                       address - native->address);
  }
  for (const Symbol& symbol : image().symbols) {
    if (symbol.is_thunk && address - symbol.address < symbol.size) {
      return fmt::format("{}+{:#x}", symbol.name, address - symbol.address);
    }
  }
  if (image().arena.contains(address)) {
    return fmt::format("arena+{:#x}", address - image().arena.address);
  }
  return fmt::format("{:#x}", address);
}

std::string View::stack_name(std::uint64_t address, std::int64_t activation) const {
  const Frame* owner = frame(activation);
  if (owner == nullptr || owner->r10 == 0) {
    const Range& stack = image().placement.stack;
    return fmt::format("stack top{:+d}",
                       static_cast<std::int64_t>(address - stack.address - stack.size));
  }
  return fmt::format("R10{:+d} of the {}", static_cast<std::int64_t>(address - owner->r10),
                     role(activation));
}

Violation View::at_event(std::string_view invariant, std::size_t event, std::int64_t activation,
                         std::string message) const {
  return {.invariant = invariant,
          .role = role(activation),
          .at = run().events[event].at,
          .event = static_cast<std::int32_t>(event),
          .message = std::move(message),
          .activation = static_cast<std::int32_t>(activation)};
}

Violation View::at_access(std::string_view invariant, const StackAccess& access,
                          std::string message) const {
  return {.invariant = invariant,
          .role = role(access.activation),
          .at = place_of(access.pc),
          .event = access.event,
          .message = std::move(message),
          .access = static_cast<std::int32_t>(&access - run().accesses.data()),
          .activation = static_cast<std::int32_t>(access.activation)};
}

bool View::is_tail_call_code(std::uint64_t pc) const {
  const NativeFunction* native = image().function_at(pc);
  if (native == nullptr) return false;
  const int slot = slot_at(*native, static_cast<std::uint32_t>(pc - native->address));
  const auto& insns = bpf_function(*native).insns;
  const bool in_body = slot >= 0 && static_cast<std::size_t>(slot) < insns.size();
  return in_body && is_tail_call(insns[static_cast<std::size_t>(slot)]);
}

Place View::place_of(std::uint64_t pc) const {
  const NativeFunction* native = image().function_at(pc);
  if (native == nullptr) return {};
  return {.program = static_cast<std::int16_t>(native->program),
          .function = static_cast<std::int16_t>(native->function),
          .slot = slot_at(*native, static_cast<std::uint32_t>(pc - native->address))};
}

Violation View::at_entry_of(std::string_view invariant, std::int64_t activation,
                            std::string message) const {
  const Frame* owner = frame(activation);
  Violation violation{.invariant = invariant,
                      .role = role(activation),
                      .at = {},
                      .event = owner != nullptr ? owner->entered_by : -1,
                      .message = std::move(message),
                      .access = 0,
                      .activation = static_cast<std::int32_t>(activation)};
  if (violation.event >= 0)
    violation.at = run().events[static_cast<std::size_t>(violation.event)].at;
  return violation;
}

Violation View::at_end(std::string_view invariant, std::string message) const {
  const auto& events = run().events;
  if (events.empty()) {
    return {.invariant = invariant,
            .role = role(0),
            .at = {},
            .event = -1,
            .message = std::move(message),
            .access = static_cast<std::int32_t>(run().accesses.size()),
            .activation = 0};
  }
  return at_event(invariant, events.size() - 1, events.back().activation, std::move(message));
}

}  // namespace plumb::invariants
