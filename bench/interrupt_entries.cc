// SPDX-License-Identifier: GPL-2.0-or-later
#include "bench/interrupt_entries.h"

#include <asmjit/x86.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <iterator>
#include <utility>

#include "core/check.h"

namespace plumb::bench {
namespace {

using namespace asmjit::x86;  // NOLINT(google-build-using-namespace): registers by their names

constexpr std::array kMarks{
#define PLUMB_ENTRY_MARK(id, name, sentence) \
  InterruptMarkInfo{InterruptMark::k##id, name, sentence},
#include "bench/interrupt_marks.inc"
};

constexpr std::size_t kCodeBytes = 8192;

// PUSH_REGS of arch/x86/entry/calling.h.
constexpr Gp kPushed[] = {rdi, rsi, rdx, rcx, rax, r8, r9, r10, r11, rbx, rbp, r12, r13, r14, r15};
constexpr std::int32_t kProcessorBytes = 6 * 8;
constexpr Gp kCalleeSaved[] = {rbx, r12, r13, r14, r15};

struct Piece {
  std::uint64_t begin = 0;  // offsets
  std::uint64_t end = 0;
};
using Pieces = std::array<Piece, kMarks.size()>;

// A place is an address as an instruction's operand of 4 bytes, as the kernel's are: the code lies
// in the low 2 GiB.
class Writer {
 public:
  Writer(Assembler& a, std::uint64_t base, InterruptSeen* seen) : a_(a), base_(base), seen_(seen) {}

  Piece fake_function() {
    const Piece piece{.begin = a_.offset(), .end = a_.offset() + 2};
    fake_ = base_ + piece.begin;
    a_.nop();
    a_.nop();
    return piece;
  }

  void empty_handler() {
    begin();
    handler_ = a_.newLabel();
    a_.bind(handler_);
    a_.ret();
  }

  // Destroys registers: the entry has them all.
  void looking_handler() {
    begin();
    handler_ = a_.newLabel();
    a_.bind(handler_);
    a_.mov(rax, asmjit::Imm(reinterpret_cast<std::uintptr_t>(seen_)));
    a_.mov(qword_ptr(rax, offsetof(InterruptSeen, sp)), rsp);
    a_.mov(qword_ptr(rax, offsetof(InterruptSeen, fp)), rbp);
    a_.mov(rsi, rsp);
    a_.lea(rdi, qword_ptr(rax, offsetof(InterruptSeen, stack)));
    a_.mov(ecx, InterruptSeen::kWords);
    a_.cld();
    a_.rep().movsq();
    for (const Gp& pushed : kPushed) a_.xor_(pushed.r32(), pushed.r32());
    a_.ret();
  }

  Piece entry(InterruptMark mark) {
    begin();
    const std::uint64_t at = a_.offset();
    a_.mov(r10, qword_ptr(rsp));
    a_.lea(r11, qword_ptr(rsp, 8));
    a_.push(0x18);  // ss
    a_.push(r11);   // sp
    a_.push(2);     // flags
    a_.push(0x10);  // cs
    a_.push(r10);   // pc
    a_.push(-1);    // no system call
    for (const Gp& pushed : kPushed) a_.push(pushed);
    mark_frame(mark);
    a_.call(handler_);
    take_mark_down(mark);
    for (std::size_t i = std::size(kPushed); i-- > 0;) a_.pop(kPushed[i]);
    a_.add(rsp, kProcessorBytes);
    a_.ret();
    return {.begin = at, .end = a_.offset()};
  }

  // void(entry, interrupts)
  std::uint64_t loop() {
    begin();
    const std::uint64_t at = a_.offset();
    a_.push(rbx);
    a_.push(r12);
    a_.push(rbp);  // what is called from here finds the stack as the ABI has it
    a_.mov(r12, rdi);
    a_.mov(rbx, rsi);
    a_.align(asmjit::AlignMode::kCode, 64);
    const asmjit::Label again = a_.newLabel();
    a_.bind(again);
    a_.call(r12);
    a_.dec(rbx);
    a_.jnz(again);
    a_.pop(rbp);
    a_.pop(r12);
    a_.pop(rbx);
    a_.ret();
    return at;
  }

  // void(entry): has a frame record, and a value in every other register, and is interrupted.
  std::uint64_t interrupted() {
    begin();
    const std::uint64_t at = a_.offset();
    a_.push(rbp);
    a_.mov(rbp, rsp);
    for (const Gp& saved : kCalleeSaved) a_.push(saved);
    a_.push(rdi);
    for (std::uint32_t i = 0; i < 16; ++i) {
      if (i == rsp.id() || i == rbp.id()) continue;
      a_.mov(gpq(i), 0x7e57'0000'0000 + i);
    }
    keep(offsetof(InterruptSeen, before));
    const asmjit::Label after = a_.newLabel();
    a_.call(qword_ptr(rsp));
    a_.bind(after);
    keep(offsetof(InterruptSeen, after));
    a_.lea(rcx, qword_ptr(after));
    a_.mov(rax, asmjit::Imm(reinterpret_cast<std::uintptr_t>(&seen_->pc)));
    a_.mov(qword_ptr(rax), rcx);
    a_.pop(rdi);
    for (std::size_t i = std::size(kCalleeSaved); i-- > 0;) a_.pop(kCalleeSaved[i]);
    a_.pop(rbp);
    a_.ret();
    return at;
  }

 private:
  void begin() { a_.align(asmjit::AlignMode::kCode, 64); }

  // All registers into an array of InterruptSeen; none changes.
  void keep(std::size_t array) {
    a_.push(rax);
    a_.mov(rax, asmjit::Imm(reinterpret_cast<std::uintptr_t>(seen_) + array));
    for (std::uint32_t i = 1; i < 16; ++i) {
      a_.mov(qword_ptr(rax, static_cast<std::int32_t>(8 * i)), gpq(i));
    }
    a_.add(qword_ptr(rax, static_cast<std::int32_t>(8 * rsp.id())), 8);
    a_.pop(qword_ptr(rax));
    a_.mov(rax, qword_ptr(rax));
  }

  void mark_frame(InterruptMark mark) {
    // The 1: readers that look one byte before a return address are to find the function, too.
    const auto fake = static_cast<std::int32_t>(fake_ + 1);
    switch (mark) {
      case InterruptMark::kNothing:
        return;
      case InterruptMark::kReserved:
        a_.sub(rsp, 16);
        return;
      case InterruptMark::kThreePushes:
        a_.push(rsp);
        [[fallthrough]];
      case InterruptMark::kTwoWords:
        a_.push(fake);
        a_.push(rbp);
        a_.mov(rbp, rsp);
        return;
      case InterruptMark::kEncoded:
        a_.lea(rbp, qword_ptr(rsp, 1));
        return;
    }
  }
  void take_mark_down(InterruptMark mark) {
    switch (mark) {
      case InterruptMark::kNothing:
      case InterruptMark::kEncoded:
        return;
      case InterruptMark::kReserved:
      case InterruptMark::kTwoWords:
        a_.add(rsp, 16);
        return;
      case InterruptMark::kThreePushes:
        a_.add(rsp, 24);
        return;
    }
  }

  Assembler& a_;
  std::uint64_t base_;
  InterruptSeen* seen_;
  std::uint64_t fake_ = 0;
  asmjit::Label handler_;
};

}  // namespace

struct InterruptEntries::Code {
  std::uint8_t* memory = nullptr;
  InterruptSeen seen;
  Piece fake;
  Pieces empty;
  Pieces looking;
  std::uint64_t loop = 0;
  std::uint64_t interrupted = 0;

