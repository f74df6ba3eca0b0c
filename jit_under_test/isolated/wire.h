// SPDX-License-Identifier: GPL-2.0-or-later
//
// What goes between a process that judges and the one that holds a plugin for it, as bytes
// (core/codec.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include "core/case.h"
#include "core/codec.h"
#include "core/image.h"
#include "jit_under_test/jit.h"

namespace plumb::jit {

// What is asked, one thing after the other. Each has one answer.
enum class HostRequest : std::uint64_t { kOpen = 1, kLoad, kUnload };

struct OpenAnswer {
  std::string error;  // empty: it is open
  JitInfo info;
  Range arena;  // where the plugin's code will lie
};

struct LoadAnswer {
  LoadOutcome::Status status = LoadOutcome::Status::kBroken;
  std::string reason;
  std::optional<Image> image;  // kLoaded; without its placement
};

struct UnloadAnswer {
  std::uint64_t kept = 0;  // struct Unloaded
};

// The part of a case that a plugin gets to see.
[[nodiscard]] std::string encode_request(const Case& value);
[[nodiscard]] std::optional<Case> decode_request(std::string_view bytes);

// Can this be the image of the case? What read_image() made sure of in the process that holds the
// plugin, once more: anything may have happened there since.
[[nodiscard]] bool is_sound(const Image& image, const Case& value, const JitInfo& info,
                            Range arena);

}  // namespace plumb::jit

