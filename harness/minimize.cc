// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/minimize.h"

#include <algorithm>
#include <array>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/edit.h"
#include "core/exceptions.h"
#include "core/opcode.h"
#include "core/reduce.h"
#include "core/repetition.h"
#include "core/stack_depth.h"

namespace plumb::harness {
namespace {

std::size_t index(int value) { return static_cast<std::size_t>(value); }

// The best case so far, and the tries that are left.
class Search {
 public:
  Search(const Case& value, const Predicate& holds, std::size_t budget)
      : best_(value), holds_(holds), budget_(budget) {}

  [[nodiscard]] const Case& best() const { return best_; }
  [[nodiscard]] std::size_t attempts() const { return attempts_; }
  [[nodiscard]] bool is_spent() const { return attempts_ >= budget_; }

  // Keeps the candidate if it differs and the predicate holds.
  bool attempt(Case candidate) {
    if (!complete_callbacks(candidate) || is_spent() || candidate == best_) return false;
    ++attempts_;
    if (!holds_(candidate)) return false;
    best_ = std::move(candidate);
    return true;
  }
  // The same for a change that may not be possible.
  bool attempt(std::optional<Case> candidate) {
    return candidate.has_value() && attempt(*std::move(candidate));
  }

 private:
  Case best_;
  const Predicate& holds_;
  std::size_t budget_;
  std::size_t attempts_ = 0;
};

Function& function_of(Case& value, std::size_t program, std::size_t function) {
  return value.programs[program].functions[function];
}

const Function& function_of(const Case& value, std::size_t program, std::size_t function) {
  return value.programs[program].functions[function];
}

// Calls the step for every function of the best case, the last one first: what is removed does not
// move what is still to come.
template <typename Step>
bool each_function(Search& search, Step step) {
  bool changed = false;
  for (std::size_t p = search.best().programs.size(); p-- > 0;) {
    for (std::size_t f = search.best().programs[p].functions.size(); f-- > 0;) {
      changed |= step(p, f);
    }
  }
  return changed;
}

bool drop_parts(Search& search) {
  bool changed = false;
  for (int p = static_cast<int>(search.best().programs.size()); p-- > 0;) {
    changed |= search.attempt(without_program(search.best(), p));
  }
  for (int p = static_cast<int>(search.best().programs.size()); p-- > 0;) {
    changed |= p < static_cast<int>(search.best().programs.size()) &&
               search.attempt(entering(search.best(), p));
  }
  changed |= each_function(search, [&](std::size_t p, std::size_t f) {
    return f > 0 && search.attempt(
                        without_function(search.best(), static_cast<int>(p), static_cast<int>(f)));
  });
  for (int i = static_cast<int>(search.best().arrays.size()); i-- > 0;) {
    changed |= search.attempt(without_array(search.best(), i));
  }
  for (int i = static_cast<int>(search.best().regions.size()); i-- > 0;) {
    changed |= search.attempt(without_region(search.best(), i));
  }
  return changed;
}

bool empty_bodies(Search& search) {
  return each_function(search, [&](std::size_t p, std::size_t f) {
    if (function_of(search.best(), p, f).insns.size() <= 2) return false;
    Case candidate = search.best();
    function_of(candidate, p, f).insns = {make_insn(Opcode::kMov64Imm), make_insn(Opcode::kExit)};
    return search.attempt(std::move(candidate));
  });
}

// A function that does nothing but call another may as well be it.
bool merge_functions(Search& search) {
  return each_function(search, [&](std::size_t p, std::size_t f) {
    for (std::size_t other = 0; other < search.best().programs[p].functions.size(); ++other) {
      if (search.attempt(with_body_of(search.best(), static_cast<int>(p), static_cast<int>(other),
                                      static_cast<int>(f)))) {
        return true;
      }
    }
    return false;
  });
}

// Slots where instructions start, and the end. What is repeated counts as one instruction.
std::vector<std::size_t> boundaries(const std::vector<Insn>& insns) {
  const std::vector<bool> starts = instruction_starts(insns);
  const std::vector<Repetition> rows = find_repetitions(insns);
  auto row = rows.begin();
  std::vector<std::size_t> result;
  for (std::size_t slot = 0; slot < starts.size(); ++slot) {
    if (!starts[slot]) continue;
    result.push_back(slot);
    if (row != rows.end() && row->begin == slot) slot = row++->end() - 1;
  }
  result.push_back(insns.size());
  return result;
}

std::optional<Case> spliced(const Case& value, std::size_t p, std::size_t f, std::size_t begin,
                            std::size_t end, std::span<const Insn> replacement) {
  Case candidate = value;
  std::vector<Insn>& insns = function_of(candidate, p, f).insns;
  if (begin == 0 && end == insns.size() && replacement.empty()) return std::nullopt;
  if (!splice(insns, begin, end, replacement)) return std::nullopt;
  return candidate;
}

// As few passes of what is repeated as it takes, by halves: millions of instructions are a few
// tries.
bool shorten_rows(Search& search) {
  return each_function(search, [&](std::size_t p, std::size_t f) {
    bool changed = false;
    // The last one first: what is removed does not move what is still to come.
    std::vector<Repetition> rows = find_repetitions(function_of(search.best(), p, f).insns);
    for (; !rows.empty() && !search.is_spent(); rows.pop_back()) {
      const Repetition& row = rows.back();
      std::size_t too_few = 0;
      std::size_t enough = row.times;
      for (std::size_t times = 0; too_few < enough; times = (too_few + enough) / 2) {
        if (times == enough || search.is_spent()) break;
        const std::size_t keep = row.begin + row.slots * times;
        const std::size_t end = row.begin + row.slots * enough;
        if (search.attempt(spliced(search.best(), p, f, keep, end, {}))) {
          enough = times;
          changed = true;
        } else {
          too_few = times + 1;
        }
      }
    }
    return changed;
  });
}

// Chunks of half the function, a quarter, ... one instruction, from the end to the start.
bool remove_instructions(Search& search) {
  return each_function(search, [&](std::size_t p, std::size_t f) {
    bool changed = false;
    std::size_t chunk = boundaries(function_of(search.best(), p, f).insns).size() / 2;
    for (; chunk > 0; chunk /= 2) {
      std::size_t end = boundaries(function_of(search.best(), p, f).insns).size() - 1;
      for (; end > 0 && !search.is_spent(); end = end > chunk ? end - chunk : 0) {
        const auto bounds = boundaries(function_of(search.best(), p, f).insns);
        const std::size_t last = std::min(end, bounds.size() - 1);
        const std::size_t first = last > chunk ? last - chunk : 0;
        changed |= search.attempt(spliced(search.best(), p, f, bounds[first], bounds[last], {}));
      }
    }
    return changed;
  });
}

// Two instructions that need each other, not side by side: a save and its restore.
bool remove_pairs(Search& search) {
  constexpr std::size_t kLongest = 24;
  return each_function(search, [&](std::size_t p, std::size_t f) {
    bool changed = false;
    for (std::size_t i = 0; !search.is_spent(); ++i) {
      const auto bounds = boundaries(function_of(search.best(), p, f).insns);
      if (bounds.size() > kLongest || i + 2 >= bounds.size()) break;
      for (std::size_t j = bounds.size() - 2; j > i + 1; --j) {
        auto candidate = spliced(search.best(), p, f, bounds[j], bounds[j + 1], {});
        if (candidate) candidate = spliced(*candidate, p, f, bounds[i], bounds[i + 1], {});
        if (!search.attempt(std::move(candidate))) continue;
        changed = true;
        break;
      }
    }
    return changed;
  });
}

// Tries each simpler form of each instruction.
bool simplify_instructions(Search& search) {
  return each_function(search, [&](std::size_t p, std::size_t f) {
    bool changed = false;
    for (std::size_t i = 0; !search.is_spent(); ++i) {
      const auto bounds = boundaries(function_of(search.best(), p, f).insns);
      if (i + 1 >= bounds.size()) break;
      const std::span<const Insn> old = std::span(function_of(search.best(), p, f).insns)
                                            .subspan(bounds[i], bounds[i + 1] - bounds[i]);
      for (const std::vector<Insn>& simpler : simpler_forms(old, static_cast<int>(f))) {
        if (search.attempt(spliced(search.best(), p, f, bounds[i], bounds[i + 1], simpler))) {
          changed = true;
          break;
        }
      }
    }
    return changed;
  });
}

bool retarget_slots(Search& search) {
  bool changed = false;
  for (std::size_t a = 0; a < search.best().arrays.size(); ++a) {
    std::size_t size = search.best().arrays[a].slots.size();
    for (; size > 1; size /= 2) {
      Case candidate = search.best();
      candidate.arrays[a].slots.resize(size / 2);
      if (!search.attempt(std::move(candidate))) break;
      changed = true;
    }
    while (search.best().arrays[a].slots.size() > 1) {
      Case candidate = search.best();
      candidate.arrays[a].slots.pop_back();
      if (!search.attempt(std::move(candidate))) break;
      changed = true;
    }
    for (std::size_t s = 0; s < search.best().arrays[a].slots.size(); ++s) {
      for (int program = kNoProgram; program < search.best().arrays[a].slots[s]; ++program) {
        Case candidate = search.best();
        candidate.arrays[a].slots[s] = program;
        if (!search.attempt(std::move(candidate))) continue;
        changed = true;
        break;
      }
    }
  }
  return changed;
}

// The bytes: fewer of them, then zeros.
template <typename Select>
bool shrink_bytes(Search& search, std::size_t least, Select select) {
  bool changed = false;
  const std::size_t size = select(search.best()).size();
  for (const std::size_t smaller : {least, std::size_t{8}, size / 2, size - size % 8}) {
    Case candidate = search.best();
    if (smaller < least || smaller >= select(candidate).size()) continue;
    select(candidate).resize(smaller);
    changed |= search.attempt(std::move(candidate));
  }
  Case candidate = search.best();
  std::ranges::fill(select(candidate), std::uint8_t{0});
  return search.attempt(std::move(candidate)) || changed;
}

bool shrink_memory(Search& search) {
  bool changed = shrink_bytes(search, 0, [](auto& value) -> auto& { return value.context; });
  for (std::size_t i = 0; i < search.best().regions.size(); ++i) {
    changed |=
        shrink_bytes(search, 1, [i](auto& value) -> auto& { return value.regions[i].bytes; });
  }
  return changed;
}

bool shrink_stacks(Search& search) {
  return each_function(search, [&](std::size_t p, std::size_t f) {
    bool changed = false;
    const Function& function = function_of(search.best(), p, f);
    const int depth = function.stack_depth;
    for (const int smaller :
         {0, infer_stack_depth(function.insns), 8, 16, depth / 2, depth - 8, depth - depth % 8}) {
      Case candidate = search.best();
      int& depth_now = function_of(candidate, p, f).stack_depth;
      if (smaller < 0 || smaller >= depth_now) continue;
      depth_now = smaller;
      changed |= search.attempt(std::move(candidate));
    }
    return changed;
  });
}

}  // namespace

Minimised minimize(const Case& value, const Predicate& holds, const MinimizeOptions& options) {
  Case start = value;
  start.notes.clear();
  start.waivers.clear();
  start.expectation = {};
  Search search(start, holds, options.max_attempts);
  constexpr std::array kPasses = {
      drop_parts,     empty_bodies,          merge_functions, shorten_rows,  remove_instructions,
      retarget_slots, simplify_instructions, remove_pairs,    shrink_memory, shrink_stacks};
  bool changed = true;
  while (changed && !search.is_spent()) {
    changed = false;
    for (const auto pass : kPasses) changed |= pass(search);
  }
  return {.value = search.best(), .attempts = search.attempts(), .complete = !search.is_spent()};
}

CaseSize case_size(const Case& value) {
  CaseSize size{.programs = value.programs.size(), .functions = 0, .slots = 0, .bytes = 0};
  for (const Program& program : value.programs) {
    size.functions += program.functions.size();
    for (const Function& function : program.functions) {
      size.slots += function.insns.size();
      size.bytes += index(function.stack_depth);
    }
  }
  for (const ProgArray& array : value.arrays) size.bytes += array.slots.size();
  for (const Region& region : value.regions) size.bytes += region.bytes.size();
  size.bytes += value.context.size();
  return size;
}

std::size_t instructions_without_exits(const Case& value) {
  std::size_t count = 0;
  for (const Program& program : value.programs) {
    for (const Function& function : program.functions) {
      const std::vector<bool> starts = instruction_starts(function.insns);
      for (std::size_t slot = 0; slot < starts.size(); ++slot) {
        const OpcodeInfo* info = starts[slot] ? decode(function.insns[slot]) : nullptr;
        count += info != nullptr && info->operation != Operation::kExit;
      }
    }
  }
  return count;
}

}  // namespace plumb::harness
