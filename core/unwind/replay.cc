// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/unwind/replay.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "core/check.h"
#include "core/image.h"

namespace plumb::unwind {
namespace {

constexpr std::uint64_t kWord = 8;

constexpr std::array kOutcomes{
#define PLUMB_WALK_OUTCOME(id, letter, name, sentence) \
  OutcomeInfo{Outcome::k##id, letter, name, sentence},
#include "core/unwind/outcomes.inc"
};

}  // namespace

StackReplay::StackReplay(const MachineRun& run, const Range& stack, Arch arch, std::uint64_t exit)
    : run_(run), stack_(stack), bytes_(stack.size) {
  show({.range = stack_, .bytes = bytes_.data()});
  if (arch == Arch::kX86_64) store(run.entry_sp, exit, kWord);
}

void StackReplay::advance_to(std::size_t step) {
  const auto end = static_cast<std::int32_t>(step);
  const auto due = [end](const auto& list, std::size_t next) {
    return next < list.size() && list[next].step < end;
  };
  for (;;) {
    const bool has_access = due(run_.accesses, next_);
    const bool has_store = due(run_.helper_stores, next_store_);
    if (!has_access && !has_store) return;
    const bool is_store = has_store && (!has_access || run_.helper_stores[next_store_].step <
                                                           run_.accesses[next_].step);
    if (is_store) {
      const HelperStore& written = run_.helper_stores[next_store_++];
      store(written.address, written.value, written.size);
    } else {
      const StackAccess& access = run_.accesses[next_++];
      if (access.kind == AccessKind::kWrite) store(access.address, access.value, access.size);
    }
  }
}

// The window has all of it.
std::optional<std::uint64_t> StackReplay::word_elsewhere(std::uint64_t) const { return {}; }

// The first 8 bytes of what was stored are known: no frame keeps anything in the others.
void StackReplay::store(std::uint64_t address, std::uint64_t value, std::size_t size) {
  const std::size_t known = std::min<std::size_t>(size, kWord);
  if (!stack_.contains(address, known)) return;
  std::memcpy(bytes_.data() + (address - stack_.address), &value, known);
}

Cursor cursor_at(const MachineStep& step, Arch arch) {
  return {.pc = code_address(arch, step.pc),
          .sp = step.sp,
          .fp = step.fp,
          .lr = code_address(arch, step.lr),
          .is_exact = true};
}

void calls_in_progress(const MachineRun& run, std::int32_t shadow,
                       std::vector<std::uint64_t>& out) {
  out.clear();
  while (shadow >= 0 && static_cast<std::size_t>(shadow) < run.shadow.size()) {
    const ShadowFrame& frame = run.shadow[static_cast<std::size_t>(shadow)];
    if (frame.keeps_record) out.push_back(frame.return_address);
    shadow = frame.parent < shadow ? frame.parent : -1;
  }
}

std::span<const OutcomeInfo> outcome_table() { return kOutcomes; }
const OutcomeInfo& outcome_info(Outcome outcome) {
  return kOutcomes[static_cast<std::size_t>(outcome)];
}

}  // namespace plumb::unwind
