// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/testing_any_arch.h"

#include "core/helper_model.h"

namespace plumb::machine {
namespace {

std::vector<int> little_endian(std::uint64_t value, int size) {
  std::vector<int> bytes(static_cast<std::size_t>(size));
  for (int& byte : bytes) {
    byte = static_cast<int>(value & 0xff);
    value >>= 8;
  }
  return bytes;
}

}  // namespace

void MachineAnyArch::open(TestImage& t, int program, int function) const {
  t.skip_to(address_of(program, function));
  t.function(program, function);
  if (!is_x86()) {
    t.tail_call_entry().words(code_.prologue);
    return;
  }
  t.prologue().tail_call_entry();
  t.bytes({0x48, 0x83, 0xec, 0x20});  // sub rsp, 32
}

void MachineAnyArch::exit(TestImage& t) const {
  t.slot(bpf_exit());
  take_down(t);
  ret(t);
  t.body_end();
}

void MachineAnyArch::take_down(TestImage& t) const {
  if (is_x86()) {
    t.bytes({0xc9});  // leave
  } else {
    t.words(code_.epilogue);
  }
}

void MachineAnyArch::ret(TestImage& t) const {
  if (is_x86()) {
    t.bytes({0xc3});
  } else {
    t.words({code_.ret});
  }
}

void MachineAnyArch::save(TestImage& t) const {
  if (is_x86()) {
    t.bytes({0x53});  // push rbx
  } else {
    t.words(code_.save);
  }
}

void MachineAnyArch::restore(TestImage& t) const {
  if (is_x86()) {
    t.bytes({0x5b});  // pop rbx
  } else {
    t.words(code_.restore);
  }
}

void MachineAnyArch::jump(TestImage& t, std::uint64_t target) const {
  if (is_x86()) {
    t.jump(target);
  } else {
    t.words({code_.jump(t.here(), target)});
  }
}

void MachineAnyArch::call(TestImage& t, std::uint64_t target) const {
  if (is_x86()) {
    t.call(target);
  } else {
    t.words({code_.call(t.here(), target)});
  }
}

void MachineAnyArch::call_function(TestImage& t, int program, int function) const {
  t.slot(bpf_call_function(function));
  call(t, address_of(program, function));
}

void MachineAnyArch::call_helper(TestImage& t, std::int32_t number) const {
  t.slot(bpf_call_helper(number));
  call(t, t.stub(number));
}

// Lands where open() says.
void MachineAnyArch::tail_call(TestImage& t, int program) const {
  t.slot(bpf_call_helper(kTailCallHelper));
  if (is_x86()) {
    constexpr std::uint64_t kPushAndMove = 4;
    t.bytes({0x48, 0x89, 0xec}).jump(address_of(program, 0) + kPushAndMove);  // mov rsp, rbp
    return;
  }
  t.words(code_.epilogue);
  t.words({code_.jump(t.here(), address_of(program, 0))});
}

void MachineAnyArch::loop(TestImage& t, int program, int function, std::uint32_t count,
                          std::uint32_t flags) const {
  const std::uint64_t callback = address_of(program, function);
  t.slot(bpf_mov(1, 2));
  if (is_x86()) {
    t.bytes({0xbf}).bytes(little_endian(count, 4));     // mov edi, count
    t.bytes({0xbe}).bytes(little_endian(callback, 4));  // mov esi, callback
    t.bytes({0xba, 99, 0, 0, 0});                       // mov edx, 99
    t.bytes({0xb9}).bytes(little_endian(flags, 4));     // mov ecx, flags
  } else {
    t.words(code_.loop_arguments(callback, count, flags));
  }
  call_helper(t, kLoopHelper);
}

void MachineAnyArch::set_result(TestImage& t, int value) const {
  t.slot(bpf_mov(0, value));
  if (is_x86()) {
    t.bytes({0xb8, value, 0, 0, 0});  // mov eax, value
  } else {
    t.words(code_.load_result(static_cast<std::uint32_t>(value)));
  }
}

void MachineAnyArch::load_from(TestImage& t, std::uint64_t address) const {
  t.slot(bpf_mov(0, 0));
  if (is_x86()) {
    t.bytes({0x48, 0xb8}).bytes(little_endian(address, 8));  // mov rax, address
    t.bytes({0x48, 0x8b, 0x00});                             // mov rax, [rax]
    return;
  }
  t.words(code_.load_wide_result(address)).words({code_.load});
}

void MachineAnyArch::store_above_entry(TestImage& t, int offset) const {
  t.slot(bpf_mov(0, 0));
  if (is_x86()) {
    t.bytes({0x48, 0x89, 0x85});  // mov [rbp + 8 + offset], rax
    t.bytes(little_endian(static_cast<std::uint64_t>(std::int64_t{offset} + 8), 4));
    return;
  }
  t.words({code_.store_result(static_cast<std::uint32_t>(offset) + code_.frame_size)});
}

}  // namespace plumb::machine
