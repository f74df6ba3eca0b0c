// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "bench/interrupt_entries.h"

namespace plumb::bench {

// Rows of Google Benchmark, interrupt/MARK: an interrupt with an empty handler, marked in each way.
// Beside the time, but for the one without a mark: to_unmarked, how many times as long as that one
// it takes (the median of pairs that are timed one right after the other), and code_bytes. The
// entries outlive the rows. Returns how many rows there are.
int register_interrupt_rows(const InterruptEntries& entries);

}  // namespace plumb::bench
