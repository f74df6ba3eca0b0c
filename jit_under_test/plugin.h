/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The C ABI between Plumbline and a JIT under test.
 *
 * A plugin is a shared object, loaded with dlopen(RTLD_NOW | RTLD_LOCAL), that exports one
 * function, plumb_plugin_entry(). It receives BPF programs as the verifier would have accepted
 * them, compiles them into an arena that the host has mapped, and describes the native code that
 * came out.
 *
 * Guest addresses are host addresses: the emulator maps the arena at the address it has in this
 * process. The arena lies below 2 GiB, so a sign-extended 32-bit displacement reaches all of it.
 *
 *   arena_base                                      arena_base + stub_size               arena end
 *   | host: helper stubs, 16 bytes per helper number | plugin: code, arrays, program objects |
 *
 * On x86-64 the first PLUMB_PER_CPU_SIZE bytes behind the GS base are memory for per-CPU data, all
 * zero when an invocation starts.
 *
 * Extending: every struct that crosses the boundary starts with its size; fields are only added at
 * the end. A reader uses a field only when struct_size covers it. A null function pointer means
 * "this plugin cannot do that".
 *
 * Threads: one thread at a time per plugin.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PLUMB_PLUGIN_ABI 1
#define PLUMB_PLUGIN_ENTRY "plumb_plugin_entry"

/* Bytes between two helper stubs; helper number n lives at arena_base + n * PLUMB_STUB_STRIDE. */
#define PLUMB_STUB_STRIDE 16
#define PLUMB_STUB_COUNT 4096
#define PLUMB_STUB_SIZE ((uint64_t)PLUMB_STUB_STRIDE * PLUMB_STUB_COUNT)

#define PLUMB_PER_CPU_SIZE 4096

enum plumb_arch { PLUMB_ARCH_X86_64 = 1, PLUMB_ARCH_ARM64 = 2, PLUMB_ARCH_RISCV64 = 3 };

/* What a case may need and a JIT may lack. A case that needs more is "not applicable". */
enum plumb_capability {
  PLUMB_CAN_CALL_SUBPROGRAMS = 1u << 0,
  PLUMB_CAN_TAIL_CALL = 1u << 1,
  PLUMB_CAN_TAIL_CALL_IN_SUBPROGRAM = 1u << 2, /* in a program that also has bpf-to-bpf calls */
  PLUMB_CAN_CALL_BACK = 1u << 3,               /* a helper calls a BPF function (bpf_loop) */
  PLUMB_CAN_ATOMICS = 1u << 4,                 /* all but plain add: fetch, xchg, and/or/xor ... */
  PLUMB_CAN_V4 = 1u << 5,                      /* sdiv, smod, movsx, ldsx, bswap, gotol */
  PLUMB_CAN_THROW = 1u << 6,                   /* bpf_throw and exception callbacks */
  PLUMB_CAN_TRAMPOLINE = 1u << 7,              /* fentry, fexit, modify-return */
  PLUMB_CAN_POKE = 1u << 8,                    /* update_slot yields the ordered text pokes */
  PLUMB_CAN_TAKE_UNVERIFIED = 1u << 9,         /* PLUMB_FUNCTION_AS_IT_STANDS */
  PLUMB_CAN_JUMP_BACK = 1u << 10,              /* jumps whose target is not behind them */
  PLUMB_CAN_ATOMIC_ADD = 1u << 11,             /* atomic add without fetch, 32 and 64 bits */
  PLUMB_CAN_LEGACY_PACKET_ACCESS = 1u << 12,   /* LD_ABS, LD_IND; no generated case has them */
  PLUMB_CAN_JUMP32 = 1u << 13,                 /* class JMP32: conditions on 32 bits, gotol */
  PLUMB_CAN_DIVMUL = 1u << 14,                 /* groups divmul32 and divmul64 of RFC 9669 */
  PLUMB_CAN_ARSH32 = 1u << 15,                 /* arithmetic shift right of 32 bits */
  /* What the verifier in front of the JIT lets through. Generated cases stay inside; to others
   * load() answers PLUMB_NOT_APPLICABLE. */
  PLUMB_CAN_REACH_BELOW = 1u << 16,     /* accesses below an address constant inside a region */
  PLUMB_CAN_MIX_STACK_SIZES = 1u << 17, /* stack read wider than the last store in its 8 bytes */
  PLUMB_CAN_INDEX_STACK = 1u << 18,     /* stack accessed at an offset that is computed */
  /* What most JITs take, and what every plugin of ABI 1 is taken to mean. */
  PLUMB_CAN_TAKE_BASE = PLUMB_CAN_JUMP_BACK | PLUMB_CAN_ATOMIC_ADD | PLUMB_CAN_JUMP32 |
                        PLUMB_CAN_DIVMUL | PLUMB_CAN_ARSH32 | PLUMB_CAN_REACH_BELOW |
                        PLUMB_CAN_MIX_STACK_SIZES | PLUMB_CAN_INDEX_STACK
};

