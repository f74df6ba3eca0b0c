// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/testing_stranger.h"

#include <initializer_list>
#include <utility>
#include <vector>

#include "core/rng.h"
#include "invariants/platform.h"

namespace plumb::harness {
namespace {

using jit::JitInfo;

template <std::size_t first, std::size_t last = first>
void forget_registers(JitInfo& info) {
  for (std::size_t i = first; i <= last; ++i) info.registers.bpf[i] = {};
}

constexpr Word kWords[] = {
    {"bpf[0]", forget_registers<0>},
    {"bpf[1 ... 5]", forget_registers<1, 5>},
    {"bpf[6 ... 9]", forget_registers<6, 9>},
    {"bpf[10]", forget_registers<10>},
    // A function with a register of its own for R10 has its BPF stack elsewhere.
    {"r10_register",
     [](JitInfo& i) {
       i.registers.bpf[10] = {};
       i.contract.bpf_stack = BpfStack::kUnknown;
     },
     [](NativeFunction& f) { f.r10_register = {}; }},
    {"r10_bias", [](JitInfo& i) { i.registers.r10_bias.reset(); }},
    {"frame_pointer",
     [](JitInfo& i) {
       i.registers.frame_pointer = {};
       i.frame = {};  // which speaks of the chain
     }},
    {"r10_moved_by", [](JitInfo& i) { i.contract.r10_moved_by = Side::kUnknown; }},
    {"r10_only_where_used",
     [](JitInfo& i) { i.contract.r10_only_where_used = Tristate::kUnknown; }},
    {"r6_r9_saved_by", [](JitInfo& i) { i.contract.r6_r9_saved_by = Side::kUnknown; }},
    {"sp_at_calls", [](JitInfo& i) { i.contract.sp_at_calls = SpAtCalls::kUnknown; }},
    {"call_alignment", [](JitInfo& i) { i.contract.call_alignment = 0; }},
    {"result_bits", [](JitInfo& i) { i.contract.result_bits = 0; }},
    {"bpf_stack", [](JitInfo& i) { i.contract.bpf_stack = BpfStack::kUnknown; }},
    {"frame_rounding", [](JitInfo& i) { i.contract.frame_rounding = 1; }},
    {"division_by_zero",
     [](JitInfo& i) { i.contract.division_by_zero = DivisionByZero::kUnknown; }},
    {"empty_slot_consumes_count",
     [](JitInfo& i) {
       i.contract.empty_slot_consumes_count = Tristate::kUnknown;
       i.contract.calls_keep_count = false;
     }},
    {"count_in_frames", [](JitInfo& i) { i.contract.count_in_frames = Tristate::kUnknown; }},
    {"landing_pad", [](JitInfo& i) { i.landing = {.pad = LandingPad::kUnknown}; }},
    {"code_rule",
     [](JitInfo& i) {
       i.code_rule = {.constants_blinded = Tristate::kUnknown,
                      .return_addresses_signed = Tristate::kUnknown,
                      .cfi = {.hashes = Tristate::kUnknown}};
     }},
    {"insn_offsets", nullptr, [](NativeFunction& f) { f.insn_offsets.clear(); }},
    {"tail_call_entry", nullptr,
     [](NativeFunction& f) {
       f.tail_call_entry.reset();
       f.tail_call_entry_unknown = true;
     }},
    {"stack_size", nullptr, [](NativeFunction& f) { f.stack_size.reset(); }},
};

class ChangedImage final : public jit::LoadedImage {
 public:
  ChangedImage(std::unique_ptr<jit::LoadedImage> real, Image image)
      : real_(std::move(real)), image_(std::move(image)) {}
  [[nodiscard]] const Image& image() const override { return image_; }

