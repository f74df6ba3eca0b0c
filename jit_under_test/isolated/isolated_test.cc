// SPDX-License-Identifier: GPL-2.0-or-later
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "core/case_text.h"
#include "core/rng.h"
#include "jit_under_test/isolated/host_process.h"
#include "jit_under_test/isolated/wire.h"
#include "jit_under_test/reference/reference.h"

namespace plumb::jit {
namespace {

Case two_programs() {
  return parse_case(
             ".case 1\n// a note\n.array jmp 3\n.slot jmp 0 other\n.region value 8\n"
             ".program entry\n.function main\n r6 = r1\n r1 = value ll\n r2 = -3\n call first\n"
             " r1 = r6\n r2 = jmp ll\n r3 = 0\n call 12\n r0 = 0\n exit\n"
             ".function first\n r0 = 0x123456789abcdef0 ll\n *(u64 *)(r10 - 8) = r0\n exit\n"
             ".program other\n.function main\n r0 = 1\n exit\n.context 01 02 ff\n")
      .value();
}

TEST(Wire, ARequestIsWhatAPluginGetsToSee) {
  const Case value = two_programs();
  const std::optional<Case> there = decode_request(encode_request(value));
  ASSERT_TRUE(there);
  EXPECT_EQ(there->programs, value.programs);
  EXPECT_EQ(there->arrays, value.arrays);
  EXPECT_EQ(there->regions, value.regions);
  EXPECT_EQ(there->context, value.context);
  EXPECT_EQ(there->enter, value.enter);
  EXPECT_TRUE(there->notes.empty());
}

TEST(Wire, WhatIsCutOrTooLongIsNoRequest) {
  const std::string bytes = encode_request(two_programs());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(decode_request(std::string_view(bytes).substr(0, size))) << size;
  }
  EXPECT_FALSE(decode_request(bytes + '\0'));
}

// An image, its case and what the JIT says about itself.
class WireImage : public testing::Test {
 protected:
  void SetUp() override {
    auto opened = reference::open("reference:x86_64-6.12");
    ASSERT_TRUE(opened);
    jit_ = std::move(*opened);
    loaded_ = jit_->load(value_);
    ASSERT_NE(loaded_.image, nullptr) << loaded_.reason;
    image_ = loaded_.image->image();
    info_ = jit_->info();
    ASSERT_TRUE(sound(image_));
  }
  [[nodiscard]] bool sound(const Image& image) const {
    return is_sound(image, value_, info_, image_.arena);
  }
  // Is it refused when it is changed so?
  [[nodiscard]] bool refused(const std::function<void(Image&)>& change) const {
    Image image = image_;
    change(image);
    return !sound(image);
  }

