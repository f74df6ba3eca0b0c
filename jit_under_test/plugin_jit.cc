// SPDX-License-Identifier: GPL-2.0-or-later
#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/guest.h"
#include "jit_under_test/abi_1.h"
#include "jit_under_test/arena.h"
#include "jit_under_test/image_reader.h"
#include "jit_under_test/jit.h"
#include "jit_under_test/library.h"
#include "jit_under_test/plugin.h"
#include "jit_under_test/request.h"

namespace plumb::jit {
namespace {

static_assert(static_cast<int>(Arch::kX86_64) == PLUMB_ARCH_X86_64);
static_assert(static_cast<int>(Arch::kArm64) == PLUMB_ARCH_ARM64);
static_assert(static_cast<int>(Arch::kRiscv64) == PLUMB_ARCH_RISCV64);
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

Result<Arena> map_arena(Range wanted) {
  Result<Arena> arena = Arena::map(wanted);
  // What no place could satisfy is the plugin's mistake; what is taken is nobody's.
  if (arena || !Arena::possible(wanted)) return arena;
  Result<Arena> other = Arena::map_somewhere(wanted.size);
  if (other) return other;
  return fail(fmt::format("{}; nor is there another place for it", arena.error().message));
}

class PluginImage final : public LoadedImage {
 public:
  PluginImage(const plumb_plugin& plugin, plumb_image raw) : plugin_(plugin), raw_(raw) {}
  PluginImage(const PluginImage&) = delete;
  PluginImage& operator=(const PluginImage&) = delete;
  ~PluginImage() override { plugin_.unload(&raw_); }

  [[nodiscard]] const Image& image() const override { return image_; }
  void set(Image image) { image_ = std::move(image); }
  [[nodiscard]] const plumb_image& raw() const { return raw_; }

 private:
  const plumb_plugin& plugin_;
  plumb_image raw_;
  Image image_;
};

class PluginJit final : public Jit {
 public:
  PluginJit(Library library, OpenMark mark, const plumb_plugin& plugin, JitInfo info, Arena arena)
      : library_(std::move(library)),
        mark_(std::move(mark)),
        plugin_(plugin),
        info_(std::move(info)),
        arena_(std::move(arena)) {}

  [[nodiscard]] const JitInfo& info() const override { return info_; }
  [[nodiscard]] LoadOutcome load(const Case& value) override;

