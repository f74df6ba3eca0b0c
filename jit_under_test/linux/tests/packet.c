/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Socket buffers, as far as populate_skb() of lib/test_bpf.c fills them. */

struct sk_buff* alloc_skb(unsigned int size, gfp_t flags) {
  struct sk_buff* skb = kzalloc(sizeof(*skb), flags);
  skb->head = skb->data = kzalloc(size, flags);
  return skb;
}

void kfree_skb(struct sk_buff* skb) {
  kfree(skb->fragment);
  kfree(skb->head);
  kfree(skb);
}

void* __skb_put_data(struct sk_buff* skb, const void* data, unsigned int size) {
  u8* end = skb->data + skb->len;
  skb->len += size;
  return memcpy(end, data, size);
}

struct page* alloc_page(gfp_t flags) {
  return kzalloc(sizeof(struct page), flags);
}

void skb_add_rx_frag(struct sk_buff* skb, int i, struct page* page, int offset, int size,
                     unsigned int truesize) {
  BUG_ON(i || offset || skb->fragment);
  skb->fragment = page_address(page);
  skb->len += size;
  skb->data_len += size;
  skb->truesize += truesize;
}
