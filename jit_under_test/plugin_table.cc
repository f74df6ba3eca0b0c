// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/plugin_table.h"

#include <fmt/format.h>

#include "jit_under_test/contract_reader.h"
#include "jit_under_test/plugin_struct.h"
#include "jit_under_test/plugin_v1.h"
#include "jit_under_test/plugin_v1_table.h"

namespace plumb::jit {
namespace {

class Abi2Table final : public PluginTable {
 public:
  explicit Abi2Table(const plumb_plugin& table) : table_(table) {}

  [[nodiscard]] Result<JitInfo> info() const override {
    Result<JitInfo> info = read_info(table_.info);
    if (!info) return info;
    info->counts_memory = table_.pieces_held != nullptr;
    if ((info->capabilities & PLUMB_GIVES_UNWIND_ROWS) != 0 && table_.claims == nullptr) {
      return fail("its capabilities have PLUMB_GIVES_UNWIND_ROWS, its plugin table lacks claims");
    }
    return info;
  }
  [[nodiscard]] Range wanted_arena() const override {
    return {table_.info->arena_base, table_.info->arena_size};
  }
  [[nodiscard]] int open(Range arena, std::span<char> error) override {
    return table_.open(arena.address, arena.size, error.data(), error.size());
  }
  [[nodiscard]] int load(const plumb_load_request& request, plumb_image& image,
                         std::span<char> error) override {
    return table_.load(&request, &image, error.data(), error.size());
  }
  void unload(plumb_image& image) override { table_.unload(&image); }
  [[nodiscard]] std::optional<int> claims(plumb_image& image, plumb_claims& claims,
                                          std::span<char> error) override {
    return table_.claims(&image, &claims, error.data(), error.size());
  }
  [[nodiscard]] std::optional<int> throw_info(plumb_image& image, std::uint32_t program,
                                              plumb_throw_info& info,
                                              std::span<char> error) override {
    if (table_.throw_info == nullptr) return std::nullopt;
    return table_.throw_info(&image, program, &info, error.data(), error.size());
  }
  void close() override {
    if (table_.close != nullptr) table_.close();
  }
  [[nodiscard]] std::optional<std::uint64_t> pieces_held() override {
    if (table_.pieces_held == nullptr) return std::nullopt;
    return table_.pieces_held();
  }

 private:
  plumb_plugin table_;  // what is there of it; the rest is null
};

}  // namespace

Result<std::unique_ptr<PluginTable>> read_table(const plumb_plugin* plugin) {
  if (plugin == nullptr) {
    return fail(fmt::format("it cannot serve a host of plugin ABI {}", PLUMB_PLUGIN_ABI));
  }
  constexpr std::size_t kBegin = PLUMB_UP_TO(plumb_plugin, abi);
  const auto begin = copy_of<plumb_plugin>(plugin, kBegin);
  if (begin.struct_size < kBegin) {
    return out_of_range("plugin.struct_size", begin.struct_size,
                        fmt::format("{} or more", kLeast<plumb_plugin>));
  }
  if (begin.abi == PLUMB_V1_PLUGIN_ABI) {
    return read_v1_table(reinterpret_cast<const plumb_v1_plugin*>(plugin));
  }
  if (begin.abi != PLUMB_PLUGIN_ABI) {
    return fail(fmt::format("it speaks plugin ABI {}, this build speaks {} and {}", begin.abi,
                            PLUMB_V1_PLUGIN_ABI, PLUMB_PLUGIN_ABI));
  }
  const Result<plumb_plugin> table = take_struct(plugin, "plugin");
  if (!table) return std::unexpected(table.error());
  if (table->open == nullptr || table->load == nullptr || table->unload == nullptr) {
    return fail("its plugin table lacks open, load or unload");
  }
  return std::make_unique<Abi2Table>(*table);
}

}  // namespace plumb::jit
