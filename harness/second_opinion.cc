// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/second_opinion.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <utility>

#include "core/capability.h"
#include "oracle/capabilities.h"
#include "oracle/oracle.h"

namespace plumb::harness {
namespace {

constexpr std::size_t kPointerSize = 8;

std::uint64_t read_64(std::span<const std::uint8_t> bytes, std::size_t offset) {
  std::uint64_t value = 0;
  for (std::size_t i = kPointerSize; i-- > 0;) value = value << 8 | bytes[offset + i];
  return value;
}

std::uint64_t result_mask(const Contract& contract) {
  return contract.result_bits == 64 ? ~std::uint64_t{0} : 0xffff'ffffu;
}

// Tells what numbers of the interpreter mean.
class Names {
 public:
  explicit Names(const jit::Interpretation& seen) : seen_(seen) {}

  // Is the number what the value must be? Yes, when nothing is known about it.
  [[nodiscard]] bool matches(const Value& value, std::uint64_t number) {
    switch (value.kind) {
      case Value::Kind::kUninitialised:
        return true;
      case Value::Kind::kScalar:
        return value.bits == number;
      case Value::Kind::kPointer:
        break;
    }
    const std::uint64_t base = number - value.bits;
    switch (value.space) {
      case Space::kContext:
        return base == seen_.context_address;
      case Space::kRegion:
        return value.index < seen_.region_addresses.size() &&
               base == seen_.region_addresses[value.index];
      case Space::kArray:
        return value.index < seen_.array_addresses.size() &&
               base == seen_.array_addresses[value.index];
      case Space::kStack:
        return r10_.emplace(value.index, base).first->second == base;
      case Space::kFunction:
        return true;  // a program with such an address is not applicable
    }
    return true;
  }

