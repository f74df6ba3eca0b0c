// SPDX-License-Identifier: GPL-2.0-or-later
//
// What the program and its helpers store to the stack, against the oracle's record of it: one by
// one, up to where the two traces part.
#include <fmt/format.h>

#include <limits>

#include "invariants/bytes.h"
#include "invariants/checkers.h"

namespace plumb::invariants {
namespace {

std::uint64_t size_of(const StackStore& store) {
  return store.by == StackStore::By::kHelper ? store.helper_size : store.size;
}

class Comparison {
 public:
  explicit Comparison(const View& view)
      : view_(view),
        stores_(view.execution().stack_stores),
        // Behind the event at which the traces part, nothing is comparable.
        end_(view.divergence().what == Divergence::What::kNone
                 ? std::numeric_limits<std::int32_t>::max()
                 : view.divergence().index) {}

  Answer run() {
    const auto& accesses = view_.run().accesses;
    for (std::size_t i = 0; i < accesses.size(); ++i) {
      const AccessRole role = view_.access_roles()[i];
      if (role != AccessRole::kBpfStore && role != AccessRole::kHelper) continue;
      if (accesses[i].event >= end_) return not_applicable(NotApplicableReason::kDiverged);
      if (auto problem = compare(accesses[i])) {
        return view_.at_access("same-stores", accesses[i], *std::move(problem));
      }
    }
    return at_the_end();
  }

 private:
  // What is wrong, or nothing.
  std::optional<std::string> compare(const StackAccess& access) {
    if (continues_before(access)) return std::nullopt;
    skip_unseen(&access);
    if (next_ == stores_.size()) return text(access) + ", and the oracle stores nothing more";
    const StackStore& store = stores_[next_];
    if (store.event != access.event || store.at != place(access, store)) {
      return fmt::format("{}, and the oracle stores next at slot {} of function {}", text(access),
                         store.at.slot, store.at.function);
    }
    const auto address = view_.native(store.target);
    unknown_ |= !address;
    if (address && *address != access.address) {
      return fmt::format("{}, {} bytes from where the oracle stores", text(access),
                         static_cast<std::int64_t>(access.address - *address));
    }
    if (size_of(store) != access.size && store.by != StackStore::By::kHelper) {
      return fmt::format("{}, the oracle {} bytes", text(access), size_of(store));
    }
    done_ = access.size;
    current_ = next_++;
    return wrong_value(access, store);
  }

  // Another part of what a helper writes?
  bool continues_before(const StackAccess& access) {
    if (access.pc != 0 || current_ >= stores_.size()) return false;
    const StackStore& store = stores_[current_];
    if (store.event != access.event || store.by != StackStore::By::kHelper) return false;
    const auto address = view_.native(store.target);
    if (done_ >= store.helper_size || (address && access.address != *address + done_)) return false;
    done_ += access.size;
    return true;
  }

  // Goes on to the next store that the machine has to show: not one that the access (null: none is
  // left) leaves out with right, and not one to a BPF stack elsewhere.
  void skip_unseen(const StackAccess* access) {
    for (; next_ < stores_.size(); ++next_) {
      const StackStore& store = stores_[next_];
      const auto address = view_.native(store.target);
      if (address ? !view_.image().placement.stack.contains(*address)
                  : may_be_elsewhere(store.target)) {
        elsewhere_ = true;
        continue;
      }
      if (store.by != StackStore::By::kFailedAtomic) return;
      const bool is_here = access != nullptr && store.event == access->event &&
                           store.at == view_.place_of(access->pc);
      if (is_here) return;
    }
  }

  // Has the frame a BPF frame pointer of its own kind, which nobody saw?
  [[nodiscard]] bool may_be_elsewhere(const Value& target) const {
    if (view_.image().contract.bpf_stack != BpfStack::kInFrame) return true;
    const Frame* const owner = view_.frame(target.index);
    return owner != nullptr && owner->native != nullptr && owner->native->r10_register.is_known();
  }

  [[nodiscard]] Place place(const StackAccess& access, const StackStore& store) const {
    return access.pc == 0 ? store.at : view_.place_of(access.pc);
  }

  std::optional<std::string> wrong_value(const StackAccess& access, const StackStore& store) {
    if (store.by == StackStore::By::kHelper) return std::nullopt;
    const auto value = view_.native(store.value);
    unknown_ |= !value;
    if (!value) return std::nullopt;
    if (store.value.is_pointer()) {
      if (view_.matches(store.value, access.value)) return std::nullopt;
      return fmt::format("{}, a pointer that is {} bytes off", text(access),
                         static_cast<std::int64_t>(access.value - *value));
    }
    const std::uint64_t expected = low_bytes(*value, access.size);
    const std::uint64_t seen = low_bytes(access.value, access.size);
    if (expected == seen) return std::nullopt;
    return fmt::format("{}: {:#x}, the oracle {:#x}", text(access), seen, expected);
  }

  Answer at_the_end() {
    if (!view_.is_completed()) return not_applicable(NotApplicableReason::kStopped);
    skip_unseen(nullptr);
    const bool diverged = view_.divergence().what != Divergence::What::kNone;
    if (next_ < stores_.size() && stores_[next_].event < end_) {
      const StackStore& store = stores_[next_];
      Violation violation =
          view_.at_end("same-stores", fmt::format("the store at slot {} of function {} is missing",
                                                  store.at.slot, store.at.function));
      violation.at = store.at;
      violation.event = store.event;
      violation.access = 0;
      return violation;
    }
    if (diverged) return not_applicable(NotApplicableReason::kDiverged);
    if (elsewhere_) return not_applicable(NotApplicableReason::kStackElsewhere);
    if (unknown_) return not_applicable(NotApplicableReason::kValueUnknown);
    return held_if(!stores_.empty(), NotApplicableReason::kNoBpfStore);
  }

  [[nodiscard]] std::string text(const StackAccess& access) const {
    return fmt::format("{} stores {} bytes at {}",
                       access.pc == 0 ? "a helper" : view_.code_name(access.pc), access.size,
                       view_.stack_name(access.address, access.activation));
  }

  const View& view_;
  const std::vector<StackStore>& stores_;
  std::int32_t end_;
  std::size_t next_ = 0;            // the oracle's next store
  std::size_t current_ = SIZE_MAX;  // the one that was matched last
  std::uint64_t done_ = 0;          // bytes of it
  bool unknown_ = false;
  bool elsewhere_ = false;  // a BPF stack lies outside the native stack, where stores are not seen
};

}  // namespace

Answer check_same_stores(const View& view) {
  // What the program stores shows by the instruction whose code does it.
  if (view.misses_offsets()) return not_applicable(NotApplicableReason::kOffsetsUnknown);
  // Stores to a stack elsewhere are not seen, so it matters where each lies.
  if (view.image().contract.bpf_stack == BpfStack::kUnknown) {
    for (const StackStore& store : view.execution().stack_stores) {
      if (!view.native(store.target)) return not_applicable(NotApplicableReason::kBpfStackUnknown);
    }
  }
  return Comparison(view).run();
}

}  // namespace plumb::invariants
