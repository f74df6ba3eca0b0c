// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "core/result.h"
#include "fuzz/jit_fuzzer.h"

namespace plumb::fuzz {

// Writes what is left of the input when it is minimised, as <signature>.bpf in the directory, which
// is made if need be. A file of that name stays where it shows the finding, or is another JIT's
// (its notes say so); this JIT's is <signature>.<jit>.bpf then. Any other one is from a run whose
// finding is gone, and is replaced. Returns the file's path.
//
// All of it happens in a child process, and in children of that one: parsing, printing and the JIT
// on thousands of cases would pass for what the engine's input covers. The child begins with
// in_child, where it is given.
[[nodiscard]] Result<std::string> write_finding(const JitFuzzer& fuzzer,
                                                std::span<const std::uint8_t> input,
                                                const NewFinding& finding,
                                                const std::string& directory,
                                                const std::function<void()>& in_child = {});

}  // namespace plumb::fuzz
