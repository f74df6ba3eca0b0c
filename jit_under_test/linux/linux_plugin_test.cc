// SPDX-License-Identifier: GPL-2.0-or-later
// The kernel JIT plugins through their C ABI: what comes out of the arena, byte for byte where the
// layout is documented. Running the code is the business of machine/.
#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "jit_under_test/plugin.h"

namespace {

// ---- Instructions (RFC 9669) ----

using Code = std::vector<plumb_insn>;

plumb_insn insn(uint8_t opcode, uint8_t dst, uint8_t src, int16_t offset, int32_t immediate) {
  return {opcode, static_cast<uint8_t>(src << 4 | dst), offset, immediate};
}
plumb_insn mov(uint8_t dst, int32_t value) { return insn(0xb7, dst, 0, 0, value); }
plumb_insn mov_reg(uint8_t dst, uint8_t src) { return insn(0xbf, dst, src, 0, 0); }
plumb_insn exit_insn() { return insn(0x95, 0, 0, 0, 0); }
plumb_insn call_helper(int32_t number) { return insn(0x85, 0, 0, 0, number); }
plumb_insn call_function(int32_t function) { return insn(0x85, 0, 1, 0, function); }
plumb_insn store(uint8_t src, int16_t offset) { return insn(0x7b, 10, src, offset, 0); }

Code operator+(Code a, const Code& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
Code load_array(uint8_t dst, int32_t array) {
  return {insn(0x18, dst, 1, 0, array), insn(0, 0, 0, 0, 0)};
}
Code load_function(uint8_t dst, int32_t function) {
  return {insn(0x18, dst, 4, 0, function), insn(0, 0, 0, 0, 0)};
}
Code direct_tail_call(int32_t array, int32_t key) {
  return load_array(2, array) + Code{mov(3, key), call_helper(12)};
}
// The key comes from the context, so nobody knows it.
Code indirect_tail_call(int32_t array) {
  return Code{insn(0x61, 3, 1, 0, 0)} + load_array(2, array) + Code{call_helper(12)};
}

// ---- Requests ----

struct FunctionSpec {
  Code code;
  uint32_t stack_depth = 0;
};
using ProgramSpec = std::vector<FunctionSpec>;

struct CaseSpec {
  std::vector<ProgramSpec> programs;
  std::vector<std::vector<int32_t>> arrays;
  std::vector<uint64_t> regions;
};

// Owns what a plumb_load_request points to.
class Request {
 public:
  explicit Request(CaseSpec spec) : spec_(std::move(spec)) {
    for (const ProgramSpec& program : spec_.programs) {
      std::vector<plumb_function> functions;
      for (const FunctionSpec& f : program)
        functions.push_back({sizeof(plumb_function), 0, "f", f.code.data(),
                             static_cast<uint32_t>(f.code.size()), f.stack_depth});
      functions_.push_back(std::move(functions));
    }
    for (const auto& functions : functions_)
      programs_.push_back(
          {sizeof(plumb_program), static_cast<uint32_t>(functions.size()), "p", functions.data()});
    for (const auto& slots : spec_.arrays)
      arrays_.push_back(
          {sizeof(plumb_prog_array), static_cast<uint32_t>(slots.size()), slots.data()});
    request_ = {sizeof(request_),
                static_cast<uint32_t>(programs_.size()),
                programs_.data(),
                static_cast<uint32_t>(arrays_.size()),
                static_cast<uint32_t>(spec_.regions.size()),
                arrays_.data(),
                spec_.regions.data()};
  }
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;
  const plumb_load_request* get() const { return &request_; }
  const CaseSpec& spec() const { return spec_; }

 private:
  CaseSpec spec_;
  std::vector<std::vector<plumb_function>> functions_;
  std::vector<plumb_program> programs_;
  std::vector<plumb_prog_array> arrays_;
  plumb_load_request request_;
};

CaseSpec one_function(Code code, uint32_t stack_depth = 0) {
  return {.programs = {{{std::move(code), stack_depth}}}, .arrays = {}, .regions = {}};
}

// ---- Plugins: opened once per process, both at the same time ----

struct Plugin {
  const plumb_plugin* api = nullptr;
  std::string problem;
};

Plugin open_plugin(const std::string& name) {
  Plugin plugin;
  const std::string path = std::string(PLUMB_PLUGIN_DIR) + "/" + name + ".so";
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return {nullptr, dlerror()};
  using Entry = const plumb_plugin* (*)();
  const auto entry = reinterpret_cast<Entry>(dlsym(handle, PLUMB_PLUGIN_ENTRY));
  if (entry == nullptr) return {nullptr, "no entry"};
  plugin.api = entry();
  const plumb_plugin_info& info = *plugin.api->info;
  void* wanted = reinterpret_cast<void*>(info.arena_base);
  void* arena = mmap(wanted, info.arena_size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);
  if (arena != wanted) return {nullptr, "no arena"};
  char error[256] = "";
  if (plugin.api->open(info.arena_base, info.arena_size, error, sizeof(error)) != 0)
    return {nullptr, error};
  return plugin;
}

constexpr const char* kNewName = "linux-6.12-x86_64";
constexpr const char* kOldName = "linux-6.1-x86_64";

const Plugin& plugin_named(const std::string& name) {
  static const Plugin newer = open_plugin(kNewName);
  static const Plugin older = open_plugin(kOldName);
  return name == kNewName ? newer : older;
}

using Bytes = std::vector<uint8_t>;

// A loaded case; unloads itself.
class Loaded {
 public:
  Loaded(const plumb_plugin* api, const Request& request) : api_(api) {
    char error[256] = "";
    status = api->load(request.get(), &image, error, sizeof(error));
    message = error;
  }
  ~Loaded() {
    if (status == PLUMB_LOADED) api_->unload(&image);
  }
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;

  const plumb_native_function& function(uint32_t program, uint32_t function) const {
    return *std::find_if(image.functions, image.functions + image.function_count,
                         [&](const plumb_native_function& f) {
                           return f.program == program && f.function == function;
                         });
  }
  Bytes code(uint32_t program = 0, uint32_t f = 0) const {
    const plumb_native_function& native = this->function(program, f);
    const auto* begin = reinterpret_cast<const uint8_t*>(native.address);
    return {begin, begin + native.size};
  }

  int status;
  std::string message;
  plumb_image image{};

 private:
  const plumb_plugin* api_;
};

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

int32_t read32(const uint8_t* p) {
  int32_t value;
  std::memcpy(&value, p, sizeof(value));
  return value;
}

uint8_t byte_at(uint64_t address) { return *reinterpret_cast<const uint8_t*>(address); }
uint64_t jump_target(uint64_t address) {
  return address + 5 +
         static_cast<uint64_t>(
             static_cast<int64_t>(read32(reinterpret_cast<const uint8_t*>(address) + 1)));
}

void expect_prefix(const Bytes& code, const Bytes& prefix) {
  ASSERT_GE(code.size(), prefix.size());
  EXPECT_EQ(Bytes(code.begin(), code.begin() + static_cast<ptrdiff_t>(prefix.size())), prefix);
}

size_t find_bytes(const Bytes& code, const Bytes& wanted) {
  return static_cast<size_t>(std::search(code.begin(), code.end(), wanted.begin(), wanted.end()) -
                             code.begin());
}

// Instruction bytes of layouts.md.
const Bytes kNop5 = {0x0f, 0x1f, 0x44, 0x00, 0x00};
const Bytes kPushRbp = {0x55, 0x48, 0x89, 0xe5};         // push rbp; mov rbp, rsp
const Bytes kSub16 = {0x48, 0x81, 0xec, 0x10, 0, 0, 0};  // sub rsp, 16
const Bytes kLeaveRet = {0xc9, 0xc3};

class LinuxPlugin : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const Plugin& plugin = plugin_named(GetParam());
    ASSERT_NE(plugin.api, nullptr) << plugin.problem;
    api_ = plugin.api;
  }
  bool is_new() const { return std::string(GetParam()) == kNewName; }

