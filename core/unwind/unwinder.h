// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/placement.h"
#include "core/unwind/c_frames.h"
#include "core/unwind/step.h"

namespace plumb::unwind {

enum class Unwinder : std::uint8_t {
#define PLUMB_UNWINDER(id, ...) k##id,
#include "core/unwind/unwinders.inc"
};

inline constexpr std::size_t kUnwinderCount = std::size({
#define PLUMB_UNWINDER(id, ...) Unwinder::k##id,
#include "core/unwind/unwinders.inc"
});

// How one step is made.
enum class Rule : std::uint8_t {
  kCheckedRecord,    // the frame record; direction, alignment, one stack, encoded registers
  kRecord,           // the frame record; direction and alignment; of riscv64 also return addresses
  kRecordOrLeaf,     // the same, and the leaf rule of riscv64
  kNaive,            // the frame record, unchecked
  kRows,             // by row
  kFallback,         // the frame record, never reliable
  kFallbackInRange,  // the frame record, reliable where the JIT says so
  kCallFrames,       // by the row that a reader of call frame information finds
};

struct UnwinderInfo {
  Unwinder id = Unwinder::kFramePointer;
  std::string_view name;   // "frame-pointer"
  std::string_view archs;  // x, a, r
  Rule c_code = Rule::kNaive;
  Rule jit_code = Rule::kNaive;
  std::string_view sentence;

  [[nodiscard]] bool runs_on(Arch arch) const;
};

// In the order of the enumeration.
[[nodiscard]] std::span<const UnwinderInfo> unwinder_table();
[[nodiscard]] const UnwinderInfo& unwinder_info(Unwinder id);
// The one of that name, or null.
[[nodiscard]] const UnwinderInfo* find_unwinder(std::string_view name);

// Call frame information (core/unwind/eh_frame.h), as read by somebody.
class CallFrameInfo {
 public:
  virtual ~CallFrameInfo() = default;
  // The row that holds at the address; nullopt: the information has nothing for it.
  [[nodiscard]] virtual std::optional<Row> row_at(std::uint64_t pc) const = 0;
};

struct Knowledge;
// How one step is made: step() below, or something else that tests put there.
using StepRule = Step (*)(Unwinder, const Cursor&, const StackReader&, const Knowledge&);

// One step outwards. Frame::reliable is of this step alone: of the place that it began at, where
// the rule cannot be wrong.
[[nodiscard]] Step step(Unwinder unwinder, const Cursor& cursor, const StackReader& stack,
                        const Knowledge& knowledge);

// What an unwinder is told. What it does not look at may be empty.
struct Knowledge {
  Arch arch = Arch::kX86_64;
  std::span<const Range> jit_code;             // where the JIT's functions lie
  const Rows* c_rows = nullptr;                // of all other code
  const Rows* jit_rows = nullptr;              // of the JIT's: what it hands over
  const CallFrameInfo* call_frames = nullptr;  // of all code
  std::span<const Range> fp_ranges;  // where the JIT says that its frame pointer heads a chain
  std::span<const Range> text;       // all code: what can be a return address
  std::uint64_t last_record = 0;     // the frame record that ends every walk; 0: only the end mark
  Mark mark = Mark::kEncoded;        // what whoever follows frame pointers looks for
  StepRule step = &unwind::step;     // of a walk
};

struct Walk {
  std::vector<Frame> frames;  // of the callers, inwards first; reliable: this one and all before it
  bool reached_end = false;
  bool reliable = false;  // reached_end, and every step of it
  Why why = Why::kNoRow;  // without reached_end: what stopped it
};

// Does it follow frame pointers out of the kernel's code, without rows?
[[nodiscard]] bool follows_records(Unwinder unwinder);

// Steps until the end, or until there are most frames.
[[nodiscard]] Walk walk(Unwinder unwinder, const Cursor& start, const StackReader& stack,
                        const Knowledge& knowledge, std::size_t most);
// The same in the memory of an earlier walk.
void walk_into(Walk& walk, Unwinder unwinder, const Cursor& start, const StackReader& stack,
               const Knowledge& knowledge, std::size_t most);

}  // namespace plumb::unwind
