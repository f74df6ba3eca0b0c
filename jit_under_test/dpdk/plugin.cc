// SPDX-License-Identifier: GPL-2.0-or-later
//
// librte_bpf of DPDK as a JIT under test (docs/dpdk.md).
//
// The library maps its code where it likes. The code holds no address of its own (jumps are
// relative, helpers are called by absolute address), so it runs where it is copied to: the arena.
#include "jit_under_test/plugin.h"

#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "jit_under_test/dpdk/loading.h"
#include "jit_under_test/dpdk/translation.h"
#include "jit_under_test/plugin_mark.h"

namespace plumb::dpdk {
namespace {

PLUMB_MARK_PLUGIN;

constexpr std::uint64_t kArenaSize = 16u << 20;
constexpr std::uint64_t kAlignment = 64;

plumb_range arena;

// What the host was given for the case that is loaded.
struct Given {
  std::vector<plumb_native_function> functions;
  std::vector<plumb_range> code;
} given;

HelperFunction stub(const plumb_helper& helper) {
  // A guest address. NOLINTNEXTLINE(performance-no-int-to-ptr)
  return reinterpret_cast<HelperFunction>(helper.stub);
}

// Behind the helper stubs and the code that is there.
std::uint64_t next_place() {
  const std::uint64_t end = given.code.empty() ? arena.address + PLUMB_STUB_SIZE
                                               : given.code.back().address + given.code.back().size;
  return (end + kAlignment - 1) & ~(kAlignment - 1);
}

struct Answer {
  int status = PLUMB_LOADED;
  std::string text;
};

// Copies the program's native code into the arena.
Answer place_code(const rte_bpf& loaded, std::uint32_t program) {
  rte_bpf_jit code{};
  if (rte_bpf_get_jit(&loaded, &code) != 0 || code.func == nullptr) {
    return {PLUMB_REFUSED, "no native code for what the validator took"};
  }
  const std::uint64_t place = next_place();
  if (place + code.sz > arena.address + arena.size) return {PLUMB_BROKEN, "no room in the arena"};
  // A guest address is one of ours. NOLINTNEXTLINE(performance-no-int-to-ptr)
  std::memcpy(reinterpret_cast<void*>(place), reinterpret_cast<const void*>(code.func), code.sz);
  given.code.push_back({.address = place, .size = code.sz});
  given.functions.push_back({.struct_size = sizeof(plumb_native_function),
                             .program = program,
                             .function = 0,
                             .size = static_cast<std::uint32_t>(code.sz),
                             .address = place,
                             .tail_call_entry = PLUMB_OFFSET_NEVER,
                             .stack_size = PLUMB_SIZE_UNKNOWN,
                             .tail_call_reachable = 0,
                             .insn_offset_count = 0,
                             .insn_offsets = nullptr,
                             .fp_begin = 0,
                             .fp_end = 0});
  return {};
}

Answer load_all(const plumb_load_request& request) {
  for (std::uint32_t p = 0; p < request.program_count; ++p) {
    const Loading loading = load_program(request, p, stub);
    if (loading.program == nullptr) return {loading.status, loading.text};
    Answer answer = place_code(*loading.program, p);
    if (answer.status != PLUMB_LOADED) return answer;
  }
  return {};
}

int load(const plumb_load_request* request, plumb_image* image, char* error,
         std::size_t error_size) {
  given = {};
  const Answer answer = load_all(*request);
  if (answer.status != PLUMB_LOADED) {
    std::snprintf(error, error_size, "%s", answer.text.c_str());
    return answer.status;
  }
  image->struct_size = PLUMB_BEGIN(plumb_image, image);
  image->function_count = static_cast<std::uint32_t>(given.functions.size());
  image->function_stride = sizeof(plumb_native_function);
  image->functions = given.functions.data();
  image->code_range_count = static_cast<std::uint32_t>(given.code.size());
  image->code_range_stride = sizeof(plumb_range);
  image->code_ranges = given.code.data();
  return PLUMB_LOADED;
}

void unload(plumb_image* /*image*/) { given = {}; }

int open(std::uint64_t base, std::uint64_t size, char* /*error*/, std::size_t /*error_size*/) {
  arena = {.address = base, .size = size};
  return 0;
}

// System V's registers in its order of arguments, then those that a callee saves.
plumb_contract make_contract() {
  enum : std::uint8_t {
    kRax,
    kRcx,
    kRdx,
    kRbx,
    kRsp,
    kRbp,
    kRsi,
    kRdi,
    kR8,
    kR13 = 13,
    kR14,
    kR15
  };
  plumb_contract c{};
  c.struct_size = sizeof(c);
  constexpr std::uint8_t kRegisters[] = {kRax, kRdi, kRsi, kRdx, kRcx, kR8,
                                         kRbx, kR13, kR14, kR15, kRbp};
  for (std::size_t i = 0; i < std::size(kRegisters); ++i) {
    c.bpf_register[i] = PLUMB_REGISTER(kRegisters[i]);
  }
  c.frame_pointer = PLUMB_NO_REGISTER;
  c.r10_bias_known = PLUMB_YES;
  c.r10_moved_by = PLUMB_CALLEE;
  c.r10_only_where_used = PLUMB_YES;
  c.r6_r9_saved_by = PLUMB_CALLEE;
  c.call_alignment = 16;
  c.sp_at_calls = PLUMB_SP_CONSTANT;
  c.result_bits = 64;
  c.bpf_stack = PLUMB_STACK_IN_FRAME;
  c.frame_rounding = 1;
  c.division_by_zero = PLUMB_DIVISION_ENDS_PROGRAM;
  c.landing_pad = PLUMB_LANDING_PAD_NONE;
  return c;
}

const plumb_contract contract = make_contract();

const plumb_plugin_info info = {.struct_size = sizeof(info),
                                .arch = PLUMB_ARCH_X86_64,
                                .name = "dpdk",
                                .family = "dpdk",
                                .version = library_version(),
                                .origin = "librte_bpf of Debian's DPDK",
                                .capabilities = PLUMB_CAN_ATOMIC_ADD | PLUMB_CAN_DIVMUL,
                                .arena_base = 0x3e000000,
                                .arena_size = kArenaSize,
                                .contract = &contract};

plumb_plugin make_plugin() {
  plumb_plugin table{};
  table.struct_size = sizeof(table);
  table.abi = PLUMB_PLUGIN_ABI;
  table.info = &info;
  table.open = open;
  table.load = load;
  table.unload = unload;
  return table;
}

const plumb_plugin plugin = make_plugin();

}  // namespace
}  // namespace plumb::dpdk

extern "C" __attribute__((visibility("default"))) const plumb_plugin* plumb_plugin_entry(
    std::uint32_t /*host_abi*/, std::uint32_t /*host_size*/) {
  return &plumb::dpdk::plugin;
}
