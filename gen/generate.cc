// SPDX-License-Identifier: GPL-2.0-or-later
#include "gen/generate.h"

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/exceptions.h"
#include "gen/emitter.h"
#include "gen/planning.h"

namespace plumb::gen {
namespace {

// The letters of the column "reaches".
constexpr std::uint32_t letters_to_bits(std::string_view letters) {
  std::uint32_t bits = 0;
  for (const char letter : letters) {
    switch (letter) {
      case 'c':
        bits |= reach_bit(Reach::kCall);
        break;
      case 't':
        bits |= reach_bit(Reach::kTailCall);
        break;
      case 'l':
        bits |= reach_bit(Reach::kTailCallLimit);
        break;
      case 's':
        bits |= reach_bit(Reach::kStackPointer);
        break;
      case 'x':
        bits |= reach_bit(Reach::kThrow);
        break;
      case 'h':
        bits |= reach_bit(Reach::kHelperCall);
        break;
      default:
        PLUMB_CHECK(false);
    }
  }
  return bits;
}

#define PLUMB_CAPABILITY(id, bit, name, meaning) \
  [[maybe_unused]] constexpr std::uint64_t id = capability_bit(Capability::k##id);
#include "core/capabilities.inc"

constexpr Shape kShapes[] = {
#define PLUMB_SHAPE(id, name, weight, letters, needs, description) \
  {name, description, weight, letters_to_bits(letters), needs},
#include "gen/shapes.inc"
};

constexpr std::array kWeights{
#define PLUMB_SHAPE(id, name, weight, letters, needs, description) weight,
#include "gen/shapes.inc"
};

CasePlan draw_plan(ChoiceStream& choices, std::size_t shape) {
  std::size_t row = 0;
#define PLUMB_SHAPE(id, name, weight, letters, needs, description) \
  if (shape == row++) return plan_##id(choices);
#include "gen/shapes.inc"
  PLUMB_CHECK(false);
  return {};
}

Surroundings surroundings_of(const CasePlan& plan, const FunctionPlan& function) {
  Surroundings around{.stack_depth = function.stack_depth,
                      .context_size = plan.context_size,
                      .region_sizes = {},
                      .buffer_sizes = {}};
  for (const RegionPlan& region : plan.regions) around.region_sizes.push_back(region.size);
  for (const Argument& argument : function.arguments) {
    around.buffer_sizes.push_back(argument.kind == ArgumentKind::kBuffer ? argument.size : 0);
  }
  return around;
}

// Callees stand behind their callers, so the last function is written first: what it costs is known
// when a loop around a call is written.
Program write_program(ChoiceStream& choices, const CasePlan& plan, std::size_t index) {
  const ProgramPlan& program_plan = plan.programs[index];
  const std::size_t count = program_plan.functions.size();
  Program program{.name = "p" + std::to_string(index), .functions = {}};
  program.functions.resize(count);
  std::vector<std::uint64_t> costs(count, 0);
  for (std::size_t i = count; i-- > 0;) {
    const FunctionPlan& function = program_plan.functions[i];
    Emitter e{.choices = choices,
              .plan = plan,
              .program = program_plan,
              .function = function,
              .costs = costs,
              .code = Builder(surroundings_of(plan, function)),
              .locked_bytes = {},
              .is_main = i == 0};
    emit_function(e);
    costs[i] = e.code.cost();
    program.functions[i] = {.name = i == 0 ? "main" : "f" + std::to_string(i),
                            .insns = e.code.take(),
                            .stack_depth = function.stack_depth};
  }
  program.exception_callback = program_plan.exception_callback;
  PLUMB_CHECK(complete_callback(program));
  return program;
}

void put_keys(const CasePlan& plan, std::vector<std::uint8_t>& bytes) {
  for (std::size_t i = 0; i < kCounterOffset + 8u; ++i) bytes[i] = 0;
  for (std::size_t i = 0; i < plan.keys.size(); ++i) {
    bytes[kKeyOffset + 2 * i] = static_cast<std::uint8_t>(plan.keys[i]);
    bytes[kKeyOffset + 2 * i + 1] = static_cast<std::uint8_t>(plan.keys[i] >> 8);
  }
}

// One draw for all bytes: they decide little, and must not use up the choices.
std::vector<std::uint8_t> draw_bytes(ChoiceStream& choices, int size) {
  Rng rng(choices.below(256));
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size));
  for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(rng.next());
  return bytes;
}

Case write_case(ChoiceStream& choices, const CasePlan& plan) {
  Case value;
  for (std::size_t i = 0; i < plan.programs.size(); ++i) {
    value.programs.push_back(write_program(choices, plan, i));
  }
  for (std::size_t i = 0; i < plan.arrays.size(); ++i) {
    value.arrays.push_back({.name = "jmp" + std::to_string(i), .slots = plan.arrays[i]});
  }
  for (std::size_t i = 0; i < plan.regions.size(); ++i) {
    value.regions.push_back(
        {.name = "map" + std::to_string(i), .bytes = draw_bytes(choices, plan.regions[i].size)});
  }
  value.context = draw_bytes(choices, plan.context_size);
  put_keys(plan, value.context);
  put_keys(plan, value.regions[0].bytes);
  return value;
}

// Draws again what the JIT lacks: a case that needs nothing of it is the same for all.
std::size_t draw_shape(ChoiceStream& choices, std::uint64_t capabilities) {
  for (;;) {
    const std::size_t row = choices.weighted(kWeights);
    if ((kShapes[row].needs & ~capabilities) == 0) return row;
  }
}

Case generate_from(ChoiceStream choices, const Shape* shape, std::uint64_t capabilities) {
  const std::size_t row = shape != nullptr ? static_cast<std::size_t>(shape - kShapes)
                                           : draw_shape(choices, capabilities);
  PLUMB_CHECK(row < std::size(kShapes) && (kShapes[row].needs & ~capabilities) == 0);
  CasePlan plan = draw_plan(choices, row);
  keep_within(plan, capabilities);
  return write_case(choices, plan);
}

}  // namespace

std::span<const Shape> shapes() { return kShapes; }

const Shape* find_shape(std::string_view name) {
  for (const Shape& shape : kShapes) {
    if (shape.name == name) return &shape;
  }
  return nullptr;
}

std::uint32_t reaches(const Shape& shape, std::uint64_t capabilities) {
  constexpr std::uint32_t kCalls = reach_bit(Reach::kCall) | reach_bit(Reach::kStackPointer);
  constexpr std::uint32_t kTailCalls =
      reach_bit(Reach::kTailCall) | reach_bit(Reach::kTailCallLimit);
  const bool mixed = (shape.needs & TailCall) != 0 && (capabilities & TailCallInSubprogram) == 0;
  std::uint32_t reached = shape.reaches;
  if ((capabilities & CallSubprograms) == 0 || mixed) reached &= ~kCalls;
  if ((capabilities & TailCall) == 0) reached &= ~kTailCalls;
  return reached;
}

Case generate(std::span<const std::uint8_t> choices, const Shape* shape,
              std::uint64_t capabilities) {
  return generate_from(ChoiceStream(choices), shape, capabilities);
}

Case generate(std::uint64_t seed, const Shape* shape, std::uint64_t capabilities) {
  return generate_from(ChoiceStream(seed), shape, capabilities);
}

}  // namespace plumb::gen
