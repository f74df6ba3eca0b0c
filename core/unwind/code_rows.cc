// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/unwind/code_rows.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "core/check.h"
#include "core/frame_geometry.h"

namespace plumb::unwind {
namespace {

using Base = Row::Base;
using Kind = Effect::Kind;

constexpr std::int64_t kWord = 8;
// No frame is larger, and rows have 32 bits.
constexpr std::int64_t kFarthest = std::int64_t{1} << 30;

// What is known before an instruction. Offsets are from the CFA; nullopt: not known.
struct State {
  std::optional<std::int64_t> sp = std::nullopt;     // where it points
  std::optional<std::int64_t> fp = std::nullopt;     // the same of the frame pointer
  bool fp_is_callers = true;                         // the register holds what the caller had in it
  std::optional<std::int64_t> fp_at = std::nullopt;  // where that is saved
  bool lr_is_return = false;                         // the register holds the return address
  std::optional<std::int64_t> ra_at = std::nullopt;  // where that is saved

  bool operator==(const State&) const = default;
};

State at_entry(Arch arch) {
  if (arch == Arch::kX86_64) return {.sp = -kWord, .ra_at = -kWord};
  return {.sp = 0, .lr_is_return = true};
}

// Once an exception callback has its frame pointer, all is as in the body of the boundary; only
// where the stack pointer stands is not known.
State taken_over(Arch arch) {
  const FrameGeometry geometry = frame_geometry(arch);
  const auto from_cfa = [&](std::uint64_t below) {
    return -static_cast<std::int64_t>(geometry.call_pushes + below);
  };
  return {.sp = std::nullopt,
          .fp = from_cfa(geometry.frame_pointer_below_entry),
          .fp_is_callers = false,
          .fp_at = from_cfa(geometry.record_below_entry),
          .lr_is_return = false,
          .ra_at = from_cfa(geometry.return_below_entry)};
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

class Solver {
 public:
  Solver(Arch arch, std::span<const CodePiece> pieces) : arch_(arch), pieces_(pieces) {
    for (const CodePiece& piece : pieces) {
      PLUMB_CHECK(std::ranges::is_sorted(piece.code, {}, &CodeInsn::address));
      states_.emplace_back(piece.code.size());
    }
  }

  void solve() {
    for (std::size_t p = 0; p < pieces_.size(); ++p) {
      if (!pieces_[p].is_thunk) reach({p, 0}, at_entry(arch_));
    }
    follow();
    // What nobody in sight enters is called from elsewhere.
    for (std::size_t p = 0; p < pieces_.size(); ++p) {
      if (!states_[p].empty() && !states_[p][0]) reach({p, 0}, at_entry(arch_));
    }
    follow();
  }

  // Is the stack pointer at the same place of all frames where tail calls land?
  [[nodiscard]] bool landings_agree() const {
    std::optional<std::optional<std::int64_t>> common;
    for (std::size_t p = 0; p < pieces_.size(); ++p) {
      const auto at = find(p, pieces_[p].landing);
      if (!at || !states_[p][at->insn]) continue;
      const std::optional<std::int64_t> sp = states_[p][at->insn]->sp;
      if (common && *common != sp) return false;
      common = sp;
    }
    return true;
  }
  // Before solve().
  void forget_stack_pointer_at_landings() { forgets_ = true; }

  [[nodiscard]] std::vector<Row> rows() const {
    std::vector<Row> rows;
    for (std::size_t p = 0; p < pieces_.size(); ++p) append_rows(p, rows);
    return rows;
  }

 private:
  struct Place {
    std::size_t piece = 0;
    std::size_t insn = 0;
  };

  [[nodiscard]] const CodeInsn& insn_at(const Place& at) const {
    return pieces_[at.piece].code[at.insn];
  }
  [[nodiscard]] std::optional<Place> find(std::size_t piece, std::uint64_t address) const {
    const auto& code = pieces_[piece].code;
    const auto it = std::ranges::lower_bound(code, address, {}, &CodeInsn::address);
    if (it == code.end() || it->address != address) return std::nullopt;
    return Place{piece, static_cast<std::size_t>(std::distance(code.begin(), it))};
  }
  [[nodiscard]] std::optional<Place> thunk_at(std::uint64_t address) const {
    for (std::size_t p = 0; p < pieces_.size(); ++p) {
      const CodePiece& piece = pieces_[p];
      if (piece.is_thunk && !piece.code.empty() && piece.code.front().address == address) {
        return Place{p, 0};
      }
    }
    return std::nullopt;
  }

  void reach(const Place& at, const State& state) {
    if (at.insn >= states_[at.piece].size()) return;
    std::optional<State>& known = states_[at.piece][at.insn];
    State next = known ? meet(*known, state) : state;
    const bool is_landing = insn_at(at).address == pieces_[at.piece].landing;
    if (forgets_ && is_landing && next.fp) next.sp = std::nullopt;
    if (known == next) return;
    known = next;
    due_.push_back(at);
  }

  void follow() {
    while (!due_.empty()) {
      const Place at = due_.back();
      due_.pop_back();
      leave(at);
    }
  }

  void leave(const Place& at) {
    const CodeInsn& insn = insn_at(at);
    State state = *states_[at.piece][at.insn];
    for (const Effect& effect : insn.effects) {
      apply(state, effect);
      const bool takes_over = pieces_[at.piece].takes_over && effect.kind == Kind::kLoseFp;
      if (takes_over) state = taken_over(arch_);
    }
    using Flow = CodeInsn::Flow;
    if (insn.flow == Flow::kBranch || insn.flow == Flow::kJump) jump(at, insn.target, state);
    if (insn.flow == Flow::kCall) call(at, insn, state);
    if (insn.flow == Flow::kNext || insn.flow == Flow::kBranch || insn.flow == Flow::kCall) {
      reach({at.piece, at.insn + 1}, state);
    }
  }

  void jump(const Place& from, std::uint64_t target, const State& state) {
    if (const auto inside = find(from.piece, target)) return reach(*inside, state);
    if (const auto thunk = thunk_at(target)) reach(*thunk, state);
  }

  // A call of a place in the middle of the same piece is half of an indirect jump: the return
  // address that it pushes is written over. Where there is a register for it, it is lost.
  void call(const Place& from, const CodeInsn& insn, State& state) {
    if (const auto thunk = thunk_at(insn.target)) reach(*thunk, at_entry(arch_));
    if (arch_ != Arch::kX86_64) {
      state.lr_is_return = false;
      return;
    }
    const auto inside = find(from.piece, insn.target);
    if (!inside || inside->insn == 0) return;
    State pushed = state;
    apply(pushed, {.kind = Kind::kMoveSp, .value = -kWord});
    reach(*inside, pushed);
  }

  void append_rows(std::size_t piece, std::vector<Row>& rows) const {
    const auto& code = pieces_[piece].code;
    if (code.empty()) return;
    // What lies behind the last piece gives way to one that follows at once.
    if (!rows.empty() && rows.back().begin == code.front().address) rows.pop_back();
    const std::size_t first = rows.size();
    for (std::size_t i = 0; i < code.size(); ++i) {
      const auto& state = states_[piece][i];
      const Row row = state ? row_of(*state, code[i].address)
                            : Row{.begin = code[i].address, .kind = Row::Kind::kUnknown};
      Row as_before = row;
      if (rows.size() > first) as_before.begin = rows.back().begin;
      if (rows.size() == first || rows.back() != as_before) rows.push_back(row);
    }
    if (rows.back().kind != Row::Kind::kUnknown) {
      rows.push_back(
          {.begin = code.back().address + code.back().size, .kind = Row::Kind::kUnknown});
    }
  }

  Arch arch_;
  std::span<const CodePiece> pieces_;
  bool forgets_ = false;
  std::vector<std::vector<std::optional<State>>> states_;  // by piece and instruction
  std::vector<Place> due_;
};

}  // namespace

std::vector<Row> rows_of_code(Arch arch, std::span<const CodePiece> pieces) {
  Solver solver(arch, pieces);
  solver.solve();
  if (solver.landings_agree()) return solver.rows();
  Solver again(arch, pieces);
  again.forget_stack_pointer_at_landings();
  again.solve();
  return again.rows();
}

}  // namespace plumb::unwind
