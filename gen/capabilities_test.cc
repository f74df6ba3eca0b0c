// SPDX-License-Identifier: GPL-2.0-or-later
//
// The generator stays inside what a JIT takes.
#include "oracle/capabilities.h"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <bitset>
#include <fstream>
#include <iterator>
#include <string>

#include "core/case_text.h"
#include "core/rng.h"
#include "gen/generate.h"
#include "oracle/oracle.h"
#include "oracle/validate.h"

namespace plumb::gen {
namespace {

constexpr std::uint64_t kSets = 400;
constexpr std::uint64_t kCasesPerSet = 50;

constexpr std::uint64_t without(std::initializer_list<Capability> absent) {
  std::uint64_t set = kAllCapabilities;
  for (const Capability one : absent) set &= ~capability_bit(one);
  return set;
}

// Follows each function from its first slot to its last, as if nothing jumped.
class StraightReader {
 public:
  // Calls visit(insn, info) with below() and indexed() as they are before the instruction.
  template <typename Visit>
  void read(const Function& function, Visit visit) {
    constant_.reset();
    frame_.reset();
    indexed_.reset();
    frame_.set(kFramePointerRegister);
    for (std::size_t slot = 0; slot < function.insns.size();) {
      const Insn& insn = function.insns[slot];
      const OpcodeInfo& info = *decode(insn);
      visit(insn, info);
      follow(insn, info);
      slot += static_cast<std::size_t>(slot_count(insn));
    }
  }
  // An address constant, into a region.
  [[nodiscard]] bool is_constant(int reg) const { return constant_[index(reg)]; }
  // A pointer to the frame to which a register was added.
  [[nodiscard]] bool is_indexed_frame(int reg) const { return indexed_[index(reg)]; }

 private:
  using Registers = std::bitset<kRegisterCount>;
  static std::size_t index(int reg) { return static_cast<std::size_t>(reg); }

  void follow(const Insn& insn, const OpcodeInfo& info) {
    if (info.operation == Operation::kStore || is_atomic(info.operation)) return;
    if (info.id == Opcode::kAdd64Reg && frame_[insn.dst]) {
      indexed_.set(insn.dst);
      return;
    }
    const bool moves = info.id == Opcode::kMov64Reg;
    const bool adds = info.id == Opcode::kAdd64Imm;
    constant_[insn.dst] =
        info.operation == Operation::kLoadRegion || (moves && constant_[insn.src]);
    if (!adds) frame_[insn.dst] = moves && frame_[insn.src];
    if (!adds) indexed_[insn.dst] = moves && indexed_[insn.src];
    frame_.set(kFramePointerRegister);
  }

  Registers constant_;
  Registers frame_;
  Registers indexed_;
};

struct Seen {
  int below_constants = 0;
  int indexed_frames = 0;
};

Seen look_for_addresses(std::uint64_t capabilities) {
  Seen seen;
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    const Case value = generate(seed, nullptr, capabilities);
    for (const Program& program : value.programs) {
      for (const Function& function : program.functions) {
        StraightReader reader;
        reader.read(function, [&](const Insn& insn, const OpcodeInfo& info) {
          const bool loads = info.operand == Operand::kMem;
          const bool stores = info.operation == Operation::kStore || is_atomic(info.operation);
          if (!loads && !stores) return;
          const int base = loads ? insn.src : insn.dst;
          seen.below_constants += reader.is_constant(base) && insn.offset < 0;
          seen.indexed_frames += reader.is_indexed_frame(base);
        });
      }
    }
  }
  return seen;
}

TEST(Capabilities, AnySetIsObeyedAndCasesAreDefined) {
  Rng rng(17);
  std::uint64_t defined = 0;
  std::uint64_t all_needs = 0;
  for (std::uint64_t n = 0; n < kSets; ++n) {
    // Every other set lacks little, as most JITs do.
    std::uint64_t set = rng.next();
    if (n % 2 == 0) set |= rng.next() | rng.next();
    std::uint64_t defined_here = 0;
    for (std::uint64_t i = 0; i < kCasesPerSet; ++i) {
      const std::uint64_t seed = nth_seed(n, i);
      const Case value = generate(seed, nullptr, set);
      const std::uint64_t needs = oracle::required_capabilities(value);
      all_needs |= needs;
      ASSERT_EQ(needs & ~set, 0u) << capability_names(needs & ~set) << "\n" << print_case(value);
      ASSERT_FALSE(oracle::validate(value).has_value()) << print_case(value);
      defined_here += oracle::run(value, {}).defined;
      ASSERT_EQ(value, generate(seed, nullptr, set & kObeyedCapabilities));
    }
    EXPECT_GE(100 * defined_here, 95 * kCasesPerSet) << capability_names(set);
    defined += defined_here;
  }
  fmt::print("{} sets: {:.2f} % defined\n", kSets,
             100.0 * static_cast<double>(defined) / (kSets * kCasesPerSet));
  constexpr std::uint64_t kHints = capability_bit(Capability::kReachBelow) |
                                   capability_bit(Capability::kMixStackSizes) |
                                   capability_bit(Capability::kIndexStack);
  EXPECT_EQ(all_needs, kObeyedCapabilities & ~kHints) << "each is needed by some case";
}

TEST(Capabilities, EveryShapeThatIsLeftObeysToo) {
  Rng rng(18);
  for (std::uint64_t n = 0; n < 40; ++n) {
    const std::uint64_t set = rng.next();
    for (const Shape& shape : shapes()) {
      if ((shape.needs & ~set) != 0) continue;
      for (std::uint64_t i = 0; i < 10; ++i) {
        const Case value = generate(nth_seed(n, i), &shape, set);
        const std::uint64_t needs = oracle::required_capabilities(value);
        ASSERT_EQ(needs & ~set, 0u) << shape.name << ": " << capability_names(needs & ~set);
      }
    }
  }
}

TEST(Capabilities, NoneAtAllLeavesOneFunctionWithoutArrays) {
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const Case value = generate(seed, nullptr, 0);
    ASSERT_EQ(value.programs.size(), 1u);
    EXPECT_EQ(value.programs[0].functions.size(), 1u);
    EXPECT_TRUE(value.arrays.empty());
    EXPECT_EQ(value, generate(seed, nullptr, 0));
  }
}

