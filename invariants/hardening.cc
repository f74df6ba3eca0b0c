// SPDX-License-Identifier: GPL-2.0-or-later
//
// What hardened kernels ask of code (CodeRule). The emulator enforces none of it, so the bytes
// decide: Unicorn signs nothing, and no caller looks at hashes.
#include <fmt/format.h>

#include <cstddef>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/opcode.h"
#include "invariants/checkers.h"
#include "invariants/constants.h"

namespace plumb::invariants {
namespace {

// Code of a function by the index that it has in the image.
class Code {
 public:
  Code(const View& view, std::size_t index) {
    if (index < view.run().code.size()) code_ = &view.run().code[index];
  }
  // Empty where the range is not all there.
  [[nodiscard]] std::span<const std::uint8_t> bytes(std::uint64_t address, std::size_t size) const {
    if (code_ == nullptr || address < code_->begin) return {};
    const std::uint64_t offset = address - code_->begin;
    if (offset > code_->bytes.size() || size > code_->bytes.size() - offset) return {};
    return std::span(code_->bytes).subspan(static_cast<std::size_t>(offset), size);
  }
  [[nodiscard]] std::optional<std::uint32_t> word(std::uint64_t address) const {
    std::uint32_t word = 0;
    const std::span<const std::uint8_t> found = bytes(address, sizeof(word));
    if (found.empty()) return std::nullopt;
    std::memcpy(&word, found.data(), sizeof(word));
    return word;
  }

