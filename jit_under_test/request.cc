// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/request.h"

#include <algorithm>
#include <type_traits>

#include "core/capability.h"
#include "core/guest.h"
#include "core/helper_model.h"
#include "core/insn.h"
#include "core/opcode.h"

namespace plumb::jit {
namespace {

static_assert(std::is_same_v<decltype(ProgArray::slots)::value_type, std::int32_t>);
static_assert(guest::kStubStride == PLUMB_STUB_STRIDE && guest::kStubCount == PLUMB_STUB_COUNT);
static_assert(kThrowStub == PLUMB_THROW_STUB);
static_assert(capability_bit(Capability::kCallSubprograms) == PLUMB_CAN_CALL_SUBPROGRAMS);
static_assert(capability_bit(Capability::kTailCall) == PLUMB_CAN_TAIL_CALL);
static_assert(capability_bit(Capability::kTailCallInSubprogram) ==
              PLUMB_CAN_TAIL_CALL_IN_SUBPROGRAM);
static_assert(capability_bit(Capability::kCallBack) == PLUMB_CAN_CALL_BACK);
static_assert(capability_bit(Capability::kAtomics) == PLUMB_CAN_ATOMICS);
static_assert(capability_bit(Capability::kV4) == PLUMB_CAN_V4);
static_assert(capability_bit(Capability::kThrow) == PLUMB_CAN_THROW);
static_assert(capability_bit(Capability::kTrampoline) == PLUMB_CAN_TRAMPOLINE);
static_assert(capability_bit(Capability::kPoke) == PLUMB_CAN_POKE);
static_assert(capability_bit(Capability::kUnverified) == PLUMB_CAN_TAKE_UNVERIFIED);
static_assert(capability_bit(Capability::kJumpBack) == PLUMB_CAN_JUMP_BACK);
static_assert(capability_bit(Capability::kAtomicAdd) == PLUMB_CAN_ATOMIC_ADD);
static_assert(capability_bit(Capability::kLegacyPacketAccess) == PLUMB_CAN_LEGACY_PACKET_ACCESS);
static_assert(capability_bit(Capability::kJump32) == PLUMB_CAN_JUMP32);
static_assert(capability_bit(Capability::kDivmul) == PLUMB_CAN_DIVMUL);
static_assert(capability_bit(Capability::kArsh32) == PLUMB_CAN_ARSH32);
static_assert(capability_bit(Capability::kReachBelow) == PLUMB_CAN_REACH_BELOW);
static_assert(capability_bit(Capability::kMixStackSizes) == PLUMB_CAN_MIX_STACK_SIZES);
static_assert(capability_bit(Capability::kIndexStack) == PLUMB_CAN_INDEX_STACK);
static_assert(static_cast<int>(HelperArg::kNone) == PLUMB_TYPE_NONE);
static_assert(static_cast<int>(HelperArg::kAny) == PLUMB_TYPE_SCALAR);
static_assert(static_cast<int>(HelperArg::kAnything) == PLUMB_TYPE_ANYTHING);
static_assert(static_cast<int>(HelperArg::kContext) == PLUMB_TYPE_CONTEXT);
static_assert(static_cast<int>(HelperArg::kArray) == PLUMB_TYPE_PROG_ARRAY);
static_assert(static_cast<int>(HelperArg::kReadMem) == PLUMB_TYPE_READ_MEMORY);
static_assert(static_cast<int>(HelperArg::kWriteMem) == PLUMB_TYPE_WRITE_MEMORY);
static_assert(static_cast<int>(HelperArg::kSize) == PLUMB_TYPE_SIZE);
static_assert(static_cast<int>(HelperArg::kFunction) == PLUMB_TYPE_FUNCTION);

plumb_insn encode(const Insn& insn) {
  return {.opcode = insn.opcode,
          .registers = static_cast<std::uint8_t>(insn.dst | (insn.src << 4)),
          .offset = insn.offset,
          .immediate = insn.immediate};
}

std::uint32_t preparation_flags(Preparation preparation) {
  switch (preparation) {
    case Preparation::kVerifier:
      return 0;
    case Preparation::kNone:
      return PLUMB_FUNCTION_AS_IT_STANDS;
    case Preparation::kZeroExtended:
      return PLUMB_FUNCTION_AS_IT_STANDS | PLUMB_FUNCTION_ZERO_EXTENDED;
  }
  return 0;
}

// Sets the callback flag of every function of the program whose address is taken.
void mark_callbacks(const Program& program, plumb_function* functions) {
  for (const Function& function : program.functions) {
    for (std::size_t i = 0; i < function.insns.size();
         i += static_cast<std::size_t>(slot_count(function.insns[i]))) {
      const Insn& insn = function.insns[i];
      if (insn.opcode == kWideLoadOpcode && insn.src == kPseudoFunction) {
        functions[insn.immediate].flags |= PLUMB_FUNCTION_CALLBACK;
      }
    }
  }
}

}  // namespace

void RequestBuilder::add_programs(const Case& value) {
  // All slots first: pointers into the vectors are taken only when they no longer grow.
  for (const Program& program : value.programs) {
    for (const Function& function : program.functions) {
      for (const Insn& insn : function.insns) insns_.push_back(encode(insn));
      functions_.push_back({.struct_size = sizeof(plumb_function),
                            .flags = preparation_flags(program.preparation),
                            .name = function.name.c_str(),
                            .insns = nullptr,
                            .insn_count = static_cast<std::uint32_t>(function.insns.size()),
                            .stack_depth = static_cast<std::uint32_t>(function.stack_depth)});
    }
  }
  const plumb_insn* insns = insns_.data();
  for (plumb_function& function : functions_) {
    function.insns = insns;
    insns += function.insn_count;
  }
  plumb_function* functions = functions_.data();
  for (const Program& program : value.programs) {
    programs_.push_back({.struct_size = sizeof(plumb_program),
                         .reserved = 0,
                         .name = program.name.c_str(),
                         .function_count = static_cast<std::uint32_t>(program.functions.size()),
                         .function_stride = sizeof(plumb_function),
                         .functions = functions});
    mark_callbacks(program, functions);
    if (program.exception_callback != kNoFunction) {
      functions[program.exception_callback].flags |= PLUMB_FUNCTION_EXCEPTION_CALLBACK;
    }
    functions += program.functions.size();
  }
}

void RequestBuilder::add_helpers(std::uint64_t stubs) {
  for (const HelperInfo& helper : helper_table()) {
    plumb_helper& out = helpers_.emplace_back();
    out.struct_size = sizeof(plumb_helper);
    out.number = helper.number;
    out.name = helper.name.data();  // of a string literal, so that it ends in a zero
    const bool has_stub = stubs != 0 && helper.number != kTailCallHelper;
    out.stub =
        has_stub ? stubs + guest::kStubStride * static_cast<std::uint64_t>(helper.number) : 0;
    out.result = PLUMB_TYPE_SCALAR;
    std::ranges::transform(helper.args, out.argument,
                           [](HelperArg type) { return static_cast<std::uint8_t>(type); });
  }
}

const plumb_load_request& RequestBuilder::build(const Case& value, std::uint64_t stubs) {
  insns_.clear();
  functions_.clear();
  programs_.clear();
  arrays_.clear();
  region_addresses_.clear();
  region_sizes_.clear();
  helpers_.clear();
  add_programs(value);
  add_helpers(stubs);
  for (const ProgArray& array : value.arrays) {
    arrays_.push_back({.struct_size = sizeof(plumb_prog_array),
                       .slot_count = static_cast<std::uint32_t>(array.slots.size()),
                       .slots = array.slots.data()});
  }
  for (std::size_t i = 0; i < value.regions.size(); ++i) {
    region_sizes_.push_back(value.regions[i].bytes.size());
    region_addresses_.push_back(guest::region_address(i, region_sizes_.back()));
  }
  request_ = {.struct_size = sizeof(plumb_load_request),
              .entry_program = static_cast<std::uint32_t>(value.enter),
              .program_count = static_cast<std::uint32_t>(programs_.size()),
              .program_stride = sizeof(plumb_program),
              .programs = programs_.data(),
              .array_count = static_cast<std::uint32_t>(arrays_.size()),
              .array_stride = sizeof(plumb_prog_array),
              .arrays = arrays_.data(),
              .helper_count = static_cast<std::uint32_t>(helpers_.size()),
              .helper_stride = sizeof(plumb_helper),
              .helpers = helpers_.data(),
              .region_count = static_cast<std::uint32_t>(region_addresses_.size()),
              .context_size = static_cast<std::uint32_t>(value.context.size()),
              .region_addresses = region_addresses_.data(),
              .region_sizes = region_sizes_.data()};
  return request_;
}

}  // namespace plumb::jit
