/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's checker and converter of classic BPF: the part of net/core/filter.c that
 * plumb_linux_classic() of cmake/PlumblineLinuxTests.cmake cut out. What converted programs call is
 * compiled with it, and never called: only its address is of use. Of select_runtime, nothing: the
 * program that it would compile is what we want to see.
 */
#include <linux/bpf.h>
#include <linux/filter.h>

#include "glue/kernel.h"

/* ---- what the converted program would call, and what that calls ---- */
struct nlattr {
  u16 nla_len, nla_type;
};
#define skb_get_poff(skb) 0
#define skb_is_nonlinear(skb) ((skb)->data_len != 0)
#define nla_find(head, len, type) ((struct nlattr*)NULL)
#define nla_find_nested(nla, type) ((struct nlattr*)NULL)
#define nla_ok(nla, rest) false
#define skb_network_offset(skb) ((int)(skb)->network_header - (int)((skb)->data - (skb)->head))
#define skb_mac_offset(skb) ((int)(skb)->mac_header - (int)((skb)->data - (skb)->head))
#define skb_copy_bits(skb, offset, to, size) (-14)
#define get_unaligned_be16(p) __builtin_bswap16(*(const u16*)(p))
#define get_unaligned_be32(p) __builtin_bswap32(*(const u32*)(p))
#define bpf_user_rnd_init_once() \
  do {                           \
  } while (0)
u64 bpf_user_rnd_u32(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5) { return 0; }
u64 bpf_get_raw_cpu_id(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5) { return 0; }

/* ---- vocabulary ---- */
#define PKT_TYPE_MAX 7
#define PKT_TYPE_OFFSET offsetof(struct sk_buff, pkt_type)
#define PKT_VLAN_PRESENT_OFFSET offsetof(struct sk_buff, vlan_present)
#define PKT_VLAN_PRESENT_BIT 0
#undef kmemdup_array
#define kmemdup_array(from, n, size, flags) kmemdup(from, (n) * (size), flags)

/* ---- sockets: the functions for them are cut out with the rest, and not called ---- */
#define sock_net(sk) (&plumb_no_net)
#define sk_omem_alloc unused_counter
static struct {
  struct {
    int sysctl_optmem_max;
  } core;
} plumb_no_net;
static int sysctl_optmem_max;
#undef atomic_read
#define atomic_read(a) 0
#undef atomic_add
#define atomic_add(n, a) ((void)(n))
#undef atomic_sub
#define atomic_sub(n, a) ((void)(n))
#undef refcount_dec_and_test
#define refcount_dec_and_test(r) false
#undef refcount_inc_not_zero
#define refcount_inc_not_zero(r) false
#define copy_from_user(to, from, size) 1

/* ---- programs ---- */
u64 plumb_unused_call_base(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5) { return 0; }

struct bpf_prog* bpf_prog_alloc(unsigned int size, gfp_t flags) {
  struct bpf_prog* fp = kzalloc(size, flags);
  fp->aux = kzalloc(sizeof(*fp->aux), flags);
  return fp;
}

void __bpf_prog_free(struct bpf_prog* fp) {
  kfree(fp->aux);
  kfree(fp);
}

void bpf_prog_free(struct bpf_prog* fp) { __bpf_prog_free(fp); }

struct bpf_prog* bpf_prog_realloc(struct bpf_prog* old, unsigned int size, gfp_t flags) {
  struct bpf_prog* fp = kzalloc(size, flags);
  memcpy(fp, old, offsetof(struct bpf_prog, insns));
  kfree(old);
  return fp;
}

struct bpf_prog* bpf_prog_select_runtime(struct bpf_prog* fp, int* err) {
  *err = 0;
  return fp;
}

#define bpf_jit_compile(fp) \
  do {                      \
  } while (0)

#include "classic.inc"
