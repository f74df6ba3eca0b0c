// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/record_stream.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <vector>

#include "core/rng.h"

namespace plumb {
namespace {

constexpr std::uint64_t kNonce = 0x1234567890abcdef;

// What a writer writes.
std::string written(const std::function<void(RecordWriter&)>& by, std::uint64_t nonce = kNonce) {
  int ends[2];
  EXPECT_EQ(pipe(ends), 0);
  RecordWriter writer(ends[1], nonce);
  by(writer);
  close(ends[1]);
  std::string bytes;
  char buffer[4096];
  for (ssize_t count = 0; (count = read(ends[0], buffer, sizeof(buffer))) > 0;) {
    bytes.append(buffer, static_cast<std::size_t>(count));
  }
  close(ends[0]);
  return bytes;
}

void write_three(RecordWriter& writer) {
  EXPECT_TRUE(writer.write({.item = 7, .judged = 1, .payload = "first"}));
  EXPECT_TRUE(writer.write({.item = 9, .judged = 3, .payload = ""}));
  EXPECT_TRUE(writer.write({.kind = Record::Kind::kEnd, .item = 10, .judged = 3}));
}

struct Reading {
  std::vector<std::string> payloads;
  std::vector<std::uint64_t> items;
  bool damaged = false;
  bool ended = false;
};

Reading read_in_pieces(const std::string& bytes, std::size_t piece) {
  RecordReader reader(kNonce);
  Reading reading;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    reader.feed(std::string_view(bytes).substr(at, piece));
    while (const auto record = reader.next()) {
      reading.payloads.emplace_back(record->payload);
      reading.items.push_back(record->item);
    }
  }
  reading.damaged = reader.damaged();
  reading.ended = reader.ended();
  return reading;
}

TEST(RecordStream, RecordsArriveInWhateverPieces) {
  const std::string bytes = written(write_three);
  for (const std::size_t piece : {1u, 3u, 55u, 57u, 100'000u}) {
    const Reading reading = read_in_pieces(bytes, piece);
    EXPECT_EQ(reading.payloads, (std::vector<std::string>{"first", "", ""})) << piece;
    EXPECT_EQ(reading.items, (std::vector<std::uint64_t>{7, 9, 10}));
    EXPECT_TRUE(reading.ended);
    EXPECT_FALSE(reading.damaged);
  }
}

TEST(RecordStream, WithoutItsEndMarkAStreamHasNotEnded) {
  const std::string bytes = written(write_three);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const Reading reading = read_in_pieces(bytes.substr(0, size), 64);
    ASSERT_FALSE(reading.ended) << size;
    ASSERT_FALSE(reading.damaged) << size;
  }
}

// No byte can change, whichever it is.
TEST(RecordStream, AChangedByteIsDamage) {
  const std::string bytes = written(write_three);
  Rng rng(3);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ static_cast<char>(1 + rng.below(255)));
    ASSERT_FALSE(read_in_pieces(damaged, 64).ended) << at;
  }
}

TEST(RecordStream, WhatOthersWriteIsDamage) {
  const std::string own = written(write_three);
  const std::size_t first =
      written([](RecordWriter& writer) {
        EXPECT_TRUE(writer.write({.item = 7, .judged = 1, .payload = "first"}));
      }).size();
  const struct {
    const char* what;
    std::string bytes;
  } rows[] = {
      {"text before", "uBPF: hello\n" + std::string(64, '.') + own},
      {"text between", own.substr(0, first) + std::string(64, '.') + own.substr(first)},
      {"text behind", own + "x"},
      {"another child's", written(write_three, kNonce + 1)},
      {"a record again", own.substr(0, first) + own},
      {"a record left out", own.substr(first)},
      {"a copy of the process goes on", own + own},
  };
  for (const auto& row : rows) {
    for (const std::size_t piece : {1u, 64u, 100'000u}) {
      const Reading reading = read_in_pieces(row.bytes, piece);
      EXPECT_TRUE(reading.damaged) << row.what << " " << piece;
      EXPECT_FALSE(reading.ended) << row.what;
    }
  }
}

TEST(RecordStream, ASizeThatIsTooLargeIsDamageAtOnce) {
  std::string bytes = written(write_three);
  bytes[45] = 0x7f;  // in the size
  EXPECT_TRUE(read_in_pieces(bytes, 100'000).damaged);
}

TEST(RecordStream, AClosedDescriptorIsSaidToBe) {
  RecordWriter writer(-1, kNonce);
  EXPECT_FALSE(writer.write({.item = 1}));
}

}  // namespace
}  // namespace plumb
