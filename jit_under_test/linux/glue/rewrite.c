/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What do_misc_fixups() and its neighbours in kernel/bpf/verifier.c do to instructions: no division
 * traps, references become addresses, and JITs that ask for it get explicit zero extension.
 *
 * A rewritten instruction takes several; `first` maps slots to them, and jumps follow it.
 */
#include "glue/kernel.h"

enum { kLongestSequence = 10 };

static const struct bpf_insn* insns_of(const struct plumb_function* function) {
  return (const struct bpf_insn*)function->insns;
}

static bool is_load_imm64(const struct bpf_insn* insn) {
  return insn->code == (BPF_LD | BPF_IMM | BPF_DW);
}

static bool is_division(const struct bpf_insn* insn) {
  const u8 class = BPF_CLASS(insn->code), op = BPF_OP(insn->code);
  return (class == BPF_ALU || class == BPF_ALU64) && (op == BPF_DIV || op == BPF_MOD);
}

/* The four rewrites of a division or modulo by a register: the result is defined for divisor 0,
 * and for -1 where it is signed, which would trap on the most negative dividend. */
static u32 divide(const struct bpf_insn* insn, struct bpf_insn* to) {
  const bool is64 = BPF_CLASS(insn->code) == BPF_ALU64;
  const u8 alu = is64 ? BPF_ALU64 : BPF_ALU, jmp = is64 ? BPF_JMP : BPF_JMP32;
  const u8 dst = insn->dst_reg, src = insn->src_reg;
  const bool is_signed = insn->off == 1, is_quotient = BPF_OP(insn->code) == BPF_DIV;
  u32 n = 0;
  if (!is_signed) {
    if (is_quotient) {
      to[n++] = BPF_RAW_INSN(jmp | BPF_JNE | BPF_K, src, 0, 2, 0);
      to[n++] = BPF_ALU32_REG(BPF_XOR, dst, dst);
      to[n++] = BPF_JMP_IMM(BPF_JA, 0, 0, 1);
      to[n++] = *insn;
      return n;
    }
    to[n++] = BPF_RAW_INSN(jmp | BPF_JEQ | BPF_K, src, 0, is64 ? 1 : 2, 0);
    to[n++] = *insn;
  } else {
    /* AX = divisor + 1: 0 means -1, 1 means 0, anything above needs the real instruction. */
    to[n++] = BPF_MOV64_REG(BPF_REG_AX, src);
    to[n++] = BPF_RAW_INSN(alu | BPF_ADD | BPF_K, BPF_REG_AX, 0, 0, 1);
    if (is_quotient) {
      to[n++] = BPF_RAW_INSN(jmp | BPF_JGT | BPF_K, BPF_REG_AX, 0, 4, 1);
      to[n++] = BPF_RAW_INSN(jmp | BPF_JEQ | BPF_K, BPF_REG_AX, 0, 1, 0);
      to[n++] = BPF_RAW_INSN(alu | BPF_MOV | BPF_K, dst, 0, 0, 0);
      to[n++] = BPF_RAW_INSN(alu | BPF_NEG | BPF_K, dst, 0, 0, 0);
      to[n++] = BPF_JMP_IMM(BPF_JA, 0, 0, 1);
      to[n++] = *insn;
      return n;
    }
    to[n++] = BPF_RAW_INSN(jmp | BPF_JGT | BPF_K, BPF_REG_AX, 0, 3, 1);
    to[n++] = BPF_RAW_INSN(jmp | BPF_JEQ | BPF_K, BPF_REG_AX, 0, is64 ? 3 : 4, 1);
    to[n++] = BPF_MOV32_IMM(dst, 0);
    to[n++] = BPF_JMP_IMM(BPF_JA, 0, 0, 1);
    to[n++] = *insn;
  }
  if (!is64) { /* x % 0 = x, but a 32-bit one still clears the upper half */
    to[n++] = BPF_JMP_IMM(BPF_JA, 0, 0, 1);
    to[n++] = BPF_MOV32_REG(dst, dst);
  }
  return n;
}

