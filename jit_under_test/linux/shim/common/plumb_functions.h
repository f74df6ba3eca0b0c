/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions of kernel code: memory, strings, lists of symbols, failure, and everything that is a
 * no-op with one thread. What does real work is defined in glue/host.c, on the C library.
 */
#ifndef PLUMB_FUNCTIONS_H
#define PLUMB_FUNCTIONS_H

#include "plumb_arithmetic.h"

/* ---- C library, by its own names ---- */
void* memcpy(void* to, const void* from, size_t size);
void* memmove(void* to, const void* from, size_t size);
void* memset(void* to, int value, size_t size);
int memcmp(const void* a, const void* b, size_t size);
size_t strlen(const char* s);
int strcmp(const char* a, const char* b);
int strncmp(const char* a, const char* b, size_t size);
char* strncpy(char* to, const char* from, size_t size);
int snprintf(char* to, size_t size, const char* format, ...);
int abs(int value);
long strscpy(char* to, const char* from, size_t size);
char* bin2hex(char* to, const void* from, size_t size);
#define scnprintf snprintf
#define strlcpy strscpy
#define strncpy_from_kernel_nofault strscpy

/* ---- Failure: glue/host.c ---- */
__attribute__((noreturn)) void plumb_bug(const char* condition, const char* file, int line);
void plumb_warn(const char* condition, const char* file, int line);
void plumb_print(const char* format, ...) __attribute__((format(printf, 1, 2)));

