// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/dpdk/loading.h"

#include <cstring>
#include <string_view>
#include <utility>

namespace plumb::dpdk {
namespace {

// The library's messages are "where(address): what;" or "where: what at pc: 3".
std::string readable(std::string_view line) {
  constexpr std::string_view kSlot = " at pc: ";
  const std::size_t colon = line.find(": ");
  const std::size_t address_end = line.find(") ");
  if (colon != std::string_view::npos && colon < line.find(kSlot)) {
    line.remove_prefix(colon + 2);
  } else if (address_end != std::string_view::npos) {
    line.remove_prefix(address_end + 2);
  }
  std::string_view slot;
  if (const std::size_t at = line.find(kSlot); at != std::string_view::npos) {
    slot = line.substr(at + kSlot.size());
    slot = slot.substr(0, slot.find_first_not_of("0123456789"));
    line = line.substr(0, at);
  }
  while (line.ends_with(';') || line.ends_with(' ')) line.remove_suffix(1);
  return slot.empty() ? std::string(line) : "slot " + std::string(slot) + ": " + std::string(line);
}

}  // namespace

const char* library_version() {
  const char* const version = rte_version();
  const char* const blank = std::strchr(version, ' ');
  return blank == nullptr ? version : blank + 1;
}

LibraryLog::LibraryLog() : stream_(fmemopen(text_.data(), text_.size() - 1, "w")) {
  rte_openlog_stream(stream_);
}

LibraryLog::~LibraryLog() {
  rte_openlog_stream(nullptr);
  if (stream_ != nullptr) std::fclose(stream_);
}

std::string LibraryLog::reason() {
  if (stream_ != nullptr) std::fflush(stream_);
  const std::string_view text(text_.data());
  return readable(text.substr(0, text.find('\n')));
}

Loading load_program(const plumb_load_request& request, std::uint32_t index, HelperTarget target) {
  const auto not_applicable = [index](const std::string& why) {
    return Loading{.program = nullptr,
                   .status = PLUMB_NOT_APPLICABLE,
                   .text = "program " + std::to_string(index) + ", " + why};
  };
  const plumb_program* const program =
      // A stride counts bytes. NOLINTNEXTLINE(bugprone-casting-through-void)
      PLUMB_AT(plumb_program, request.programs, request.program_stride, index);
  if (program->function_count != 1) return not_applicable("slot 0: more than one function");
  Translation translation;
  const std::string problem = translate(program->functions[0], request, target, translation);
  if (!problem.empty()) return not_applicable(problem);
  LibraryLog log;
  const rte_bpf_prm parameters = translation.parameters(request.context_size);
  LoadedProgram loaded(rte_bpf_load(&parameters));
  if (loaded == nullptr) return not_applicable(log.reason());
  return {.program = std::move(loaded), .status = PLUMB_LOADED, .text = log.reason()};
}

}  // namespace plumb::dpdk