/* Does the instruction write only the lower half of a register (is_reg64() of the verifier)? */
static bool defines_32_bits(const struct bpf_insn* insn) {
  const u8 class = BPF_CLASS(insn->code);
  if (class == BPF_ALU) return !(BPF_OP(insn->code) == BPF_END && insn->imm == 64);
  if (class == BPF_LDX) return BPF_MODE(insn->code) == BPF_MEM && BPF_SIZE(insn->code) != BPF_DW;
  return class == BPF_STX && BPF_MODE(insn->code) == BPF_ATOMIC && BPF_SIZE(insn->code) == BPF_W &&
         (insn->imm & BPF_FETCH);
}

static u8 defined_register(const struct bpf_insn* insn) {
  if (BPF_CLASS(insn->code) != BPF_STX) return insn->dst_reg;
  return insn->imm == BPF_CMPXCHG ? BPF_REG_0 : insn->src_reg;
}

/* A 32-bit compare-and-exchange defines all of R0, but some CPUs write it only when the comparison
 * fails: the verifier zero-extends R0 for every JIT. */
static bool needs_zero_extension(const struct bpf_insn* insn, bool for_all) {
  const bool is_exchange = BPF_CLASS(insn->code) == BPF_STX && insn->imm == BPF_CMPXCHG;
  return defines_32_bits(insn) && (for_all || is_exchange);
}

/* Everything but references and jumps. to has room for kLongestSequence. */
static u32 expand(const struct bpf_insn* insn, bool zero_extend, struct bpf_insn* to) {
  u32 n = 0;
  if (is_division(insn)) {
    const bool is64 = BPF_CLASS(insn->code) == BPF_ALU64;
    if (BPF_SRC(insn->code) == BPF_X) {
      n = divide(insn, to);
    } else if (insn->off == 1 && insn->imm == -1) {
      to[n++] =
          BPF_OP(insn->code) == BPF_DIV
              ? BPF_RAW_INSN((is64 ? BPF_ALU64 : BPF_ALU) | BPF_NEG | BPF_K, insn->dst_reg, 0, 0, 0)
              : BPF_MOV32_IMM(insn->dst_reg, 0);
    }
  }
  if (n == 0) to[n++] = *insn;
  /* The verifier does so only where it saw the upper half read; more than that is harmless. */
  if (needs_zero_extension(insn, zero_extend)) {
    const u8 reg = defined_register(insn);
    to[n++] = BPF_ZEXT_REG(reg);
  }
  return n;
}

static bool as_it_stands(const struct plumb_function* function) {
  return function->flags & PLUMB_FUNCTION_AS_IT_STANDS;
}

void plumb_rewrite_measure(const struct plumb_function* function, struct plumb_rewritten* result) {
  const struct bpf_insn* insn = insns_of(function);
  const bool zero_extend = bpf_jit_needs_zext();
  struct bpf_insn scratch[kLongestSequence];
  u32 len = 0;
  for (u32 i = 0; i < function->insn_count; i++) {
    result->first[i] = len;
    if (is_load_imm64(&insn[i])) {
      result->first[++i] = ++len;
      len++;
    } else if (!as_it_stands(function) &&
               (is_division(&insn[i]) || needs_zero_extension(&insn[i], zero_extend))) {
      len += expand(&insn[i], zero_extend, scratch);
    } else {
      len++;
    }
  }
  result->first[function->insn_count] = len;
  result->len = len;
}

static void set_imm64(struct bpf_insn* to, u64 value) {
  to[0].imm = (s32)(u32)value;
  to[1].imm = (s32)(u32)(value >> 32);
}

static void resolve_load(const struct bpf_insn* insn, const struct plumb_names* names,
                         struct bpf_insn* to) {
  const u8 kind = insn->src_reg;
  to[0] = insn[0];
  to[1] = insn[1];
  if (kind == BPF_PSEUDO_FUNC) {
    /* Until the function has an address: some address near to where it will be, so that the JIT
     * picks the same encoding as later. The function's number waits in off. */
    to[0].off = (s16)insn->imm;
    set_imm64(to, MODULES_VADDR);
    return;
  }
  to[0].src_reg = 0;
  if (kind == BPF_PSEUDO_MAP_FD) {
    set_imm64(to, (u64)(unsigned long)names->arrays[insn->imm]);
  } else if (kind == BPF_PSEUDO_MAP_VALUE) {
    set_imm64(to, names->regions[insn->imm] + (u32)insn[1].imm);
  }
}

