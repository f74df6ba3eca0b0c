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

// The host's structs may be longer than ours.
const plumb_program& program_at(const plumb_load_request& request, std::uint32_t index) {
  const auto* const first = reinterpret_cast<const char*>(request.programs);
  return *reinterpret_cast<const plumb_program*>(first +
                                                 std::size_t{index} * request.program_stride);
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

Surroundings surroundings_of(const plumb_load_request& request,
                             HelperFunction (*helper)(std::int32_t number)) {
  return {.context_size = request.context_size,
          .region_addresses = {request.region_addresses,
                               request.region_addresses + request.region_count},
          .region_sizes = {request.region_sizes, request.region_sizes + request.region_count},
          .helper = helper};
}

Loading load_program(const plumb_load_request& request, std::uint32_t index,
                     const Surroundings& around) {
  const std::string where = "program " + std::to_string(index) + ", ";
  const plumb_program& program = program_at(request, index);
  if (program.function_count != 1) {
    return {.program = nullptr,
            .status = PLUMB_NOT_APPLICABLE,
            .text = where + "slot 0: more than one function"};
  }
  Translation translation;
  std::string why;
  if (!translate(program.functions[0], around, translation, why)) {
    return {.program = nullptr, .status = PLUMB_NOT_APPLICABLE, .text = where + why};
  }
  LibraryLog log;
  const rte_bpf_prm parameters = translation.parameters(around.context_size);
  LoadedProgram loaded(rte_bpf_load(&parameters));
  if (loaded == nullptr) {
    return {.program = nullptr, .status = PLUMB_NOT_APPLICABLE, .text = where + log.reason()};
  }
  return {.program = std::move(loaded), .status = PLUMB_LOADED, .text = log.reason()};
}

}  // namespace plumb::dpdk
