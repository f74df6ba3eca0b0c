/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plugin's entry: jit_under_test/plugin.h on top of the emulated kernel. */
#include "jit_under_test/plugin.h"

#include "glue/kernel.h"
#include "jit_under_test/plugin_mark.h"

PLUMB_MARK_PLUGIN;

static struct plumb_contract contract;
static struct plumb_plugin_info info = {
    .struct_size = sizeof(info),
    .family = "linux",
    .contract = &contract,
};

static u32 live_images;
/* A BUG or WARN where nobody could be told: the next load reports it. */
static char stale_failure[256];

/* Trampolines are not made yet. */
char *__bpf_call_base, *__bpf_tramp_enter, *__bpf_tramp_exit;

static int report_failure(struct plumb_message* message) {
  plumb_say(message, "%s", plumb_failure_text());
  return PLUMB_BROKEN;
}

/* ---- load ---- */

/* What a load leaves behind that a BUG cut short is known to nobody; when nothing else is loaded
 * all of it can go. */
static void forget_everything(void) {
  if (live_images) return;
  plumb_core_reset();
  plumb_heap_reset();
  plumb_arena_reset();
}

static int load_checked(const struct plumb_load_request* request, struct plumb_image* out,
                        struct plumb_message* message) {
  struct plumb_load load = {
      .request = request, .out = out, .message = message, .status = PLUMB_BROKEN};
  plumb_failure_clear();
  plumb_random_restart();
  (void)plumb_arena_was_full();
  if (plumb_guarded(plumb_load_body, &load)) {
    forget_everything();
    return report_failure(message);
  }
  /* With nothing else in it, the arena is what is too small. */
  if (load.status != PLUMB_LOADED && live_images == 0 && plumb_arena_was_full()) {
    plumb_say(message, "code and prog arrays are larger than the arena");
    load.status = PLUMB_NOT_APPLICABLE;
  }
  if (load.status == PLUMB_LOADED && !plumb_failure_is_warning()) {
    live_images++;
    return PLUMB_LOADED;
  }
  if (plumb_failure_is_warning()) load.status = report_failure(message);
  if (plumb_guarded(plumb_unload_body, load.image) || live_images == 0) forget_everything();
  return load.status;
}

static int plugin_load(const struct plumb_load_request* request, struct plumb_image* image,
                       char* error, size_t error_size) {
  struct plumb_message message = {error, error_size};
  int status;
  if (error_size) error[0] = '\0';
  if (stale_failure[0]) {
    plumb_say(&message, "while unloading: %s", stale_failure);
    stale_failure[0] = '\0';
    return PLUMB_BROKEN;
  }
  status = plumb_check_request(request, info.capabilities, &message);
  return status == PLUMB_LOADED ? load_checked(request, image, &message) : status;
}

static void plugin_unload(struct plumb_image* out) {
  int status;
  if (!out->handle) return;
  live_images--;
  plumb_failure_clear();
  status = plumb_guarded(plumb_unload_body, out->handle);
  if (status || plumb_failure_is_warning()) {
    snprintf(stale_failure, sizeof(stale_failure), "%s", plumb_failure_text());
    forget_everything();
  }
  out->handle = NULL;
}

/* ---- update_slot ---- */

static int plugin_update_slot(struct plumb_image* out, u32 array, u32 slot, s32 program, int apply,
                              struct plumb_patch_list* list, char* error, size_t error_size) {
  struct plumb_message message = {error, error_size};
  struct plumb_update update = {out->handle, array, slot, program};
  int status;
  u32 count;
  if (!plumb_can_update(&update)) {
    plumb_say(&message, "no such prog array, slot or program");
    return -1;
  }
  plumb_failure_clear();
  plumb_text_record(list, apply);
  status = plumb_guarded(plumb_update_body, &update);
  count = plumb_text_record_end();
  if (status || plumb_failure_is_warning()) {
    (void)report_failure(&message);
    return -1;
  }
  return (int)min(count, list->capacity);
}

/* ---- throw_info ---- */

static int plugin_throw_info(struct plumb_image* image, u32 program, struct plumb_throw_info* out,
                             char* error, size_t error_size) {
  struct plumb_message message = {error, error_size};
  struct plumb_throw_info path = {.struct_size = PLUMB_BEGIN(struct plumb_throw_info, out),
                                  .program = program};
  if (plumb_image_throw_path(image->handle, program, &path)) {
    plumb_say(&message, "no such program, or none with an exception callback");
    return -1;
  }
  memcpy(out, &path, path.struct_size);
  return 0;
}

