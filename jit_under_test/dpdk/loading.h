// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdio>
#include <memory>
#include <string>

#include "jit_under_test/dpdk/library.h"
#include "jit_under_test/dpdk/translation.h"
#include "jit_under_test/plugin.h"

namespace plumb::dpdk {

// "22.11.11": of the library that is there, not of the one that was there at build time.
[[nodiscard]] const char* library_version();

// While this lives, what the library logs comes here: by itself it goes to stderr.
class LibraryLog {
 public:
  LibraryLog();
  ~LibraryLog();
  LibraryLog(const LibraryLog&) = delete;
  LibraryLog& operator=(const LibraryLog&) = delete;

  // The first message, without names of the library's functions and addresses, as
  // "slot 3: memory boundary violation"; empty: none.
  [[nodiscard]] std::string reason();

 private:
  std::array<char, 4096> text_{};
  std::FILE* stream_;
};

struct ProgramCloser {
  void operator()(rte_bpf* program) const { rte_bpf_destroy(program); }
};
using LoadedProgram = std::unique_ptr<rte_bpf, ProgramCloser>;

// A program of the request in the library, which keeps no pointer into what it was made of.
struct Loading {
  LoadedProgram program;
  int status = PLUMB_LOADED;  // enum plumb_status
  std::string text;           // one line: why not, or what was logged all the same
};
[[nodiscard]] Loading load_program(const plumb_load_request& request, std::uint32_t index,
                                   HelperTarget target);

}  // namespace plumb::dpdk
