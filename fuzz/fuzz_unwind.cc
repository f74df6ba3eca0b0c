// SPDX-License-Identifier: GPL-2.0-or-later
//
// Unwinders over stacks that say anything (stray_walks.h).
#include <fmt/core.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "core/check.h"
#include "fuzz/command_line.h"
#include "fuzz/stray_walks.h"

namespace {

using namespace plumb;

fuzz::StrayWalks& sum() {
  static fuzz::StrayWalks the_sum;
  return the_sum;
}
void print_sum() {
  fmt::print(stderr, "plumb: {} walks, {} of them to an end, {} frames\n", sum().walks, sum().ended,
             sum().frames);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv);
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  abort_on_failed_checks();
  std::atexit(print_sum);
  fuzz::add_default_flags(argc, argv);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const fuzz::StrayWalks seen = fuzz::walk_astray({data, size});
  sum().walks += seen.walks;
  sum().ended += seen.ended;
  sum().frames += seen.frames;
  return 0;
}
