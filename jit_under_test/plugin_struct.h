// SPDX-License-Identifier: GPL-2.0-or-later
//
// Structs that a plugin filled, which may be shorter or longer than ours (plugin.h, "Growing
// without breaking"). What the plugin did not fill reads as 0.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "core/result.h"
#include "jit_under_test/plugin.h"

namespace plumb::jit {

// Bytes of a struct from its beginning to the end of a field.
#define PLUMB_UP_TO(type, field) (offsetof(type, field) + sizeof(decltype(type::field)))

// What a struct cannot do without. It never grows: plugins that were built before a field was added
// do not have it.
template <typename T>
inline constexpr std::size_t kLeast = sizeof(T);
template <>
inline constexpr std::size_t kLeast<plumb_plugin> = PLUMB_UP_TO(plumb_plugin, unload);
template <>
inline constexpr std::size_t kLeast<plumb_plugin_info> = PLUMB_UP_TO(plumb_plugin_info, arena_size);
template <>
inline constexpr std::size_t kLeast<plumb_contract> = PLUMB_UP_TO(plumb_contract, struct_size);
template <>
inline constexpr std::size_t kLeast<plumb_image> = PLUMB_UP_TO(plumb_image, code_ranges);
template <>
inline constexpr std::size_t kLeast<plumb_native_function> =
    PLUMB_UP_TO(plumb_native_function, stack_size);
template <>
inline constexpr std::size_t kLeast<plumb_native_program> =
    PLUMB_UP_TO(plumb_native_program, entry);
template <>
inline constexpr std::size_t kLeast<plumb_symbol> = PLUMB_UP_TO(plumb_symbol, address);
template <>
inline constexpr std::size_t kLeast<plumb_claims> = PLUMB_UP_TO(plumb_claims, rows);
template <>
inline constexpr std::size_t kLeast<plumb_unwind_row> = PLUMB_UP_TO(plumb_unwind_row, ra_offset);
template <>
inline constexpr std::size_t kLeast<plumb_range> = PLUMB_UP_TO(plumb_range, size);

// "contract.call_alignment is 5: a power of two from 8 to 64 on x86-64"
template <typename Number>
[[nodiscard]] std::unexpected<Error> out_of_range(std::string_view field, Number value,
                                                  std::string_view range) {
  return fail(fmt::format("{} is {}: {}", field, value, range));
}

// What is there of it, from size bytes.
template <typename T>
[[nodiscard]] T copy_of(const void* from, std::size_t size) {
  T out{};
  std::memcpy(&out, from, std::min(size, sizeof out));
  return out;
}

template <typename T>
[[nodiscard]] Result<T> take_struct(const T* from, std::string_view name) {
  if (from == nullptr) return fail(fmt::format("{} is null", name));
  const auto size = copy_of<std::uint32_t>(from, sizeof(std::uint32_t));
  if (size < kLeast<T>) {
    return out_of_range(fmt::format("{}.struct_size", name), size,
                        fmt::format("{} or more", kLeast<T>));
  }
  return copy_of<T>(from, size);
}

// The i-th element of an array whose elements lie stride bytes apart.
template <typename T>
[[nodiscard]] const T* element_at(const T* first, std::size_t stride, std::size_t i) {
  return reinterpret_cast<const T*>(reinterpret_cast<const std::byte*>(first) + i * stride);
}

// An array that a plugin describes. What it points to is not looked at before at().
template <typename T>
struct PluginList {
  std::string_view name;  // of the pointer
  std::string_view of;    // what the count and the stride begin with: "function"
  const T* first = nullptr;
  std::uint32_t count = 0;
  std::uint32_t stride = 0;

  [[nodiscard]] std::string element(std::size_t i) const { return fmt::format("{}[{}]", name, i); }

  [[nodiscard]] Result<void> check(std::uint32_t most) const {
    constexpr std::uint32_t kLongest = 4096;
    if (count == 0) return {};
    if (count > most) return out_of_range(fmt::format("{}_count", of), count, at_most(most));
    if (first == nullptr) return fail(fmt::format("{} is null, {}_count is {}", name, of, count));
    if (stride < kLeast<T> || stride > kLongest || stride % alignof(T) != 0) {
      return out_of_range(
          fmt::format("{}_stride", of), stride,
          fmt::format("a multiple of {} from {} to {}", alignof(T), kLeast<T>, kLongest));
    }
    return {};
  }

  // Of a list that was checked.
  [[nodiscard]] Result<T> at(std::size_t i) const {
    const T* const entry = element_at(first, stride, i);
    std::size_t size = stride;
    if constexpr (requires(const T& element) { element.struct_size; }) {
      const auto filled = copy_of<std::uint32_t>(entry, sizeof(std::uint32_t));
      if (filled < kLeast<T> || filled > stride) {
        return out_of_range(fmt::format("{}.struct_size", element(i)), filled,
                            fmt::format("from {} to {}_stride, {}", kLeast<T>, of, stride));
      }
      size = filled;
    }
    return copy_of<T>(entry, size);
  }

 private:
  [[nodiscard]] static std::string at_most(std::uint32_t most) {
    return fmt::format("at most {}", most);
  }
};

}  // namespace plumb::jit