 private:
  std::unique_ptr<jit::LoadedImage> real_;  // the memory is its own
  Image image_;
};

NativeRegister any_register(Rng& rng) {
  const std::uint64_t number = rng.below(NativeRegister::kRegisters + 8);
  if (number < 16) return static_cast<std::uint8_t>(number);
  return number % 2 == 0 ? NativeRegister::none() : NativeRegister();
}

// What is passed is passed somewhere.
NativeRegister any_real_register(Rng& rng) {
  const NativeRegister native = any_register(rng);
  return native.is_none() ? NativeRegister() : native;
}

template <typename T>
T any_of(Rng& rng, std::initializer_list<T> values) {
  return values.begin()[rng.below(values.size())];
}

void say_anything(Rng& rng, jit::JitInfo& info) {
  const auto often = [&rng] { return rng.below(3) != 0; };
  RegisterMap& map = info.registers;
  for (NativeRegister& native : map.bpf) {
    if (!often()) native = any_register(rng);
  }
  if (!often()) map.frame_pointer = any_register(rng);
  if (!often()) map.r10_bias.reset();
  if (!often()) map.r10_bias = static_cast<std::int32_t>(rng.below(512)) - 256;
  for (NativeRegister& native : map.helper_argument) {
    if (!often()) native = any_real_register(rng);
  }
  if (!often()) map.helper_result = invariants::platform(info.arch).result_register;
  for (NativeRegister* native :
       {&map.entry_context, &map.entry_context_size, &map.entry_stack, &map.entry_stack_size}) {
    if (!often()) *native = any_real_register(rng);
  }
  Contract& contract = info.contract;
  const auto tristate = [&rng] {
    return any_of(rng, {Tristate::kUnknown, Tristate::kNo, Tristate::kYes});
  };
  const auto side = [&rng] { return any_of(rng, {Side::kUnknown, Side::kCallee, Side::kCaller}); };
  contract.empty_slot_consumes_count = tristate();
  contract.calls_keep_count = rng.below(2) != 0;
  contract.count_in_frames = tristate();
  contract.call_alignment = any_of(rng, {0, 8, 16, 32, 64});
  contract.sp_at_calls = any_of(
      rng, {SpAtCalls::kUnknown, SpAtCalls::kConstant, SpAtCalls::kByKind, SpAtCalls::kVaries});
  contract.result_bits = any_of(rng, {0, 32, 64});
  contract.bpf_stack = any_of(rng, {BpfStack::kUnknown, BpfStack::kInFrame, BpfStack::kElsewhere});
  contract.division_by_zero =
      any_of(rng, {DivisionByZero::kUnknown, DivisionByZero::kRfc, DivisionByZero::kEndsProgram});
  contract.r6_r9_saved_by = side();
  contract.r10_moved_by = side();
  contract.r10_only_where_used = tristate();
  info.landing.pad = any_of(
      rng, {LandingPad::kUnknown, LandingPad::kNone, LandingPad::kEndbr64, LandingPad::kBti});
  info.landing.call_preamble = any_of(rng, {0, 16});
  info.code_rule = {
      .constants_blinded = tristate(),
      .return_addresses_signed = info.arch == Arch::kArm64 ? tristate() : Tristate::kNo,
      .cfi = {.hashes = tristate(), .hash_below = any_of(rng, {4, 16, 255})}};
}

void show_anything(std::uint64_t seed, Image& image) {
  Rng rng(seed);
  for (NativeFunction& function : image.functions) {
    if (rng.below(4) == 0) function.insn_offsets.clear();
    if (rng.below(4) == 0) function.stack_size.reset();
    if (rng.below(4) == 0) function.r10_register = any_register(rng);
    if (rng.below(4) == 0) function.stack_size = static_cast<std::uint32_t>(rng.below(1024));
    if (rng.below(4) == 0) function.tail_call_entry.reset();
    if (rng.below(4) == 0) {
      function.tail_call_entry = static_cast<std::uint32_t>(rng.below(function.size));
    }
    function.tail_call_entry_unknown = !function.tail_call_entry && rng.below(2) == 0;
  }
}

}  // namespace

std::span<const Word> all_words() { return kWords; }

ChangedJit::ChangedJit(std::unique_ptr<jit::Jit> real, const ChangeInfo& change_info,
                       ChangeImage change_image)
    : real_(std::move(real)), info_(real_->info()), change_image_(std::move(change_image)) {
  change_info(info_);
}

jit::LoadOutcome ChangedJit::load(const Case& value) {
  jit::LoadOutcome outcome = real_->load(value);
  if (outcome.image == nullptr) return outcome;
  Image image = outcome.image->image();
  image.contract = info_.contract;
  image.registers = info_.registers;
  image.frame = info_.frame;
  image.landing = info_.landing;
  change_image_(image);
  outcome.image = std::make_unique<ChangedImage>(std::move(outcome.image), std::move(image));
  return outcome;
}

std::unique_ptr<jit::Jit> stranger(std::unique_ptr<jit::Jit> real, std::span<const Word> words) {
  const std::vector<Word> left_out(words.begin(), words.end());
  const auto change_info = [&](JitInfo& info) {
    for (const Word& word : left_out) {
      if (word.forget != nullptr) word.forget(info);
    }
  };
  const auto change_image = [left_out](Image& image) {
    for (NativeFunction& function : image.functions) {
      for (const Word& word : left_out) {
        if (word.forget_in_function != nullptr) word.forget_in_function(function);
      }
    }
  };
  return std::make_unique<ChangedJit>(std::move(real), change_info, change_image);
}

std::unique_ptr<jit::Jit> talker(std::unique_ptr<jit::Jit> real, std::uint64_t seed) {
  Rng rng(seed);
  return std::make_unique<ChangedJit>(
      std::move(real), [&rng](JitInfo& info) { say_anything(rng, info); },
      [images = rng.next()](Image& image) { show_anything(images, image); });
}

}  // namespace plumb::harness
