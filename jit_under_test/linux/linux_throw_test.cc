// SPDX-License-Identifier: GPL-2.0-or-later
//
// Programs that throw: what their boundary saves, how their callback begins, what is refused.
// layouts.md A.1 (i) and A.2; 6.12 on x86-64 and arm64.
#include "jit_under_test/linux/testing_linux_plugin.h"

namespace plumb_linux_test {
namespace {

// main calls sub, which throws 7; the callback has 8 bytes of stack.
CaseSpec throwing_case() {
  const FunctionSpec main = {{call_function(1), exit_insn()}, 0};
  const FunctionSpec sub = {{mov(1, 7), call_throw()}, 0};
  const FunctionSpec callback = {
      {store(1, -8), mov_reg(0, 1), exit_insn()}, 8, PLUMB_FUNCTION_EXCEPTION_CALLBACK};
  return {.programs = {{main, sub, callback}}, .arrays = {}, .regions = {}};
}

plumb_throw_info throw_info(const plumb_plugin& api, Loaded& loaded) {
  plumb_throw_info info{};
  info.struct_size = sizeof(info);
  char error[256] = "";
  EXPECT_EQ(api.throw_info(&loaded.image, 0, &info, error, sizeof(error)), 0) << error;
  return info;
}

TEST(LinuxX86Throw, ABoundarySavesAllAndItsCallbackRestoresThemFirst) {
  const Request request(throwing_case());
  const plumb_plugin* api = variant(kNewName).api;
  Loaded loaded(api, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  // push r12, rbx, r13, r14, r15: no instruction of the program uses any of them.
  const Bytes push_all = {0x41, 0x54, 0x53, 0x41, 0x55, 0x41, 0x56, 0x41, 0x57};
  const Bytes nop3 = {0x0f, 0x1f, 0x00};
  expect_prefix(loaded.code(0, 0), kNop5 + nop3 + kPushRbp + push_all);
  EXPECT_EQ(find_bytes(loaded.code(0, 1), push_all), loaded.code(0, 1).size());
  const Bytes take_over = {0x48, 0x89, 0xf4,                                      // mov rsp, rsi
                           0x48, 0x89, 0xd5,                                      // mov rbp, rdx
                           0x41, 0x5f, 0x41, 0x5e, 0x41, 0x5d, 0x5b, 0x41, 0x5c,  // pops
                           0x48, 0x89, 0xec,                                      // mov rsp, rbp
                           0x48, 0x81, 0xec, 0x08, 0x00, 0x00, 0x00};             // sub rsp, 8
  expect_prefix(loaded.code(0, 2), kNop5 + nop3 + take_over);
  const plumb_throw_info info = throw_info(*api, loaded);
  EXPECT_EQ(info.callback, loaded.function(0, 2).address);
  EXPECT_EQ(info.boundary, 0u);
  EXPECT_EQ(info.sp_rule, static_cast<uint32_t>(PLUMB_THROW_SP_AT_CALL));
}

TEST(LinuxX86Throw, TheCallGoesToTheStubOfBpfThrow) {
  const Request request(throwing_case());
  const Plugin& plugin = variant(kNewName);
  const Loaded loaded(plugin.api, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& sub = loaded.function(0, 1);
  const uint64_t call = sub.address + sub.insn_offsets[2] - 5;
  EXPECT_EQ(byte_at(call), 0xe8);
  EXPECT_EQ(jump_target(call), plugin.arena + PLUMB_THROW_STUB * PLUMB_STUB_STRIDE);
}

TEST(LinuxArm64Throw, ABoundarySavesAllAndItsCallbackRestoresThemAtItsEnd) {
  const Request request(throwing_case());
  const plumb_plugin* api = variant(kNewArm64).api;
  Loaded loaded(api, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const Words push = {0xa9bf53f3, 0xa9bf5bf5, 0xa9bf63f7, 0xa9bf6bf9, 0xa9bf73fb};
  const Words main = words_of(loaded.function(0, 0), -1, 0);
  EXPECT_NE(std::search(main.begin(), main.end(), push.begin(), push.end()), main.end());
  const Words callback = words_of(loaded.function(0, 2), -1, 0);
  const Words take_over = {0x9100005d,   // add x29, x2, #0: as the kernel spells a move
                           0xd10183bf};  // sub sp, x29, #96
  EXPECT_NE(std::search(callback.begin(), callback.end(), take_over.begin(), take_over.end()),
            callback.end());
  EXPECT_EQ(throw_info(*api, loaded).sp_rule, static_cast<uint32_t>(PLUMB_THROW_SP_ZERO));
}

// The preambles of CFI stand in front of the callback's address, too.
TEST(LinuxThrow, EveryVariantSaysWhereItsCallbackIsCalled) {
  const Request request(throwing_case());
  for (const char* name :
       {"linux-6.12-x86_64:ibt", "linux-6.12-x86_64:retpoline", "linux-6.12-x86_64:rethunk",
        "linux-6.12-x86_64:call-depth", "linux-6.12-x86_64:kcfi", "linux-6.12-x86_64:call-padding",
        "linux-6.12-x86_64:fineibt", "linux-6.12-x86_64:blinding", "linux-6.12-x86_64:exceptions",
        "linux-6.12-x86_64:arena", "linux-6.12-arm64:bti+pac", "linux-6.12-arm64:blinding",
        "linux-6.12-arm64:exceptions", "linux-6.12-arm64:arena"}) {
    SCOPED_TRACE(name);
    const plumb_plugin* api = variant(name).api;
    Loaded loaded(api, request);
    ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
    EXPECT_EQ(throw_info(*api, loaded).callback, loaded.function(0, 2).address);
  }
}

// A callback alone makes no boundary: no instruction of the program throws.
TEST(LinuxThrow, OnlyThrowsMakeABoundary) {
  const FunctionSpec main = {{mov(0, 0), exit_insn()}, 0};
  const FunctionSpec callback = {
      {mov_reg(0, 1), exit_insn()}, 0, PLUMB_FUNCTION_EXCEPTION_CALLBACK};
  const Request request({.programs = {{main, callback}}, .arrays = {}, .regions = {}});
  const plumb_plugin* api = variant(kNewName).api;
  Loaded loaded(api, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const Bytes code = loaded.code(0, 0);
  EXPECT_EQ(find_bytes(code, {0x41, 0x54}), code.size()) << "push r12";
  EXPECT_EQ(throw_info(*api, loaded).callback, loaded.function(0, 1).address);
}

// check_max_stack_depth_subprog() looks at callers alone.
TEST(LinuxThrow, ACallbackWithATailCallOfItsOwnIsLetThrough) {
  const FunctionSpec main = {{mov(0, 0), exit_insn()}, 0};
  const FunctionSpec callback = {direct_tail_call(0, 0) + Code{mov(0, 0), exit_insn()}, 0,
                                 PLUMB_FUNCTION_EXCEPTION_CALLBACK};
  const Request request({.programs = {{main, callback}}, .arrays = {{-1}}, .regions = {}});
  for (const char* name : {kNewName, kNewArm64}) {
    Loaded loaded(variant(name).api, request);
    EXPECT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  }
}

TEST(LinuxThrow, NothingIsSaidOfProgramsWithoutCallback) {
  const Request request(one_function({mov(0, 0), exit_insn()}));
  for (const char* name : {kNewName, kNewArm64, kOldName}) {
    const plumb_plugin* api = variant(name).api;
    Loaded loaded(api, request);
    ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
    plumb_throw_info info{};
    info.struct_size = sizeof(info);
    char error[256] = "";
    for (const uint32_t program : {0u, 7u}) {
      EXPECT_EQ(api->throw_info(&loaded.image, program, &info, error, sizeof(error)), -1);
      EXPECT_STREQ(error, "no such program, or none with an exception callback");
    }
  }
}

struct Refused {
  const char* plugin;
  CaseSpec spec;
  int status;
  const char* message;
};

TEST(LinuxThrow, IsRefusedWhereAVerifierWould) {
  const FunctionSpec thrower = {{mov(1, 7), call_throw()}, 0};
  const FunctionSpec plain = {{mov(0, 0), exit_insn()}, 0};
  const FunctionSpec callback = {
      {mov_reg(0, 1), exit_insn()}, 0, PLUMB_FUNCTION_EXCEPTION_CALLBACK};
  const FunctionSpec calls = {{call_function(1), exit_insn()}, 0};
  const FunctionSpec takes = {load_function(2, 1) + Code{mov(0, 0), exit_insn()}, 0};
  const FunctionSpec leaves = {direct_tail_call(0, 0) + Code{mov(0, 0), exit_insn()}, 0};
  const FunctionSpec calling_callback = {
      {call_function(1), exit_insn()}, 0, PLUMB_FUNCTION_EXCEPTION_CALLBACK};
  const FunctionSpec other = {{insn(0x85, 0, 2, 0, 5), exit_insn()}, 0};
  const auto program = [](ProgramSpec functions) {
    return CaseSpec{.programs = {std::move(functions)}, .arrays = {{-1}}, .regions = {}};
  };
  const Refused rows[] = {
      {kNewName, program({thrower}), PLUMB_BROKEN, "without exception callback"},
      {kNewName, program({callback, plain}), PLUMB_BROKEN, "the main function as"},
      {kNewName, program({plain, callback, callback}), PLUMB_BROKEN, "a second exception"},
      {kNewName, program({calls, callback}), PLUMB_BROKEN, "calls the exception callback"},
      {kNewName, program({takes, callback}), PLUMB_BROKEN, "takes the address"},
      {kNewName, program({other, callback}), PLUMB_NOT_APPLICABLE, "other than bpf_throw"},
      {kNewName, program({plain, leaves, calling_callback}), PLUMB_NOT_APPLICABLE,
       "tail calls below exception"},
      {kOldName, program({thrower, callback}), PLUMB_NOT_APPLICABLE, "not supported"},
      {kNewRiscv64, program({thrower, callback}), PLUMB_NOT_APPLICABLE, "not supported"},
  };
  for (const Refused& row : rows) {
    SCOPED_TRACE(row.message);
    const Request request(row.spec);
    const Loaded loaded(variant(row.plugin).api, request);
    EXPECT_EQ(loaded.status, row.status);
    EXPECT_NE(loaded.message.find(row.message), std::string::npos) << loaded.message;
  }
}

}  // namespace
}  // namespace plumb_linux_test
