// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/plugin_v1_table.h"

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <type_traits>
#include <utility>
#include <vector>

#include "jit_under_test/contract_reader.h"
#include "jit_under_test/plugin_struct.h"
#include "jit_under_test/plugin_v1.h"

namespace plumb::jit {

// The first plugins had no more.
template <>
inline constexpr std::size_t kLeast<plumb_v1_contract> = PLUMB_UP_TO(plumb_v1_contract, r10_bias);
template <>
inline constexpr std::size_t kLeast<plumb_v1_plugin_info> =
    offsetof(plumb_v1_plugin_info, contract) + kLeast<plumb_v1_contract>;

namespace {

// What an image of ABI 1 points to is read as it stands.
static_assert(sizeof(plumb_v1_insn) == sizeof(plumb_insn));
static_assert(sizeof(plumb_v1_range) == sizeof(plumb_range));
static_assert(sizeof(plumb_v1_native_function) == offsetof(plumb_native_function, fp_begin) &&
              offsetof(plumb_v1_native_function, insn_offsets) ==
                  offsetof(plumb_native_function, insn_offsets));
static_assert(sizeof(plumb_v1_symbol) == sizeof(plumb_symbol) &&
              offsetof(plumb_v1_symbol, size) == offsetof(plumb_symbol, size));

// These capabilities had no name then, and every JIT got such cases.
constexpr std::uint64_t kTakenForGranted = PLUMB_CAN_TAKE_BASE;

constexpr const char* kNotice =
    "built for plugin ABI 1: what that has no word for is unknown, so fewer invariants look at it; "
    "build it again, or `plumb jits add --force` it again from its source";

std::uint8_t answer(bool yes) { return yes ? PLUMB_YES : PLUMB_NO; }
std::uint8_t register_code(std::uint8_t number) {
  // Beyond every register: 254 becomes PLUMB_NO_REGISTER, which ABI 1 did not know.
  return number < NativeRegister::kRegisters ? PLUMB_REGISTER(number) : PLUMB_NO_REGISTER - 1;
}

std::uint8_t landing_pad_code(std::uint8_t pad) {
  constexpr std::uint8_t kMost = PLUMB_LANDING_PAD_BTI - PLUMB_LANDING_PAD_NONE;
  constexpr std::uint8_t kOutOfRange = 0xff;
  return pad <= kMost ? static_cast<std::uint8_t>(pad + PLUMB_LANDING_PAD_NONE) : kOutOfRange;
}

plumb_contract translated(const plumb_v1_contract& from) {
  plumb_contract to{};
  to.struct_size = sizeof(to);
  for (std::size_t i = 0; i < std::size(from.bpf_register); ++i) {
    to.bpf_register[i] = register_code(from.bpf_register[i]);
  }
  to.frame_pointer = register_code(from.frame_pointer);
  to.r10_bias = from.r10_bias;
  to.r10_bias_known = PLUMB_YES;
  to.call_alignment = from.call_alignment;
  to.result_bits = from.result_bits;
  to.bpf_stack = PLUMB_STACK_IN_FRAME;
  to.frame_rounding = from.frame_rounding;
  to.empty_slot_consumes_count = answer(from.empty_slot_consumes_count != 0);
  to.calls_keep_count = answer(from.calls_keep_count != 0);
  to.count_in_frames = PLUMB_NO;  // no JIT did when plugins had that version
  if (from.struct_size >= PLUMB_UP_TO(plumb_v1_contract, landing_pad)) {
    to.landing_pad = landing_pad_code(from.landing_pad);
  }
  to.call_preamble = from.call_preamble;  // what hardens code: unknown
  to.verifier_rules = from.verifier_rules;
  return to;
}

// A request as ABI 1 has it. Points into the one that it was made of.
class V1Request {
 public:
  const plumb_v1_load_request& build(const plumb_load_request& from) {
    functions_.clear();
    programs_.clear();
    arrays_.clear();
    for (std::uint32_t p = 0; p < from.program_count; ++p) add_functions(program(from, p));
    const plumb_v1_function* functions = functions_.data();
    for (std::uint32_t p = 0; p < from.program_count; ++p) {
      const plumb_program& one = program(from, p);
      programs_.push_back({sizeof(plumb_v1_program), one.function_count, one.name, functions});
      functions += one.function_count;
    }
    for (std::uint32_t a = 0; a < from.array_count; ++a) {
      const auto* one = element_at(from.arrays, from.array_stride, a);
      arrays_.push_back({sizeof(plumb_v1_prog_array), one->slot_count, one->slots});
    }
    request_ = {sizeof(request_),  from.program_count, programs_.data(),     from.array_count,
                from.region_count, arrays_.data(),     from.region_addresses};
    return request_;
  }

