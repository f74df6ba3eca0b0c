// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "core/case.h"
#include "core/codec.h"
#include "core/finding.h"
#include "core/image.h"
#include "harness/walks.h"

namespace plumb::tools {

// What a child process has found out under one JIT.
struct Walked {
  std::string failure;  // of the plugin; nothing else is there then
  std::string text;     // of one case
  std::string json;
  std::string elf;  // of one case: the image with its call frame information
  std::string svg;  // of one case
  std::string html;
  std::uint64_t walked = 0;  // cases
  // In them. At one instruction of each, on x86-64, the exception callback has the boundary's stack
  // pointer and not yet its frame pointer: no rows lead on from there.
  std::uint64_t throws = 0;
  // Cases that were not walked, by verdict; violations are runs that are wrong by themselves.
  std::vector<std::uint64_t> left_out =
      std::vector<std::uint64_t>(static_cast<std::size_t>(Verdict::kPluginFailed) + 1);
  std::vector<std::uint64_t> unwinders;
  std::vector<std::vector<std::uint64_t>> tallies;  // by unwinder, outcome
  // Of walks that start in C code: start, mark, unwinder, and then how often each outcome.
  std::vector<std::vector<std::uint64_t>> starts;
  std::vector<std::string> first;  // by unwinder: the first walk that is not right, or empty
  bool lies = false;               // a walk that is wrong calls itself reliable
};

// Adds one run; the place of the first walk of each unwinder that is not right.
void add(Walked& walked, const Case& value, const Image& image, const harness::WalkReport& report,
         const std::string& name);

// What was sent, as what it was made of.
[[nodiscard]] std::vector<unwind::Unwinder> unwinders_of(const Walked& walked);
[[nodiscard]] std::vector<harness::WalkTally> tallies_of(const Walked& walked);
[[nodiscard]] std::vector<harness::StartWalks> starts_of(const Walked& walked);
// "5 undefined, 2 violation".
[[nodiscard]] std::string left_out_text(const Walked& walked);

}  // namespace plumb::tools

template <>
struct plumb::Members<plumb::tools::Walked> {
  using Walked = plumb::tools::Walked;
  static constexpr std::tuple value{
      &Walked::failure, &Walked::text,   &Walked::json,   &Walked::elf,      &Walked::svg,
      &Walked::html,    &Walked::walked, &Walked::throws, &Walked::left_out, &Walked::unwinders,
      &Walked::tallies, &Walked::starts, &Walked::first,  &Walked::lies};
};
