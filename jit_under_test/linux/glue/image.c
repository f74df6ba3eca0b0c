/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The programs and prog arrays of one request: making them, describing them, updating a slot. */
#include "glue/kernel.h"

struct plumb_loaded {
  struct bpf_array** arrays;
  struct plumb_loaded_program* programs;
  u32 array_count, program_count;
  struct plumb_native_function* natives;
  struct plumb_range *code_ranges, *array_objects;
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
static struct plumb_loaded* create_image(const struct plumb_load_request* request, u32* functions) {
  u32 slots, *offsets, next = 0;
  struct plumb_loaded* image;
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

static int create_arrays(const struct plumb_load_request* request, struct plumb_loaded* image) {
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
static void fill_slots(const struct plumb_load_request* request, struct plumb_loaded* image,
                       u32 program) {
  for (u32 a = 0; a < request->array_count; a++) {
    for (u32 s = 0; s < plumb_array_at(request, a)->slot_count; s++) {
      if (plumb_array_at(request, a)->slots[s] == (s32)program)
        plumb_array_update(image->arrays[a], s, image->programs[program].main, image->programs,
                           program + 1);
    }
  }
}

/* Whole pages: a page that got its first code was filled with trap instructions before. */
static u32 find_code_ranges(const struct plumb_loaded* image, u32 functions) {
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

static void describe_image(struct plumb_load* load, u32 functions) {
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

void plumb_load_body(void* argument) {
  struct plumb_load* load = argument;
  const struct plumb_load_request* request = load->request;
  struct plumb_names names = {.regions = (const u64*)request->region_addresses};
  struct plumb_loaded* image;
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

void plumb_unload_body(void* argument) {
  struct plumb_loaded* image = argument;
  /* The order of the kernel: programs go when nothing refers to them, arrays after them. */
  for (u32 p = 0; p < image->program_count; p++) plumb_program_unload(&image->programs[p]);
  for (u32 a = 0; a < image->array_count; a++) plumb_array_destroy(image->arrays[a]);
  kfree(image);
}

void plumb_update_body(void* argument) {
  const struct plumb_update* u = argument;
  struct plumb_loaded* image = u->image;
  plumb_array_update(image->arrays[u->array], u->slot,
                     u->program < 0 ? NULL : image->programs[u->program].main, image->programs,
                     image->program_count);
}

bool plumb_can_update(const struct plumb_update* u) {
  const struct plumb_loaded* image = u->image;
  return u->array < image->array_count && u->slot < image->arrays[u->array]->map.max_entries &&
         u->program >= -1 && u->program < (s64)image->program_count;
}

int plumb_image_throw_path(const struct plumb_loaded* image, u32 program,
                           struct plumb_throw_info* info) {
  if (program >= image->program_count) return -1;
  return plumb_throw_path(image->programs[program].main, info);
}
