// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <chrono>
#include <expected>
#include <functional>
#include <string>
#include <string_view>

#include "core/death.h"
#include "core/record_stream.h"

namespace plumb::jit {

// A process of its own for code that we do not trust, which answers what it is asked.
//
//   who judges  --- socket ---  host: the code that we do not trust
//        \                       /
//         ------- keeper -------      waits for the host, and ends it with what it began
//
// Host and keeper are forks of the process that starts them. The keeper ends when that ends, so no
// host outlives who asks it, nor do processes that it began (unless they left its process group).
// The host's end is seen at once, even when a process that it began keeps the socket open.
class HostProcess {
 public:
  // main runs in the host, with its end of the socket.
  explicit HostProcess(const std::function<void(int socket)>& main);
  HostProcess(const HostProcess&) = delete;
  HostProcess& operator=(const HostProcess&) = delete;
  // Ends the host. In a process that was forked from who started it, nothing happens to it.
  ~HostProcess();

  // Is this the process that started it, and is it there still? Only then may it be asked.
  [[nodiscard]] bool can_be_asked() const;
  // The payload of the answer, which must come within so many seconds. An error: there is no host
  // any more.
  [[nodiscard]] std::expected<std::string, Death> ask(std::uint64_t what, std::string_view payload,
                                                      double seconds);

 private:
  using Clock = std::chrono::steady_clock;
  // What there was to wait for.
  enum class Event : std::uint8_t { kReady, kDeath, kTimeout };

  void start(const std::function<void(int socket)>& main);
  [[nodiscard]] std::expected<std::string, Death> exchange(const Record& request,
                                                           Clock::time_point deadline);
  // Nothing: all was sent, or the host takes nothing any more, which its end will explain.
  [[nodiscard]] bool send(std::string_view bytes, Clock::time_point deadline);
  [[nodiscard]] bool receive();
  [[nodiscard]] Event wait(short events, Clock::time_point deadline) const;
  [[nodiscard]] Death death() const;
  void end();

  pid_t owner_;
  pid_t keeper_ = -1;
  int socket_ = -1;  // -1: closed
  int report_ = -1;  // of the keeper: how the host ended
  RecordWriter writer_;
  RecordReader reader_;
};

// In the host: answers what is asked. Returns when nobody asks any more, or when what is asked
// cannot be read.
void answer_requests(
    int socket,
    const std::function<std::string(std::uint64_t what, std::string_view payload)>& answer);

}  // namespace plumb::jit
