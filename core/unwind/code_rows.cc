// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/unwind/code_rows.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/check.h"

namespace plumb::unwind {
namespace {

using Base = Row::Base;
using Kind = Effect::Kind;

constexpr std::int64_t kWord = 8;
// No frame is larger, and rows have 32 bits.
constexpr std::int64_t kFarthest = std::int64_t{1} << 30;

// What is known before an instruction. Offsets are from the CFA; nullopt: not known.
struct State {
  std::optional<std::int64_t> sp = std::nullopt;  // where it points
  std::optional<std::int64_t> fp = std::nullopt;  // the same of the frame pointer
  bool fp_is_callers = true;  // the register holds what the caller had in it
  std::optional<std::int64_t> fp_at = std::nullopt;  // where that is saved
  bool lr_is_return = false;  // the register holds the return address
  std::optional<std::int64_t> ra_at = std::nullopt;  // where that is saved

  bool operator==(const State&) const = default;
};

State at_entry(Arch arch) {
  if (arch == Arch::kX86_64) return {.sp = -kWord, .ra_at = -kWord};
  return {.sp = 0, .lr_is_return = true};
}

template <typename T>
void keep_common(std::optional<T>& known, const std::optional<T>& other) {
  if (known != other) known = std::nullopt;
}

// What holds on both ways.
State meet(State state, const State& other) {
  keep_common(state.sp, other.sp);
  keep_common(state.fp, other.fp);
  keep_common(state.fp_at, other.fp_at);
  keep_common(state.ra_at, other.ra_at);
  state.fp_is_callers &= other.fp_is_callers;
  state.lr_is_return &= other.lr_is_return;
  return state;
}

std::optional<std::int64_t> base_of(const State& state, Base base) {
  return base == Base::kStackPointer ? state.sp : state.fp;
}

void move(std::optional<std::int64_t>& place, std::int64_t by) {
  if (place) place = *place + by;
  if (place && std::abs(*place) > kFarthest) place = std::nullopt;
}

// The bytes of a saved word are no longer its own.
void overwrite(std::optional<std::int64_t>& saved, std::int64_t at, std::int64_t size) {
  if (saved && at < *saved + kWord && *saved < at + size) saved = std::nullopt;
}

// What lies below the stack pointer may be gone at any time.
void drop_below(State& state) {
  if (!state.sp) return;
  for (auto* saved : {&state.fp_at, &state.ra_at}) {
    if (*saved && **saved < *state.sp) *saved = std::nullopt;
  }
}

void apply(State& state, const Effect& effect) {
  const auto base = base_of(state, effect.base);
  const auto place = base ? std::optional(*base + effect.value) : std::nullopt;
  switch (effect.kind) {
    case Kind::kMoveSp:
      move(state.sp, effect.value);
      return drop_below(state);
    case Kind::kMoveFp:
      state.fp_is_callers = false;
      return move(state.fp, effect.value);
    case Kind::kSpFromFp:
      state.sp = state.fp;
      move(state.sp, effect.value);
      return drop_below(state);
    case Kind::kFpFromSp:
      state.fp = state.sp;
      state.fp_is_callers = false;
      return move(state.fp, effect.value);
    case Kind::kLoseSp:
      state.sp = std::nullopt;
      return;
    case Kind::kLoseFp:
      state.fp = std::nullopt;
      state.fp_is_callers = false;
      return;
    case Kind::kLoseLr:
      state.lr_is_return = false;
      return;
    case Kind::kSaveFp:
    case Kind::kSaveLr:
    case Kind::kStore: {
      // Where a store goes that has no place here, it is the program's own memory.
      if (!place) return;
      overwrite(state.fp_at, *place, effect.size);
      overwrite(state.ra_at, *place, effect.size);
      if (effect.kind == Kind::kSaveFp && state.fp_is_callers) state.fp_at = place;
      if (effect.kind == Kind::kSaveLr && state.lr_is_return) state.ra_at = place;
      return;
    }
    case Kind::kLoadFp:
      state.fp_is_callers = place && place == state.fp_at;
      state.fp = std::nullopt;
      return;
    case Kind::kLoadLr:
      state.lr_is_return = place && place == state.ra_at;
      return;
  }
}

// The row at an instruction that is begun in this state.
Row row_of(const State& state, std::uint64_t begin) {
  Row row{.begin = begin, .kind = Row::Kind::kUnknown};
  const bool knows_fp = state.fp_is_callers || state.fp_at;
  const bool knows_return = state.lr_is_return || state.ra_at;
  if ((!state.sp && !state.fp) || !knows_fp || !knows_return) return row;
  const auto offset = [](std::int64_t value) { return static_cast<std::int32_t>(value); };
  row.kind = Row::Kind::kFrame;
  row.base = state.sp ? Base::kStackPointer : Base::kFramePointer;
  row.cfa_offset = offset(state.sp ? -*state.sp : -*state.fp);
  if (!state.fp_is_callers) row.fp_offset = offset(*state.fp_at);
  // Whoever has called has another address in the register.
  if (state.ra_at) row.ra_offset = offset(*state.ra_at);
  return row;
}

class Function {
 public:
  Function(Arch arch, std::span<const CodeInsn> code)
      : arch_(arch), code_(code), states_(code.size()) {}

