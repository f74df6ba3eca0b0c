// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/target.h"

namespace plumb::machine {
namespace {

constexpr int kLr = 30;
constexpr int kSp = 31;
constexpr int kFp = 29;
// AAPCS64, section 6.1.1: x0 ... x18. Of the link register a callee leaves what it returned to.
constexpr std::uint32_t kCallerSaved = 0x0007'ffff;

constexpr TargetFacts kFacts{.arch = Arch::kArm64,
                             .register_count = 32,
                             .stack_pointer = kSp,
                             .frame_pointer = kFp,
                             .result = 0,
                             .arguments = {0, 1, 2, 3, 4},
                             .link = kLr,
                             .caller_saved = kCallerSaved,
                             .frame = frame_geometry(Arch::kArm64)};

// Fields of instructions: Arm Architecture Reference Manual for A-profile, C4.1.
constexpr std::uint32_t kBrk = 0xd4200000;
constexpr std::uint32_t kRet = 0xd65f03c0;
constexpr std::uint32_t kBranch = 0x14000000;

constexpr std::uint64_t sign_extended(std::uint32_t value, int bits) {
  const int unused = 64 - bits;
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(std::uint64_t{value} << unused) >>
                                    unused);
}

constexpr int base_register(std::uint32_t insn) { return static_cast<int>(insn >> 5 & 31); }

constexpr bool is_direct_call(std::uint32_t insn) { return (insn & 0xfc000000) == 0x94000000; }
// blr, blraa, blrab and their forms with a zero modifier.
constexpr bool is_indirect_call(std::uint32_t insn) { return (insn & 0xfeff0000) == 0xd63f0000; }
constexpr bool is_indirect_jump(std::uint32_t insn) { return (insn & 0xfeff0000) == 0xd61f0000; }
constexpr bool is_return(std::uint32_t insn) { return (insn & 0xffff0000) == 0xd65f0000; }
// The authenticating returns have no operand: they take x30.
constexpr int return_register(std::uint32_t insn) {
  return base_register(insn) == 31 ? kLr : base_register(insn);
}

constexpr std::uint64_t direct_target(std::uint64_t at, std::uint32_t insn) {
  return at + (sign_extended(insn & 0x3ffffff, 26) << 2);
}

// By how much a store with pre-indexed sp moves it; 0 for all other instructions.
constexpr std::int64_t store_moves_sp(std::uint32_t insn) {
  if (base_register(insn) != kSp) return 0;
  if ((insn & 0x7fc00000) == 0x29800000) {  // stp of two general registers
    const int scale = insn >> 31 != 0 ? 8 : 4;
    return static_cast<std::int64_t>(sign_extended(insn >> 15 & 0x7f, 7)) * scale;
  }
  if ((insn & 0x3fe00c00) == 0x38000c00) {  // str, strh, strb
    return static_cast<std::int64_t>(sign_extended(insn >> 12 & 0x1ff, 9));
  }
  return 0;
}
static_assert(store_moves_sp(0xa9bf7bfd) == -16);  // stp x29, x30, [sp, #-16]!
static_assert(store_moves_sp(0xf81f0ffe) == -16);  // str x30, [sp, #-16]!
static_assert(store_moves_sp(0xa9007bfd) == 0);    // stp x29, x30, [sp]

class TargetArm64 final : public Target {
 public:
  const TargetFacts& facts() const override { return kFacts; }
  const StubCode& stub_code() const override { return stubs_; }

  std::vector<std::uint8_t> jump(std::uint64_t from, std::uint64_t to) const override {
    const auto distance = static_cast<std::int64_t>(to - from);
    constexpr std::int64_t kReach = std::int64_t{1} << 27;
    if (distance < -kReach || distance >= kReach) return {};
    return word_bytes(kBranch | (static_cast<std::uint32_t>(distance) >> 2 & 0x3ffffff));
  }

  void set_return_address(RegisterFile& registers, GuestMemory&,
                          std::uint64_t address) const override {
    registers[kLr] = address;
  }

  std::optional<std::uint64_t> return_address_of_call(const Engine& engine, const GuestMemory&,
                                                      const Block& previous,
                                                      std::uint64_t address) const override {
    const std::uint64_t last = previous.end - 4;
    const std::uint32_t insn = load_word(previous.bytes_end() - 4);
    const bool is_call =
        is_indirect_call(insn) || (is_direct_call(insn) && direct_target(last, insn) == address);
    if (!is_call || code_address(Arch::kArm64, engine.read(kLr)) != previous.end) {
      return std::nullopt;
    }
    return previous.end;
  }

  bool reached_by_return(const Engine& engine, const GuestMemory&, const Block& previous,
                         std::uint64_t address) const override {
    const std::uint32_t insn = load_word(previous.bytes_end() - 4);
    return is_return(insn) &&
           code_address(Arch::kArm64, engine.read(return_register(insn))) == address;
  }

  Arrival arrival(const Block& previous, std::uint64_t) const override {
    const std::uint32_t insn = load_word(previous.bytes_end() - 4);
    if (is_indirect_call(insn)) return Arrival::kIndirectCall;
    if (!is_indirect_jump(insn)) return Arrival::kDirect;
    // What a procedure linkage table jumps through may land where calls land (D8.4.7).
    const int reg = base_register(insn);
    return reg == 16 || reg == 17 ? Arrival::kIndirectCall : Arrival::kIndirectJump;
  }

  std::uint64_t pushed_bytes(const std::uint8_t* insn) const override {
    const std::int64_t moved = store_moves_sp(load_word(insn));
    return moved < 0 ? static_cast<std::uint64_t>(-moved) : 0;
  }

  std::uint64_t trap_address(std::uint64_t pc, std::uint8_t, EngineStatus) const override {
    return pc;
  }

 private:
  const StubCode stubs_{
      .trap = word_bytes(kBrk), .ret = word_bytes(kRet), .routine = c_routine_arm64()};
};

}  // namespace

std::unique_ptr<Target> make_target_arm64() { return std::make_unique<TargetArm64>(); }

}  // namespace plumb::machine
