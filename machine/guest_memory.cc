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

constexpr std::uint64_t page_of(std::uint64_t address) {
  return address & ~std::uint64_t{guest::kPage - 1};
}

// The first page of an object. One without bytes stands at the end of its page.
constexpr std::uint64_t first_page(std::uint64_t address, std::size_t size) {
  return address == 0 ? 0 : page_of(size == 0 ? address - 1 : address);
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
  const std::size_t size =
      (context_pages + kMaxRegions + 2) * kPage + guest::kBpfStackSize + guest::kStackSize;
  pages_.reset(static_cast<std::uint8_t*>(std::aligned_alloc(kPage, size)));
  PLUMB_CHECK(pages_ != nullptr);
  std::memset(pages_.get(), kPaddingPoison, size);
  // Never run: the emulator stops before the exit address. A trap catches whoever lands beside it.
  constexpr std::uint8_t kTrap = 0xcc;
  std::memset(exit_page(), kTrap, kPage);
}

GuestMemory::PagesAt GuestMemory::pages_of(const Case& value, const Image& image) {
  const Placement& placement = image.placement;
  PagesAt at;
  at.objects[0] = first_page(placement.context, value.context.size());
  for (std::size_t i = 0; i < kMaxRegions; ++i) {
    const std::size_t size = i < value.regions.size() ? value.regions[i].bytes.size() : 0;
    at.objects[1 + i] = first_page(placement.regions[i], size);
  }
  at.exit = page_of(placement.exit);
  at.per_cpu = placement.per_cpu;
  if (image.registers.entry_stack.is_known()) at.bpf_stack = placement.bpf_stack;
  at.stack = placement.stack;
  return at;
}

const char* GuestMemory::check(const Case& value, const Image& image) const {
  const Placement& placement = image.placement;
  const Range& stack = placement.stack;
  const auto is_page = [](std::uint64_t address) { return address == page_of(address); };
  if (!is_page(stack.address) || !is_page(stack.size) || stack.size < guest::kPage ||
      stack.size > guest::kStackSize) {
    return "a stack of a size or at an address that cannot be";
  }
  if (!is_page(placement.per_cpu)) return "per-CPU data that is no page";
  const PagesAt at = pages_of(value, image);
  if (image.registers.entry_stack.is_known() &&
      (!is_page(at.bpf_stack.address) || at.bpf_stack.size != guest::kBpfStackSize)) {
    return "a BPF stack of a size or at an address that cannot be";
  }
  const auto fits = [&](std::size_t object, std::uint64_t address, std::size_t size) {
    return at.objects[object] != 0 && address - at.objects[object] + size <= room(object);
  };
  if (!fits(0, placement.context, value.context.size())) return "a context that fits nowhere";
  for (std::size_t i = 0; i < value.regions.size(); ++i) {
    if (!fits(1 + i, placement.regions[i], value.regions[i].bytes.size())) {
      return "a region that fits nowhere";
    }
  }
  return nullptr;
}

bool GuestMemory::place(const Case& value, const Image& image) {
  const Placement& placement = image.placement;
  objects_at_[0] = placement.context;
  std::ranges::copy(placement.regions, objects_at_.begin() + 1);
  const PagesAt at = pages_of(value, image);
  if (at == pages_at_) return false;
  pages_at_ = at;
  note_whole_stack_written();
  return true;
}

std::vector<HostMapping> GuestMemory::mappings() {
  std::vector<HostMapping> result;
  result.reserve(kObjects + 4);
  const auto add = [&result](const Range& guest, std::uint8_t* host, bool is_code) {
    result.push_back({.guest = guest, .host = host, .writable = !is_code, .executable = is_code});
  };
  for (std::size_t i = 0; i < kObjects; ++i) {
    if (pages_at_.objects[i] != 0) add({pages_at_.objects[i], room(i)}, page(i), false);
  }
  add({pages_at_.exit, kPage}, exit_page(), true);
  add({pages_at_.per_cpu, kPage}, per_cpu_page(), false);
  if (pages_at_.bpf_stack.size != 0) add(pages_at_.bpf_stack, bpf_stack(), false);
  add(pages_at_.stack, stack(), false);
  return result;
}

void GuestMemory::prepare_object(std::size_t object, const std::vector<std::uint8_t>* bytes) {
  std::uint8_t* const begin = page(object);
  const std::size_t size = bytes == nullptr ? kNoObject : bytes->size();
  PLUMB_CHECK(size <= room(object));
  std::memset(begin, kPaddingPoison, room(object));
  if (size != 0) std::memcpy(begin + offset(object), bytes->data(), size);
}

void GuestMemory::prepare_objects(const Case& value) {
  prepare_object(0, &value.context);
  for (std::size_t i = 0; i < kMaxRegions; ++i) {
    prepare_object(1 + i, i < value.regions.size() ? &value.regions[i].bytes : nullptr);
  }
  std::memset(per_cpu_page(), 0, kPage);
  std::memset(bpf_stack(), kStackCanary, pages_at_.bpf_stack.size);
}

void GuestMemory::prepare_stack() {
  const Range& range = pages_at_.stack;
  const std::size_t clean = static_cast<std::size_t>(dirty_ - range.address);
  std::memset(stack() + clean, kStackCanary, range.size - clean);
  dirty_ = range.address + range.size;
}

bool GuestMemory::padding_intact(std::size_t object, std::size_t size) const {
  const std::uint8_t* const begin = page(object);
  // Pages that are not mapped stay as they were made.
  const std::size_t before = pages_at_.objects[object] == 0 ? 0 : offset(object);
  const std::size_t behind = before + size;
  return is_poison(begin, before) && is_poison(begin + behind, room(object) - behind);
}

void GuestMemory::collect(const Case& value, MachineRun& run) const {
  const auto copy_out = [this](std::size_t object, std::size_t size,
                               std::vector<std::uint8_t>& bytes) {
    const std::uint8_t* const begin = page(object) + offset(object);
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
  const Range& range = pages_at_.stack;
  if (inside(range.address, range.size)) return stack() + (address - range.address);
  for (std::size_t i = 0; i < kObjects; ++i) {
    const std::uint64_t first = pages_at_.objects[i];
    if (first != 0 && inside(first, room(i))) return page(i) + (address - first);
  }
  // Private stacks lie there.
  if (inside(pages_at_.per_cpu, kPage)) return per_cpu_page() + (address - pages_at_.per_cpu);
  const Range& bpf_stack_range = pages_at_.bpf_stack;
  if (inside(bpf_stack_range.address, bpf_stack_range.size)) {
    return bpf_stack() + (address - bpf_stack_range.address);
  }
  return nullptr;
}

std::uint64_t GuestMemory::stack_word(std::uint64_t address) const {
  if (!is_stack_word(address)) return 0;
  std::uint64_t word = 0;
  std::memcpy(&word, stack() + (address - pages_at_.stack.address), sizeof word);
  return word;
}

std::uint64_t GuestMemory::first_changed(std::uint64_t address) const {
  PLUMB_CHECK(address - pages_at_.stack.address <= pages_at_.stack.size);
  const std::uint8_t* const begin = stack() + (address - pages_at_.stack.address);
  const std::uint8_t* const end = stack() + pages_at_.stack.size;
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
  PLUMB_CHECK(is_stack_word(address));
  std::memcpy(stack() + (address - pages_at_.stack.address), &value, sizeof value);
  note_stack_write(address);
}

}  // namespace plumb::machine