/* A direct tail call where array and key are known and in range; see record_func_key(). */
static int add_poke(const struct plumb_tail_call_site* site, const struct plumb_names* names,
                    struct bpf_prog* program, struct bpf_prog_aux* owner, u32 index) {
  struct bpf_map* map;
  int slot;
  if (!site->known || program->blinding_requested) return 0;
  map = &names->arrays[site->array]->map;
  if (site->key >= map->max_entries) return 0;
  struct bpf_jit_poke_descriptor poke = {
      .reason = BPF_POKE_REASON_TAIL_CALL,
      .tail_call.map = map,
      .tail_call.key = (u32)site->key,
      .insn_idx = index,
  };
  slot = bpf_jit_add_poke_descriptor(program, &poke);
  if (slot < 0) return slot;
  program->aux->poke_tab[slot].aux = owner;
  return slot + 1;
}

/* A jump keeps its target; it may have grown out of the reach of its offset field. */
static int relocate(struct bpf_insn* to, u32 from_slot, u32 at,
                    const struct plumb_rewritten* result) {
  const bool is_long = to->code == (BPF_JMP32 | BPF_JA);
  const s64 distance = is_long ? to->imm : to->off;
  const s64 moved = (s64)result->first[(s64)from_slot + 1 + distance] - at - 1;
  if (is_long) {
    to->imm = (s32)moved;
  } else if (moved < S16_MIN || moved > S16_MAX) {
    return -1;
  } else {
    to->off = (s16)moved;
  }
  return 0;
}

static int resolve_call(struct bpf_insn* to, const struct plumb_tail_call_site* site,
                        const struct plumb_names* names, struct bpf_prog* program,
                        struct bpf_prog_aux* owner, u32 index) {
  if (to->src_reg == BPF_PSEUDO_CALL) {
    to->off = (s16)to->imm; /* the function's number; its address is not known yet */
    to->imm = 1;
  } else if (plumb_is_throw(to)) {
    to->imm = PLUMB_THROW_STUB * PLUMB_STUB_STRIDE;
  } else if (to->imm == BPF_FUNC_tail_call) {
    const int poke = plumb_arch_facts.has_poke ? add_poke(site, names, program, owner, index) : 0;
    if (poke < 0) return poke;
    to->code = BPF_JMP | BPF_TAIL_CALL;
    to->imm = poke;
  } else {
    to->imm *= PLUMB_STUB_STRIDE; /* helper stubs start at __bpf_call_base */
  }
  return 0;
}

int plumb_rewrite(const struct plumb_function* function, const struct plumb_rewritten* result,
                  const struct plumb_names* names, struct bpf_prog* program,
                  struct bpf_prog_aux* owner, struct bpf_insn* to, struct plumb_message* message) {
  const struct bpf_insn* insn = insns_of(function);
  const bool zero_extend = bpf_jit_needs_zext();
  struct plumb_tail_call_site* sites = NULL;
  u32 next_site = 0, count = plumb_find_tail_calls(function, NULL, 0);
  int status = 0;
  if (count) {
    sites = kmalloc_array(count, sizeof(*sites), GFP_KERNEL);
    plumb_find_tail_calls(function, sites, count);
  }
  for (u32 i = 0; i < function->insn_count && status == 0; i++, insn++) {
    const u32 at = result->first[i];
    const u8 class = BPF_CLASS(insn->code);
    if (class == BPF_LD) {
      resolve_load(insn, names, &to[at]);
      i++, insn++;
    } else if (class != BPF_JMP && class != BPF_JMP32) {
      if (as_it_stands(function))
        to[at] = *insn;
      else
        (void)expand(insn, zero_extend, &to[at]);
    } else {
      to[at] = *insn;
      if (insn->code == (BPF_JMP | BPF_CALL)) {
        const bool is_tail_call = insn->src_reg == 0 && insn->imm == BPF_FUNC_tail_call;
        struct plumb_tail_call_site* site = is_tail_call ? &sites[next_site++] : NULL;
        if (site && as_it_stands(function)) site->known = false;
        status = resolve_call(&to[at], site, names, program, owner, i);
        if (status) plumb_say(message, "too many direct tail calls");
      } else if (insn->code != (BPF_JMP | BPF_EXIT)) {
        status = relocate(&to[at], i, at, result);
        if (status) plumb_say(message, "a jump grew out of the range of 16 bits");
      }
    }
  }
  kfree(sites);
  return status;
}