  Case value_ = two_programs();
  std::unique_ptr<Jit> jit_;
  LoadOutcome loaded_;
  Image image_;
  JitInfo info_;
};

TEST_F(WireImage, AllOfItArrivesButForItsPlacement) {
  image_.registers.frame_pointer = NativeRegister::none();
  image_.registers.entry_stack = NativeRegister();
  image_.registers.r10_bias.reset();
  image_.program_entries = {image_.entry, image_.entry};
  image_.functions[0].stack_size.reset();
  const LoadAnswer answer{.status = LoadOutcome::Status::kLoaded, .reason = "r", .image = image_};
  const std::optional<LoadAnswer> there = decode<LoadAnswer>(encode(answer));
  ASSERT_TRUE(there && there->image);
  EXPECT_EQ(there->reason, "r");
  EXPECT_EQ(there->image->placement, Placement{});
  Image image = *there->image;
  image.placement = image_.placement;
  EXPECT_EQ(image, image_);
  const OpenAnswer open{.error = "", .info = info_, .arena = image_.arena};
  EXPECT_EQ(decode<OpenAnswer>(encode(open))->info, info_);
}

TEST_F(WireImage, WhatCannotBeItsImageIsRefused) {
  const auto far = image_.arena.address + image_.arena.size;
  const std::function<void(Image&)> changes[] = {
      [](Image& i) { i.functions.pop_back(); },
      [](Image& i) { i.functions.push_back(i.functions[0]); },
      [](Image& i) { i.functions[1] = i.functions[0]; },
      [](Image& i) { i.functions[0].program = 2; },
      [](Image& i) { i.functions[0].program = -1; },
      [](Image& i) { i.functions[0].function = 7; },
      [](Image& i) { i.functions[0].size = 0; },
      [](Image& i) { i.functions[0].size = ~0u; },
      [](Image& i) { i.functions[0].address = 0; },
      [&](Image& i) { i.functions[0].address = far - 1; },
      [](Image& i) { i.functions[0].tail_call_entry = i.functions[0].size; },
      [](Image& i) { i.functions[0].insn_offsets.pop_back(); },
      [](Image& i) { i.functions[0].insn_offsets.back() = i.functions[0].size + 1; },
      [](Image& i) { i.functions[0].insn_offsets.front() = i.functions[0].size; },
      [&](Image& i) { i.code.push_back({far - 8, 16}); },
      [](Image& i) { i.code.push_back({i.arena.address, ~std::uint64_t{0}}); },
      [](Image& i) { i.arrays.clear(); },
      [](Image& i) { i.arrays[0].address = 8; },
      [](Image& i) { i.symbols.push_back({.name = "s", .address = 8, .is_thunk = true}); },
      [&](Image& i) { i.entry = far; },
      [](Image& i) { i.program_entries = {i.entry}; },
      [&](Image& i) { i.program_entries = {i.entry, far}; },
      [](Image& i) { i.arena.size += 4096; },
      [](Image& i) { i.arch = Arch::kArm64; },
      [](Image& i) { i.jit = "another"; },
      [](Image& i) { i.contract.result_bits = 32; },
      [](Image& i) { i.registers.bpf[10] = 31; },
      [](Image& i) { i.unwind_rows.pop_back(); },
      [](Image& i) { i.unwind_rows[1].begin = i.unwind_rows[0].begin; },
      [](Image& i) { std::swap(i.unwind_rows[0], i.unwind_rows[1]); },
      [](Image& i) { i.unwind_rows[0].begin = 8; },
      [&](Image& i) { i.unwind_rows.back().begin = far + 1; },
      [](Image& i) { i.unwind_rows[0].is_reliable = false; },
      [](Image& i) { i.unwind_rows[0].cfa_offset = 4; },
      [](Image& i) { i.unwind_rows[0].ra_offset = -(1 << 21); },
      [](Image& i) { i.unwind_rows[0].fp_offset = 1 << 21; },
  };
  for (std::size_t i = 0; i < std::size(changes); ++i) EXPECT_TRUE(refused(changes[i])) << i;
}

// Whatever bytes come, the answer is an image that can be used, or none.
TEST_F(WireImage, DamagedBytesAreNoImageOrASoundOne) {
  const std::string bytes =
      encode(LoadAnswer{.status = LoadOutcome::Status::kLoaded, .reason = "", .image = image_});
  Rng rng(17);
  constexpr int kTries = 3000;
  int refusals = 0;
  for (int i = 0; i < kTries; ++i) {
    std::string damaged = bytes;
    damaged[rng.below(damaged.size())] = static_cast<char>(rng.next());
    const auto answer = decode<LoadAnswer>(damaged);
    refusals += !answer || !answer->image || !sound(*answer->image);
  }
  EXPECT_GT(refusals, kTries / 4);
}

// ---- host_process.h ----

std::string told(const std::expected<std::string, Death>& answer) {
  return answer ? *answer : answer.error().str();
}

// Answers "twice" with the payload two times, and else does as it is told.
void answer_all(int socket) {
  answer_requests(socket, [](std::uint64_t, std::string_view payload) -> std::string {
    if (payload == "exit") _exit(7);
    if (payload == "hang") {
      for (;;) pause();
    }
    if (payload == "close") close_range(3, ~0u, 0);
    return std::string(payload) + std::string(payload);
  });
}

TEST(HostProcess, AnswersUntilItEnds) {
  HostProcess host(answer_all);
  const std::string long_text(std::size_t{3} << 20, 'x');  // more than a socket holds
  EXPECT_EQ(told(host.ask(1, "a", 10)), "aa");
  EXPECT_EQ(told(host.ask(1, long_text, 10)), long_text + long_text);
  EXPECT_TRUE(host.can_be_asked());
  EXPECT_EQ(told(host.ask(1, "exit", 10)), "ended with status 7");
  EXPECT_FALSE(host.can_be_asked());
}

TEST(HostProcess, IsEndedWhenItDoesNotAnswer) {
  HostProcess host(answer_all);
  EXPECT_EQ(told(host.ask(1, "hang", 0.2)), "does not end");
  EXPECT_FALSE(host.can_be_asked());
}

TEST(HostProcess, ThatCannotAnswerAnyMoreEnds) {
  HostProcess host(answer_all);
  EXPECT_EQ(told(host.ask(1, "close", 10)), "ended without a verdict (status 0)");
}

TEST(HostProcess, WritesWhatIsNoAnswer) {
  HostProcess host([](int socket) {
    std::ignore = write(socket, "no record at all, but as long as a header or longer ........", 60);
    for (;;) pause();
  });
  EXPECT_EQ(told(host.ask(1, "a", 10)), "sent a damaged record");
}

}  // namespace
}  // namespace plumb::jit
