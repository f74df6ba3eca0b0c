// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/image.h"
#include "core/machine_run.h"
#include "core/unwind/c_frames.h"
#include "core/unwind/code_knowledge.h"
#include "core/unwind/replay.h"

// Walks from everywhere in a run that was observed at Depth::kFull, held against the calls that
// were in progress.
namespace plumb::unwind {

enum class Start : std::uint8_t {
#define PLUMB_WALK_START(id, name, sentence) k##id,
#include "core/unwind/starts.inc"
};
inline constexpr std::size_t kStartCount = std::size({
#define PLUMB_WALK_START(id, name, sentence) Start::k##id,
#include "core/unwind/starts.inc"
});
struct StartInfo {
  Start id = Start::kInstruction;
  std::string_view name;
  std::string_view sentence;
};
// In the order of the enumeration.
[[nodiscard]] std::span<const StartInfo> start_table();
[[nodiscard]] const StartInfo& start_info(Start start);

// The unwinders that there can be for the image: orc-fp-range only where the JIT says where its
// frame pointer heads a chain.
[[nodiscard]] std::vector<Unwinder> unwinders_for(const Image& image);

// Has an unwinder been promised to find the registers of an interrupt that is marked so?
[[nodiscard]] bool finds_interrupts(Unwinder unwinder, Mark mark);

// Nothing tells whoever follows frame pointers of an interrupt that nothing marks: that its walk
// may call itself reliable all the same is what marks are for.
[[nodiscard]] bool is_blind(Start start, Mark mark, Unwinder unwinder);

struct SurveyedWalk {
  std::size_t step = 0;  // where it starts: index in MachineRun::steps
  Start start = Start::kInstruction;
  Mark mark = Mark::kNothing;  // of Start::kInterrupt
  Unwinder unwinder = Unwinder::kFramePointer;
  Outcome outcome = Outcome::kRight;
  bool finds_interrupted = true;  // of Start::kInterrupt: the walk comes by what was interrupted
  const Walk* walk = nullptr;
  std::span<const std::uint64_t> expected;  // the frames that it has to find
};

struct SurveyOptions {
  std::vector<Unwinder> unwinders;
  const CallFrameInfo* call_frames = nullptr;  // for kDwarf, which starts at instructions alone
  bool starts_in_c = true;                     // else at instructions alone
};

// Longer than any chain of calls of a case, 33 tail calls out of nested subprograms included.
inline constexpr std::size_t kLongestWalk = 512;

// Starts at every instruction of a function or a thunk of the image; in every helper that is
// called, before and behind its prologue; and behind an interrupt at every instruction there is,
// once for each way to mark it that the unwinder can meet. Calls visit for each walk. Returns the
// first step with a stack pointer that an interrupt has no room below: nothing starts in C code
// there.
std::optional<std::size_t> survey(const Image& image, const MachineRun& run,
                                  const CodeKnowledge& known, const SurveyOptions& options,
                                  const std::function<void(const SurveyedWalk&)>& visit);

// What a walk found, beside the frames that it has to find; the first ones, up to own, are those of
// C code on top of a JIT's, or of what was interrupted. kSkipped: the frame at own is missing, or
// the one before it, or both.
[[nodiscard]] Outcome outcome_beside(const Walk& walk, std::span<const std::uint64_t> expected,
                                     std::size_t own);

}  // namespace plumb::unwind
