// SPDX-License-Identifier: GPL-2.0-or-later
//
// The interpreter of librte_bpf, rte_bpf_exec(), as a second opinion.
#include "jit_under_test/interpreter.h"

#include <array>
#include <cstdio>

#include "jit_under_test/dpdk/loading.h"
#include "jit_under_test/dpdk/translation.h"
#include "jit_under_test/plugin_mark.h"

namespace plumb::dpdk {
namespace {

PLUMB_MARK_PLUGIN;

plumb_interpretation* running = nullptr;  // a helper is called without anything of ours

template <std::int32_t kNumber>
std::uint64_t call_helper(std::uint64_t r1, std::uint64_t r2, std::uint64_t r3, std::uint64_t r4,
                          std::uint64_t r5) {
  const std::array<std::uint64_t, 5> arguments{r1, r2, r3, r4, r5};
  return running->call_helper(running->host, kNumber, arguments.data());
}

HelperFunction function_of(const plumb_helper& helper) {
#define PLUMB_HELPER(name, its_number, result, a1, a2, a3, a4, a5) \
  if (helper.number == (its_number)) return call_helper<its_number>;
#include "core/helpers.inc"
  return nullptr;
}

int run(const plumb_load_request* request, plumb_interpretation* invocation, char* error,
        std::size_t error_size) {
  if (invocation->program >= request->program_count) {
    std::snprintf(error, error_size, "no such program");
    return PLUMB_BROKEN;
  }
  const Loading loading = load_program(*request, invocation->program, function_of);
  std::snprintf(error, error_size, "%s", loading.text.c_str());
  if (loading.program == nullptr) return loading.status;
  const LibraryLog log;
  running = invocation;
  // What a register holds is an address of this process. NOLINTNEXTLINE(performance-no-int-to-ptr)
  auto* const context = reinterpret_cast<void*>(invocation->context);
  invocation->result = rte_bpf_exec(loading.program.get(), context);
  return PLUMB_LOADED;
}

// It has no tail calls; but an interpreter has to say.
plumb_contract make_contract() {
  plumb_contract c{};
  c.struct_size = sizeof(c);
  c.empty_slot_consumes_count = PLUMB_NO;
  c.calls_keep_count = PLUMB_NO;
  return c;
}

const plumb_contract contract = make_contract();

const plumb_interpreter_info info = {.struct_size = sizeof(info),
                                     .reserved = 0,
                                     .name = "dpdk",
                                     .version = library_version(),
                                     .origin = "librte_bpf of Debian's DPDK",
                                     .jits = "dpdk",
                                     .capabilities = PLUMB_CAN_ATOMIC_ADD | PLUMB_CAN_DIVMUL,
                                     .contract = &contract};

const plumb_interpreter interpreter = {
    .struct_size = sizeof(interpreter), .abi = PLUMB_INTERPRETER_ABI, .info = &info, .run = run};

}  // namespace
}  // namespace plumb::dpdk

extern "C" __attribute__((visibility("default"))) const plumb_interpreter* plumb_interpreter_entry(
    std::uint32_t /*host_abi*/, std::uint32_t /*host_size*/) {
  return &plumb::dpdk::interpreter;
}
