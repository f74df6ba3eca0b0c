// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/isolated/wire.h"

#include <algorithm>
#include <set>
#include <utility>

#include "core/capability.h"
#include "core/check.h"

namespace plumb {

void CustomCoding<Insn>::encode(Encoder& encoder, const Insn& insn) {
  PLUMB_CHECK(insn.dst < 16 && insn.src < 16);
  const auto word = [](auto value) { return static_cast<std::uint64_t>(value); };
  encoder.put(word(insn.opcode) | word(insn.dst) << 8 | word(insn.src) << 12 |
              word(static_cast<std::uint16_t>(insn.offset)) << 16 |
              word(static_cast<std::uint32_t>(insn.immediate)) << 32);
}

bool CustomCoding<Insn>::decode(Decoder& decoder, Insn& insn) {
  std::uint64_t word = 0;
  if (!decoder.get(word)) return false;
  insn = {.opcode = static_cast<std::uint8_t>(word),
          .dst = static_cast<std::uint8_t>(word >> 8 & 15),
          .src = static_cast<std::uint8_t>(word >> 12 & 15),
          .offset = static_cast<std::int16_t>(word >> 16),
          .immediate = static_cast<std::int32_t>(word >> 32)};
  return true;
}

namespace {

constexpr std::uint8_t kNoRegister = NativeRegister::kRegisters;
constexpr std::uint8_t kUnknownRegister = kNoRegister + 1;

}  // namespace

void CustomCoding<NativeRegister>::encode(Encoder& encoder, const NativeRegister& native) {
  encoder.put(native.is_known()  ? native.number()
              : native.is_none() ? kNoRegister
                                 : kUnknownRegister);
}

bool CustomCoding<NativeRegister>::decode(Decoder& decoder, NativeRegister& native) {
  std::uint8_t code = 0;
  if (!decoder.get(code) || code > kUnknownRegister) return false;
  native = code < kNoRegister    ? NativeRegister(code)
           : code == kNoRegister ? NativeRegister::none()
                                 : NativeRegister();
  return true;
}

namespace jit {
namespace {

// Who adds a member: does a plugin get to see it?
static_assert(codec_detail::has_members<Case, 8>());

bool is_sound_function(const NativeFunction& native, const Case& value, Range arena) {
  if (native.program < 0 || native.function < 0 ||
      std::cmp_greater_equal(native.program, value.programs.size())) {
    return false;
  }
  const auto& functions = value.programs[static_cast<std::size_t>(native.program)].functions;
  if (std::cmp_greater_equal(native.function, functions.size())) return false;
  const std::size_t slots = functions[static_cast<std::size_t>(native.function)].insns.size();
  const auto& offsets = native.insn_offsets;
  return native.size != 0 && arena.contains(native.address, native.size) &&
         native.tail_call_entry.value_or(0) < native.size &&
         (offsets.empty() || (offsets.size() == slots + 1 && std::ranges::is_sorted(offsets) &&
                              offsets.back() <= native.size));
}

// Each function of the case once.
bool are_sound_functions(const Image& image, const Case& value, Range arena) {
  std::size_t expected = 0;
  for (const Program& program : value.programs) expected += program.functions.size();
  std::set<std::pair<int, int>> there;
  for (const NativeFunction& native : image.functions) {
    if (!is_sound_function(native, value, arena)) return false;
    there.emplace(native.program, native.function);
  }
  return there.size() == expected && image.functions.size() == expected;
}

// Of each prog array; or of none, where the JIT does not announce tail calls.
bool are_sound_arrays(const Image& image, const Case& value, const JitInfo& info) {
  const std::uint64_t tail_calls =
      capability_bit(Capability::kTailCall) | capability_bit(Capability::kTailCallInSubprogram);
  return image.arrays.size() == value.arrays.size() ||
         (image.arrays.empty() && (info.capabilities & tail_calls) == 0);
}

bool are_sound_entries(const Image& image, const Case& value, Range arena) {
  return (image.program_entries.empty() || image.program_entries.size() == value.programs.size()) &&
         arena.contains(image.entry, 1) &&
         std::ranges::all_of(image.program_entries,
                             [arena](std::uint64_t entry) { return arena.contains(entry, 1); });
}

// As read_frame_claims() lets them through. Where the last one ends need not be in the arena.
bool are_sound_rows(const Image& image, Range arena) {
  constexpr std::int32_t kFarthest = 1 << 20;
  const auto is_near = [](std::int32_t offset) {
    return offset % 8 == 0 && offset >= -kFarthest && offset <= kFarthest;
  };
  const auto is_sound = [&](const unwind::Row& row) {
    const bool is_unknown = row.kind == unwind::Row::Kind::kUnknown;
    return (arena.contains(row.begin) || (is_unknown && arena.contains(row.begin, 0))) &&
           row.is_reliable && is_near(row.cfa_offset) && is_near(row.fp_offset.value_or(0)) &&
           is_near(row.ra_offset.value_or(0));
  };
  const auto& rows = image.unwind_rows;
  const auto is_above = [](const unwind::Row& a, const unwind::Row& b) {
    return a.begin >= b.begin;
  };
  return std::ranges::all_of(rows, is_sound) &&
         std::ranges::adjacent_find(rows, is_above) == rows.end() &&
         (rows.empty() || rows.back().kind == unwind::Row::Kind::kUnknown);
}

bool says_the_same(const Image& image, const JitInfo& info) {
  return image.arch == info.arch && image.jit == info.name && image.family == info.family &&
         image.contract == info.contract && image.registers == info.registers &&
         image.frame == info.frame && image.landing == info.landing &&
         image.code_rule == info.code_rule;
}

}  // namespace

std::string encode_request(const Case& value) {
  Encoder encoder;
  encoder.put(value.programs);
  encoder.put(value.arrays);
  encoder.put(value.regions);
  encoder.put(value.context);
  encoder.put(value.enter);
  return std::move(encoder).take();
}

std::optional<Case> decode_request(std::string_view bytes) {
  Decoder decoder(bytes);
  Case value;
  const bool good = decoder.get(value.programs) && decoder.get(value.arrays) &&
                    decoder.get(value.regions) && decoder.get(value.context) &&
                    decoder.get(value.enter);
  if (!good || !decoder.at_end()) return std::nullopt;
  return value;
}

bool is_sound(const Image& image, const Case& value, const JitInfo& info, Range arena) {
  const auto inside = [arena](const auto& part) { return arena.contains(part.address, part.size); };
  return says_the_same(image, info) && image.arena == arena &&
         are_sound_entries(image, value, arena) && are_sound_functions(image, value, arena) &&
         std::ranges::all_of(image.code, inside) && are_sound_arrays(image, value, info) &&
         std::ranges::all_of(image.arrays, inside) && std::ranges::all_of(image.symbols, inside) &&
         are_sound_rows(image, arena);
}

}  // namespace jit
}  // namespace plumb
