// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/isolated/isolated_jit.h"

#include <sys/mman.h>
#include <unistd.h>

#include <csignal>
#include <expected>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "core/check.h"
#include "core/death.h"
#include "core/guest.h"
#include "core/printable.h"
#include "jit_under_test/arena.h"
#include "jit_under_test/isolated/host_process.h"
#include "jit_under_test/isolated/plugin_host.h"
#include "jit_under_test/isolated/wire.h"

namespace plumb::jit {
namespace {

template <typename T>
using OrDeath = std::expected<T, Death>;

constexpr Death kKilled{.kind = Death::Kind::kSignal, .number = SIGKILL};
constexpr Death kDamaged{.kind = Death::Kind::kDamaged};

// A file of memory, as large as an arena may be: pages that nobody writes to take no room.
class SharedFile {
 public:
  SharedFile() : descriptor_(memfd_create("arena", MFD_CLOEXEC)) {
    PLUMB_CHECK(descriptor_ >= 0 && ftruncate(descriptor_, kSize) == 0);
  }
  SharedFile(const SharedFile&) = delete;
  SharedFile& operator=(const SharedFile&) = delete;
  ~SharedFile() { close(descriptor_); }
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  static constexpr off_t kSize = off_t{1} << 31;
  int descriptor_;
};

// Does it once more when the process died of SIGKILL.
template <typename Try>
auto again_if_killed(const Try& attempt) {
  auto outcome = attempt();
  if (outcome || outcome.error() != kKilled) return outcome;
  const std::int64_t before = oom_kills();
  outcome = attempt();
  if (!outcome && outcome.error() == kKilled) {
    outcome = std::unexpected(killed_twice(before, oom_kills()));
  }
  return outcome;
}

class IsolatedJit final : public Jit {
 public:
  IsolatedJit(std::string path, const HostLimits& limits)
      : path_(std::move(path)), limits_(limits) {}

  // An empty text: it is open.
  [[nodiscard]] OrDeath<std::string> open();

  [[nodiscard]] const JitInfo& info() const override { return info_; }
  [[nodiscard]] LoadOutcome load(const Case& value) override;
  // Loads once more where the process died of SIGKILL.
  [[nodiscard]] OrDeath<UnloadAnswer> unload(const std::string& request);

 private:
  [[nodiscard]] OrDeath<std::string> start();
  [[nodiscard]] Result<void> accept(OpenAnswer answer, const SharedFile& memory);
  [[nodiscard]] OrDeath<std::string> ask(HostRequest what, std::string_view payload);
  [[nodiscard]] LoadOutcome outcome_of(LoadAnswer answer, const Case& value, std::string request);

  std::string path_;
  HostLimits limits_;
  JitInfo info_;
  std::optional<Arena> arena_;  // once it was open
  std::unique_ptr<HostProcess> host_;
};

class IsolatedImage final : public LoadedImage {
 public:
  IsolatedImage(IsolatedJit& jit, std::string request, Image image)
      : jit_(jit), request_(std::move(request)), image_(std::move(image)) {}
  IsolatedImage(const IsolatedImage&) = delete;
  IsolatedImage& operator=(const IsolatedImage&) = delete;
  ~IsolatedImage() override { std::ignore = unload(); }

  [[nodiscard]] const Image& image() const override { return image_; }
  [[nodiscard]] Result<Unloaded> unload() override {
    if (std::exchange(unloaded_, true)) return Unloaded{};
    const OrDeath<UnloadAnswer> answer = jit_.unload(request_);
    if (answer) return Unloaded{.kept = answer->kept};
    // From outside: whoever it was, the JIT did what it was asked.
    if (answer.error().kind == Death::Kind::kKilledFromOutside) return Unloaded{};
    return fail(answer.error().str());
  }

