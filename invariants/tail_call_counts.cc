// SPDX-License-Identifier: GPL-2.0-or-later
//
// The words on the stack that tail calls count in: who writes them, and what. Either one word for
// the whole invocation, with the tail calls that were taken, or one in every frame, with those that
// are left.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "invariants/bytes.h"
#include "invariants/checkers.h"

namespace plumb::invariants {
namespace {

// A word that tail calls count in.
struct CountWord {
  std::uint64_t address = 0;
  std::uint64_t value = 0;  // that was stored last
  unsigned size = 0;
};

// The words that tail calls are seen to count in, as long as they lie above the stack pointer.
class CountWords {
 public:
  explicit CountWords(const View& view) : view_(view) {}

  // Forgets the words of frames that were left before the access.
  void advance(const StackAccess& access) {
    const auto& events = view_.run().events;
    for (; next_event_ <= access.event && static_cast<std::size_t>(next_event_) < events.size();
         ++next_event_) {
      const MachineEvent& event = events[static_cast<std::size_t>(next_event_)];
      leave_up_to(event.sp);
      // The frame that the callback takes over begins anew.
      const bool is_thrown = event.kind == EventKind::kThrow && event.entered >= 0;
      if (is_thrown) leave_up_to(view_.frames()[static_cast<std::size_t>(event.entered)].entry_sp);
    }
    leave_up_to(access.sp);
  }
  [[nodiscard]] CountWord* find(const StackAccess& access) {
    for (CountWord& word : words_) {
      if (overlap(access.address, access.size, word.address, word.size)) return &word;
    }
    return nullptr;
  }
  void erase(const StackAccess& access) {
    std::erase_if(words_, [&](const CountWord& word) {
      return overlap(access.address, access.size, word.address, word.size);
    });
  }
  void add(const CountWord& word) { words_.push_back(word); }

 private:
  void leave_up_to(std::uint64_t sp) {
    std::erase_if(words_, [sp](const CountWord& word) { return word.address < sp; });
  }

  const View& view_;
  std::vector<CountWord> words_;
  std::int32_t next_event_ = 0;
};

// Why the store of a count does not belong to the tail call whose code it stands in, or null. Each
// tail call ends in an event, and counts at most once before it: a taken one, and where the
// contract says so one that finds an empty slot.
const char* misplaced(const View& view, std::size_t i, std::int32_t counted_behind) {
  const std::int32_t behind = view.run().accesses[i].event;
  if (behind == counted_behind) return "counts a second time";
  const auto next = static_cast<std::size_t>(std::int64_t{behind} + 1);
  const auto& events = view.run().events;
  const auto& trace = view.execution().trace;
  if (next >= events.size() || events[next].kind != EventKind::kTailCallRefused) return nullptr;
  if (next >= trace.size() || trace[next].kind != EventKind::kTailCallRefused) return nullptr;
  if (view.image().contract.empty_slot_consumes_count == Tristate::kNo) {
    return "counts and is refused";
  }
  switch (trace[next].reason) {
    case RefusalReason::kEmptySlot:
      return nullptr;
    case RefusalReason::kLimitReached: {
      // Where an earlier attempt is lost, which other rows tell, this one meets its empty slot.
      const StackAccess& count = view.run().accesses[i];
      return low_bytes(count.value, count.size) <= kTailCallLimit ? nullptr
                                                                  : "counts beyond the limit";
    }
    case RefusalReason::kIndexOutOfRange:
    case RefusalReason::kNone:
      break;
  }
  return "counts and is refused";
}

// Would the contract have to say whether the tail call that the count belongs to may count?
bool counts_at_empty_slot(const View& view, std::int32_t behind) {
  const auto next = static_cast<std::size_t>(std::int64_t{behind} + 1);
  const auto& trace = view.execution().trace;
  return view.image().contract.empty_slot_consumes_count == Tristate::kUnknown &&
         next < trace.size() && trace[next].kind == EventKind::kTailCallRefused;
}

// Code that begins a count: of a prologue, of the thunk that the invocation enters by, of who
// knows.
bool may_begin_count(const View& view, std::size_t access) {
  const AccessRole role = view.access_roles()[access];
  const bool is_entry = role == AccessRole::kThunk && view.run().accesses[access].event < 0;
  return role == AccessRole::kPrologue || role == AccessRole::kUnplaced || is_entry;
}

// What a prologue stored last where the i-th access writes, or nothing.
std::optional<std::uint64_t> initial_count(const View& view, std::size_t i) {
  const auto& accesses = view.run().accesses;
  const StackAccess& count = accesses[i];
  for (std::size_t j = i; j-- > 0;) {
    const StackAccess& access = accesses[j];
    if (access.kind != AccessKind::kWrite) continue;
    if (!overlap(access.address, access.size, count.address, count.size)) continue;
    // x86-64 before 6.12 pushes eight bytes and counts in the upper four.
    const std::uint64_t skipped = count.address - access.address;
    const bool is_initial =
        may_begin_count(view, j) && skipped < access.size && access.size - skipped >= count.size;
    if (!is_initial) return std::nullopt;
    return low_bytes(access.value >> 8 * skipped, count.size);
  }
  return std::nullopt;
}

bool is_count(AccessRole role) {
  return role == AccessRole::kCount || role == AccessRole::kCountBack;
}

bool stores_counts(const View& view) { return std::ranges::any_of(view.access_roles(), is_count); }

// ---- Every frame keeps how many tail calls are left ----

// How many tail calls the invocation may still take behind the event.
std::uint64_t left_behind(const View& view, std::int32_t event) {
  const auto& events = view.run().events;
  const auto taken =
      std::count_if(events.begin(), events.begin() + event + 1,
                    [](const MachineEvent& e) { return e.kind == EventKind::kTailCallTaken; });
  return static_cast<std::uint64_t>(kTailCallLimit - taken);
}

// Does the store write the whole word in which the frame keeps its count? The first time, that is
// one where its prologue stored what was left.
bool writes_own_count(const View& view, std::size_t i, const CountWord* word) {
  const StackAccess& count = view.run().accesses[i];
  if (word != nullptr) return word->address == count.address && word->size == count.size;
  for (std::size_t j = i; j-- > 0;) {
    const StackAccess& access = view.run().accesses[j];
    if (access.kind != AccessKind::kWrite) continue;
    if (!overlap(access.address, access.size, count.address, count.size)) continue;
    return may_begin_count(view, j) && access.activation == count.activation &&
           access.address == count.address && access.size == count.size &&
           access.value == left_behind(view, access.event);
  }
  return false;
}

// As misplaced(), of the code of a call: it keeps what came back, once, behind the return.
const char* misplaced_back(const View& view, std::size_t i, std::int32_t kept_behind) {
  const std::int32_t behind = view.run().accesses[i].event;
  if (behind < 0 || view.run().events[static_cast<std::size_t>(behind)].kind != EventKind::kReturn)
    return "before anything came back";
  return behind == kept_behind ? "a second time" : nullptr;
}

class FrameCounts {
 public:
  explicit FrameCounts(const View& view) : view_(view), words_(view) {}

