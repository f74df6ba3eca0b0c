// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/isolated/plugin_host.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/child_process.h"
#include "jit_under_test/isolated/host_process.h"
#include "jit_under_test/isolated/wire.h"

namespace plumb::jit {
namespace {

// Code under test that closes or writes to the first few descriptors does not find ours.
constexpr int kLowestDescriptor = 100;
constexpr rlim_t kMostFileBytes = rlim_t{64} << 20;  // of a file that the plugin writes

void* pointer(std::uint64_t address) {
  // From /proc/self/maps, or of the arena. NOLINTNEXTLINE(performance-no-int-to-ptr)
  return reinterpret_cast<void*>(static_cast<std::uintptr_t>(address));
}

// Writable mappings that other processes have as well.
std::vector<Range> shared_memory() {
  std::vector<Range> found;
  std::FILE* const maps = std::fopen("/proc/self/maps", "re");
  PLUMB_CHECK(maps != nullptr);
  char line[4096 + 256];  // a path, and what stands before it
  while (std::fgets(line, sizeof(line), maps) != nullptr) {
    unsigned long long begin = 0;
    unsigned long long end = 0;
    char permissions[5] = {};
    if (std::sscanf(line, "%llx-%llx %4s", &begin, &end, permissions) != 3) continue;
    if (permissions[1] == 'w' && permissions[3] == 's') found.push_back({begin, end - begin});
  }
  std::fclose(maps);
  return found;
}

// The addresses stay taken: a plugin gets the arena that it would get among the other JITs.
void hide_shared_memory() {
  for (const Range& range : shared_memory()) {
    PLUMB_CHECK(mmap(pointer(range.address), range.size, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED);
  }
}

// Moves the descriptor up, where the code under test does not stumble upon it.
int moved_up(int descriptor) {
  const int high = fcntl(descriptor, F_DUPFD_CLOEXEC, kLowestDescriptor);
  PLUMB_CHECK(high >= kLowestDescriptor);
  return high;
}

void close_all_but(int first, int second) {
  const auto low = static_cast<unsigned>(std::min(first, second));
  const auto high = static_cast<unsigned>(std::max(first, second));
  close_range(STDERR_FILENO + 1, low - 1, 0);
  if (high - low > 1) close_range(low + 1, high - 1, 0);
  close_range(high + 1, ~0u, 0);
}

class PluginHost {
 public:
  explicit PluginHost(const HostTask& task) : task_(task) {}

  std::string answer(std::uint64_t what, std::string_view payload) {
    switch (static_cast<HostRequest>(what)) {
      case HostRequest::kOpen:
        return encode(open());
      case HostRequest::kLoad:
        return encode(load(payload));
      case HostRequest::kUnload:
        return encode(unload());
    }
    return {};
  }

 private:
  UnloadAnswer unload() {
    UnloadAnswer answer;
    if (image_ == nullptr) return answer;
    if (const Result<Unloaded> unloaded = image_->unload()) answer.kept = unloaded->kept;
    image_.reset();
    return answer;
  }

  OpenAnswer open() {
    OpenAnswer answer;
    Result<OpenedPlugin> opened = open_plugin_at(task_.path, task_.arena);
    close(task_.arena.memory);
    if (!opened) {
      answer.error = opened.error().message;
      return answer;
    }
    jit_ = std::move(opened->jit);
    answer.info = jit_->info();
    answer.arena = opened->arena;
    return answer;
  }

  LoadAnswer load(std::string_view payload) {
    // Lives as long as the image does: the plugin may have kept pointers into it.
    value_ = decode_request(payload);
    PLUMB_CHECK(jit_ != nullptr && value_);
    LoadOutcome outcome = jit_->load(*value_);
    image_ = std::move(outcome.image);
    LoadAnswer answer{.status = outcome.status, .reason = std::move(outcome.reason), .image = {}};
    if (image_ != nullptr) answer.image = image_->image();
    return answer;
  }

  const HostTask& task_;
  std::unique_ptr<Jit> jit_;
  std::optional<Case> value_;
  std::unique_ptr<LoadedImage> image_;
};

}  // namespace

void hold_plugin(const HostTask& task, int socket) noexcept {
  mark_failed_checks(nullptr);
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) silence(descriptor);
  HostTask held = task;
  held.arena.memory = moved_up(task.arena.memory);
  const int high = moved_up(socket);
  close_all_but(held.arena.memory, high);
  hide_shared_memory();
  if (held.arena.at) munmap(pointer(held.arena.at->address), held.arena.at->size);
  limit_memory(held.memory);
  const rlimit most{.rlim_cur = kMostFileBytes, .rlim_max = kMostFileBytes};
  PLUMB_CHECK(setrlimit(RLIMIT_FSIZE, &most) == 0);
  PluginHost host(held);
  answer_requests(high, [&host](std::uint64_t what, std::string_view payload) {
    return host.answer(what, payload);
  });
  // Destructors are the plugin's, too: nobody waits for what they do.
  _exit(0);
}

}  // namespace plumb::jit
