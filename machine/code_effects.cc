// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/code_effects.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "machine/capstone.h"
#include "machine/target.h"

namespace plumb::machine {
namespace {

using unwind::CodeInsn;
using unwind::Effect;
using Base = unwind::Row::Base;
using Kind = Effect::Kind;
using Flow = CodeInsn::Flow;

// ---- x86-64 ----

bool is_rsp(unsigned reg) {
  return reg == X86_REG_RSP || reg == X86_REG_ESP || reg == X86_REG_SP || reg == X86_REG_SPL;
}
bool is_rbp(unsigned reg) {
  return reg == X86_REG_RBP || reg == X86_REG_EBP || reg == X86_REG_BP || reg == X86_REG_BPL;
}
bool is_base(unsigned reg) { return reg == X86_REG_RSP || reg == X86_REG_RBP; }
Base base_of(unsigned reg) {
  return reg == X86_REG_RSP ? Base::kStackPointer : Base::kFramePointer;
}

class X86Insn {
 public:
  X86Insn(const cs_insn& insn, csh handle)
      : insn_(insn), operands_(insn.detail->x86), handle_(handle) {
    result_.address = insn.address;
    result_.size = insn.size;
  }

  CodeInsn effects() && {
    switch (insn_.id) {
      case X86_INS_PUSH:
        push();
        break;
      case X86_INS_POP:
        pop();
        break;
      case X86_INS_LEAVE:
        add({.kind = Kind::kSpFromFp});
        add({.kind = Kind::kLoadFp});
        add({.kind = Kind::kMoveSp, .value = 8});
        break;
      case X86_INS_PUSHFQ:
        add({.kind = Kind::kMoveSp, .value = -8});
        add({.kind = Kind::kStore});
        break;
      case X86_INS_POPFQ:
        add({.kind = Kind::kMoveSp, .value = 8});
        break;
      case X86_INS_ENTER:
        add({.kind = Kind::kLoseSp});
        add({.kind = Kind::kLoseFp});
        break;
      case X86_INS_CALL:
      case X86_INS_LCALL:
        result_.flow = Flow::kCall;
        result_.target = immediate(0);
        break;
      case X86_INS_JMP:
        result_.target = immediate(0);
        result_.flow = result_.target != 0 ? Flow::kJump : Flow::kStop;
        break;
      case X86_INS_RET:
      case X86_INS_RETF:
      case X86_INS_RETFQ:
      case X86_INS_IRET:
      case X86_INS_IRETD:
      case X86_INS_IRETQ:
      case X86_INS_LJMP:
      case X86_INS_HLT:
      case X86_INS_UD2:
      case X86_INS_INT3:
        result_.flow = Flow::kStop;
        break;
      default:
        other();
    }
    return std::move(result_);
  }

 private:
  void add(const Effect& effect) { result_.effects.push_back(effect); }
  [[nodiscard]] const cs_x86_op& operand(std::size_t i) const { return operands_.operands[i]; }
  [[nodiscard]] bool is_register(std::size_t i) const {
    return i < operands_.op_count && operand(i).type == X86_OP_REG;
  }
  [[nodiscard]] unsigned reg(std::size_t i) const {
    return is_register(i) ? static_cast<unsigned>(operand(i).reg) : unsigned{X86_REG_INVALID};
  }
  [[nodiscard]] std::uint64_t immediate(std::size_t i) const {
    const bool is_one = i < operands_.op_count && operand(i).type == X86_OP_IMM;
    return is_one ? static_cast<std::uint64_t>(operand(i).imm) : 0;
  }
  // Of the frame or relative to it, without an index. Other segments than FS and GS begin at 0.
  [[nodiscard]] bool is_frame_memory(std::size_t i) const {
    if (i >= operands_.op_count || operand(i).type != X86_OP_MEM) return false;
    const x86_op_mem& memory = operand(i).mem;
    return memory.index == X86_REG_INVALID && memory.segment != X86_REG_FS &&
           memory.segment != X86_REG_GS && is_base(static_cast<unsigned>(memory.base));
  }

