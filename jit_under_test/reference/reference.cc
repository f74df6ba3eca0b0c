// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/reference/reference.h"

#include <asmjit/arm/a64assembler.h>
#include <asmjit/x86.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "core/check.h"
#include "core/frame_geometry.h"
#include "core/guest.h"
#include "jit_under_test/arena.h"
#include "jit_under_test/plugin.h"
#include "jit_under_test/reference/emitter.h"

namespace plumb::jit::reference {
namespace {

constexpr std::string_view kPrefix = "reference:";
constexpr std::uint64_t kArenaSize = 0x80'0000;
constexpr std::size_t kLargeCode = 0x10'0000;
// Behind the last slot: what misses the bound check by one jumps to nowhere.
constexpr int kPoison = 0x6b;
constexpr int kTrapX86 = 0xcc;                    // int3
constexpr std::uint32_t kTrapArm64 = 0xd4200000;  // brk #0
constexpr std::uint64_t kPrivateGuard = 8;        // bytes on each side of a private stack

std::uint64_t round_to_page(std::uint64_t size) {
  return (size + guest::kPage - 1) & ~(guest::kPage - 1);
}

void* host(std::uint64_t address) {
  // Guest addresses of the arena are host addresses. NOLINTNEXTLINE(performance-no-int-to-ptr)
  return reinterpret_cast<void*>(address);
}

template <typename T>
void put(std::uint64_t address, T value) {
  std::memcpy(host(address), &value, sizeof value);
}

// What the case needs and the layout's kernels did not have: a reason, or null.
const char* not_applicable(const Case& value, const LayoutTraits& traits,
                           const std::vector<std::vector<FunctionFacts>>& facts) {
  for (std::size_t p = 0; p < value.programs.size(); ++p) {
    const bool has_subprograms = value.programs[p].functions.size() > 1;
    if (has_subprograms && !traits.subprograms) return "subprograms are not supported";
    const bool tail_calls = std::ranges::any_of(facts[p], &FunctionFacts::has_tail_call);
    if (has_subprograms && tail_calls && !traits.tail_calls_with_subprograms) {
      return "tail calls in programs with subprograms are not supported";
    }
    for (const Function& function : value.programs[p].functions) {
      for (std::size_t slot = 0; slot < function.insns.size();
           slot += static_cast<std::size_t>(slot_count(function.insns[slot]))) {
        const OpcodeInfo* info = decode(function.insns[slot]);
        if (info == nullptr) return "unknown instruction";
        if (info->operation == Operation::kMayGoto) return "may_goto is not supported";
        if (info->operation == Operation::kThrow && !traits.throws) {
          return "exceptions are not supported";
        }
        if (info->group == Group::kPacket) return "legacy packet access is not supported";
      }
    }
  }
  return nullptr;
}

class ErrorText final : public asmjit::ErrorHandler {
 public:
  void handleError(asmjit::Error, const char* message, asmjit::BaseEmitter*) override {
    if (text.empty()) text = message;
  }
  std::string text;
};

class ReferenceImage final : public LoadedImage {
 public:
  explicit ReferenceImage(Image image) : image_(std::move(image)) {}
  [[nodiscard]] const Image& image() const override { return image_; }

 private:
  Image image_;
};

// Hands out private stacks in the memory behind the GS base, each between two guards.
class PrivateStacks {
 public:
  // Address of the upper end, or 0: there is no more memory.
  std::uint64_t take(int size) {
    const std::uint64_t whole = static_cast<std::uint64_t>(size) + 2 * kPrivateGuard;
    if (next_ + whole > guest::kPage) return 0;
    next_ += whole;
    return guest::kPerCpuPage + next_ - kPrivateGuard;
  }