  const plumb_plugin* api_ = nullptr;
};

INSTANTIATE_TEST_SUITE_P(Versions, LinuxPlugin, testing::Values(kNewName, kOldName),
                         [](const auto& param) {
                           return std::string(param.param) == kNewName ? "New" : "Old";
                         });

// ---- Identity ----

TEST_P(LinuxPlugin, SaysWhatItIs) {
  const plumb_plugin_info& info = *api_->info;
  EXPECT_STREQ(info.name, GetParam());
  EXPECT_STREQ(info.family, "linux");
  EXPECT_EQ(std::string(info.version).rfind(is_new() ? "6.12." : "6.1.", 0), 0u) << info.version;
  EXPECT_EQ(info.arch, static_cast<uint32_t>(PLUMB_ARCH_X86_64));
  EXPECT_EQ(info.contract.empty_slot_consumes_count, is_new() ? 0 : 1);
  EXPECT_EQ(info.contract.call_alignment, 8);
  EXPECT_EQ(info.contract.result_bits, 64);
  EXPECT_EQ(info.contract.frame_rounding, 8);
  EXPECT_EQ(info.contract.frame_pointer, 5);
  EXPECT_EQ(info.contract.r10_bias, 0);
  const uint64_t both = PLUMB_CAN_CALL_SUBPROGRAMS | PLUMB_CAN_TAIL_CALL |
                        PLUMB_CAN_TAIL_CALL_IN_SUBPROGRAM | PLUMB_CAN_CALL_BACK |
                        PLUMB_CAN_ATOMICS | PLUMB_CAN_POKE;
  EXPECT_EQ(info.capabilities, is_new() ? both | PLUMB_CAN_V4 : both);
}

