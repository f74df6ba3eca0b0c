// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/check.h"

// Values as bytes, to send them from a child process to its parent. Not for files: both ends are
// the same program. decode(encode(x)) == x; whatever else decode() is given, it returns a value
// that encode() could have been given, or nothing.
//
// What can be sent: bool, integers, text, vectors and optional values of what can be sent, and the
// structs and enumerations that say here what they are made of.
namespace plumb {

// A struct: `static constexpr std::tuple value{&T::a, &T::b, ...}`, all its members.
template <typename T>
struct Members;

// An enumeration: `static constexpr T first, last`, of what may be sent.
template <typename T>
struct Enumerators;

// A type with an encoding of its own:
//   static void encode(Encoder&, const T&); static bool decode(Decoder&, T&);
template <typename T>
struct CustomCoding;

template <typename T>
concept SentByMembers = requires { Members<T>::value; };
template <typename T>
concept SentAsEnumerator = std::is_enum_v<T> && requires { Enumerators<T>::last; };
template <typename T>
concept SentInItsOwnWay = requires { &CustomCoding<T>::encode; };

namespace codec_detail {

struct ConvertsToAnything {
  template <typename T>
  operator T() const;  // NOLINT(google-explicit-constructor): that is the point
};

// Can T be initialised with so many values?
template <typename T, std::size_t... I>
constexpr bool takes(std::index_sequence<I...>) {
  return requires { T{(static_cast<void>(I), ConvertsToAnything{})...}; };
}

template <typename T, std::size_t Count>
constexpr bool has_members() {
  return takes<T>(std::make_index_sequence<Count>{}) &&
         !takes<T>(std::make_index_sequence<Count + 1>{});
}

// A member that was added to a struct and is not in its list would not be sent.
template <typename T>
constexpr bool lists_all_members() {
  return has_members<T, std::tuple_size_v<std::remove_cv_t<decltype(Members<T>::value)>>>();
}

}  // namespace codec_detail

class Encoder {
 public:
  template <typename T>
  void put(const T& value) {
    if constexpr (SentInItsOwnWay<T>) {
      CustomCoding<T>::encode(*this, value);
    } else if constexpr (std::integral<T>) {
      put_word(static_cast<std::uint64_t>(static_cast<std::int64_t>(value)));
    } else if constexpr (SentAsEnumerator<T>) {
      PLUMB_CHECK(value >= Enumerators<T>::first && value <= Enumerators<T>::last);
      put_word(static_cast<std::uint64_t>(value));
    } else {
      static_assert(codec_detail::lists_all_members<T>(), "Members<T> lacks a member of T");
      std::apply([&](auto... member) { (put(value.*member), ...); }, Members<T>::value);
    }
  }
  template <typename T>
  void put(const std::vector<T>& values) {
    put_word(values.size());
    for (const T& value : values) put(value);
  }
  template <typename T>
  void put(const std::optional<T>& value) {
    put(value.has_value());
    if (value) put(*value);
  }
  template <typename T, std::size_t Size>
  void put(const std::array<T, Size>& values) {
    for (const T& value : values) put(value);
  }
  void put(const std::vector<std::uint8_t>& bytes) {
    put_text({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  void put(const std::string& text) { put_text(text); }
  void put_text(std::string_view text) {
    put_word(text.size());
    bytes_ += text;
  }

  [[nodiscard]] std::string take() && { return std::move(bytes_); }

 private:
  void put_word(std::uint64_t word) {
    char bytes[sizeof(word)];
    std::memcpy(bytes, &word, sizeof(word));
    bytes_.append(bytes, sizeof(word));
  }

  std::string bytes_;
};

class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : rest_(bytes) {}

  // False: that is not what the bytes hold; the value is unspecified then.
  template <typename T>
  [[nodiscard]] bool get(T& value) {
    if constexpr (SentInItsOwnWay<T>) {
      return CustomCoding<T>::decode(*this, value);
    } else if constexpr (std::integral<T>) {
      return get_integer(value);
    } else if constexpr (SentAsEnumerator<T>) {
      std::uint64_t word = 0;
      if (!get_word(word) || word < static_cast<std::uint64_t>(Enumerators<T>::first) ||
          word > static_cast<std::uint64_t>(Enumerators<T>::last)) {
        return false;
      }
      value = static_cast<T>(word);
      return true;
    } else {
      static_assert(codec_detail::lists_all_members<T>(), "Members<T> lacks a member of T");
      return std::apply([&](auto... member) { return (get(value.*member) && ...); },
                        Members<T>::value);
    }
  }
  template <typename T>
  [[nodiscard]] bool get(std::vector<T>& values) {
    std::uint64_t count = 0;
    // Every value takes bytes: what cannot be there is not made room for.
    if (!get_word(count) || count > rest_.size()) return false;
    values.clear();
    for (std::uint64_t i = 0; i < count; ++i) {
      values.emplace_back();
      if (!get(values.back())) return false;
    }
    return true;
  }
  template <typename T>
  [[nodiscard]] bool get(std::optional<T>& value) {
    bool there = false;
    if (!get(there)) return false;
    value.reset();
    return !there || get(value.emplace());
  }
  template <typename T, std::size_t Size>
  [[nodiscard]] bool get(std::array<T, Size>& values) {
    return std::ranges::all_of(values, [this](T& value) { return get(value); });
  }
  [[nodiscard]] bool get(std::vector<std::uint8_t>& bytes) {
    std::string_view text;
    if (!get_text(text)) return false;
    bytes.assign(text.begin(), text.end());
    return true;
  }
  [[nodiscard]] bool get(std::string& text) {
    std::string_view there;
    if (!get_text(there)) return false;
    text = there;
    return true;
  }

  [[nodiscard]] bool at_end() const { return rest_.empty(); }

 private:
  template <typename T>
  bool get_integer(T& value) {
    std::uint64_t word = 0;
    if (!get_word(word)) return false;
    value = static_cast<T>(word);
    return static_cast<std::uint64_t>(static_cast<std::int64_t>(value)) == word;
  }
  bool get_text(std::string_view& text) {
    std::uint64_t size = 0;
    if (!get_word(size) || size > rest_.size()) return false;
    text = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }
  bool get_word(std::uint64_t& word) {
    if (rest_.size() < sizeof(word)) return false;
    std::memcpy(&word, rest_.data(), sizeof(word));
    rest_.remove_prefix(sizeof(word));
    return true;
  }

  std::string_view rest_;
};

template <typename T>
[[nodiscard]] std::string encode(const T& value) {
  Encoder encoder;
  encoder.put(value);
  return std::move(encoder).take();
}

template <typename T>
[[nodiscard]] std::optional<T> decode(std::string_view bytes) {
  Decoder decoder(bytes);
  T value{};
  if (!decoder.get(value) || !decoder.at_end()) return std::nullopt;
  return value;
}

}  // namespace plumb
