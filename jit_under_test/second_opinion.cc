// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/second_opinion.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <filesystem>
#include <span>
#include <system_error>
#include <utility>

#include "core/check.h"
#include "core/helper_model.h"
#include "jit_under_test/contract_reader.h"
#include "jit_under_test/interpreter.h"
#include "jit_under_test/library.h"
#include "jit_under_test/plugin_struct.h"
#include "jit_under_test/plugin_text.h"
#include "jit_under_test/quiet_output.h"
#include "jit_under_test/request.h"

namespace plumb::jit {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    if (end > begin) parts.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

std::uint64_t address_of(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }

// The context, or a region, between bytes that nobody may touch.
class Object {
 public:
  explicit Object(const std::vector<std::uint8_t>& bytes) : size_(bytes.size()) {
    bytes_.resize((2 * kPadding + size_) / sizeof(std::uint64_t) + 1);
    std::ranges::fill(all(), kPoison);
    std::ranges::copy(bytes, inside().begin());
  }
  [[nodiscard]] std::span<std::uint8_t> inside() { return all().subspan(kPadding, size_); }
  [[nodiscard]] std::uint64_t address() { return address_of(inside().data()); }
  [[nodiscard]] bool padding_intact() {
    const auto poisoned = [](std::uint8_t byte) { return byte == kPoison; };
    return std::ranges::all_of(all().first(kPadding), poisoned) &&
           std::ranges::all_of(all().subspan(kPadding + size_), poisoned);
  }

 private:
  static constexpr std::size_t kPadding = 64;
  static constexpr std::uint8_t kPoison = 0x6b;

  [[nodiscard]] std::span<std::uint8_t> all() {
    return {reinterpret_cast<std::uint8_t*>(bytes_.data()), bytes_.size() * sizeof(std::uint64_t)};
  }

  std::vector<std::uint64_t> bytes_;  // words, for their alignment
  std::size_t size_;
};

std::span<std::uint8_t> memory_at(std::uint64_t address, std::uint64_t size) {
  // A register of the interpreter. NOLINTNEXTLINE(performance-no-int-to-ptr)
  auto* const bytes = reinterpret_cast<std::uint8_t*>(static_cast<std::uintptr_t>(address));
  return {bytes, static_cast<std::size_t>(std::min<std::uint64_t>(size, kMaxHelperBytes))};
}

// The mock helper on native pointers: they are good in a case that is defined.
std::uint64_t call_helper(void* host, std::int32_t number, const std::uint64_t* arguments) {
  auto& calls = static_cast<Interpretation*>(host)->helper_calls;
  HelperCall call{
      .number = number, .ordinal = calls.size(), .scalars = {}, .read = {}, .write = {}};
  auto& seen = calls.emplace_back();
  seen.number = number;
  std::copy_n(arguments, seen.arguments.size(), seen.arguments.begin());
  const HelperInfo* helper = find_helper(number);
  if (helper == nullptr) return 0;  // whoever compares sees a call that the oracle does not have
  std::size_t reads = 0;
  for (std::size_t i = 0; i < helper->args.size(); ++i) {
    const HelperArg kind = helper->args[i];
    if (kind == HelperArg::kAny || kind == HelperArg::kSize) call.scalars[i] = arguments[i];
    if (kind != HelperArg::kReadMem && kind != HelperArg::kWriteMem) continue;
    const std::span<std::uint8_t> bytes = memory_at(arguments[i], arguments[i + 1]);
    if (kind == HelperArg::kWriteMem) {
      call.write = bytes;
    } else {
      PLUMB_CHECK(reads < std::size(call.read));
      call.read[reads++] = bytes;
    }
  }
  return run_helper(call);
}

Interpretation::Status status_of(int status) {
  switch (status) {
    case PLUMB_LOADED:
      return Interpretation::Status::kRan;
    case PLUMB_NOT_APPLICABLE:
      return Interpretation::Status::kNotApplicable;
    default:
      return Interpretation::Status::kFailed;
  }
}

class PluginInterpreter final : public Interpreter {
 public:
  PluginInterpreter(Library library, const plumb_interpreter& table, InterpreterInfo info)
      : library_(std::move(library)), table_(table), info_(std::move(info)) {}

  [[nodiscard]] const InterpreterInfo& info() const override { return info_; }
  [[nodiscard]] Interpretation run(const Case& value) override;

