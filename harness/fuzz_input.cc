// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/fuzz_input.h"

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/case_text.h"
#include "core/contract.h"
#include "gen/generate.h"
#include "gen/mutate.h"
#include "oracle/capabilities.h"
#include "oracle/oracle.h"
#include "oracle/validate.h"

namespace plumb::harness {
namespace {

constexpr int kAttempts = 4;
constexpr int kMostChanges = 5;
constexpr int kCrossPercent = 12;

// What inputs of late meant. A fuzzer makes each out of one or two that it has run before, and then
// runs it: most of what is read has been read, or printed, shortly before.
class RecentInputs {
 public:
  const FuzzInput* find(std::string_view bytes) const {
    const Entry& entry = entries_[slot(bytes)];
    return entry.bytes == bytes && !bytes.empty() ? &entry.input : nullptr;
  }
  void remember(std::string_view bytes, const FuzzInput& input) {
    if (bytes.size() <= kLongest) entries_[slot(bytes)] = {std::string(bytes), input};
  }

 private:
  static constexpr std::size_t kEntries = 1024;
  static constexpr std::size_t kLongest = 16'384;
  struct Entry {
    std::string bytes;
    FuzzInput input;
  };
  static std::size_t slot(std::string_view bytes) {
    return std::hash<std::string_view>()(bytes) % kEntries;
  }
  std::vector<Entry> entries_{kEntries};
};
RecentInputs& recent_inputs() {
  static RecentInputs inputs;
  return inputs;
}

bool is_defined(const Case& value) { return oracle::run(value, kEveryVerifier).defined; }

// What the JITs can run, and a verifier would let them.
gen::CaseCheck check_for(const InputLimits& limits) {
  return [&limits](const Case& value) {
    return (oracle::required_capabilities(value) & ~limits.capabilities) == 0 &&
           !oracle::validate(value).has_value();
  };
}

std::optional<std::string> text_within(const Case& value, const InputLimits& limits) {
  std::string text = print_case(value);
  if (text.size() > limits.max_size) return std::nullopt;
  recent_inputs().remember(text, {.value = value, .parsed = true});
  return text;
}

Case generated_case(gen::ChoiceStream& choices, const InputLimits& limits) {
  return gen::generate(choices.word(), nullptr, limits.capabilities);
}

// Cases from files may hold what no verifier accepts; the mutations need one that does.
Case mutable_case(std::span<const std::uint8_t> bytes, gen::ChoiceStream& choices,
                  const InputLimits& limits) {
  FuzzInput input = read_input(bytes);
  return check_for(limits)(input.value) ? std::move(input.value) : generated_case(choices, limits);
}

std::optional<Case> change(const Case& value, gen::ChoiceStream& choices,
                           const InputLimits& limits) {
  const gen::CaseCheck accept = check_for(limits);
  if (choices.chance(kCrossPercent)) {
    const Case other = generated_case(choices, limits);
    return gen::cross(value, other, choices, accept, {.capabilities = limits.capabilities});
  }
  Case changed = value;
  bool any = false;
  for (int count = choices.range(1, kMostChanges); count > 0; --count) {
    auto next = gen::mutate(changed, choices, accept, {.capabilities = limits.capabilities});
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
  if (const FuzzInput* recent = recent_inputs().find(text)) return *recent;
  FuzzInput input;
  if (Result<Case> parsed = parse_case(text, "<input>", kMaxInputSlots)) {
    input = {.value = *std::move(parsed), .parsed = true};
  } else {
    input = {.value = gen::generate(bytes), .parsed = false};
  }
  recent_inputs().remember(text, input);
  return input;
}

std::optional<std::string> mutate_input(std::span<const std::uint8_t> bytes,
                                        const InputLimits& limits, std::uint64_t seed) {
  gen::ChoiceStream choices(seed);
  const Case value = mutable_case(bytes, choices, limits);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto changed = change(value, choices, limits);
    if (!changed || !is_defined(*changed)) continue;
    if (auto text = text_within(*changed, limits)) return text;
  }
  return std::nullopt;
}

std::optional<std::string> cross_inputs(std::span<const std::uint8_t> first,
                                        std::span<const std::uint8_t> second,
                                        const InputLimits& limits, std::uint64_t seed) {
  gen::ChoiceStream choices(seed);
  const gen::CaseCheck accept = check_for(limits);
  const Case one = mutable_case(first, choices, limits);
  const Case two = mutable_case(second, choices, limits);
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto crossed =
        gen::cross(one, two, choices, accept, {.capabilities = limits.capabilities});
    if (!crossed || !is_defined(*crossed)) continue;
    if (auto text = text_within(*crossed, limits)) return text;
  }
  return std::nullopt;
}

}  // namespace plumb::harness
