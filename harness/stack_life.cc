// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/stack_life.h"

#include <algorithm>
#include <utility>

#include "core/helper_model.h"
#include "invariants/platform.h"

namespace plumb::harness {
namespace {

constexpr std::uint64_t kSlot = 8;

// The bytes of [address, address + 8) that [begin, begin + size) covers, as a set.
unsigned covered(std::uint64_t address, std::uint64_t begin, std::uint64_t size) {
  unsigned set = 0;
  for (unsigned i = 0; i < kSlot; ++i) set |= (address + i - begin < size ? 1u : 0u) << i;
  return set;
}

}  // namespace

StackLife::StackLife(const Image& image, const MachineRun& run)
    : run_(run), call_pushes_(image.arch == Arch::kX86_64 ? 8 : 0) {
  for (const StackAccess& access : run.accesses) {
    uses_.push_back({.step = static_cast<std::size_t>(access.step),
                     .address = access.address,
                     .size = access.size,
                     .is_read = access.kind == AccessKind::kRead});
  }
  add_helper_reads(image);
  // Of one step, in the order of the record.
  for (std::size_t i = 0; i < uses_.size(); ++i) uses_[i].order = i;
  std::ranges::sort(uses_, {}, [](const Use& use) { return std::pair(use.step, use.order); });
}

// The machine records what helpers write, not what they read.
void StackLife::add_helper_reads(const Image& image) {
  for (std::size_t frame = 0; frame < run_.shadow.size(); ++frame) {
    const std::int32_t index = run_.shadow[frame].event;
    if (index < 0) continue;
    const MachineEvent& event = run_.events[static_cast<std::size_t>(index)];
    const HelperInfo* const helper =
        event.kind == EventKind::kHelperCall ? find_helper(event.target) : nullptr;
    if (helper == nullptr) continue;
    const auto first =
        std::ranges::find(run_.steps, static_cast<std::int32_t>(frame), &MachineStep::shadow);
    if (first == run_.steps.end()) continue;
    const auto argument = [&](std::size_t i) {
      const NativeRegister by_abi = invariants::platform(image.arch).argument_registers[i];
      const NativeRegister native = image.registers.helper_argument[i].or_else(by_abi);
      return native.is_known() ? event.registers[native.number()] : std::uint64_t{0};
    };
    for (std::size_t i = 0; i + 1 < helper->args.size(); ++i) {
      if (helper->args[i] != HelperArg::kReadMem) continue;
      uses_.push_back({.step = static_cast<std::size_t>(first - run_.steps.begin()),
                       .address = argument(i),
                       .size = argument(i + 1),
                       .is_read = true});
    }
  }
}

bool StackLife::is_live(std::size_t step, std::uint64_t address) const {
  if (address + kSlot > run_.entry_sp + call_pushes_) return true;
  return belongs_to_calls(step, address) || is_read_again(step, address);
}

bool StackLife::is_read_again(std::size_t step, std::uint64_t address) const {
  unsigned open = 0xff;  // bytes that nobody has touched yet
  auto use = std::ranges::lower_bound(uses_, step, {}, &Use::step);
  for (; use != uses_.end() && open != 0; ++use) {
    const unsigned touched = open & covered(address, use->address, use->size);
    if (use->is_read && touched != 0) return true;
    open &= ~touched;
  }
  return false;
}

bool StackLife::belongs_to_calls(std::size_t step, std::uint64_t address) const {
  for (std::int32_t i = run_.steps[step].shadow; i >= 0;) {
    const ShadowFrame& frame = run_.shadow[static_cast<std::size_t>(i)];
    if (covered(address, frame.sp, call_pushes_) != 0) return true;
    // A callback: between it and the helper's call lies a frame of C code.
    const bool is_callback =
        frame.event >= 0 &&
        run_.events[static_cast<std::size_t>(frame.event)].kind == EventKind::kCallback;
    if (is_callback && frame.parent >= 0) {
      const ShadowFrame& helper = run_.shadow[static_cast<std::size_t>(frame.parent)];
      if (covered(address, frame.sp, helper.sp - frame.sp) != 0) return true;
    }
    i = frame.parent;
  }
  return false;
}

}  // namespace plumb::harness
