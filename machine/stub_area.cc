// SPDX-License-Identifier: GPL-2.0-or-later
#include "machine/stub_area.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "core/check.h"
#include "core/guest.h"
#include "core/helper_model.h"
#include "core/insn.h"
#include "machine/target.h"

namespace plumb::machine {
namespace {

// Stubs whose function has a body (c_calls.h).
constexpr std::int32_t kWithBody[] = {kLoopHelper, kThrowStub};

}  // namespace

void UnmapBytes::operator()(std::uint8_t* bytes) const { munmap(bytes, size); }

bool StubArea::place(const Placement& placement) {
  placement_ = &placement;
  const Range& stubs = placement.stubs;
  const auto it = std::ranges::find_if(placement.memory, [&](const HostRange& memory) {
    return memory.guest.contains(stubs.address, stubs.size);
  });
  if (it != placement.memory.end()) {
    range_ = {stubs, it->host + (stubs.address - it->guest.address)};
    return false;
  }
  if (own_ != nullptr && range_ == HostRange{stubs, own_.get()}) return false;
  const bool is_too_small = own_.get_deleter().size < stubs.size;
  if (is_too_small) {
    // Large where the stubs of a kernel's helpers are, and hardly used.
    void* const bytes = mmap(nullptr, stubs.size, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    PLUMB_CHECK(bytes != MAP_FAILED);
    own_ = {static_cast<std::uint8_t*>(bytes), UnmapBytes{stubs.size}};
  } else {
    std::memset(own_.get(), 0, stubs.size);
  }
  range_ = {stubs, own_.get()};
  return is_too_small;
}

bool StubArea::is_intact(const Target& target) const {
  const auto holds = [this](std::uint64_t address, const std::vector<std::uint8_t>& code) {
    return std::memcmp(host(address), code.data(), code.size()) == 0;
  };
  const StubCode& code = target.stub_code();
  const auto is_whole = [&](const HelperInfo& helper) {
    const std::uint64_t stub = placement_->stub(helper.number);
    if (stub == 0) return true;
    return std::ranges::count(kWithBody, helper.number) != 0 || holds(stub, code.ret);
  };
  const auto leads_on = [&](std::int32_t number) {
    const std::uint64_t stub = placement_->stub(number);
    return stub == 0 || holds(stub, target.jump(stub, placement_->routines));
  };
  return std::ranges::all_of(helper_table(), is_whole) &&
         std::ranges::all_of(kWithBody, leads_on) && holds(placement_->routines, code.routine.code);
}

const char* StubArea::write(const Target& target) const {
  const StubCode& code = target.stub_code();
  const std::uint64_t end = range_.guest.address + range_.guest.size;
  if (code.routine.code.size() > end - placement_->routines)
    return "no room for the code of helpers";
  const auto put = [this](std::uint64_t address, const std::vector<std::uint8_t>& bytes) {
    std::ranges::copy(bytes, host(address));
  };
  if (placement_->helpers.empty()) {
    for (std::uint64_t at = range_.guest.address; at < end; at += code.trap.size()) {
      put(at, code.trap);
    }
    for (std::int32_t i = 0; placement_->stub(i) != 0; ++i) put(placement_->stub(i), code.ret);
  }
  for (const HelperStub& stub : placement_->helpers) put(stub.address, code.ret);
  for (const std::int32_t number : kWithBody) {
    const std::uint64_t stub = placement_->stub(number);
    if (stub == 0) continue;
    const auto jump = target.jump(stub, placement_->routines);
    if (jump.empty()) return "a helper's stub is out of reach of its code";
    put(stub, jump);
  }
  put(placement_->routines, code.routine.code);
  return nullptr;
}

}  // namespace plumb::machine