  Code() = default;
  Code(const Code&) = delete;
  Code& operator=(const Code&) = delete;
  ~Code() {
    if (memory != nullptr) munmap(memory, kCodeBytes);
  }

  [[nodiscard]] std::uint64_t base() const { return reinterpret_cast<std::uintptr_t>(memory); }
  [[nodiscard]] Range range(const Piece& piece) const {
    return {.address = base() + piece.begin, .size = piece.end - piece.begin};
  }
  void write();
};

void InterruptEntries::Code::write() {
  asmjit::CodeHolder holder;
  PLUMB_CHECK(holder.init(asmjit::Environment(asmjit::Arch::kX64), base()) == asmjit::kErrorOk);
  Assembler a(&holder);
  Writer writer(a, base(), &seen);
  fake = writer.fake_function();
  writer.empty_handler();
  for (const InterruptMarkInfo& info : kMarks) {
    empty[static_cast<std::size_t>(info.id)] = writer.entry(info.id);
  }
  loop = writer.loop();
  writer.looking_handler();
  for (const InterruptMarkInfo& info : kMarks) {
    looking[static_cast<std::size_t>(info.id)] = writer.entry(info.id);
  }
  interrupted = writer.interrupted();
  PLUMB_CHECK(holder.flatten() == asmjit::kErrorOk);
  PLUMB_CHECK(holder.resolveUnresolvedLinks() == asmjit::kErrorOk);
  PLUMB_CHECK(holder.relocateToBase(base()) == asmjit::kErrorOk);
  PLUMB_CHECK(holder.codeSize() <= kCodeBytes);
  PLUMB_CHECK(holder.copyFlattenedData(memory, kCodeBytes) == asmjit::kErrorOk);
}

std::span<const InterruptMarkInfo> interrupt_marks() { return kMarks; }

InterruptEntries::InterruptEntries(std::unique_ptr<Code> code) : code_(std::move(code)) {}
InterruptEntries::InterruptEntries(InterruptEntries&&) noexcept = default;
InterruptEntries& InterruptEntries::operator=(InterruptEntries&&) noexcept = default;
InterruptEntries::~InterruptEntries() = default;

Result<InterruptEntries> InterruptEntries::make() {
#ifdef __x86_64__
  auto code = std::make_unique<Code>();
  void* const memory = mmap(nullptr, kCodeBytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  if (memory == MAP_FAILED) return fail("no memory for code in the low 2 GiB");
  code->memory = static_cast<std::uint8_t*>(memory);
  code->write();
  if (mprotect(memory, kCodeBytes, PROT_READ | PROT_EXEC) != 0) {
    return fail("memory for code cannot be made executable");
  }
  return InterruptEntries(std::move(code));
#else
  return fail("x86-64 code does not run here");
#endif
}

void InterruptEntries::repeat(InterruptMark mark, std::uint64_t interrupts) const {
  if (interrupts == 0) return;
  const auto run =
      reinterpret_cast<void (*)(std::uint64_t, std::uint64_t)>(code_->memory + code_->loop);
  run(code(mark).address, interrupts);
}

InterruptSeen InterruptEntries::look(InterruptMark mark) const {
  const auto run = reinterpret_cast<void (*)(std::uint64_t)>(code_->memory + code_->interrupted);
  code_->seen = {};
  run(code_->range(code_->looking[static_cast<std::size_t>(mark)]).address);
  return code_->seen;
}

Range InterruptEntries::code(InterruptMark mark) const {
  return code_->range(code_->empty[static_cast<std::size_t>(mark)]);
}
Range InterruptEntries::fake_function() const { return code_->range(code_->fake); }
std::span<const std::uint8_t> InterruptEntries::bytes(const Range& range) const {
  PLUMB_CHECK(
      Range({.address = code_->base(), .size = kCodeBytes}).contains(range.address, range.size));
  return {code_->memory + (range.address - code_->base()), range.size};
}

}  // namespace plumb::bench
