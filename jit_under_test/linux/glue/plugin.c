/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The plugin's entry: jit_under_test/plugin.h on top of the emulated kernel. */
#include "jit_under_test/plugin.h"

#include "glue/kernel.h"
#include "jit_under_test/plugin_mark.h"

struct image {
  struct bpf_array** arrays;
  struct plumb_loaded_program* programs;
  u32 array_count, program_count;
  struct plumb_native_function* natives;
  struct plumb_range *code_ranges, *array_objects;
};

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

struct load {
  const struct plumb_load_request* request;
  struct plumb_image* out;
  struct plumb_message* message;
  struct image* image;
  int status;
};

static u32 count_functions(const struct plumb_load_request* request, u32* slots) {
  u32 functions = 0;
  *slots = 0;
  for (u32 p = 0; p < request->program_count; p++) {
    const struct plumb_program* program = plumb_program_at(request, p);
    functions += program->function_count;
    for (u32 f = 0; f < program->function_count; f++)
      *slots += plumb_function_at(program, f)->insn_count + 1;
  }
  return functions;
}

/* The image and all its tables in one block, largest alignment first. */
static struct image* create_image(const struct plumb_load_request* request, u32* functions) {
  u32 slots, *offsets, next = 0;
  struct image* image;
  *functions = count_functions(request, &slots);
  image =
      kzalloc(sizeof(*image) + request->array_count * sizeof(*image->arrays) +
                  request->program_count * sizeof(*image->programs) +
                  *functions * (sizeof(*image->natives) + sizeof(*image->code_ranges)) +
                  sizeof(*image->code_ranges) +
                  request->array_count * sizeof(*image->array_objects) + slots * sizeof(*offsets),
              GFP_KERNEL);
  image->program_count = request->program_count;
  image->arrays = (struct bpf_array**)(image + 1);
  image->programs = (struct plumb_loaded_program*)(image->arrays + request->array_count);
  image->natives = (struct plumb_native_function*)(image->programs + request->program_count);
  image->code_ranges = (struct plumb_range*)(image->natives + *functions);
  image->array_objects = image->code_ranges + *functions + 1; /* one for the thunks */
  offsets = (u32*)(image->array_objects + request->array_count);
  for (u32 p = 0; p < request->program_count; p++) {
    for (u32 f = 0; f < plumb_program_at(request, p)->function_count; f++) {
      image->natives[next].program = p;
      image->natives[next++].insn_offsets = offsets;
      offsets += plumb_function_at(plumb_program_at(request, p), f)->insn_count + 1;
    }
  }
  return image;
}

static int create_arrays(const struct plumb_load_request* request, struct image* image) {
  for (u32 a = 0; a < request->array_count; a++) {
    struct bpf_array* array = plumb_array_create(plumb_array_at(request, a)->slot_count);
    if (!array) return -1;
    image->arrays[image->array_count++] = array;
    image->array_objects[a].address = (unsigned long)array;
    image->array_objects[a].size = plumb_array_size(plumb_array_at(request, a)->slot_count);
  }
  return 0;
}

/* bpf_map_update_elem() for every slot that holds the program, as soon as it is loaded: user space
 * may do so before it loads what tail-calls it, or after. So both come to pass. Callers that are
 * there already, the program itself among them, are patched by the update; one that is loaded later
 * finds the slot filled, and patches itself (bpf_tail_call_direct_fixup() of x86). */
static void fill_slots(const struct plumb_load_request* request, struct image* image, u32 program) {
  for (u32 a = 0; a < request->array_count; a++) {
    for (u32 s = 0; s < plumb_array_at(request, a)->slot_count; s++) {
      if (plumb_array_at(request, a)->slots[s] == (s32)program)
        plumb_array_update(image->arrays[a], s, image->programs[program].main, image->programs,
                           program + 1);
    }
  }
}

/* Whole pages: a page that got its first code was filled with trap instructions before. */
static u32 find_code_ranges(const struct image* image, u32 functions) {
  u32 count = 0;
  for (u32 f = 0; f < functions; f++) {
    const struct plumb_native_function* native = &image->natives[f];
    const u64 begin = native->address & PAGE_MASK;
    const u64 end = (native->address + native->size + PAGE_SIZE - 1) & PAGE_MASK;
    u32 r = 0;
    while (r < count && (end < image->code_ranges[r].address ||
                         begin > image->code_ranges[r].address + image->code_ranges[r].size))
      r++;
    if (r == count) {
      image->code_ranges[count].address = begin;
      image->code_ranges[count++].size = end - begin;
    } else {
      struct plumb_range* range = &image->code_ranges[r];
      const u64 old_end = range->address + range->size;
      range->address = min(range->address, begin);
      range->size = max(old_end, end) - range->address;
    }
  }
  return count;
}

/* The thunks are the same for every image, but another plugin may have had the arena's place. */
static void describe_thunks(struct plumb_image* out, struct plumb_range* code_ranges) {
  const struct plumb_symbol* last;
  out->symbol_count = plumb_arch_thunks(&out->symbols);
  out->symbol_stride = sizeof(*out->symbols);
  if (out->symbol_count == 0) return;
  last = &out->symbols[out->symbol_count - 1];
  code_ranges[out->code_range_count].address = out->symbols[0].address;
  code_ranges[out->code_range_count++].size = last->address + last->size - out->symbols[0].address;
}

