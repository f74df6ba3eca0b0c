/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The C ABI between Plumbline and a JIT under test, version 2. C99 and C++, no dependencies: this
 * file is all that a plugin needs. docs/adding-a-jit.md says how to go about it, docs/example-jit
 * is a whole plugin.
 *
 * A plugin is a shared object, loaded with dlopen(RTLD_NOW | RTLD_LOCAL), that exports one
 * function, plumb_plugin_entry(). It receives BPF programs as the verifier would have accepted
 * them, compiles them into an arena that the host has mapped, and describes the native code that
 * came out. The host runs that code in an emulator: the plugin never does.
 *
 * Guest addresses are host addresses: the emulator maps the arena at the address it has in this
 * process. The arena lies below 2 GiB, so a sign-extended 32-bit displacement reaches all of it.
 *
 *   arena_base                                      arena_base + stub_size               arena end
 *   | host: helper stubs, 16 bytes per helper number | plugin: code, arrays, program objects |
 *
 * How native code is entered and what it may rely on
 *   Entry       By a call, as the platform's C ABI says (x86-64 System V, AAPCS64, RISC-V LP64D):
 *               the context's address in the first argument register (or where the contract's
 *               entry_context says); the return address where the ABI has it; the stack pointer
 *               aligned as the ABI says. Every other register holds poison. The result is due in
 *               the ABI's result register, the ABI's callee-saved registers as they were. The
 *               direction flag is clear.
 *   Helpers     The stub of helper n (arena_base + n * PLUMB_STUB_STRIDE) is a C function: its
 *               arguments R1 ... R5 in the ABI's argument registers, its result in the ABI's result
 *               register (or where helper_argument, helper_result of the contract say). It
 *               scrambles everything that the ABI lets a function scramble: all caller-saved
 *               registers, flags, the memory below the stack pointer. Helper 12 is bpf_tail_call:
 *               it has no stub, the JIT makes the tail call.
 *   Per CPU     On x86-64 the first PLUMB_PER_CPU_SIZE bytes behind the GS base are memory for
 *               per-CPU data, all zero when an invocation starts.
 *   Memory      Native code may read and write the context, the regions, its stack and what the
 *               plugin put into the arena behind the stubs; nothing else is mapped.
 *
 * Growing without breaking
 *   Sizes       A struct starts with struct_size: how many bytes of it its writer filled. Fields
 *               are only added at the end. A reader takes what struct_size covers; what it does not
 *               cover reads as 0, which therefore means "unknown" or "none" in every field that was
 *               added. Longer structs are fine: what the reader does not know it leaves alone.
 *   Arrays      An array of structs is a count, a stride and a pointer. The stride is the number of
 *               bytes from one element to the next, sizeof of the element in its writer's header:
 *               take elements with PLUMB_AT(), never with []. A count of 0 needs no stride and no
 *               pointer. Arrays of numbers (region_addresses, slots, insn_offsets) and of struct
 *               plumb_insn, which RFC 9669 fixes, have no stride.
 *   Writing     Where the plugin fills a struct of the host (plumb_image, plumb_claims,
 *               plumb_patch_list), its struct_size says on entry how much room there is: write no
 *               more than min(struct_size, sizeof), and set struct_size to that. PLUMB_BEGIN() does
 *               so.
 *   Reading     Use a field of the host's only where PLUMB_HAS() is true, if it is marked
 *               "since 2.x"; all others are there in every host of ABI 2.
 *   Functions   A null function pointer, or one that struct_size of the table does not cover, means
 *               "this plugin cannot do that".
 *   Values      Of an enum beyond those listed here are refused, with the field, the value and the
 *               range; unknown bits of flags are ignored.
 *
 * Texts are UTF-8, at most 512 bytes, one line; whatever else is in them is shown escaped.
 * Threads: one thread at a time per plugin. Images: one at a time is loaded; unload() comes before
 * the next load().
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PLUMB_PLUGIN_ABI 2
#define PLUMB_PLUGIN_ENTRY "plumb_plugin_entry"

/* Does the object, which its writer may have filled in part, hold the field? */
#define PLUMB_HAS(type, object, field) \
  ((object)->struct_size >= offsetof(type, field) + sizeof((object)->field))
