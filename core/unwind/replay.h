// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <vector>

#include "core/arch.h"
#include "core/machine_run.h"
#include "core/placement.h"
#include "core/unwind/unwinder.h"

// The stack of a run that was observed at Depth::kFull, as it was before each of its instructions,
// and what a walk from there must find.
namespace plumb::unwind {

class StackReplay final : public StackReader {
 public:
  // The run outlives it. It begins before the first step.
  StackReplay(const MachineRun& run, const Range& stack, Arch arch, std::uint64_t exit);
  StackReplay(const StackReplay&) = delete;
  StackReplay& operator=(const StackReplay&) = delete;
  // Steps never go back.
  void advance_to(std::size_t step);

  [[nodiscard]] std::optional<std::uint64_t> word_elsewhere(std::uint64_t address) const override;

 private:
  void store(std::uint64_t address, std::uint64_t value, std::size_t size);

  const MachineRun& run_;
  Range stack_;
  std::vector<std::uint8_t> bytes_;
  std::size_t next_ = 0;        // access
  std::size_t next_store_ = 0;  // of a helper
};

// The registers of a walk that starts at a step.
[[nodiscard]] Cursor cursor_at(const MachineStep& step, Arch arch);
// The return addresses of the calls in progress, innermost first, the kernel's last: without those
// of thunks that keep no record.
void calls_in_progress(const MachineRun& run, std::int32_t shadow, std::vector<std::uint64_t>& out);

enum class Outcome : std::uint8_t {
#define PLUMB_WALK_OUTCOME(id, letter, name, sentence) k##id,
#include "core/unwind/outcomes.inc"
};
inline constexpr std::size_t kOutcomeCount = std::size({
#define PLUMB_WALK_OUTCOME(id, letter, name, sentence) Outcome::k##id,
#include "core/unwind/outcomes.inc"
});
struct OutcomeInfo {
  Outcome id = Outcome::kRight;
  char letter = ' ';
  std::string_view name;
  std::string_view sentence;
};
// In the order of the enumeration, which is from the best to the worst.
[[nodiscard]] std::span<const OutcomeInfo> outcome_table();
[[nodiscard]] const OutcomeInfo& outcome_info(Outcome outcome);

}  // namespace plumb::unwind
