// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace plumb::fuzz {

// What a fuzz target reads from its command line beside libFuzzer's flags, which begin with one
// dash; libFuzzer passes over those with two.
//   --jit=NAMES       instead of the target's own
//   --plugins=DIR     default: plugins/ beside the target
//   --known=DIR       case files with waivers; default: known/ beside the target
//   --out=DIR         for minimised findings; default: where libFuzzer puts its artefacts
//   --funnel=FILE     append the funnels as JSON lines
//   --keep-going      a finding is written, and does not end the run
//   --unwatched       no second process (fuzz/watch.h), for a debugger
struct CommandLine {
  std::string jits;
  std::string plugins;
  std::string known;
  std::string out;
  std::string funnel;
  bool keep_going = false;
  bool watched = true;
  // libFuzzer's own: where it puts what kills the process.
  std::string artefact_prefix;
  std::string exact_artefact;
};

[[nodiscard]] CommandLine read_command_line(const std::vector<std::string_view>& arguments,
                                            std::string_view default_jits);

// libFuzzer's flags with ours in front, so that what the user gives wins: inputs are text of some
// kilobytes from the start, one call of the mutator makes several changes already, leaks are
// looked for elsewhere (they cost a factor of ten here), and what takes 30 s hangs.
// The vectors that argv points to live as long as the process.
void add_default_flags(int* argc, char*** argv);

}  // namespace plumb::fuzz
