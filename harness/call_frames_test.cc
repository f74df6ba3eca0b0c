// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/call_frames.h"

#include <elf.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <memory>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "core/rng.h"
#include "gen/generate.h"
#include "harness/judge.h"
#include "harness/unwind_elf.h"
#include "harness/walks.h"
#include "jit_under_test/reference/reference.h"

namespace plumb::harness {
namespace {

constexpr std::uint64_t kCases = 25;

class CallFramesOfReference : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    auto opened = jit::reference::open(GetParam());
    ASSERT_TRUE(opened.has_value()) << opened.error().str();
    jit_ = *std::move(opened);
  }
  Trial examine(std::uint64_t n) {
    const Case value = gen::generate(nth_seed(31, n), nullptr,
                                     jit_->info().capabilities & gen::kObeyedCapabilities);
    return judge_.examine(value, *jit_, Depth::kFull);
  }

  std::unique_ptr<jit::Jit> jit_;
  Judge judge_;
};

// As readers see it: where a row begins is of no account, and what is unknown is not there.
std::optional<unwind::Row> seen(const unwind::Row* row) {
  if (row == nullptr || row->kind == unwind::Row::Kind::kUnknown) return std::nullopt;
  unwind::Row result = *row;
  result.begin = 0;
  return result;
}

TEST_P(CallFramesOfReference, AreTheRowsThatWereWritten) {
  std::size_t addresses = 0;
  for (std::uint64_t n = 0; n < kCases; ++n) {
    const Trial trial = examine(n);
    if (trial.image == nullptr) continue;
    const Image& image = trial.image->image();
    const machine::UnwindKnowledge known = machine::unwind_knowledge(image);
    const CallFrames frames(unwind_elf(image, known, {}), image.arch);
    for (const Range& piece : known.jit_code) {
      for (std::uint64_t at = piece.address; at < piece.address + piece.size; ++at) {
        auto row = frames.row_at(at);
        if (row) row->begin = 0;
        ASSERT_EQ(row, seen(known.jit_rows.find(at))) << std::hex << at;
        ++addresses;
      }
    }
    const auto outside = frames.row_at(image.placement.exit);
    ASSERT_TRUE(outside.has_value());
    EXPECT_EQ(outside->kind, unwind::Row::Kind::kOutermost);
  }
  EXPECT_GT(addresses, 1000u);
}

TEST_P(CallFramesOfReference, LeadToEveryCallerFromEveryInstruction) {
  constexpr unwind::Unwinder kOnly[] = {unwind::Unwinder::kDwarf};
  std::uint64_t walks = 0;
  for (std::uint64_t n = 0; n < kCases; ++n) {
    const Trial trial = examine(n);
    // A layout that is wrong by itself may write over what rows speak of.
    if (trial.stage != Stage::kCompared || is_finding(trial.judgement)) continue;
    const WalkReport report = walk_report(trial.image->image(), trial.run, kOnly);
    const WalkTally tally = report.tally(unwind::Unwinder::kDwarf);
    const auto right = tally[static_cast<std::size_t>(unwind::Outcome::kRight)];
    EXPECT_EQ(right, std::accumulate(tally.begin(), tally.end(), std::uint64_t{0})) << "case " << n;
    walks += right;
  }
  EXPECT_GT(walks, 500u);
}

template <typename T>
std::vector<T> table_at(const std::string& file, std::uint64_t offset, std::size_t count) {
  std::vector<T> table(count);
  EXPECT_LE(offset + count * sizeof(T), file.size());
  std::memcpy(table.data(), file.data() + offset, count * sizeof(T));
  return table;
}