/* The i-th element of an array of the other side. */
#define PLUMB_AT(type, first, stride, i) \
  ((const type*)(const void*)((const char*)(first) + (size_t)(i) * (stride)))
/* Bytes that may be written of a struct of the host. */
#define PLUMB_BEGIN(type, object) \
  ((object)->struct_size < sizeof(type) ? (object)->struct_size : (uint32_t)sizeof(type))

/* Bytes between two helper stubs; helper number n lives at arena_base + n * PLUMB_STUB_STRIDE. */
#define PLUMB_STUB_STRIDE 16
#define PLUMB_STUB_COUNT 4096
#define PLUMB_STUB_SIZE ((uint64_t)PLUMB_STUB_STRIDE * PLUMB_STUB_COUNT)

/* bpf_throw: a C function as any helper, with the cookie as its argument, that never returns. It
 * walks the stack to the next main function, and calls the exception callback of that program: with
 * the cookie, the stack pointer and the frame pointer that the walk gave for it. The frame pointer
 * register is that of bpf_throw's own frame then; all others, callee-saved ones too, hold anything.
 */
#define PLUMB_THROW_STUB 3071

#define PLUMB_PER_CPU_SIZE 4096

enum plumb_arch { PLUMB_ARCH_X86_64 = 1, PLUMB_ARCH_ARM64 = 2, PLUMB_ARCH_RISCV64 = 3 };

/* What a case may need and a JIT may lack: say what the JIT really has. A case that needs more is
 * "not applicable". Numbers up to 19 are what cases need. */
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
                        PLUMB_CAN_MIX_STACK_SIZES | PLUMB_CAN_INDEX_STACK,

  /* What the plugin gives or needs beyond load(), for the functions at the end of struct
   * plumb_plugin. Of these the host calls claims(); all bits but its own are reserved, and are not
   * looked at yet. */
  PLUMB_GIVES_UNWIND_ROWS = 1u << 20,        /* claims() is there, and is to be called */
  PLUMB_GIVES_EXTABLE = 1u << 21,            /* claims() has an extable */
  PLUMB_GIVES_PATCH_KINDS = 1u << 22,        /* update_slot() sets the kind of every step */
  PLUMB_NEEDS_EXCEPTION_CALLBACK = 1u << 23, /* programs that throw have to bring a callback */
  PLUMB_NEEDS_TRAMPOLINE_STUBS = 1u << 24    /* trampolines call the host's enter and exit */
};

/* ---- The contract: legitimate differences between JITs, and what only the JIT knows ---- */

/* 0 is "unknown" in every field of the contract. What needs an unknown field is then not
 * applicable: never held, and never a finding. */
enum plumb_answer { PLUMB_UNKNOWN = 0, PLUMB_NO = 1, PLUMB_YES = 2 };
enum plumb_side {
  PLUMB_SIDE_UNKNOWN = 0,
  PLUMB_CALLEE = 1, /* the function that is called, in its prologue and epilogue */
  PLUMB_CALLER = 2  /* the function that calls, around the call instruction */
};
/* Where the stack pointer stands just before the calls that one activation makes. */
enum plumb_sp_at_calls {
  PLUMB_SP_UNKNOWN = 0,
  PLUMB_SP_CONSTANT = 1, /* at the same place at all of them */
  PLUMB_SP_BY_KIND = 2,  /* one place for calls of BPF functions, one for calls of helpers */
  PLUMB_SP_VARIES = 3
};
enum plumb_bpf_stack {
  PLUMB_STACK_UNKNOWN = 0,
  PLUMB_STACK_IN_FRAME = 1, /* the memory below R10 lies in the function's native frame */
  PLUMB_STACK_ELSEWHERE = 2 /* not on the native stack */
};
enum plumb_division {
  PLUMB_DIVISION_UNKNOWN = 0,
  PLUMB_DIVISION_RFC = 1,         /* by zero: quotient 0, remainder unchanged (RFC 9669, 4.1) */
  PLUMB_DIVISION_ENDS_PROGRAM = 2 /* by zero: the program ends, R0 is 0 */
};
/* The instruction that an indirect jump or call has to land on. */
enum plumb_landing_pad {
  PLUMB_LANDING_PAD_UNKNOWN = 0,
  PLUMB_LANDING_PAD_NONE = 1, /* any */
  PLUMB_LANDING_PAD_ENDBR64 = 2,
  PLUMB_LANDING_PAD_BTI = 3 /* bti j for jumps, bti c for calls, bti jc for both */
};
/* What the verifier in front of the JIT lets through, where versions of Linux differ. */
enum plumb_verifier_rule {
  /* In the depth of a call chain a frame counts as a multiple of 16 bytes (else of 32). */
  PLUMB_VERIFIER_ROUNDS_TO_16 = 1u << 0,
  PLUMB_VERIFIER_TAIL_CALL_IN_CALLBACK = 1u << 1
};

