// SPDX-License-Identifier: GPL-2.0-or-later
// What the parts of `plumb jits` share.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "tools/session.h"

namespace plumb::tools {

struct AddArguments {
  std::string what;
  std::string name;
  std::vector<std::string> archs;
  std::string source;
  std::string variants = "frames";
  bool force = false;
};

// jits add, jits remove.
void add_jits_add_commands(CLI::App& jits, Session& session);

// jits test.
void add_jits_test_command(CLI::App& jits, Session& session);

// jits add linux=PATH. The exit status.
[[nodiscard]] int add_linux(const AddArguments& arguments, const std::string& path,
                            const Session& session);

// jits add debian=VERSION. The exit status.
[[nodiscard]] int add_debian(const AddArguments& arguments, const std::string& wanted,
                             const Session& session);

// Why JITs of these names cannot be added under NAME: one would be hidden by, or hide, one from
// elsewhere, or NAME was added before and is not to be replaced.
[[nodiscard]] std::optional<std::string> conflict(const Session& session, const std::string& name,
                                                  const std::vector<std::string>& jits, bool force);

// Where the log of a build that failed is kept.
[[nodiscard]] std::filesystem::path log_file(const Session& session, const std::string& name);

}  // namespace plumb::tools
