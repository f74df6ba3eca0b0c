// SPDX-License-Identifier: GPL-2.0-or-later
//
// Holds our syntax and encoding against LLVM's BPF assembler, where it is installed.
#include <fmt/core.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "core/encoding.h"
#include "core/insn_text.h"
#include "core/testing_case.h"

namespace plumb {
namespace {

#ifdef PLUMB_LLVM_MC
constexpr const char* kAssembler = PLUMB_LLVM_MC;
#else
constexpr const char* kAssembler = nullptr;
#endif
#define PLUMB_NEED_ASSEMBLER() \
  if (kAssembler == nullptr) GTEST_SKIP() << "llvm-mc 19 (package llvm-19) is not installed"

// Rows whose operand is a symbol: LLVM leaves a relocation, and only opcode byte and destination
// can be compared. All other rows are compared byte for byte.
bool has_symbol(const OpcodeInfo& info) {
  switch (info.operation) {
    case Operation::kCallFunction:
    case Operation::kThrow:
    case Operation::kLoadArray:
    case Operation::kLoadRegion:
    case Operation::kLoadFunction:
      return true;
    default:
      return false;
  }
}

struct Sample {
  std::string text;
  std::vector<std::uint8_t> bytes;
};

// What the assembler made of each line: "0xb7,0x01,..." or "" where it refused the line.
struct Assembled {
  std::vector<std::string> encodings;
  std::string complaints;  // its errors, one a line
};

// The line number in "FILE:LINE:COLUMN: error: ...", from 1.
std::size_t line_of(const std::string& complaint, const std::string& file) {
  return std::stoul(complaint.substr(file.size() + 1));
}

Assembled assemble(const std::vector<Sample>& samples) {
  // The process's number: several builds may be tested at once.
  const std::string stem = fmt::format("{}plumb_llvm_test.{}", ::testing::TempDir(), getpid());
  const std::string input = stem + ".s";
  const std::string output = stem + ".out";
  const std::string errors = stem + ".err";
  {
    std::ofstream file(input);
    for (const Sample& sample : samples) file << sample.text << "\n";
  }
  const std::string command =
      fmt::format("{} -triple=bpfel -mcpu=v4 --show-encoding '{}' > '{}' 2> '{}'", kAssembler,
                  input, output, errors);
  const int status = std::system(command.c_str());
  Assembled result;
  std::vector<std::string> encodings;
  std::vector<bool> refused(samples.size(), false);
  std::ifstream output_file(output);
  constexpr std::string_view kMark = "encoding: [";
  for (std::string line; std::getline(output_file, line);) {
    const std::size_t at = line.find(kMark);
    if (at == std::string::npos) continue;
    const std::size_t begin = at + kMark.size();
    encodings.push_back(line.substr(begin, line.find(']', begin) - begin));
  }
  std::ifstream error_file(errors);
  for (std::string line; std::getline(error_file, line);) {
    if (!line.starts_with(input) || line.find("error:") == std::string::npos) continue;
    result.complaints += line + "\n";
    refused.at(line_of(line, input) - 1) = true;
  }
  if (status != 0 && result.complaints.empty()) result.complaints = "the assembler failed";
  std::size_t next = 0;
  for (const bool is_refused : refused) {
    const bool has = !is_refused && next < encodings.size();
    result.encodings.push_back(has ? encodings[next++] : "");
  }
  EXPECT_EQ(next, encodings.size()) << "lines and encodings do not match up";
  std::remove(input.c_str());
  std::remove(output.c_str());
  std::remove(errors.c_str());
  return result;
}

std::string hex_list(const std::vector<std::uint8_t>& bytes) {
  std::string result;
  for (const std::uint8_t byte : bytes) {
    result += fmt::format("{}0x{:02x}", result.empty() ? "" : ",", byte);
  }
  return result;
}

// A random instruction of the form, as text and as bytes. Jumps go a few slots.
Sample make_sample(const OpcodeInfo& info, testing::Choices& choices) {
  Insn insn = testing::random_insn(info, choices);
  std::int32_t high = 0;
  text::OperandNames names{.target = {}, .symbol = "symbol"};
  if (is_jump(info.operation)) {
    const auto distance = static_cast<std::int16_t>(choices.bits(2));
    if (info.id == Opcode::kJal) {
      insn.immediate = distance;  // the assembler takes a number of 16 bits here too
    } else {
      insn.offset = distance;
    }
    names.target = fmt::format("{:+d}", distance);
  }
  if (info.operation == Operation::kLoadImm64) high = static_cast<std::int32_t>(choices.bits(4));
  Sample sample{.text = text::format_insn(info, insn, high, names), .bytes = {}};
  for (const std::uint8_t byte : encode(insn)) sample.bytes.push_back(byte);
  if (slot_count(insn) == 2) {
    for (const std::uint8_t byte : encode({.immediate = high})) sample.bytes.push_back(byte);
  }
  return sample;
}

TEST(Llvm, EncodesEveryRowAsWeDo) {
  PLUMB_NEED_ASSEMBLER();
  constexpr int kSamplesPerRow = 12;
  std::vector<Sample> samples;
  for (const OpcodeInfo& info : opcode_table()) {
    if (has_symbol(info)) continue;
    testing::Choices choices = testing::random_choices(static_cast<std::uint64_t>(info.id), 1000);
    for (int i = 0; i < kSamplesPerRow; ++i) samples.push_back(make_sample(info, choices));
  }
  const Assembled assembled = assemble(samples);
  EXPECT_EQ(assembled.complaints, "");
  ASSERT_EQ(assembled.encodings.size(), samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    EXPECT_EQ(assembled.encodings[i], hex_list(samples[i].bytes)) << samples[i].text;
  }
}

TEST(Llvm, TakesSymbolsWhereWeDo) {
  PLUMB_NEED_ASSEMBLER();
  std::vector<Sample> samples;
  for (const OpcodeInfo& info : opcode_table()) {
    if (!has_symbol(info)) continue;
    testing::Choices choices = testing::random_choices(static_cast<std::uint64_t>(info.id), 100);
    samples.push_back(make_sample(info, choices));
  }
  const Assembled assembled = assemble(samples);
  EXPECT_EQ(assembled.complaints, "");
  ASSERT_EQ(assembled.encodings.size(), samples.size());
  for (std::size_t i = 0; i < samples.size(); ++i) {
    // "0x18'A',0x01'A',A,..." and "0x85'A',A,...": A marks what the linker fills in.
    EXPECT_TRUE(
        assembled.encodings[i].starts_with(fmt::format("0x{:02x}'A',", samples[i].bytes[0])))
        << samples[i].text << " " << assembled.encodings[i];
  }
}

// The line as we read it; no bytes when we refuse it.
Sample read_line(const std::string& line) {
  text::Cursor cursor(line);
  Sample sample{.text = line, .bytes = {}};
  const text::Read<text::ParsedInsn> parsed = text::parse_insn(cursor);
  if (!parsed || malformed(parsed->insn) != nullptr) return sample;
  for (const std::uint8_t byte : encode(parsed->insn)) sample.bytes.push_back(byte);
  if (slot_count(parsed->insn) == 2) {
    for (const std::uint8_t byte : encode({.immediate = parsed->high})) {
      sample.bytes.push_back(byte);
    }
  }
  return sample;
}

TEST(Llvm, ReadsOtherSpellingsAsWeDo) {
  PLUMB_NEED_ASSEMBLER();
  std::vector<Sample> samples;
  for (const char* line :
       {"*(u8*)(r10-0x10)=w3", "r1 += 0xffffffff", "r1 += 4294967295", "w1=-2147483648",
        "if w1 == 0xffffffff goto +0", "goto 3", "goto -0x10", "call 0x7", "r1 = -1 ll",
        "r1 = 18446744073709551615 ll", "r1 = 5 // five", "*( u8 * )( r10 - 16 ) = r3",
        "r0 = *(u8 *)skb[-1]", "if r1 s>= -4 goto +1"}) {
    samples.push_back(read_line(line));
    EXPECT_FALSE(samples.back().bytes.empty()) << line;
  }
  const Assembled assembled = assemble(samples);
  EXPECT_EQ(assembled.complaints, "");
  for (std::size_t i = 0; i < samples.size(); ++i) {
    EXPECT_EQ(assembled.encodings[i], hex_list(samples[i].bytes)) << samples[i].text;
  }
}

// Every template with one operand in the other register view: LLVM and we take the same ones, and
// with the same meaning (which may be another row's).
TEST(Llvm, TakesTheOtherRegisterViewExactlyWhereWeDo) {
  PLUMB_NEED_ASSEMBLER();
  std::vector<Sample> samples;
  for (const OpcodeInfo& info : opcode_table()) {
    for (const char letter : {'d', 'D', 's', 'S'}) {
      const char other = static_cast<char>(letter ^ 0x20);  // the other case
      std::string text(info.text);
      if (text.find({'$', letter}) == std::string::npos || has_symbol(info)) continue;
      for (std::size_t at = 0; (at = text.find({'$', letter}, at)) != std::string::npos;) {
        text[at + 1] = other;
      }
      OpcodeInfo swapped = info;
      swapped.text = text;
      const Insn insn = make_insn(info.id, 1, 2);
      const text::OperandNames names{.target = "+0", .symbol = {}};
      samples.push_back(read_line(text::format_insn(swapped, insn, 0, names)));
    }
  }
  const Assembled assembled = assemble(samples);
  for (std::size_t i = 0; i < samples.size(); ++i) {
    EXPECT_EQ(assembled.encodings[i], hex_list(samples[i].bytes)) << samples[i].text;
  }
}

}  // namespace
}  // namespace plumb