/* Legitimate differences between JITs; the meaning of each field is in core/contract.h. */
struct plumb_contract {
  uint32_t struct_size;
  uint8_t empty_slot_consumes_count;
  uint8_t call_alignment; /* bytes: the stack pointer's alignment just before a call instruction */
  uint8_t result_bits;    /* 32 or 64: how much of the main program's R0 is the result */
  uint8_t frame_rounding; /* bytes: the BPF stack of a frame is rounded up to a multiple of this */
  uint8_t bpf_register[11]; /* native register (hardware number) that holds R0 ... R10 */
  uint8_t frame_pointer;    /* native register (hardware number) that heads the chain of frames */
  int32_t r10_bias;         /* R10 = value of bpf_register[10] + r10_bias */
  /* With empty_slot_consumes_count: a program that also calls helpers keeps the count in a saved
   * register, and there a refused attempt does not consume any (Linux on riscv64). */
  uint8_t calls_keep_count;
  uint8_t landing_pad; /* enum plumb_landing_pad */
  uint8_t
      call_preamble; /* bytes: indirect calls arrive that much in front of a function's address */
  /* Or of enum plumb_verifier_rule. 0: not known, so the JIT only gets what all verifiers let
   * through. */
  uint8_t verifier_rules;
};

/* What the verifier in front of the JIT lets through, where versions of Linux differ. */
enum plumb_verifier_rule {
  /* In the depth of a call chain a frame counts as a multiple of 16 bytes (else of 32). */
  PLUMB_VERIFIER_ROUNDS_TO_16 = 1u << 0,
  PLUMB_VERIFIER_TAIL_CALL_IN_CALLBACK = 1u << 1
};

/* The instruction that an indirect jump or call has to land on. */
enum plumb_landing_pad {
  PLUMB_LANDING_PAD_NONE = 0, /* any */
  PLUMB_LANDING_PAD_ENDBR64 = 1,
  PLUMB_LANDING_PAD_BTI = 2 /* bti j for jumps, bti c for calls, bti jc for both */
};

struct plumb_plugin_info {
  uint32_t struct_size;
  uint32_t arch;         /* enum plumb_arch */
  const char* name;      /* "linux-6.12-x86_64" */
  const char* family;    /* "linux": what signatures are grouped by */
  const char* version;   /* "6.12.117" */
  const char* origin;    /* where the JIT's source came from, for people; no machine path */
  uint64_t capabilities; /* or of enum plumb_capability */
  uint64_t arena_base;   /* where the plugin wants its arena: page-aligned, below 2 GiB */
  uint64_t arena_size;   /* bytes */
  struct plumb_contract contract;
};

/* One instruction slot as RFC 9669 section 3.1 encodes it, little-endian. */
struct plumb_insn {
  uint8_t opcode;
  uint8_t registers; /* destination in the low nibble, source in the high one */
  int16_t offset;
  int32_t immediate;
};

/*
 * Symbolic references inside instructions, by index into the request's tables:
 *   call, src 0                     immediate = helper number; 12 is bpf_tail_call
 *   call, src 1 (BPF_PSEUDO_CALL)   immediate = function of the same program
 *   lddw, src 1 (BPF_PSEUDO_MAP_FD) immediate = prog array
 *   lddw, src 2 (.._MAP_VALUE)      immediate = region, next slot's immediate = offset in it
 *   lddw, src 4 (.._FUNC)           immediate = function of the same program
 */
enum plumb_function_flags {
  PLUMB_FUNCTION_CALLBACK = 1u << 0,           /* its address is taken */
  PLUMB_FUNCTION_EXCEPTION_CALLBACK = 1u << 1, /* runs when the program throws */
  /* No verifier has seen it: the JIT gets the instructions as they stand, as in lib/test_bpf.c of
   * the kernel. The last one may be any, arithmetic has no reserved fields, and moves with
   * immediate 1 are zero extensions. */
  PLUMB_FUNCTION_AS_IT_STANDS = 1u << 2,
  PLUMB_FUNCTION_ZERO_EXTENDED = 1u << 3 /* and zero extensions are there where they have to be */
};

