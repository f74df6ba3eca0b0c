// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/native/trampoline.h"

#include <asmjit/x86.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <new>
#include <utility>

#include "core/check.h"
#include "core/guest.h"
#include "machine/native/native_memory.h"

namespace plumb::machine {
namespace {

using namespace asmjit::x86;  // NOLINT(google-build-using-namespace): registers by their names

using Data = TrampolineData;
constexpr std::uint64_t kPage = guest::kPage;
constexpr Gp kSaved[] = {rbx, rbp, r12, r13, r14, r15};
static_assert(sizeof(Data) <= kPage);

// Parts of the code. The data is addressed relative to the instruction.
class Writer {
 public:
  explicit Writer(Assembler& a) : a_(a), data_(a.newLabel()) {}

  [[nodiscard]] std::uint64_t here() const { return a_.offset(); }

  void save_host() {
    for (const Gp& saved : kSaved) a_.push(saved);
    a_.mov(word(offsetof(Data, host_sp)), rsp);
    a_.mov(word(offsetof(Data, running)), 1);
  }

  void call_once() {
    a_.push(word(offsetof(Data, flags_before)));
    a_.popfq();
    for (std::uint32_t i = 0; i < kX86Registers; ++i) {
      a_.mov(gpq(i), word(offsetof(Data, before), i));
    }
    a_.call(word(offsetof(Data, entry)));
  }

  void keep_registers() {
    for (std::uint32_t i = 0; i < kX86Registers; ++i) {
      a_.mov(word(offsetof(Data, after), i), gpq(i));
    }
    a_.mov(rsp, word(offsetof(Data, host_sp)));
    a_.pushfq();
    a_.pop(word(offsetof(Data, flags_after)));
  }

  // Between the calls: a move, and two instructions that processors run as one.
  void call_many() {
    a_.mov(rbx, word(offsetof(Data, calls)));
    a_.mov(r12, word(offsetof(Data, before), rdi.id()));
    a_.mov(r13, word(offsetof(Data, entry)));
    a_.mov(rsp, word(offsetof(Data, before), rsp.id()));
    a_.xor_(ebp, ebp);
    align();
    const asmjit::Label again = a_.newLabel();
    a_.bind(again);
    a_.mov(rdi, r12);
    a_.call(r13);
    a_.dec(rbx);
    a_.jnz(again);
    a_.mov(rsp, word(offsetof(Data, host_sp)));
  }

  void restore_host() {
    a_.mov(word(offsetof(Data, running)), 0);
    a_.cld();
    for (std::size_t i = std::size(kSaved); i-- > 0;) a_.pop(kSaved[i]);
    a_.ret();
  }

  void align() { a_.align(asmjit::AlignMode::kCode, 64); }
  void ret() { a_.ret(); }

  // Fills the page: the data lies behind it.
  void end_page() {
    const std::string traps(kPage - here(), '\xcc');
    a_.embed(traps.data(), traps.size());
    a_.bind(data_);
  }

 private:
  [[nodiscard]] Mem word(std::size_t offset, std::uint32_t index = 0) const {
    return qword_ptr(data_, static_cast<std::int32_t>(offset + index * sizeof(std::uint64_t)));
  }

  Assembler& a_;
  asmjit::Label data_;
};

}  // namespace

Result<Trampoline> Trampoline::make() {
  asmjit::CodeHolder code;
  PLUMB_CHECK(code.init(asmjit::Environment(asmjit::Arch::kX64)) == asmjit::kErrorOk);
  Assembler a(&code);
  Writer writer(a);
  Trampoline t;
  t.once_ = writer.here();
  writer.save_host();
  writer.call_once();
  t.returned_ = writer.here();
  writer.keep_registers();
  t.give_up_ = writer.here();
  writer.restore_host();
  t.many_ = writer.here();
  writer.save_host();
  writer.call_many();
  writer.restore_host();
  writer.align();
  t.empty_ = writer.here();
  writer.ret();
  writer.end_page();
  PLUMB_CHECK(code.flatten() == asmjit::kErrorOk);
  const asmjit::CodeBuffer& buffer = code.textSection()->buffer();
  PLUMB_CHECK(buffer.size() == kPage);

  void* const pages =
      mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return fail(fmt::format("no memory: {}", std::strerror(errno)));
  t.page_ = reinterpret_cast<std::uint64_t>(pages);
  std::ranges::copy(buffer, native_bytes(t.page_));
  new (native_bytes(t.page_ + kPage)) TrampolineData;
  if (mprotect(pages, kPage, PROT_READ | PROT_EXEC) != 0) {
    return fail(fmt::format("memory cannot be made executable: {}", std::strerror(errno)));
  }
  return t;
}

Trampoline::Trampoline(Trampoline&& other) noexcept
    : page_(std::exchange(other.page_, 0)),
      once_(other.once_),
      many_(other.many_),
      returned_(other.returned_),
      give_up_(other.give_up_),
      empty_(other.empty_) {}

Trampoline::~Trampoline() {
  if (page_ != 0) munmap(native_bytes(page_), 2 * kPage);
}

TrampolineData& Trampoline::data() const {
  return *std::launder(reinterpret_cast<TrampolineData*>(native_bytes(page_ + kPage)));
}

// Nothing in front of the code says which type of function it is, which a sanitizer would read.
__attribute__((no_sanitize("undefined"))) void Trampoline::call(std::uint64_t offset) const {
  reinterpret_cast<void (*)()>(native_bytes(page_ + offset))();
}

}  // namespace plumb::machine