 private:
  static const plumb_program& program(const plumb_load_request& from, std::uint32_t p) {
    return *element_at(from.programs, from.program_stride, p);
  }
  void add_functions(const plumb_program& from) {
    for (std::uint32_t f = 0; f < from.function_count; ++f) {
      const auto* one = element_at(from.functions, from.function_stride, f);
      functions_.push_back({.struct_size = sizeof(plumb_v1_function),
                            .flags = one->flags,
                            .name = one->name,
                            .insns = reinterpret_cast<const plumb_v1_insn*>(one->insns),
                            .insn_count = one->insn_count,
                            .stack_depth = one->stack_depth});
    }
  }

  std::vector<plumb_v1_function> functions_;
  std::vector<plumb_v1_program> programs_;
  std::vector<plumb_v1_prog_array> arrays_;
  plumb_v1_load_request request_{};
};

// The stride of a list whose elements say how long they are.
template <typename T>
std::uint32_t stride_of(const T* first, std::uint32_t count) {
  return first != nullptr && count != 0 ? first->struct_size : 0;
}

void describe(const plumb_v1_image& from, plumb_image& to) {
  to.function_count = from.function_count;
  to.function_stride = stride_of(from.functions, from.function_count);
  to.functions = reinterpret_cast<const plumb_native_function*>(from.functions);
  to.code_range_count = from.code_range_count;
  to.code_range_stride = sizeof(plumb_v1_range);
  to.code_ranges = reinterpret_cast<const plumb_range*>(from.code_ranges);
  to.array_count = from.array_count;
  to.array_stride = sizeof(plumb_v1_range);
  to.array_objects = reinterpret_cast<const plumb_range*>(from.array_objects);
  to.symbol_count = from.symbol_count;
  to.symbol_stride = stride_of(from.symbols, from.symbol_count);
  to.symbols = reinterpret_cast<const plumb_symbol*>(from.symbols);
}

class V1Table final : public PluginTable {
 public:
  explicit V1Table(const plumb_v1_plugin& plugin) : plugin_(plugin) {}

  [[nodiscard]] Result<JitInfo> info() const override;
  [[nodiscard]] Range wanted_arena() const override {
    return {plugin_.info->arena_base, plugin_.info->arena_size};
  }
  [[nodiscard]] int open(Range arena, std::span<char> error) override {
    return plugin_.open(arena.address, arena.size, error.data(), error.size());
  }
  [[nodiscard]] int load(const plumb_load_request& request, plumb_image& image,
                         std::span<char> error) override {
    auto loaded = std::make_unique<plumb_v1_image>();
    loaded->struct_size = sizeof(plumb_v1_image);
    const int status =
        plugin_.load(&request_.build(request), loaded.get(), error.data(), error.size());
    if (status != PLUMB_LOADED) return status;
    describe(*loaded, image);
    image.handle = loaded.release();
    return status;
  }
  void unload(plumb_image& image) override {
    const std::unique_ptr<plumb_v1_image> loaded(
        static_cast<plumb_v1_image*>(std::exchange(image.handle, nullptr)));
    plugin_.unload(loaded.get());
  }
  void close() override {}

 private:
  const plumb_v1_plugin& plugin_;
  V1Request request_;
};

Result<JitInfo> V1Table::info() const {
  if (plugin_.info == nullptr) return fail("info is null");
  const std::uint32_t size = plugin_.info->struct_size;
  constexpr std::size_t kContractAt = offsetof(plumb_v1_plugin_info, contract);
  if (size < kLeast<plumb_v1_plugin_info>) {
    return out_of_range("info.struct_size", size,
                        fmt::format("{} or more", kLeast<plumb_v1_plugin_info>));
  }
  const Result<plumb_v1_contract> contract = take_struct(&plugin_.info->contract, "contract");
  if (!contract) return std::unexpected(contract.error());
  const plumb_contract now = translated(*contract);
  plumb_plugin_info info{};
  // Up to the contract they are the same.
  static_assert(kContractAt == offsetof(plumb_plugin_info, contract));
  std::memcpy(&info, plugin_.info, kContractAt);
  info.struct_size = sizeof(info);
  info.capabilities |= kTakenForGranted;
  info.contract = &now;
  Result<JitInfo> out = read_info(&info);
  if (out) out->notice = kNotice;
  return out;
}

}  // namespace

Result<std::unique_ptr<PluginTable>> read_v1_table(const plumb_v1_plugin* plugin) {
  if (plugin->struct_size < sizeof(plumb_v1_plugin)) {
    return out_of_range("plugin.struct_size", plugin->struct_size,
                        fmt::format("{} or more", sizeof(plumb_v1_plugin)));
  }
  if (plugin->open == nullptr || plugin->load == nullptr || plugin->unload == nullptr) {
    return fail("its plugin table lacks open, load or unload");
  }
  return std::make_unique<V1Table>(*plugin);
}

}  // namespace plumb::jit
