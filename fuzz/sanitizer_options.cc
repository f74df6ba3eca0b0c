// SPDX-License-Identifier: GPL-2.0-or-later
//
// Defaults of the sanitizers in every target, as long as the environment does not say otherwise. A
// short quarantine and short stacks of allocations: reading and printing cases allocates all the
// time, and what was freed long ago is memory that seems to leak.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() {
  return "detect_leaks=0:symbolize=1:quarantine_size_mb=16:malloc_context_size=8";
}
