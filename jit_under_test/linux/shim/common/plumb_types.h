/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Types of kernel code: integers, locks, reference counts, and the few fields of larger kernel
 * objects that BPF headers touch. Locks and counters are plain data: a plugin runs one thread.
 *
 * Field offsets follow from these types, not from a distribution's kernel. That is sound because
 * native code and every object it reads are made by this one build.
 */
#ifndef PLUMB_TYPES_H
#define PLUMB_TYPES_H

#include "plumb_compiler.h"

typedef unsigned char u8, __u8, u_int8_t, uint8_t;
typedef signed char s8, __s8;
typedef unsigned short u16, __u16, uint16_t;
typedef short s16, __s16;
typedef unsigned int u32, __u32, uint, uint32_t;
typedef int s32, __s32;
typedef unsigned long long u64, __u64;
typedef long long s64, __s64;
/* As in libc, so that jit_under_test/plugin.h means the same on both sides of the plugin. */
typedef __INT8_TYPE__ int8_t;
typedef __INT16_TYPE__ int16_t;
typedef __INT32_TYPE__ int32_t;
typedef __INT64_TYPE__ int64_t;
typedef __UINT64_TYPE__ uint64_t;
typedef __UINTPTR_TYPE__ uintptr_t;
typedef u16 __le16, __be16, __sum16;
typedef u32 __le32, __be32, __wsum, __portpair;
typedef u64 __le64, __be64, __addrpair, __aligned_u64_base;
typedef u64 __attribute__((aligned(8))) __aligned_u64, aligned_u64;
typedef s64 __attribute__((aligned(8))) __aligned_s64;
typedef _Bool bool;
typedef __SIZE_TYPE__ size_t;
typedef long ssize_t, __kernel_long_t;
typedef unsigned long __kernel_ulong_t, ulong;
typedef __PTRDIFF_TYPE__ ptrdiff_t;
typedef long off_t;
typedef long long loff_t, ktime_t, time64_t;
typedef unsigned int gfp_t, fmode_t, __poll_t, slab_flags_t, compat_uptr_t, dev_t;
typedef unsigned short umode_t, sa_family_t;
typedef int pid_t;
typedef unsigned int vm_fault_t;
typedef u64 netdev_features_t;
typedef unsigned long pgoff_t;
typedef __builtin_va_list va_list;
#define __bitwise__

#define CHAR_BIT_ 8
#define BITS_PER_LONG 64
#define __BITS_PER_LONG 64
#define BITS_PER_BYTE 8
#define BITS_PER_LONG_LONG 64
#define PAGE_SHIFT 12
#ifndef PAGE_SIZE
#define PAGE_SIZE 4096UL
#endif
#define PAGE_MASK (~(PAGE_SIZE - 1))

struct bpf_prog_array;
struct cred;
struct page;
struct poll_table_struct;
struct seq_file;
struct vm_fault;
struct list_head {
  struct list_head *next, *prev;
};
struct hlist_node {
  struct hlist_node *next, **pprev;
};
struct hlist_head {
  struct hlist_node* first;
};
struct llist_node {
  struct llist_node* next;
};
struct llist_head {
  struct llist_node* first;
};
struct rb_node {
  struct rb_node *rb_right, *rb_left;
};
struct rb_root {
  struct rb_node* rb_node;
};
struct callback_head {
  struct callback_head* next;
  void (*func)(struct callback_head* head);
};
#define rcu_head callback_head
typedef void (*rcu_callback_t)(struct rcu_head* head);

typedef struct {
  int counter;
} atomic_t;
typedef struct {
  s64 counter;
} atomic64_t;
typedef atomic64_t atomic_long_t;
typedef struct {
  atomic_t refs;
} refcount_t;
struct kref {
  refcount_t refcount;
};
typedef struct {
  int locked;
} spinlock_t, raw_spinlock_t, rwlock_t, local_lock_t;
typedef struct {
  u64 v;
} u64_stats_t;
typedef struct {
  u64 v;
} local64_t;
typedef struct {
  long a;
} local_t;
typedef struct {
  u32 val;
} kuid_t, kgid_t;
struct bpf_res_spin_lock {
  u32 val;
};
typedef struct {
  int locked;
} rqspinlock_t;
struct u64_stats_sync {};
struct mutex {
  int locked;
};
struct rw_semaphore {
  int locked;
};
struct completion {
  int done;
};
struct lock_class_key {};
struct lockdep_map {};
struct wait_queue_head {
  int unused;
};
typedef struct wait_queue_head wait_queue_head_t;
struct work_struct;
typedef void (*work_func_t)(struct work_struct* work);
struct work_struct {
  work_func_t func;
};
struct delayed_work {
  struct work_struct work;
};
struct rcu_work {
  struct work_struct work;
};
struct irq_work {
  void (*func)(struct irq_work*);
};
struct timer_list {
  int unused;
};
struct hrtimer {
  int unused;
};
struct idr {
  int unused;
};
struct percpu_ref {
  long count;
};
struct static_key {
  int enabled;
};
struct static_key_true {
  struct static_key key;
};
struct static_key_false {
  struct static_key key;
};
struct seqcount_latch {
  int sequence;
};
typedef struct seqcount_latch seqcount_latch_t;
struct rnd_state {
  u32 s1, s2, s3, s4;
};
typedef struct {
  unsigned long bits[1];
} nodemask_t, cpumask_var_storage_t;
struct cpumask {
  unsigned long bits[1];
};
typedef struct cpumask cpumask_t;

