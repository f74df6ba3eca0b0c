// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace plumb {

// The records that a child process sends its parent on a pipe, and the end mark behind them. Code
// that is not ours runs in the child: what it or a process that it began writes to the pipe must
// not pass for a record. So each carries the number of its child, its own number in the order of
// sending, and a sum over its bytes; whatever does not fit is damage, and after damage nothing is a
// record. (That guards against accidents, not against a forger who reads our memory.)
struct Record {
  enum class Kind : std::uint32_t { kResult = 1, kEnd = 2 };
  Kind kind = Kind::kResult;
  std::uint64_t item = 0;    // kResult: what it is about; kEnd: the item that would be next
  std::uint64_t judged = 0;  // items judged by the child until then, this one included
  std::string_view payload{};
};

inline constexpr std::size_t kMostPayload = std::size_t{64} << 20;

// A nonce is what no other child of the same parent has.
class RecordWriter {
 public:
  RecordWriter(int descriptor, std::uint64_t nonce) : descriptor_(descriptor), nonce_(nonce) {}
  // False: the pipe does not take it.
  [[nodiscard]] bool write(const Record& record);
  // The next record as bytes, for whoever writes them in another way.
  [[nodiscard]] std::string bytes_of(const Record& record);

 private:
  int descriptor_;
  std::uint64_t nonce_;
  std::uint64_t sequence_ = 0;
};

class RecordReader {
 public:
  explicit RecordReader(std::uint64_t nonce) : nonce_(nonce) {}

  void feed(std::string_view bytes);
  // The next whole record; its payload lives until feed() or next() is called again. Nothing: more
  // bytes are needed, or something is damaged.
  [[nodiscard]] std::optional<Record> next();
  // What was read cannot all be from the child's RecordWriter.
  [[nodiscard]] bool damaged() const { return damaged_; }
  // The end mark was read, and nothing behind it.
  [[nodiscard]] bool ended() const { return ended_ && !damaged_; }

 private:
  std::uint64_t nonce_;
  std::uint64_t sequence_ = 0;
  std::string buffer_;
  std::size_t used_ = 0;  // bytes at the buffer's beginning that were handed out
  bool damaged_ = false;
  bool ended_ = false;
};

}  // namespace plumb