 private:
  const jit::Interpretation& seen_;
  std::map<std::uint32_t, std::uint64_t> r10_;  // by activation
};

std::optional<std::string> helper_difference(const Execution& execution,
                                             const jit::Interpretation& seen, Names& names) {
  std::size_t next = 0;
  for (const Event& event : execution.trace) {
    if (event.kind != EventKind::kHelperCall) continue;
    if (next == seen.helper_calls.size()) {
      return fmt::format("makes {} helper calls, the oracle more", next);
    }
    const auto& call = seen.helper_calls[next++];
    if (call.number != event.target) {
      return fmt::format("makes helper call {} of {}, the oracle of {}", next, call.number,
                         event.target);
    }
    for (std::size_t i = 0; i < event.args.size(); ++i) {
      if (names.matches(event.args[i], call.arguments[i])) continue;
      return fmt::format("has another R{} at helper call {}", i + 1, next);
    }
  }
  if (next == seen.helper_calls.size()) return std::nullopt;
  return fmt::format("makes {} helper calls, the oracle {}", seen.helper_calls.size(), next);
}

// Offset of the first byte that differs.
std::optional<std::size_t> first_difference(const MemoryImage& expected,
                                            std::span<const std::uint8_t> seen, Names& names) {
  if (expected.bytes.size() != seen.size()) return std::min(expected.bytes.size(), seen.size());
  auto pointer = expected.pointers.begin();
  for (std::size_t at = 0; at < seen.size(); ++at) {
    if (pointer != expected.pointers.end() && pointer->offset == at) {
      if (!names.matches(pointer->value, read_64(seen, at))) return at;
      ++pointer;
      at += kPointerSize - 1;
    } else if (expected.bytes[at] != seen[at]) {
      return at;
    }
  }
  return std::nullopt;
}

// Equal but for the bytes that the oracle has pointers in.
bool equal_scalars(const MemoryImage& expected, std::span<const std::uint8_t> a,
                   std::span<const std::uint8_t> b) {
  if (a.size() != b.size()) return false;
  auto pointer = expected.pointers.begin();
  for (std::size_t at = 0; at < a.size(); ++at) {
    if (pointer != expected.pointers.end() && pointer->offset == at) {
      ++pointer;
      at += kPointerSize - 1;
    } else if (a[at] != b[at]) {
      return false;
    }
  }
  return true;
}

bool refuses_empty_slot(const Execution& execution) {
  return std::ranges::any_of(execution.trace, [](const Event& event) {
    return event.kind == EventKind::kTailCallRefused && event.reason == RefusalReason::kEmptySlot;
  });
}

std::string lacks(std::uint64_t capabilities) {
  static constexpr std::array kPhrases{
      std::pair{Capability::kTailCallInSubprogram, "tail calls in a program with subprograms"},
      std::pair{Capability::kCallBack, "callbacks"},
      std::pair{Capability::kV4, "version 4 instructions"},
      std::pair{Capability::kCallSubprograms, "subprograms"},
      std::pair{Capability::kTailCall, "tail calls"},
      std::pair{Capability::kAtomics, "atomics"},
      std::pair{Capability::kThrow, "exceptions"},
      std::pair{Capability::kTrampoline, "trampolines"},
      std::pair{Capability::kJumpBack, "backward jumps"},
      std::pair{Capability::kAtomicAdd, "atomic additions"},
      std::pair{Capability::kJump32, "conditions on 32 bits"},
      std::pair{Capability::kDivmul, "multiplications and divisions"},
      std::pair{Capability::kArsh32, "arithmetic shifts of 32 bits"},
  };
  for (const auto& [capability, phrase] : kPhrases) {
    if ((capabilities & capability_bit(capability)) != 0) {
      return std::string("the interpreter does not run ") + phrase;
    }
  }
  return "the interpreter lacks what the case needs";
}

// Did native code come out as the oracle has it? It may have broken an invariant on its way.
bool ends_as_oracle(const Compared& compared) {
  if (compared.run.stop != StopReason::kReturned) return false;
  return std::ranges::none_of(compared.judgement.violations, [](const Violation& violation) {
    return violation.invariant == "same-result" || violation.invariant == "same-memory";
  });
}

SecondOpinion not_applicable(std::string why) {
  return {.status = SecondOpinion::Status::kNotApplicable, .text = std::move(why)};
}

Consultation agreement(const Compared& compared) {
  Consultation consultation;
  consultation.opinion.status = SecondOpinion::Status::kAgrees;
  if (compared.judgement.verdict != Verdict::kConforms) {
    consultation.alone = Alone::kJit;
    consultation.opinion.text = "the interpreter agrees with the oracle: the JIT stands alone";
  }
  return consultation;
}

Consultation disagreement(Alone alone, const std::string& what) {
  const std::string who = alone == Alone::kInterpreter ? "the interpreter stands alone"
                          : alone == Alone::kOracle
                              ? "the oracle stands alone, the interpreter agrees with the JIT"
                              : "oracle, interpreter and JIT all differ";
  return {.opinion = {.status = SecondOpinion::Status::kDisagrees,
                      .text = fmt::format("{}: the interpreter {}", who, what)},
          .alone = alone};
}

}  // namespace

jit::Interpreter* find_interpreter(InterpreterList interpreters, std::string_view jit) {
  const auto it = std::ranges::find_if(
      interpreters, [&](const auto& one) { return jit::speaks_of(one->info(), jit); });
  return it == interpreters.end() ? nullptr : it->get();
}

std::unique_ptr<Execution> execution_for(const jit::InterpreterInfo& interpreter, const Case& value,
                                         const Contract& contract, const Execution& execution) {
  Contract own = contract;
  own.empty_slot_consumes_count =
      interpreter.empty_slot_consumes_count ? Tristate::kYes : Tristate::kNo;
  own.calls_keep_count = interpreter.calls_keep_count;
  if (own == contract || !refuses_empty_slot(execution)) return nullptr;
  return std::make_unique<Execution>(oracle::run(value, own));
}

std::optional<std::string> difference(const Case& value, const Contract& contract,
                                      const Execution& execution, const jit::Interpretation& seen) {
  Names names(seen);
  if (auto text = helper_difference(execution, seen, names)) return text;
  const std::uint64_t mask = result_mask(contract);
  if (execution.result.is_scalar() && ((execution.result.bits ^ seen.result) & mask) != 0) {
    return fmt::format("returns {:#x}, the oracle {:#x}", seen.result & mask,
                       execution.result.bits & mask);
  }
  if (!seen.padding_intact) return "writes bytes beside the context or a region";
  if (const auto at = first_difference(execution.context, seen.context, names)) {
    return fmt::format("leaves another context, at byte {}", *at);
  }
  for (std::size_t i = 0; i < execution.regions.size() && i < seen.regions.size(); ++i) {
    if (const auto at = first_difference(execution.regions[i], seen.regions[i], names)) {
      return fmt::format("leaves another region {}, at byte {}", value.regions[i].name, *at);
    }
  }
  return std::nullopt;
}

bool same_outcome(const Contract& contract, const Execution& execution, const MachineRun& run,
                  const jit::Interpretation& seen) {
  if (run.stop != StopReason::kReturned || run.regions.size() != seen.regions.size()) return false;
  if (((run.result ^ seen.result) & result_mask(contract)) != 0) return false;
  if (!equal_scalars(execution.context, run.context, seen.context)) return false;
  for (std::size_t i = 0; i < run.regions.size() && i < execution.regions.size(); ++i) {
    if (!equal_scalars(execution.regions[i], run.regions[i], seen.regions[i])) return false;
  }
  return true;
}

std::string_view alone_name(Alone alone) {
  switch (alone) {
    case Alone::kNobody:
      return "nobody";
    case Alone::kJit:
      return "jit";
    case Alone::kInterpreter:
      return "interpreter";
    case Alone::kOracle:
      return "oracle";
    case Alone::kEach:
      return "each";
  }
  return "?";
}

std::string_view suspicion(InterpreterList interpreters) {
  return interpreters.empty() ? "" : " (try without second opinions: they run in that process)";
}

std::string opinion_text(const SecondOpinion& opinion) {
  const bool given = opinion.status == SecondOpinion::Status::kAgrees ||
                     opinion.status == SecondOpinion::Status::kDisagrees;
  return given ? opinion.text : std::string();
}

Consultation consult(jit::Interpreter& interpreter, const Compared& compared) {
  using Status = jit::Interpretation::Status;
  const std::uint64_t missing =
      oracle::required_capabilities(compared.value) & ~interpreter.info().capabilities;
  if (missing != 0) return {.opinion = not_applicable(lacks(missing)), .alone = Alone::kNobody};
  const auto own =
      execution_for(interpreter.info(), compared.value, compared.contract, compared.execution);
  if (own != nullptr && !own->defined) {
    return {.opinion = not_applicable("undefined where attempts at empty slots count"),
            .alone = Alone::kNobody};
  }
  const jit::Interpretation seen = interpreter.run(compared.value);
  if (seen.status == Status::kNotApplicable)
    return {.opinion = not_applicable(seen.reason), .alone = Alone::kNobody};

  const bool as_oracle = ends_as_oracle(compared);
  if (seen.status == Status::kFailed) {
    return disagreement(as_oracle ? Alone::kInterpreter : Alone::kEach, "fails: " + seen.reason);
  }
  const Execution& expected = own != nullptr ? *own : compared.execution;
  const auto what = difference(compared.value, compared.contract, expected, seen);
  if (!what) return agreement(compared);
  if (as_oracle) return disagreement(Alone::kInterpreter, *what);
  const bool as_jit =
      own == nullptr && same_outcome(compared.contract, compared.execution, compared.run, seen);
  return disagreement(as_jit ? Alone::kOracle : Alone::kEach, *what);
}

}  // namespace plumb::harness
