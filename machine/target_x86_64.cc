// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <cstring>

#include "machine/machine.h"
#include "machine/target.h"

namespace plumb::machine {
namespace {

// Register numbers of the psABI's encoding: rax 0, rcx 1, rdx 2, rsp 4, rbp 5, rsi 6, rdi 7, r8 ...
// r11. Its section 3.2.3: arguments in rdi, rsi, rdx, rcx, r8.
constexpr int kRax = 0;
constexpr int kRsp = 4;
constexpr int kRbp = 5;
constexpr std::uint32_t kCallerSaved = 0x0fc7;

constexpr TargetFacts kFacts{.arch = Arch::kX86_64,
                             .register_count = 16,
                             .stack_pointer = kRsp,
                             .frame_pointer = kRbp,
                             .result = kRax,
                             .arguments = {7, 6, 2, 1, 8},
                             .caller_saved = kCallerSaved,
                             .frame = frame_geometry(Arch::kX86_64)};

constexpr std::uint8_t kRet = 0xc3;
constexpr std::uint8_t kRetImm16 = 0xc2;
constexpr std::uint8_t kInt3 = 0xcc;
constexpr std::uint8_t kHlt = 0xf4;
constexpr std::uint8_t kCallRel32 = 0xe8;
constexpr std::uint8_t kJmpRel32 = 0xe9;
constexpr std::uint8_t kGroup5 = 0xff;  // /2: call, /6: push

std::int32_t load_rel32(const std::uint8_t* bytes) {
  std::int32_t value = 0;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

// Could the block end in a call to the address? Direct calls exactly, indirect ones by the presence
// of "ff /2" at one of the lengths that the form can have.
bool may_end_in_call(const Block& block, std::uint64_t address) {
  const std::uint8_t* const end = block.bytes_end();
  const std::uint64_t size = block.size();
  if (size >= 5 && end[-5] == kCallRel32 &&
      block.end + static_cast<std::uint64_t>(std::int64_t{load_rel32(end - 4)}) == address) {
    return true;
  }
  constexpr std::uint64_t kLengths[] = {2, 3, 4, 6, 7};
  return std::ranges::any_of(kLengths, [=](std::uint64_t length) {
    if (size < length) return false;
    const std::uint8_t* const insn = end - length;
    return insn[0] == kGroup5 && (insn[1] >> 3 & 7) == 2;
  });
}

std::uint64_t relative_to(std::uint64_t end, std::int64_t displacement) {
  return end + static_cast<std::uint64_t>(displacement);
}

// Could the block end in a direct jump or call to the address?
bool may_end_in_direct_branch(const Block& block, std::uint64_t address) {
  const std::uint8_t* const end = block.bytes_end();
  const std::uint64_t size = block.size();
  if (size >= 2 && relative_to(block.end, static_cast<std::int8_t>(end[-1])) == address) {
    constexpr std::uint8_t kJmpRel8 = 0xeb;
    const bool is_conditional = (end[-2] & 0xf0) == 0x70 || (end[-2] & 0xfc) == 0xe0;  // jcc, loop
    if (end[-2] == kJmpRel8 || is_conditional) return true;
  }
  if (size < 5 || relative_to(block.end, load_rel32(end - 4)) != address) return false;
  const bool is_jcc = size >= 6 && end[-6] == 0x0f && (end[-5] & 0xf0) == 0x80;
  return end[-5] == kCallRel32 || end[-5] == kJmpRel32 || is_jcc;
}

bool last_instruction_is_return(const Block& block) {
  const auto insns = disassemble(Arch::kX86_64, {block.bytes, block.size()}, block.begin);
  return !insns.empty() && insns.back().text.starts_with("ret");
}

class TargetX86_64 final : public Target {
 public:
  const TargetFacts& facts() const override { return kFacts; }

  const StubCode& stub_code() const override { return stubs_; }

  std::vector<std::uint8_t> jump(std::uint64_t from, std::uint64_t to) const override {
    std::vector<std::uint8_t> code(5, kJmpRel32);
    const auto distance = static_cast<std::int64_t>(to - (from + code.size()));
    const auto relative = static_cast<std::int32_t>(distance);
    if (relative != distance) return {};
    std::memcpy(&code[1], &relative, sizeof relative);
    return code;
  }

  void set_return_address(RegisterFile& registers, GuestMemory& memory,
                          std::uint64_t address) const override {
    registers[kRsp] -= 8;
    memory.set_stack_word(registers[kRsp], address);
  }

  std::optional<std::uint64_t> return_address_of_call(const Engine& engine,
                                                      const GuestMemory& memory,
                                                      const Block& previous,
                                                      std::uint64_t address) const override {
    if (!may_end_in_call(previous, address)) return std::nullopt;
    if (memory.stack_word(engine.read(kRsp)) != previous.end) return std::nullopt;
    return previous.end;
  }

  // A return leaves the address that it took just below the stack pointer. The opcode byte alone is
  // no proof: it may be the end of another instruction's operand.
  bool reached_by_return(const Engine& engine, const GuestMemory& memory, const Block& previous,
                         std::uint64_t address) const override {
    const std::uint8_t* const end = previous.bytes_end();
    const std::uint64_t size = previous.size();
    if (address == previous.end) return false;
    if (size >= 1 && end[-1] == kRet) {
      if (memory.stack_word(engine.read(kRsp) - 8) != address) return false;
      // "jmp rel8" and "jcc rel8" by -61 end in the same byte.
      const bool may_be_jump = size >= 2 && address == previous.end - 61;
      return !may_be_jump || last_instruction_is_return(previous);
    }
    if (size >= 3 && end[-3] == kRetImm16) {
      const std::uint64_t popped = 8u + end[-2] + (std::uint64_t{end[-1]} << 8);
      return memory.stack_word(engine.read(kRsp) - popped) == address &&
             last_instruction_is_return(previous);
    }
    return false;
  }

  // By elimination: what else leads elsewhere is "ff /2" and "ff /4", whose operands are too many.
  Arrival arrival(const Block& previous, std::uint64_t address) const override {
    if (address == previous.end || may_end_in_direct_branch(previous, address)) {
      return Arrival::kDirect;
    }
    return may_end_in_call(previous, address) ? Arrival::kIndirectCall : Arrival::kIndirectJump;
  }

  std::uint64_t pushed_bytes(const std::uint8_t* p) const override {
    constexpr std::uint64_t kWord = 2;
    constexpr std::uint64_t kQuad = 8;
    constexpr std::uint8_t kOperandSize = 0x66;
    constexpr std::uint8_t kPushf = 0x9c;
    const std::uint64_t size = *p == kOperandSize ? kWord : kQuad;
    if (size == kWord) ++p;
    if ((*p & 0xf0) == 0x40) ++p;  // REX
    if ((*p & 0xf8) == 0x50 || *p == 0x68 || *p == 0x6a || *p == kPushf) return size;
    if (*p == kCallRel32) return kQuad;
    if (*p == 0x0f) return p[1] == 0xa0 || p[1] == 0xa8 ? size : 0;  // push fs, push gs
    const int extension = p[1] >> 3 & 7;
    return *p == kGroup5 && (extension == 2 || extension == 6) ? size : 0;
  }

  std::uint64_t trap_address(std::uint64_t pc, std::uint8_t before, EngineStatus) const override {
    return before == kInt3 || before == kHlt ? pc - 1 : pc;
  }

 private:
  const StubCode stubs_{.trap = {kInt3}, .ret = {kRet}, .routine = c_routine_x86_64()};
};

}  // namespace

std::unique_ptr<Target> make_target_x86_64() { return std::make_unique<TargetX86_64>(); }

}  // namespace plumb::machine