 private:
  std::uint64_t next_ = 64;  // this_cpu_off and its neighbours
};

void add_throw_paths(const Case& value, Image& image) {
  const bool has_sp = image.arch == Arch::kX86_64;
  for (std::size_t p = 0; p < value.programs.size(); ++p) {
    const int callback = value.programs[p].exception_callback;
    if (callback == kNoFunction) continue;
    const auto program = static_cast<int>(p);
    image.throws.push_back({.program = program,
                            .boundary = 0,
                            .callback = callback,
                            .address = image.find_function(program, callback)->address,
                            .sp = has_sp ? ThrowSp::kAtCall : ThrowSp::kZero});
  }
}

class ReferenceJit final : public Jit {
 public:
  ReferenceJit(JitInfo info, const LayoutRow& row, std::optional<Defect> defect, Arena arena)
      : info_(std::move(info)), row_(row), defect_(defect), arena_(std::move(arena)) {}

  [[nodiscard]] const JitInfo& info() const override { return info_; }
  [[nodiscard]] LoadOutcome load(const Case& value) override;

 private:
  void place_objects(const Case& value, CompileUnit& unit, Image& image);
  void make_labels(CompileUnit& unit, asmjit::BaseAssembler& assembler) const;
  void compile(const CompileUnit& unit, const std::vector<std::vector<FunctionFacts>>& facts,
               asmjit::BaseAssembler& assembler, Image& image) const;
  void append_rows(const EmittedFunction& emitted, Image& image) const;
  [[nodiscard]] std::string write_code(const CompileUnit& unit, Image& image) const;
  void fill_slots(const Case& value, const CompileUnit& unit, const Image& image) const;

