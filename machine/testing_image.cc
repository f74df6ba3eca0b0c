// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/testing_image.h"

#include <sys/mman.h>

#include <utility>

#include "core/check.h"
#include "core/guest.h"

namespace plumb::machine {

TestArena::TestArena(std::uint64_t address) : address_(address) {
  void* const wanted = arena_bytes(address);
  void* const got = mmap(wanted, kSize, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  PLUMB_CHECK(got == wanted);
}

TestArena::~TestArena() { munmap(arena_bytes(address_), kSize); }

std::uint64_t TestArena::code() const { return address_ + guest::kStubSize; }

Insn bpf_mov(std::uint8_t dst, std::int32_t value) {
  return {.opcode = 0xb7, .dst = dst, .src = 0, .offset = 0, .immediate = value};
}
Insn bpf_goto(std::int16_t offset) {
  return {.opcode = 0x05, .dst = 0, .src = 0, .offset = offset, .immediate = 0};
}
Insn bpf_exit() { return {.opcode = 0x95, .dst = 0, .src = 0, .offset = 0, .immediate = 0}; }
Insn bpf_call_helper(std::int32_t number) {
  return {.opcode = 0x85, .dst = 0, .src = 0, .offset = 0, .immediate = number};
}
Insn bpf_call_function(std::int32_t function) {
  return {.opcode = 0x85, .dst = 0, .src = kPseudoCall, .offset = 0, .immediate = function};
}

namespace {

RegisterMap register_map(Arch arch) {
  switch (arch) {
    case Arch::kX86_64:
      return {.bpf = {0, 7, 6, 2, 1, 8, 3, 13, 14, 15, 5}, .frame_pointer = 5, .r10_bias = 0};
    case Arch::kArm64:
      return {.bpf = {7, 0, 1, 2, 3, 4, 19, 20, 21, 22, 25}, .frame_pointer = 29, .r10_bias = 0};
    case Arch::kRiscv64:
      return {
          .bpf = {15, 10, 11, 12, 13, 14, 9, 18, 19, 20, 21}, .frame_pointer = 8, .r10_bias = 0};
  }
  return {};
}

}  // namespace

TestImage::TestImage(const TestArena& arena, Arch arch) : next_(arena.code()) {
  image.arch = arch;
  image.jit = "test";
  image.family = "test";
  image.registers = register_map(arch);
  image.arena = arena.range();
  image.entry = next_;
  image.code = {{next_, 0}};
  value.context.assign(16, 0x11);
  place();
}

TestImage& TestImage::place() {
  image.placement = guest::placement(value, image.arena);
  return *this;
}

std::uint64_t TestImage::function(int program, int function) {
  is_thunk_ = false;
  const auto index = static_cast<std::size_t>(program);
  if (value.programs.size() <= index) value.programs.resize(index + 1);
  value.programs[index].functions.emplace_back();
  image.functions.push_back({.program = program,
                             .function = function,
                             .address = next_,
                             .size = 0,
                             .tail_call_entry = std::nullopt,
                             .stack_size = 0,
                             .tail_call_reachable = false,
                             .insn_offsets = {0}});
  image.functions.back().insn_offsets.clear();
  return next_;
}

TestImage& TestImage::tail_call_entry() {
  current().tail_call_entry = static_cast<std::uint32_t>(next_ - current().address);
  return *this;
}

TestImage& TestImage::slot(const Insn& insn) {
  const auto program = static_cast<std::size_t>(current().program);
  value.programs[program].functions.back().insns.push_back(insn);
  return body_end();
}

TestImage& TestImage::body_end() {
  current().insn_offsets.push_back(static_cast<std::uint32_t>(next_ - current().address));
  return *this;
}

void TestImage::grow() {
  if (is_thunk_) {
    image.symbols.back().size = next_ - image.symbols.back().address;
  } else {
    current().size = static_cast<std::uint32_t>(next_ - current().address);
  }
}

void TestImage::append(std::uint8_t byte) {
  *arena_bytes(next_++) = byte;
  ++image.code.front().size;
}

TestImage& TestImage::bytes(const std::vector<int>& code) {
  for (const int byte : code) append(static_cast<std::uint8_t>(byte));
  grow();
  return *this;
}

TestImage& TestImage::words(const std::vector<std::uint32_t>& code) {
  for (const std::uint32_t word : code) {
    for (int shift = 0; shift < 32; shift += 8) append(static_cast<std::uint8_t>(word >> shift));
  }
  grow();
  return *this;
}

TestImage& TestImage::call(std::uint64_t target) {
  const auto relative = static_cast<std::uint32_t>(target - (next_ + 5));
  return bytes({0xe8, static_cast<int>(relative & 0xff), static_cast<int>(relative >> 8 & 0xff),
                static_cast<int>(relative >> 16 & 0xff), static_cast<int>(relative >> 24)});
}

TestImage& TestImage::jump(std::uint64_t target) {
  call(target);
  *arena_bytes(next_ - 5) = 0xe9;
  return *this;
}

TestImage& TestImage::align(std::uint64_t alignment) {
  while (next_ % alignment != 0) append(0x90);
  return *this;
}

TestImage& TestImage::skip_to(std::uint64_t address) {
  PLUMB_CHECK(address >= next_);
  while (next_ < address) append(0);
  return *this;
}

std::uint64_t TestImage::thunk(std::string name) {
  image.symbols.push_back({.name = std::move(name), .address = next_, .is_thunk = true});
  is_thunk_ = true;
  return next_;
}

TestImage& TestImage::forget_offsets() {
  for (NativeFunction& f : image.functions) f.insn_offsets.clear();
  return *this;
}

std::uint64_t TestImage::stub(std::int32_t number) const { return image.placement.stub(number); }

}  // namespace plumb::machine
