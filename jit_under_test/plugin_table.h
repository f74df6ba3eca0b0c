// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "core/guest.h"
#include "core/result.h"
#include "jit_under_test/jit.h"
#include "jit_under_test/plugin.h"

namespace plumb::jit {

// A plugin's functions as the host calls them, whichever ABI the plugin speaks. It refers to what
// the plugin exports, so the library has to stay loaded.
class PluginTable {
 public:
  virtual ~PluginTable() = default;

  [[nodiscard]] virtual Result<JitInfo> info() const = 0;
  [[nodiscard]] virtual Range wanted_arena() const = 0;  // after info() succeeded
  // As in struct plumb_plugin. Errors are cut to the span and end in a zero.
  [[nodiscard]] virtual int open(Range arena, std::span<char> error) = 0;
  [[nodiscard]] virtual int load(const plumb_load_request& request, plumb_image& image,
                                 std::span<char> error) = 0;
  virtual void unload(plumb_image& image) = 0;
  // Of a plugin with PLUMB_GIVES_UNWIND_ROWS. Nothing: its ABI has none.
  [[nodiscard]] virtual std::optional<int> claims(plumb_image& /*image*/, plumb_claims& /*claims*/,
                                                  std::span<char> /*error*/) {
    return std::nullopt;
  }
  // Nothing: the plugin has no such function.
  [[nodiscard]] virtual std::optional<int> throw_info(plumb_image& /*image*/,
                                                      std::uint32_t /*program*/,
                                                      plumb_throw_info& /*info*/,
                                                      std::span<char> /*error*/) {
    return std::nullopt;
  }
  virtual void close() = 0;
  // Nothing: it cannot say.
  [[nodiscard]] virtual std::optional<std::uint64_t> pieces_held() { return std::nullopt; }
};

// What plumb_plugin_entry() returned. Fails when it speaks an ABI that this build does not speak,
// or lacks what every plugin must have.
[[nodiscard]] Result<std::unique_ptr<PluginTable>> read_table(const plumb_plugin* plugin);

}  // namespace plumb::jit
