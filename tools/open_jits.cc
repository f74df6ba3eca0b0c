// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/open_jits.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/printable.h"

namespace plumb::tools {

jit::Isolation isolation_of(const Session& session) {
  return session.isolate ? jit::Isolation::kAll : jit::Isolation::kStrangers;
}

Result<jit::OpenedJits> open_named_jits(const Session& session, const std::string& names) {
  auto opened = jit::open_available_jits(session.plugin_directory, names, isolation_of(session));
  if (!opened) return opened;
  if (opened->jits.empty()) {
    const jit::JitEntry& first = opened->not_available.front();
    return std::unexpected(
        Error{.file = first.path, .line = 0, .column = 0, .message = first.reason});
  }
  for (const jit::JitEntry& entry : opened->not_available) {
    fmt::print(stderr, "plumb: {}: not available: {}\n", printable(entry.name),
               printable(entry.reason));
  }
  return opened;
}

Result<std::vector<std::unique_ptr<jit::Jit>>> open_all_jits(const Session& session,
                                                             const std::string& names) {
  return jit::open_jits(session.plugin_directory, names, isolation_of(session));
}

std::vector<reports::UnavailableJit> missing_from(const jit::OpenedJits& opened) {
  std::vector<reports::UnavailableJit> missing;
  missing.reserve(opened.not_available.size());
  for (const jit::JitEntry& entry : opened.not_available) {
    missing.push_back({.name = entry.name, .reason = entry.reason});
  }
  return missing;
}

int status_of(int judged, const jit::OpenedJits& opened) {
  return opened.not_available.empty() ? judged : std::max(judged, kStatusUnusable);
}

}  // namespace plumb::tools