/* A register by hardware number (x86-64: rax 0, rcx 1, rdx 2, rbx 3, rsp 4, rbp 5, rsi 6, rdi 7, r8
 * ... r15; arm64: x0 ... x30, 31 is sp; riscv64: x0 ... x31). 0: unknown. */
#define PLUMB_REGISTER(number) ((uint8_t)((number) + 1))
/* There is none: R7 lives in memory, there is no chain of frames. */
#define PLUMB_NO_REGISTER ((uint8_t)255)

struct plumb_contract {
  uint32_t struct_size;

  /* ---- registers: PLUMB_REGISTER(n) or PLUMB_NO_REGISTER ---- */
  uint8_t bpf_register[11]; /* holds R0 ... R10 in the bodies of functions */
  uint8_t frame_pointer;    /* heads the chain of frame records; PLUMB_NO_REGISTER: no chain */
  int32_t r10_bias;         /* R10 = value of bpf_register[10] + r10_bias */
  uint8_t r10_bias_known;   /* PLUMB_YES: r10_bias holds. Else it is not looked at */

  /* ---- who does what at a bpf-to-bpf call: enum plumb_side ---- */
  /* Who makes R10 the callee's. PLUMB_CALLER: it is the callee's when the call is made, and the
   * caller's again where the caller's next BPF instruction begins. */
  uint8_t r10_moved_by;
  uint8_t r10_only_where_used; /* enum plumb_answer: functions without BPF stack may leave the
                                  register of R10 alone */
  uint8_t r6_r9_saved_by; /* PLUMB_CALLER: due where the caller's next BPF instruction begins */

  /* ---- at the borders: PLUMB_REGISTER(n); 0: as the platform's C ABI has them ---- */
  uint8_t helper_argument[5]; /* R1 ... R5 when a stub is called */
  uint8_t helper_result;
  uint8_t entry_context;      /* the context's address at the program's entry */
  uint8_t entry_context_size; /* bytes of context; 0: not passed */
  uint8_t entry_stack;        /* lowest address of memory for the BPF stack; 0: not passed */
  uint8_t entry_stack_size;   /* bytes of that; 0: not passed */

  /* ---- stack and result ---- */
  /* Bytes that the stack pointer is a multiple of just before a call instruction: a power of two
   * from the platform's floor (x86-64 8, arm64 and riscv64 16) to 64. */
  uint8_t call_alignment;
  uint8_t sp_at_calls;    /* enum plumb_sp_at_calls */
  uint8_t result_bits;    /* 32 or 64: how much of the main program's R0 is the result */
  uint8_t bpf_stack;      /* enum plumb_bpf_stack */
  uint8_t frame_rounding; /* bytes, a power of two up to 128: the BPF stack of a frame is rounded up
                             to a multiple of it. Unknown: programs use what they declared */

  /* ---- what instructions do ---- */
  uint8_t division_by_zero;          /* enum plumb_division; also of remainders */
  uint8_t empty_slot_consumes_count; /* enum plumb_answer: does an attempt to tail-call an empty
                                        slot count towards the limit of 33? */
  /* enum plumb_answer. With empty_slot_consumes_count: a program that also calls helpers keeps the
   * count in a saved register, and there a refused attempt consumes none (Linux on riscv64). */
  uint8_t calls_keep_count;

  /* ---- control flow ---- */
  uint8_t landing_pad;   /* enum plumb_landing_pad */
  uint8_t call_preamble; /* bytes: indirect calls arrive that much in front of an address */

