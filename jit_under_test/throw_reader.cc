// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/throw_reader.h"

#include <fmt/format.h>

#include "jit_under_test/plugin_struct.h"

namespace plumb::jit {
namespace {

constexpr std::uint32_t kLastRule = PLUMB_THROW_SP_ZERO;
static_assert(static_cast<int>(ThrowSp::kUnknown) == PLUMB_THROW_SP_UNKNOWN);
static_assert(static_cast<int>(ThrowSp::kAtCall) == PLUMB_THROW_SP_AT_CALL);
static_assert(static_cast<int>(ThrowSp::kZero) == PLUMB_THROW_SP_ZERO);

}  // namespace

ThrowPath usual_throw_path(const Case& value, int program, const Image& image) {
  const int callback = value.programs[static_cast<std::size_t>(program)].exception_callback;
  const NativeFunction* const function = image.find_function(program, callback);
  return {.program = program,
          .boundary = 0,
          .callback = callback,
          .address = function != nullptr ? function->address : 0,
          .sp = ThrowSp::kUnknown};
}

Result<ThrowPath> read_throw_path(const plumb_throw_info& info, const Case& value, int program,
                                  const Image& image) {
  const Result<plumb_throw_info> filled = take_struct(&info, "throw_info");
  if (!filled) return std::unexpected(filled.error());
  const plumb_throw_info& from = *filled;
  ThrowPath path = usual_throw_path(value, program, image);
  const auto wrong = [&](std::string_view field, std::uint64_t is, std::string_view should) {
    return fail(
        fmt::format("throw_info of program {}: {} is {:#x}, not {}", program, field, is, should));
  };
  if (from.program != static_cast<std::uint32_t>(program)) {
    return wrong("program", from.program, "the one that was asked for");
  }
  const auto& functions = value.programs[static_cast<std::size_t>(program)].functions;
  if (from.boundary >= functions.size()) {
    return wrong("boundary", from.boundary, "a function of it");
  }
  if (from.boundary == static_cast<std::uint32_t>(path.callback)) {
    return wrong("boundary", from.boundary, "another function than the exception callback");
  }
  if (from.sp_rule > kLastRule) {
    return wrong("sp_rule", from.sp_rule, "one of enum plumb_throw_sp");
  }
  if (from.callback != path.address) {
    return wrong("callback", from.callback,
                 fmt::format("{:#x}, where the exception callback is entered", path.address));
  }
  path.boundary = static_cast<int>(from.boundary);
  path.sp = static_cast<ThrowSp>(from.sp_rule);
  return path;
}

}  // namespace plumb::jit
