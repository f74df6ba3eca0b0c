// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/case.h"
#include "core/event.h"
#include "core/opcode.h"
#include "oracle/reasons.h"

namespace plumb::oracle {

// One instruction slot, ready to run: forms told apart, immediates widened, references resolved.
struct Op {
  Operation operation = Operation::kExit;
  std::uint8_t width = 0;  // bits; 0: the second slot of a wide load, which never runs
  std::uint8_t dst = 0;
  std::uint8_t src = 0;
  bool immediate = false;    // the second operand is value, not register src
  std::uint8_t size = 0;     // movsx and byte order: bits that count; memory: bytes
  std::int16_t offset = 0;   // memory
  std::uint32_t target = 0;  // jumps: index in Code::ops; calls and function addresses: index in
                             // Code::functions; helpers: number; arrays and regions: index
  std::uint64_t value = 0;   // the immediate, sign-extended; lddw: all 64 bits
};

struct CodeFunction {
  std::uint32_t first = 0;  // in Code::ops
  std::uint32_t size = 0;
  std::int32_t stack_depth = 0;
  std::int16_t program = 0;
  std::int16_t function = 0;
};

// All code of a case, flat: slot s of function f is ops[functions[f].first + s].
struct Code {
  std::vector<Op> ops;
  std::vector<CodeFunction> functions;       // program by program
  std::vector<std::uint32_t> main_function;  // per program: index in functions
  // Per program: index in functions, or kNoCallback.
  std::vector<std::uint32_t> exception_callback;
  std::uint64_t needs = 0;  // capabilities.h, of all that was decoded

  static constexpr std::uint32_t kNoCallback = ~std::uint32_t{0};
  [[nodiscard]] bool is_exception_callback(std::uint32_t function) const {
    return exception_callback[static_cast<std::size_t>(functions[function].program)] == function;
  }
  [[nodiscard]] Place place(std::uint32_t function, std::uint32_t op) const {
    const CodeFunction& f = functions[function];
    return {f.program, f.function, static_cast<std::int32_t>(op - f.first)};
  }
};

struct CodeDefect {
  Reason reason = Reason::kNone;
  Place at;
  std::int64_t amount = 0;  // of a call chain that is too long or too deep: frames or bytes
};

// Decodes everything, whether it runs or not. A defect says which instruction cannot be run by any
// interpretation (unknown, reference or jump to nowhere); code is then of no use.
[[nodiscard]] CodeDefect decode_case(const Case& value, Code& code);

}  // namespace plumb::oracle
