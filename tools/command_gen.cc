// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "core/capability.h"
#include "core/case_text.h"
#include "core/rng.h"
#include "gen/generate.h"
#include "jit_under_test/jit.h"
#include "tools/open_jits.h"
#include "tools/session.h"
#include "tools/shape_option.h"

namespace plumb::tools {
namespace {

struct GenOptions {
  std::uint64_t seed = 1;
  std::uint64_t count = 1;
  std::string shape;
  std::string jit;
  std::optional<std::string> capabilities;
  bool list = false;
};

int list_shapes(const Session& session) {
  if (session.json) {
    auto out = nlohmann::ordered_json::array();
    for (const gen::Shape& shape : gen::shapes()) {
      out.push_back(
          {{"name", shape.name}, {"weight", shape.weight}, {"description", shape.description}});
    }
    fmt::print("{}\n", out.dump(2));
    return kStatusConforms;
  }
  for (const gen::Shape& shape : gen::shapes()) {
    fmt::print("{:<22} {:>4}  {}\n", shape.name, shape.weight, shape.description);
  }
  return kStatusConforms;
}

// Who gets the cases, and what it can do.
struct Receiver {
  std::string who = "a JIT with these capabilities";
  std::uint64_t capabilities = kAllCapabilities;
};

Result<Receiver> receiver(const GenOptions& options, const Session& session) {
  Receiver receiver;
  if (options.capabilities) {
    const auto set = parse_capabilities(*options.capabilities);
    if (!set) return std::unexpected(set.error());
    receiver.capabilities = *set;
  }
  if (options.jit.empty()) return receiver;
  const auto jits = open_all_jits(session, options.jit);
  if (!jits) return std::unexpected(jits.error());
  if (jits->size() != 1) return fail("--jit of gen names one JIT");
  const jit::JitInfo& info = jits->front()->info();
  return Receiver{.who = info.name, .capabilities = info.capabilities};
}

int gen_cases(const GenOptions& options, const Session& session) {
  if (options.list) return list_shapes(session);
  const auto shape = shape_named(options.shape);
  if (!shape) return unusable(shape.error().str());
  const auto to = receiver(options, session);
  if (!to) return unusable(to.error().str());
  const auto fits = check_shape(*shape, to->capabilities, to->who);
  if (!fits) return unusable(fits.error().str());
  auto texts = nlohmann::ordered_json::array();
  for (std::uint64_t n = 0; n < options.count; ++n) {
    const std::string text = print_case(gen::generate(nth_seed(options.seed, n), *shape,
                                                      to->capabilities & gen::kObeyedCapabilities));
    if (session.json) {
      texts.push_back(text);
    } else {
      fmt::print("{}{}", n == 0 ? "" : "\n", text);
    }
  }
  if (session.json) fmt::print("{}\n", texts.dump(2));
  return kStatusConforms;
}

}  // namespace

void add_gen_command(CLI::App& app, Session& session) {
  auto options = std::make_shared<GenOptions>();
  CLI::App* command = app.add_subcommand("gen", "Print generated cases");
  command->add_option("--seed", options->seed, "the cases of this seed, as plumb fuzz makes them");
  command->add_option("--count", options->count, "how many")->check(CLI::Range(1, 1'000'000));
  command->add_option("--shape", options->shape, "only this shape");
  auto* jit = command->add_option("--jit", options->jit, "the cases that this JIT gets");
  command
      ->add_option("--capabilities", options->capabilities,
                   "those that a JIT with these gets, comma-separated")
      ->excludes(jit);
  command->add_flag("--list", options->list, "list the shapes with their weights");
  command->callback([options, &session] {
    session.action = [options, &session] { return gen_cases(*options, session); };
  });
}

}  // namespace plumb::tools