  Answer run() {
    unseen_.note_if(view_.misses_offsets(), NotApplicableReason::kOffsetsUnknown);
    const auto& accesses = view_.run().accesses;
    for (std::size_t i = 0; i < accesses.size(); ++i) {
      if (accesses[i].kind != AccessKind::kWrite) continue;
      if (auto problem = take(i)) {
        return view_.at_access("tail-call-counter-intact", accesses[i], *std::move(problem));
      }
    }
    return unseen_.held_if(looked_, NotApplicableReason::kNoCounter);
  }

 private:
  // What is wrong, or nothing.
  std::optional<std::string> take(std::size_t i) {
    const StackAccess& access = view_.run().accesses[i];
    const AccessRole role = view_.access_roles()[i];
    words_.advance(access);
    if (may_begin_count(view_, i)) {
      words_.erase(access);  // a frame begins there
      return std::nullopt;
    }
    CountWord* word = words_.find(access);
    if (!is_count(role)) {
      if (word == nullptr) return std::nullopt;
      return fmt::format("{} writes into the tail-call count at {}",
                         access.pc == 0 ? "a helper" : view_.code_name(access.pc), place(access));
    }
    looked_ = true;
    if (role == AccessRole::kCountBack && may_save_register()) return std::nullopt;
    if (auto problem = wrong_moment(i)) return problem;
    if (!writes_own_count(view_, i, word)) {
      return fmt::format("{} stores at {}, where the frame keeps no count", who(role),
                         place(access));
    }
    // The tail call that stores is no event yet.
    const std::uint64_t left = left_at(access.event) - (role == AccessRole::kCount ? 1 : 0);
    const std::uint64_t value = low_bytes(access.value, access.size);
    if (word == nullptr) words_.add({access.address, value, access.size});
    if (value == low_bytes(left, access.size)) return std::nullopt;
    return fmt::format("{} stores {} at {}, where {} are left", who(role),
                       static_cast<std::int64_t>(value), place(access),
                       static_cast<std::int64_t>(left));
  }