TEST(LinuxPlugins, LiveSideBySide) {
  const plumb_plugin* newer = plugin_named(kNewName).api;
  const plumb_plugin* older = plugin_named(kOldName).api;
  ASSERT_NE(newer, nullptr) << plugin_named(kNewName).problem;
  ASSERT_NE(older, nullptr) << plugin_named(kOldName).problem;
  const Request request(one_function({mov(0, 7), exit_insn()}));
  const Loaded a(newer, request);
  const Loaded b(older, request);
  ASSERT_EQ(a.status, PLUMB_LOADED) << a.message;
  ASSERT_EQ(b.status, PLUMB_LOADED) << b.message;
  for (const Loaded* loaded : {&a, &b}) {
    const plumb_plugin_info& info = *(loaded == &a ? newer : older)->info;
    const uint64_t address = loaded->function(0, 0).address;
    EXPECT_GE(address, info.arena_base + PLUMB_STUB_SIZE);
    EXPECT_LT(address, info.arena_base + info.arena_size);
  }
}

// ---- Layout: (f) for 6.1, (j) for 6.12 ----

TEST_P(LinuxPlugin, PrologueOfAPlainFunctionIsTheDocumentedOne) {
  // R6 is used, so rbx is pushed; R0 = 7 goes through mov eax, imm32.
  const Request request(one_function({mov(6, 1), store(6, -16), mov(0, 7), exit_insn()}, 16));
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const Bytes nop = is_new() ? Bytes{0x0f, 0x1f, 0x00} : Bytes{0x66, 0x90};
  expect_prefix(loaded.code(), kNop5 + nop + kPushRbp + kSub16 + Bytes{0x53});
  const Bytes code = loaded.code();
  EXPECT_EQ(Bytes(code.end() - 3, code.end()), Bytes{0x5b} + kLeaveRet);
  EXPECT_EQ(loaded.function(0, 0).tail_call_entry, is_new() ? 12u : 11u);
  EXPECT_EQ(loaded.function(0, 0).stack_size, 16u);
  EXPECT_EQ(loaded.function(0, 0).tail_call_reachable, 0u);
}

TEST_P(LinuxPlugin, PrologueOfATailCallingFunctionKeepsTheCount) {
  const Request request(
      {.programs = {{{direct_tail_call(0, 0) + Code{mov(0, 0), exit_insn()}, 13}}},
       .arrays = {{-1}},
       .regions = {}});
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  if (is_new()) {
    expect_prefix(loaded.code(), kNop5 + Bytes{0x48, 0x31, 0xc0} + kPushRbp + kSub16 +
                                     Bytes{0x48, 0x83, 0xf8, 33,    // cmp rax, 33
                                           0x77, 6,                 // ja +6
                                           0x50, 0x48, 0x89, 0xe0,  // push rax; mov rax, rsp
                                           0xeb, 1, 0x50, 0x50});   // jmp +1; push rax; push rax
  } else {
    expect_prefix(loaded.code(), kNop5 + Bytes{0x31, 0xc0} + kPushRbp + kSub16 + Bytes{0x50});
  }
  EXPECT_EQ(loaded.function(0, 0).stack_size, 16u);
  EXPECT_EQ(loaded.function(0, 0).tail_call_reachable, 1u);
}

TEST_P(LinuxPlugin, SubprogramOnTheWayToATailCallPassesTheCountOn) {
  const Request request({.programs = {{{{call_function(1), exit_insn()}, 0},
                                       {direct_tail_call(0, 0) + Code{mov(0, 0), exit_insn()}, 8},
                                       {{mov(0, 0), exit_insn()}, 0}}},
                         .arrays = {{-1}},
                         .regions = {}});
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  EXPECT_EQ(loaded.function(0, 0).tail_call_reachable, 1u);
  EXPECT_EQ(loaded.function(0, 1).tail_call_reachable, 1u);
  EXPECT_EQ(loaded.function(0, 2).tail_call_reachable, 0u);
  EXPECT_EQ(loaded.function(0, 1).tail_call_entry, UINT32_MAX);
  const Bytes sub8 = {0x48, 0x81, 0xec, 8, 0, 0, 0};
  if (is_new()) {
    expect_prefix(loaded.code(0, 1),
                  kNop5 + Bytes{0x0f, 0x1f, 0x00} + kPushRbp + sub8 + Bytes{0x50, 0x50});
    // Before the call: mov rax, [rbp - 16]
    EXPECT_LT(find_bytes(loaded.code(0, 0), {0x48, 0x8b, 0x85, 0xf0, 0xff, 0xff, 0xff, 0xe8}),
              loaded.code(0, 0).size());
  } else {
    expect_prefix(loaded.code(0, 1), kNop5 + Bytes{0x66, 0x90} + kPushRbp + sub8 + Bytes{0x50});
    EXPECT_LT(find_bytes(loaded.code(0, 0), {0x48, 0x8b, 0x85, 0xf8, 0xff, 0xff, 0xff, 0xe8}),
              loaded.code(0, 0).size());
  }
}

