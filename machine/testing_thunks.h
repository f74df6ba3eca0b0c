// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <vector>

#include "machine/testing_any_arch.h"

namespace plumb::machine {

// Images whose functions are entered, left and helped by code that belongs to none of them.
class MachineWithThunks : public MachineAnyArch {
 protected:
  static constexpr int kThunkSpace = 8;  // programs from here on have their place for thunks

  // The next thunk, which saves what it has to.
  std::uint64_t open_thunk(TestImage& t, int number, bool keeps_record) const {
    t.skip_to(address_of_thunk(number));
    const std::uint64_t address = t.thunk("thunk");
    if (!keeps_record) {
      save(t);
    } else if (is_x86()) {
      t.prologue();
    } else {
      t.words(code_.prologue);
    }
    return address;
  }
  void close_thunk(TestImage& t, bool keeps_record) const {
    if (keeps_record) {
      take_down(t);
    } else {
      restore(t);
    }
    ret(t);
  }
  [[nodiscard]] std::uint64_t address_of_thunk(int number) const {
    return address_of(kThunkSpace + number, 0);
  }
  // main calls sub; sub calls helper 7
  void call_and_helper(TestImage& t) const {
    open(t, 0, 0);
    call_function(t, 0, 1);
    exit(t);
    open(t, 0, 1);
    call_helper(t, 7);
    exit(t);
  }
  // Instruction 0 of the function calls the helper by a call of the thunk.
  void call_helper_through(TestImage& t, std::int32_t helper, int thunk) const {
    t.slot(bpf_call_helper(helper));
    call(t, address_of_thunk(thunk));
  }

  const MachineRun& returned(const TestImage& t, const RunOptions& options, const Kinds& expected) {
    const MachineRun& r = run(t, options);
    EXPECT_EQ(r.stop, StopReason::kReturned) << r.detail;
    EXPECT_EQ(kinds(r), expected);
    EXPECT_EQ(r.exit_sp, r.entry_sp + call_pushes());
    EXPECT_EQ(r.caller_stack_changed, 0u);
    for (const MachineEvent& event : r.events) expect_walk_matches(r, event);
    return r;
  }
  // What a walk along the frame pointers finds are the calls in progress that keep records.
  void expect_walk_matches(const MachineRun& r, const MachineEvent& event) const {
    if (event.kind != EventKind::kCall && event.kind != EventKind::kHelperCall) return;
    std::vector<std::uint64_t> expected;
    for (std::int32_t i = event.shadow; i >= 0;) {
      const ShadowFrame& frame = r.shadow[static_cast<std::size_t>(i)];
      if (frame.keeps_record) expected.push_back(frame.return_address);
      i = frame.parent;
    }
    std::vector<std::uint64_t> found;
    for (std::uint32_t i = 0; i < event.chain_size; ++i) {
      found.push_back(r.frames[event.chain_begin + i].return_address);
    }
    EXPECT_EQ(found, expected);
  }
};

}  // namespace plumb::machine