/* linux/rbtree_latch.h: the tree of kallsyms. A list does, and is easier to reset. */
struct latch_tree_node {
  struct latch_tree_node* next;
};
struct latch_tree_root {
  struct latch_tree_node* first;
};
struct latch_tree_ops {
  bool (*less)(struct latch_tree_node* a, struct latch_tree_node* b);
  int (*comp)(void* key, struct latch_tree_node* node);
};

struct bpf_mem_alloc {
  int unused;
};
struct bpf_net_context;
struct task_struct {
  struct bpf_net_context* bpf_net_context;
  void* bpf_ctx;
  int pid;
  char comm[16];
};
struct module {
  int unused;
};
struct kobject {
  int unused;
};
struct ctl_table {
  int unused;
};
struct file {
  const void* f_op;
  void* private_data;
};
struct fd {
  struct file* file;
};
struct inode {
  int unused;
};
struct mem_cgroup {
  int unused;
};
struct obj_cgroup;
struct user_namespace {
  int unused;
};
struct in6_addr {
  u8 bytes[16];
};
struct in_addr {
  __be32 s_addr;
};
struct sockaddr {
  u16 family;
  char data[14];
};
struct net_device {
  unsigned int flags, priv_flags;
  unsigned int mtu, hard_header_len;
  struct list_head ptype_all;
  int ifindex;
  unsigned short type;
};
struct xdp_rxq_info {
  struct net_device* dev;
};
struct xdp_buff {
  struct xdp_rxq_info* rxq;
};
struct sock {
  int unused;
};
struct net {
  struct {
    struct bpf_prog_array* run_array[1];
  } bpf;
};
struct user_struct {
  int unused;
};
struct perf_event {
  int unused;
};
struct vm_area_struct {
  int unused;
};
struct kmem_cache {
  int unused;
};
struct ftrace_regs {
  int unused;
};
struct cgroup {
  int unused;
};
struct simple_xattr_cache {
  int unused;
};
struct ftrace_func_entry {
  int unused;
};
struct path {
  int unused;
};
struct iov_iter {
  int unused;
};
typedef struct {
  int unused;
} sockptr_t, bpfptr_t;
struct nsproxy {
  int unused;
};

enum skb_drop_reason { SKB_NOT_DROPPED_YET, SKB_DROP_REASON_SOCKET_FILTER };

/* Of socket buffers only what linux/filter.h, programs that were classic BPF and their tests use.
 */
#define QDISC_CB_PRIV_LEN 20
struct qdisc_skb_cb {
  u32 pkt_len;
  u16 slave_dev_queue_mapping;
  u16 tc_classid;
  u8 data[QDISC_CB_PRIV_LEN];
};
struct sk_buff {
  u8 *head, *data;
  u32 len, data_len, hash, mark, priority;
  u16 queue_mapping, protocol, mac_len, tc_index;
  union {
    u32 vlan_all;
    struct {
      u16 vlan_proto, vlan_tci;
    };
  };
  struct net_device* dev;
  struct sock* sk;
  char cb[96];
  u8 pkt_type;
  u8 __pkt_type_offset[0], __vlan_present_offset[0];
  u32 napi_id;
  u32 truesize;
  u16 mac_header, network_header; /* offsets from head */
  u8 vlan_present;                /* up to 6.1 */
  u8* fragment;                   /* the data_len bytes behind those at data, if there are any */
};

static inline struct qdisc_skb_cb* qdisc_skb_cb(const struct sk_buff* skb) {
  return (struct qdisc_skb_cb*)skb->cb;
}

struct exception_table_entry; /* plumb_arch.h */

#endif