  JitInfo info_;
  const LayoutRow& row_;
  std::optional<Defect> defect_;
  Arena arena_;
  std::uint64_t code_ = 0;  // where the code of the case begins
};

// Behind the stubs: one page for each prog array, one or more for the program objects, code.
void ReferenceJit::place_objects(const Case& value, CompileUnit& unit, Image& image) {
  std::uint64_t next = arena_.range().address + guest::kStubSize;
  for (const ProgArray& array : value.arrays) {
    const std::uint64_t size = kArraySlots + 8 * array.slots.size();
    std::memset(host(next), kPoison, round_to_page(size));
    put(next + kArraySlotCount, static_cast<std::uint32_t>(array.slots.size()));
    unit.array_objects.push_back(next);
    image.arrays.push_back({next, size});
    next += round_to_page(size);
  }
  for (std::size_t p = 0; p < value.programs.size(); ++p) {
    std::memset(host(next), 0, 16);
    unit.program_objects.push_back(next);
    next += 16;
  }
  code_ = round_to_page(next);
}

void ReferenceJit::make_labels(CompileUnit& unit, asmjit::BaseAssembler& assembler) const {
  for (const Program& program : unit.value->programs) {
    unit.tail_call_entries.push_back(assembler.newLabel());
    auto& labels = unit.functions.emplace_back();
    for (std::size_t f = 0; f < program.functions.size(); ++f) {
      labels.push_back(assembler.newLabel());
    }
  }
}

void ReferenceJit::compile(const CompileUnit& unit,
                           const std::vector<std::vector<FunctionFacts>>& facts,
                           asmjit::BaseAssembler& assembler, Image& image) const {
  PrivateStacks private_stacks;
  for (std::size_t p = 0; p < facts.size(); ++p) {
    const bool tail_calls = std::ranges::any_of(facts[p], &FunctionFacts::has_tail_call);
    for (std::size_t f = 0; f < facts[p].size(); ++f) {
      FunctionUnit function{.program = static_cast<int>(p),
                            .function = static_cast<int>(f),
                            .facts = &facts[p],
                            .frame = {},
                            .private_stack = 0};
      if (!tail_calls && wants_private_stack(row_, facts[p][f])) {
        function.private_stack = private_stacks.take((facts[p][f].stack_depth + 7) & ~7);
      }
      function.frame = compute_frame({.row = &row_,
                                      .facts = &facts[p][f],
                                      .boundary = &facts[p][0],
                                      .defect = defect_,
                                      .is_private = function.private_stack != 0,
                                      .is_private_program = !tail_calls});
      const EmittedFunction emitted = row_.arch == Arch::kArm64
                                          ? emit_arm64(unit, function, assembler)
                                          : emit_x86_64(unit, function, assembler);
      NativeFunction& native = image.functions.emplace_back();
      native.program = function.program;
      native.function = function.function;
      native.address = code_ + emitted.begin;
      native.size = static_cast<std::uint32_t>(emitted.end - emitted.begin);
      if (f == 0) {
        native.tail_call_entry =
            static_cast<std::uint32_t>(emitted.tail_call_entry - emitted.begin);
      }
      native.stack_size = static_cast<std::uint32_t>(function.frame.stack_size);
      native.tail_call_reachable = facts[p][f].tail_call_reachable;
      if (function.private_stack != 0) {
        native.r10_register = static_cast<std::uint8_t>(function.frame.r10_register);
      }
      append_rows(emitted, image);
      for (const std::size_t slot : emitted.slots) {
        native.insn_offsets.push_back(static_cast<std::uint32_t>(slot - emitted.begin));
      }
    }
  }
}

// Where a function begins, the one before it ends.
void ReferenceJit::append_rows(const EmittedFunction& emitted, Image& image) const {
  for (unwind::Row row : emitted.rows) {
    row.begin += code_;
    auto& rows = image.unwind_rows;
    if (!rows.empty() && rows.back().begin == row.begin) rows.pop_back();
    rows.push_back(row);
  }
}

// An empty string, or what went wrong.
std::string ReferenceJit::write_code(const CompileUnit& unit, Image& image) const {
  const std::uint64_t room = arena_.range().address + arena_.range().size - code_;
  if (unit.code->flatten() != asmjit::kErrorOk ||
      unit.code->resolveUnresolvedLinks() != asmjit::kErrorOk) {
    return "a branch is out of range";
  }
  const std::uint64_t size = round_to_page(unit.code->codeSize());
  if (size > room) return "the arena is full";
  if (row_.arch == Arch::kArm64) {
    for (std::uint64_t a = code_; a < code_ + size; a += 4) put(a, kTrapArm64);
  } else {
    std::memset(host(code_), kTrapX86, size);
  }
  if (unit.code->relocateToBase(code_) != asmjit::kErrorOk ||
      unit.code->copyFlattenedData(host(code_), size) != asmjit::kErrorOk) {
    return "code cannot be relocated";
  }
  image.code.push_back({code_, size});
  return {};
}

void ReferenceJit::fill_slots(const Case& value, const CompileUnit& unit,
                              const Image& image) const {
  for (std::size_t p = 0; p < value.programs.size(); ++p) {
    put(unit.program_objects[p] + kProgramEntry,
        image.find_function(static_cast<int>(p), 0)->address);
  }
  for (std::size_t a = 0; a < value.arrays.size(); ++a) {
    for (std::size_t s = 0; s < value.arrays[a].slots.size(); ++s) {
      const int program = value.arrays[a].slots[s];
      const std::uint64_t object =
          program == kNoProgram ? 0 : unit.program_objects[static_cast<std::size_t>(program)];
      put(unit.array_objects[a] + kArraySlots + 8 * s, object);
    }
  }
}

LoadOutcome ReferenceJit::load(const Case& value) {
  using Status = LoadOutcome::Status;
  std::vector<std::vector<FunctionFacts>> facts;
  facts.reserve(value.programs.size());
  for (const Program& program : value.programs) facts.push_back(analyse(program));
  if (const char* reason = not_applicable(value, row_.traits, facts)) {
    return {.status = Status::kNotApplicable, .reason = reason, .image = nullptr};
  }
  Image image;
  image.arch = info_.arch;
  image.jit = info_.name;
  image.family = info_.family;
  image.contract = info_.contract;
  image.registers = info_.registers;
  image.frame = info_.frame;
  image.landing = info_.landing;
  image.arena = arena_.range();
  image.placement = guest::placement(value, image.arena);

  asmjit::CodeHolder code;
  ErrorText error;
  CompileUnit unit;
  unit.value = &value;
  unit.row = &row_;
  unit.defect = defect_;
  unit.code = &code;
  unit.placement = &image.placement;
  place_objects(value, unit, image);
  const bool arm64 = row_.arch == Arch::kArm64;
  const asmjit::Environment environment(arm64 ? asmjit::Arch::kAArch64 : asmjit::Arch::kX64);
  PLUMB_CHECK(code.init(environment, code_) == asmjit::kErrorOk);
  code.setErrorHandler(&error);
  asmjit::x86::Assembler x86;
  asmjit::a64::Assembler a64;
  asmjit::BaseAssembler& assembler =
      arm64 ? static_cast<asmjit::BaseAssembler&>(a64) : static_cast<asmjit::BaseAssembler&>(x86);
  PLUMB_CHECK(code.attach(&assembler) == asmjit::kErrorOk);
  make_labels(unit, assembler);
  compile(unit, facts, assembler, image);
  if (error.text.empty()) error.text = write_code(unit, image);
  // The arena is no larger, and where a function begins is loaded from no further away.
  if (!error.text.empty() && code.codeSize() > kLargeCode) {
    return {.status = Status::kNotApplicable,
            .reason = "the code is larger than the reference JIT takes",
            .image = nullptr};
  }
  if (!error.text.empty()) {
    return {.status = Status::kBroken, .reason = "reference JIT: " + error.text, .image = nullptr};
  }
  fill_slots(value, unit, image);
  image.entry = image.find_function(value.enter, 0)->address;
  add_throw_paths(value, image);
  return {.status = Status::kLoaded,
          .reason = {},
          .image = std::make_unique<ReferenceImage>(std::move(image))};
}

// ---- what the table says, as a JIT says it ----

std::uint64_t capabilities(const LayoutTraits& traits) {
  std::uint64_t can = PLUMB_CAN_TAIL_CALL | PLUMB_CAN_ATOMICS | PLUMB_CAN_V4 | PLUMB_CAN_TAKE_BASE |
                      PLUMB_GIVES_UNWIND_ROWS;
  if (traits.subprograms) can |= PLUMB_CAN_CALL_SUBPROGRAMS | PLUMB_CAN_CALL_BACK;
  if (traits.throws) can |= PLUMB_CAN_THROW;
  if (traits.tail_calls_with_subprograms) can |= PLUMB_CAN_TAIL_CALL_IN_SUBPROGRAM;
  return can;
}

RegisterMap register_map(const LayoutRow& row) {
  RegisterMap map;
  if (row.arch == Arch::kArm64) {
    map = {.bpf = {7, 0, 1, 2, 3, 4, 19, 20, 21, 22, 0}, .frame_pointer = 29, .r10_bias = 0};
  } else {
    map = {.bpf = {0, 7, 6, 2, 1, 8, 3, 13, 14, 15, 0}, .frame_pointer = 5, .r10_bias = 0};
  }
  map.bpf[kFramePointerRegister] = static_cast<std::uint8_t>(row.traits.r10);
  map.r10_bias = row.traits.r10_bias;
  return map;
}

// From the frame of a main function that contains a tail call: only such frames are reused, and
// they all have the same size.
FrameRule frame_rule(const LayoutRow& row, std::optional<Defect> defect) {
  FunctionFacts facts;
  facts.is_main = facts.has_tail_call = facts.tail_call_reachable = true;
  // The only defect that is a claim of the frame, too: everything fits, but for the record.
  const bool is_claimed = defect == Defect::kFramePointerShifted;
  const FrameLayout frame = compute_frame({.row = &row,
                                           .facts = &facts,
                                           .boundary = nullptr,
                                           .defect = is_claimed ? defect : std::nullopt,
                                           .is_private = false});
  // From the CFA, as everything in a FrameLayout.
  const FrameGeometry geometry = frame_geometry(row.arch);
  const int arrival = -static_cast<int>(geometry.call_pushes);
  const int record = arrival - static_cast<int>(geometry.record_below_entry);
  return {.frame_pointer_offset = frame.frame_pointer - record,
          .landing_below_entry = static_cast<std::uint32_t>(arrival - frame.entry_sp)};
}

JitInfo make_info(std::string_view name, const LayoutRow& row, std::optional<Defect> defect) {
  const LayoutTraits& traits = row.traits;
  JitInfo info;
  info.name = name;
  info.family = kFamily;
  info.version = row.era;
  info.origin = fmt::format("Plumbline, after {}", row.source);
  info.arch = row.arch;
  info.capabilities = capabilities(traits);
  info.contract = {.empty_slot_consumes_count =
                       traits.counter != Counter::kReference ? Tristate::kYes : Tristate::kNo,
                   .calls_keep_count = false,
                   .call_alignment = traits.alignment,
                   .result_bits = 64,
                   .frame_rounding = traits.alignment,
                   // 6.12 has both, the count behind a pointer and chains in steps of 16.
                   .chain_rounding = traits.counter == Counter::kReference ? 16 : 32,
                   // No layout brings the count through the C code of a helper to a function that
                   // it calls back. Kernels refuse such programs since they know.
                   .tail_call_in_callback = false};
  info.registers = register_map(row);
  info.frame = frame_rule(row, defect);
  info.landing = {.pad = traits.pad, .call_preamble = 0};
  return info;
}

}  // namespace

std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const LayoutRow& row : layout_table()) all.push_back(fmt::format("{}{}", kPrefix, row.name));
  return all;
}

