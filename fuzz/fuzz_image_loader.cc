// SPDX-License-Identifier: GPL-2.0-or-later
//
// A plugin's claims about its image, some of them lies (image_claims.h).
#include <fmt/core.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "core/check.h"
#include "fuzz/command_line.h"
#include "fuzz/image_claims.h"

namespace {

using namespace plumb;

// What became of the claims: both have to happen.
struct Tally {
  std::uint64_t taken = 0;
  std::uint64_t refused = 0;
};
Tally& tally() {
  static Tally the_tally;
  return the_tally;
}
void print_tally() {
  fmt::print(stderr, "plumb: {} images taken, {} refused\n", tally().taken, tally().refused);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv);
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  abort_on_failed_checks();
  std::atexit(print_tally);
  fuzz::add_default_flags(argc, argv);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ++(fuzz::read_claims({data, size}) == fuzz::Taken::kYes ? tally().taken : tally().refused);
  return 0;
}