  /* Or of enum plumb_verifier_rule. 0: the JIT only gets what all verifiers let through. */
  uint8_t verifier_rules;
  uint8_t reserved[3]; /* 0 */

  /* enum plumb_answer: does every frame keep, in a word of its own, how many tail calls are left?
   * Its prologue stores what it was handed, a tail call one less, and the code of a bpf-to-bpf
   * call, when the callee is back, what that hands back (Linux on riscv64 since 7.3). */
  uint8_t count_in_frames;

  /* ---- what a hardened kernel asks of code ---- */
  /* enum plumb_answer: no 32-bit constant of the program (operands of arithmetic, of jumps and of
   * stores; either half of an lddw of a number) stands in the code of its instruction as it is, but
   * is put together at run time from two that are random (Linux: bpf_jit_harden). */
  uint8_t constants_blinded;
  /* enum plumb_answer, arm64: every function signs the return address that it was called with
   * (PACIASP, PACIBSP), and authenticates it before it returns (AUTIASP, AUTIBSP, RETAA, RETAB). */
  uint8_t return_addresses_signed;
  /* enum plumb_answer: in front of every function that is called indirectly stands a hash of its
   * type, four bytes, little-endian, cfi_hash_below bytes below its address (kCFI, FineIBT). */
  uint8_t cfi_hashes;
  uint8_t cfi_hash_below;
  uint32_t cfi_hash_of_program;  /* of main functions */
  uint32_t cfi_hash_of_callback; /* of functions that helpers call back */
};

/* ---- What the plugin says about itself ---- */

struct plumb_plugin_info {
  uint32_t struct_size;
  uint32_t arch; /* enum plumb_arch */
  /* "linux-6.12-x86_64", and "linux": what findings are grouped by. Both end up in file names:
   * letters, digits and ._:+- only, at most 64. */
  const char* name;
  const char* family;
  const char* version;   /* "6.12.117" */
  const char* origin;    /* where the JIT's source came from, for people; no machine path */
  uint64_t capabilities; /* or of enum plumb_capability. open() may still take some away */
  uint64_t arena_base;   /* where the plugin wants its arena: page-aligned, below 2 GiB */
  uint64_t arena_size;   /* bytes, more than PLUMB_STUB_SIZE; 16 to 64 MiB is usual */
  const struct plumb_contract* contract; /* null: nothing is known */
};

/* ---- A request: the programs to compile ---- */

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
 *   call, src 2 (.._KFUNC_CALL)     immediate = 0: bpf_throw, whose code is at PLUMB_THROW_STUB
 *   lddw, src 1 (BPF_PSEUDO_MAP_FD) immediate = prog array
 *   lddw, src 2 (.._MAP_VALUE)      immediate = region, next slot's immediate = offset in it
 *   lddw, src 4 (.._FUNC)           immediate = function of the same program
 */
enum plumb_function_flags {
  PLUMB_FUNCTION_CALLBACK = 1u << 0, /* its address is taken */
  /* Runs when the program throws. A program has at most one; one that throws has one. Nothing
   * else calls it. */
  PLUMB_FUNCTION_EXCEPTION_CALLBACK = 1u << 1,
  /* No verifier has seen it: the JIT gets the instructions as they stand, as in lib/test_bpf.c of
   * the kernel. The last one may be any, arithmetic has no reserved fields, and moves with
   * immediate 1 are zero extensions. */
  PLUMB_FUNCTION_AS_IT_STANDS = 1u << 2,
  PLUMB_FUNCTION_ZERO_EXTENDED = 1u << 3 /* and zero extensions are there where they have to be */
};

struct plumb_function {
  uint32_t struct_size;
  uint32_t flags; /* or of enum plumb_function_flags */
  const char* name;
  const struct plumb_insn* insns;
  uint32_t insn_count;  /* slots; at least 1 */
  uint32_t stack_depth; /* bytes below R10, not rounded: what the verifier would have computed */
};

struct plumb_program {
  uint32_t struct_size;
  uint32_t reserved;
  const char* name;
  /* Function 0 is the main function. All have to be compiled, also those that nothing calls. */
  uint32_t function_count;
  uint32_t function_stride;
  const struct plumb_function* functions;
};

struct plumb_prog_array {
  uint32_t struct_size;
  uint32_t slot_count;
  const int32_t* slots; /* index of a program, or -1 for an empty slot */
};

