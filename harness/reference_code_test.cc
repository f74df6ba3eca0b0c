// SPDX-License-Identifier: GPL-2.0-or-later
//
// The byte sequences of the layouts: prologue, tail call, epilogue. PLUMB_BLESS=1 in the
// environment rewrites the golden files.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>

#include "core/case_text.h"
#include "jit_under_test/reference/reference.h"
#include "machine/machine.h"

namespace plumb::harness {
namespace {

using jit::reference::layout_table;
using jit::reference::LayoutRow;

const std::string kGolden = "harness/golden/reference/";

// A tail call of each kind in a program of its own, because old kernels have no other.
constexpr std::string_view kTailCalls = R"(.case 1
// indirect, direct with a target, direct without one
.array jmp 2
.slot jmp 0 target
.program entry
.function main
        r6 = r1
        *(u64 *)(r10 - 36) = 1
        r2 = jmp ll
        r3 = *(u32 *)(r1 + 0)
        call 12
        r1 = r6
        r2 = jmp ll
        r3 = 0
        call 12
        r1 = r6
        r2 = jmp ll
        r3 = 1
        call 12
        r0 = 1
        exit
.program target
.function main
        r0 = 2
        exit
.context 01 00 00 00
)";
constexpr std::string_view kSubprograms = R"(.case 1
// a subprogram that tail-calls, and one that needs 64 bytes of stack
.array jmp 1
.program entry
.function main
        call first
        call second
        r0 = 0
        exit
.function first
        r7 = r1
        r2 = jmp ll
        r3 = *(u32 *)(r1 + 0)
        call 12
        r0 = 0
        exit
.function second
        *(u64 *)(r10 - 64) = 0
        r0 = 0
        exit
.context 01 00 00 00
)";
constexpr std::string_view kNoTailCalls = R"(.case 1
// what a layout without tail calls in subprograms does with subprograms
.program entry
.function main
        *(u64 *)(r10 - 64) = 0
        call sub
        exit
.function sub
        r6 = 0
        r0 = r6
        exit
)";

constexpr std::string_view kThrows = R"(.case 1
// a throw out of a subprogram; a boundary and a callback that need 16 bytes of stack and R6, R7
.program entry
.callback callback
.function main
        r6 = r1
        *(u64 *)(r10 - 16) = 0
        call sub
        r0 = 0
        exit
.function sub
        r1 = 7
        call bpf_throw
.function callback
        r7 = r1
        *(u64 *)(r10 - 16) = r7
        r0 = r7
        exit
.context 01 00 00 00
)";

// Absolute addresses in the text as offsets from the function or the arena.
std::string relative(std::string_view text, const Image& image, const NativeFunction& function) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t start = text.find("0x", i);
    if (start == std::string_view::npos) return out + std::string(text.substr(i));
    std::size_t end = start + 2;
    while (end < text.size() && std::isxdigit(static_cast<unsigned char>(text[end])) != 0) ++end;
    const std::string digits(text.substr(start, end - start));
    const std::uint64_t value = std::strtoull(digits.c_str(), nullptr, 16);
    out += text.substr(i, start - i);
    if (value - function.address <= function.size) {
      out += fmt::format("+{:#x}", value - function.address);
    } else if (image.arena.contains(value)) {
      out += fmt::format("code+{:#x}", value - image.code.front().address);
    } else {
      out += digits;
    }
    i = end;
  }
  return out;
}

bool is_shown(const Insn& insn) {
  constexpr std::uint8_t kExit = 0x95;
  constexpr std::uint8_t kCall = 0x85;
  // Calls of stubs hold their address, and so that of the arena.
  return insn.opcode == kExit || (insn.opcode == kCall && insn.src != kPseudoKernelCall);
}

void list(const Image& image, const NativeFunction& native, std::uint32_t begin, std::uint32_t end,
          std::string& out) {
  for (const auto& insn : machine::disassemble(image, {native.address + begin, end - begin})) {
    std::string bytes;
    for (const std::uint8_t byte : insn.bytes) bytes += fmt::format("{:02x}", byte);
    const bool lands = native.tail_call_entry == insn.address - native.address;
    out += fmt::format("  {:4x}  {:<22} {}{}\n", insn.address - native.address, bytes,
                       relative(insn.text, image, native), lands ? "   <- tail calls land" : "");
  }
}