// check_max_stack_depth_subprog() of both versions: a function that is left after some other one
// with a tail call marks its callers, although no tail call can be reached from them.
TEST_P(LinuxPlugin, MarksCallersLikeTheVerifierDoes) {
  const FunctionSpec tail_caller = {direct_tail_call(0, 0) + Code{mov(0, 0), exit_insn()}, 0};
  const FunctionSpec leaf = {{mov(0, 0), exit_insn()}, 0};
  const FunctionSpec calls_leaf = {{call_function(3), exit_insn()}, 0};
  const FunctionSpec main = {
      {mov_reg(6, 1), call_function(1), mov_reg(1, 6), call_function(2), exit_insn()}, 0};
  const Request request(
      {.programs = {{main, tail_caller, calls_leaf, leaf}}, .arrays = {{-1}}, .regions = {}});
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  EXPECT_EQ(loaded.function(0, 2).tail_call_reachable, 1u);
  EXPECT_EQ(loaded.function(0, 3).tail_call_reachable, 0u);
}

// ---- Calls ----

TEST_P(LinuxPlugin, CallsLandOnTheCalleeAndOnHelperStubs) {
  const Request request(
      {.programs = {{{{call_function(2), call_helper(5), call_function(1), exit_insn()}, 0},
                     {{mov(0, 1), exit_insn()}, 0},
                     {{mov(0, 2), exit_insn()}, 0}}},
       .arrays = {},
       .regions = {}});
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& main = loaded.function(0, 0);
  const uint64_t expected[] = {loaded.function(0, 2).address,
                               api_->info->arena_base + 5 * PLUMB_STUB_STRIDE,
                               loaded.function(0, 1).address};
  for (uint32_t i = 0; i < 3; i++) {
    const uint64_t at = main.address + main.insn_offsets[i];
    ASSERT_EQ(byte_at(at), 0xe8);
    EXPECT_EQ(jump_target(at), expected[i]);
  }
}

TEST_P(LinuxPlugin, AddressOfAFunctionIsWhereItWasPlaced) {
  const Request request({.programs = {{{load_function(2, 1) + Code{mov(0, 0), exit_insn()}, 0},
                                       {{mov(0, 1), exit_insn()}, 0}}},
                         .arrays = {},
                         .regions = {}});
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& main = loaded.function(0, 0);
  const auto* at = reinterpret_cast<const uint8_t*>(main.address + main.insn_offsets[0]);
  ASSERT_EQ(at[0], 0xbe);  // mov esi, imm32
  EXPECT_EQ(static_cast<uint64_t>(read32(at + 1)), loaded.function(0, 1).address);
}

TEST_P(LinuxPlugin, MapValuesAndArraysBecomeAddresses) {
  const Request request({.programs = {{{Code{insn(0x18, 1, 2, 0, 1), insn(0, 0, 0, 0, 24)} +
                                            load_array(2, 0) + Code{mov(0, 0), exit_insn()},
                                        0}}},
                         .arrays = {{-1, -1}},
                         .regions = {0x1000, 0x12345000}});
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& main = loaded.function(0, 0);
  const auto* at = reinterpret_cast<const uint8_t*>(main.address + main.insn_offsets[0]);
  EXPECT_EQ(at[0], 0xbf);  // mov edi, imm32
  EXPECT_EQ(read32(at + 1), 0x12345018);
  EXPECT_EQ(at[5], 0xbe);
  EXPECT_EQ(static_cast<uint64_t>(read32(at + 6)), loaded.image.array_objects[0].address);
}

// ---- Tail calls ----

struct Site {
  uint64_t bypass = 0, target = 0;
};