/* What a helper takes and returns, as Linux's verifier has it. */
enum plumb_helper_type {
  PLUMB_TYPE_NONE = 0,         /* not passed */
  PLUMB_TYPE_SCALAR = 1,       /* a number */
  PLUMB_TYPE_ANYTHING = 2,     /* a number or a pointer */
  PLUMB_TYPE_CONTEXT = 3,      /* the context */
  PLUMB_TYPE_PROG_ARRAY = 4,   /* a prog array */
  PLUMB_TYPE_READ_MEMORY = 5,  /* bytes that are read; the next argument says how many */
  PLUMB_TYPE_WRITE_MEMORY = 6, /* bytes that are written; the next argument says how many */
  PLUMB_TYPE_SIZE = 7,         /* bytes behind the argument before it: 0 ... 512 */
  PLUMB_TYPE_FUNCTION = 8      /* a function of the program, which is called back */
};

/* For JITs that want their helpers registered or their programs checked; others call the stub. */
struct plumb_helper {
  uint32_t struct_size;
  int32_t number;   /* as in call instructions */
  const char* name; /* "ktime_get_ns" */
  uint64_t stub;    /* guest address of the function; 0 for bpf_tail_call, which has none */
  uint8_t result;   /* enum plumb_helper_type */
  uint8_t argument[5];
  uint8_t reserved[2];
};

/* Valid until load() returns. */
struct plumb_load_request {
  uint32_t struct_size;
  uint32_t entry_program; /* where the invocation enters */
  uint32_t program_count;
  uint32_t program_stride;
  const struct plumb_program* programs;
  uint32_t array_count;
  uint32_t array_stride;
  const struct plumb_prog_array* arrays;
  uint32_t helper_count; /* every helper that programs may call */
  uint32_t helper_stride;
  const struct plumb_helper* helpers;
  uint32_t region_count;            /* map values: memory that programs name */
  uint32_t context_size;            /* bytes */
  const uint64_t* region_addresses; /* guest address of each */
  const uint64_t* region_sizes;     /* bytes of each */
};

/* ---- An image: what came out ----
 *
 * The host checks, and says which entry of which list is wrong and why (the plugin's failure, not a
 * finding against the JIT):
 *   every function of the request is there once; its code is not empty, lies in the arena behind
 *   the stubs and inside one of the code ranges; the code of two functions does not overlap;
 *   insn_offsets are insn_count + 1, do not decrease, and the last is at most the function's size;
 *   tail_call_entry is below size; stack_size is at most 64 KiB;
 *   ranges, array objects and symbols lie in the arena, thunks with a size behind the stubs, inside
 *   one of the code ranges and apart from functions; every symbol has a name;
 *   a program's entry lies in a function or a thunk, each program is there at most once;
 *   there is one array object per prog array, where the JIT announces tail calls.
 */

#define PLUMB_OFFSET_NEVER 0xffffffffu
#define PLUMB_OFFSET_UNKNOWN 0xfffffffeu
#define PLUMB_SIZE_UNKNOWN 0xffffffffu

struct plumb_native_function {
  uint32_t struct_size;
  uint32_t program;
  uint32_t function;
  uint32_t size;    /* bytes of native code from address on: nothing else may lie among them */
  uint64_t address; /* where a bpf-to-bpf call or the kernel enters it */
  /* Offset from address where a tail call lands; PLUMB_OFFSET_NEVER: none does;
   * PLUMB_OFFSET_UNKNOWN: some may, somewhere. */
  uint32_t tail_call_entry;
  /* Bytes of BPF stack that the frame has, as the JIT rounds them; 0: none;
   * PLUMB_SIZE_UNKNOWN. It is what lies below R10, not the whole native frame. */
  uint32_t stack_size;
  uint32_t tail_call_reachable; /* 1: it makes tail calls, or calls a function that does; else 0 */
  uint32_t insn_offset_count;   /* insn_count + 1 */
  /* Native offset where the code of each BPF slot begins; the last one is where the body ends. For
   * the second slot of lddw: the offset of the next instruction. Null: unknown. Then only what
   * needs none is judged; never invent them. */
  const uint32_t* insn_offsets;
  /* Offsets from address: while the program counter is in [fp_begin, fp_end), says the JIT to
   * unwinders, the frame pointer heads a whole chain of frame records (Linux on x86-64 since 7.2:
   * ksym.fp_start, fp_end). Both 0: it says nothing. They may lie outside the function or
   * contradict each other: what is said is held against what was seen. */
  uint32_t fp_begin;
  uint32_t fp_end;
};

