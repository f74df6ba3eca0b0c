// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/contract_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "core/arch.h"
#include "jit_under_test/plugin_struct.h"
#include "jit_under_test/plugin_text.h"

namespace plumb::jit {
namespace {

static_assert(static_cast<int>(Arch::kX86_64) == PLUMB_ARCH_X86_64);
static_assert(static_cast<int>(Arch::kArm64) == PLUMB_ARCH_ARM64);
static_assert(static_cast<int>(Arch::kRiscv64) == PLUMB_ARCH_RISCV64);
static_assert(static_cast<int>(Tristate::kYes) == PLUMB_YES);
static_assert(static_cast<int>(Side::kCaller) == PLUMB_CALLER);
static_assert(static_cast<int>(SpAtCalls::kVaries) == PLUMB_SP_VARIES);
static_assert(static_cast<int>(BpfStack::kElsewhere) == PLUMB_STACK_ELSEWHERE);
static_assert(static_cast<int>(DivisionByZero::kEndsProgram) == PLUMB_DIVISION_ENDS_PROGRAM);
static_assert(static_cast<int>(LandingPad::kBti) == PLUMB_LANDING_PAD_BTI);

// What no contract can go below: registers that there are, and the alignment of the stack pointer
// that the platform's C code relies on (Linux compiles x86-64 with a boundary of 8 bytes).
struct Platform {
  std::string_view name;
  unsigned registers;
  unsigned call_alignment;
};

Platform platform_of(Arch arch) {
  switch (arch) {
    case Arch::kX86_64:
      return {"x86-64", 16, 8};
    case Arch::kArm64:
      return {"arm64", 32, 16};
    case Arch::kRiscv64:
      return {"riscv64", 32, 16};
  }
  return {};
}

enum class Kind : std::uint8_t {
  kRegister,       // or PLUMB_NO_REGISTER
  kNamedRegister,  // never PLUMB_NO_REGISTER: 0 stands for the platform's C ABI
  kValue,          // of an enum, 0 ... most
  kCallAlignment,  // 0, or a power of two from the platform's floor to most
  kPowerOfTwo,     // 0, or a power of two up to most
  kResultBits,     // 0, 32, 64
  kAny,            // flags, bytes
};

constexpr unsigned kByte = std::numeric_limits<std::uint8_t>::max();

// A field of the contract, or several of the same kind in a row. All are bytes, but for r10_bias.
struct Field {
  std::string_view name;
  std::size_t offset;
  Kind kind;
  unsigned most;
  std::size_t count;
};

#define PLUMB_FIELD(name, kind, most) \
  Field { #name, offsetof(plumb_contract, name), Kind::kind, most, sizeof(plumb_contract::name) }
constexpr std::array kFields{
    PLUMB_FIELD(bpf_register, kRegister, kByte),
    PLUMB_FIELD(frame_pointer, kRegister, kByte),
    PLUMB_FIELD(r10_bias_known, kValue, PLUMB_YES),
    PLUMB_FIELD(r10_moved_by, kValue, PLUMB_CALLER),
    PLUMB_FIELD(r10_only_where_used, kValue, PLUMB_YES),
    PLUMB_FIELD(r6_r9_saved_by, kValue, PLUMB_CALLER),
    PLUMB_FIELD(helper_argument, kNamedRegister, kByte),
    PLUMB_FIELD(helper_result, kNamedRegister, kByte),
    PLUMB_FIELD(entry_context, kNamedRegister, kByte),
    PLUMB_FIELD(entry_context_size, kNamedRegister, kByte),
    PLUMB_FIELD(entry_stack, kNamedRegister, kByte),
    PLUMB_FIELD(entry_stack_size, kNamedRegister, kByte),
    PLUMB_FIELD(call_alignment, kCallAlignment, 64),
    PLUMB_FIELD(sp_at_calls, kValue, PLUMB_SP_VARIES),
    PLUMB_FIELD(result_bits, kResultBits, 64),
    PLUMB_FIELD(bpf_stack, kValue, PLUMB_STACK_ELSEWHERE),
    PLUMB_FIELD(frame_rounding, kPowerOfTwo, 128),
    PLUMB_FIELD(division_by_zero, kValue, PLUMB_DIVISION_ENDS_PROGRAM),
    PLUMB_FIELD(empty_slot_consumes_count, kValue, PLUMB_YES),
    PLUMB_FIELD(calls_keep_count, kValue, PLUMB_YES),
    PLUMB_FIELD(landing_pad, kValue, PLUMB_LANDING_PAD_BTI),
    PLUMB_FIELD(call_preamble, kAny, kByte),
    PLUMB_FIELD(verifier_rules, kAny, kByte),
    PLUMB_FIELD(count_in_frames, kValue, PLUMB_YES),
    PLUMB_FIELD(constants_blinded, kValue, PLUMB_YES),
    PLUMB_FIELD(return_addresses_signed, kValue, PLUMB_YES),
    PLUMB_FIELD(cfi_hashes, kValue, PLUMB_YES),
    PLUMB_FIELD(cfi_hash_below, kAny, kByte),
};
#undef PLUMB_FIELD

bool is_power_of_two_or_0(unsigned value) { return value == 0 || std::has_single_bit(value); }

// What is wrong with the value: the range that it should be in. Empty: nothing.
std::string complaint(const Field& field, unsigned value, const Platform& on) {
  switch (field.kind) {
    case Kind::kRegister:
      if (value <= on.registers || value == PLUMB_NO_REGISTER) return {};
      return fmt::format("0, PLUMB_REGISTER(0) to ({}) on {}, or PLUMB_NO_REGISTER",
                         on.registers - 1, on.name);
    case Kind::kNamedRegister:
      if (value <= on.registers) return {};
      return fmt::format("0, or PLUMB_REGISTER(0) to ({}) on {}", on.registers - 1, on.name);
    case Kind::kValue:
      return value <= field.most ? "" : fmt::format("from 0 to {}", field.most);
    case Kind::kCallAlignment:
      if (is_power_of_two_or_0(value) && value <= field.most &&
          (value == 0 || value >= on.call_alignment)) {
        return {};
      }
      return fmt::format("a power of two from {} to {} on {}", on.call_alignment, field.most,
                         on.name);
    case Kind::kPowerOfTwo:
      return is_power_of_two_or_0(value) && value <= field.most
                 ? ""
                 : fmt::format("a power of two up to {}", field.most);
    case Kind::kResultBits:
      return value == 0 || value == 32 || value == 64 ? "" : "32 or 64";
    case Kind::kAny:
      return {};
  }
  return {};
}

Result<void> check_contract(const plumb_contract& contract, Arch arch) {
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(&contract);
  for (const Field& field : kFields) {
    for (std::size_t i = 0; i < field.count; ++i) {
      const unsigned value = bytes[field.offset + i];
      const std::string range = complaint(field, value, platform_of(arch));
      if (range.empty()) continue;
      const std::string index = field.count > 1 ? fmt::format("[{}]", i) : "";
      return out_of_range(fmt::format("contract.{}{}", field.name, index), value, range);
    }
  }
  constexpr std::int32_t kMostBias = 65536;
  if (contract.r10_bias_known == PLUMB_YES &&
      (contract.r10_bias < -kMostBias || contract.r10_bias > kMostBias)) {
    return out_of_range("contract.r10_bias", contract.r10_bias,
                        fmt::format("from {} to {}", -kMostBias, kMostBias));
  }
  if (contract.return_addresses_signed == PLUMB_YES && arch != Arch::kArm64) {
    return out_of_range("contract.return_addresses_signed", contract.return_addresses_signed,
                        fmt::format("0 or PLUMB_NO on {}", platform_of(arch).name));
  }
  constexpr unsigned kHashSize = 4;
  if (contract.cfi_hashes == PLUMB_YES && contract.cfi_hash_below < kHashSize) {
    return out_of_range("contract.cfi_hash_below", contract.cfi_hash_below,
                        fmt::format("{} or more where there are hashes", kHashSize));
  }
  return {};
}

NativeRegister native(std::uint8_t code) {
  if (code == 0) return {};
  if (code == PLUMB_NO_REGISTER) return NativeRegister::none();
  return {static_cast<std::uint8_t>(code - 1)};
}

RegisterMap registers_of(const plumb_contract& c) {
  RegisterMap out;
  std::ranges::transform(c.bpf_register, out.bpf.begin(), native);
  out.frame_pointer = native(c.frame_pointer);
  out.r10_bias = std::nullopt;
  if (c.r10_bias_known == PLUMB_YES) out.r10_bias = c.r10_bias;
  std::ranges::transform(c.helper_argument, out.helper_argument.begin(), native);
  out.helper_result = native(c.helper_result);
  out.entry_context = native(c.entry_context);
  out.entry_context_size = native(c.entry_context_size);
  out.entry_stack = native(c.entry_stack);
  out.entry_stack_size = native(c.entry_stack_size);
  return out;
}

Contract contract_of(const plumb_contract& c) {
  Contract out;
  out.empty_slot_consumes_count = static_cast<Tristate>(c.empty_slot_consumes_count);
  // Where it matters whether calls keep the count and nobody says, nobody knows what is consumed.
  if (out.empty_slot_consumes_count == Tristate::kYes && c.calls_keep_count == PLUMB_UNKNOWN) {
    out.empty_slot_consumes_count = Tristate::kUnknown;
  }
  out.calls_keep_count = c.calls_keep_count == PLUMB_YES;
  out.count_in_frames = static_cast<Tristate>(c.count_in_frames);
  out.call_alignment = c.call_alignment;
  out.sp_at_calls = static_cast<SpAtCalls>(c.sp_at_calls);
  out.result_bits = c.result_bits;
  out.frame_rounding = std::max<int>(c.frame_rounding, 1);
  out.bpf_stack = static_cast<BpfStack>(c.bpf_stack);
  out.division_by_zero = static_cast<DivisionByZero>(c.division_by_zero);
  out.r6_r9_saved_by = static_cast<Side>(c.r6_r9_saved_by);
  out.r10_moved_by = static_cast<Side>(c.r10_moved_by);
  out.r10_only_where_used = static_cast<Tristate>(c.r10_only_where_used);
  out.chain_rounding = (c.verifier_rules & PLUMB_VERIFIER_ROUNDS_TO_16) != 0 ? 16 : 32;
  out.tail_call_in_callback = (c.verifier_rules & PLUMB_VERIFIER_TAIL_CALL_IN_CALLBACK) != 0;
  return out;
}

CodeRule code_rule_of(const plumb_contract& c) {
  CodeRule out;
  out.constants_blinded = static_cast<Tristate>(c.constants_blinded);
  out.return_addresses_signed = static_cast<Tristate>(c.return_addresses_signed);
  out.cfi.hashes = static_cast<Tristate>(c.cfi_hashes);
  if (out.cfi.hashes != Tristate::kYes) return out;
  out.cfi.hash_below = c.cfi_hash_below;
  out.cfi.hash_of_program = c.cfi_hash_of_program;
  out.cfi.hash_of_callback = c.cfi_hash_of_callback;
  return out;
}

// Names of JITs and families become names of files.
Result<void> check_name(const char* text, std::string_view field) {
  constexpr std::size_t kLongest = 64;
  if (text == nullptr) return fail(fmt::format("{} is null", field));
  const std::string name = plugin_text(text);
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._:+-").find(c) != std::string_view::npos;
  };
  if (!name.empty() && name.size() <= kLongest && std::ranges::all_of(name, fits)) return {};
  return fail(fmt::format("{} is '{}': letters, digits and ._:+- only, at most {}", field,
                          name.substr(0, kLongest), kLongest));
}

}  // namespace

Result<void> read_contract(const plumb_contract* from, JitInfo& info) {
  plumb_contract contract{};
  if (from != nullptr) {
    const Result<plumb_contract> filled = take_struct(from, "contract");
    if (!filled) return std::unexpected(filled.error());
    contract = *filled;
  }
  if (auto checked = check_contract(contract, info.arch); !checked) return checked;
  info.contract = contract_of(contract);
  info.registers = registers_of(contract);
  info.landing = {.pad = static_cast<LandingPad>(contract.landing_pad),
                  .call_preamble = contract.call_preamble};
  info.code_rule = code_rule_of(contract);
  return {};
}

Result<JitInfo> read_info(const plumb_plugin_info* from) {
  const Result<plumb_plugin_info> said = take_struct(from, "info");
  if (!said) return std::unexpected(said.error());
  if (said->arch < PLUMB_ARCH_X86_64 || said->arch > PLUMB_ARCH_RISCV64) {
    return out_of_range("info.arch", said->arch, "from 1 to 3");
  }
  Result<void> named = check_name(said->name, "info.name");
  if (named) named = check_name(said->family, "info.family");
  if (!named) return std::unexpected(named.error());
  if (said->version == nullptr) return fail("info.version is null");
  if (said->origin == nullptr) return fail("info.origin is null");
  JitInfo info;
  info.name = said->name;
  info.family = said->family;
  info.version = plugin_text(said->version);
  info.origin = plugin_text(said->origin);
  info.arch = static_cast<Arch>(said->arch);
  info.capabilities = said->capabilities;
  if (auto read = read_contract(said->contract, info); !read) return std::unexpected(read.error());
  return info;
}

}  // namespace plumb::jit