// The two patch sites of the only direct tail call in a function, by the layout of poke.md D.1.
Site find_site(const Loaded& loaded, uint32_t program) {
  const plumb_native_function& f = loaded.function(program, 0);
  const Bytes code = loaded.code(program);
  Site site;
  // The target slot ends where the instruction after the tail call begins.
  site.target = f.address + f.insn_offsets[4] - 5;
  const uint64_t tail_call = f.address + f.insn_offsets[3];
  for (uint64_t at = tail_call; at < site.target; at++) {
    const auto* p = reinterpret_cast<const uint8_t*>(at);
    // Behind the compare with 33: jae +x, then the bypass.
    if (p[0] == 33 && p[1] == 0x73) site.bypass = at + 3;
    // 6.1 raises the count before the bypass: add eax, 1; mov [rbp - x], eax.
    if (p[0] == 0x83 && p[1] == 0xc0 && p[2] == 1) site.bypass = at + 9;
  }
  return site;
}

CaseSpec direct_case(std::vector<int32_t> slots) {
  const FunctionSpec caller = {direct_tail_call(0, 0) + Code{mov(0, 0), exit_insn()}, 0};
  const FunctionSpec callee = {{mov(0, 1), exit_insn()}, 0};
  return {.programs = {{caller}, {callee}, {callee}}, .arrays = {std::move(slots)}, .regions = {}};
}

TEST_P(LinuxPlugin, DirectTailCallToAnEmptySlotSkips) {
  const Request request(direct_case({-1}));
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const Site site = find_site(loaded, 0);
  ASSERT_EQ(byte_at(site.bypass), 0xe9);
  EXPECT_EQ(jump_target(site.bypass), site.target + 5);
  EXPECT_EQ(std::memcmp(reinterpret_cast<void*>(site.target), kNop5.data(), 5), 0);
}

TEST_P(LinuxPlugin, DirectTailCallToAFilledSlotJumps) {
  const Request request(direct_case({2}));
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const Site site = find_site(loaded, 0);
  EXPECT_EQ(std::memcmp(reinterpret_cast<void*>(site.bypass), kNop5.data(), 5), 0);
  ASSERT_EQ(byte_at(site.target), 0xe9);
  const plumb_native_function& callee = loaded.function(2, 0);
  EXPECT_EQ(jump_target(site.target), callee.address + callee.tail_call_entry);
}

TEST_P(LinuxPlugin, ProgramMayTailCallItself) {
  const Request request(direct_case({0}));
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& self = loaded.function(0, 0);
  EXPECT_EQ(jump_target(find_site(loaded, 0).target), self.address + self.tail_call_entry);
}

TEST_P(LinuxPlugin, UnknownKeyReadsTheArray) {
  const Request request({.programs = {{{indirect_tail_call(0) + Code{mov(0, 0), exit_insn()}, 0}}},
                         .arrays = {{0, -1}},
                         .regions = {}});
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const Bytes code = loaded.code();
  EXPECT_LT(find_bytes(code, {0x89, 0xd2, 0x39, 0x56}), code.size());  // mov edx,edx; cmp [rsi+x]
  EXPECT_LT(find_bytes(code, {0x48, 0x8b, 0x8c, 0xd6}), code.size());  // mov rcx,[rsi+rdx*8+x]
  // The object that the code reads is real: a pointer in slot 0, nothing in slot 1.
  const size_t load = find_bytes(code, {0x48, 0x8b, 0x8c, 0xd6});
  const uint64_t slots =
      loaded.image.array_objects[0].address + static_cast<uint64_t>(read32(&code[load + 4]));
  uint64_t value[2];
  std::memcpy(value, reinterpret_cast<void*>(slots), sizeof(value));
  EXPECT_GE(value[0], api_->info->arena_base);
  EXPECT_EQ(value[1], 0u);
  EXPECT_EQ(slots + sizeof(value),
            loaded.image.array_objects[0].address + loaded.image.array_objects[0].size);
}