/* Where a program is entered, when that is not its main function: code of the plugin's own that
 * calls or jumps to the main function, and is declared as a thunk. */
struct plumb_native_program {
  uint32_t struct_size;
  uint32_t program;
  uint64_t entry;
};

enum plumb_symbol_kind {
  /* Native code that belongs to no function: entry thunks, epilogues that functions share,
   * retpolines, thunks in front of helpers. Control may jump, call and return through it, helpers
   * and functions may be called from it. */
  PLUMB_SYMBOL_THUNK = 1,
  PLUMB_SYMBOL_DATA = 2
};

struct plumb_symbol {
  uint32_t struct_size;
  uint32_t kind; /* enum plumb_symbol_kind */
  const char* name;
  uint64_t address;
  uint64_t size; /* bytes; 0: not known */
};

struct plumb_range {
  uint64_t address;
  uint64_t size; /* bytes */
};

/* All that it points to stays valid until unload() of the same image. */
struct plumb_image {
  uint32_t struct_size;
  uint32_t reserved;
  void* handle;            /* the plugin's own */
  uint32_t function_count; /* in any order */
  uint32_t function_stride;
  const struct plumb_native_function* functions;
  /* Every range that load() wrote code to. Data may lie in it too, and what was there before. */
  uint32_t code_range_count;
  uint32_t code_range_stride;
  const struct plumb_range* code_ranges;
  uint32_t array_count; /* what a prog array is in a register: its address, and its bytes */
  uint32_t array_stride;
  const struct plumb_range* array_objects;
  uint32_t symbol_count;
  uint32_t symbol_stride;
  const struct plumb_symbol* symbols;
  uint32_t program_count; /* of those that have an entry of their own; mostly 0 */
  uint32_t program_stride;
  const struct plumb_native_program* programs;
};

enum plumb_status {
  PLUMB_LOADED = 0,
  PLUMB_NOT_APPLICABLE = 1, /* the JIT announces that it does not support this */
  PLUMB_REFUSED = 2,        /* the JIT should have taken it and did not: a finding against it */
  PLUMB_BROKEN = 3          /* the plugin itself failed: no finding, the run ends with status 3 */
};

/* ---- Slot updates ---- */

enum plumb_patch_kind {
  PLUMB_PATCH_UNKNOWN = 0,
  PLUMB_PATCH_SLOT = 1,        /* the slot's own pointer, 8 bytes inside the array's object */
  PLUMB_PATCH_INT3 = 2,        /* code, behind a breakpoint on its first byte (text_poke_bp()) */
  PLUMB_PATCH_WORD = 3,        /* code, one aligned word at once */
  PLUMB_PATCH_GRACE_PERIOD = 4 /* no write: whoever runs the old code is waited for */
};

/* One write to memory that others run or read, in order. Each sees those before it. */
struct plumb_patch_step {
  uint32_t struct_size;
  uint32_t size; /* bytes, at most 16; 0: no write */
  uint64_t address;
  uint8_t expected[16];
  uint8_t replacement[16];
  uint32_t kind; /* enum plumb_patch_kind */
  uint32_t reserved;
};

/* Room of the host's for steps. A step is written as far as stride reaches. */
struct plumb_patch_list {
  uint32_t struct_size;
  uint32_t capacity; /* steps */
  uint32_t stride;
  uint32_t reserved;
  struct plumb_patch_step* steps;
};

