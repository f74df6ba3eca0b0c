/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lib/test_bpf.c expects around it, beyond plumb_kernel.h: socket buffers as far as its tests
 * look into them, and the vocabulary of a module. Its own ways to run a program are compiled and
 * never called.
 */
#ifndef PLUMB_TESTS_H
#define PLUMB_TESTS_H

#define module_param_string(...)
#define module_param_array(...)
#define module_init(f) static __maybe_unused int (*plumb_module_init)(void) = f
#define module_exit(f) static __maybe_unused void (*plumb_module_exit)(void) = f
#define MODULE_DESCRIPTION(s)
#define MODULE_LICENSE(s)
#define __initconst
#define pr_cont(...) \
  do {               \
  } while (0)
#undef pr_info
#define pr_info(...) \
  do {               \
  } while (0)

/* ---- random numbers: LFSR113 of L'Ecuyer (1999), as in the kernel; a result depends on it ---- */
static inline u32 plumb_lfsr(u32 state, u32 a, u32 b, u32 mask, u32 c) {
  return ((state & mask) << c) ^ (((state << a) ^ state) >> b);
}
static inline u32 plumb_next_random(struct rnd_state* state) {
  state->s1 = plumb_lfsr(state->s1, 6, 13, ~1u, 18);
  state->s2 = plumb_lfsr(state->s2, 2, 27, ~7u, 2);
  state->s3 = plumb_lfsr(state->s3, 13, 21, ~15u, 7);
  state->s4 = plumb_lfsr(state->s4, 3, 12, ~127u, 13);
  return state->s1 ^ state->s2 ^ state->s3 ^ state->s4;
}
static inline void prandom_seed_state(struct rnd_state* state, u64 seed) {
  const u32 i = (u32)(seed >> 32 ^ seed << 10 ^ seed);
  state->s1 = i < 2 ? i + 2 : i; /* below these a part would get stuck at 0 */
  state->s2 = i < 8 ? i + 8 : i;
  state->s3 = i < 16 ? i + 16 : i;
  state->s4 = i < 128 ? i + 128 : i;
}
#undef prandom_u32_state
#define prandom_u32_state(state) plumb_next_random(state)

/* ---- time, as the tests of tail calls call it: by address, and never from here ---- */
#undef numa_node_id
int numa_node_id(void);
u64 ktime_get_ns(void);
u64 ktime_get_boot_fast_ns(void);
u64 ktime_get_coarse_ns(void);
u64 get_jiffies_64(void);
#undef do_div
#define do_div(n, base)                   \
  ({                                      \
    u32 plumb_rest = (u32)((n) % (base)); \
    (n) /= (base);                        \
    plumb_rest;                           \
  })

/* ---- packets ---- */
#define NET_SKB_PAD 64
#define NET_IP_ALIGN 0
#define ETH_HLEN 14
#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#undef htons
#define htons(x) ((__be16)__builtin_bswap16(x))
/* The tests of segmentation are not run: any numbers do. */
#define SKB_GSO_DODGY 1
#define SKB_GSO_TCPV4 2
#define SKB_GSO_TCPV6 4
#define NETIF_F_SG 0
#define NETIF_F_GSO_PARTIAL 0
#define NETIF_F_IP_CSUM 0
#define NETIF_F_IPV6_CSUM 0
#define NETIF_F_RXCSUM 0
#define NETIF_F_FRAGLIST 0
#define NETIF_F_HW_VLAN_CTAG_TX 0
#define NETIF_F_HW_VLAN_STAG_TX 0
#define NETIF_F_GRO 0
#define NETIF_F_LLTX 0

struct page {
  char bytes[4096];
};
struct skb_shared_info {
  struct sk_buff* frag_list;
  struct {
    ktime_t hwtstamp;
  } hwtstamps;
  u16 gso_size, gso_segs;
  u32 gso_type;
};

/* packet.c: a head of fixed size, and one fragment at most. */
struct sk_buff* alloc_skb(unsigned int size, gfp_t flags);
void kfree_skb(struct sk_buff* skb);
void* __skb_put_data(struct sk_buff* skb, const void* data, unsigned int size);
void skb_add_rx_frag(struct sk_buff* skb, int i, struct page* page, int offset, int size,
                     unsigned int truesize);
struct page* alloc_page(gfp_t flags);
#define page_address(page) ((void*)(page)->bytes)
#define kmap(page) page_address(page)
#define kunmap(page) \
  do {               \
  } while (0)
#define skb_reset_mac_header(skb) ((void)((skb)->mac_header = (u16)((skb)->data - (skb)->head)))
#define skb_set_network_header(skb, offset) \
  ((void)((skb)->network_header = (u16)((skb)->data - (skb)->head + (offset))))

/* Only the tests of segmentation come here. */
static inline struct skb_shared_info* plumb_no_segmentation(void) {
  BUG();
  return NULL;
}
#define dev_alloc_skb(size) ((struct sk_buff*)plumb_no_segmentation())
#define skb_segment(skb, features) ((struct sk_buff*)plumb_no_segmentation())
#define skb_shinfo(skb) plumb_no_segmentation()
#define skb_reserve(skb, size) ((void)plumb_no_segmentation())
#define skb_put(skb, size) ((void)plumb_no_segmentation())
#define __skb_pull(skb, size) ((void)plumb_no_segmentation())
#define skb_reset_network_header(skb) ((void)plumb_no_segmentation())
#define skb_set_mac_header(skb, offset) ((void)plumb_no_segmentation())
#define kfree_skb_list(skb) ((void)plumb_no_segmentation())
#define __free_page(page) ((void)plumb_no_segmentation())
extern struct net init_net;
#define dev_net_set(device, net) \
  do {                           \
  } while (0)

#endif