TEST_P(LinuxPlugin, TailCallIsDirectOnlyWhereTheKeyIsKnownAndInRange) {
  const Code tail = {mov(0, 0), exit_insn()};
  struct Row {
    const char* name;
    Code code;
    bool direct;
  };
  const Row rows[] = {
      {"immediate", direct_tail_call(0, 1) + tail, true},
      {"key before array", Code{mov(3, 0)} + load_array(2, 0) + Code{call_helper(12)} + tail, true},
      {"copied key",
       Code{mov(7, 1), mov_reg(3, 7)} + load_array(2, 0) + Code{call_helper(12)} + tail, true},
      {"out of range", direct_tail_call(0, 2) + tail, false},
      {"negative", direct_tail_call(0, -1) + tail, false},
      {"key from memory", indirect_tail_call(0) + tail, false},
      {"overwritten",
       Code{mov(3, 0), insn(0x07, 3, 0, 0, 1)} + load_array(2, 0) + Code{call_helper(12)} + tail,
       false},
      {"joined by a jump",
       Code{mov(3, 0), insn(0x15, 1, 0, 1, 0), mov(3, 1)} + load_array(2, 0) +
           Code{call_helper(12)} + tail,
       false},
      {"lost in a call",
       Code{mov_reg(6, 1), mov(3, 0), call_helper(5), mov_reg(1, 6)} + load_array(2, 0) +
           Code{call_helper(12)} + tail,
       false},
  };
  for (const Row& row : rows) {
    const Request request({.programs = {{{row.code, 0}}}, .arrays = {{-1, -1}}, .regions = {}});
    const Loaded loaded(api_, request);
    ASSERT_EQ(loaded.status, PLUMB_LOADED) << row.name << ": " << loaded.message;
    const Bytes code = loaded.code();
    const bool indirect = find_bytes(code, {0x48, 0x8b, 0x8c, 0xd6}) < code.size();
    EXPECT_EQ(!indirect, row.direct) << row.name;
  }
}

// ---- Slot updates, in the order of poke.md ----

TEST_P(LinuxPlugin, UpdatesPokeInTheSafeOrder) {
  const Request request(direct_case({-1}));
  Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const Site site = find_site(loaded, 0);
  plumb_patch_step steps[8];
  char error[128] = "";
  auto update = [&](int32_t program, int apply) {
    return api_->update_slot(&loaded.image, 0, 0, program, apply, steps, 8, error, sizeof(error));
  };
  const auto* slot_page = &loaded.image.array_objects[0];

  // Install: C -> D -> B, after the slot itself. First without applying: nothing may change.
  const Bytes before = loaded.code();
  ASSERT_EQ(update(1, 0), 3) << error;
  EXPECT_EQ(loaded.code(), before);
  ASSERT_EQ(update(1, 1), 3) << error;
  EXPECT_EQ(steps[0].size, 8u);
  EXPECT_GE(steps[0].address, slot_page->address);
  EXPECT_LT(steps[0].address, slot_page->address + slot_page->size);
  EXPECT_EQ(steps[1].address, site.target);
  EXPECT_EQ(steps[1].size, 5u);
  EXPECT_EQ(std::memcmp(steps[1].expected, kNop5.data(), 5), 0);
  EXPECT_EQ(steps[1].replacement[0], 0xe9);
  EXPECT_EQ(steps[2].address, site.bypass);
  EXPECT_EQ(steps[2].expected[0], 0xe9);
  EXPECT_EQ(std::memcmp(steps[2].replacement, kNop5.data(), 5), 0);
  EXPECT_EQ(jump_target(site.target),
            loaded.function(1, 0).address + loaded.function(1, 0).tail_call_entry);

  // Replace: B(f) -> B(g), one poke.
  ASSERT_EQ(update(2, 1), 2) << error;
  EXPECT_EQ(steps[1].address, site.target);

  // Remove: B -> D -> grace period -> C.
  ASSERT_EQ(update(-1, 1), 4) << error;
  EXPECT_EQ(steps[1].address, site.bypass);
  EXPECT_EQ(steps[2].size, 0u);
  EXPECT_EQ(steps[3].address, site.target);
  EXPECT_EQ(std::memcmp(steps[3].replacement, kNop5.data(), 5), 0);
  EXPECT_EQ(loaded.code(), before);

  // Remove again: nothing to do, nothing to wait for.
  EXPECT_EQ(update(-1, 1), 0) << error;
  EXPECT_EQ(api_->update_slot(&loaded.image, 0, 1, 0, 1, steps, 8, error, sizeof(error)), -1);
}

// ---- Offsets and rewriting ----

