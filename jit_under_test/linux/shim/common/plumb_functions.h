/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The rest of the kernel, as far as BPF refers to it: permissions, symbols, packets, files. Last of
 * the headers that are the same for all architectures: it brings the others.
 */
#ifndef PLUMB_FUNCTIONS_H
#define PLUMB_FUNCTIONS_H

#include "plumb_locking.h"

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

/* ---- Permissions, symbols, maps of the rest of the kernel ---- */
#define CAP_BPF 39
#define CAP_PERFMON 38
#define CAP_SYS_ADMIN 21
#define capable(c) true
#define ns_capable(ns, c) true
#define ns_capable_noaudit(ns, c) true
#define memcg_bpf_enabled() false
#define try_module_get(m) true
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
#define skb_headlen(skb) ((skb)->len - (skb)->data_len)
#define skb_metadata_len(skb) 0
#define netif_is_bond_slave(device) false
#define RB_CLEAR_NODE(node) ((node)->rb_left = (node)->rb_right = NULL)
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
#define SHA256_DIGEST_SIZE 32
#define SHA1_DIGEST_SIZE 20
#define SHA1_DIGEST_WORDS 5
#define SHA1_BLOCK_SIZE 64
#define SHA1_WORKSPACE_WORDS 16
#define sha256(data, size, digest) memset(digest, 0, SHA256_DIGEST_SIZE)
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
