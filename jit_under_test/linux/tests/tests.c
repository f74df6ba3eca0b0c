/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lib/test_bpf.c as the kernel tree has it, and the walk over its tables that hands its tests out.
 * Where the test module would run a program, somebody else does: what generate_filter() and
 * prepare_tail_call_tests() make of a table entry is made here, in terms of plugin.h.
 */
#include "glue/kernel.h"
#include "jit_under_test/kernel_tests.h"
#include "lib/test_bpf.c"

_Static_assert(sizeof(struct plumb_insn) == sizeof(struct bpf_insn), "one instruction slot");

/* Everything that a test handed out owns. One block, freed in release(). */
struct handle {
  struct plumb_kernel_subtest subtests[MAX_SUBTESTS];
  int filled;           /* the fill_helper of this test allocated its instructions; -1: none */
  struct bpf_prog* fp;  /* classic: what became of it */
  struct bpf_insn* own; /* tail calls: a copy with what they refer to */
  struct sk_buff packets[MAX_SUBTESTS];
};

char* __bpf_call_base = (char*)plumb_kernel_tests_entry;

static int say(char* error, size_t size, int status, const char* format, ...) {
  (void)snprintf(error, size, "%s", format);
  return status;
}

/* ---- test_bpf ---- */

static u32 context_flags(u8 aux) {
  if (aux & FLAG_NO_DATA) return PLUMB_TEST_NO_DATA;
  return aux & FLAG_LARGE_MEM ? PLUMB_TEST_MEMORY : PLUMB_TEST_PACKET;
}

/* As run_one(): the first always counts, zeros end the list. */
static void set_subtests(const struct bpf_test* from, struct handle* handle,
                         struct plumb_kernel_test* test) {
  test->subtests = handle->subtests;
  for (int i = 0; i < MAX_SUBTESTS; i++) {
    const u32 size = (u32)from->test[i].data_size, result = from->test[i].result;
    if (i > 0 && size == 0 && result == 0) break;
    handle->subtests[i].data_size = size;
    handle->subtests[i].result = result;
    test->subtest_count++;
  }
}

#if PLUMB_TREE_CLASSIC
/* What a converted program reads of a packet, pointers left out: nobody could follow them. */
static void set_packets(struct bpf_test* from, struct handle* handle,
                        struct plumb_kernel_test* test) {
  if (context_flags(from->aux) != PLUMB_TEST_PACKET) return;
  for (u32 i = 0; i < test->subtest_count; i++) {
    struct sk_buff* skb = generate_test_data(from, (int)i);
    if (!skb) continue;
    handle->packets[i] = *skb;
    handle->packets[i].head = handle->packets[i].data = handle->packets[i].fragment = NULL;
    handle->packets[i].dev = NULL;
    handle->subtests[i].context = (const u8*)&handle->packets[i];
    handle->subtests[i].context_size = sizeof(handle->packets[i]);
    release_test_data(from, skb);
  }
}

static bool is_pointer_in_packet(s16 offset) {
  return offset == offsetof(struct sk_buff, data) || offset == offsetof(struct sk_buff, dev);
}

/* Why the converted program cannot be run, or NULL. */
static const char* not_runnable(const struct bpf_prog* fp) {
  for (u32 i = 0; i < fp->len; i++) {
    const struct bpf_insn* insn = &fp->insnsi[i];
    if (insn->code == (BPF_JMP | BPF_CALL))
      return "classic BPF that calls functions of the kernel (packet loads, extensions)";
    if (insn->code == (BPF_LDX | BPF_MEM | BPF_DW) && is_pointer_in_packet(insn->off))
      return "classic BPF that follows pointers of a packet";
  }
  return NULL;
}

static int get_classic(u32 index, struct handle* handle, struct plumb_kernel_test* test,
                       char* error, size_t size) {
  struct bpf_test* from = &tests[index];
  struct sock_fprog_kern program = {.len = (u16)filter_length((int)index),
                                    .filter = filter_pointer((int)index)};
  const int result = bpf_prog_create(&handle->fp, &program);
  const char* reason;
  test->flags |= PLUMB_TEST_CLASSIC;
  if (from->aux & FLAG_EXPECTED_FAIL) {
    test->flags |= PLUMB_TEST_REJECTED;
    if (result == from->expected_errcode) return PLUMB_TEST_READY;
    return say(error, size, PLUMB_TEST_BROKEN, "the kernel's checker should have refused it");
  }
  if (result) return say(error, size, PLUMB_TEST_BROKEN, "the kernel's checker refuses it");
  reason = not_runnable(handle->fp);
  if (reason) return say(error, size, PLUMB_TEST_NOT_APPLICABLE, reason);
  set_packets(from, handle, test);
  test->insns = (const struct plumb_insn*)handle->fp->insnsi;
  test->insn_count = handle->fp->len;
  test->stack_depth = handle->fp->aux->stack_depth;
  return PLUMB_TEST_READY;
}
#else
static int get_classic(u32 index, struct handle* handle, struct plumb_kernel_test* test,
                       char* error, size_t size) {
  return say(error, size, PLUMB_TEST_NOT_APPLICABLE,
             "classic BPF, of which the tree has no converter that we know");
}
#endif

static int get_filter(u32 index, struct handle* handle, struct plumb_kernel_test* test, char* error,
                      size_t size) {
  struct bpf_test* from = &tests[index];
  if (from->fill_helper) {
    if (from->fill_helper(from) < 0)
      return say(error, size, PLUMB_TEST_BROKEN, "its program could not be made");
    handle->filled = (int)index;
  }
  test->flags = context_flags(from->aux);
  if (from->aux & FLAG_VERIFIER_ZEXT) test->flags |= PLUMB_TEST_ZERO_EXTENDED;
  test->stack_depth = (u32)from->stack_depth;
  set_subtests(from, handle, test);
  if ((from->aux & TEST_TYPE_MASK) == CLASSIC) return get_classic(index, handle, test, error, size);
  test->insns = (const struct plumb_insn*)filter_pointer((int)index);
  test->insn_count = (u32)filter_length((int)index);
  return PLUMB_TEST_READY;
}