 private:
  Library library_;
  OpenMark mark_;
  const plumb_plugin& plugin_;
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

LoadOutcome PluginJit::load(const Case& value) {
  std::array<char, 512> error{};
  plumb_image raw{};
  raw.struct_size = sizeof(raw);
  const int status = plugin_.load(&request_.build(value), &raw, error.data(), error.size());
  error.back() = '\0';
  LoadOutcome outcome{.status = outcome_status(status), .reason = error.data(), .image = nullptr};
  if (status != PLUMB_LOADED) return outcome;
  auto loaded = std::make_unique<PluginImage>(plugin_, raw);
  Result<Image> image = read_image(loaded->raw(), value, info_, arena_.range());
  if (!image) {
    return {.status = LoadOutcome::Status::kBroken,
            .reason = "the plugin describes its image wrongly: " + image.error().str(),
            .image = nullptr};
  }
  loaded->set(std::move(*image));
  outcome.image = std::move(loaded);
  return outcome;
}

// The fields that every plugin has; what was appended later is read only where it is covered.
constexpr std::size_t kContractOfVersion1 =
    offsetof(plumb_contract, r10_bias) + sizeof(plumb_contract::r10_bias);

Result<JitInfo> read_info(const plumb_plugin_info* from) {
  if (from == nullptr ||
      from->struct_size < offsetof(plumb_plugin_info, contract) + kContractOfVersion1 ||
      from->contract.struct_size < kContractOfVersion1) {
    return fail("its description is too short for ABI version 1");
  }
  if (from->name == nullptr || from->family == nullptr || from->version == nullptr ||
      from->origin == nullptr) {
    return fail("its description lacks a name");
  }
  if (from->arch < PLUMB_ARCH_X86_64 || from->arch > PLUMB_ARCH_RISCV64) {
    return fail(fmt::format("unknown architecture {}", from->arch));
  }
  const plumb_contract& c = from->contract;
  if (std::ranges::any_of(c.bpf_register, [](auto r) { return r >= 32; }) ||
      c.frame_pointer >= 32 || (c.result_bits != 32 && c.result_bits != 64) ||
      c.call_alignment == 0 || c.frame_rounding == 0 || c.landing_pad > PLUMB_LANDING_PAD_BTI) {
    return fail("its contract is out of range");
  }
  JitInfo info;
  info.name = from->name;
  info.family = from->family;
  info.version = from->version;
  info.origin = from->origin;
  info.arch = static_cast<Arch>(from->arch);
  info.capabilities = from->capabilities;
  info.contract = {.empty_slot_consumes_count =
                       c.empty_slot_consumes_count != 0 ? Tristate::kYes : Tristate::kNo,
                   .calls_keep_count = false,
                   .call_alignment = c.call_alignment,
                   .result_bits = c.result_bits,
                   .frame_rounding = c.frame_rounding};
  const std::size_t kept = offsetof(plumb_contract, calls_keep_count);
  if (c.struct_size > kept) info.contract.calls_keep_count = c.calls_keep_count != 0;
  std::ranges::copy(c.bpf_register, info.registers.bpf.begin());
  info.registers.frame_pointer = c.frame_pointer;
  info.registers.r10_bias = c.r10_bias;
  if (c.struct_size > offsetof(plumb_contract, call_preamble)) {
    info.landing = {.pad = static_cast<LandingPad>(c.landing_pad + 1),
                    .call_preamble = c.call_preamble};
  }
  const std::size_t rules = offsetof(plumb_contract, verifier_rules);
  const unsigned lets = c.struct_size > rules ? c.verifier_rules : 0u;
  info.contract.chain_rounding = (lets & PLUMB_VERIFIER_ROUNDS_TO_16) != 0 ? 16 : 32;
  info.contract.tail_call_in_callback = (lets & PLUMB_VERIFIER_TAIL_CALL_IN_CALLBACK) != 0;
  return info;
}

Result<std::unique_ptr<Jit>> open_library(Library library) {
  void* symbol = dlsym(library.get(), PLUMB_PLUGIN_ENTRY);
  if (symbol == nullptr) return fail("no plugin: it does not export " PLUMB_PLUGIN_ENTRY "()");
  const plumb_plugin* plugin = reinterpret_cast<decltype(&plumb_plugin_entry)>(symbol)();
  if (plugin == nullptr || plugin->struct_size < sizeof(plumb_plugin)) {
    return fail("its plugin table is too short");
  }
  if (plugin->abi != PLUMB_PLUGIN_ABI) {
    return fail(fmt::format("it speaks plugin ABI {}, this build speaks {}", plugin->abi,
                            PLUMB_PLUGIN_ABI));
  }
  if (plugin->open == nullptr || plugin->load == nullptr || plugin->unload == nullptr) {
    return fail("its plugin table lacks open, load or unload");
  }
  Result<JitInfo> info = read_info(plugin->info);
  if (!info) return std::unexpected(info.error());
  if (plugin->abi == 1) info->capabilities |= kTakenByAbi1;
  std::optional<OpenMark> mark = OpenMark::set(plugin);
  if (!mark) return fail("it is open already");
  if (plugin->info->arena_size <= PLUMB_STUB_SIZE) {
    return fail("its arena has no room for the helper stubs");
  }
  Result<Arena> arena = map_arena({plugin->info->arena_base, plugin->info->arena_size});
  if (!arena) return std::unexpected(arena.error());
  std::array<char, 512> error{};
  if (plugin->open(arena->range().address, arena->range().size, error.data(), error.size()) != 0) {
    error.back() = '\0';
    return fail(fmt::format("it cannot start: {}", error.data()));
  }
  // open() may have found out what the JIT cannot do.
  info = read_info(plugin->info);
  if (!info) return std::unexpected(info.error());
  return std::make_unique<PluginJit>(std::move(library), std::move(*mark), *plugin,
                                     std::move(*info), std::move(*arena));
}

}  // namespace

Result<std::unique_ptr<Jit>> open_plugin(const std::string& path) {
  Result<Library> library = load_library(path);
  if (!library) return std::unexpected(library.error());
  Result<std::unique_ptr<Jit>> jit = open_library(*std::move(library));
  if (!jit) jit.error().file = path;
  return jit;
}

}  // namespace plumb::jit
