// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/event.h"

namespace plumb {

namespace unwind {
struct CodeKnowledge;  // core/unwind/code_knowledge.h
}

enum class Depth : std::uint8_t {
  kFast,  // calls, returns, helpers, stores to the stack, exits
  kFull,  // every instruction and every access
  // The same, and an interrupt before every instruction: its registers and its handler's frame
  // (core/unwind/c_frames.h) lie below the stack pointer, all memory below them that a handler can
  // reach is overwritten, and unwinders start there.
  kInterrupts,
};

enum class StopReason : std::uint8_t {
  kReturned,        // reached the exit address
  kBudget,          // ran out of instructions
  kTailCallBound,   // took more tail calls than any program may
  kFault,           // access to unmapped memory, or execution outside the image
  kInvalidInsn,     // undefined instruction or trap
  kLostThrow,       // bpf_throw found no boundary
  kWildJump,        // control arrived somewhere that is no entry, return site or stub
  kEmulatorFailed,  // the emulator refused or aborted
};

[[nodiscard]] std::string_view stop_reason_name(StopReason reason);

// One BPF function running: entered by the kernel, by a call, by a callback or by a tail call. Its
// ordinal is its index in MachineRun::activations and counts exactly as in Execution.
struct Activation {
  int program = 0;
  int function = 0;
  std::int32_t caller = -1;    // activation that called it; -1: the kernel; a tail call's target
                               // inherits the caller of the activation that it replaces
  std::int32_t replaced = -1;  // activation that tail-called it, or whose frame it took over as
                               // an exception callback; or -1
  // Stack pointer on arrival: points at the return address (x86) for a call; for a tail call, at
  // the landing point. A thunk that enters a program may have pushed what it likes and then jumps:
  // there it is what it is.
  std::uint64_t entry_sp = 0;
  // Where it has to return: of the first one, into the thunk that called it, or to the exit.
  std::uint64_t return_address = 0;
  std::uint64_t r10 = 0;  // BPF frame pointer; 0: not known, as until the first event in its body
  std::int32_t entered_by = -1;  // event: call, callback or tail call; -1: the kernel's call
  // The helper call that called it back, or called back the function that it replaces; -1: no
  // callback.
  std::int32_t helper_event = -1;

  bool operator==(const Activation&) const = default;
};

// One step of the walk along the frame pointers (core/unwind), up to the end mark or to what is no
// record: that one has the address where it should lie, and 0 for what is stored in it.
struct FrameRecord {
  std::uint64_t frame_pointer = 0;   // the record lies there; on riscv64 in the 16 bytes below
  std::uint64_t saved = 0;           // the frame pointer stored in it
  std::uint64_t return_address = 0;  // the return address stored in it

  bool operator==(const FrameRecord&) const = default;
};

inline constexpr int kMaxNativeRegisters = 32;
// Native registers by hardware number.
using RegisterFile = std::array<std::uint64_t, kMaxNativeRegisters>;

// What the machine saw, without interpretation. Kinds and order are those of the oracle's Event.
// What thunks do is no event. A call through one is the call in the function that led there: place,
// pc, sp and frame pointer are those of that call, the other registers those that its callee gets.
struct MachineEvent {
  EventKind kind = EventKind::kCall;
  std::uint32_t activation = 0;  // as in Event
  Place at;
  std::int32_t target = 0;   // as in Event
  std::uint64_t pc = 0;      // calls, helper calls, callbacks: return address of the call; their
                             // kReturn: the same
  std::uint64_t sp = 0;      // just before the call instruction pushed anything; kReturn, refused
                             // tail calls and exits: current; taken tail calls: at the landing
  RegisterFile registers{};  // at the event; those of a call are the caller's
  // kReturn. Where the caller saves R6 ... R9 or moves R10 (Contract), sp and registers are those
  // where its next BPF instruction begins; behind a thunk, where control is back in the caller.
  // False: that was not seen before the next event or the end, and they are of an earlier moment.
  bool settled = true;
  std::uint64_t returned_sp = 0;  // kReturn: as soon as control was back in the caller; 0: never
  std::int32_t entered = -1;  // kCall, kCallback, kTailCallTaken, kThrow: the activation that it
                              // begins; kReturn: the one that ends
  std::int32_t call = -1;     // kReturn: index of the event that began the call; kCallback: of the
                              // helper call that calls back
  std::int32_t shadow = 0;  // innermost call in progress, in MachineRun::shadow: that of calls and
                            // helper calls does not count yet, that of returns no longer
  std::uint32_t chain_begin =
      0;                         // range in MachineRun::frames: the walk from the frame pointer, at
  std::uint32_t chain_size = 0;  // calls, helper calls and callbacks; 0: no frame pointer known
};

inline constexpr std::uint64_t kPoisonFramePointer =
    0;  // heads the chain at entry: end of the walk

enum class AccessKind : std::uint8_t { kWrite, kRead };

// A store to the stack (kFast) or any access to it (kFull), in order.
struct StackAccess {
  std::uint64_t pc = 0;  // 0 for a store that a helper made
  std::uint64_t address = 0;
  std::uint64_t sp = 0;     // before the instruction
  std::uint64_t value = 0;  // kWrite: what is stored, the first 8 bytes of it, zero-extended
  std::uint32_t activation = 0;
  std::int32_t event = -1;  // the last one before it: index in MachineRun::events; -1: none yet
  std::uint8_t size = 0;
  AccessKind kind = AccessKind::kWrite;
  // The instruction moves the stack pointer below what it stores: a push, a call, an arm64 stp
  // with [sp, #-16]!.
  bool is_push = false;
  std::int32_t step = -1;  // kFull: the instruction, or a helper's call: index in MachineRun::steps
};

// An indirect jump or call of a function, in an image whose landing rule demands a pad.
struct Landing {
  std::uint64_t pc = 0;     // where the pad has to stand
  std::uint32_t word = 0;   // the four bytes that stand there, little-endian
  std::int32_t event = -1;  // that it belongs to; -1: the entry of the invocation
  bool is_call = false;     // lands as a call does; on arm64 so do jumps through x16 and x17
};

// Bytes of one function, as they were when the invocation began.
struct FunctionCode {
  std::uint64_t begin = 0;  // the function's address, less CfiRule::hash_below
  std::vector<std::uint8_t> bytes;
};

// A return instruction of a function that ran, in an image whose return addresses are signed.
struct ReturnSite {
  std::uint64_t end = 0;         // address behind it
  std::int32_t event = -1;       // kReturn, or kExit
  std::uint32_t activation = 0;  // that returned
};

// A store to the stack by the code of a helper that calls back (machine/c_routine.h): its frame.
struct HelperStore {
  std::uint64_t address = 0;
  std::uint64_t value = 0;  // the first 8 bytes, zero-extended
  std::uint8_t size = 0;
  std::int32_t step = -1;  // index in MachineRun::steps
};

// A call in progress, as the machine keeps it beside the stack: of a function, of a helper, of a
// callback by a helper. The calls of a run form a tree: parent leads outwards, to the kernel's
// call. A tail call begins no frame: its target returns where the function that it replaces would
// have. So the return addresses from a frame outwards are those that a walk along the stack must
// find. Calls that thunks make, of a program's main function too, and calls of thunks that have not
// led to an event are in progress like others, and have none.
struct ShadowFrame {
  std::uint64_t return_address = 0;  // without the alias (core/image.h)
  std::uint64_t sp = 0;              // on arrival in the callee
  std::int32_t parent = -1;          // index in MachineRun::shadow, lower; -1: the kernel's call
  std::uint32_t activation = 0;      // that was entered; helpers: the caller's
  std::int32_t event = -1;  // kCall, kCallback, kHelperCall; -1: the kernel's call, thunks' calls
  // Of a call in which a thunk called on: false where it kept no frame record of its own then, so
  // that a walk along the frame pointers finds nothing of this call.
  bool keeps_record = true;