TEST(Capabilities, WhatNeedsNothingAbsentIsMostlyTheSame) {
  struct Row {
    std::string_view what;
    std::uint64_t set;
  };
  const std::array rows{
      Row{"v4", without({Capability::kV4})},
      Row{"callbacks", without({Capability::kCallBack})},
      Row{"tail-calls-in-subprograms", without({Capability::kTailCallInSubprogram})},
      Row{"jump32", without({Capability::kJump32})},
  };
  for (const Row& row : rows) {
    int fits = 0;
    int same = 0;
    for (std::uint64_t seed = 0; seed < 2000; ++seed) {
      const Case full = generate(seed);
      if ((oracle::required_capabilities(full) & ~row.set) != 0) continue;
      ++fits;
      same += full == generate(seed, nullptr, row.set);
    }
    fmt::print("without {:26} {} fit, {} are the same\n", row.what, fits, same);
    EXPECT_GT(fits, 500) << row.what;
    EXPECT_GE(100 * same, 95 * fits) << row.what;
  }
}

TEST(Capabilities, AddressesKeepToTheirObjects) {
  const Seen all = look_for_addresses(kAllCapabilities);
  EXPECT_GT(all.below_constants, 100);
  EXPECT_GT(all.indexed_frames, 50);
  EXPECT_EQ(look_for_addresses(without({Capability::kReachBelow})).below_constants, 0);
  EXPECT_EQ(look_for_addresses(without({Capability::kIndexStack})).indexed_frames, 0);
}

// In straight code that names the frame by R10 only: loads, and those of them that are wider than
// the last store that began in the same eight bytes.
struct FrameLoads {
  int all = 0;
  int wider = 0;
};

void count_frame_loads(const Function& function, FrameLoads& loads) {
  std::array<int, kMaxStackDepth / 8> widths{};
  FrameLoads here;
  for (std::size_t slot = 0; slot < function.insns.size();) {
    const Insn& insn = function.insns[slot];
    const OpcodeInfo& info = *decode(insn);
    slot += static_cast<std::size_t>(slot_count(insn));
    const bool copies = info.id == Opcode::kMov64Reg && insn.src == kFramePointerRegister;
    if (is_jump(info.operation) || copies) return;
    const bool is_load = info.operand == Operand::kMem;
    const bool is_store = info.operation == Operation::kStore || is_atomic(info.operation);
    if ((!is_load && !is_store) || (is_load ? insn.src : insn.dst) != kFramePointerRegister)
      continue;
    int& width = widths[static_cast<std::size_t>((kMaxStackDepth + insn.offset) / 8)];
    if (is_store) width = info.width;
    here.all += is_load;
    here.wider += is_load && info.width > width;
  }
  loads.all += here.all;
  loads.wider += here.wider;
}

FrameLoads frame_loads(std::uint64_t capabilities) {
  FrameLoads loads;
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    for (const Program& program : generate(seed, nullptr, capabilities).programs) {
      for (const Function& function : program.functions) count_frame_loads(function, loads);
    }
  }
  return loads;
}

TEST(Capabilities, StackIsReadAsItWasStored) {
  EXPECT_GT(frame_loads(kAllCapabilities).wider, 20);
  const FrameLoads kept = frame_loads(without({Capability::kMixStackSizes}));
  EXPECT_GT(kept.all, 1000);
  EXPECT_EQ(kept.wider, 0);
}

TEST(Capabilities, EachHasItsRowInTheDocs) {
  std::ifstream file("docs/adding-a-jit.md");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  for (const auto& [capability, name] : kCapabilities) {
    const int bit = std::countr_zero(capability_bit(capability));
    EXPECT_NE(text.find(fmt::format("\n| {} | `{}` | ", bit, name)), std::string::npos) << name;
  }
}

TEST(Capabilities, HaveNamesThatAreReadBack) {
  for (const auto& [capability, name] : kCapabilities) {
    const auto read = parse_capabilities(name);
    ASSERT_TRUE(read.has_value()) << name;
    EXPECT_EQ(*read, capability_bit(capability));
  }
  EXPECT_EQ(parse_capabilities("atomics,v4").value(),
            capability_bit(Capability::kAtomics) | capability_bit(Capability::kV4));
  EXPECT_EQ(parse_capabilities("").value(), 0u);
  EXPECT_EQ(parse_capabilities("v4,v5").error().message, "no capability is called 'v5'");
}

}  // namespace
}  // namespace plumb::gen
