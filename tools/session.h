// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

namespace plumb::tools {

// Exit statuses of every command (docs/command-line.md).
inline constexpr int kStatusConforms = 0;
inline constexpr int kStatusFinding = 1;
inline constexpr int kStatusUnusable = 2;
inline constexpr int kStatusHarnessFailed = 3;

// What all commands share. A command adds itself to the application and sets `action` when it is
// the one that was asked for; main() runs the action and returns its status.
struct Session {
  bool json = false;             // --format json
  bool isolate = false;          // --isolate: plugins of ours run in processes of their own, too
  std::string plugin_directory;  // where the JIT plugins lie, separated by ':'; default: plugins/
                                 // beside the command, and what was added to the cache
  std::string
      cache_directory;  // where `plumb jits add` puts plugins (jit_under_test/linux/trees/cache.h)
  std::string source_directory;   // the checkout that the command was built from
  std::string known_directory;    // case files with waivers: corpus/known
  std::string target_directory;   // the libFuzzer targets: build/fuzz
  std::string benchmark_program;  // what times native code: prologue_benchmark beside the command
  std::function<int()> action;
};

// Prints "plumb: MESSAGE" to stderr and returns kStatusUnusable.
[[nodiscard]] int unusable(const std::string& message);

void add_jits_command(CLI::App& app, Session& session);
void add_gen_command(CLI::App& app, Session& session);
void add_check_commands(CLI::App& app, Session& session);  // check, replay
void add_fuzz_command(CLI::App& app, Session& session);
void add_minimize_command(CLI::App& app, Session& session);
void add_triage_command(CLI::App& app, Session& session);
void add_explain_command(CLI::App& app, Session& session);
void add_test_bpf_command(CLI::App& app, Session& session);
void add_defects_command(CLI::App& app, Session& session);
void add_bench_command(CLI::App& app, Session& session);
void add_layouts_command(CLI::App& app, Session& session);
void add_unwind_command(CLI::App& app, Session& session);

}  // namespace plumb::tools
