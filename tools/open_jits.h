// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "jit_under_test/jit.h"
#include "reports/report.h"
#include "tools/session.h"

namespace plumb::tools {

// What --jit names, where some may be missing. Of those it is told on stderr; the others are
// judged. Fails when a name matches nothing, or when there is nothing left.
[[nodiscard]] Result<jit::OpenedJits> open_named_jits(const Session& session,
                                                      const std::string& names);

// What --jit names, all of it.
[[nodiscard]] Result<std::vector<std::unique_ptr<jit::Jit>>> open_all_jits(
    const Session& session, const std::string& names);

[[nodiscard]] jit::Isolation isolation_of(const Session& session);

[[nodiscard]] std::vector<reports::UnavailableJit> missing_from(const jit::OpenedJits& opened);

// The status of a command that judged only some of what it was to judge: its answer is not whole.
[[nodiscard]] int status_of(int judged, const jit::OpenedJits& opened);

}  // namespace plumb::tools