 private:
  IsolatedJit& jit_;
  std::string request_;
  Image image_;
  bool unloaded_ = false;
};

LoadOutcome died(const Death& death) {
  const bool outside = death.kind == Death::Kind::kKilledFromOutside;
  return {.status = outside ? LoadOutcome::Status::kBroken : LoadOutcome::Status::kDied,
          .reason = death.str(),
          .image = nullptr};
}

LoadOutcome broken(std::string reason) {
  return {.status = LoadOutcome::Status::kBroken, .reason = std::move(reason), .image = nullptr};
}

OrDeath<std::string> IsolatedJit::open() {
  return again_if_killed([this] { return start(); });
}

// A host with an arena that nothing was written to.
OrDeath<std::string> IsolatedJit::start() {
  const SharedFile memory;
  HostTask task{
      .path = path_, .arena = {.memory = memory.descriptor(), .at = {}}, .memory = limits_.memory};
  if (arena_) {
    task.arena.at = arena_->range();
    arena_->renew(memory.descriptor());
  }
  host_ = std::make_unique<HostProcess>([&task](int socket) { hold_plugin(task, socket); });
  const OrDeath<std::string> bytes =
      host_->ask(static_cast<std::uint64_t>(HostRequest::kOpen), {}, limits_.seconds_to_open);
  if (!bytes) return bytes;
  std::optional<OpenAnswer> answer = decode<OpenAnswer>(*bytes);
  if (!answer) return std::unexpected(kDamaged);
  const Result<void> accepted = accept(*std::move(answer), memory);
  if (accepted) return std::string();
  host_.reset();
  return accepted.error().message;
}

Result<void> IsolatedJit::accept(OpenAnswer answer, const SharedFile& memory) {
  if (!answer.error.empty()) return fail(printable(answer.error));
  if (arena_) {
    if (answer.info == info_ && answer.arena == arena_->range()) return {};
    return fail("started once more, it says something else about itself");
  }
  Result<Arena> arena = Arena::map(answer.arena, memory.descriptor());
  if (!arena) return std::unexpected(arena.error());
  arena_ = *std::move(arena);
  info_ = std::move(answer.info);
  return {};
}

// A host that this process did not start is another's: it has one of its own from now on.
OrDeath<std::string> IsolatedJit::ask(HostRequest what, std::string_view payload) {
  return host_->ask(static_cast<std::uint64_t>(what), payload, limits_.seconds_to_load);
}

LoadOutcome IsolatedJit::load(const Case& value) {
  std::string request = encode_request(value);
  std::string refusal;  // why it could not be started once more
  const OrDeath<std::string> bytes = again_if_killed([&]() -> OrDeath<std::string> {
    if (host_ == nullptr || !host_->can_be_asked()) {
      OrDeath<std::string> started = start();
      if (!started) return started;
      refusal = *std::move(started);
      if (!refusal.empty()) return std::string();
    }
    return ask(HostRequest::kLoad, request);
  });
  if (!refusal.empty()) return broken(std::move(refusal));
  if (!bytes) return died(bytes.error());
  std::optional<LoadAnswer> answer = decode<LoadAnswer>(*bytes);
  if (answer) return outcome_of(*std::move(answer), value, std::move(request));
  host_.reset();
  return died(kDamaged);
}

LoadOutcome IsolatedJit::outcome_of(LoadAnswer answer, const Case& value, std::string request) {
  LoadOutcome outcome{
      .status = answer.status, .reason = printable(answer.reason), .image = nullptr};
  if (answer.status != LoadOutcome::Status::kLoaded) return outcome;
  if (!answer.image || !is_sound(*answer.image, value, info_, arena_->range())) {
    host_.reset();
    return died(kDamaged);
  }
  answer.image->placement = guest::placement(value, arena_->range());
  outcome.image =
      std::make_unique<IsolatedImage>(*this, std::move(request), *std::move(answer.image));
  return outcome;
}

OrDeath<UnloadAnswer> IsolatedJit::unload(const std::string& request) {
  const OrDeath<std::string> bytes = again_if_killed([&]() -> OrDeath<std::string> {
    if (host_ == nullptr || !host_->can_be_asked()) {
      const OrDeath<std::string> started = start();
      if (!started) return started;
      if (!started->empty()) return encode(UnloadAnswer{});  // then it keeps nothing
      OrDeath<std::string> loaded = ask(HostRequest::kLoad, request);
      if (!loaded) return loaded;
    }
    return ask(HostRequest::kUnload, {});
  });
  if (!bytes) return std::unexpected(bytes.error());
  if (const auto answer = decode<UnloadAnswer>(*bytes)) return *answer;
  host_.reset();
  return std::unexpected(kDamaged);
}

}  // namespace

Result<std::unique_ptr<Jit>> open_isolated(const std::string& path, const HostLimits& limits) {
  auto jit = std::make_unique<IsolatedJit>(path, limits);
  const OrDeath<std::string> opened = jit->open();
  if (opened && opened->empty()) return jit;
  Error error{.file = path, .line = 0, .column = 0, .message = {}};
  error.message = opened ? *opened : "it cannot be opened: " + opened.error().str();
  return std::unexpected(std::move(error));
}

}  // namespace plumb::jit