  // Where nobody says who saves registers, the code of a call may be saving one.
  bool may_save_register() {
    const Contract& contract = view_.image().contract;
    const bool by_anyone = contract.r6_r9_saved_by == Side::kUnknown;
    const bool r10_by_anyone = contract.r10_moved_by == Side::kUnknown;
    unseen_.note_if(by_anyone, NotApplicableReason::kSavedByUnknown);
    unseen_.note_if(r10_by_anyone, NotApplicableReason::kR10MovedByUnknown);
    return by_anyone || r10_by_anyone;
  }

  std::optional<std::string> wrong_moment(std::size_t i) {
    const StackAccess& access = view_.run().accesses[i];
    const AccessRole role = view_.access_roles()[i];
    std::int32_t& behind = role == AccessRole::kCount ? counted_behind_ : kept_behind_;
    const char* const problem =
        role == AccessRole::kCount ? misplaced(view_, i, behind) : misplaced_back(view_, i, behind);
    behind = access.event;
    if (problem == nullptr) return std::nullopt;
    return fmt::format("{} {}: it stores {} at {}", who(role), problem,
                       low_bytes(access.value, access.size), place(access));
  }

  // As left_behind(), of events that come in order.
  std::uint64_t left_at(std::int32_t event) {
    const auto& events = view_.run().events;
    for (; next_event_ <= event; ++next_event_) {
      left_ -= events[static_cast<std::size_t>(next_event_)].kind == EventKind::kTailCallTaken;
    }
    return left_;
  }

  static std::string_view who(AccessRole role) {
    return role == AccessRole::kCount ? "a tail call" : "a call";
  }
  [[nodiscard]] std::string place(const StackAccess& access) const {
    return view_.stack_name(access.address, access.activation);
  }

  const View& view_;
  CountWords words_;
  Unseen unseen_;
  bool looked_ = false;
  std::int32_t next_event_ = 0;
  std::uint64_t left_ = kTailCallLimit;
  // The events before the last stores of counts.
  std::int32_t counted_behind_ = -2;
  std::int32_t kept_behind_ = -2;
};

Answer check_counts_in_frames(const View& view) { return FrameCounts(view).run(); }

}  // namespace

Answer check_tail_call_counter_intact(const View& view) {
  switch (view.image().contract.count_in_frames) {
    case Tristate::kUnknown:
      return not_applicable(stores_counts(view) ? NotApplicableReason::kCountInFramesUnknown
                                                : NotApplicableReason::kNoCounter);
    case Tristate::kYes:
      return check_counts_in_frames(view);
    case Tristate::kNo:
      break;
  }
  CountWords words(view);
  bool looked = false;
  Unseen unseen;
  unseen.note_if(view.misses_offsets(), NotApplicableReason::kOffsetsUnknown);
  std::int32_t counted_behind = -2;  // the event before the last store of a count
  const auto& accesses = view.run().accesses;
  for (std::size_t i = 0; i < accesses.size(); ++i) {
    const StackAccess& access = accesses[i];
    if (access.kind != AccessKind::kWrite) continue;
    words.advance(access);
    const AccessRole role = view.access_roles()[i];
    if (may_begin_count(view, i)) {
      words.erase(access);  // a frame begins there
      continue;
    }
    CountWord* word = words.find(access);
    if (role != AccessRole::kCount) {
      if (word == nullptr) continue;
      return view.at_access("tail-call-counter-intact", access,
                            fmt::format("{} writes into the tail-call count at {}",
                                        access.pc == 0 ? "a helper" : view.code_name(access.pc),
                                        view.stack_name(access.address, access.activation)));
    }
    looked = true;
    if (const char* problem = misplaced(view, i, counted_behind)) {
      return view.at_access("tail-call-counter-intact", access,
                            fmt::format("a tail call {}: it stores {} at {}", problem,
                                        low_bytes(access.value, access.size),
                                        view.stack_name(access.address, access.activation)));
    }
    unseen.note_if(counts_at_empty_slot(view, access.event),
                   NotApplicableReason::kEmptySlotUnknown);
    counted_behind = access.event;
    const auto before = word != nullptr && word->address == access.address
                            ? std::optional(word->value)
                            : initial_count(view, i);
    const std::uint64_t value = low_bytes(access.value, access.size);
    if (!before || value != low_bytes(*before + 1, access.size)) {
      return view.at_access(
          "tail-call-counter-intact", access,
          fmt::format("a tail call stores {} at {}, where {}", value,
                      view.stack_name(access.address, access.activation),
                      before ? fmt::format("the count was {}", *before) : "no count is kept"));
    }
    if (word != nullptr) {
      word->value = value;
    } else {
      words.add({.address = access.address, .value = value, .size = access.size});
    }
  }
  return unseen.held_if(looked, NotApplicableReason::kNoCounter);
}

}  // namespace plumb::invariants
