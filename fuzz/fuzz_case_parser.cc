// SPDX-License-Identifier: GPL-2.0-or-later
//
// Corpus files come from strangers: the parser refuses or returns a case that prints and parses
// back; what takes cases takes every one of them.
#include <fmt/core.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/case_text.h"
#include "core/check.h"
#include "core/contract.h"
#include "fuzz/command_line.h"
#include "gen/mutate.h"
#include "oracle/oracle.h"
#include "oracle/validate.h"

namespace {

// A few bytes can ask for a million (.repeat): that is tested, and is no use again and again.
constexpr int kMostSlots = 1 << 14;

// What became of the inputs: a run in which hardly any parses has tested little.
struct Tally {
  std::uint64_t inputs = 0;
  std::uint64_t parsed = 0;
  std::uint64_t valid = 0;    // of those, cases that a verifier would take
  std::uint64_t mutated = 0;  // of those, cases that the mutator changed
};
Tally& tally() {
  static Tally the_tally;
  return the_tally;
}
void print_tally() {
  fmt::print(stderr, "plumb: {} inputs, {} parsed, {} valid, {} mutated\n", tally().inputs,
             tally().parsed, tally().valid, tally().mutated);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv);
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  plumb::abort_on_failed_checks();
  std::atexit(print_tally);
  plumb::fuzz::add_default_flags(argc, argv);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace plumb;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  ++tally().inputs;
  const Result<Case> parsed = parse_case(input, "<input>", kMostSlots);
  if (!parsed) {
    const Error& error = parsed.error();
    PLUMB_CHECK(!error.message.empty() && error.line > 0);
    PLUMB_CHECK(error.str().find('\n') == std::string::npos);
    return 0;
  }
  ++tally().parsed;
  const std::string text = print_case(*parsed);
  const Result<Case> again = parse_case(text);
  PLUMB_CHECK(again.has_value() && *again == *parsed);
  PLUMB_CHECK(print_case(*again) == text);
  const bool valid = !oracle::validate(*parsed).has_value();
  const Execution execution = oracle::run(*parsed, kEveryVerifier, {.fuel = 2'000});
  PLUMB_CHECK(valid || !execution.defined);
  if (!valid) return 0;
  ++tally().valid;
  gen::ChoiceStream choices(std::span(data, size));
  const auto is_valid = [](const Case& value) { return !oracle::validate(value).has_value(); };
  const auto changed = gen::mutate(*parsed, choices, is_valid);
  if (!changed) return 0;
  ++tally().mutated;
  PLUMB_CHECK(parse_case(print_case(*changed)) == *changed);
  return 0;
}
