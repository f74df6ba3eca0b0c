// SPDX-License-Identifier: GPL-2.0-or-later
#include "reports/code_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstddef>
#include <optional>
#include <string_view>

#include "core/helper_model.h"

namespace plumb::reports {
namespace {

using machine::DisassembledInsn;

std::uint32_t word_of(const DisassembledInsn& insn) {
  std::uint32_t word = 0;
  for (std::size_t i = std::min<std::size_t>(insn.bytes.size(), 4); i-- > 0;) {
    word = word << 8 | insn.bytes[i];
  }
  return word;
}

class Naming {
 public:
  Naming(const Case& value, const Image& image, const NativeFunction& native)
      : value_(value), image_(image), native_(native) {}

  // Of what begins at the address; else empty.
  [[nodiscard]] std::string exact(std::uint64_t address) const {
    for (const NativeFunction& native : image_.functions) {
      if (address == native.address) return function_name(native);
      if (native.tail_call_entry && address == native.address + *native.tail_call_entry) {
        return function_name(native) + " (tail-call landing)";
      }
    }
    for (std::size_t i = 0; i < image_.arrays.size() && i < value_.arrays.size(); ++i) {
      if (address == image_.arrays[i].address) return value_.arrays[i].name;
    }
    for (const Symbol& symbol : image_.symbols) {
      if (symbol.address == address) return symbol.name;
    }
    const auto number = image_.placement.helper_at(address);
    const HelperInfo* helper = number ? find_helper(*number) : nullptr;
    return helper == nullptr ? std::string() : fmt::format("bpf_{}", helper->name);
  }

  // Of any address of code; else empty.
  [[nodiscard]] std::string code(std::uint64_t address) const {
    if (std::string name = exact(address); !name.empty()) return name;
    if (address - native_.address <= native_.size) {
      return fmt::format("+{:#x}", address - native_.address);
    }
    if (const NativeFunction* other = image_.function_at(address)) {
      return fmt::format("{}+{:#x}", function_name(*other), address - other->address);
    }
    const bool is_code = std::ranges::any_of(
        image_.code, [address](const Range& range) { return range.contains(address); });
    return is_code ? fmt::format("code+{:#x}", address - image_.code.front().address)
                   : std::string();
  }

 private:
  [[nodiscard]] std::string function_name(const NativeFunction& native) const {
    const Program& program = value_.programs[static_cast<std::size_t>(native.program)];
    return program.name + "." + program.functions[static_cast<std::size_t>(native.function)].name;
  }