/* ---- What a JIT claims about its frames ----
 *
 * For unwinders, of a JIT that hands over such things; claims() is called behind load() where the
 * capabilities have PLUMB_GIVES_UNWIND_ROWS. Every claim is held against what was seen: a row has
 * to be right at every instruction from its address up to the next row's, the first and the last
 * included, however control got there.
 *
 *                +---------------------------+
 *   CFA --->     | of the caller             |   what the caller's stack pointer will be
 *                | return address            |   fp_offset and ra_offset are from here: negative
 *                | caller's frame pointer    |
 *                +---------------------------+
 *
 * The host checks, and says which entry of which list is wrong and why (the plugin's failure, as of
 * an image):
 *   rows ascend, no two are for one address; there is at most one more than there are bytes
 *   of code;
 *   each is for an address in one of the code ranges, the last one has PLUMB_NO_REGISTER as its
 *   cfa_register, and rows like that may also be for where a code range ends;
 *   cfa_register is the platform's stack pointer or the frame pointer of its frame records (rbp,
 *   x29, s0), or PLUMB_NO_REGISTER: nothing is known from here on, for a function has ended, and
 *   nothing else of the row is looked at;
 *   fp_rule is PLUMB_SAVED_SAME or PLUMB_SAVED_AT_OFFSET;
 *   ra_rule is PLUMB_SAVED_AT_OFFSET, or on arm64 and riscv64 PLUMB_SAVED_SAME, or
 *   PLUMB_SAVED_IN_REGISTER with x30 or ra as the register, which is the same;
 *   offsets are multiples of 8 from -1 MiB to 1 MiB;
 *   fp_ranges lie in code ranges; at most one of them lies in each function, and none where struct
 *   plumb_native_function says it. One that lies in no function is not looked at.
 */

/* How the caller's frame is found at one address, and up to the next row's (DWARF's terms). */
enum plumb_saved_rule {
  PLUMB_SAVED_UNKNOWN = 0,
  PLUMB_SAVED_SAME = 1,       /* still in the register it belongs in */
  PLUMB_SAVED_AT_OFFSET = 2,  /* in memory at CFA + offset */
  PLUMB_SAVED_IN_REGISTER = 3 /* in another register */
};
struct plumb_unwind_row {
  uint32_t struct_size;
  int32_t cfa_offset;   /* CFA = value of cfa_register + cfa_offset */
  uint64_t address;     /* rows are sorted by it */
  uint8_t cfa_register; /* PLUMB_REGISTER(n), or PLUMB_NO_REGISTER */
  uint8_t fp_rule;      /* enum plumb_saved_rule, of the caller's frame pointer */
  uint8_t fp_register;
  uint8_t ra_rule; /* enum plumb_saved_rule, of the return address */
  uint8_t ra_register;
  uint8_t reserved[3];
  int32_t fp_offset;
  int32_t ra_offset;
};
/* Reserved. A load or store that may fault: execution goes on at landing, the register zeroed. */
struct plumb_extable_row {
  uint32_t struct_size;
  uint8_t zeroed; /* PLUMB_REGISTER(n), or PLUMB_NO_REGISTER for stores */
  uint8_t reserved[3];
  uint64_t address;
  uint64_t landing;
};
struct plumb_claims {
  uint32_t struct_size;
  uint32_t reserved;
  uint32_t row_count;
  uint32_t row_stride;
  const struct plumb_unwind_row* rows;
  /* Where the frame pointer heads a whole chain of frame records: fp_begin and fp_end of struct
   * plumb_native_function say the same. */
  uint32_t fp_range_count;
  uint32_t fp_range_stride;
  const struct plumb_range* fp_ranges;
  uint32_t extable_count; /* reserved: not looked at yet */
  uint32_t extable_stride;
  const struct plumb_extable_row* extable;
};

/* ---- Reserved: what the host of this version does not call yet ----
 *
 * The structs are here so that plugins can be written ahead; they may still grow at their ends.
 */

enum plumb_attach_kind {
  PLUMB_ATTACH_ENTRY = 1,        /* fentry */
  PLUMB_ATTACH_EXIT = 2,         /* fexit */
  PLUMB_ATTACH_MODIFY_RETURN = 3 /* fmod_ret */
};
struct plumb_attach_link {
  uint32_t struct_size;
  uint32_t kind;    /* enum plumb_attach_kind */
  uint32_t program; /* of the request: what runs there */
  uint32_t reserved;
};
/* What to attach to one traced function. */
struct plumb_attach_request {
  uint32_t struct_size;
  uint32_t argument_count; /* of the traced function */
  uint64_t target;         /* its guest address; its first bytes may be patched */
  uint64_t enter_stub;     /* what the trampoline calls around a program, and around all of it */
  uint64_t exit_stub;
  uint32_t link_count;
  uint32_t link_stride;
  const struct plumb_attach_link* links;
};
struct plumb_attachment {
  uint32_t struct_size;
  uint32_t reserved;
  void* handle;                  /* the plugin's own */
  struct plumb_range trampoline; /* its code */
  struct plumb_patch_list patch; /* of the target's entry */
};

