// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/record_stream.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "core/check.h"

namespace plumb {
namespace {

constexpr std::uint32_t kMagic = 0x424d4c50;  // "PLMB"

struct Header {
  std::uint32_t magic;
  std::uint32_t kind;
  std::uint64_t nonce;
  std::uint64_t sequence;
  std::uint64_t item;
  std::uint64_t judged;
  std::uint64_t size;
  std::uint64_t sum;
};
static_assert(sizeof(Header) == 56);

// FNV-1a, over words instead of bytes as long as there are some.
std::uint64_t fnv1a(std::uint64_t hash, std::string_view bytes) {
  constexpr std::uint64_t kPrime = 0x100000001b3u;
  for (; bytes.size() >= sizeof(hash); bytes.remove_prefix(sizeof(hash))) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof(word));
    hash = (hash ^ word) * kPrime;
    hash ^= hash >> 32;  // or high bits of a word would never reach the low ones
  }
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * kPrime;
  return hash;
}

// Over the header, its sum taken as 0, and the payload.
std::uint64_t sum_of(Header header, std::string_view payload) {
  header.sum = 0;
  char bytes[sizeof(header)];
  std::memcpy(bytes, &header, sizeof(header));
  return fnv1a(fnv1a(0xcbf29ce484222325u, {bytes, sizeof(bytes)}), payload);
}

bool write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

bool is_sound(const Header& header, std::uint64_t nonce, std::uint64_t sequence) {
  const bool known = header.kind == static_cast<std::uint32_t>(Record::Kind::kResult) ||
                     header.kind == static_cast<std::uint32_t>(Record::Kind::kEnd);
  return header.magic == kMagic && known && header.nonce == nonce && header.sequence == sequence &&
         header.size <= kMostPayload;
}

}  // namespace

bool RecordWriter::write(const Record& record) { return write_all(descriptor_, bytes_of(record)); }

std::string RecordWriter::bytes_of(const Record& record) {
  PLUMB_CHECK(record.payload.size() <= kMostPayload);
  Header header{.magic = kMagic,
                .kind = static_cast<std::uint32_t>(record.kind),
                .nonce = nonce_,
                .sequence = sequence_++,
                .item = record.item,
                .judged = record.judged,
                .size = record.payload.size(),
                .sum = 0};
  header.sum = sum_of(header, record.payload);
  std::string bytes(sizeof(header), '\0');
  std::memcpy(bytes.data(), &header, sizeof(header));
  bytes += record.payload;
  return bytes;
}

void RecordReader::feed(std::string_view bytes) {
  if (damaged_) return;
  buffer_.erase(0, used_);
  used_ = 0;
  damaged_ = ended_ && !bytes.empty();
  buffer_ += bytes;
}

std::optional<Record> RecordReader::next() {
  if (damaged_) return std::nullopt;
  const std::string_view rest = std::string_view(buffer_).substr(used_);
  Header header;
  if (ended_ || rest.size() < sizeof(header)) {
    damaged_ = ended_ && !rest.empty();
    return std::nullopt;
  }
  std::memcpy(&header, rest.data(), sizeof(header));
  damaged_ = !is_sound(header, nonce_, sequence_);
  if (damaged_ || rest.size() - sizeof(header) < header.size) return std::nullopt;
  const std::string_view payload = rest.substr(sizeof(header), header.size);
  damaged_ = header.sum != sum_of(header, payload);
  if (damaged_) return std::nullopt;
  ++sequence_;
  used_ += sizeof(header) + header.size;
  ended_ = header.kind == static_cast<std::uint32_t>(Record::Kind::kEnd);
  return Record{.kind = static_cast<Record::Kind>(header.kind),
                .item = header.item,
                .judged = header.judged,
                .payload = payload};
}

}  // namespace plumb