  void follow() {
    reach(0, at_entry(arch_));
    while (!due_.empty()) {
      const std::size_t at = due_.back();
      due_.pop_back();
      leave(at);
    }
  }

  [[nodiscard]] std::vector<Row> rows() const {
    std::vector<Row> rows;
    for (std::size_t i = 0; i < code_.size(); ++i) {
      const std::uint64_t begin = code_[i].address;
      const Row row = states_[i] ? row_of(*states_[i], begin)
                                 : Row{.begin = begin, .kind = Row::Kind::kUnknown};
      Row as_before = row;
      if (!rows.empty()) as_before.begin = rows.back().begin;
      if (rows.empty() || rows.back() != as_before) rows.push_back(row);
    }
    if (rows.back().kind != Row::Kind::kUnknown) {
      rows.push_back(
          {.begin = code_.back().address + code_.back().size, .kind = Row::Kind::kUnknown});
    }
    return rows;
  }

 private:
  void reach(std::size_t at, const State& state) {
    if (at >= code_.size()) return;
    std::optional<State>& known = states_[at];
    const State next = known ? meet(*known, state) : state;
    if (known == next) return;
    known = next;
    due_.push_back(at);
  }
  void reach_address(std::uint64_t address, const State& state) {
    const auto it = std::ranges::lower_bound(code_, address, {}, &CodeInsn::address);
    if (it != code_.end() && it->address == address) {
      reach(static_cast<std::size_t>(std::distance(code_.begin(), it)), state);
    }
  }

  void leave(std::size_t at) {
    const CodeInsn& insn = code_[at];
    State state = *states_[at];
    for (const Effect& effect : insn.effects) apply(state, effect);
    using Flow = CodeInsn::Flow;
    if (insn.flow == Flow::kBranch || insn.flow == Flow::kJump) reach_address(insn.target, state);
    if (insn.flow == Flow::kCall) called(insn, state);
    if (insn.flow == Flow::kNext || insn.flow == Flow::kBranch || insn.flow == Flow::kCall) {
      reach(at + 1, state);
    }
  }

  // A call of a place in the middle of the same function is half of an indirect jump: the return
  // address that it pushes is written over. Where there is a register for it, it is lost.
  void called(const CodeInsn& insn, State& state) {
    if (arch_ == Arch::kX86_64) {
      State inside = state;
      apply(inside, {.kind = Kind::kMoveSp, .value = -kWord});
      if (insn.target != code_.front().address) reach_address(insn.target, inside);
    } else {
      state.lr_is_return = false;
    }
  }

  Arch arch_;
  std::span<const CodeInsn> code_;
  std::vector<std::optional<State>> states_;
  std::vector<std::size_t> due_;
};

}  // namespace

std::vector<Row> rows_of_function(Arch arch, std::span<const CodeInsn> code) {
  if (code.empty()) return {};
  PLUMB_CHECK(std::ranges::is_sorted(code, {}, &CodeInsn::address));
  Function function(arch, code);
  function.follow();
  return function.rows();
}

}  // namespace plumb::unwind