#define BUG() plumb_bug("BUG()", __FILE__, __LINE__)
#define BUG_ON(c)                                                     \
  do {                                                                \
    if (unlikely(c)) plumb_bug("BUG_ON(" #c ")", __FILE__, __LINE__); \
  } while (0)
#define PLUMB_WARN(c, text)                                           \
  ({                                                                  \
    int plumb_warned = !!(c);                                         \
    if (unlikely(plumb_warned)) plumb_warn(text, __FILE__, __LINE__); \
    unlikely(plumb_warned);                                           \
  })
#define WARN_ON(c) PLUMB_WARN(c, "WARN_ON(" #c ")")
#define WARN_ON_ONCE(c) PLUMB_WARN(c, "WARN_ON_ONCE(" #c ")")
#define WARN(c, ...) PLUMB_WARN(c, "WARN(" #c ")")
#define WARN_ONCE(c, ...) PLUMB_WARN(c, "WARN_ONCE(" #c ")")
#define pr_emerg(...) plumb_print(__VA_ARGS__)
#define pr_err(...) plumb_print(__VA_ARGS__)
#define pr_err_once(...) plumb_print(__VA_ARGS__)
#define pr_err_ratelimited(...) plumb_print(__VA_ARGS__)
#define pr_warn(...) plumb_print(__VA_ARGS__)
#define pr_warn_once(...) plumb_print(__VA_ARGS__)
#define pr_warn_ratelimited(...) plumb_print(__VA_ARGS__)
#define pr_info(...) plumb_print(__VA_ARGS__)
#define pr_info_once(...) \
  do {                    \
  } while (0)
#define pr_notice(...) \
  do {                 \
  } while (0)
#define pr_debug(...) \
  do {                \
  } while (0)
#define printk(...) plumb_print(__VA_ARGS__)
#define print_hex_dump(...) \
  do {                      \
  } while (0)
#define dump_stack() \
  do {               \
  } while (0)
#define KERN_ERR ""
#define KERN_WARNING ""
#define KERN_INFO ""

/* ---- Memory: kmalloc comes from the heap, vmalloc and executable memory from the arena ---- */
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

#define kmalloc(size, flags) plumb_heap_alloc(size, (flags) & __GFP_ZERO)
#define kzalloc(size, flags) plumb_heap_alloc(size, 1)
#define kvmalloc kmalloc
#define kvzalloc kzalloc
#define kmalloc_array(n, size, flags) kmalloc((size_t)(n) * (size), flags)
#define kvmalloc_array kmalloc_array
#define kcalloc(n, size, flags) kzalloc((size_t)(n) * (size), flags)
#define kvcalloc kcalloc
#define kmalloc_obj(object, ...) ((typeof(object)*)plumb_heap_alloc(sizeof(object), 0))
#define kzalloc_obj(object, ...) ((typeof(object)*)plumb_heap_alloc(sizeof(object), 1))
#define krealloc(old, size, flags) plumb_heap_realloc(old, size)
#define krealloc_array(old, n, size, flags) plumb_heap_realloc(old, (size_t)(n) * (size))
#define kmemdup(from, size, flags) memcpy(plumb_heap_alloc(size, 0), from, size)
#define kfree(p) plumb_heap_free(p)
#define kvfree(p) plumb_heap_free(p)
#define kfree_rcu(p, field) plumb_heap_free(p)
#define kvfree_rcu(p, field) plumb_heap_free(p)
#define kmem_cache_free(c, p) plumb_heap_free(p)
#define __vmalloc(size, flags) plumb_arena_alloc(size, (flags) & __GFP_ZERO)
#define vmalloc(size) plumb_arena_alloc(size, 0)
#define vzalloc(size) plumb_arena_alloc(size, 1)
#define vfree(p) plumb_arena_free(p)
#define __vmalloc_node_range(size, ...) plumb_arena_alloc(size, 0)
#define module_alloc(size) plumb_arena_alloc(size, 0)
#define module_memfree(p) plumb_arena_free(p)
#define execmem_alloc(type, size) plumb_arena_alloc(size, 0)
#define execmem_alloc_rw(type, size) plumb_arena_alloc(size, 0)
#define execmem_free(p) plumb_arena_free(p)
#define EXECMEM_BPF 0
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

/* ---- One thread: locks, RCU, preemption ---- */
#define mutex_init(m) \
  do {                \
  } while (0)
#define mutex_destroy(m) \
  do {                   \
  } while (0)
#define mutex_lock(m) \
  do {                \
  } while (0)
#define mutex_unlock(m) \
  do {                  \
  } while (0)
#define DEFINE_MUTEX(name) struct mutex name
#define DEFINE_SPINLOCK(name) spinlock_t name
#define spin_lock_init(l) \
  do {                    \
  } while (0)
#define spin_lock(l) \
  do {               \
  } while (0)
#define spin_unlock(l) \
  do {                 \
  } while (0)
#define spin_lock_bh(l) \
  do {                  \
  } while (0)
#define spin_unlock_bh(l) \
  do {                    \
  } while (0)
#define rcu_read_lock() \
  do {                  \
  } while (0)
#define rcu_read_unlock() \
  do {                    \
  } while (0)
#define rcu_read_lock_trace() \
  do {                        \
  } while (0)
#define rcu_read_unlock_trace() \
  do {                          \
  } while (0)
#define rcu_read_lock_held() 1
#define rcu_trace_implies_rcu_gp() 1
#define rcu_dereference(p) (p)
#define rcu_dereference_raw(p) (p)
#define rcu_dereference_check(p, c) (p)
#define rcu_assign_pointer(p, v) ((p) = (v))
#define RCU_INIT_POINTER(p, v) ((p) = (v))
#define call_rcu(head, f) (f)(head)
#define call_rcu_tasks_trace(head, f) (f)(head)
void synchronize_rcu(void);
#define synchronize_rcu_tasks() synchronize_rcu()
#define migrate_disable() \
  do {                    \
  } while (0)
#define migrate_enable() \
  do {                   \
  } while (0)
#define preempt_disable() \
  do {                    \
  } while (0)
#define preempt_enable() \
  do {                   \
  } while (0)
#define cant_migrate() \
  do {                 \
  } while (0)
#define cant_sleep() \
  do {               \
  } while (0)
#define might_sleep() \
  do {                \
  } while (0)
#define cond_resched() \
  do {                 \
  } while (0)
#define local_irq_save(f) ((f) = 0)
#define local_irq_restore(f) \
  do {                       \
  } while (0)
#define lockdep_assert_held(l) \
  do {                         \
  } while (0)
#define u64_stats_init(s) \
  do {                    \
  } while (0)
#define u64_stats_update_begin(s) \
  do {                            \
  } while (0)
#define u64_stats_update_end(s) \
  do {                          \
  } while (0)
#define u64_stats_update_begin_irqsave(s) 0
#define u64_stats_update_end_irqrestore(s, f) \
  do {                                        \
  } while (0)
#define u64_stats_inc(p) ((p)->v++)
#define u64_stats_add(p, n) ((p)->v += (n))
#define sched_clock() 0ULL
#define local_clock() 0ULL
#define INIT_WORK(w, f) ((w)->func = (f))
#define schedule_work(w) ((w)->func(w))
#define current ((struct task_struct*)NULL)

#define DEFINE_STATIC_KEY_FALSE(name) struct static_key_false name
#define DECLARE_STATIC_KEY_FALSE(name) extern struct static_key_false name
#define DEFINE_STATIC_KEY_TRUE(name) struct static_key_true name = {{1}}
#define DECLARE_STATIC_KEY_TRUE(name) extern struct static_key_true name
#define static_branch_likely(k) ((k)->key.enabled)
#define static_branch_unlikely(k) ((k)->key.enabled)
#define static_branch_enable(k) ((k)->key.enabled = 1)
#define DEFINE_STATIC_CALL_NULL(name, f) typeof(f)* plumb_static_call_##name
#define DEFINE_STATIC_CALL_RET0(name, f) typeof(f)* plumb_static_call_##name
#define DECLARE_STATIC_CALL(name, f) extern typeof(f)* plumb_static_call_##name
#define static_call(name) plumb_static_call_##name
#define static_call_cond(name) \
  if (plumb_static_call_##name) plumb_static_call_##name

#define atomic_read(a) ((a)->counter)
#define atomic_set(a, v) ((a)->counter = (v))
#define atomic_inc(a) ((void)(a)->counter++)
#define atomic_dec(a) ((void)(a)->counter--)
#define atomic64_read(a) ((a)->counter)
#define atomic64_set(a, v) ((a)->counter = (v))
#define atomic64_inc(a) ((void)(a)->counter++)
#define atomic64_dec(a) ((void)(a)->counter--)
#define atomic_long_read(a) ((a)->counter)
#define atomic_long_add_return(n, a) ((a)->counter += (n))
#define atomic_long_sub(n, a) ((void)((a)->counter -= (n)))
#define atomic_long_add(n, a) ((void)((a)->counter += (n)))
#define xchg(p, v)                 \
  ({                               \
    typeof(*(p)) plumb_old = *(p); \
    *(p) = (v);                    \
    plumb_old;                     \
  })
#define refcount_set(r, n) ((r)->refs.counter = (n))

/* ---- Determinism: constants are blinded with a fixed sequence, all else is not random ---- */
unsigned int plumb_random(void);
#define get_random_u32() plumb_random()
#define get_random_u32_below(n) 0u
#define get_random_u32_inclusive(a, b) (a)
#define prandom_u32_max(n) 0u
#define prandom_u32() 0u
#define get_random_int() plumb_random()
#define prandom_u32_state(s) 0u
#define prandom_init_once(s) \
  do {                       \
  } while (0)

/*
 * Calls are encoded relative to __bpf_call_base(), which core.c defines as a function. Native code
 * has to find the helper stubs there, so every use that is not a call or a declaration takes this
 * variable: a macro with parameters leaves the bare name alone. The same for what trampolines call.
 */
#ifndef PLUMB_INTERPRETER /* there it is the function, in reach of what is called */
extern char *__bpf_call_base, *__bpf_tramp_enter, *__bpf_tramp_exit;
#define __bpf_call_base(...) plumb_unused_call_base(__VA_ARGS__)
#define __bpf_tramp_enter(...) plumb_unused_tramp_enter(__VA_ARGS__)
#define __bpf_tramp_exit(...) plumb_unused_tramp_exit(__VA_ARGS__)
#endif

/* ---- Lists that RCU readers may walk ---- */
#define INIT_LIST_HEAD_RCU INIT_LIST_HEAD
#define list_add_rcu list_add
#define list_add_tail_rcu list_add_tail
#define list_del_rcu list_del
#define list_for_each_entry_rcu(position, head, member, ...) \
  list_for_each_entry(position, head, member)

/* ---- Permissions, symbols, maps of the rest of the kernel ---- */
#define CAP_BPF 39
#define CAP_PERFMON 38
#define CAP_SYS_ADMIN 21
#define capable(c) true
#define ns_capable(ns, c) true
#define ns_capable_noaudit(ns, c) true
#define memcg_bpf_enabled() false
#define module_put(m) \
  do {                \
  } while (0)
#define copy_to_user(to, from, size) 0
#define task_pid_nr(t) 0
#define perfmon_capable() true
#define bpf_capable() true
#define cpu_mitigations_off() false
#define kallsyms_show_value(...) true
#define current_cred() NULL
#define skb_network_header(skb) ((skb)->head + (skb)->network_header)
#define skb_mac_header(skb) ((skb)->head + (skb)->mac_header)
#define skb_tail_pointer(skb) ((skb)->head)
#define skb_mac_header_was_set(skb) false
/* Fault tables: nothing of ours faults in the kernel. */
const struct exception_table_entry* search_extable(const struct exception_table_entry* base,
                                                   size_t count, unsigned long address);
#define bpf_mem_alloc_init(...) 0
#define ENOTSUPP 524
#define fd_file(f) ((f).file)
#define fd_empty(f) (!(f).file)
#define fdput(f) \
  do {           \
  } while (0)
#define IFF_UP 1
#define VLAN_HLEN 4
#define AF_INET 2
#define AF_INET6 10
enum { NETNS_BPF_SK_LOOKUP, MAX_NETNS_BPF_ATTACH_TYPE };
#define init_user_ns (*(struct user_namespace*)NULL)
#define KSYM_NAME_LEN 512
#define KSYM_SYMBOL_LEN 600
#define MODULE_NAME_LEN 56
#define IFNAMSIZ 16
#define NETIF_F_GSO 0
#define NETDEV_XDP_ACT_MASK 0
#define SHA1_DIGEST_SIZE 20
#define SHA1_DIGEST_WORDS 5
#define SHA1_BLOCK_SIZE 64
#define SHA1_WORKSPACE_WORDS 16
#define sha1_init(d) memset(d, 0, SHA1_DIGEST_SIZE)
#define sha1_init_raw sha1_init
#define sha1_transform(d, data, ws) \
  do {                              \
  } while (0)
#define MODULES_VADDR plumb_arena_begin
#define MODULES_END plumb_arena_end
extern unsigned long plumb_arena_begin, plumb_arena_end;

static inline void latch_tree_insert(struct latch_tree_node* node, struct latch_tree_root* root,
                                     const struct latch_tree_ops* ops) {
  node->next = root->first;
  root->first = node;
}
static inline void latch_tree_erase(struct latch_tree_node* node, struct latch_tree_root* root,
                                    const struct latch_tree_ops* ops) {
  struct latch_tree_node** link = &root->first;
  while (*link != node) link = &(*link)->next;
  *link = node->next;
}
static inline struct latch_tree_node* latch_tree_find(void* key, struct latch_tree_root* root,
                                                      const struct latch_tree_ops* ops) {
  struct latch_tree_node* node = root->first;
  while (node && ops->comp(key, node) != 0) node = node->next;
  return node;
}

#endif
