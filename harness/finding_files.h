// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "harness/fuzz_driver.h"

namespace plumb::harness {

// Minimises every finding and, where the options name a directory, writes <signature>.bpf and a
// report <signature>.txt there (with the JIT's name behind the signature where two JITs share one).
void write_findings(FuzzReport& report, JitList jits, const FuzzOptions& options);

}  // namespace plumb::harness
