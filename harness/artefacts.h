// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/case.h"
#include "core/result.h"
#include "harness/check.h"

namespace plumb::harness {

// A file that a fuzzer left: <name>.bpf has to be a case, any other file is an input as the fuzz
// targets read it (fuzz_input.h). An error: no regular file, not readable, larger than a case may
// be, or <name>.bpf is none.
struct Artefact {
  Case value;
  std::string note;  // it begins as the text of a case does, and was read as entropy: why. Or empty
};
[[nodiscard]] Result<Artefact> read_artefact(const std::string& path);

struct Artefacts {
  std::vector<NamedCase> cases;
  std::vector<std::string> notes;        // of the artefacts that have one
  std::vector<std::string> passed_over;  // files of directories that cannot be used, and why
};

// The artefacts that the paths name: a file is itself, a directory all files below it but logs and
// reports (.txt, .log, .json), sorted by path. An error: a file that was named cannot be used, or a
// directory not be read.
[[nodiscard]] Result<Artefacts> read_artefacts(std::span<const std::string> paths);

}  // namespace plumb::harness
