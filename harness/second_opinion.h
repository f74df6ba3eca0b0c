// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/case.h"
#include "core/contract.h"
#include "core/execution.h"
#include "core/finding.h"
#include "core/machine_run.h"
#include "jit_under_test/second_opinion.h"

namespace plumb::harness {

using InterpreterList = std::span<const std::unique_ptr<jit::Interpreter>>;

// The interpreter of the tree that the JIT comes from, or null.
[[nodiscard]] jit::Interpreter* find_interpreter(InterpreterList interpreters,
                                                 std::string_view jit);

// The oracle under a contract that differs from the JIT's only in what the interpreter does
// otherwise. Null: what it says is what `execution` says, which it said under the JIT's contract.
[[nodiscard]] std::unique_ptr<Execution> execution_for(const jit::InterpreterInfo& interpreter,
                                                       const Case& value, const Contract& contract,
                                                       const Execution& execution);

// The first thing in which an interpretation that ran to its end differs from a defined execution:
// helper calls and their arguments, result, memory. One line without addresses; nothing when they
// agree. Pointers compare as (space, offset). Where a stack frame of the interpreter lies is not
// known: the first pointer into it tells, and all others must fit.
[[nodiscard]] std::optional<std::string> difference(const Case& value, const Contract& contract,
                                                    const Execution& execution,
                                                    const jit::Interpretation& seen);

// Do result and memory of native code and of the interpreter agree, whatever the oracle says? The
// execution tells where pointers lie: they are not compared.
[[nodiscard]] bool same_outcome(const Contract& contract, const Execution& execution,
                                const MachineRun& run, const jit::Interpretation& seen);

// A case that was compared on a JIT.
struct Compared {
  const Case& value;
  const Execution& execution;  // under the contract; defined
  const Contract& contract;
  const MachineRun& run;
  const Judgement& judgement;  // of the JIT against the oracle
};

// Who stands alone against the two others, where oracle, JIT and interpreter do not agree.
enum class Alone : std::uint8_t { kNobody, kJit, kInterpreter, kOracle, kEach };

[[nodiscard]] std::string_view alone_name(Alone alone);  // "jit", "interpreter", "oracle", "each"

struct Consultation {
  SecondOpinion opinion{};
  Alone alone = Alone::kNobody;
};

// Of an opinion that was given: who stands alone, if anybody. Else nothing.
[[nodiscard]] std::string opinion_text(const SecondOpinion& opinion);

// Said behind the death of a process that is nobody's fault, as far as one can see. The interpreter
// runs in that process: one that writes where it should not may be the reason.
[[nodiscard]] std::string_view suspicion(InterpreterList interpreters);

// Asks the interpreter about the case.
[[nodiscard]] Consultation consult(jit::Interpreter& interpreter, const Compared& compared);

}  // namespace plumb::harness
