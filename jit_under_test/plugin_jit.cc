// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/plugin_jit.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <tuple>
#include <utility>
#include <vector>

#include "core/guest.h"
#include "jit_under_test/arena.h"
#include "jit_under_test/claims_reader.h"
#include "jit_under_test/image_reader.h"
#include "jit_under_test/jit.h"
#include "jit_under_test/library.h"
#include "jit_under_test/plugin.h"
#include "jit_under_test/plugin_table.h"
#include "jit_under_test/plugin_text.h"
#include "jit_under_test/quiet_output.h"
#include "jit_under_test/request.h"
#include "jit_under_test/throw_reader.h"

namespace plumb::jit {
namespace {

static_assert(guest::kPage == PLUMB_PER_CPU_SIZE);

// A plugin's state is one per process, so it can be open once: its entry is in the list meanwhile.
class OpenMark {
 public:
  [[nodiscard]] static std::optional<OpenMark> set(const plumb_plugin* plugin) {
    if (std::ranges::find(open_plugins(), plugin) != open_plugins().end()) return std::nullopt;
    open_plugins().push_back(plugin);
    return OpenMark(plugin);
  }
  OpenMark(OpenMark&& other) noexcept : plugin_(std::exchange(other.plugin_, nullptr)) {}
  OpenMark& operator=(OpenMark&&) = delete;
  OpenMark(const OpenMark&) = delete;
  OpenMark& operator=(const OpenMark&) = delete;
  ~OpenMark() {
    if (plugin_ != nullptr) std::erase(open_plugins(), plugin_);
  }

 private:
  explicit OpenMark(const plumb_plugin* plugin) : plugin_(plugin) {}
  static std::vector<const plumb_plugin*>& open_plugins() {
    static std::vector<const plumb_plugin*> plugins;
    return plugins;
  }

  const plumb_plugin* plugin_;
};

Result<Arena> map_arena(Range wanted, const ArenaPlace& place) {
  if (place.at) {
    if (place.at->size == wanted.size) return Arena::map(*place.at, place.memory);
    return fail("it wants another arena than before");
  }
  Result<Arena> arena = Arena::map(wanted, place.memory);
  // What no place could satisfy is the plugin's mistake; what is taken is nobody's.
  if (arena || !Arena::possible(wanted)) return arena;
  Result<Arena> other = Arena::map_somewhere(wanted.size, place.memory);
  if (other) return other;
  return fail(fmt::format("{}; nor is there another place for it", arena.error().message));
}

class PluginImage final : public LoadedImage {
 public:
  // held: pieces of memory before it was loaded.
  PluginImage(PluginTable& plugin, plumb_image raw, std::optional<std::uint64_t> held)
      : plugin_(plugin), raw_(raw), held_(held) {}
  PluginImage(const PluginImage&) = delete;
  PluginImage& operator=(const PluginImage&) = delete;
  ~PluginImage() override { std::ignore = unload(); }

  [[nodiscard]] const Image& image() const override { return image_; }
  [[nodiscard]] Result<Unloaded> unload() override {
    if (std::exchange(unloaded_, true)) return Unloaded{};
    plugin_.unload(raw_);
    const std::optional<std::uint64_t> now = plugin_.pieces_held();
    return Unloaded{.kept = held_ && now && *now > *held_ ? *now - *held_ : 0};
  }
  void set(Image image) { image_ = std::move(image); }
  [[nodiscard]] plumb_image& raw() { return raw_; }

 private:
  PluginTable& plugin_;
  plumb_image raw_;
  std::optional<std::uint64_t> held_;
  Image image_;
  bool unloaded_ = false;
};

class PluginJit final : public Jit {
 public:
  PluginJit(Library library, OpenMark mark, std::unique_ptr<PluginTable> plugin, JitInfo info,
            Arena arena)
      : library_(std::move(library)),
        mark_(std::move(mark)),
        plugin_(std::move(plugin)),
        info_(std::move(info)),
        arena_(std::move(arena)) {}
  PluginJit(const PluginJit&) = delete;
  PluginJit& operator=(const PluginJit&) = delete;
  ~PluginJit() override { plugin_->close(); }

  [[nodiscard]] const JitInfo& info() const override { return info_; }
  [[nodiscard]] LoadOutcome load(const Case& value) override;
  [[nodiscard]] Range arena() const { return arena_.range(); }

 private:
  [[nodiscard]] Result<void> ask_for_claims(plumb_image& raw, Image& image);
  [[nodiscard]] Result<void> ask_for_throws(const Case& value, plumb_image& raw, Image& image);

  Library library_;
  OpenMark mark_;
  std::unique_ptr<PluginTable> plugin_;
  JitInfo info_;
  Arena arena_;
  RequestBuilder request_;
};

LoadOutcome::Status outcome_status(int status) {
  switch (status) {
    case PLUMB_LOADED:
      return LoadOutcome::Status::kLoaded;
    case PLUMB_NOT_APPLICABLE:
      return LoadOutcome::Status::kNotApplicable;
    case PLUMB_REFUSED:
      return LoadOutcome::Status::kRefused;
    default:
      return LoadOutcome::Status::kBroken;
  }
}

// Room for what a plugin fills in, and what shows that it took more than it was given.
template <typename T>
struct Room {
  T filled{};
  std::array<std::uint64_t, 64> behind{};

  Room() { filled.struct_size = sizeof(T); }