/* ---- Throws ---- */

/* What the walk of bpf_throw gives the exception callback as stack pointer of the boundary. */
enum plumb_throw_sp {
  PLUMB_THROW_SP_UNKNOWN = 0,
  /* As it was just before the boundary's call that the throw came out of (Linux on x86-64). */
  PLUMB_THROW_SP_AT_CALL = 1,
  /* 0: unwinders of the platform have none, the callback has only the frame pointer (arm64). */
  PLUMB_THROW_SP_ZERO = 2
};
/* The host checks, as it does an image: program is the one that was asked for, boundary another
 * function of it than the callback, and callback the address of the callback's function. */
struct plumb_throw_info {
  uint32_t struct_size;
  uint32_t program;
  uint32_t boundary; /* function whose frame the callback takes over */
  uint32_t sp_rule;  /* enum plumb_throw_sp */
  uint64_t callback; /* where bpf_throw calls it */
};

/* ---- The table ---- */

struct plumb_plugin {
  uint32_t struct_size;
  uint32_t abi; /* PLUMB_PLUGIN_ABI of the header that the plugin was built with */
  const struct plumb_plugin_info* info;

  /* Called once, before anything else, with the arena mapped readable and writable. 0 or -1, and
   * then error holds one line. info is read again behind it. */
  int (*open)(uint64_t arena_base, uint64_t arena_size, char* error, size_t error_size);

  /* enum plumb_status. On anything but PLUMB_LOADED, error holds one line. The same request gives
   * the same bytes, whatever was loaded before. */
  int (*load)(const struct plumb_load_request* request, struct plumb_image* image, char* error,
              size_t error_size);
  void (*unload)(struct plumb_image* image);

  /* ---- each of the following may be null, or not be there ---- */

  /* Puts program (or -1) into the slot and writes the steps that the JIT made, up to list's
   * capacity, without applying them when apply is 0. How many there were, or -1 with error set. */
  int (*update_slot)(struct plumb_image* image, uint32_t array, uint32_t slot, int32_t program,
                     int apply, struct plumb_patch_list* list, char* error, size_t error_size);

  /* Called last, when the arena goes. After it, open() may be called again. */
  void (*close)(void);

  /* Called behind load(), with PLUMB_GIVES_UNWIND_ROWS. 0, or -1 with error set: the plugin itself
   * failed. What claims points to stays valid until unload() of the image. */
  int (*claims)(struct plumb_image* image, struct plumb_claims* claims, char* error,
                size_t error_size);
  /* Reserved: see above. 0, or -1 with error set. What they point to lives as long as the image. */
  int (*attach)(struct plumb_image* image, const struct plumb_attach_request* request,
                struct plumb_attachment* attachment, char* error, size_t error_size);
  void (*detach)(struct plumb_image* image, struct plumb_attachment* attachment);
  /* Called behind load() for every program with an exception callback, where the capabilities have
   * PLUMB_CAN_THROW. 0, or -1 with error set: the plugin itself failed. Null: the callback is
   * called at its function's address, function 0 is the boundary, and the rule is unknown. */
  int (*throw_info)(struct plumb_image* image, uint32_t program, struct plumb_throw_info* info,
                    char* error, size_t error_size);

  /* How many pieces of memory are allocated for images right now, of the heap and of the arena, but
   * for caches that last: the host asks before load() and behind unload(). More behind it than
   * before is a finding (image-freed). */
  uint64_t (*pieces_held)(void);
};

/* host_abi: the newest ABI that the host speaks. host_size: sizeof(struct plumb_plugin) as the host
 * has it; a longer table is fine. The table, or null when the plugin cannot serve that host. */
const struct plumb_plugin* plumb_plugin_entry(uint32_t host_abi, uint32_t host_size);

#ifdef __cplusplus
}
#endif
