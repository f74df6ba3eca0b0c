// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/case.h"
#include "core/contract.h"
#include "core/execution.h"
#include "core/helper_model.h"
#include "oracle/decode.h"
#include "oracle/memory.h"
#include "oracle/reasons.h"

namespace plumb::oracle {

// One run of a case whose code decode.h and call_graph.h found sound. interpreter.cc holds what a
// single instruction does to registers and memory, calls.cc everything that changes frames.
class Interpreter {
 public:
  Interpreter(const Case& value, const Contract& contract, const Code& code, Execution& execution);

  // Runs to the end of the invocation, or to the first thing that is not defined and says so.
  [[nodiscard]] CodeDefect run(std::uint64_t fuel);

 private:
  using Registers = std::array<Value, kRegisterCount>;

  enum class Origin : std::uint8_t { kKernel, kCall, kCallback };

  // An activation that has not ended. A taken tail call replaces it in place and keeps how it
  // returns.
  struct Frame {
    Origin origin = Origin::kKernel;
    std::uint32_t activation = 0;
    std::uint32_t function = 0;  // in Code::functions
    std::uint32_t call_op = 0;   // the instruction that called it, in the frame below
    // The chain of frames from the program's main function down to here.
    std::int32_t chain_frames = 0;
    std::int32_t chain_bytes = 0;
    std::array<Value, 4> saved;  // the caller's R6 ... R9
    // Callbacks: the loop that goes on when this frame returns, with its own function even when a
    // tail call has put another one in its place.
    std::uint32_t loop_function = 0;
    std::uint32_t loop_index = 0;
    std::uint32_t loop_count = 0;
    Value loop_context;
  };

  // ---- interpreter.cc ----
  [[nodiscard]] Reason step(const Op& op);
  [[nodiscard]] Value operand(const Op& op) const;
  [[nodiscard]] Reason move(const Op& op);
  [[nodiscard]] Reason binary(const Op& op);
  [[nodiscard]] Reason pointer_arithmetic(const Op& op, Value& dst, const Value& src) const;
  [[nodiscard]] Reason unary(const Op& op);
  [[nodiscard]] Reason branch(const Op& op);
  [[nodiscard]] Reason pointer_branch(const Op& op, const Value& dst, const Value& src,
                                      bool& taken) const;
  [[nodiscard]] Reason related(const Value& a, const Value& b) const;
  [[nodiscard]] Reason load(const Op& op);
  [[nodiscard]] Reason atomic(const Op& op);
  void load_wide(const Op& op);
  [[nodiscard]] Reason store(const Op& op);
  void note_stack_store(StackStore::By by, const Value& base, std::int64_t offset,
                        std::uint32_t bytes, const Value& value);

  // ---- calls.cc ----
  void enter(std::uint32_t function);
  [[nodiscard]] Reason push_frame(Origin origin, std::uint32_t function, std::uint32_t call_op);
  void pop_frame();
  [[nodiscard]] Reason call_function(const Op& op);
  [[nodiscard]] Reason exit();
  [[nodiscard]] Reason throw_exception();
  [[nodiscard]] Reason check_result(const Frame& frame, const Value& result) const;
  void finish(const Value& result);
  [[nodiscard]] Reason call_helper(const Op& op);
  [[nodiscard]] Reason check_argument(HelperArg kind, std::size_t index, HelperCall& call);
  [[nodiscard]] Reason memory_argument(HelperArg kind, std::size_t index, HelperCall& call);
  void end_call(const Value& result);
  void tail_call();
  void take_tail_call(std::int32_t program);
  [[nodiscard]] bool empty_slot_consumes_count() const;
  void refuse_tail_call(RefusalReason reason);
  [[nodiscard]] Reason start_loop();
  [[nodiscard]] Reason call_back(Frame loop);
  [[nodiscard]] Reason end_callback(const Frame& frame, const Value& result);
  Event& record(EventKind kind, std::uint32_t op, std::int32_t target);

  const Case& case_;
  const Contract& contract_;
  const Code& code_;
  Execution& execution_;

  Memory memory_;
  Registers registers_;
  std::vector<Frame> frames_;
  std::uint32_t pc_ = 0;  // the next instruction, in Code::ops
  std::uint32_t at_ = 0;  // the one that runs
  int counted_tail_calls_ = 0;
  std::uint64_t helper_calls_ = 0;
  std::int64_t refused_amount_ = 0;  // of a chain that push_frame() refused: frames or bytes
  bool finished_ = false;
};

}  // namespace plumb::oracle