bool is_reference_name(std::string_view name) { return name.starts_with(kPrefix); }

Result<std::unique_ptr<Jit>> open(std::string_view name) {
  std::string_view layout = name;
  layout.remove_prefix(std::min(kPrefix.size(), layout.size()));
  std::optional<Defect> defect;
  if (const std::size_t plus = layout.find('+'); plus != std::string_view::npos) {
    const DefectInfo* info = find_defect(layout.substr(plus + 1));
    if (info == nullptr) {
      return fail(fmt::format("no seeded defect is called '{}'", layout.substr(plus + 1)));
    }
    layout = layout.substr(0, plus);
    if (!applies_to(*info, layout)) {
      return fail(fmt::format("defect '{}' cannot be built into layout '{}'", info->name, layout));
    }
    defect = info->id;
  }
  const LayoutRow* row = find_layout(layout);
  if (row == nullptr) return fail(fmt::format("no frame layout is called '{}'", layout));
  Result<Arena> arena = Arena::map_somewhere(kArenaSize);
  if (!arena) return std::unexpected(arena.error());
  return std::make_unique<ReferenceJit>(make_info(name, *row, defect), *row, defect,
                                        std::move(*arena));
}

std::vector<std::vector<FrameLayout>> frames_of(const Case& value, const LayoutRow& row) {
  std::vector<std::vector<FrameLayout>> frames;
  for (const Program& program : value.programs) {
    const std::vector<FunctionFacts> facts = analyse(program);
    const bool tail_calls = std::ranges::any_of(facts, &FunctionFacts::has_tail_call);
    auto& of_program = frames.emplace_back();
    for (const FunctionFacts& f : facts) {
      of_program.push_back(compute_frame({.row = &row,
                                          .facts = &f,
                                          .boundary = &facts.front(),
                                          .defect = std::nullopt,
                                          .is_private = !tail_calls && wants_private_stack(row, f),
                                          .is_private_program = !tail_calls}));
    }
  }
  return frames;
}

}  // namespace plumb::jit::reference