  const Case& value_;
  const Image& image_;
  const NativeFunction& native_;
};

// Every number of the text that is an address of code, or of what has a name, becomes the name.
std::string with_names(const Naming& naming, Arch arch, std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const bool begins = text.substr(at).starts_with("0x") &&
                        (at == 0 || (std::isalnum(static_cast<unsigned char>(text[at - 1])) == 0 &&
                                     text[at - 1] != '-'));
    std::uint64_t number = 0;
    const char* const digits = text.data() + at + 2;
    const auto [end, error] = begins
                                  ? std::from_chars(digits, text.data() + text.size(), number, 16)
                                  : std::from_chars_result{digits, std::errc::invalid_argument};
    const std::string name =
        error == std::errc() ? naming.code(code_address(arch, number)) : std::string();
    if (name.empty()) {
      out += text[at++];
      continue;
    }
    if (out.ends_with('#')) out.pop_back();
    out += name;
    at = static_cast<std::size_t>(end - text.data());
  }
  return out;
}

// movz, movn and movk of one register build a number from pieces of 16 bits: Arm Architecture
// Reference Manual, C4.1, "move wide (immediate)".
struct MoveWide {
  enum class Kind : std::uint8_t { kNot = 0, kZero = 2, kKeep = 3 };  // the field opc
  Kind kind = Kind::kNot;
  bool is_64 = false;
  int shift = 0;  // in pieces
  std::uint64_t piece = 0;
  int destination = 0;
};

std::optional<MoveWide> move_wide(std::uint32_t word) {
  if ((word & 0x1f800000) != 0x12800000 || (word >> 29 & 3) == 1) return std::nullopt;
  return MoveWide{.kind = static_cast<MoveWide::Kind>(word >> 29 & 3),
                  .is_64 = word >> 31 != 0,
                  .shift = static_cast<int>(word >> 21 & 3),
                  .piece = word >> 5 & 0xffff,
                  .destination = static_cast<int>(word & 31)};
}

void name_pieces_arm64(const Naming& naming, std::span<const DisassembledInsn> insns,
                       std::vector<std::string>& texts) {
  for (std::size_t i = 0; i < insns.size(); ++i) {
    const auto first = move_wide(word_of(insns[i]));
    if (!first || first->kind == MoveWide::Kind::kKeep) continue;
    std::uint64_t number = first->piece << 16 * first->shift;
    if (first->kind == MoveWide::Kind::kNot) number = ~number;
    std::size_t end = i + 1;
    for (; end < insns.size(); ++end) {
      const auto next = move_wide(word_of(insns[end]));
      if (!next || next->kind != MoveWide::Kind::kKeep || next->destination != first->destination) {
        break;
      }
      number &= ~(std::uint64_t{0xffff} << 16 * next->shift);
      number |= next->piece << 16 * next->shift;
    }
    if (!first->is_64) number &= 0xffff'ffff;
    const std::string name = naming.exact(code_address(Arch::kArm64, number));
    for (std::size_t k = i; k < end && !name.empty(); ++k) {
      const std::size_t from = texts[k].find('#');
      const std::size_t to = std::min(texts[k].find(',', from), texts[k].size());
      texts[k].replace(from, to - from,
                       fmt::format("#:abs_g{}:{}", move_wide(word_of(insns[k]))->shift, name));
    }
    i = end - 1;
  }
}

// Pairs of a part of 20 and one of 12 bits: RISC-V Assembly Programmer's Manual, "relocation
// functions".
constexpr std::uint32_t kLui = 0x37;
constexpr std::uint32_t kAuipc = 0x17;
constexpr std::uint32_t kAddi = 0x13;
constexpr std::uint32_t kAddiw = 0x1b;
constexpr std::uint32_t kJalr = 0x67;

std::uint32_t destination(std::uint32_t word) { return word >> 7 & 31; }
std::uint32_t source(std::uint32_t word) { return word >> 15 & 31; }

// What the second of a pair adds to the register that the first one wrote.
std::optional<std::uint64_t> low_part(std::uint32_t first, const DisassembledInsn* second) {
  if (second == nullptr) return std::nullopt;
  const std::uint32_t word = word_of(*second);
  const std::uint32_t opcode = word & 0x7f;
  const bool adds = (opcode == kAddi || opcode == kAddiw) && (word >> 12 & 7) == 0;
  if ((!adds && opcode != kJalr) || source(word) != destination(first)) return std::nullopt;
  return static_cast<std::uint64_t>(std::int64_t{static_cast<std::int32_t>(word) >> 20});
}

// The number that an instruction's text has as its last operand, replaced.
void replace_operand(std::string& text, std::string_view with) {
  const std::size_t begin = text.find_last_of(" \t,") + 1;
  const std::size_t end = std::min(text.find('(', begin), text.size());
  text.replace(begin, end - begin, with);
}

void name_pieces_riscv64(const Naming& naming, std::span<const DisassembledInsn> insns,
                         std::vector<std::string>& texts) {
  for (std::size_t i = 0; i < insns.size(); ++i) {
    const std::uint32_t first = word_of(insns[i]);
    const bool is_relative = (first & 0x7f) == kAuipc;
    if (insns[i].bytes.size() != 4 || (!is_relative && (first & 0x7f) != kLui)) continue;
    const auto high =
        static_cast<std::uint64_t>(std::int64_t{static_cast<std::int32_t>(first & 0xffff'f000)});
    const auto low = low_part(first, i + 1 < insns.size() ? &insns[i + 1] : nullptr);
    const std::uint64_t number = high + low.value_or(0) + (is_relative ? insns[i].address : 0);
    const std::string name = is_relative ? naming.code(number) : naming.exact(number);
    if (name.empty()) continue;
    const std::string_view prefix = is_relative ? "pcrel_" : "";
    replace_operand(texts[i], fmt::format("%{}hi({})", prefix, name));
    if (low) replace_operand(texts[i + 1], fmt::format("%{}lo({})", prefix, name));
  }
}

}  // namespace

std::vector<std::string> instruction_texts(const Case& value, const Image& image,
                                           const NativeFunction& native,
                                           std::span<const DisassembledInsn> insns) {
  const Naming naming(value, image, native);
  std::vector<std::string> texts;
  for (const DisassembledInsn& insn : insns) {
    texts.push_back(with_names(naming, image.arch, insn.text));
  }
  if (image.arch == Arch::kArm64) name_pieces_arm64(naming, insns, texts);
  if (image.arch == Arch::kRiscv64) name_pieces_riscv64(naming, insns, texts);
  return texts;
}

}  // namespace plumb::reports