 private:
  Library library_;
  plumb_interpreter table_;
  InterpreterInfo info_;
  RequestBuilder request_;
};

Interpretation PluginInterpreter::run(const Case& value) {
  Interpretation out;
  Object context(value.context);
  std::vector<Object> regions;
  for (const Region& region : value.regions) {
    out.region_addresses.push_back(regions.emplace_back(region.bytes).address());
  }
  out.context_address = context.address();
  out.array_addresses.resize(value.arrays.size());
  plumb_load_request request = request_.build(value, 0);
  request.region_addresses = out.region_addresses.data();
  plumb_interpretation invocation{.struct_size = sizeof(plumb_interpretation),
                                  .program = static_cast<std::uint32_t>(value.enter),
                                  .context = out.context_address,
                                  .host = &out,
                                  .call_helper = call_helper,
                                  .array_addresses = out.array_addresses.data(),
                                  .result = 0};
  std::array<char, 512> error{};
  out.status = status_of(table_.run(&request, &invocation, error.data(), error.size()));
  out.reason = plugin_text(error);
  out.result = invocation.result;
  out.padding_intact = context.padding_intact();
  out.context.assign(context.inside().begin(), context.inside().end());
  for (Object& region : regions) {
    out.padding_intact = out.padding_intact && region.padding_intact();
    out.regions.emplace_back(region.inside().begin(), region.inside().end());
  }
  return out;
}

Result<InterpreterInfo> read_info(const plumb_interpreter_info* from) {
  const Result<plumb_interpreter_info> said = take_struct(from, "info");
  if (!said) return std::unexpected(said.error());
  if (said->name == nullptr || said->version == nullptr || said->origin == nullptr ||
      said->jits == nullptr) {
    return fail("its description lacks a name");
  }
  JitInfo contract;
  if (auto read = read_contract(said->contract, contract); !read) {
    return std::unexpected(read.error());
  }
  if (contract.contract.empty_slot_consumes_count == Tristate::kUnknown) {
    return fail(
        "its contract leaves empty_slot_consumes_count or calls_keep_count unknown: an interpreter "
        "has to say");
  }
  InterpreterInfo info;
  info.name = plugin_text(said->name);
  info.version = plugin_text(said->version);
  info.origin = plugin_text(said->origin);
  info.jits = split(plugin_text(said->jits), ',');
  info.capabilities = said->capabilities;
  info.empty_slot_consumes_count = contract.contract.empty_slot_consumes_count == Tristate::kYes;
  info.calls_keep_count = contract.contract.calls_keep_count;
  return info;
}

Result<std::unique_ptr<Interpreter>> open_library(Library library) {
  void* symbol = dlsym(library.get(), PLUMB_INTERPRETER_ENTRY);
  if (symbol == nullptr) {
    return fail("no interpreter: it does not export " PLUMB_INTERPRETER_ENTRY "()");
  }
  const plumb_interpreter* exported = reinterpret_cast<decltype(&plumb_interpreter_entry)>(symbol)(
      PLUMB_INTERPRETER_ABI, sizeof(plumb_interpreter));
  if (exported == nullptr) {
    return fail(fmt::format("it cannot serve a host of interpreter ABI {}", PLUMB_INTERPRETER_ABI));
  }
  const auto abi = copy_of<plumb_interpreter>(exported, PLUMB_UP_TO(plumb_interpreter, abi)).abi;
  if (abi < PLUMB_INTERPRETER_ABI) {
    return fail(
        fmt::format("it was built for interpreter ABI {}, this build speaks {}: `plumb jits add "
                    "--force` it again from its source",
                    abi, PLUMB_INTERPRETER_ABI));
  }
  if (abi != PLUMB_INTERPRETER_ABI) {
    return fail(fmt::format("it speaks interpreter ABI {}, this build speaks {}", abi,
                            PLUMB_INTERPRETER_ABI));
  }
  const Result<plumb_interpreter> table = take_struct(exported, "interpreter");
  if (!table) return std::unexpected(table.error());
  if (table->run == nullptr) return fail("its table lacks run");
  Result<InterpreterInfo> info = read_info(table->info);
  if (!info) return std::unexpected(info.error());
  return std::make_unique<PluginInterpreter>(std::move(library), *table, std::move(*info));
}

}  // namespace

bool speaks_of(const InterpreterInfo& interpreter, std::string_view jit) {
  const std::string name(jit);
  return std::ranges::any_of(interpreter.jits, [&](const std::string& glob) {
    return fnmatch(glob.c_str(), name.c_str(), 0) == 0;
  });
}

Result<std::unique_ptr<Interpreter>> open_interpreter(const std::string& path) {
  const QuietOutput quiet;
  Result<Library> library = load_library(path);
  if (!library) return std::unexpected(library.error());
  Result<std::unique_ptr<Interpreter>> interpreter = open_library(*std::move(library));
  if (!interpreter) interpreter.error().file = path;
  return interpreter;
}

Result<std::vector<std::unique_ptr<Interpreter>>> open_interpreters(
    const std::string& plugin_directories, const TryFirst& try_first) {
  std::vector<std::unique_ptr<Interpreter>> opened;
  for (const std::string& directory : split(plugin_directories, ':')) {
    std::vector<std::string> files;
    std::error_code error;
    for (const auto& file : fs::directory_iterator(fs::path(directory) / "interpreters", error)) {
      if (file.path().extension() == ".so") files.push_back(file.path().string());
    }
    std::ranges::sort(files);
    for (const std::string& file : files) {
      if (const Result<void> tried = try_first ? try_first(file) : Result<void>(); !tried) {
        return std::unexpected(tried.error());
      }
      auto interpreter = open_interpreter(file);
      if (!interpreter) return std::unexpected(interpreter.error());
      const bool hidden = std::ranges::any_of(opened, [&](const auto& other) {
        return other->info().name == (*interpreter)->info().name;
      });
      if (!hidden) opened.push_back(std::move(*interpreter));
    }
  }
  return opened;
}

}  // namespace plumb::jit