  bool operator==(const ShadowFrame&) const = default;
};

// Before one native instruction; only at kFull.
struct MachineStep {
  std::uint64_t pc = 0;
  std::uint64_t sp = 0;
  std::uint64_t fp = 0;  // the register that heads the chain of frame records; where nobody says
                         // which, the platform's frame pointer
  std::uint64_t lr = 0;  // the register of the return address; 0 where there is none
  std::int32_t shadow = -1;  // innermost call in progress: index in MachineRun::shadow
  std::uint32_t activation = 0;
  std::int32_t event = -1;  // the last one before it: index in MachineRun::events; -1: none yet

  bool operator==(const MachineStep&) const = default;
};

// What the walk of bpf_throw came to, by the rules of kernel/bpf/helpers.c and the platform's
// unwinder, and handed to the exception callback.
struct ThrowWalk {
  int program = -1;      // whose main function it found; -1: none
  int frames = 0;        // BPF frames that it passed, that one among them
  std::uint64_t sp = 0;  // of that frame, just before the call that the walk came out of; 0 where
                         // unwinders have none (arm64)
  std::uint64_t fp = 0;  // the frame pointer there

  bool operator==(const ThrowWalk&) const = default;
};

// One throw.
struct MachineThrow {
  ThrowWalk walk;
  std::int32_t event = -1;        // kThrow
  std::int32_t boundary = -1;     // activation whose frame the throw has to end at, by the calls in
                                  // progress: the next one of a main function
  std::uint64_t boundary_sp = 0;  // of it, just before its call that the throw came out of
};

struct MachineRun {
  StopReason stop = StopReason::kReturned;
  std::string detail;  // one line for people; no host address
  std::uint64_t fault_pc = 0;
  std::uint64_t fault_address = 0;

  std::uint64_t result = 0;  // native result register at the exit
  RegisterFile entry_registers{};
  RegisterFile exit_registers{};
  std::uint64_t entry_sp = 0;  // on arrival at Image::entry: points at the return address (x86)
  std::uint64_t exit_sp = 0;
  std::vector<std::uint8_t> context;
  std::vector<std::vector<std::uint8_t>> regions;
  bool object_padding_intact = true;  // bytes before and behind context and regions on their pages

  std::vector<MachineEvent> events;
  std::vector<Activation> activations;
  std::vector<FrameRecord> frames;
  std::vector<StackAccess> accesses;
  std::vector<Landing> landings;
  std::vector<FunctionCode> code;  // as Image::functions; empty where CodeRule wants none
  std::vector<ReturnSite> returns;
  std::vector<ShadowFrame> shadow;         // every call of the run; [0] is the kernel's
  std::vector<MachineStep> steps;          // kFull: one per instruction
  std::vector<HelperStore> helper_stores;  // kFull
  std::vector<MachineThrow> throws;        // in order
  // Stack of the entry's caller, from the entry's stack pointer upwards, the return address on x86
  // included: lowest address whose byte is another one at the end, or 0.
  std::uint64_t caller_stack_changed = 0;
  std::uint32_t tail_calls = 0;  // taken
  // False: in this image a tail call of a program to itself may look like a branch inside it, so
  // that events may be missing, and activations too.
  bool tail_calls_seen = true;
  std::uint64_t lowest_sp = 0;     // lowest stack address that was written
  std::uint64_t instructions = 0;  // exact at kFull, else blocks

  // kInterrupts: how many came, and what unwinders can be told of the code; null at less depth.
  std::uint64_t interrupts = 0;
  std::shared_ptr<const unwind::CodeKnowledge> knowledge;
};

}  // namespace plumb
