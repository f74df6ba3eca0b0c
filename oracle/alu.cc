// SPDX-License-Identifier: GPL-2.0-or-later
#include "oracle/alu.h"

#include <bit>
#include <limits>
#include <type_traits>

#include "core/check.h"

namespace plumb::oracle {
namespace {

// The quotient of the most negative number and -1 does not fit; it wraps to itself.
template <typename Unsigned>
Unsigned signed_quotient(Unsigned dst, Unsigned src) {
  using Signed = std::make_signed_t<Unsigned>;
  if (src == 0) return 0;
  if (static_cast<Signed>(src) == -1) return static_cast<Unsigned>(0 - dst);
  return static_cast<Unsigned>(static_cast<Signed>(dst) / static_cast<Signed>(src));
}

template <typename Unsigned>
Unsigned signed_remainder(Unsigned dst, Unsigned src) {
  using Signed = std::make_signed_t<Unsigned>;
  if (src == 0) return dst;
  if (static_cast<Signed>(src) == -1) return 0;
  return static_cast<Unsigned>(static_cast<Signed>(dst) % static_cast<Signed>(src));
}

template <typename Unsigned>
Unsigned binary(Operation operation, Unsigned dst, Unsigned src) {
  const auto count = static_cast<int>(src & (std::numeric_limits<Unsigned>::digits - 1));
  switch (operation) {
    case Operation::kAdd:
      return dst + src;
    case Operation::kSub:
      return dst - src;
    case Operation::kMul:
      return dst * src;
    case Operation::kDiv:
      return src == 0 ? 0 : dst / src;
    case Operation::kSdiv:
      return signed_quotient(dst, src);
    case Operation::kOr:
      return dst | src;
    case Operation::kAnd:
      return dst & src;
    case Operation::kLsh:
      return dst << count;
    case Operation::kRsh:
      return dst >> count;
    case Operation::kMod:
      return src == 0 ? dst : dst % src;
    case Operation::kSmod:
      return signed_remainder(dst, src);
    case Operation::kXor:
      return dst ^ src;
    case Operation::kMov:
      return src;
    case Operation::kArsh:
      return static_cast<Unsigned>(static_cast<std::make_signed_t<Unsigned>>(dst) >> count);
    default:
      PLUMB_CHECK(false);  // not a binary operation
      return 0;
  }
}

template <typename Unsigned>
bool compare(Operation operation, Unsigned dst, Unsigned src) {
  using Signed = std::make_signed_t<Unsigned>;
  const auto signed_dst = static_cast<Signed>(dst);
  const auto signed_src = static_cast<Signed>(src);
  switch (operation) {
    case Operation::kJeq:
      return dst == src;
    case Operation::kJgt:
      return dst > src;
    case Operation::kJge:
      return dst >= src;
    case Operation::kJset:
      return (dst & src) != 0;
    case Operation::kJne:
      return dst != src;
    case Operation::kJsgt:
      return signed_dst > signed_src;
    case Operation::kJsge:
      return signed_dst >= signed_src;
    case Operation::kJlt:
      return dst < src;
    case Operation::kJle:
      return dst <= src;
    case Operation::kJslt:
      return signed_dst < signed_src;
    case Operation::kJsle:
      return signed_dst <= signed_src;
    default:
      PLUMB_CHECK(false);  // not a comparison
      return false;
  }
}

std::uint64_t truncate(std::uint64_t value, int size) {
  return size == 64 ? value : value & ((std::uint64_t{1} << size) - 1);
}

std::uint64_t swap_bytes(std::uint64_t value, int size) {
  return __builtin_bswap64(value) >> (64 - size);
}

}  // namespace

std::uint64_t alu64(Operation operation, std::uint64_t dst, std::uint64_t src) {
  return binary<std::uint64_t>(operation, dst, src);
}

std::uint64_t alu32(Operation operation, std::uint64_t dst, std::uint64_t src) {
  return binary<std::uint32_t>(operation, static_cast<std::uint32_t>(dst),
                               static_cast<std::uint32_t>(src));
}

std::uint64_t convert(Operation operation, int width, int size, std::uint64_t value) {
  static_assert(std::endian::native == std::endian::little, "BPF here is little-endian");
  switch (operation) {
    case Operation::kNeg:
      return truncate(0 - value, width);
    case Operation::kMovsx:
      return truncate(sign_extend(value, size), width);
    case Operation::kToLe:
      return truncate(value, size);
    case Operation::kToBe:
    case Operation::kBswap:
      return swap_bytes(value, size);
    default:
      PLUMB_CHECK(false);  // not a conversion
      return 0;
  }
}

bool holds(Operation operation, int width, std::uint64_t dst, std::uint64_t src) {
  if (width == 64) return compare<std::uint64_t>(operation, dst, src);
  return compare<std::uint32_t>(operation, static_cast<std::uint32_t>(dst),
                                static_cast<std::uint32_t>(src));
}

std::uint64_t modify(Operation operation, std::uint64_t old, std::uint64_t src) {
  switch (operation) {
    case Operation::kAtomicAdd:
    case Operation::kAtomicAddFetch:
      return old + src;
    case Operation::kAtomicOr:
    case Operation::kAtomicOrFetch:
      return old | src;
    case Operation::kAtomicAnd:
    case Operation::kAtomicAndFetch:
      return old & src;
    case Operation::kAtomicXor:
    case Operation::kAtomicXorFetch:
      return old ^ src;
    case Operation::kXchg:
      return src;
    default:
      PLUMB_CHECK(false);  // not a read-modify-write operation
      return 0;
  }
}

std::uint64_t sign_extend(std::uint64_t value, int size) {
  const int unused = 64 - size;
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(value << unused) >> unused);
}

}  // namespace plumb::oracle