// Prologue, calls and exits of every function.
std::string code_of(const Case& value, jit::Jit& jit) {
  const jit::LoadOutcome outcome = jit.load(value);
  if (outcome.status == jit::LoadOutcome::Status::kNotApplicable) {
    return "not applicable: " + outcome.reason + "\n";
  }
  if (outcome.image == nullptr) return "not loaded: " + outcome.reason + "\n";
  const Image& image = outcome.image->image();
  std::string out;
  for (const NativeFunction& native : image.functions) {
    const Program& program = value.programs[static_cast<std::size_t>(native.program)];
    const Function& function = program.functions[static_cast<std::size_t>(native.function)];
    out += fmt::format("{}.{}, {} bytes of BPF stack\n", program.name, function.name,
                       native.stack_size.value_or(0));
    list(image, native, 0, native.insn_offsets.front(), out);
    for (std::size_t slot = 0; slot < function.insns.size(); ++slot) {
      if (!is_shown(function.insns[slot])) continue;
      out += fmt::format(" slot {}\n", slot);
      list(image, native, native.insn_offsets[slot], native.insn_offsets[slot + 1], out);
    }
  }
  return out;
}

std::string golden_text(const LayoutRow& row, jit::Jit& jit) {
  std::string text = fmt::format("{}, {}\nafter {}\n", row.name, row.era, row.source);
  for (const std::string_view source : {kTailCalls, kSubprograms, kNoTailCalls, kThrows}) {
    const Result<Case> value = parse_case(std::string(source));
    if (!value) return value.error().str();
    text += fmt::format("\n== {}\n{}", value->notes.front(), code_of(*value, jit));
  }
  return text;
}

TEST(ReferenceCode, IsWhatTheGoldenFilesSay) {
  for (const LayoutRow& row : layout_table()) {
    const auto jit = jit::reference::open(fmt::format("reference:{}", row.name));
    ASSERT_TRUE(jit.has_value());
    const std::string file = fmt::format("{}{}.txt", kGolden, row.name);
    const std::string text = golden_text(row, **jit);
    if (std::getenv("PLUMB_BLESS") != nullptr) {
      std::filesystem::create_directories(kGolden);
      std::ofstream(file) << text;
    }
    std::stringstream expected;
    expected << std::ifstream(file).rdbuf();
    EXPECT_EQ(text, expected.str()) << "PLUMB_BLESS=1 rewrites " << file;
  }
}

TEST(ReferenceCode, TailCallEntriesLieWhereTheTableSays) {
  const Result<Case> value = parse_case(std::string(kTailCalls));
  ASSERT_TRUE(value.has_value());
  for (const LayoutRow& row : layout_table()) {
    const auto jit = jit::reference::open(fmt::format("reference:{}", row.name));
    ASSERT_TRUE(jit.has_value());
    const jit::LoadOutcome outcome = (*jit)->load(*value);
    ASSERT_NE(outcome.image, nullptr) << row.name;
    for (const NativeFunction& native : outcome.image->image().functions) {
      EXPECT_EQ(native.tail_call_entry, static_cast<std::uint32_t>(row.traits.entry_offset))
          << row.name;
    }
  }
}

TEST(ReferenceCode, IsTheSameEveryTime) {
  const Result<Case> first = parse_case(std::string(kTailCalls));
  const Result<Case> second = parse_case(std::string(kNoTailCalls));
  const auto jit = jit::reference::open("reference:x86_64-6.12");
  ASSERT_TRUE(first.has_value() && second.has_value() && jit.has_value());
  const std::string before = code_of(*first, **jit);
  (void)code_of(*second, **jit);
  EXPECT_EQ(code_of(*first, **jit), before);
}

}  // namespace
}  // namespace plumb::harness
