// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <memory_resource>
#include <optional>
#include <string>
#include <vector>

#include "core/finding.h"
#include "core/value.h"
#include "invariants/answer.h"
#include "invariants/invariants.h"
#include "invariants/platform.h"
#include "invariants/walks.h"

namespace plumb::invariants {

// One activation, with what follows from where it stands and from the words of the contract.
struct Frame {
  const NativeFunction* native = nullptr;  // null: the image does not know the function
  bool has_offsets = false;                // where the code of its instructions begins is known
  std::uint64_t entry_sp = 0;              // on arrival of the first of the chain of tail calls
  std::uint64_t r10 = 0;                   // as seen, else from the geometry; 0: not known
  std::uint64_t stack_low = 0;             // BPF stack: [stack_low, r10), at the least
  bool stack_size_known = false;           // else it may begin lower
  std::uint64_t saved_low = 0;             // lowest address that its prologue saved to, or 0
  std::uint64_t record = 0;                // address of the saved frame pointer; 0: not known
  std::uint64_t return_slot = 0;           // address of the return address; 0: not in memory
  // Lowest frame record, and lowest byte of BPF stack, of this frame and its callers.
  std::uint64_t lowest_record = 0;
  std::uint64_t lowest_stack = 0;
  std::int32_t caller = -1;
  std::int32_t entered_by = -1;    // event: call, callback or tail call
  std::int32_t helper_event = -1;  // callbacks: the helper call that called back
  bool is_callback = false;
  bool uses_r10 = true;  // false: its code names R10 nowhere, and nobody needs to set it up

  // Lowest address that the BPF stack can have.
  [[nodiscard]] std::uint64_t lowest_stack_low() const {
    return stack_size_known ? stack_low : r10 - kMaxStackDepth;
  }
};

// Who made a stack access.
enum class AccessRole : std::uint8_t {
  kPush,       // a push or call in a body or in a helper stub
  kPrologue,   // a prologue, by whatever instruction
  kBpfStore,   // the code of a BPF store instruction
  kHelper,     // a helper
  kThunk,      // a thunk, on the way out of a frame that is given up already
  kCount,      // the code of a tail call
  kCountBack,  // the code of a call to a BPF function that is back, where counts are kept in frames
  kCallSave,  // the code of a call to a BPF function, where the caller saves R6 ... R9 or moves R10
  kOther,     // any other code: nothing there has to write to the stack
  kUnplaced,  // any code of a function where nobody says where that of each instruction begins
  kRead,
};

// Where the machine's events first differ from the oracle's.
struct Divergence {
  enum class What : std::uint8_t {
    kNone,
    kMissing,  // the machine's events end early
    kExtra,    // the oracle's events end early
    kKind,
    kPlace,
    kTarget,
    kActivation,
    kArgument,
    kResult,
  };
  What what = What::kNone;
  std::int32_t index = -1;  // of the event, in both traces
  int argument = 0;         // kArgument: 1 ... 5
  Unseen unseen;            // what could not be compared
};

// What all checkers read: the subject, annotated once.
class View {
 public:
  View(const Subject& subject, std::pmr::memory_resource* memory);

  [[nodiscard]] const Case& value() const { return *subject_.value; }
  [[nodiscard]] const Image& image() const { return *subject_.image; }
  // Without the refused tail calls that the machine cannot see: events have the same index here
  // and in the run.
  [[nodiscard]] const Execution& execution() const {
    return visible_ ? *visible_ : *subject_.execution;
  }
  // Some were left out.
  [[nodiscard]] bool misses_refusals() const { return visible_.has_value(); }
  // Tail calls were taken that the machine may not have seen: its activations are not the oracle's.
  [[nodiscard]] bool misses_tail_calls() const {
    return !run().tail_calls_seen && execution().tail_calls > 0;
  }
  [[nodiscard]] const MachineRun& run() const { return *subject_.run; }
  [[nodiscard]] const Platform& platform() const { return platform_; }

  [[nodiscard]] const std::pmr::vector<Frame>& frames() const { return frames_; }
  [[nodiscard]] const std::pmr::vector<AccessRole>& access_roles() const { return access_roles_; }
  [[nodiscard]] const Divergence& divergence() const { return divergence_; }

  // Made when it is first asked for.
  [[nodiscard]] const WalkFindings& walks() const {
    if (!walks_) walks_ = walk_findings(*this);
    return *walks_;
  }

  // The activation that was running after the last event.
  [[nodiscard]] std::int32_t innermost() const;

  // More tail calls than any program may take: what the run did otherwise says nothing.
  [[nodiscard]] bool is_bound_broken() const;
  // The invocation came back, so that its end can be compared.
  [[nodiscard]] bool is_completed() const;