 private:
  const FunctionCode* code_ = nullptr;
};

std::size_t index_of(const View& view, const NativeFunction& function) {
  return static_cast<std::size_t>(&function - view.image().functions.data());
}

// ---- hashes ----

// The activation was entered through a pointer: by the kernel, or by a helper.
enum class Entered : std::uint8_t { kOtherwise, kAsProgram, kAsCallback };

Entered how_entered(const View& view, std::size_t activation) {
  const std::int32_t event = view.frames()[activation].entered_by;
  if (event < 0) return activation == 0 ? Entered::kAsProgram : Entered::kOtherwise;
  const MachineEvent& entered = view.run().events[static_cast<std::size_t>(event)];
  const bool by_c_code = entered.kind == EventKind::kCallback || entered.kind == EventKind::kThrow;
  return by_c_code ? Entered::kAsCallback : Entered::kOtherwise;
}

// ---- signed return addresses ----
//
// Words of A64 (Arm Architecture Reference Manual for A-profile, C4.1 and C6.2).

constexpr std::uint32_t kPaciasp = 0xd503233f;
constexpr std::uint32_t kPacibsp = 0xd503237f;
constexpr std::uint32_t kAutiasp = 0xd50323bf;
constexpr std::uint32_t kAutibsp = 0xd50323ff;
constexpr std::uint32_t kRetaa = 0xd65f0bff;
constexpr std::uint32_t kRetab = 0xd65f0fff;
constexpr std::uint32_t kInsnSize = 4;

constexpr bool is_branch(std::uint32_t word) {
  return (word & 0x7c000000) == 0x14000000 ||  // B, BL
         (word & 0xff000000) == 0x54000000 ||  // B.cond
         (word & 0x7c000000) == 0x34000000 ||  // CBZ, CBNZ, TBZ, TBNZ
         (word & 0xfe000000) == 0xd6000000;    // BR, BLR, RET
}

// LDP or LDR of 64 bits with x30 among what is loaded.
constexpr bool loads_x30(std::uint32_t word) {
  constexpr std::uint32_t kX30 = 30;
  const bool first = (word & 31) == kX30;
  const bool second = (word >> 10 & 31) == kX30;
  const bool is_pair = (word & 0xfe400000) == 0xa8400000;
  const bool is_single = (word & 0xffc00000) == 0xf9400000 || (word & 0xffe00000) == 0xf8400000;
  return (is_pair && (first || second)) || (is_single && first);
}

// Is the return address authenticated in the straight code in front of the return, after it was
// loaded?
bool is_authenticated(const Code& code, const NativeFunction& function, std::uint64_t end) {
  std::uint64_t at = end - kInsnSize;
  std::optional<std::uint32_t> word = code.word(at);
  if (word == kRetaa || word == kRetab) return true;
  while (at > function.address) {
    at -= kInsnSize;
    word = code.word(at);
    if (word == kAutiasp || word == kAutibsp) return true;
    if (!word || is_branch(*word) || loads_x30(*word)) return false;
  }
  return false;
}

bool is_signed(const Code& code, const NativeFunction& function) {
  const std::uint64_t body = function.address + function.insn_offsets.front();
  for (std::uint64_t at = function.address; at < body; at += kInsnSize) {
    const std::optional<std::uint32_t> word = code.word(at);
    if (word == kPaciasp || word == kPacibsp) return true;
  }
  return false;
}

// ---- constants ----

struct Standing {
  Place at;
  std::uint32_t constant;
};

struct Search {
  bool looked = false;
  std::vector<Standing> found;
};

void search(const View& view, const NativeFunction& native, Search& into) {
  const auto program = static_cast<std::size_t>(native.program);
  const auto function = static_cast<std::size_t>(native.function);
  const std::vector<Insn>& insns = view.value().programs[program].functions[function].insns;
  const Code code(view, index_of(view, native));
  std::size_t slots = 1;
  for (std::size_t slot = 0; slot < insns.size(); slot += slots) {
    slots = static_cast<std::size_t>(slot_count(insns[slot]));
    const std::size_t next = slot + slots;
    if (next > insns.size() || next >= native.insn_offsets.size()) return;
    const std::uint32_t begin = native.insn_offsets[slot];
    const std::span<const std::uint8_t> bytes =
        code.bytes(native.address + begin, native.insn_offsets[next] - begin);
    for (const std::uint32_t constant :
         constants_of(insns[slot], slots == 2 ? &insns[slot + 1] : nullptr)) {
      if (!is_distinctive(constant)) continue;
      into.looked = true;
      if (!stands_in(view.image().arch, bytes, constant)) continue;
      into.found.push_back({.at = view.place_of(native.address + begin), .constant = constant});
    }
  }
}

// Whose prologue signed what the function returns to: its own, or that of the boundary whose frame
// an exception callback took over.
const NativeFunction* signer_of(const View& view, const ReturnSite& site,
                                const NativeFunction* returns) {
  if (!view.is_exception_callback(site.activation)) return returns;
  const std::int32_t boundary = view.run().activations[site.activation].replaced;
  const Frame* const frame = view.frame(boundary);
  return frame != nullptr && frame->native != nullptr ? frame->native : returns;
}

}  // namespace

Answer check_cfi_hash_matches_kind(const View& view) {
  const CfiRule& rule = view.image().code_rule.cfi;
  if (rule.hashes == Tristate::kUnknown) return not_applicable(NotApplicableReason::kHashesUnknown);
  if (rule.hashes == Tristate::kNo) return not_applicable(NotApplicableReason::kNoHashes);
  bool looked = false;
  for (std::size_t i = 0; i < view.frames().size(); ++i) {
    const NativeFunction* const native = view.frames()[i].native;
    const Entered entered = how_entered(view, i);
    const auto activation = static_cast<std::int64_t>(i);
    // The kernel looks in front of a thunk that leads to the program.
    if (native == nullptr || entered == Entered::kOtherwise ||
        view.is_entered_by_thunk(activation)) {
      continue;
    }
    looked = true;
    const bool is_callback = entered == Entered::kAsCallback;
    const std::uint32_t expected = is_callback ? rule.hash_of_callback : rule.hash_of_program;
    const Code code(view, index_of(view, *native));
    const std::optional<std::uint32_t> seen =
        code.word(native->address - static_cast<std::uint64_t>(rule.hash_below));
    if (seen == expected) continue;
    return view.at_entry_of(
        "cfi-hash-matches-kind", activation,
        fmt::format("{} looks for the hash {:08x} in front of {} and finds {}",
                    is_callback ? "the helper that calls back" : "the kernel", expected,
                    view.code_name(native->address),
                    seen ? fmt::format("{:08x}", *seen) : "nothing that can be read"));
  }
  return held_if(looked, NotApplicableReason::kNoHashes);
}

Answer check_return_address_authenticated(const View& view) {
  const Tristate rule = view.image().code_rule.return_addresses_signed;
  if (rule == Tristate::kUnknown) return not_applicable(NotApplicableReason::kSigningUnknown);
  if (rule == Tristate::kNo) return not_applicable(NotApplicableReason::kNotSigned);
  Unseen unseen;
  for (const ReturnSite& site : view.run().returns) {
    const NativeFunction* const function = view.image().function_at(site.end - kInsnSize);
    if (function == nullptr) continue;
    const Code code(view, index_of(view, *function));
    const auto event = static_cast<std::size_t>(site.event);
    const auto broken = [&](std::string_view what) {
      Violation violation =
          view.at_event("return-address-authenticated", event, site.activation,
                        fmt::format("{}: {}", view.code_name(site.end - kInsnSize), what));
      return violation;
    };
    if (!is_authenticated(code, *function, site.end)) {
      return broken("a return to an address that was loaded and not authenticated");
    }
    if (function->insn_offsets.empty()) {
      unseen.note(NotApplicableReason::kOffsetsUnknown);
    } else if (const NativeFunction* const signer = signer_of(view, site, function);
               !is_signed(Code(view, index_of(view, *signer)), *signer)) {
      return broken("the return address is authenticated, and the prologue does not sign it");
    }
  }
  return unseen.held_if(!view.run().returns.empty(), NotApplicableReason::kNoReturn);
}

// Random numbers may be what a constant is, or put it together: of two constants in one image, once
// in 10^15.
Answer check_constants_blinded(const View& view) {
  const Tristate rule = view.image().code_rule.constants_blinded;
  if (rule == Tristate::kUnknown) return not_applicable(NotApplicableReason::kBlindingUnknown);
  if (rule == Tristate::kNo) return not_applicable(NotApplicableReason::kNotBlinded);
  Unseen unseen;
  Search searched;
  for (const NativeFunction& native : view.image().functions) {
    unseen.note_if(native.insn_offsets.empty(), NotApplicableReason::kOffsetsUnknown);
    search(view, native, searched);
  }
  constexpr std::size_t kNoChance = 2;
  if (searched.found.size() >= kNoChance) {
    const Standing& first = searched.found.front();
    Violation violation = view.at_end(
        "constants-blinded",
        fmt::format("the constants {:#x} and {:#x} of the program stand in its code as they are",
                    first.constant, searched.found[1].constant));
    violation.at = first.at;
    violation.role = first.at.function == 0 ? "main" : "subprogram";
    return violation;
  }
  return unseen.held_if(searched.looked, NotApplicableReason::kNoConstant);
}

}  // namespace plumb::invariants
