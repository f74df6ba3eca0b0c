// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/case.h"
#include "core/contract.h"
#include "core/result.h"

namespace plumb::jit {

struct InterpreterInfo {
  std::string name;     // "linux-6.12"
  std::string version;  // "6.12.117"
  std::string origin;
  std::vector<std::string> jits;   // globs: the JITs that come from the same source
  std::uint64_t capabilities = 0;  // or of enum plumb_capability
  // Does an attempt to tail-call an empty slot count, and where does it not: as in Contract.
  bool empty_slot_consumes_count = false;
  bool calls_keep_count = false;
};

// What an interpreter did with a case. Numbers are as they stood in registers and memory: pointers
// are addresses of this process, and mean something relative to those given here only.
struct Interpretation {
  enum class Status : std::uint8_t { kRan, kNotApplicable, kFailed };
  Status status = Status::kFailed;
  std::string reason;  // not applicable, failed: one line

  struct HelperCall {
    std::int32_t number = 0;
    std::array<std::uint64_t, 5> arguments{};
  };
  std::vector<HelperCall> helper_calls;  // in order, without tail calls
  std::uint64_t result = 0;              // R0 at the end
  std::vector<std::uint8_t> context;
  std::vector<std::vector<std::uint8_t>> regions;
  bool padding_intact = true;  // bytes beside the context and the regions

  std::uint64_t context_address = 0;
  std::vector<std::uint64_t> region_addresses;
  std::vector<std::uint64_t> array_addresses;
};

// Runs cases natively in this process, so that one that goes wrong may take the process with it:
// for cases that the oracle found to be defined, in a child process.
class Interpreter {
 public:
  virtual ~Interpreter() = default;
  [[nodiscard]] virtual const InterpreterInfo& info() const = 0;
  // The case must be defined. A function of the case, but for addresses.
  [[nodiscard]] virtual Interpretation run(const Case& value) = 0;
};

// Is it the interpreter of the tree that the JIT comes from?
[[nodiscard]] bool speaks_of(const InterpreterInfo& interpreter, std::string_view jit);

[[nodiscard]] Result<std::unique_ptr<Interpreter>> open_interpreter(const std::string& path);

// All files *.so in interpreters/ of each plugin directory; of two with the same name, the first. A
// file that cannot be opened is an error: a second opinion must not go missing unseen. Of each file
// `try_first` is asked before it is opened in this process, where what is in it may do anything.
using TryFirst = std::function<Result<void>(const std::string& path)>;
[[nodiscard]] Result<std::vector<std::unique_ptr<Interpreter>>> open_interpreters(
    const std::string& plugin_directories, const TryFirst& try_first = {});

}  // namespace plumb::jit