static void describe_image(struct load* load, u32 functions) {
  struct plumb_image out = {.struct_size = PLUMB_BEGIN(struct plumb_image, load->out)};
  out.handle = load->image;
  out.function_count = functions;
  out.function_stride = sizeof(*out.functions);
  out.functions = load->image->natives;
  out.code_range_count = find_code_ranges(load->image, functions);
  out.code_range_stride = sizeof(*out.code_ranges);
  out.code_ranges = load->image->code_ranges;
  describe_thunks(&out, load->image->code_ranges);
  out.array_count = load->image->array_count;
  out.array_stride = sizeof(*out.array_objects);
  out.array_objects = load->image->array_objects;
  memcpy(load->out, &out, out.struct_size);
}

static void load_body(void* argument) {
  struct load* load = argument;
  const struct plumb_load_request* request = load->request;
  struct plumb_names names = {.regions = (const u64*)request->region_addresses};
  struct image* image;
  u32 functions, first = 0;
  load->image = image = create_image(request, &functions);
  names.arrays = image->arrays;
  if (create_arrays(request, image)) {
    plumb_say(load->message, "the arena is full");
    return;
  }
  for (u32 p = 0; p < request->program_count; p++) {
    load->status = plumb_program_load(plumb_program_at(request, p), &names, &image->programs[p],
                                      &image->natives[first], load->message);
    if (load->status != PLUMB_LOADED) return;
    first += plumb_program_at(request, p)->function_count;
    fill_slots(request, image, p);
  }
  describe_image(load, functions);
  load->status = PLUMB_LOADED;
}

static void unload_body(void* argument) {
  struct image* image = argument;
  /* The order of the kernel: programs go when nothing refers to them, arrays after them. */
  for (u32 p = 0; p < image->program_count; p++) plumb_program_unload(&image->programs[p]);
  for (u32 a = 0; a < image->array_count; a++) plumb_array_destroy(image->arrays[a]);
  kfree(image);
}

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
  struct load load = {.request = request, .out = out, .message = message, .status = PLUMB_BROKEN};
  plumb_failure_clear();
  plumb_random_restart();
  (void)plumb_arena_was_full();
  if (plumb_guarded(load_body, &load)) {
    forget_everything();
    return report_failure(message);
  }
  /* With nothing else in it, the arena is what is too small. */
  if (load.status != PLUMB_LOADED && live_images == 0 && plumb_arena_was_full()) {
    plumb_say(message, "the code is larger than the arena");
    load.status = PLUMB_NOT_APPLICABLE;
  }
  if (load.status == PLUMB_LOADED && !plumb_failure_is_warning()) {
    live_images++;
    return PLUMB_LOADED;
  }
  if (plumb_failure_is_warning()) load.status = report_failure(message);
  if (plumb_guarded(unload_body, load.image) || live_images == 0) forget_everything();
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
  status = plumb_guarded(unload_body, out->handle);
  if (status || plumb_failure_is_warning()) {
    snprintf(stale_failure, sizeof(stale_failure), "%s", plumb_failure_text());
    forget_everything();
  }
  out->handle = NULL;
}

/* ---- update_slot ---- */

struct update {
  struct image* image;
  u32 array, slot;
  s32 program;
};

static void update_body(void* argument) {
  const struct update* u = argument;
  struct image* image = u->image;
  plumb_array_update(image->arrays[u->array], u->slot,
                     u->program < 0 ? NULL : image->programs[u->program].main, image->programs,
                     image->program_count);
}

static int plugin_update_slot(struct plumb_image* out, u32 array, u32 slot, s32 program, int apply,
                              struct plumb_patch_list* list, char* error, size_t error_size) {
  struct plumb_message message = {error, error_size};
  struct update update = {out->handle, array, slot, program};
  struct image* image = out->handle;
  int status;
  u32 count;
  if (array >= image->array_count || slot >= image->arrays[array]->map.max_entries ||
      program < -1 || program >= (s64)image->program_count) {
    plumb_say(&message, "no such prog array, slot or program");
    return -1;
  }
  plumb_failure_clear();
  plumb_text_record(list, apply);
  status = plumb_guarded(update_body, &update);
  count = plumb_text_record_end();
  if (status || plumb_failure_is_warning()) {
    (void)report_failure(&message);
    return -1;
  }
  return (int)min(count, list->capacity);
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

static void fill_contract(void) {
  contract.struct_size = sizeof(contract);
  for (u32 r = 0; r < ARRAY_SIZE(contract.bpf_register); r++)
    contract.bpf_register[r] = PLUMB_REGISTER(plumb_arch_facts.bpf_register[r]);
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
  contract.empty_slot_consumes_count = answer(plumb_arch_facts.empty_slot_consumes_count);
  contract.calls_keep_count = answer(plumb_arch_facts.calls_keep_count);
  contract.landing_pad = plumb_arch_facts.landing_pad;
  /* With kCFI the pad is behind the hash, with FineIBT the hash is checked behind the pad. */
  if (plumb_variant.switches & PLUMB_SWITCH_FINEIBT)
    contract.call_preamble = (u8)plumb_arch_preamble();
  if (PLUMB_TREE_CHAIN_ROUNDS_TO_16) contract.verifier_rules |= PLUMB_VERIFIER_ROUNDS_TO_16;
  if (!PLUMB_TREE_NO_TAIL_CALL_IN_CALLBACK)
    contract.verifier_rules |= PLUMB_VERIFIER_TAIL_CALL_IN_CALLBACK;
}

static const struct plumb_plugin plugin = {
    .struct_size = sizeof(plugin),
    .abi = PLUMB_PLUGIN_ABI,
    .info = &info,
    .open = (int (*)(uint64_t, uint64_t, char*, size_t))plugin_open,
    .load = plugin_load,
    .unload = plugin_unload,
    .update_slot = plugin_update_slot,
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