struct plumb_function {
  uint32_t struct_size;
  uint32_t flags;
  const char* name;
  const struct plumb_insn* insns;
  uint32_t insn_count;  /* slots */
  uint32_t stack_depth; /* bytes below R10, not rounded: what the verifier would have computed */
};

struct plumb_program {
  uint32_t struct_size;
  uint32_t function_count; /* function 0 is the main function */
  const char* name;
  const struct plumb_function* functions;
};

struct plumb_prog_array {
  uint32_t struct_size;
  uint32_t slot_count;
  const int32_t* slots; /* index of a program, or -1 for an empty slot */
};

struct plumb_load_request {
  uint32_t struct_size;
  uint32_t program_count;
  const struct plumb_program* programs;
  uint32_t array_count;
  uint32_t region_count;
  const struct plumb_prog_array* arrays;
  const uint64_t* region_addresses; /* guest address of each map value */
};

struct plumb_native_function {
  uint32_t struct_size;
  uint32_t program;
  uint32_t function;
  uint32_t size;            /* bytes of native code from address on */
  uint64_t address;         /* where a bpf-to-bpf call or the kernel enters it */
  uint32_t tail_call_entry; /* offset from address where a tail call lands; UINT32_MAX: never */
  uint32_t stack_size;      /* bytes of BPF stack in the frame, as the JIT rounds them */
  uint32_t tail_call_reachable;
  uint32_t insn_offset_count; /* insn_count + 1 */
  /* Native offset where the code of each BPF slot begins; the last one is where the body ends. For
   * the second slot of lddw: the offset of the next instruction. */
  const uint32_t* insn_offsets;
};

enum plumb_symbol_kind { PLUMB_SYMBOL_THUNK = 1, PLUMB_SYMBOL_DATA = 2 };

/* Native code goes through a thunk on its way to where it jumps, calls or returns to. */
struct plumb_symbol {
  uint32_t struct_size; /* all symbols of an image have the same */
  uint32_t kind;
  const char* name;
  uint64_t address;
  uint64_t size; /* bytes; 0: not known */
};

struct plumb_range {
  uint64_t address;
  uint64_t size;
};

/* One write that the JIT makes to running code when a prog-array slot changes, in order. The write
 * of the slot's own pointer, 8 bytes inside the array's object, comes before those to code. */
struct plumb_patch_step {
  uint32_t struct_size;
  uint32_t size; /* bytes, at most 16; 0: no write, a grace period is awaited here */
  uint64_t address;
  uint8_t expected[16];
  uint8_t replacement[16];
};

/* All pointers stay valid until unload() of the same image. */
struct plumb_image {
  uint32_t struct_size;
  uint32_t function_count;
  const struct plumb_native_function* functions;
  uint32_t code_range_count; /* every range that load() wrote code to */
  uint32_t array_count;
  const struct plumb_range* code_ranges;
  const struct plumb_range* array_objects; /* guest object behind each prog array */
  uint32_t symbol_count;
  uint32_t reserved;
  const struct plumb_symbol* symbols;
  void* handle; /* the plugin's own */
};

enum plumb_status {
  PLUMB_LOADED = 0,
  PLUMB_NOT_APPLICABLE = 1, /* the JIT announces that it does not support this */
  PLUMB_REFUSED = 2,        /* the JIT should have taken it and did not */
  PLUMB_BROKEN = 3          /* the plugin itself failed */
};

struct plumb_plugin {
  uint32_t struct_size;
  uint32_t abi; /* PLUMB_PLUGIN_ABI */
  const struct plumb_plugin_info* info;

  /* Called once, before anything else, with the arena mapped readable and writable. 0 or -1. */
  int (*open)(uint64_t arena_base, uint64_t arena_size, char* error, size_t error_size);

  /* enum plumb_status. On anything but PLUMB_LOADED, error holds one line. */
  int (*load)(const struct plumb_load_request* request, struct plumb_image* image, char* error,
              size_t error_size);
  void (*unload)(struct plumb_image* image);

  /* May be null. Puts program (or -1) into the slot and returns the pokes that the JIT made, up to
   * capacity of them, without applying them when apply is 0. The count, or -1 with error set. */
  int (*update_slot)(struct plumb_image* image, uint32_t array, uint32_t slot, int32_t program,
                     int apply, struct plumb_patch_step* steps, uint32_t capacity, char* error,
                     size_t error_size);
};

const struct plumb_plugin* plumb_plugin_entry(void);

#ifdef __cplusplus
}
#endif