namespace plumb {

template <>
struct Enumerators<ThrowSp> {
  static constexpr auto first = ThrowSp::kUnknown;
  static constexpr auto last = ThrowSp::kZero;
};
template <>
struct Enumerators<Arch> {
  static constexpr Arch first = Arch::kX86_64;
  static constexpr Arch last = Arch::kRiscv64;
};
template <>
struct Enumerators<Tristate> {
  static constexpr Tristate first = Tristate::kUnknown;
  static constexpr Tristate last = Tristate::kYes;
};
template <>
struct Enumerators<Side> {
  static constexpr Side first = Side::kUnknown;
  static constexpr Side last = Side::kCaller;
};
template <>
struct Enumerators<SpAtCalls> {
  static constexpr SpAtCalls first = SpAtCalls::kUnknown;
  static constexpr SpAtCalls last = SpAtCalls::kVaries;
};
template <>
struct Enumerators<BpfStack> {
  static constexpr BpfStack first = BpfStack::kUnknown;
  static constexpr BpfStack last = BpfStack::kElsewhere;
};
template <>
struct Enumerators<DivisionByZero> {
  static constexpr DivisionByZero first = DivisionByZero::kUnknown;
  static constexpr DivisionByZero last = DivisionByZero::kEndsProgram;
};
template <>
struct Enumerators<LandingPad> {
  static constexpr LandingPad first = LandingPad::kUnknown;
  static constexpr LandingPad last = LandingPad::kBti;
};
template <>
struct Enumerators<Preparation> {
  static constexpr Preparation first = Preparation::kVerifier;
  static constexpr Preparation last = Preparation::kZeroExtended;
};
template <>
struct Enumerators<unwind::Row::Base> {
  static constexpr auto first = unwind::Row::Base::kStackPointer;
  static constexpr auto last = unwind::Row::Base::kFramePointer;
};
template <>
struct Enumerators<unwind::Row::Kind> {
  // What else there is no JIT hands over.
  static constexpr auto first = unwind::Row::Kind::kUnknown;
  static constexpr auto last = unwind::Row::Kind::kFrame;
};
template <>
struct Enumerators<jit::LoadOutcome::Status> {
  // That a plugin died is not what it says itself.
  static constexpr auto first = jit::LoadOutcome::Status::kLoaded;
  static constexpr auto last = jit::LoadOutcome::Status::kBroken;
};

template <>
struct Members<Contract> {
  static constexpr std::tuple value{&Contract::empty_slot_consumes_count,
                                    &Contract::calls_keep_count,
                                    &Contract::count_in_frames,
                                    &Contract::call_alignment,
                                    &Contract::sp_at_calls,
                                    &Contract::result_bits,
                                    &Contract::frame_rounding,
                                    &Contract::bpf_stack,
                                    &Contract::division_by_zero,
                                    &Contract::r6_r9_saved_by,
                                    &Contract::r10_moved_by,
                                    &Contract::r10_only_where_used,
                                    &Contract::chain_rounding,
                                    &Contract::tail_call_in_callback};
};
template <>
struct Members<LandingRule> {
  static constexpr std::tuple value{&LandingRule::pad, &LandingRule::call_preamble};
};
template <>
struct Members<CfiRule> {
  static constexpr std::tuple value{&CfiRule::hashes, &CfiRule::hash_below,
                                    &CfiRule::hash_of_program, &CfiRule::hash_of_callback};
};
template <>
struct Members<CodeRule> {
  static constexpr std::tuple value{&CodeRule::constants_blinded,
                                    &CodeRule::return_addresses_signed, &CodeRule::cfi};
};
template <>
struct Members<RegisterMap> {
  static constexpr std::tuple value{&RegisterMap::bpf,
                                    &RegisterMap::frame_pointer,
                                    &RegisterMap::r10_bias,
                                    &RegisterMap::helper_argument,
                                    &RegisterMap::helper_result,
                                    &RegisterMap::entry_context,
                                    &RegisterMap::entry_context_size,
                                    &RegisterMap::entry_stack,
                                    &RegisterMap::entry_stack_size};
};
template <>
struct Members<FrameRule> {
  static constexpr std::tuple value{&FrameRule::frame_pointer_offset,
                                    &FrameRule::landing_below_entry};
};
template <>
struct Members<Range> {
  static constexpr std::tuple value{&Range::address, &Range::size};
};
template <>
struct Members<NativeFunction> {
  static constexpr std::tuple value{
      &NativeFunction::program,         &NativeFunction::function,
      &NativeFunction::address,         &NativeFunction::size,
      &NativeFunction::tail_call_entry, &NativeFunction::tail_call_entry_unknown,
      &NativeFunction::stack_size,      &NativeFunction::tail_call_reachable,
      &NativeFunction::r10_register,    &NativeFunction::insn_offsets,
      &NativeFunction::fp_begin,        &NativeFunction::fp_end};
};
template <>
struct Members<Symbol> {
  static constexpr std::tuple value{&Symbol::name, &Symbol::address, &Symbol::is_thunk,
                                    &Symbol::size};
};
template <>
struct Members<unwind::Row> {
  static constexpr std::tuple value{&unwind::Row::begin,      &unwind::Row::kind,
                                    &unwind::Row::base,       &unwind::Row::cfa_offset,
                                    &unwind::Row::fp_offset,  &unwind::Row::ra_offset,
                                    &unwind::Row::is_reliable};
};
template <>
struct Members<ThrowPath> {
  static constexpr std::tuple value{&ThrowPath::program, &ThrowPath::boundary, &ThrowPath::callback,
                                    &ThrowPath::address, &ThrowPath::sp};
};
template <>
struct Members<Image> {
  static constexpr std::tuple value{&Image::arch,
                                    &Image::jit,
                                    &Image::family,
                                    &Image::contract,
                                    &Image::registers,
                                    &Image::frame,
                                    &Image::landing,
                                    &Image::code_rule,
                                    &Image::placement,
                                    &Image::arena,
                                    &Image::entry,
                                    &Image::functions,
                                    &Image::program_entries,
                                    &Image::code,
                                    &Image::arrays,
                                    &Image::symbols,
                                    &Image::unwind_rows,
                                    &Image::throws};
};
template <>
struct Members<jit::JitInfo> {
  static constexpr std::tuple value{
      &jit::JitInfo::name,     &jit::JitInfo::family,    &jit::JitInfo::version,
      &jit::JitInfo::origin,   &jit::JitInfo::arch,      &jit::JitInfo::capabilities,
      &jit::JitInfo::contract, &jit::JitInfo::registers, &jit::JitInfo::frame,
      &jit::JitInfo::landing,  &jit::JitInfo::code_rule, &jit::JitInfo::counts_memory,
      &jit::JitInfo::notice};
};
template <>
struct Members<jit::UnloadAnswer> {
  static constexpr std::tuple value{&jit::UnloadAnswer::kept};
};
template <>
struct Members<jit::OpenAnswer> {
  static constexpr std::tuple value{&jit::OpenAnswer::error, &jit::OpenAnswer::info,
                                    &jit::OpenAnswer::arena};
};
template <>
struct Members<jit::LoadAnswer> {
  static constexpr std::tuple value{&jit::LoadAnswer::status, &jit::LoadAnswer::reason,
                                    &jit::LoadAnswer::image};
};
template <>
struct Members<Function> {
  static constexpr std::tuple value{&Function::name, &Function::insns, &Function::stack_depth};
};
template <>
struct Members<Program> {
  static constexpr std::tuple value{&Program::name, &Program::functions, &Program::preparation,
                                    &Program::exception_callback, &Program::has_default_callback};
};
template <>
struct Members<ProgArray> {
  static constexpr std::tuple value{&ProgArray::name, &ProgArray::slots};
};
template <>
struct Members<Region> {
  static constexpr std::tuple value{&Region::name, &Region::bytes};
};

// One word, as RFC 9669 lays it out.
template <>
struct CustomCoding<Insn> {
  static void encode(Encoder& encoder, const Insn& insn);
  static bool decode(Decoder& decoder, Insn& insn);
};

// Its number, or that there is none, or that nobody says which.
template <>
struct CustomCoding<NativeRegister> {
  static void encode(Encoder& encoder, const NativeRegister& native);
  static bool decode(Decoder& decoder, NativeRegister& native);
};

// It is not sent: it has addresses of this process, and who judges the image makes it anew.
template <>
struct CustomCoding<Placement> {
  static void encode(Encoder&, const Placement&) {}
  static bool decode(Decoder&, Placement&) { return true; }
};

}  // namespace plumb