TEST_P(LinuxPlugin, OffsetsAreMonotoneAndInside) {
  const Code code = Code{mov(6, 3),
                         insn(0x18, 1, 0, 0, -1),
                         insn(0, 0, 0, 0, 0x7fffffff),
                         insn(0x3f, 6, 1, 0, 0),   // r6 /= r1: four instructions
                         insn(0x9c, 6, 1, 0, 0),   // w6 %= w1: four
                         insn(0x15, 6, 0, -3, 5),  // if r6 == 5 goto r6 /= r1
                         insn(0x05, 0, 0, 1, 0),   // goto over the next one
                         mov(6, 9),
                         mov(0, 0),
                         exit_insn()};
  const Request request(one_function(code));
  const Loaded loaded(api_, request);
  ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
  const plumb_native_function& f = loaded.function(0, 0);
  ASSERT_EQ(f.insn_offset_count, code.size() + 1);
  EXPECT_TRUE(std::is_sorted(f.insn_offsets, f.insn_offsets + f.insn_offset_count));
  EXPECT_EQ(f.insn_offsets[2], f.insn_offsets[3]);  // second slot of the 64-bit load
  EXPECT_EQ(f.insn_offsets[code.size()], f.size);
  // What the jump lands on is where the division's rewriting begins: test r1, r1 and not div.
  const Bytes native = loaded.code();
  EXPECT_EQ(native[f.insn_offsets[0]], 0xbb);  // mov ebx, 3
  const Bytes test_rdi = {0x48, 0x85, 0xff};
  EXPECT_EQ(Bytes(&native[f.insn_offsets[3]], &native[f.insn_offsets[3]] + 3), test_rdi);
  const uint8_t* jump = &native[f.insn_offsets[5]];
  ASSERT_EQ(jump[0], 0x48);  // cmp rbx, 5
  ASSERT_EQ(jump[4], 0x74);  // je rel8
  EXPECT_EQ(f.insn_offsets[5] + 6 + static_cast<uint32_t>(static_cast<int8_t>(jump[5])),
            f.insn_offsets[3]);
  EXPECT_EQ(native[f.insn_offsets[6]], 0xeb);
  EXPECT_EQ(f.insn_offsets[6] + 2 + native[f.insn_offsets[6] + 1], f.insn_offsets[8]);
}

TEST_P(LinuxPlugin, VersionFourIsTakenOrAnnouncedAsMissing) {
  const plumb_insn v4[] = {
      insn(0x3f, 0, 1, 1, 0),   // r0 s/= r1
      insn(0x9c, 0, 1, 1, 0),   // w0 s%= w1
      insn(0x37, 0, 0, 1, -1),  // r0 s/= -1
      insn(0x97, 0, 0, 1, -1),  // r0 s%= -1
      insn(0xbf, 0, 1, 8, 0),   // r0 = (s8)r1
      insn(0x81, 0, 1, 0, 0),   // r0 = *(s32 *)(r1 + 0)
      insn(0xd7, 0, 0, 0, 64),  // r0 = bswap64 r0
      insn(0x06, 0, 0, 0, 0),   // gotol +0
  };
  for (const plumb_insn& one : v4) {
    const Request request(one_function({mov(0, 1), one, exit_insn()}));
    const Loaded loaded(api_, request);
    EXPECT_EQ(loaded.status, is_new() ? PLUMB_LOADED : PLUMB_NOT_APPLICABLE) << loaded.message;
    EXPECT_EQ(loaded.message.empty(), is_new());
  }
}

TEST_P(LinuxPlugin, AtomicsAreTaken) {
  for (const int32_t operation : {0x00, 0x40, 0x50, 0xa0, 0x01, 0x41, 0x51, 0xa1, 0xe1, 0xf1}) {
    const Request request(one_function(
        {mov(2, 1), store(2, -8), insn(0xdb, 10, 2, -8, operation), mov(0, 0), exit_insn()}, 8));
    const Loaded loaded(api_, request);
    EXPECT_EQ(loaded.status, PLUMB_LOADED) << operation << ": " << loaded.message;
  }
}

// ---- Requests that no verifier would let through ----

TEST_P(LinuxPlugin, MalformedRequestsGetAStatus) {
  struct Row {
    const char* name;
    CaseSpec spec;
  };
  const Code tail = {mov(0, 0), exit_insn()};
  const Row rows[] = {
      {"jump behind the end", one_function(Code{insn(0x05, 0, 0, 2, 0)} + tail)},
      {"jump before the start", one_function(Code{insn(0x05, 0, 0, -2, 0)} + tail)},
      {"jump into a 64-bit load",
       one_function(Code{insn(0x05, 0, 0, 1, 0)} +
                    Code{insn(0x18, 1, 0, 0, 1), insn(0, 0, 0, 0, 1)} + tail)},
      {"no exit", one_function({mov(0, 0)})},
      {"64-bit load cut off", one_function({insn(0x18, 1, 0, 0, 1)})},
      {"register 11", one_function(Code{mov(11, 0)} + tail)},
      {"register 15 as source", one_function(Code{mov_reg(1, 15)} + tail)},
      {"writes R10", one_function(Code{mov(10, 0)} + tail)},
      {"no such array", one_function(load_array(1, 0) + tail)},
      {"no such region", one_function({insn(0x18, 1, 2, 0, 0), insn(0, 0, 0, 0, 0), exit_insn()})},
      {"no such function", one_function(Code{call_function(1)} + tail)},
      {"no such callback", one_function(load_function(1, 1) + tail)},
      {"no such helper", one_function(Code{call_helper(5000)} + tail)},
      {"deep stack", one_function(tail, 520)},
      {"empty function", one_function({})},
      {"no programs", {}},
      {"no such program in a slot", {.programs = {{{tail, 0}}}, .arrays = {{3}}, .regions = {}}},
      {"unknown opcode", one_function(Code{insn(0xff, 0, 0, 0, 0)} + tail)},
      {"legacy packet access", one_function(Code{insn(0x20, 0, 0, 0, 0)} + tail)},
      {"recursion",
       {.programs = {{{{call_function(1), exit_insn()}, 0}, {{call_function(1), exit_insn()}, 0}}},
        .arrays = {},
        .regions = {}}},
  };
  for (const Row& row : rows) {
    const Request request(row.spec);
    const Loaded loaded(api_, request);
    EXPECT_NE(loaded.status, PLUMB_LOADED) << row.name;
    EXPECT_FALSE(loaded.message.empty()) << row.name;
  }
  const Request good(one_function(tail));
  const Loaded loaded(api_, good);
  EXPECT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
}

