// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/reference/frame_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/case.h"
#include "core/check.h"

namespace plumb::jit::reference {
namespace {

using enum Part;

constexpr LayoutRow kLayouts[] = {
#define PLUMB_LAYOUT(id, name, arch, recipe, era, source, ...) \
  {LayoutId::k##id, name, Arch::arch, recipes::recipe, era, source, LayoutTraits{__VA_ARGS__}},
#include "jit_under_test/reference/layouts.inc"
};

constexpr int kRbp = 5;
constexpr int kX25 = 25;
constexpr int kCountX26 = 26;
constexpr int kFp = 29;
constexpr int kXzr = 31;
constexpr int kPrivateStackLeast = 64;  // bytes from which on a function gets a private stack

int round_up(int value, int to) { return (value + to - 1) / to * to; }

// Expands a recipe for one function and keeps track of where everything lies.
class Builder {
 public:
  explicit Builder(const FrameRequest& request)
      : row_(*request.row),
        traits_(request.row->traits),
        facts_(*request.facts),
        boundary_(request.boundary),
        defect_(request.defect) {
    frame_.row = &row_;
    is_private_ = request.is_private;
    is_private_program_ = request.is_private_program;
    frame_.r10_register = is_private_ ? 9 : traits_.r10;
    frame_.r10_bias = is_private_ ? 0 : traits_.r10_bias;
    frame_.stack_size = stack_size();
    frame_.keeps_count = facts_.tail_call_reachable;
    if (!is_arm64()) {
      sp_ = -8;
      slot(SlotRole::kReturnAddress, -8);
    }
  }

  FrameLayout build() {
    if (facts_.is_exception_callback) note_boundary();
    for (const RecipeLine& line : ordered_recipe()) expand(line);
    frame_.body_sp = sp_;
    if (traits_.r10 == frame_pointer() && !is_private_) {
      frame_.r10 = frame_.frame_pointer + frame_.r10_bias;
    }
    if (is_private_) frame_.r10.reset();
    add_bpf_stack();
    std::ranges::sort(frame_.slots, std::ranges::greater{}, &Slot::offset);
    return std::move(frame_);
  }

 private:
  [[nodiscard]] bool is_arm64() const { return row_.arch == Arch::kArm64; }
  [[nodiscard]] bool has(Defect defect) const { return defect_ == defect; }
  [[nodiscard]] int frame_pointer() const { return is_arm64() ? kFp : kRbp; }

  [[nodiscard]] int stack_size() const {
    const bool fixed = traits_.fixed_stack == FixedStack::kAlways ||
                       (traits_.fixed_stack == FixedStack::kWithTailCalls && facts_.has_tail_call);
    const int depth = fixed ? kMaxStackDepth : facts_.stack_depth;
    return round_up(depth, traits_.alignment);
  }
  [[nodiscard]] int allocated() const {
    if (has(Defect::kStackMissing)) return 0;
    if (has(Defect::kStackUnrounded)) return facts_.stack_depth;
    const int less = has(Defect::kStackTooSmall) ? traits_.alignment : 0;
    return std::max(0, frame_.stack_size - less);
  }

  [[nodiscard]] std::vector<RecipeLine> ordered_recipe() const {
    std::vector<RecipeLine> recipe(row_.recipe.begin(), row_.recipe.end());
    if (!has(Defect::kSavedInStack)) return recipe;
    const auto stack = std::ranges::find_if(recipe, [](const RecipeLine& line) {
      return line.part == kStack || line.part == kStackIfAny;
    });
    const auto saved = std::ranges::find(recipe, kPushSaved, &RecipeLine::part);
    if (stack != recipe.end() && saved != recipe.end()) std::iter_swap(stack, saved);
    return recipe;
  }

  void step(const Step& step) {
    (is_taking_over_ ? frame_.taken_over : frame_.prologue).push_back(step);
  }
  void slot(SlotRole role, int offset, int saved = -1) {
    frame_.slots.push_back({.role = role, .offset = offset, .size = 8, .saved = saved});
  }
  void push(int reg, SlotRole role) {
    sp_ -= 8;
    slot(role, sp_, reg);
    step({.kind = StepKind::kPush, .a = reg});
  }
  void push_pair(int low, int high, SlotRole role) {
    sp_ -= 16;
    slot(high == kXzr ? SlotRole::kPadding : role, sp_ + 8, high);
    slot(role, sp_, low);
    step({.kind = StepKind::kPush, .a = low, .b = high});
  }

  void expand(const RecipeLine& line);
  void expand_count(const RecipeLine& line);
  void record();
  void allocate(int extra);
  [[nodiscard]] bool is_boundary() const;
  [[nodiscard]] bool owns_count() const { return facts_.is_main || facts_.is_exception_callback; }
  [[nodiscard]] bool saves_all_of_boundary() const {
    return is_boundary() && !has(Defect::kBoundarySavesUsedOnly);
  }
  void push_saved();
  void push_saved_x86();
  void push_saved_arm64();
  void store_saved(int offset);
  void push_count_by_reference();
  void push_boundary_pair();
  void point_r10();
  void add_bpf_stack();
  void note_boundary();
  void take_over_x86();
  void take_over_arm64();

  const LayoutRow& row_;
  const LayoutTraits& traits_;
  const FunctionFacts& facts_;
  const FunctionFacts* boundary_;
  std::optional<Defect> defect_;
  FrameLayout frame_;
  int sp_ = 0;
  bool is_private_ = false;
  bool is_private_program_ = false;
  bool behind_entry_ = false;
  bool is_taking_over_ = false;  // steps are the boundary's
};

// Where the stack pointer stands at the calls of the boundary.
void Builder::note_boundary() {
  PLUMB_CHECK(boundary_ != nullptr);
  const bool is_private = is_private_program_ && wants_private_stack(row_, *boundary_);
  const FrameLayout boundary = compute_frame({.row = &row_,
                                              .facts = boundary_,
                                              .boundary = nullptr,
                                              .defect = defect_,
                                              .is_private = is_private});
  // Such a function keeps r9 around each of its calls.
  frame_.boundary_sp = boundary.body_sp - (is_private ? 8 : 0);
}

// mov rsp, rsi; mov rbp, rdx; pops; mov rsp, rbp: what is left is the frame record.
void Builder::take_over_x86() {
  is_taking_over_ = true;
  push(kRbp, SlotRole::kFramePointer);
  frame_.frame_pointer = sp_;
  if (!has(Defect::kBoundaryForgetsRegister))
    frame_.taken_over.push_back({.kind = StepKind::kPush, .a = 12});
  for (const int reg : {3, 13, 14, 15})
    frame_.taken_over.push_back({.kind = StepKind::kPush, .a = reg});
  is_taking_over_ = false;
  step({.kind = StepKind::kTakeOver});
}

// mov x29, x2; sub sp, x29, #...: what the boundary saved is all there, and stays.
void Builder::take_over_arm64() {
  is_taking_over_ = false;
  const int below = frame_.frame_pointer - sp_;
  step({.kind = StepKind::kTakeOver, .value = below});
}

void Builder::record() {
  if (facts_.is_exception_callback && !is_arm64()) return take_over_x86();
  if (is_arm64()) {
    sp_ -= 16;
    slot(SlotRole::kReturnAddress, sp_ + 8, 30);
    slot(SlotRole::kFramePointer, sp_, kFp);
    const bool swapped = has(Defect::kRecordSwapped);
    step({.kind = StepKind::kPush, .a = swapped ? 30 : kFp, .b = swapped ? kFp : 30});
  } else {
    push(kRbp, SlotRole::kFramePointer);
  }
  frame_.frame_pointer = sp_;
  if (has(Defect::kFrameNotLinked) && !facts_.is_main) return;
  step({.kind = StepKind::kPointAtSp, .a = frame_pointer()});
  if (has(Defect::kFramePointerShifted)) {
    step({.kind = StepKind::kShift, .a = frame_pointer(), .value = -8});
    frame_.frame_pointer -= 8;
  }
}

void Builder::allocate(int extra) {
  if (has(Defect::kOddFrame)) extra += 8;
  if (has(Defect::kFramePointerShifted)) extra += 8;  // R10 went down with the frame pointer
  sp_ -= allocated() + extra;
  step({.kind = StepKind::kAllocate, .value = allocated() + extra});
}

// Where the layout makes every main function one, or the program throws.
bool Builder::is_boundary() const {
  const bool always = traits_.saves == Saves::kUsedAllInBoundary && facts_.is_main;
  return always || facts_.is_boundary || (facts_.is_exception_callback && is_arm64());
}

void Builder::push_saved_x86() {
  constexpr std::array kRegisters{3, 13, 14, 15};  // R6 ... R9
  const bool boundary = is_boundary();
  const bool all =
      traits_.saves == Saves::kAll || (boundary && !has(Defect::kBoundarySavesUsedOnly));
  const bool saves_r12 = boundary && !has(Defect::kBoundaryForgetsRegister);
  if (saves_r12) push(12, SlotRole::kSaved);
  for (std::size_t i = 0; i < kRegisters.size(); ++i) {
    if (has(Defect::kRegisterNotSaved) && i == 3) continue;
    if (all || (facts_.used >> (6 + i) & 1) != 0) push(kRegisters[i], SlotRole::kSaved);
  }
}

void Builder::push_saved_arm64() {
  std::vector<int> registers;
  if (traits_.saves == Saves::kAll) {
    registers = {19, 20, 21, 22, kX25, kCountX26};
    const bool has_base =
        std::ranges::find(row_.recipe, kFrameBase, &RecipeLine::part) != row_.recipe.end();
    if (has_base) registers.insert(registers.end(), {27, 28});
  } else if (saves_all_of_boundary()) {
    registers = {19, 20, 21, 22, 23, 24, kX25, kCountX26, 27, 28};
    if (has(Defect::kBoundaryForgetsRegister)) std::ranges::replace(registers, 24, kXzr);
  } else {
    for (int i = 0; i < 4; ++i) {
      if ((facts_.used >> (6 + i) & 1) != 0) registers.push_back(19 + i);
    }
    if ((facts_.used >> kFramePointerRegister & 1) != 0) registers.push_back(kX25);
  }
  if (has(Defect::kRegisterNotSaved)) std::ranges::replace(registers, 22, kXzr);
  if (registers.size() % 2 != 0) registers.push_back(kXzr);
  for (std::size_t i = 0; i < registers.size(); i += 2) {
    push_pair(registers[i], registers[i + 1], SlotRole::kSaved);
  }
}

void Builder::push_saved() { is_arm64() ? push_saved_arm64() : push_saved_x86(); }

void Builder::store_saved(int offset) {
  for (const int reg : {3, 13, 14, 15}) {
    if (has(Defect::kRegisterNotSaved) && reg == 15) break;
    step({.kind = StepKind::kStore, .a = reg, .value = offset});
    slot(SlotRole::kSaved, frame_.frame_pointer + offset, reg);
    offset += 8;
  }
}

// 6.12: a main function was entered with a count or, out of a subprogram's tail call, with an
// address; a subprogram always with an address.
void Builder::push_count_by_reference() {
  if (!facts_.tail_call_reachable) return;
  sp_ -= 16;
  slot(SlotRole::kCount, sp_ + 8);
  slot(SlotRole::kCountAddress, sp_, 0);
  frame_.count = sp_;
  const bool owns = facts_.is_main || has(Defect::kSubprogramOwnsCount);
  if (owns) {
    step({.kind = StepKind::kCountByReference});
  } else {
    step({.kind = StepKind::kPush, .a = 0});
    step({.kind = StepKind::kPush, .a = 0});
  }
}

void Builder::push_boundary_pair() {
  has(Defect::kBoundaryForgetsRegister) ? push_pair(23, kXzr, SlotRole::kSaved)
                                        : push_pair(23, 24, SlotRole::kSaved);
}

// Boundaries and their callbacks point R10 at the stack whether or not it is used.
void Builder::point_r10() {
  const bool unused = row_.traits.counter == Counter::kReference &&
                      (facts_.used >> kFramePointerRegister & 1) == 0 && !saves_all_of_boundary() &&
                      !facts_.is_exception_callback;
  if (facts_.is_exception_callback) {
    const bool has_pair =
        std::ranges::find(row_.recipe, kBoundaryPair, &RecipeLine::part) != row_.recipe.end();
    if (has_pair) push_boundary_pair();
    take_over_arm64();
  }
  frame_.r10 = sp_;
  if (facts_.is_exception_callback && has(Defect::kCallbackStackOverSaved)) {
    frame_.r10 = frame_.frame_pointer;
    return step({.kind = StepKind::kPointAtFrame, .a = traits_.r10});
  }
  if (unused || (has(Defect::kSubprogramKeepsR10) && !facts_.is_main)) return;
  step({.kind = StepKind::kPointAtSp, .a = traits_.r10});
}

void Builder::expand_count(const RecipeLine& line) {
  const bool passes_on = facts_.is_main && facts_.tail_call_reachable;
  const bool restarts = has(Defect::kSubprogramRestartsCount) && facts_.tail_call_reachable;
  const bool clears = is_arm64() ? facts_.is_main || row_.name == "arm64-5.10" : passes_on;
  if ((clears && !has(Defect::kMainLeavesCount)) || restarts) {
    step({.kind = StepKind::kClearCount, .a = is_arm64() ? kCountX26 : 0, .value = line.value});
  } else if (!is_arm64() || clears) {
    step({.kind = StepKind::kNop, .value = is_arm64() ? 4 : line.value});
  }
}

void Builder::expand(const RecipeLine& line) {
  switch (line.part) {
    case kPatchSite:
      return step({.kind = is_arm64() ? StepKind::kSaveLink : StepKind::kNop, .value = 5});
    case kLandingPad: {
      const bool missing =
          has(behind_entry_ ? Defect::kNoPadAtTailCallEntry : Defect::kNoPadAtEntry);
      if (missing) return step({.kind = StepKind::kNop, .value = 4});
      return step({.kind = StepKind::kLandingPad, .value = behind_entry_ ? 2 : 1});
    }
    case kSignReturn:
      if (facts_.is_exception_callback) is_taking_over_ = true;
      return step({.kind = StepKind::kSignReturn});
    case kClearCount:
      return expand_count(line);
    case kRecord:
      if (facts_.is_exception_callback && is_arm64()) is_taking_over_ = true;
      return record();
    case kEntry:
      frame_.prologue.push_back({.kind = StepKind::kEntry});
      frame_.entry_sp = sp_;
      frame_.first_pop = static_cast<int>(frame_.prologue.size());
      behind_entry_ = true;
      return;
    case kStack:
      return allocate(line.value);
    case kStackIfAny:
      if (allocated() != 0 && !is_private_) allocate(0);
      return;
    case kShift:
      step({.kind = StepKind::kShift, .a = frame_pointer(), .value = line.value});
      frame_.frame_pointer += line.value;
      return;
    case kStoreSaved:
      return store_saved(line.value);
    case kStoreZeroCount:
      step({.kind = StepKind::kStoreZero, .value = line.value});
      frame_.count = frame_.frame_pointer + line.value;
      return slot(SlotRole::kCount, *frame_.count);
    case kPushR15toRbx:
      for (const int reg : {15, 14, 13, 3}) push(reg, SlotRole::kSaved);
      return;
    case kPushR15R12Rbx:
      for (const int reg : {15, 14, 13, 12, 3}) push(reg, SlotRole::kSaved);
      return;
    case kPushSaved:
      return push_saved();
    case kPushZeroCount:
      sp_ -= 8;
      step({.kind = StepKind::kPushZero});
      frame_.count = sp_;
      return slot(SlotRole::kCount, sp_);
    case kPushCount:
      if (!facts_.tail_call_reachable) return;
      push(0, SlotRole::kCount);
      frame_.count = sp_;
      return;
    case kPushCountByReference:
      return push_count_by_reference();
    case kCountPair:
      sp_ -= 16;
      slot(SlotRole::kCountAddress, sp_ + 8, kCountX26);
      slot(owns_count() ? SlotRole::kCount : SlotRole::kCountAddress, sp_,
           owns_count() ? kXzr : kCountX26);
      step({.kind = StepKind::kPush, .a = owns_count() ? kXzr : kCountX26, .b = kCountX26});
      if ((owns_count() && !has(Defect::kMainLeavesCount)) || has(Defect::kSubprogramOwnsCount)) {
        step({.kind = StepKind::kPointAtSp, .a = kCountX26});
      }
      return;
    case kPointR10:
      return point_r10();
    case kBoundaryPair:
      if (!facts_.is_main) return;
      step({.kind = StepKind::kShift, .a = kX25, .value = -16});
      frame_.r10 = *frame_.r10 - 16;
      return push_boundary_pair();
    case kFrameBase:
      return step({.kind = StepKind::kFrameBase, .value = frame_.stack_size});
    case kPrivate:
      if (is_private_) step({.kind = StepKind::kPrivate});
      return;
  }
}

void Builder::add_bpf_stack() {
  if (!frame_.r10 || frame_.stack_size == 0) return;
  frame_.slots.push_back({.role = SlotRole::kBpfStack,
                          .offset = *frame_.r10 - frame_.stack_size,
                          .size = frame_.stack_size});
}

}  // namespace

std::span<const LayoutRow> layout_table() { return kLayouts; }

const LayoutRow* find_layout(std::string_view name) {
  const auto* row = std::ranges::find(kLayouts, name, &LayoutRow::name);
  return row != std::end(kLayouts) ? row : nullptr;
}

bool wants_private_stack(const LayoutRow& row, const FunctionFacts& facts) {
  return row.traits.private_stack && facts.stack_depth >= kPrivateStackLeast;
}

FrameLayout compute_frame(const FrameRequest& request) { return Builder(request).build(); }

std::string register_name(Arch arch, int number) {
  constexpr std::array kX86{"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                            "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
  if (arch == Arch::kX86_64) return kX86[static_cast<std::size_t>(number)];
  if (number == kXzr) return "xzr";
  return fmt::format("x{}", number);
}

}  // namespace plumb::jit::reference