  // With the prefix of operand size, push and pop move two bytes.
  [[nodiscard]] std::uint8_t pushed() const { return operands_.prefix[2] == 0x66 ? 2 : 8; }
  void push() {
    add({.kind = Kind::kMoveSp, .value = -std::int64_t{pushed()}});
    add({.kind = reg(0) == X86_REG_RBP ? Kind::kSaveFp : Kind::kStore, .size = pushed()});
  }
  void pop() {
    if (is_rsp(reg(0))) return add({.kind = Kind::kLoseSp});
    if (is_rbp(reg(0))) add({.kind = reg(0) == X86_REG_RBP ? Kind::kLoadFp : Kind::kLoseFp});
    add({.kind = Kind::kMoveSp, .value = pushed()});
    if (is_frame_memory(0)) store();
  }

  void other() {
    if (cs_insn_group(handle_, &insn_, CS_GRP_JUMP) || is_loop()) {
      result_.flow = Flow::kBranch;
      result_.target = immediate(0);
      return;
    }
    if (is_frame_memory(0) && !only_reads()) store();
    const unsigned to = reg(0);
    if (is_base(to) && arithmetic(to)) return;
    lose_what_it_writes();
  }

  [[nodiscard]] bool is_loop() const {  // in no group of Capstone 4
    return insn_.id == X86_INS_LOOP || insn_.id == X86_INS_LOOPE || insn_.id == X86_INS_LOOPNE;
  }
  // Which operands are written is not known of all instructions: Capstone 4 says of a store of
  // CMPXCHG that it reads.
  [[nodiscard]] bool only_reads() const {
    switch (insn_.id) {
      case X86_INS_CMP:
      case X86_INS_TEST:
      case X86_INS_BT:
      case X86_INS_NOP:
      case X86_INS_MUL:
      case X86_INS_DIV:
      case X86_INS_IDIV:
        return true;
      default:
        return insn_.id == X86_INS_IMUL && operands_.op_count == 1;
    }
  }

  void store() {
    const bool is_word = operand(0).size == 8 && insn_.id == X86_INS_MOV;
    add({.kind = is_word && reg(1) == X86_REG_RBP ? Kind::kSaveFp : Kind::kStore,
         .base = base_of(static_cast<unsigned>(operand(0).mem.base)),
         .value = operand(0).mem.disp,
         .size = operand(0).size});
  }

  // What gives rsp or rbp a value that can be followed.
  bool arithmetic(unsigned to) {
    const auto amount = static_cast<std::int64_t>(immediate(1));
    switch (insn_.id) {
      case X86_INS_ADD:
      case X86_INS_SUB:
        if (operand(1).type != X86_OP_IMM) return false;
        return sum(to, to, insn_.id == X86_INS_ADD ? amount : -amount);
      case X86_INS_MOV:
      case X86_INS_MOVABS:
        if (is_base(reg(1))) return sum(to, reg(1), 0);
        if (to != X86_REG_RBP || !is_frame_memory(1)) return false;
        add({.kind = Kind::kLoadFp,
             .base = base_of(static_cast<unsigned>(operand(1).mem.base)),
             .value = operand(1).mem.disp});
        return true;
      case X86_INS_LEA:
        if (!is_frame_memory(1)) return false;
        return sum(to, static_cast<unsigned>(operand(1).mem.base), operand(1).mem.disp);
      default:
        return false;
    }
  }
  bool sum(unsigned to, unsigned from, std::int64_t value) {
    const bool to_sp = to == X86_REG_RSP;
    const bool from_sp = from == X86_REG_RSP;
    Kind kind = to_sp ? Kind::kMoveSp : Kind::kMoveFp;
    if (to_sp != from_sp) kind = to_sp ? Kind::kSpFromFp : Kind::kFpFromSp;
    add({.kind = kind, .value = value});
    return true;
  }