// ---- Same request, same image ----

CaseSpec rich_case(int32_t seed) {
  FunctionSpec main = {Code{mov_reg(6, 1), mov(7, seed)}, 24};
  for (int32_t i = 0; i < seed % 40; i++) main.code.push_back(insn(0x07, 7, 0, 0, i));
  main.code = main.code + Code{store(7, -24), call_function(1), mov_reg(1, 6)} +
              direct_tail_call(0, 0) + Code{mov(0, 0), exit_insn()};
  const FunctionSpec sub = {
      Code{mov_reg(6, 1)} + indirect_tail_call(0) + Code{mov(0, 3), exit_insn()}, 40};
  return {.programs = {{main, sub}, {{{mov(0, seed), exit_insn()}, 0}}},
          .arrays = {{1, 0, -1}},
          .regions = {}};
}

struct Snapshot {
  std::vector<uint64_t> addresses;
  std::vector<Bytes> code;
  bool operator==(const Snapshot&) const = default;
};

Snapshot snapshot(const Loaded& loaded) {
  Snapshot s;
  for (uint32_t i = 0; i < loaded.image.function_count; i++) {
    const plumb_native_function& f = loaded.image.functions[i];
    s.addresses.push_back(f.address);
    s.code.push_back(loaded.code(f.program, f.function));
  }
  for (uint32_t i = 0; i < loaded.image.array_count; i++) {
    const plumb_range& range = loaded.image.array_objects[i];
    const auto* begin = reinterpret_cast<const uint8_t*>(range.address);
    s.addresses.push_back(range.address);
    s.code.emplace_back(begin, begin + range.size);
  }
  return s;
}

TEST_P(LinuxPlugin, ImageDoesNotDependOnWhatWasLoadedBefore) {
  const Request a(rich_case(7)), b(rich_case(33)), bad(one_function({mov(0, 0)}));
  auto load_and_forget = [&](const Request& request) {
    const Loaded loaded(api_, request);
    return loaded.status == PLUMB_LOADED ? snapshot(loaded) : Snapshot{};
  };
  const Snapshot first = load_and_forget(a);
  EXPECT_FALSE(first.code.empty());
  EXPECT_NE(load_and_forget(b), first);
  (void)load_and_forget(bad);
  EXPECT_EQ(load_and_forget(a), first);
  {
    // Also when two were there at once and went in the order in which they came.
    auto older = std::make_unique<Loaded>(api_, b);
    auto newer = std::make_unique<Loaded>(api_, a);
    EXPECT_NE(snapshot(*newer).addresses, first.addresses);
    older.reset();
    newer.reset();
  }
  EXPECT_EQ(load_and_forget(a), first);
}

// Resident pages of this process, from the kernel.
size_t resident_pages() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  unsigned long total = 0, resident = 0;
  const int count = std::fscanf(file, "%lu %lu", &total, &resident);
  std::fclose(file);
  return count == 2 ? resident : 0;
}

TEST_P(LinuxPlugin, LoadingAndUnloadingDoesNotGrow) {
  const Request request(rich_case(20));
  auto cycle = [&](int times) {
    for (int i = 0; i < times; i++) {
      const Loaded loaded(api_, request);
      ASSERT_EQ(loaded.status, PLUMB_LOADED) << loaded.message;
    }
  };
  cycle(2000);
  const size_t before = resident_pages();
#if defined(__SANITIZE_ADDRESS__) || defined(__clang__)
  cycle(5000);
  constexpr size_t kSlack = 16384;  // AddressSanitizer keeps freed blocks for a while
#else
  cycle(200000);
  constexpr size_t kSlack = 64;
#endif
  EXPECT_LE(resident_pages(), before + kSlack);
}

}  // namespace
