// SPDX-License-Identifier: GPL-2.0-or-later
// What the tests of the kernel JIT plugins share: building requests, the plugins, loaded cases.
// Everything that it opens stays open: all plugins live in the process at the same time.
#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "jit_under_test/plugin.h"

namespace plumb_linux_test {

// What the JITs of all trees and architectures take.
inline constexpr uint64_t kTakenByAll = PLUMB_CAN_CALL_SUBPROGRAMS | PLUMB_CAN_TAIL_CALL |
                                        PLUMB_CAN_CALL_BACK | PLUMB_CAN_ATOMICS |
                                        PLUMB_CAN_TAKE_UNVERIFIED | PLUMB_CAN_TAKE_BASE;

// ---- Instructions (RFC 9669) ----

using Code = std::vector<plumb_insn>;

inline plumb_insn insn(uint8_t opcode, uint8_t dst, uint8_t src, int16_t offset,
                       int32_t immediate) {
  return {opcode, static_cast<uint8_t>(src << 4 | dst), offset, immediate};
}
inline plumb_insn mov(uint8_t dst, int32_t value) { return insn(0xb7, dst, 0, 0, value); }
inline plumb_insn mov_reg(uint8_t dst, uint8_t src) { return insn(0xbf, dst, src, 0, 0); }
inline plumb_insn exit_insn() { return insn(0x95, 0, 0, 0, 0); }
inline plumb_insn call_helper(int32_t number) { return insn(0x85, 0, 0, 0, number); }
inline plumb_insn call_function(int32_t function) { return insn(0x85, 0, 1, 0, function); }
inline plumb_insn call_throw() { return insn(0x85, 0, 2, 0, 0); }
inline plumb_insn store(uint8_t src, int16_t offset) { return insn(0x7b, 10, src, offset, 0); }

// Instructions, bytes and words are joined with +.
template <typename T>
std::vector<T> operator+(std::vector<T> a, const std::vector<T>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
inline Code load_array(uint8_t dst, int32_t array) {
  return {insn(0x18, dst, 1, 0, array), insn(0, 0, 0, 0, 0)};
}
inline Code load_function(uint8_t dst, int32_t function) {
  return {insn(0x18, dst, 4, 0, function), insn(0, 0, 0, 0, 0)};
}
inline Code direct_tail_call(int32_t array, int32_t key) {
  return load_array(2, array) + Code{mov(3, key), call_helper(12)};
}
// The key comes from the context, so nobody knows it.
inline Code indirect_tail_call(int32_t array) {
  return Code{insn(0x61, 3, 1, 0, 0)} + load_array(2, array) + Code{call_helper(12)};
}

// ---- Requests ----

struct FunctionSpec {
  Code code;
  uint32_t stack_depth = 0;
  uint32_t flags = 0;
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
        functions.push_back({sizeof(plumb_function), f.flags, "f", f.code.data(),
                             static_cast<uint32_t>(f.code.size()), f.stack_depth});
      functions_.push_back(std::move(functions));
    }
    for (const auto& functions : functions_)
      programs_.push_back({sizeof(plumb_program), 0, "p", static_cast<uint32_t>(functions.size()),
                           sizeof(plumb_function), functions.data()});
    for (const auto& slots : spec_.arrays)
      arrays_.push_back(
          {sizeof(plumb_prog_array), static_cast<uint32_t>(slots.size()), slots.data()});
    request_.struct_size = sizeof(request_);
    request_.program_count = static_cast<uint32_t>(programs_.size());
    request_.program_stride = sizeof(plumb_program);
    request_.programs = programs_.data();
    request_.array_count = static_cast<uint32_t>(arrays_.size());
    request_.array_stride = sizeof(plumb_prog_array);
    request_.arrays = arrays_.data();
    request_.region_count = static_cast<uint32_t>(spec_.regions.size());
    request_.region_addresses = spec_.regions.data();
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
  plumb_load_request request_{};
};

inline CaseSpec one_function(Code code, uint32_t stack_depth = 0) {
  return {.programs = {{{std::move(code), stack_depth}}}, .arrays = {}, .regions = {}};
}

// ---- Plugins: opened once per process, all at the same time ----

struct Plugin {
  const plumb_plugin* api = nullptr;
  std::string problem;
  uint64_t arena = 0;
};

// Variants want the place of the plugin that they are a variant of.
inline constexpr uint64_t kArenaStep = 0x1000000, kArenaEnd = 0x7f000000;
inline bool map_arena(uint64_t address, uint64_t size) {
  void* wanted = reinterpret_cast<void*>(address);
  void* arena = mmap(wanted, size, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);
  if (arena == wanted) return true;
  if (arena != MAP_FAILED) munmap(arena, size);
  return false;
}

inline Plugin open_plugin(const std::string& name) {
  Plugin plugin{};
  const std::string path = std::string(PLUMB_PLUGIN_DIR) + "/" + name + ".so";
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return {nullptr, dlerror(), 0};
  const auto entry =
      reinterpret_cast<decltype(&plumb_plugin_entry)>(dlsym(handle, PLUMB_PLUGIN_ENTRY));
  if (entry == nullptr) return {nullptr, "no entry", 0};
  plugin.api = entry(PLUMB_PLUGIN_ABI, sizeof(plumb_plugin));
  const plumb_plugin_info& info = *plugin.api->info;
  plugin.arena = info.arena_base;
  while (!map_arena(plugin.arena, info.arena_size)) {
    plugin.arena += kArenaStep;
    if (plugin.arena + info.arena_size > kArenaEnd) return {nullptr, "no arena", 0};
  }
  char error[256] = "";
  if (plugin.api->open(plugin.arena, info.arena_size, error, sizeof(error)) != 0)
    return {nullptr, error, 0};
  return plugin;
}

inline constexpr const char* kNewName = "linux-6.12-x86_64";
inline constexpr const char* kOldName = "linux-6.1-x86_64";
inline constexpr const char* kNewArm64 = "linux-6.12-arm64";
inline constexpr const char* kOldArm64 = "linux-6.1-arm64";
inline constexpr const char* kNewRiscv64 = "linux-6.12-riscv64";
inline constexpr const char* kOldRiscv64 = "linux-6.1-riscv64";

inline const Plugin& plugin_named(const std::string& name) {
  static std::map<std::string, Plugin> plugins;
  const auto [place, is_new] = plugins.try_emplace(name);
  if (is_new) place->second = open_plugin(name);
  return place->second;
}

// How a plugin is called in the name of a test: "6_12_arm64".
inline std::string test_name(const testing::TestParamInfo<const char*>& param) {
  std::string name = std::string(param.param).substr(std::string("linux-").size());
  std::replace_if(
      name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

// One that must be there.
inline const Plugin& variant(const std::string& name) {
  const Plugin& plugin = plugin_named(name);
  EXPECT_NE(plugin.api, nullptr) << name << ": " << plugin.problem;
  return plugin;
}

using Bytes = std::vector<uint8_t>;

// Hardware numbers of the registers that hold R0 ... R10.
inline Bytes registers_of(const plumb_contract& contract) {
  Bytes numbers;
  for (const uint8_t code : contract.bpf_register) numbers.push_back(code - PLUMB_REGISTER(0));
  return numbers;
}

// A loaded case; unloads itself.
class Loaded {
 public:
  Loaded(const plumb_plugin* api, const Request& request) : api_(api) {
    char error[256] = "";
    image.struct_size = sizeof(image);
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

// Room for the steps of one update.
struct Steps {
  explicit Steps(uint32_t capacity) : steps(capacity) {
    list = {sizeof(list), capacity, sizeof(plumb_patch_step), 0, steps.data()};
  }
  const plumb_patch_step& operator[](size_t i) const { return steps[i]; }

  std::vector<plumb_patch_step> steps;
  plumb_patch_list list{};
};

inline int32_t read32(const uint8_t* p) {
  int32_t value;
  std::memcpy(&value, p, sizeof(value));
  return value;
}

inline Bytes bytes_at(uint64_t address, size_t count) {
  const auto* begin = reinterpret_cast<const uint8_t*>(address);
  return {begin, begin + count};
}

// Native instructions of the architectures whose instructions are words.
using Words = std::vector<uint32_t>;

inline int64_t sign_extend(uint32_t value, int bits) {
  return static_cast<int64_t>(static_cast<uint64_t>(value) << (64 - bits)) >> (64 - bits);
}

inline uint32_t word_at(uint64_t address) {
  uint32_t value;
  std::memcpy(&value, reinterpret_cast<const void*>(address), sizeof(value));
  return value;
}
inline Words words_at(uint64_t address, size_t count) {
  Words words(count);
  std::memcpy(words.data(), reinterpret_cast<const void*>(address), count * sizeof(uint32_t));
  return words;
}
// The code of slots first ... last - 1 of a function; slot -1 is the prologue.
inline Words words_of(const plumb_native_function& f, int first, int last) {
  const uint32_t begin = first < 0 ? 0 : f.insn_offsets[first], end = f.insn_offsets[last];
  return words_at(f.address + begin, (end - begin) / sizeof(uint32_t));
}
inline Words epilogue_of(const plumb_native_function& f, size_t count) {
  return words_at(f.address + f.insn_offsets[f.insn_offset_count - 1], count);
}

inline uint8_t byte_at(uint64_t address) { return *reinterpret_cast<const uint8_t*>(address); }
inline uint64_t jump_target(uint64_t address) {
  return address + 5 +
         static_cast<uint64_t>(
             static_cast<int64_t>(read32(reinterpret_cast<const uint8_t*>(address) + 1)));
}

inline void expect_prefix(const Bytes& code, const Bytes& prefix) {
  ASSERT_GE(code.size(), prefix.size());
  EXPECT_EQ(Bytes(code.begin(), code.begin() + static_cast<ptrdiff_t>(prefix.size())), prefix);
}

inline size_t find_bytes(const Bytes& code, const Bytes& wanted) {
  return static_cast<size_t>(std::search(code.begin(), code.end(), wanted.begin(), wanted.end()) -
                             code.begin());
}

// Instruction bytes of layouts.md.
inline const Bytes kNop5 = {0x0f, 0x1f, 0x44, 0x00, 0x00};
inline const Bytes kPushRbp = {0x55, 0x48, 0x89, 0xe5};         // push rbp; mov rbp, rsp
inline const Bytes kSub16 = {0x48, 0x81, 0xec, 0x10, 0, 0, 0};  // sub rsp, 16
inline const Bytes kLeaveRet = {0xc9, 0xc3};

class LinuxPlugin : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    const Plugin& plugin = plugin_named(GetParam());
    ASSERT_NE(plugin.api, nullptr) << plugin.problem;
    api_ = plugin.api;
    arena_ = plugin.arena;
  }
  bool is_new() const { return std::string(GetParam()).find("6.12") != std::string::npos; }

  const plumb_plugin* api_ = nullptr;
  uint64_t arena_ = 0;  // where it really is
};

}  // namespace plumb_linux_test
