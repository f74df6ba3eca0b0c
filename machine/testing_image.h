// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/case.h"
#include "core/image.h"
#include "core/insn.h"

namespace plumb::machine {

// Hand-made images for the tests of this folder: native bytes beside the BPF instructions that they
// stand for.

// The bytes at an address of a TestArena: guest addresses are host addresses there.
[[nodiscard]] inline std::uint8_t* arena_bytes(std::uint64_t address) {
  return reinterpret_cast<std::uint8_t*>(address);  // NOLINT(performance-no-int-to-ptr)
}

// Memory that an image lies in, at an address below 2 GiB.
class TestArena {
 public:
  static constexpr std::uint64_t kSize = 0x40000;
  explicit TestArena(std::uint64_t address);
  ~TestArena();
  TestArena(const TestArena&) = delete;
  TestArena& operator=(const TestArena&) = delete;

  [[nodiscard]] Range range() const { return {address_, kSize}; }
  [[nodiscard]] std::uint64_t code() const;  // first byte behind the stubs

 private:
  std::uint64_t address_;
};

[[nodiscard]] Insn bpf_mov(std::uint8_t dst, std::int32_t value);
[[nodiscard]] Insn bpf_goto(std::int16_t offset);
[[nodiscard]] Insn bpf_exit();
[[nodiscard]] Insn bpf_call_helper(std::int32_t number);
[[nodiscard]] Insn bpf_call_function(std::int32_t function);

// Appends code at increasing addresses. The register maps are those of Linux.
class TestImage {
 public:
  explicit TestImage(const TestArena& arena, Arch arch = Arch::kX86_64);

  // Opens the next function of a program; returns its address.
  std::uint64_t function(int program, int function);
  TestImage& tail_call_entry();  // here
  TestImage& slot(const Insn& insn);
  TestImage& body_end();
  TestImage& bytes(const std::vector<int>& code);
  TestImage& words(const std::vector<std::uint32_t>& code);  // little-endian
  TestImage& call(std::uint64_t target);                     // e8 rel32
  TestImage& jump(std::uint64_t target);                     // e9 rel32
  TestImage& call_helper(std::int32_t number) { return call(stub(number)); }
  TestImage& align(std::uint64_t alignment);  // nops between functions
  TestImage& skip_to(std::uint64_t address);  // zeros between functions
  // Opens a thunk, which what follows belongs to, up to the next function; returns its address.
  std::uint64_t thunk(std::string name);
  // "push rbp; mov rbp, rsp", and "leave; ret" as the code of an exit instruction.
  TestImage& prologue() { return bytes({0x55, 0x48, 0x89, 0xe5}); }
  TestImage& exit() { return slot(bpf_exit()).bytes({0xc9, 0xc3}); }

  [[nodiscard]] std::uint64_t here() const { return next_; }
  [[nodiscard]] std::uint64_t stub(std::int32_t number) const;

  TestImage& forget_offsets();  // of all functions

  // Owed when the sizes of context or regions have changed.
  TestImage& place();

  Case value;
  Image image;

 private:
  NativeFunction& current() { return image.functions.back(); }
  void append(std::uint8_t byte);
  void grow();  // what is open reaches up to here

  std::uint64_t next_;
  bool is_thunk_ = false;  // that is open
};

}  // namespace plumb::machine