/* ---- open ---- */

/* Does the JIT take this one instruction, with an exit behind it? */
static bool can_compile(u8 opcode, u8 registers, s16 offset, s32 immediate) {
  const struct plumb_insn insns[] = {
      {BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0},
      {opcode, registers, offset, immediate},
      {BPF_JMP | BPF_EXIT, 0, 0, 0},
  };
  const struct plumb_function function = {.struct_size = sizeof(function),
                                          .name = "probe",
                                          .insns = insns,
                                          .insn_count = ARRAY_SIZE(insns)};
  const struct plumb_program program = {.struct_size = sizeof(program),
                                        .function_count = 1,
                                        .function_stride = sizeof(function),
                                        .functions = &function};
  const struct plumb_load_request request = {.struct_size = sizeof(request),
                                             .program_count = 1,
                                             .program_stride = sizeof(program),
                                             .programs = &program};
  struct plumb_message message = {NULL, 0};
  struct plumb_image image = {.struct_size = sizeof(image)};
  if (load_checked(&request, &image, &message) != PLUMB_LOADED) return false;
  plugin_unload(&image);
  return true;
}

/* Version 4 came in one piece (6.6), but a JIT that ignores an offset would take a sign-extending
 * move for a plain one: only opcodes that older JITs do not have tell. */
static bool can_version_4(void) {
  return can_compile(BPF_ALU64 | BPF_END, 0x00, 0, 64) &&
         can_compile(BPF_LDX | 0x80 | BPF_W, 0xa1, -8, 0) &&
         can_compile(BPF_JMP32 | BPF_JA, 0x00, 0, 0);
}

static u64 static_capabilities(void) {
  u64 can = PLUMB_CAN_CALL_SUBPROGRAMS | PLUMB_CAN_TAIL_CALL | PLUMB_CAN_CALL_BACK |
            PLUMB_CAN_ATOMICS | PLUMB_CAN_TAKE_UNVERIFIED | PLUMB_CAN_TAKE_BASE;
  if (bpf_jit_supports_subprog_tailcalls()) can |= PLUMB_CAN_TAIL_CALL_IN_SUBPROGRAM;
  if (plumb_supports_throws()) can |= PLUMB_CAN_THROW;
  if (PLUMB_TREE_VERSION_4) can |= PLUMB_CAN_V4;
  if (plumb_arch_facts.has_poke) can |= PLUMB_CAN_POKE;
  return can;
}

/* Between the stubs of helpers and all code: more than the 1 MiB that jal reaches on riscv64. */
enum { kFarHelpers = 4 << 20 };

static int plugin_open(u64 arena_base, u64 arena_size, char* error, size_t error_size) {
  struct plumb_message message = {error, error_size};
  u32 taken;
  if (arena_base & ~PAGE_MASK || arena_base + arena_size > 1ull << 31 ||
      arena_size <= PLUMB_STUB_SIZE + PAGE_SIZE) {
    plumb_say(&message, "the arena must lie below 2 GiB and be larger than the helper stubs");
    return -1;
  }
  __bpf_call_base = (char*)arena_base;
  taken = PLUMB_STUB_SIZE;
  taken += plumb_arch_open(arena_base, arena_base + taken);
  if (plumb_variant.switches & PLUMB_SWITCH_FAR_HELPERS) taken += kFarHelpers;
  plumb_arena_init(arena_base + taken, arena_size - taken);
  plumb_core_init();
  if (info.capabilities & PLUMB_CAN_V4 && !can_version_4()) info.capabilities &= ~(u64)PLUMB_CAN_V4;
  if (!can_compile(BPF_STX | BPF_ATOMIC | BPF_DW, 0x0a, -8, BPF_XOR | BPF_FETCH))
    info.capabilities &= ~(u64)PLUMB_CAN_ATOMICS;
  plumb_failure_clear();
  stale_failure[0] = '\0';
  return 0;
}

static u8 answer(bool yes) { return yes ? PLUMB_YES : PLUMB_NO; }