  // name: "image"
  [[nodiscard]] Result<void> check(std::string_view name) const {
    if (filled.struct_size <= sizeof(T) &&
        std::ranges::all_of(behind, [](std::uint64_t word) { return word == 0; })) {
      return {};
    }
    return fail(fmt::format("it wrote more of the {} than its struct_size gave it room for", name));
  }
};

LoadOutcome broken(std::string reason) {
  return {.status = LoadOutcome::Status::kBroken, .reason = std::move(reason), .image = nullptr};
}

LoadOutcome PluginJit::load(const Case& value) {
  std::array<char, 512> error{};
  Room<plumb_image> room;
  plumb_image& raw = room.filled;
  const plumb_load_request& request = request_.build(value, arena_.range().address);
  const std::optional<std::uint64_t> held = plugin_->pieces_held();
  const int status = plugin_->load(request, raw, error);
  LoadOutcome outcome{
      .status = outcome_status(status), .reason = plugin_text(error), .image = nullptr};
  if (status < PLUMB_LOADED || status > PLUMB_BROKEN) {
    outcome.reason = fmt::format("it answered with unknown status {}", status);
  }
  if (status != PLUMB_LOADED) return outcome;
  if (const Result<void> kept = room.check("image"); !kept) return broken(kept.error().str());
  auto loaded = std::make_unique<PluginImage>(*plugin_, raw, held);
  Result<Image> image = read_image(loaded->raw(), value, info_, arena_.range());
  if (!image) return broken("it describes its image wrongly: " + image.error().str());
  if (const Result<void> asked = ask_for_claims(loaded->raw(), *image); !asked) {
    return broken(asked.error().str());
  }
  if (const Result<void> asked = ask_for_throws(value, loaded->raw(), *image); !asked) {
    return broken(asked.error().str());
  }
  loaded->set(std::move(*image));
  outcome.image = std::move(loaded);
  return outcome;
}

Result<void> PluginJit::ask_for_claims(plumb_image& raw, Image& image) {
  if ((info_.capabilities & PLUMB_GIVES_UNWIND_ROWS) == 0) return {};
  std::array<char, 512> error{};
  Room<plumb_claims> room;
  const std::optional<int> status = plugin_->claims(raw, room.filled, error);
  if (!status) return {};
  if (*status != 0) return fail("it cannot say what it claims: " + plugin_text(error));
  if (auto kept = room.check("claims"); !kept) return kept;
  const Result<void> read = read_frame_claims(room.filled, image);
  if (!read) return fail("it describes its image wrongly: " + read.error().str());
  return {};
}

Result<void> PluginJit::ask_for_throws(const Case& value, plumb_image& raw, Image& image) {
  if ((info_.capabilities & PLUMB_CAN_THROW) == 0) return {};
  for (std::size_t p = 0; p < value.programs.size(); ++p) {
    if (value.programs[p].exception_callback == kNoFunction) continue;
    const auto program = static_cast<int>(p);
    std::array<char, 512> error{};
    Room<plumb_throw_info> room;
    const std::optional<int> status =
        plugin_->throw_info(raw, static_cast<std::uint32_t>(p), room.filled, error);
    if (!status) {
      image.throws.push_back(usual_throw_path(value, program, image));
      continue;
    }
    if (*status != 0) return fail("it cannot say how throws find their way: " + plugin_text(error));
    if (auto kept = room.check("throw_info"); !kept) return kept;
    Result<ThrowPath> path = read_throw_path(room.filled, value, program, image);
    if (!path) return fail("it describes its image wrongly: " + path.error().str());
    image.throws.push_back(*path);
  }
  return {};
}

Result<std::unique_ptr<PluginJit>> open_library(Library library, const ArenaPlace& place) {
  void* symbol = dlsym(library.get(), PLUMB_PLUGIN_ENTRY);
  if (symbol == nullptr) return fail("no plugin: it does not export " PLUMB_PLUGIN_ENTRY "()");
  // A plugin of ABI 1 takes no arguments; in the calling conventions that there are it does not
  // notice them.
  const plumb_plugin* plugin = reinterpret_cast<decltype(&plumb_plugin_entry)>(symbol)(
      PLUMB_PLUGIN_ABI, sizeof(plumb_plugin));
  Result<std::unique_ptr<PluginTable>> table = read_table(plugin);
  if (!table) return std::unexpected(table.error());
  Result<JitInfo> info = (*table)->info();
  if (!info) return std::unexpected(info.error());
  std::optional<OpenMark> mark = OpenMark::set(plugin);
  if (!mark) return fail("it is open already");
  const Range wanted = (*table)->wanted_arena();
  if (wanted.size <= PLUMB_STUB_SIZE) {
    return fail("its arena has no room for the helper stubs");
  }
  Result<Arena> arena = map_arena(wanted, place);
  if (!arena) return std::unexpected(arena.error());
  std::array<char, 512> error{};
  if ((*table)->open(arena->range(), error) != 0) {
    return fail(fmt::format("it cannot start: {}", plugin_text(error)));
  }
  // open() may have found out what the JIT cannot do.
  info = (*table)->info();
  if (!info) return std::unexpected(info.error());
  return std::make_unique<PluginJit>(std::move(library), std::move(*mark), *std::move(table),
                                     *std::move(info), *std::move(arena));
}

}  // namespace

Result<OpenedPlugin> open_plugin_at(const std::string& path, const ArenaPlace& place) {
  Result<Library> library = load_library(path);
  if (!library) return std::unexpected(library.error());
  Result<std::unique_ptr<PluginJit>> jit = open_library(*std::move(library), place);
  if (jit) {
    const Range arena = (*jit)->arena();
    return OpenedPlugin{.jit = *std::move(jit), .arena = arena};
  }
  jit.error().file = path;
  return std::unexpected(jit.error());
}

Result<std::unique_ptr<Jit>> open_plugin(const std::string& path) {
  const QuietOutput quiet;
  Result<OpenedPlugin> opened = open_plugin_at(path, {});
  if (!opened) return std::unexpected(opened.error());
  return std::move(opened->jit);
}

}  // namespace plumb::jit
