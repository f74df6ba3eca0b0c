// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <vector>

#include "invariants/testing_run.h"

namespace plumb::invariants {

// Words of A64.
inline constexpr std::uint32_t kTestPaciasp = 0xd503233f;
inline constexpr std::uint32_t kTestAutiasp = 0xd50323bf;
inline constexpr std::uint32_t kTestRet = 0xd65f03c0;
inline constexpr std::uint32_t kTestNop = 0xd503201f;

// Makes a run one of a hardened kernel, in which all is right: its constants are blinded and say
// something, hashes stand in front of functions, on arm64 prologues sign and the code of every exit
// is AUTIASP, RET.
void harden(BuiltRun& built);

// Overwrites code of a hardened run, from so many bytes behind the function's address on.
void put_code(BuiltRun& built, std::size_t function, std::int64_t offset,
              std::initializer_list<std::uint32_t> words);
// Loads the constant of the instruction in its own code, as the architecture does it.
void load_constant(BuiltRun& built, std::size_t function, std::size_t slot);

// Words that put a number into a register: x86-64 mov eax, arm64 movz and movk w9, riscv64 lui and
// addiw t1.
[[nodiscard]] std::vector<std::uint8_t> load_code(Arch arch, std::uint32_t constant);

}  // namespace plumb::invariants
