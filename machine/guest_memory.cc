// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/guest_memory.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/check.h"

namespace plumb::machine {
namespace {

constexpr std::size_t kNoObject = 0;

std::uint64_t guest_page(std::size_t object) {
  return object == 0 ? guest::kContextPage
                     : guest::kRegionPages + (object - 1) * guest::kRegionStride;
}

// Offset of an object of this size from its first page.
std::size_t object_offset(std::size_t object, std::size_t size) {
  if (object == 0) return static_cast<std::size_t>(guest::context_address(size) - guest_page(0));
  return static_cast<std::size_t>(guest::object_address(0, size));
}

const std::array<std::uint8_t, guest::kPage>& poison_page() {
  static const auto page = [] {
    std::array<std::uint8_t, guest::kPage> bytes;
    bytes.fill(kPaddingPoison);
    return bytes;
  }();
  return page;
}

bool is_poison(const std::uint8_t* bytes, std::size_t size) {
  for (; size > guest::kPage; bytes += guest::kPage, size -= guest::kPage) {
    if (std::memcmp(bytes, poison_page().data(), guest::kPage) != 0) return false;
  }
  return std::memcmp(bytes, poison_page().data(), size) == 0;
}

}  // namespace

void GuestMemory::FreePages::operator()(std::uint8_t* pages) const { std::free(pages); }

GuestMemory::GuestMemory(std::size_t context_pages) : context_pages_(context_pages) {
  const std::size_t size = (context_pages + kMaxRegions + 2) * kPage + guest::kStackSize;
  pages_.reset(static_cast<std::uint8_t*>(std::aligned_alloc(kPage, size)));
  PLUMB_CHECK(pages_ != nullptr);
  std::memset(pages_.get(), kPaddingPoison, size);
  // Never run: the emulator stops before the exit address. A trap catches whoever lands beside it.
  constexpr std::uint8_t kTrap = 0xcc;
  std::memset(exit_page(), kTrap, kPage);
}

std::vector<HostMapping> GuestMemory::mappings() {
  std::vector<HostMapping> result;
  result.reserve(kObjects + 3);
  for (std::size_t i = 0; i < kObjects; ++i) {
    result.push_back({.guest = {guest_page(i), room(i)},
                      .host = page(i),
                      .writable = true,
                      .executable = false});
  }
  result.push_back({.guest = {guest::kExitAddress & ~(guest::kPage - 1), kPage},
                    .host = exit_page(),
                    .writable = false,
                    .executable = true});
  result.push_back({.guest = {guest::kPerCpuPage, kPage},
                    .host = per_cpu_page(),
                    .writable = true,
                    .executable = false});
  result.push_back({.guest = {guest::kStackBase, guest::kStackSize},
                    .host = stack(),
                    .writable = true,
                    .executable = false});
  return result;
}

void GuestMemory::prepare_object(std::size_t object, const std::vector<std::uint8_t>* bytes) {
  std::uint8_t* const begin = page(object);
  const std::size_t size = bytes == nullptr ? kNoObject : bytes->size();
  PLUMB_CHECK(size <= room(object));
  std::memset(begin, kPaddingPoison, room(object));
  if (size != 0) std::memcpy(begin + object_offset(object, size), bytes->data(), size);
}

void GuestMemory::prepare_objects(const Case& value) {
  prepare_object(0, &value.context);
  for (std::size_t i = 0; i < kMaxRegions; ++i) {
    prepare_object(1 + i, i < value.regions.size() ? &value.regions[i].bytes : nullptr);
  }
  std::memset(per_cpu_page(), 0, kPage);
}

void GuestMemory::prepare_stack() {
  const std::size_t clean = static_cast<std::size_t>(dirty_ - guest::kStackBase);
  std::memset(stack() + clean, kStackCanary, guest::kStackSize - clean);
  dirty_ = guest::kStackTop;
}

bool GuestMemory::padding_intact(std::size_t object, std::size_t size) const {
  const std::uint8_t* const begin = page(object);
  const std::size_t before = object_offset(object, size);
  const std::size_t behind = before + size;
  return is_poison(begin, before) && is_poison(begin + behind, room(object) - behind);
}

void GuestMemory::collect(const Case& value, MachineRun& run) const {
  const auto copy_out = [this](std::size_t object, std::size_t size,
                               std::vector<std::uint8_t>& bytes) {
    const std::uint8_t* const begin = page(object) + object_offset(object, size);
    bytes.assign(begin, begin + size);
  };
  copy_out(0, value.context.size(), run.context);
  bool intact = padding_intact(0, value.context.size());
  run.regions.resize(value.regions.size());
  for (std::size_t i = 0; i < kMaxRegions; ++i) {
    const bool present = i < value.regions.size();
    const std::size_t size = present ? value.regions[i].bytes.size() : kNoObject;
    if (present) copy_out(1 + i, size, run.regions[i]);
    intact = intact && padding_intact(1 + i, size);
  }
  run.object_padding_intact = intact;
}

std::uint8_t* GuestMemory::at(std::uint64_t address, std::uint64_t size) {
  return const_cast<std::uint8_t*>(std::as_const(*this).at(address, size));
}

const std::uint8_t* GuestMemory::at(std::uint64_t address, std::uint64_t size) const {
  const auto inside = [=](std::uint64_t base, std::uint64_t length) {
    return address >= base && address - base <= length && size <= length - (address - base);
  };
  if (inside(guest::kStackBase, guest::kStackSize)) return stack() + (address - guest::kStackBase);
  for (std::size_t i = 0; i < kObjects; ++i) {
    if (inside(guest_page(i), room(i))) return page(i) + (address - guest_page(i));
  }
  // Private stacks lie there.
  if (inside(guest::kPerCpuPage, kPage)) return per_cpu_page() + (address - guest::kPerCpuPage);
  return nullptr;
}

std::uint64_t GuestMemory::stack_word(std::uint64_t address) const {
  if (!is_stack_word(address)) return 0;
  std::uint64_t word = 0;
  std::memcpy(&word, stack() + (address - guest::kStackBase), sizeof word);
  return word;
}

std::uint64_t GuestMemory::first_changed(std::uint64_t address) const {
  PLUMB_CHECK(address >= guest::kStackBase && address <= guest::kStackTop);
  const std::uint8_t* const begin = stack() + (address - guest::kStackBase);
  const std::uint8_t* const end = stack() + guest::kStackSize;
  const bool is_whole =
      begin == end ||
      (*begin == kStackCanary &&
       std::memcmp(begin, begin + 1, static_cast<std::size_t>(end - begin) - 1) == 0);
  if (is_whole) return 0;
  const auto* const changed =
      std::find_if(begin, end, [](std::uint8_t byte) { return byte != kStackCanary; });
  return address + static_cast<std::uint64_t>(changed - begin);
}

void GuestMemory::set_stack_word(std::uint64_t address, std::uint64_t value) {
  const std::uint64_t offset = address - guest::kStackBase;
  PLUMB_CHECK(offset <= guest::kStackSize - 8);
  std::memcpy(stack() + offset, &value, sizeof value);
  note_stack_write(address);
}

}  // namespace plumb::machine