static void fill_hashes(void) {
  const struct plumb_arch_cfi cfi = plumb_arch_cfi();
  contract.cfi_hashes = cfi.hash_below < 0 ? PLUMB_UNKNOWN : answer(cfi.hash_below);
  if (cfi.hash_below <= 0) return;
  contract.cfi_hash_below = (u8)cfi.hash_below;
  contract.cfi_hash_of_program = cfi.hash_of_program;
  contract.cfi_hash_of_callback = cfi.hash_of_callback;
}

static void fill_contract(void) {
  contract.struct_size = sizeof(contract);
  for (u32 r = 0; r < ARRAY_SIZE(contract.bpf_register); r++)
    contract.bpf_register[r] = plumb_arch_facts.bpf_register[r];
  contract.frame_pointer = PLUMB_REGISTER(plumb_arch_facts.frame_pointer);
  contract.r10_bias = plumb_arch_facts.r10_bias;
  contract.r10_bias_known = PLUMB_YES;
  /* Prologue and epilogue save R6-R9 and make R10, or leave it out; the stack pointer moves in them
   * alone, and the BPF stack is part of the frame. */
  contract.r10_moved_by = PLUMB_CALLEE;
  contract.r10_only_where_used = PLUMB_YES;
  contract.r6_r9_saved_by = PLUMB_CALLEE;
  contract.sp_at_calls = PLUMB_SP_CONSTANT;
  contract.bpf_stack = PLUMB_STACK_IN_FRAME;
  contract.call_alignment = plumb_arch_facts.call_alignment;
  contract.result_bits = plumb_arch_facts.result_bits;
  contract.frame_rounding = plumb_arch_facts.frame_rounding;
  /* rewrite.c does what the verifier does to divisions. */
  contract.division_by_zero = PLUMB_DIVISION_RFC;
  contract.empty_slot_consumes_count = PLUMB_EMPTY_SLOT_ANSWER;
  contract.calls_keep_count = answer(plumb_arch_facts.calls_keep_count);
  contract.count_in_frames = answer(plumb_arch_facts.count_in_frames);
  contract.landing_pad = plumb_arch_facts.landing_pad;
  /* With kCFI the pad is behind the hash, with FineIBT the hash is checked behind the pad. */
  if (plumb_variant.switches & PLUMB_SWITCH_FINEIBT)
    contract.call_preamble = (u8)plumb_arch_preamble();
  contract.constants_blinded = answer(plumb_variant.switches & PLUMB_SWITCH_BLINDING);
  contract.return_addresses_signed = answer(plumb_arch_facts.signs_return_addresses);
  fill_hashes();
  if (PLUMB_TREE_CHAIN_ROUNDS_TO_16) contract.verifier_rules |= PLUMB_VERIFIER_ROUNDS_TO_16;
  if (!PLUMB_TREE_NO_TAIL_CALL_IN_CALLBACK)
    contract.verifier_rules |= PLUMB_VERIFIER_TAIL_CALL_IN_CALLBACK;
}

/* The allocator of program packs never gives its last one back: that one is there since open(). */
static u64 plugin_pieces_held(void) { return plumb_heap_blocks_used() + plumb_arena_pages_used(); }

static const struct plumb_plugin plugin = {
    .struct_size = sizeof(plugin),
    .abi = PLUMB_PLUGIN_ABI,
    .info = &info,
    .open = (int (*)(uint64_t, uint64_t, char*, size_t))plugin_open,
    .load = plugin_load,
    .unload = plugin_unload,
    .update_slot = plugin_update_slot,
    .throw_info = plugin_throw_info,
    .pieces_held = (uint64_t (*)(void))plugin_pieces_held,
};

__attribute__((visibility("default"))) const struct plumb_plugin* plumb_plugin_entry(
    uint32_t host_abi, uint32_t host_size) {
  (void)host_size;
  if (host_abi < PLUMB_PLUGIN_ABI) return NULL;
  if (info.capabilities == 0) {
    info.name = plumb_variant.name;
    info.version = plumb_variant.version;
    info.origin = plumb_variant.origin;
    info.arena_base = plumb_variant.arena_base;
    info.arena_size = plumb_variant.arena_size;
    info.arch = plumb_arch_facts.arch;
    info.capabilities = static_capabilities();
    fill_contract();
  }
  return &plugin;
}
