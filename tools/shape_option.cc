// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/shape_option.h"

#include <fmt/format.h>

#include "core/capability.h"

namespace plumb::tools {

Result<const gen::Shape*> shape_named(const std::string& name) {
  if (name.empty()) return nullptr;
  const gen::Shape* shape = gen::find_shape(name);
  if (shape == nullptr)
    return fail(fmt::format("no shape is called '{}'; see plumb gen --list", name));
  return shape;
}

Result<void> check_shape(const gen::Shape* shape, std::uint64_t capabilities,
                         std::string_view who) {
  const std::uint64_t lacking = shape == nullptr ? 0 : shape->needs & ~capabilities;
  if (lacking == 0) return {};
  return fail(fmt::format("no case of the shape '{}' is for {}: it lacks {}", shape->name, who,
                          capability_names(lacking)));
}

}  // namespace plumb::tools
