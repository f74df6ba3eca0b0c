// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <string>

#include "harness/fuzz_driver.h"

namespace plumb::harness {

// Files of findings, where the options name a directory: <signature>.bpf and a report
// <signature>.txt. All but the first JIT of a family and architecture have their name behind the
// signature. A file is there whole or not at all.

void make_findings_directory(FuzzReport& report, const FuzzOptions& options);

// The case as it was generated, so that it is there when something ends the run.
void write_at_once(FuzzReport& report, JitList jits, std::size_t jit, FuzzFinding& finding,
                   const FuzzOptions& options);

// Minimises every finding and replaces its case; writes the reports.
void write_findings(FuzzReport& report, JitList jits, const FuzzOptions& options);

// Listed once, however often it happens.
void add_failure(FuzzReport& report, std::string failure);

}  // namespace plumb::harness
