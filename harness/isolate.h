// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <atomic>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/codec.h"
#include "harness/activity.h"
#include "harness/loss.h"

namespace plumb::harness {

namespace isolate_detail {
inline constexpr std::uint64_t kMostMemory = std::uint64_t{12} << 30;
}  // namespace isolate_detail

// Work on numbered items, in child processes: an item that kills its process costs a fork and is
// reported; the others go on.
//
// No item is done because nobody said otherwise. A child counts the items that it did, sends a
// record for each that has a result, and an end mark (core/record_stream.h). The parent takes
// nothing else for the end of the work, no exit status either: every item that was begun comes to
// on_result, or to on_loss, or the child vouched for it (it did it and had nothing to tell).
//
// A child that dies of SIGKILL, which we did not send, may have been killed by the system or by
// anybody: the item is tried once more, in a fresh child, before it is lost of that.
//
// SIGINT and SIGTERM pass the children by: a terminal and timeout(1) send them to the whole process
// group, and the parent decides. No child outlives its parent, nor what a child began (unless that
// left its process group) the child. Children read nothing and print nothing: stdin and stdout are
// /dev/null, so that code under test cannot write into a report. Their memory is limited.
template <typename Value>
struct IsolatedLoop {
  std::uint64_t items = 0;         // how many; UINT64_MAX: until on_tick says stop
  unsigned jobs = 1;               // processes at a time; job j does groups j, j + jobs, ...
  std::uint64_t group = 1;         // so many items in a row are done by one job, all or none
  double seconds_per_item = 10.0;  // longer is a hang
  // Bytes of address space that a child gets beyond what its parent has. An engine of the emulator
  // reserves 1 GiB for its code; judging takes two of them for each architecture.
  std::uint64_t memory = isolate_detail::kMostMemory;
  std::function<std::int64_t()> oom_kills = plumb::oom_kills;  // core/death.h

  // In the child. The result is sent to on_result; nothing: it was done, and there is nothing to
  // tell. The cell says what is being done; job tells which process it is.
  std::function<std::optional<Value>(std::uint64_t item, unsigned job,
                                     std::atomic<Activity>& activity)>
      work{};
  // In the parent.
  std::function<void(std::uint64_t item, Value result)> on_result{};
  std::function<void(std::uint64_t item, const Loss& loss)> on_loss{};
  // In the parent, about ten times a second. False: no new groups.
  std::function<bool()> on_tick{};
};

namespace isolate_detail {

// The same with results as bytes. accept() returns false for what is none.
struct Loop {
  std::uint64_t items = 0;
  unsigned jobs = 1;
  std::uint64_t group = 1;
  double seconds_per_item = 10.0;
  std::uint64_t memory = kMostMemory;
  std::function<std::int64_t()> oom_kills = plumb::oom_kills;
  std::function<std::optional<std::string>(std::uint64_t, unsigned, std::atomic<Activity>&)> work;
  std::function<bool(std::uint64_t, std::string_view)> accept;
  std::function<void(std::uint64_t, const Loss&)> on_loss;
  std::function<bool()> on_tick;
};
std::uint64_t run(const Loop& loop);

}  // namespace isolate_detail

// Runs the loop; returns how many items were begun. Values are sent by core/codec.h.
template <typename Value>
std::uint64_t run_isolated(const IsolatedLoop<Value>& loop) {
  return isolate_detail::run(
      {.items = loop.items,
       .jobs = loop.jobs,
       .group = loop.group,
       .seconds_per_item = loop.seconds_per_item,
       .memory = loop.memory,
       .oom_kills = loop.oom_kills,
       .work = [&](std::uint64_t item, unsigned job,
                   std::atomic<Activity>& activity) -> std::optional<std::string> {
         const std::optional<Value> value = loop.work(item, job, activity);
         if (!value) return std::nullopt;
         return encode(*value);
       },
       .accept =
           [&](std::uint64_t item, std::string_view bytes) {
             std::optional<Value> value = decode<Value>(bytes);
             if (!value) return false;
             loop.on_result(item, *std::move(value));
             return true;
           },
       .on_loss = loop.on_loss,
       .on_tick = loop.on_tick});
}

// One piece of work in a child.
template <typename Value>
[[nodiscard]] std::expected<Value, Loss> run_isolated(
    double seconds, const std::function<Value(std::atomic<Activity>& activity)>& work) {
  std::expected<Value, Loss> result = std::unexpected(Loss{});
  run_isolated<Value>(
      {.items = 1,
       .seconds_per_item = seconds,
       .work = [&](std::uint64_t, unsigned, std::atomic<Activity>& activity)
           -> std::optional<Value> { return work(activity); },
       .on_result = [&](std::uint64_t, Value value) { result = std::move(value); },
       .on_loss = [&](std::uint64_t, const Loss& loss) { result = std::unexpected(loss); }});
  return result;
}

}  // namespace plumb::harness
