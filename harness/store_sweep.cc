// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/store_sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "harness/stack_life.h"
#include "invariants/invariants.h"
#include "oracle/oracle.h"

namespace plumb::harness {
namespace {

constexpr std::uint64_t kBelowDeepest = 256;
constexpr std::uint64_t kAboveEntry = 64;  // of the invocation's caller
constexpr std::size_t kMissedForPeople = 12;

struct Stored {
  const char* name;
  std::uint64_t value;
  bool adds;
};
constexpr std::array<Stored, 3> kStored{
    {{"noise", 0x9b1d'54e2'7c03'f86a, false}, {"one more", 1, true}, {"zero", 0, false}}};

// In the code of a function and behind its prologue.
bool is_site(const Image& image, std::uint64_t pc) {
  const NativeFunction* function = image.function_at(pc);
  return function != nullptr && !function->insn_offsets.empty() &&
         pc - function->address >= function->insn_offsets.front();
}

// Steps to inject before: of each instruction that runs, the first time, one in the middle and the
// last time.
std::vector<std::size_t> sites_of(const Image& image, const MachineRun& run) {
  std::map<std::uint64_t, std::vector<std::size_t>> steps;
  for (std::size_t i = 0; i < run.steps.size(); ++i) {
    if (is_site(image, run.steps[i].pc)) steps[run.steps[i].pc].push_back(i);
  }
  std::vector<std::size_t> sites;
  for (const auto& [pc, times] : steps) {
    sites.push_back(times.front());
    sites.push_back(times[times.size() / 2]);
    sites.push_back(times.back());
  }
  std::ranges::sort(sites);
  const auto repeated = std::ranges::unique(sites);
  sites.erase(repeated.begin(), repeated.end());
  return sites;
}

class Sweep {
 public:
  Sweep(const Case& value, const Image& image, const Execution& execution,
        machine::Machine& machine)
      : value_(value), image_(image), execution_(execution), machine_(machine) {}

  SweepCounts run(std::string_view jit, const SweepOptions& options) {
    SweepCounts counts;
    clean_ = machine_.run(value_, image_, {.depth = Depth::kFull});
    if (!check(clean_).empty()) return {.broken = 1};
    ++counts.cases;
    const StackLife life(image_, clean_);
    const Range& stack = image_.placement.stack;
    const std::uint64_t lowest =
        std::max(stack.address, (clean_.lowest_sp & ~std::uint64_t{7}) - kBelowDeepest);
    const std::uint64_t highest =
        std::min(stack.address + stack.size, clean_.entry_sp + kAboveEntry);
    const auto sites = sites_of(image_, clean_);
    for (std::size_t i = 0; i < sites.size(); i += options.site_stride) {
      ++counts.sites;
      const std::uint64_t first = lowest + 8 * (i / options.site_stride % options.slot_stride);
      for (std::uint64_t slot = first; slot < highest; slot += 8 * options.slot_stride) {
        ++counts.slots;
        const bool is_live = life.is_live(sites[i], slot);
        for (const Stored& stored : kStored) try_one(jit, sites[i], slot, stored, is_live, counts);
      }
    }
    return counts;
  }

 private:
  std::vector<Violation> check(const MachineRun& run) const {
    return invariants::check({&value_, &image_, &execution_, &run, Depth::kFull}).violations;
  }

  void try_one(std::string_view jit, std::size_t step, std::uint64_t slot, const Stored& stored,
               bool is_live, SweepCounts& counts) {
    machine::InjectedStore store{
        .step = step, .address = slot, .value = stored.value, .adds = stored.adds};
    const MachineRun& run = machine_.run(value_, image_,
                                         {.depth = Depth::kFull,
                                          .block_budget = 2'000 + 4 * clean_.instructions,
                                          .injected = &store});
    if (!stored.adds && store.before == stored.value) return;
    ++counts.injected;
    counts.live += is_live;
    const bool found = !check(run).empty();
    (is_live ? counts.live_found : counts.dead_found) += found;
    if (!is_live || found || counts.missed.size() >= kMissedForPeople) return;
    const NativeFunction& function = *image_.function_at(clean_.steps[step].pc);
    const auto offset = static_cast<std::uint32_t>(clean_.steps[step].pc - function.address);
    counts.missed.push_back(
        fmt::format("{}: {} at entry sp{:+d}, before {}.{}+{:#x} (slot {}, step {})", jit,
                    stored.name, static_cast<std::int64_t>(slot - clean_.entry_sp),
                    function.program, function.function, offset, slot_at(function, offset), step));
  }

  const Case& value_;
  const Image& image_;
  const Execution& execution_;
  machine::Machine& machine_;
  MachineRun clean_;
};

}  // namespace

SweepCounts& SweepCounts::operator+=(const SweepCounts& other) {
  cases += other.cases;
  broken += other.broken;
  sites += other.sites;
  slots += other.slots;
  injected += other.injected;
  live += other.live;
  live_found += other.live_found;
  dead_found += other.dead_found;
  missed.insert(missed.end(), other.missed.begin(), other.missed.end());
  return *this;
}

SweepCounts sweep_stores(const Case& value, jit::Jit& jit, machine::Machine& machine,
                         const SweepOptions& options) {
  const Execution execution = oracle::run(value, jit.info().contract);
  if (!execution.defined) {
    return {.missed = {"not defined: " + execution.undefined_reason}};
  }
  if ((execution.required_capabilities & ~jit.info().capabilities) != 0) return {};
  const jit::LoadOutcome loaded = jit.load(value);
  if (loaded.status == jit::LoadOutcome::Status::kNotApplicable) return {};
  if (loaded.status != jit::LoadOutcome::Status::kLoaded) return {.missed = {loaded.reason}};
  return Sweep(value, loaded.image->image(), execution, machine).run(jit.info().name, options);
}

}  // namespace plumb::harness
