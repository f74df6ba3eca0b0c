// SPDX-License-Identifier: GPL-2.0-or-later
#include "fuzz/command_line.h"

#include <array>
#include <filesystem>
#include <system_error>
#include <utility>

namespace plumb::fuzz {
namespace {

namespace fs = std::filesystem;

fs::path beside_the_target(const char* name) {
  std::error_code error;
  const fs::path self = fs::read_symlink("/proc/self/exe", error);
  return (error ? fs::path(".") : self.parent_path()) / name;
}

// libFuzzer's -artifact_prefix is a prefix of file names, most often a directory with its slash.
std::string directory_of(std::string_view artifact_prefix) {
  const std::size_t slash = artifact_prefix.rfind('/');
  return slash == std::string_view::npos ? "." : std::string(artifact_prefix.substr(0, slash + 1));
}

}  // namespace

CommandLine read_command_line(const std::vector<std::string_view>& arguments,
                              std::string_view default_jits) {
  CommandLine line;
  const std::pair<std::string_view, std::string*> texts[] = {
      {"--jit=", &line.jits},
      {"--plugins=", &line.plugins},
      {"--known=", &line.known},
      {"--out=", &line.out},
      {"--funnel=", &line.funnel},
      {"-artifact_prefix=", &line.artefact_prefix},
      {"-exact_artifact_path=", &line.exact_artefact}};
  for (const std::string_view argument : arguments) {
    for (const auto& [name, to] : texts) {
      if (argument.starts_with(name)) *to = argument.substr(name.size());
    }
    if (argument == "--keep-going") line.keep_going = true;
    if (argument == "--unwatched") line.watched = false;
  }
  if (line.jits.empty()) line.jits = default_jits;
  if (line.plugins.empty()) line.plugins = beside_the_target("plugins").string();
  if (line.known.empty()) {
    std::error_code error;
    const fs::path known = beside_the_target("known");
    if (fs::is_directory(known, error)) line.known = known.string();
  }
  if (line.out.empty()) line.out = directory_of(line.artefact_prefix);
  return line;
}

void add_default_flags(int* argc, char*** argv) {
  static std::array<std::string, 7> flags{
      "-print_funcs=0",  "-len_control=0",     "-max_len=8192", "-mutate_depth=1",
      "-detect_leaks=0", "-rss_limit_mb=2560", "-timeout=30"};
  static std::vector<char*> all;
  all.assign(*argv, *argv + (*argc > 0 ? 1 : 0));
  for (std::string& flag : flags) all.push_back(flag.data());
  for (int i = 1; i < *argc; ++i) all.push_back((*argv)[i]);
  all.push_back(nullptr);
  *argc = static_cast<int>(all.size()) - 1;
  *argv = all.data();
}

}  // namespace plumb::fuzz