  // The frame of an activation, or null when the machine reported none.
  [[nodiscard]] const Frame* frame(std::int64_t activation) const {
    const bool exists = activation >= 0 && static_cast<std::size_t>(activation) < frames_.size();
    return exists ? &frames_[static_cast<std::size_t>(activation)] : nullptr;
  }
  // The activation that called it, or -1.
  [[nodiscard]] std::int64_t caller(std::int64_t activation) const {
    // Callers have lower ordinals, so that a walk ends, whatever the machine says.
    const std::int32_t caller = frames_[static_cast<std::size_t>(activation)].caller;
    return caller < activation ? caller : -1;
  }
  // The activation itself, its caller, and so on: is the other one among them?
  [[nodiscard]] bool is_live(std::uint32_t current, std::uint32_t activation) const;

  // Did functions run of which nobody says where the code of each instruction begins?
  [[nodiscard]] bool misses_offsets() const;
  // Where R10 of the frame is not known: why.
  [[nodiscard]] NotApplicableReason why_r10_unknown(const Frame& frame) const;
  // The invocation came into the activation through a thunk.
  [[nodiscard]] bool is_entered_by_thunk(std::int64_t activation) const;

  // Bytes from sp on arrival by a call down to sp at the landing of a tail call.
  [[nodiscard]] std::optional<std::uint64_t> landing_below_entry() const { return landing_; }
  // The same for a landing in that activation.
  [[nodiscard]] std::optional<std::uint64_t> landing_below_entry(std::int64_t activation) const;
  // The register that R0 comes back in, at a return, as the event has it.
  [[nodiscard]] NativeRegister result_register(std::size_t event) const;

  // The number that the value must be in native code; nullopt when it is not known or not
  // initialised.
  [[nodiscard]] std::optional<std::uint64_t> native(const Value& value) const;
  // Is the number in native code what the value must be? Yes, when that is not known. Code has two
  // addresses where there is an alias.
  [[nodiscard]] bool matches(const Value& value, std::uint64_t seen) const;
  // R1 ... R5 by number, as the registers of a call, helper call or callback hold them; nullopt
  // where that is not known.
  [[nodiscard]] std::optional<std::uint64_t> argument(const MachineEvent& event, int number) const;
  // R10 by the event's registers; nullopt where that is not known.
  [[nodiscard]] std::optional<std::uint64_t> r10(const MachineEvent& event,
                                                 std::int64_t activation) const;

  // Does the code at the address stand for a tail call?
  [[nodiscard]] bool is_tail_call_code(std::uint64_t pc) const;
  // Place of the code at the address; outside functions {0, 0, 0}.
  [[nodiscard]] Place place_of(std::uint64_t pc) const;

  [[nodiscard]] const Function& bpf_function(const NativeFunction& native) const;
  // "native register 3 (R6)"
  [[nodiscard]] std::string register_name(int native) const;
  // Did a throw enter it?
  [[nodiscard]] bool is_exception_callback(std::int64_t activation) const;
  [[nodiscard]] std::string role(std::int64_t activation) const;
  // "main", "other.sub", "stub" ... and the offset: an address of code for people.
  [[nodiscard]] std::string code_name(std::uint64_t address) const;
  // An address on the stack for people: relative to R10 or to the stack's top.
  [[nodiscard]] std::string stack_name(std::uint64_t address, std::int64_t activation) const;

  [[nodiscard]] Violation at_event(std::string_view invariant, std::size_t event,
                                   std::int64_t activation, std::string message) const;
  // When the activation began.
  [[nodiscard]] Violation at_entry_of(std::string_view invariant, std::int64_t activation,
                                      std::string message) const;
  [[nodiscard]] Violation at_access(std::string_view invariant, const StackAccess& access,
                                    std::string message) const;
  [[nodiscard]] Violation at_end(std::string_view invariant, std::string message) const;

 private:
  void leave_out_unseen_refusals();
  void build_frames();
  void classify_accesses();
  [[nodiscard]] AccessRole classify(const StackAccess& access) const;
  void locate_record(Frame& frame, std::int64_t activation) const;
  void locate_stack(Frame& frame, std::uint64_t seen_r10) const;
  void learn_landing();
  void note_lowest(Frame& frame) const;

  Subject subject_;
  std::optional<Execution> visible_;  // where it is not that of the subject
  const Platform& platform_;
  std::pmr::vector<Frame> frames_;
  std::pmr::vector<AccessRole> access_roles_;
  Divergence divergence_;
  mutable std::optional<WalkFindings> walks_;
  std::optional<std::uint64_t> landing_;
};

// Compares the two traces, typed (differential.cc).
[[nodiscard]] Divergence find_divergence(const View& view);

}  // namespace plumb::invariants
