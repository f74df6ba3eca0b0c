// SPDX-License-Identifier: GPL-2.0-or-later
//
// gdb reads what plumb unwind --eh-frame writes: its backtraces beside the calls in progress.
#include <elf.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "core/case_text.h"
#include "core/unwind/replay.h"
#include "harness/corpus.h"
#include "harness/judge.h"
#include "harness/unwind_elf.h"
#include "jit_under_test/reference/reference.h"
#include "machine/code_effects.h"

namespace plumb::harness {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSamples = 10;
// Callbacks in callbacks: six frames where it is deepest.
constexpr const char* kCase = "corpus/seeds/callback-nested-loops.bpf";
constexpr const char* kJit = "reference:x86_64-6.12";

struct Ran {
  int status = -1;
  std::string output;
};

Ran run(const std::string& command) {
  FILE* const pipe = popen((command + " 2>&1").c_str(), "r");
  Ran ran;
  if (pipe == nullptr) return ran;
  std::array<char, 4096> buffer{};
  for (std::size_t n = 0; (n = fread(buffer.data(), 1, buffer.size(), pipe)) != 0;) {
    ran.output.append(buffer.data(), n);
  }
  const int status = pclose(pipe);
  ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return ran;
}

// The addresses of "#1  0x0000000040011042 in entry:main ()", innermost first. The first frame is
// shown when the core file is read, too.
std::vector<std::uint64_t> addresses(const std::string& backtrace) {
  std::vector<std::uint64_t> found;
  std::istringstream lines(backtrace);
  for (std::string line; std::getline(lines, line);) {
    int frame = 0;
    unsigned long long address = 0;
    if (std::sscanf(line.c_str(), "#%d 0x%llx", &frame, &address) != 2) continue;
    if (frame == 0) found.clear();
    found.push_back(address);
  }
  return found;
}

template <typename T>
void append(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// struct elf_prstatus of x86-64: struct user_regs_struct stands at 112.
std::string process_status(const MachineStep& step) {
  constexpr std::size_t kSize = 336;
  constexpr std::size_t kRegisters = 112;
  constexpr std::size_t kRbp = 4;
  constexpr std::size_t kRip = 16;
  constexpr std::size_t kRsp = 19;
  std::string status(kSize, '\0');
  const auto put = [&status](std::size_t reg, std::uint64_t value) {
    std::memcpy(status.data() + kRegisters + 8 * reg, &value, sizeof value);
  };
  put(kRbp, step.fp);
  put(kRip, step.pc);
  put(kRsp, step.sp);
  return status;
}

std::string note(std::uint32_t type, const std::string& content) {
  Elf64_Nhdr header{};
  header.n_namesz = 5;
  header.n_descsz = static_cast<std::uint32_t>(content.size());
  header.n_type = type;
  std::string out;
  append(out, header);
  out += std::string("CORE\0\0\0\0", 8);
  return out + content;
}

Elf64_Phdr segment(std::uint32_t type, std::uint64_t address, std::uint64_t offset,
                   std::uint64_t size) {
  Elf64_Phdr header{};
  header.p_type = type;
  header.p_flags = PF_R | PF_W;
  header.p_offset = offset;
  header.p_vaddr = address;
  header.p_filesz = size;
  header.p_memsz = type == PT_LOAD ? size : 0;
  header.p_align = 1;
  return header;
}

// A core file: the registers of the step, and the stack as it was then.
std::string core_file(const MachineStep& step, const unwind::StackReader& stack,
                      const Range& range) {
  const std::string notes = note(NT_PRSTATUS, process_status(step));
  std::string words;
  for (std::uint64_t at = range.address; at < range.address + range.size; at += 8) {
    append(words, *stack.word(at));
  }
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_CORE;
  header.e_machine = EM_X86_64;
  header.e_version = EV_CURRENT;
  header.e_phoff = sizeof header;
  header.e_ehsize = sizeof header;
  header.e_phentsize = sizeof(Elf64_Phdr);
  header.e_phnum = 2;
  const std::uint64_t begin = sizeof header + 2 * sizeof(Elf64_Phdr);
  std::string out;
  append(out, header);
  append(out, segment(PT_NOTE, 0, begin, notes.size()));
  append(out, segment(PT_LOAD, range.address, begin + notes.size(), words.size()));
  return out + notes + words;
}

struct Sample {
  std::vector<std::uint64_t> expected;  // the instruction, and the return addresses
  std::string core;
};

// From the first instruction of the run to its last one, evenly.
std::vector<Sample> sample(const Image& image, const MachineRun& run) {
  std::vector<std::size_t> steps;
  for (std::size_t i = 0; i < run.steps.size(); ++i) {
    if (image.function_at(run.steps[i].pc) != nullptr) steps.push_back(i);
  }
  unwind::StackReplay stack(run, image.placement.stack, image.arch, image.placement.exit);
  std::vector<Sample> samples;
  for (std::size_t n = 0; n < kSamples && !steps.empty(); ++n) {
    const std::size_t i = steps[n * (steps.size() - 1) / (kSamples - 1)];
    const MachineStep& step = run.steps[i];
    stack.advance_to(i);
    std::vector<std::uint64_t> expected;
    unwind::calls_in_progress(run, step.shadow, expected);
    expected.insert(expected.begin(), step.pc);
    samples.push_back({std::move(expected), core_file(step, stack, image.placement.stack)});
  }
  return samples;
}

class Gdb : public testing::Test {
 protected:
  void SetUp() override {
    if (run("command -v gdb").status != 0) GTEST_SKIP() << "gdb (package gdb) is not installed";
    auto opened = jit::reference::open(kJit);
    ASSERT_TRUE(opened.has_value()) << opened.error().str();
    jit_ = *std::move(opened);
    const auto read = read_case(kCase);
    ASSERT_TRUE(read.has_value()) << read.error().str();
    value_ = *read;
    trial_ = Judge().examine(value_, *jit_, Depth::kFull);
    ASSERT_EQ(trial_.stage, Stage::kCompared);
    samples_ = sample(trial_.image->image(), trial_.run);
    ASSERT_EQ(samples_.size(), kSamples);
    directory_ = testing::TempDir() + "plumb_gdb." + std::to_string(getpid());
    fs::create_directories(directory_);
  }
  void TearDown() override {
    std::error_code ignored;
    if (!directory_.empty()) fs::remove_all(directory_, ignored);
  }

  // The backtrace of each sample.
  std::vector<std::string> backtraces(const std::string& elf) {
    const std::string program = directory_ + "/image";
    const std::string core = directory_ + "/core";
    EXPECT_TRUE(write_file(program, elf).has_value());
    std::vector<std::string> results;
    for (const Sample& sample : samples_) {
      EXPECT_TRUE(write_file(core, sample.core).has_value());
      const Ran ran = run("gdb -batch -nx -iex 'set debuginfod enabled off' -ex bt '" + program +
                          "' '" + core + "'");
      EXPECT_EQ(ran.status, 0) << ran.output;
      results.push_back(ran.output);
    }
    return results;
  }

  std::unique_ptr<jit::Jit> jit_;
  Case value_;
  Trial trial_;
  std::vector<Sample> samples_;
  std::string directory_;
};

TEST_F(Gdb, FindsTheCallsInProgress) {
  const Image& image = trial_.image->image();
  const auto known = machine::unwind_knowledge(image);
  const auto found = backtraces(unwind_elf(image, known, named_code(value_, image)));
  std::size_t deepest = 0;
  for (std::size_t i = 0; i < kSamples; ++i) {
    EXPECT_EQ(addresses(found[i]), samples_[i].expected) << found[i];
    EXPECT_NE(found[i].find("in entry:"), std::string::npos) << found[i];
    deepest = std::max(deepest, samples_[i].expected.size());
  }
  EXPECT_GE(deepest, 6u);
  EXPECT_NE(found.front().find("in kernel ()"), std::string::npos) << found.front();
}

// That the backtraces come from the file is seen by one that says something else.
TEST_F(Gdb, BelievesWhatTheFileSays) {
  const Image& image = trial_.image->image();
  auto known = machine::unwind_knowledge(image);
  std::vector<unwind::Row> rows(known.jit_rows.all().begin(), known.jit_rows.all().end());
  for (unwind::Row& row : rows) row.cfa_offset += 8;
  known.jit_rows = unwind::Rows(image.arch, std::move(rows));
  const auto found = backtraces(unwind_elf(image, known, {}));
  std::size_t others = 0;
  for (std::size_t i = 0; i < kSamples; ++i) {
    others += addresses(found[i]) != samples_[i].expected ? 1 : 0;
  }
  EXPECT_GE(others, kSamples - 1);  // at a ret, gdb looks at the instruction first
}

}  // namespace
}  // namespace plumb::harness
