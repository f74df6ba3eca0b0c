// SPDX-License-Identifier: GPL-2.0-or-later
#include <array>
#include <utility>

#include "harness/doctor.h"

namespace plumb::harness {
namespace {

using Info = jit::JitInfo;

DoctorChoice choice(std::string text, std::function<void(Info&)> change) {
  return {.text = std::move(text), .amendment = {.info = std::move(change), .image = {}}};
}

// ---- words with a few values each ----

// A value of a word, and its name.
template <typename Value>
struct Named {
  Value value;
  std::string_view name;
};

constexpr std::array kTristates{Named<Tristate>{Tristate::kNo, "no"},
                                Named<Tristate>{Tristate::kYes, "yes"},
                                Named<Tristate>{Tristate::kUnknown, "unknown"}};
constexpr std::array kSides{Named<Side>{Side::kCallee, "callee"},
                            Named<Side>{Side::kCaller, "caller"},
                            Named<Side>{Side::kUnknown, "unknown"}};
constexpr std::array kSps{Named<SpAtCalls>{SpAtCalls::kConstant, "constant"},
                          Named<SpAtCalls>{SpAtCalls::kByKind, "by kind"},
                          Named<SpAtCalls>{SpAtCalls::kVaries, "varies"},
                          Named<SpAtCalls>{SpAtCalls::kUnknown, "unknown"}};
constexpr std::array kStacks{Named<BpfStack>{BpfStack::kInFrame, "in the frame"},
                             Named<BpfStack>{BpfStack::kElsewhere, "elsewhere"},
                             Named<BpfStack>{BpfStack::kUnknown, "unknown"}};
constexpr std::array kDivisions{Named<DivisionByZero>{DivisionByZero::kRfc, "as in the RFC"},
                                Named<DivisionByZero>{DivisionByZero::kEndsProgram, "ends"},
                                Named<DivisionByZero>{DivisionByZero::kUnknown, "unknown"}};
constexpr std::array kBits{Named<int>{64, "64"}, Named<int>{32, "32"}, Named<int>{0, "unknown"}};
constexpr std::array kAlignments{Named<int>{16, "16"}, Named<int>{8, "8"},
                                 Named<int>{0, "unknown"}};
constexpr std::array kPads{Named<LandingPad>{LandingPad::kNone, "none"},
                           Named<LandingPad>{LandingPad::kEndbr64, "endbr64"},
                           Named<LandingPad>{LandingPad::kBti, "bti"},
                           Named<LandingPad>{LandingPad::kUnknown, "unknown"}};

template <typename Value, std::size_t N>
DoctorField word(std::string name, const std::array<Named<Value>, N>& values, const Info& info,
                 Value& (*place)(Info&)) {
  Info copy = info;
  const Value declared = place(copy);
  DoctorField field{.name = std::move(name), .declared = {}, .choices = {}};
  for (const Named<Value>& other : values) {
    if (other.value == declared) {
      field.declared = other.name;
    } else {
      field.choices.push_back(choice(std::string(other.name),
                                     [place, value = other.value](Info& i) { place(i) = value; }));
    }
  }
  return field;
}

// ---- registers ----

using RegisterPlace = std::function<NativeRegister&(Info&)>;

constexpr std::uint8_t stack_pointer(Arch arch) {
  return arch == Arch::kX86_64 ? 4 : arch == Arch::kArm64 ? 31 : 2;
}

DoctorField native_register(std::string name, const Info& info, const RegisterPlace& place,
                            bool may_be_none = false) {
  Info copy = info;
  const NativeRegister declared = place(copy);
  DoctorField field{
      .name = std::move(name), .declared = register_name(info.arch, declared), .choices = {}};
  const auto add = [&](NativeRegister other) {
    if (other == declared) return;
    field.choices.push_back(
        choice(register_name(info.arch, other), [place, other](Info& i) { place(i) = other; }));
  };
  for (std::uint8_t number = 0; number < register_count(info.arch); ++number) {
    if (number != stack_pointer(info.arch)) add(number);
  }
  if (may_be_none) add(NativeRegister::none());
  add({});
  return field;
}

DoctorField bpf_register(const Info& info, std::size_t number) {
  return native_register("contract.bpf_register[" + std::to_string(number) + "]", info,
                         [number](Info& i) -> NativeRegister& { return i.registers.bpf[number]; });
}

DoctorField r10_bias(const Info& info) {
  const auto bias = info.registers.r10_bias;
  DoctorField field{.name = "contract.r10_bias",
                    .declared = bias ? std::to_string(*bias) : "unknown",
                    .choices = {}};
  if (bias != 0) field.choices.push_back(choice("0", [](Info& i) { i.registers.r10_bias = 0; }));
  if (bias) {
    field.choices.push_back(choice("unknown", [](Info& i) { i.registers.r10_bias.reset(); }));
  }
  return field;
}

// ---- what an image says ----

DoctorField of_images(std::string name, std::function<void(NativeFunction&)> forget) {
  return {.name = std::move(name),
          .declared = "what the image says",
          .choices = {{.text = "unknown",
                       .amendment = {.info = {}, .image = [forget = std::move(forget)](Image& i) {
                                       for (NativeFunction& function : i.functions) {
                                         forget(function);
                                       }
                                     }}}}};
}

}  // namespace

std::vector<DoctorField> doctor_fields(const jit::JitInfo& info) {
  std::vector<DoctorField> fields;
  const auto add = [&](DoctorField field) { fields.push_back(std::move(field)); };
  add(word(
      "contract.result_bits", kBits, info,
      +[](Info& i) -> int& { return i.contract.result_bits; }));
  add(native_register("contract.entry_context", info,
                      [](Info& i) -> NativeRegister& { return i.registers.entry_context; }));
  add(word(
      "contract.division_by_zero", kDivisions, info,
      +[](Info& i) -> DivisionByZero& { return i.contract.division_by_zero; }));
  add(bpf_register(info, 10));
  add(r10_bias(info));
  add(word(
      "contract.bpf_stack", kStacks, info,
      +[](Info& i) -> BpfStack& { return i.contract.bpf_stack; }));
  add(of_images("image.insn_offsets", [](NativeFunction& f) { f.insn_offsets.clear(); }));
  add(of_images("image.stack_size", [](NativeFunction& f) { f.stack_size.reset(); }));
  for (std::size_t i = 0; i < info.registers.helper_argument.size(); ++i) {
    add(native_register(
        "contract.helper_argument[" + std::to_string(i) + "]", info,
        [i](Info& of) -> NativeRegister& { return of.registers.helper_argument[i]; }));
  }
  add(native_register("contract.helper_result", info,
                      [](Info& i) -> NativeRegister& { return i.registers.helper_result; }));
  add(word(
      "contract.call_alignment", kAlignments, info,
      +[](Info& i) -> int& { return i.contract.call_alignment; }));
  add(native_register(
      "contract.frame_pointer", info,
      [](Info& i) -> NativeRegister& { return i.registers.frame_pointer; }, true));
  for (std::size_t i = 0; i <= 9; ++i) add(bpf_register(info, i));
  add(word(
      "contract.r6_r9_saved_by", kSides, info,
      +[](Info& i) -> Side& { return i.contract.r6_r9_saved_by; }));
  add(word(
      "contract.r10_moved_by", kSides, info,
      +[](Info& i) -> Side& { return i.contract.r10_moved_by; }));
  add(word(
      "contract.r10_only_where_used", kTristates, info,
      +[](Info& i) -> Tristate& { return i.contract.r10_only_where_used; }));
  add(word(
      "contract.sp_at_calls", kSps, info,
      +[](Info& i) -> SpAtCalls& { return i.contract.sp_at_calls; }));
  add(word(
      "contract.landing_pad", kPads, info, +[](Info& i) -> LandingPad& { return i.landing.pad; }));
  add(of_images("image.tail_call_entry", [](NativeFunction& f) {
    f.tail_call_entry_unknown = f.tail_call_entry.has_value();
    f.tail_call_entry.reset();
  }));
  add(word(
      "contract.empty_slot_consumes_count", kTristates, info,
      +[](Info& i) -> Tristate& { return i.contract.empty_slot_consumes_count; }));
  add(word(
      "contract.count_in_frames", kTristates, info,
      +[](Info& i) -> Tristate& { return i.contract.count_in_frames; }));
  add(word(
      "contract.constants_blinded", kTristates, info,
      +[](Info& i) -> Tristate& { return i.code_rule.constants_blinded; }));
  if (info.arch == Arch::kArm64) {
    add(word(
        "contract.return_addresses_signed", kTristates, info,
        +[](Info& i) -> Tristate& { return i.code_rule.return_addresses_signed; }));
  }
  add(word(
      "contract.cfi_hashes", kTristates, info,
      +[](Info& i) -> Tristate& { return i.code_rule.cfi.hashes; }));
  return fields;
}

}  // namespace plumb::harness