TEST_P(CallFramesOfReference, StandInAFileWithTheCodeAndItsNames) {
  const Case value =
      gen::generate(nth_seed(31, 1), nullptr, jit_->info().capabilities & gen::kObeyedCapabilities);
  const jit::LoadOutcome loaded = jit_->load(value);
  ASSERT_NE(loaded.image, nullptr);
  const Image& image = loaded.image->image();
  const std::string file =
      unwind_elf(image, machine::unwind_knowledge(image), named_code(value, image));
  const auto header = table_at<Elf64_Ehdr>(file, 0, 1).front();
  EXPECT_EQ(header.e_machine, image.arch == Arch::kX86_64  ? EM_X86_64
                              : image.arch == Arch::kArm64 ? EM_AARCH64
                                                           : EM_RISCV);
  const auto sections = table_at<Elf64_Shdr>(file, header.e_shoff, header.e_shnum);
  for (std::size_t i = 0; i < image.code.size(); ++i) {
    const Elf64_Shdr& section = sections[i + 1];
    EXPECT_EQ((Range{section.sh_addr, section.sh_size}), image.code[i]);
    const auto bytes = image.placement.bytes(section.sh_addr, section.sh_size);
    EXPECT_TRUE(std::ranges::equal(table_at<std::uint8_t>(file, section.sh_offset, section.sh_size),
                                   bytes));
  }
  const auto segments = table_at<Elf64_Phdr>(file, header.e_phoff, header.e_phnum);
  EXPECT_TRUE(std::ranges::is_sorted(segments, {}, &Elf64_Phdr::p_vaddr));
  const auto table = std::ranges::find(sections, Elf64_Word{SHT_SYMTAB}, &Elf64_Shdr::sh_type);
  ASSERT_NE(table, sections.end());
  const auto symbols =
      table_at<Elf64_Sym>(file, table->sh_offset, table->sh_size / sizeof(Elf64_Sym));
  const std::uint64_t names = sections[table->sh_link].sh_offset;
  for (const NativeFunction& native : image.functions) {
    const auto symbol = std::ranges::find(symbols, native.address, &Elf64_Sym::st_value);
    ASSERT_NE(symbol, symbols.end());
    EXPECT_EQ(symbol->st_size, native.size);
    EXPECT_LE(symbol->st_shndx, image.code.size());
    const Program& program = value.programs[static_cast<std::size_t>(native.program)];
    EXPECT_EQ(
        std::string(file.c_str() + names + symbol->st_name),
        program.name + ":" + program.functions[static_cast<std::size_t>(native.function)].name);
  }
}

// Whatever a plugin says: ranges that overlap, and more of them than a file has sections.
TEST(UnwindElf, HasEachByteOfTheCodeOnce) {
  auto jit = jit::reference::open("reference:x86_64-6.12");
  ASSERT_TRUE(jit.has_value());
  const jit::LoadOutcome loaded = (*jit)->load(gen::generate(nth_seed(31, 1)));
  ASSERT_NE(loaded.image, nullptr);
  Image image = loaded.image->image();
  const Range code = image.code.front();
  const machine::UnwindKnowledge known = machine::unwind_knowledge(image);
  const std::string file = unwind_elf(image, known, {});
  image.code = {{code.address + 8, 8}, {code.address, 16}, {code.address + 16, code.size - 16}};
  EXPECT_EQ(unwind_elf(image, known, {}), file);
  image.code.clear();
  for (std::uint64_t i = 0; i < 70'000; ++i) image.code.push_back({code.address + 2 * i, 1});
  const std::string large = unwind_elf(image, known, {});
  EXPECT_LT(table_at<Elf64_Ehdr>(large, 0, 1).front().e_shnum, 1010);
  const std::uint64_t begin = image.functions.front().address;
  EXPECT_TRUE(CallFrames(large, image.arch).row_at(begin).has_value());
}

INSTANTIATE_TEST_SUITE_P(Layouts, CallFramesOfReference, testing::ValuesIn(jit::reference::names()),
                         [](const auto& layout) {
                           std::string name = layout.param;
                           std::ranges::replace_if(
                               name, [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
                           return name;
                         });

}  // namespace
}  // namespace plumb::harness
