// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/fuzz_input.h"

#include <string_view>
#include <utility>

#include "core/case_text.h"
#include "core/contract.h"
#include "gen/generate.h"
#include "gen/mutate.h"
#include "oracle/oracle.h"
#include "oracle/validate.h"

namespace plumb::harness {
namespace {

constexpr int kAttempts = 4;
constexpr int kMostChanges = 5;
constexpr int kCrossPercent = 12;

bool is_valid(const Case& value) { return !oracle::validate(value).has_value(); }

bool is_defined(const Case& value) { return oracle::run(value, Contract{}).defined; }

std::optional<std::string> text_within(const Case& value, std::size_t max_size) {
  std::string text = print_case(value);
  if (text.size() > max_size) return std::nullopt;
  return text;
}

// Cases from files may hold what no verifier accepts; the mutations need one that does.
Case mutable_case(std::span<const std::uint8_t> bytes) {
  FuzzInput input = read_input(bytes);
  if (input.parsed && !is_valid(input.value)) return gen::generate(bytes);
  return std::move(input.value);
}

std::optional<Case> change(const Case& value, gen::ChoiceStream& choices) {
  if (choices.chance(kCrossPercent)) {
    return gen::cross(value, gen::generate(choices.word()), choices, is_valid);
  }
  Case changed = value;
  bool any = false;
  for (int count = choices.range(1, kMostChanges); count > 0; --count) {
    auto next = gen::mutate(changed, choices, is_valid);
    if (!next) continue;
    changed = *std::move(next);
    any = true;
  }
  if (!any) return std::nullopt;
  return changed;
}

}  // namespace

FuzzInput read_input(std::span<const std::uint8_t> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (Result<Case> parsed = parse_case(text)) return {.value = *std::move(parsed), .parsed = true};
  return {.value = gen::generate(bytes), .parsed = false};
}

std::optional<std::string> mutate_input(std::span<const std::uint8_t> bytes, std::size_t max_size,
                                        std::uint64_t seed) {
  const Case value = mutable_case(bytes);
  gen::ChoiceStream choices(seed);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto changed = change(value, choices);
    if (!changed || !is_defined(*changed)) continue;
    if (auto text = text_within(*changed, max_size)) return text;
  }
  return std::nullopt;
}

std::optional<std::string> cross_inputs(std::span<const std::uint8_t> first,
                                        std::span<const std::uint8_t> second, std::size_t max_size,
                                        std::uint64_t seed) {
  const Case one = mutable_case(first);
  const Case two = mutable_case(second);
  gen::ChoiceStream choices(seed);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto crossed = gen::cross(one, two, choices, is_valid);
    if (!crossed || !is_defined(*crossed)) continue;
    if (auto text = text_within(*crossed, max_size)) return text;
  }
  return std::nullopt;
}

}  // namespace plumb::harness
