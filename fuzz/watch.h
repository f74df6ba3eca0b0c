// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "harness/shared_memory.h"

namespace plumb::fuzz {

// The fuzzing engine sees what kills its process by a signal or by exit(). Code under test can end
// the process so that nobody is asked: by _exit(), by running another program, from a thread
// between two inputs; the status says then what that code wants it to say. So a second process
// watches: it knows which input is being judged and whether the engine came to its end, and turns
// what is missing into an artefact, a line on stderr and a status that is not 0. A signal that asks
// the target to end is passed on, and is no such case.
struct WatchOptions {
  std::string artefact_prefix;  // as libFuzzer's -artifact_prefix
  std::string exact_artefact;   // as its -exact_artifact_path, or empty
};

class Watch {
 public:
  // Forks. Nothing: this is the child, which goes on as the target. A number: this is the parent,
  // the child has ended, and that is the status to end with. Once.
  [[nodiscard]] std::optional<int> fork_target(const WatchOptions& options);

  // In the target. What is said in processes that the target began does not count.
  void begin_input(std::span<const std::uint8_t> input);
  void end_input();
  void end();  // the engine ends in order

 private:
  // Longer inputs are judged, and lost when they end the process.
  static constexpr std::size_t kMostBytes = std::size_t{1} << 20;
  struct Shared {
    std::atomic<bool> judging;
    std::atomic<bool> ended;
    std::atomic<std::uint64_t> size;  // of the input
    std::uint8_t input[kMostBytes];
  };

  [[nodiscard]] bool is_target() const;
  struct TargetEnd {
    int status = 0;      // as waitpid() gives it
    bool asked = false;  // a signal asked it to end
  };
  [[nodiscard]] static TargetEnd wait_for(pid_t target);
  [[nodiscard]] int status_for(const TargetEnd& end, const WatchOptions& options) const;

  harness::SharedArray<Shared> shared_{1};
  pid_t target_ = -1;
};

}  // namespace plumb::fuzz