/* ---- test_tail_calls ---- */

/* Two slots for a 64-bit load; code 0 ends a program that is shorter than the table's room. */
static u32 tail_call_length(const struct tail_call_test* from) {
  u32 len = 0;
  while (len < MAX_INSNS && from->insns[len].code != 0)
    len += from->insns[len].code == (BPF_LD | BPF_DW | BPF_IMM) ? 2 : 1;
  return len;
}

static s32 tail_call_index(u32 which, s32 offset) {
  const s32 count = ARRAY_SIZE(tail_call_tests);
  if (offset == TAIL_CALL_NULL) return count;
  return offset == TAIL_CALL_INVALID ? count + 1 : (s32)which + offset;
}

/* What prepare_tail_call_tests() puts in place of the markers, by index instead of by address. */
static void resolve_tail_calls(u32 which, struct bpf_insn* insns, u32 len) {
  for (u32 i = 0; i < len; i++) {
    struct bpf_insn* insn = &insns[i];
    if (insn->code == (BPF_LD | BPF_DW | BPF_IMM)) {
      if (insn->imm == TAIL_CALL_MARKER) {
        insn[0].src_reg = BPF_PSEUDO_MAP_FD;
        insn[0].imm = insn[1].imm = 0;
      }
      i++;
    } else if (insn->code == (BPF_ALU | BPF_MOV | BPF_K) && insn->imm == TAIL_CALL_MARKER) {
      insn->imm = tail_call_index(which, insn->off);
      insn->off = 0;
    } else if (insn->code == (BPF_JMP | BPF_TAIL_CALL)) {
      *insn = BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_tail_call);
    } else if (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL) {
      /* Functions of the kernel that are there to clobber registers. Any helper without arguments
       * does that. */
      *insn = BPF_RAW_INSN(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ktime_get_ns);
    }
  }
}

static int get_tail_call(u32 index, struct handle* handle, struct plumb_kernel_test* test) {
  const struct tail_call_test* from = &tail_call_tests[index];
  const u32 len = tail_call_length(from);
  handle->own = kmemdup(from->insns, len * sizeof(*from->insns), GFP_KERNEL);
  resolve_tail_calls(index, handle->own, len);
  test->insns = (const struct plumb_insn*)handle->own;
  test->insn_count = len;
  test->stack_depth = (u32)from->stack_depth;
  test->flags = from->flags & FLAG_NEED_STATE ? PLUMB_TEST_STATE : PLUMB_TEST_NO_DATA;
  handle->subtests[0].result = (u32)from->result;
  if (from->flags & FLAG_RESULT_IN_STATE) {
    test->flags |= PLUMB_TEST_RESULT_IN_STATE;
    handle->subtests[0].result /= MAX_TESTRUNS; /* each run adds the same to the state */
  }
  test->subtests = handle->subtests;
  test->subtest_count = 1;
  return PLUMB_TEST_READY;
}

/* ---- the entry ---- */

static void release(struct plumb_kernel_test* test) {
  struct handle* handle = test->handle;
  if (!handle) return;
  if (handle->filled >= 0) {
    kfree(tests[handle->filled].u.ptr.insns);
    tests[handle->filled].u.ptr.insns = NULL;
  }
#if PLUMB_TREE_CLASSIC
  if (handle->fp) bpf_prog_destroy(handle->fp);
#endif
  kfree(handle->own);
  kfree(handle);
  test->handle = NULL;
}

static struct plumb_kernel_tests interface = {
    .struct_size = sizeof(interface),
    .abi = PLUMB_KERNEL_TESTS_ABI,
    .version = PLUMB_TREE_VERSION,
    .counts = {ARRAY_SIZE(tests), ARRAY_SIZE(tail_call_tests), ARRAY_SIZE(skb_segment_tests)},
    .release = release,
};

static const char* name_of(u32 suite, u32 index) {
  if (suite >= PLUMB_SUITE_COUNT || index >= interface.counts[suite]) return NULL;
  switch (suite) {
    case PLUMB_SUITE_TEST_BPF:
      return tests[index].descr;
    case PLUMB_SUITE_TAIL_CALLS:
      return tail_call_tests[index].descr;
    default:
      return skb_segment_tests[index].descr;
  }
}

static int get(u32 suite, u32 index, struct plumb_kernel_test* test, char* error, size_t size) {
  struct handle* handle;
  int status;
  memset(test, 0, sizeof(*test));
  test->struct_size = sizeof(*test);
  if (suite >= PLUMB_SUITE_COUNT || index >= interface.counts[suite])
    return say(error, size, PLUMB_TEST_BROKEN, "no such test");
  if (suite == PLUMB_SUITE_SKB_SEGMENT)
    return say(error, size, PLUMB_TEST_NOT_APPLICABLE, "segmentation of packets, no BPF");
  handle = kzalloc(sizeof(*handle), GFP_KERNEL);
  handle->filled = -1;
  test->handle = handle;
  status = suite == PLUMB_SUITE_TAIL_CALLS ? get_tail_call(index, handle, test)
                                           : get_filter(index, handle, test, error, size);
  if (status != PLUMB_TEST_READY) release(test);
  return status;
}

__attribute__((visibility("default"))) const struct plumb_kernel_tests* plumb_kernel_tests_entry(
    void) {
  interface.get = get;
  interface.name = name_of;
  return &interface;
}
