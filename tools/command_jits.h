// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "tools/session.h"

namespace plumb::tools {

// jits add, jits remove.
void add_jits_add_commands(CLI::App& jits, Session& session);

}  // namespace plumb::tools
