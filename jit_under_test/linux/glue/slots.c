/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prog arrays: what kernel/bpf/arraymap.c does for BPF_MAP_TYPE_PROG_ARRAY. */
#include "glue/kernel.h"

/* Reads past the last slot find this, not an empty slot: native code that misses the bound check
 * by one jumps to nowhere instead of falling through. */
enum { kPoison = 0x6b };

size_t plumb_array_size(u32 slot_count) {
  return offsetof(struct bpf_array, ptrs) + slot_count * sizeof(void*);
}

struct bpf_array* plumb_array_create(u32 slot_count) {
  const size_t size = plumb_array_size(slot_count), allocated = round_up(size, PAGE_SIZE);
  struct bpf_array* array = vzalloc(allocated);
  if (!array) return NULL;
  memset((char*)array + size, kPoison, allocated - size);
  array->map.map_type = BPF_MAP_TYPE_PROG_ARRAY;
  array->map.key_size = 4;
  array->map.value_size = 4;
  array->map.max_entries = slot_count;
  array->elem_size = sizeof(void*);
  return array;
}

void plumb_array_destroy(struct bpf_array* array) { vfree(array); }

#if PLUMB_TREE_POKE_DESC_UPDATE
/* Of JITs without direct tail calls, as arraymap.c has it. */
__weak void bpf_arch_poke_desc_update(struct bpf_jit_poke_descriptor* poke, struct bpf_prog* new,
                                      struct bpf_prog* old) {
  (void)poke, (void)new, (void)old;
  WARN_ON_ONCE(1);
}

/* map_poke_run(): descriptors belong to a main program, also those of its subprograms. */
static void run_pokes(struct bpf_array* array, u32 slot, struct bpf_prog* old, struct bpf_prog* new,
                      struct bpf_prog_aux* aux) {
  for (u32 i = 0; i < aux->size_poke_tab; i++) {
    struct bpf_jit_poke_descriptor* poke = &aux->poke_tab[i];
    if (!poke->tailcall_target_stable || poke->reason != BPF_POKE_REASON_TAIL_CALL ||
        poke->tail_call.map != &array->map || poke->tail_call.key != slot)
      continue;
    bpf_arch_poke_desc_update(poke, new, old);
  }
}
#else
#define run_pokes(array, slot, old, new, aux) ((void)(aux))
#endif

void plumb_array_update(struct bpf_array* array, u32 slot, struct bpf_prog* program,
                        const struct plumb_loaded_program* loaded, u32 loaded_count) {
  struct bpf_prog* old = array->ptrs[slot];
  void* value = program;
  if (old != program) plumb_slot_write(&array->ptrs[slot], &value, sizeof(value));
  for (u32 p = 0; p < loaded_count; p++) run_pokes(array, slot, old, program, loaded[p].main->aux);
}
