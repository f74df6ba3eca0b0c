// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <exception>
#include <filesystem>
#include <system_error>

#include "jit_under_test/linux/trees/cache.h"
#include "tools/session.h"

namespace {

namespace fs = std::filesystem;

// The directory that holds the running command.
fs::path own_directory() {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  return error ? fs::path(".") : self.parent_path();
}

// corpus/known of the checkout: below the current directory, else two above a build directory.
std::string find_known() {
  for (const fs::path& candidate :
       {fs::path("corpus/known"), own_directory() / "../../corpus/known"}) {
    std::error_code error;
    if (fs::is_directory(candidate, error)) return candidate.lexically_normal().string();
  }
  return {};
}

void add_common_options(CLI::App& app, plumb::tools::Session& session) {
  static constexpr const char* kFormats = "text or json";
  app.add_option_function<std::string>(
         "--format", [&session](const std::string& name) { session.json = name == "json"; },
         kFormats)
      ->check(CLI::IsMember({"text", "json"}))
      ->type_name("FORMAT");
  app.add_option("--plugins", session.plugin_directory,
                 "where the JIT plugins lie; default: plugins/ beside the command, and the cache")
      ->type_name("DIR[:DIR]");
  app.add_flag("--isolate", session.isolate,
               "run every JIT's plugin in a process of its own, not only those that others built");
  app.add_option("--cache", session.cache_directory, "where plumb jits add puts plugins")
      ->type_name("DIR");
  app.add_option("--known", session.known_directory, "case files whose waivers apply")
      ->type_name("DIR");
}

int run(int argc, char** argv) {
  using namespace plumb::tools;
  namespace jit = plumb::jit;
  Session session;
  session.cache_directory = jit::trees::default_cache();
  session.source_directory = (own_directory() / "../..").lexically_normal().string();
  session.known_directory = find_known();
  session.target_directory = (own_directory() / "../fuzz").lexically_normal().string();
  session.benchmark_program = (own_directory() / "prologue_benchmark").string();
  CLI::App app("Plumbline: tests the frame layouts of BPF JIT compilers", "plumb");
  app.require_subcommand(1);
  app.fallthrough();
  app.set_version_flag("--version", "plumb 0.1.0");
  add_common_options(app, session);
  add_jits_command(app, session);
  add_check_commands(app, session);
  add_fuzz_command(app, session);
  add_minimize_command(app, session);
  add_triage_command(app, session);
  add_explain_command(app, session);
  add_unwind_command(app, session);
  add_defects_command(app, session);
  add_layouts_command(app, session);
  add_bench_command(app, session);
  add_gen_command(app, session);
  add_test_bpf_command(app, session);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Asking for help is no error; every other way to end up here is unusable input.
    return app.exit(error) == 0 ? kStatusConforms : kStatusUnusable;
  }
  if (session.plugin_directory.empty()) {
    session.plugin_directory = jit::trees::plugin_search_path(
        (own_directory() / "plugins").string(), session.cache_directory);
  }
  return session.action();
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    fmt::print(stderr, "plumb: internal error: {}\n", error.what());
    return plumb::tools::kStatusHarnessFailed;
  }
}
