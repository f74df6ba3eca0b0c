/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory of kernel code: kmalloc comes from the heap (glue/heap.c), vmalloc and executable memory
 * from the arena (glue/arena.c); there is one CPU, one node and no accounting.
 */
#ifndef PLUMB_MEMORY_H
#define PLUMB_MEMORY_H

#include "plumb_library.h"

/* ---- kmalloc, vmalloc, executable memory, per-CPU data ---- */
void* plumb_heap_alloc(size_t size, int zero);
void* plumb_heap_realloc(void* old, size_t size);
void plumb_heap_free(const void* p);
void* plumb_arena_alloc(size_t size, int zero);
void plumb_arena_free(const void* p);

#define GFP_KERNEL 0u
#define GFP_USER 0u
#define GFP_ATOMIC 0u
#define GFP_KERNEL_ACCOUNT 0u
#define __GFP_ZERO 1u
#define __GFP_ACCOUNT 0u
#define __GFP_NOWARN 0u
#define __GFP_NORETRY 0u
#define ___GFP_ZERO 1u

#define kmalloc(size, flags) plumb_heap_alloc(size, (flags)&__GFP_ZERO)
#define kzalloc(size, flags) plumb_heap_alloc(size, 1)
#define kmalloc_node(size, flags, node) kmalloc(size, flags)
#define kvmalloc kmalloc
#define kvzalloc kzalloc
#define kmalloc_array(n, size, flags) kmalloc((size_t)(n) * (size), flags)
#define kvmalloc_array kmalloc_array
#define kcalloc(n, size, flags) kzalloc((size_t)(n) * (size), flags)
#define kvcalloc kcalloc
/* By what they hold: one object, several, one with an array of several at its end. */
#define PLUMB_OBJECTS(type, count, zero) \
  ((typeof(type)*)plumb_heap_alloc((count) * sizeof(type), zero))
#define PLUMB_FLEXIBLE(type, array, count, zero)                                                  \
  ((typeof(type)*)plumb_heap_alloc(sizeof(type) + (count) * sizeof(((typeof(type)*)0)->array[0]), \
                                   zero))
#define kmalloc_obj(type, ...) PLUMB_OBJECTS(type, 1, 0)
#define kzalloc_obj(type, ...) PLUMB_OBJECTS(type, 1, 1)
#define kmalloc_objs(type, count, ...) PLUMB_OBJECTS(type, count, 0)
#define kzalloc_objs(type, count, ...) PLUMB_OBJECTS(type, count, 1)
#define kmalloc_flex(type, array, count, ...) PLUMB_FLEXIBLE(type, array, count, 0)
#define kzalloc_flex(type, array, count, ...) PLUMB_FLEXIBLE(type, array, count, 1)
#define kvmalloc_obj kmalloc_obj
#define kvzalloc_obj kzalloc_obj
#define kvmalloc_objs kmalloc_objs
#define kvzalloc_objs kzalloc_objs
#define kvmalloc_flex kmalloc_flex
#define kvzalloc_flex kzalloc_flex
#define krealloc(old, size, flags) plumb_heap_realloc(old, size)
#define krealloc_array(old, n, size, flags) plumb_heap_realloc(old, (size_t)(n) * (size))
#define kmemdup(from, size, flags) memcpy(plumb_heap_alloc(size, 0), from, size)
#define kfree(p) plumb_heap_free(p)
#define kvfree(p) plumb_heap_free(p)
#define kfree_rcu(p, field) plumb_heap_free(p)
#define kvfree_rcu(p, field) plumb_heap_free(p)
#define kmem_cache_free(c, p) plumb_heap_free(p)
#define __vmalloc(size, flags) plumb_arena_alloc(size, (flags)&__GFP_ZERO)
#define vmalloc(size) plumb_arena_alloc(size, 0)
#define vzalloc(size) plumb_arena_alloc(size, 1)
#define vfree(p) plumb_arena_free(p)
#define __vmalloc_node_range(size, ...) plumb_arena_alloc(size, 0)
#define module_alloc(size) plumb_arena_alloc(size, 0)
#define module_memfree(p) plumb_arena_free(p)
#define execmem_alloc(type, size) plumb_arena_alloc(size, 0)
#define execmem_alloc_rw(type, size) plumb_arena_alloc(size, 0)
#define execmem_free(p) plumb_arena_free(p)
#define execmem_is_rox(type) false
enum execmem_type { EXECMEM_BPF, EXECMEM_MODULE_DATA };
#define NUMA_NO_NODE (-1)
#define num_possible_nodes() 1
#define nr_cpu_ids 1
#define numa_node_id() 0
/* Fields of struct bpf_prog that native code never reads; one CPU. */
#define alloc_percpu_gfp(type, flags) ((type*)plumb_heap_alloc(sizeof(type), 1))
#define __alloc_percpu_gfp(size, align, flags) plumb_heap_alloc(size, 1)
#define free_percpu(p) plumb_heap_free(p)
#define per_cpu_ptr(p, cpu) (p)
#define this_cpu_ptr(p) (p)
#define raw_cpu_ptr(p) (p)
#define this_cpu_inc(v) ((void)(v)++)
#define this_cpu_dec(v) ((void)(v)--)
#define this_cpu_inc_return(v) (++(v))
#define this_cpu_dec_return(v) (--(v))
#define cpu_possible(cpu) ((cpu) == 0)
#define get_cpu_var(v) (v)
#define put_cpu_var(v) \
  do {                 \
  } while (0)
#define DEFINE_PER_CPU(type, name) type name
#define DECLARE_PER_CPU(type, name) extern type name
#define for_each_possible_cpu(cpu) for ((cpu) = 0; (cpu) < 1; (cpu)++)
#define raw_smp_processor_id() 0
#define smp_processor_id() 0
#define set_vm_flush_reset_perms(p) \
  do {                              \
  } while (0)
#define set_memory_ro(a, n) 0
#define set_memory_rox(a, n) 0
#define set_memory_x(a, n) 0
#define set_memory_rw(a, n) 0
#define set_memory_nx(a, n) 0
#define flush_icache_range(a, b) \
  do {                           \
  } while (0)
#define mem_cgroup_from_obj(p) NULL
#define set_active_memcg(m) NULL
#define get_mem_cgroup_from_objcg(o) NULL
#define mem_cgroup_put(m) \
  do {                    \
  } while (0)

#endif
