// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/target.h"

namespace plumb::machine {
namespace {

constexpr int kRa = 1;
constexpr int kSp = 2;
constexpr int kFp = 8;  // s0
constexpr int kA0 = 10;
// RISC-V psABI, integer calling convention: t0-t2, a0-a7, t3-t6. Of ra a callee leaves what it
// returned to.
constexpr std::uint32_t kCallerSaved = 0xf003'fce0;

constexpr TargetFacts kFacts{.arch = Arch::kRiscv64,
                             .register_count = 32,
                             .stack_pointer = kSp,
                             .frame_pointer = kFp,
                             .result = kA0,
                             .arguments = {10, 11, 12, 13, 14},
                             .zero = 0,
                             .link = kRa,
                             .caller_saved = kCallerSaved,
                             .reserved = {3, 4},  // gp, tp
                             .frame = frame_geometry(Arch::kRiscv64)};

// Encodings: the RISC-V unprivileged specification, chapters 2 and 16.
constexpr std::uint32_t kEbreak = 0x00100073;
constexpr std::uint32_t kRet = 0x00008067;
constexpr std::uint32_t kCompressedRet = 0x8082;
constexpr std::uint32_t kJal = 0x6f;
constexpr std::uint32_t kJalr = 0x67;

constexpr std::uint32_t jump_to(std::uint64_t distance) {
  const auto d = static_cast<std::uint32_t>(distance);
  return kJal | (d >> 20 & 1) << 31 | (d >> 1 & 0x3ff) << 21 | (d >> 11 & 1) << 20 |
         (d >> 12 & 0xff) << 12;
}
static_assert(jump_to(4) == 0x0040006f);

constexpr std::uint64_t insn_size(std::uint32_t insn) { return (insn & 3) == 3 ? 4 : 2; }
constexpr std::uint32_t opcode(std::uint32_t insn) { return insn & 0x7f; }
constexpr std::uint32_t destination(std::uint32_t insn) { return insn >> 7 & 31; }

// jal and jalr with ra as the link register, c.jalr.
constexpr bool is_call(std::uint32_t insn) {
  if (insn_size(insn) == 2) return (insn & 0xf07f) == 0x9002 && destination(insn) != 0;
  return (opcode(insn) == kJal || opcode(insn) == kJalr) && destination(insn) == kRa;
}
constexpr bool is_return(std::uint32_t insn) {
  return insn_size(insn) == 2 ? (insn & 0xffff) == kCompressedRet : insn == kRet;
}

std::uint32_t load_insn(const std::uint8_t* bytes) {
  const std::uint32_t low = bytes[0];
  return insn_size(low) == 4 ? load_word(bytes) : low | std::uint32_t{bytes[1]} << 8;
}

// Instructions have two lengths, so that the end of a block alone does not tell.
std::uint32_t last_insn(const Block& block) {
  std::uint32_t insn = 0;
  for (std::uint64_t at = 0; at < block.size(); at += insn_size(insn)) {
    insn = load_insn(block.bytes + at);
  }
  return insn;
}

class TargetRiscv64 final : public Target {
 public:
  const TargetFacts& facts() const override { return kFacts; }
  const StubCode& stub_code() const override { return stubs_; }

  std::vector<std::uint8_t> jump(std::uint64_t from, std::uint64_t to) const override {
    const auto distance = static_cast<std::int64_t>(to - from);
    constexpr std::int64_t kReach = std::int64_t{1} << 20;
    if (distance < -kReach || distance >= kReach) return {};
    return word_bytes(jump_to(static_cast<std::uint64_t>(distance)));
  }

  void set_return_address(RegisterFile& registers, GuestMemory&,
                          std::uint64_t address) const override {
    registers[kRa] = address;
  }

  std::optional<std::uint64_t> return_address_of_call(const Engine& engine, const GuestMemory&,
                                                      const Block& previous,
                                                      std::uint64_t) const override {
    if (engine.read(kRa) != previous.end || !is_call(last_insn(previous))) return std::nullopt;
    return previous.end;
  }

  bool reached_by_return(const Engine& engine, const GuestMemory&, const Block& previous,
                         std::uint64_t address) const override {
    return engine.read(kRa) == address && is_return(last_insn(previous));
  }

  // Prologues move sp first and store above it then.
  std::uint64_t pushed_bytes(const std::uint8_t*) const override { return 0; }

  // Unicorn reports illegal instructions as exceptions, four bytes on whatever their length is, and
  // ebreak as an invalid instruction.
  std::uint64_t trap_address(std::uint64_t pc, std::uint8_t, EngineStatus status) const override {
    return status == EngineStatus::kTrap ? pc - 4 : pc;
  }

 private:
  const StubCode stubs_{
      .trap = word_bytes(kEbreak), .ret = word_bytes(kRet), .routine = c_routine_riscv64()};
};

}  // namespace

std::unique_ptr<Target> make_target_riscv64() { return std::make_unique<TargetRiscv64>(); }

}  // namespace plumb::machine
