// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace plumb {

// Why an input cannot be used. Line and column count from 1; 0 means "does not apply".
struct Error {
  std::string file;
  int line = 0;
  int column = 0;
  std::string message;

  bool operator==(const Error&) const = default;
  // "file:line:column: message", without the parts that do not apply.
  [[nodiscard]] std::string str() const;
};

template <typename T>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(std::string message) {
  return std::unexpected(Error{.file = {}, .line = 0, .column = 0, .message = std::move(message)});
}

}  // namespace plumb