  void lose_what_it_writes() {
    cs_regs read{};
    cs_regs written{};
    std::uint8_t read_count = 0;
    std::uint8_t written_count = 0;
    cs_regs_access(handle_, &insn_, read, &read_count, written, &written_count);
    for (std::uint8_t i = 0; i < written_count; ++i) {
      if (is_rsp(written[i])) add({.kind = Kind::kLoseSp});
      if (is_rbp(written[i])) add({.kind = Kind::kLoseFp});
    }
  }

  const cs_insn& insn_;
  const cs_x86& operands_;
  csh handle_;
  CodeInsn result_;
};

CodeInsn no_instruction(std::uint64_t address, std::size_t size) {
  return {.address = address, .size = static_cast<std::uint32_t>(size), .flow = Flow::kStop};
}

std::vector<CodeInsn> x86_64_effects(std::span<const std::uint8_t> bytes, std::uint64_t address) {
  std::vector<CodeInsn> result;
  Capstone capstone(CS_ARCH_X86, CS_MODE_64, true);
  for (std::size_t done = 0; done < bytes.size(); done += result.back().size) {
    const cs_insn* const insn =
        capstone.decode(bytes.data() + done, bytes.size() - done, address + done);
    result.push_back(insn == nullptr ? no_instruction(address + done, 1)
                                     : X86Insn(*insn, capstone.handle()).effects());
  }
  return result;
}

// ---- arm64, riscv64 ----

std::uint32_t word_at(std::span<const std::uint8_t> bytes) {
  std::uint32_t word = 0;
  for (std::size_t i = std::min<std::size_t>(4, bytes.size()); i-- > 0;) {
    word = word << 8 | bytes[i];
  }
  return word;
}

std::vector<CodeInsn> words_effects(std::span<const std::uint8_t> bytes, std::uint64_t address) {
  std::vector<CodeInsn> result;
  for (std::size_t done = 0; done < bytes.size(); done += result.back().size) {
    const std::size_t left = bytes.size() - done;
    result.push_back(left < 4 ? no_instruction(address + done, left)
                              : arm64_effects(word_at(bytes.subspan(done)), address + done));
  }
  return result;
}

// AUIPC and JALR together are one jump that reaches everywhere.
void join_far_jump(CodeInsn& jump, std::uint32_t bits, std::uint32_t before) {
  constexpr std::uint32_t kAuipc = 0x17;
  constexpr std::uint32_t kJalr = 0x67;
  const bool is_pair = (bits & 0x7f) == kJalr && (before & 0x7f) == kAuipc &&
                       (before >> 7 & 31) == (bits >> 15 & 31);
  if (!is_pair) return;
  const auto high = static_cast<std::int32_t>(before & 0xfffff000);
  const auto low = static_cast<std::int32_t>(bits) >> 20;
  jump.target = jump.address - 4 + static_cast<std::uint64_t>(std::int64_t{high} + low);
  if (jump.flow == Flow::kStop) jump.flow = Flow::kJump;
}

std::vector<CodeInsn> parcels_effects(std::span<const std::uint8_t> bytes, std::uint64_t address) {
  std::vector<CodeInsn> result;
  std::uint32_t before = 0;
  for (std::size_t done = 0; done < bytes.size(); done += result.back().size) {
    const std::size_t left = bytes.size() - done;
    const std::uint32_t bits = word_at(bytes.subspan(done));
    const std::size_t size = (bits & 3) == 3 ? 4 : 2;
    if (size > left) {
      result.push_back(no_instruction(address + done, left));
      continue;
    }
    result.push_back(riscv64_effects(bits, address + done));
    join_far_jump(result.back(), bits, before);
    before = size == 4 ? bits : 0;
  }
  return result;
}

// Functions and thunks, by address, none twice.
std::vector<Range> pieces_of(const Image& image) {
  std::vector<Range> pieces;
  pieces.reserve(image.functions.size());
  for (const NativeFunction& function : image.functions) {
    pieces.push_back({.address = function.address, .size = function.size});
  }
  for (const Symbol& symbol : image.symbols) {
    if (symbol.is_thunk && symbol.size != 0) {
      pieces.push_back({.address = symbol.address, .size = symbol.size});
    }
  }
  std::ranges::sort(pieces, {}, &Range::address);
  const auto twice = std::ranges::unique(
      pieces, [](const Range& a, const Range& b) { return b.address < a.address + a.size; });
  pieces.erase(twice.begin(), twice.end());
  return pieces;
}

std::vector<unwind::CodePiece> read_pieces(const Image& image, std::span<const Range> ranges) {
  std::vector<unwind::CodePiece> pieces;
  for (const Range& range : ranges) {
    const auto bytes = image.placement.bytes(range.address, range.size);
    const NativeFunction* const function = image.function_at(range.address);
    const bool takes_over =
        function != nullptr && std::ranges::any_of(image.throws, [&](const ThrowPath& path) {
          return path.address == function->address;
        });
    const bool has_landing = function != nullptr && function->tail_call_entry;
    pieces.push_back({.code = code_effects(image.arch, bytes, range.address),
                      .is_thunk = function == nullptr,
                      .landing = has_landing ? function->address + *function->tail_call_entry : 0,
                      .takes_over = takes_over});
  }
  return pieces;
}

// Helpers return at once, the code that calls back is a function, nobody called the code that
// called the program.
unwind::Rows rows_around(const Image& image) {
  using unwind::Row;
  const auto target = make_target(image.arch);
  const Placement& placement = image.placement;
  const std::vector<std::uint8_t>& body = target->stub_code().routine.code;
  const unwind::CodePiece routine{.code = code_effects(image.arch, body, placement.routines)};
  std::vector<Row> rows{unwind::row_at_entry(image.arch, placement.stubs.address)};
  const std::vector<Row> of_routine = unwind::rows_of_code(image.arch, {&routine, 1});
  rows.insert(rows.end(), of_routine.begin(), of_routine.end());
  rows.push_back({.begin = placement.exit - 1, .kind = Row::Kind::kOutermost});
  rows.push_back({.begin = placement.exit + 1, .kind = Row::Kind::kUnknown});
  const std::vector<Row> of_interrupts = unwind::interrupt_rows(image.arch);
  rows.insert(rows.end(), of_interrupts.begin(), of_interrupts.end());
  // At one address, what is known counts: it comes last.
  std::ranges::sort(rows, {}, [](const Row& row) {
    return std::pair(row.begin, row.kind != Row::Kind::kUnknown);
  });
  return unwind::Rows(image.arch, std::move(rows));
}

}  // namespace

std::vector<CodeInsn> code_effects(Arch arch, std::span<const std::uint8_t> bytes,
                                   std::uint64_t address) {
  switch (arch) {
    case Arch::kX86_64:
      break;
    case Arch::kArm64:
      return words_effects(bytes, address);
    case Arch::kRiscv64:
      return parcels_effects(bytes, address);
  }
  return x86_64_effects(bytes, address);
}

unwind::Rows derived_jit_rows(const Image& image) {
  const std::vector<Range> pieces = pieces_of(image);
  return {image.arch, unwind::rows_of_code(image.arch, read_pieces(image, pieces))};
}

UnwindKnowledge unwind_knowledge(const Image& image) {
  std::vector<Range> pieces = pieces_of(image);
  std::vector<Range> fp_ranges;
  for (const NativeFunction& function : image.functions) {
    if (function.fp_begin >= function.fp_end) continue;
    fp_ranges.push_back({.address = function.address + function.fp_begin,
                         .size = function.fp_end - function.fp_begin});
  }
  std::vector<Range> text = image.code;
  text.push_back(image.placement.stubs);
  // A return address is looked up one byte in front of it, where the call is.
  text.push_back({.address = image.placement.exit - 1, .size = 2});
  text.push_back(unwind::kInterruptCode);
  return {.jit_rows = image.unwind_rows.empty() ? derived_jit_rows(image)
                                                : unwind::Rows(image.arch, image.unwind_rows),
          .c_rows = rows_around(image),
          .jit_code = std::move(pieces),
          .fp_ranges = std::move(fp_ranges),
          .text = std::move(text)};
}

}  // namespace plumb::machine
