// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <type_traits>

namespace plumb::harness {

// Zeroed memory that stays shared with child processes.
class SharedBytes {
 public:
  explicit SharedBytes(std::size_t size);
  ~SharedBytes();
  SharedBytes(const SharedBytes&) = delete;
  SharedBytes& operator=(const SharedBytes&) = delete;
  [[nodiscard]] void* data() const { return data_; }

 private:
  void* data_;
  std::size_t size_;
};

// An array of values whose all-zero bytes are a valid value.
template <typename T>
class SharedArray {
  static_assert(std::is_trivially_destructible_v<T>);

 public:
  explicit SharedArray(std::size_t size) : bytes_(size * sizeof(T)), size_(size) {}
  [[nodiscard]] T& operator[](std::size_t i) const { return static_cast<T*>(bytes_.data())[i]; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  SharedBytes bytes_;
  std::size_t size_;
};

}  // namespace plumb::harness
