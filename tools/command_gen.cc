// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>

#include "core/case_text.h"
#include "core/rng.h"
#include "gen/generate.h"
#include "tools/session.h"

namespace plumb::tools {
namespace {

struct GenOptions {
  std::uint64_t seed = 1;
  std::uint64_t count = 1;
  std::string shape;
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

int gen_cases(const GenOptions& options, const Session& session) {
  if (options.list) return list_shapes(session);
  const gen::Shape* shape = nullptr;
  if (!options.shape.empty()) {
    shape = gen::find_shape(options.shape);
    if (shape == nullptr) {
      return unusable(fmt::format("no shape is called '{}'; see plumb gen --list", options.shape));
    }
  }
  auto texts = nlohmann::ordered_json::array();
  for (std::uint64_t n = 0; n < options.count; ++n) {
    const std::string text = print_case(gen::generate(nth_seed(options.seed, n), shape));
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
  command->add_flag("--list", options->list, "list the shapes with their weights");
  command->callback([options, &session] {
    session.action = [options, &session] { return gen_cases(*options, session); };
  });
}

}  // namespace plumb::tools
