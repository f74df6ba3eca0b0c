/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything that orders threads, with one thread: locks, RCU and its lists, preemption, time,
 * deferred work, keys and calls that are patched, atomics.
 */
#ifndef PLUMB_LOCKING_H
#define PLUMB_LOCKING_H

#include "plumb_memory.h"

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
/* A lock that is held to the end of the block: a declaration, in which nothing is declared. */
#define guard(lock) PLUMB_GUARD
#define PLUMB_GUARD() _Static_assert(1, "one thread")
#define rcu_read_lock_trace_held() 1
#define RCU_LOCKDEP_WARN(condition, text) \
  do {                                    \
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
#define might_fault() \
  do {                \
  } while (0)
#define interrupt_context_level() 0
#define fatal_signal_pending(task) false
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
#define NSEC_PER_SEC 1000000000L
#define sched_clock() 0ULL
#define ktime_get_mono_fast_ns() 0ULL
#define local_clock() 0ULL
#define INIT_WORK(w, f) ((w)->func = (f))
#define schedule_work(w) ((w)->func(w))
#define current ((struct task_struct*)NULL)

/* ---- Branches and calls that the kernel patches ---- */
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

/* ---- Lists that RCU readers may walk ---- */
#define INIT_LIST_HEAD_RCU INIT_LIST_HEAD
#define list_add_rcu list_add
#define list_add_tail_rcu list_add_tail
#define list_del_rcu list_del
#define list_for_each_entry_rcu(position, head, member, ...) \
  list_for_each_entry(position, head, member)

#endif
