/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the verifier finds out about tail calls: which functions must hand the counter on, and
 * which tail calls have a known array and key.
 */
#include "glue/kernel.h"

enum { kMaxFrames = 8 /* MAX_CALL_FRAMES */, kMaxFunctions = 256, kMaxVisits = 100000 };

static const struct bpf_insn* insns_of(const struct plumb_function* function) {
  return (const struct bpf_insn*)function->insns;
}

static bool is_tail_call(const struct bpf_insn* insn) {
  return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == 0 &&
         insn->imm == BPF_FUNC_tail_call;
}

bool plumb_has_tail_call(const struct plumb_function* function) {
  for (u32 i = 0; i < function->insn_count; i++)
    if (is_tail_call(insns_of(function) + i)) return true;
  return false;
}

static bool refers_to_function(const struct bpf_insn* insn) {
  return (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL) ||
         (insn->code == (BPF_LD | BPF_IMM | BPF_DW) && insn->src_reg == BPF_PSEUDO_FUNC);
}

/*
 * The walk of check_max_stack_depth_subprog(), with its way of marking: once a function with a
 * tail call was entered, every function that ends later marks all of its callers, also where no
 * tail call is on that path. The marks decide about native code, so they are copied to the letter.
 * Where the walk begins at an exception callback, no caller may get a mark; a tail call of the
 * callback itself is let through.
 */
static const char* walk_from(const struct plumb_program* program, u32 start,
                             const bool* has_tail_call, bool* reachable) {
  u32 return_slot[kMaxFrames], return_function[kMaxFrames];
  u32 frame = 0, function = start, slot = 0, visits = 0;
  bool seen = false;
  for (;;) {
    const struct plumb_function* f = plumb_function_at(program, function);
    while (slot < f->insn_count && !refers_to_function(insns_of(f) + slot)) slot++;
    if (slot < f->insn_count) {
      if (frame + 1 >= kMaxFrames || ++visits > kMaxVisits)
        return "the call stack is deeper than 8 frames";
      return_slot[frame] = slot + 1;
      return_function[frame++] = function;
      function = (u32)insns_of(f)[slot].imm;
      slot = 0;
      if (has_tail_call[function]) seen = true;
      continue;
    }
    if (seen && frame && start) return "tail calls below exception callbacks are not supported";
    if (seen)
      for (u32 j = 0; j < frame; j++) reachable[return_function[j]] = true;
    if (frame == 0) return NULL;
    slot = return_slot[--frame];
    function = return_function[frame];
  }
}

/* check_max_stack_depth(): from the exception callback, which nothing calls, and from the main
 * function. */
const char* plumb_tail_call_reachable(const struct plumb_program* program, bool* reachable) {
  const u32 callback = plumb_exception_callback(program);
  bool has_tail_call[kMaxFunctions];
  const char* why = NULL;
  for (u32 f = 0; f < program->function_count; f++)
    reachable[f] = has_tail_call[f] = plumb_has_tail_call(plumb_function_at(program, f));
  if (program->function_count == 1) return NULL;
  if (callback) why = walk_from(program, callback, has_tail_call, reachable);
  return why ? why : walk_from(program, 0, has_tail_call, reachable);
}

/* ---- Constants in straight-line code ---- */

struct value {
  enum { kUnknown, kNumber, kArray } kind;
  u64 number; /* or the array's index */
};

static void forget(struct value* regs, u32 count) {
  for (u32 r = 0; r < count; r++) regs[r].kind = kUnknown;
}

static struct value number(u64 n) {
  const struct value v = {kNumber, n};
  return v;
}

static void step_alu(const struct bpf_insn* insn, struct value* regs) {
  const bool is64 = BPF_CLASS(insn->code) == BPF_ALU64;
  struct value* dst = &regs[insn->dst_reg];
  if (BPF_OP(insn->code) != BPF_MOV || insn->off) {
    dst->kind = kUnknown;
  } else if (BPF_SRC(insn->code) == BPF_K) {
    *dst = number(is64 ? (u64)(s64)insn->imm : (u64)(u32)insn->imm);
  } else {
    *dst = regs[insn->src_reg];
    if (is64) return;
    if (dst->kind == kArray) dst->kind = kUnknown;
    dst->number = (u32)dst->number;
  }
}

static void step_load_imm(const struct bpf_insn* insn, struct value* regs) {
  struct value* dst = &regs[insn->dst_reg];
  if (insn->src_reg == 0) {
    *dst = number((u32)insn[0].imm | (u64)(u32)insn[1].imm << 32);
  } else if (insn->src_reg == BPF_PSEUDO_MAP_FD) {
    dst->kind = kArray;
    dst->number = (u32)insn->imm;
  } else {
    dst->kind = kUnknown;
  }
}

static void step(const struct bpf_insn* insn, struct value* regs) {
  switch (BPF_CLASS(insn->code)) {
    case BPF_ALU:
    case BPF_ALU64:
      step_alu(insn, regs);
      break;
    case BPF_LD:
      step_load_imm(insn, regs);
      break;
    case BPF_LDX:
      regs[insn->dst_reg].kind = kUnknown;
      break;
    case BPF_STX:
      if (BPF_MODE(insn->code) == BPF_ATOMIC && (insn->imm & BPF_FETCH))
        regs[insn->imm == BPF_CMPXCHG ? BPF_REG_0 : insn->src_reg].kind = kUnknown;
      break;
    case BPF_JMP:
      if (BPF_OP(insn->code) == BPF_CALL) forget(regs, BPF_REG_6);
      break;
    default:
      break;
  }
}

static void mark_targets(const struct plumb_function* function, u8* is_target) {
  const struct bpf_insn* insn = insns_of(function);
  memset(is_target, 0, function->insn_count);
  for (u32 i = 0; i < function->insn_count; i++) {
    const u8 class = BPF_CLASS(insn[i].code), op = BPF_OP(insn[i].code);
    if ((class != BPF_JMP && class != BPF_JMP32) || op == BPF_CALL || op == BPF_EXIT) continue;
    is_target[(s64)i + 1 + (insn[i].code == (BPF_JMP32 | BPF_JA) ? insn[i].imm : insn[i].off)] = 1;
  }
}

/*
 * The verifier follows every path and takes a tail call as direct when all of them bring the same
 * constants. Here: the constants that straight-line code since the last jump target brings. What
 * this misses becomes an indirect tail call, which is correct, only slower.
 */
u32 plumb_find_tail_calls(const struct plumb_function* function, struct plumb_tail_call_site* sites,
                          u32 capacity) {
  const struct bpf_insn* insn = insns_of(function);
  struct value regs[MAX_BPF_REG];
  u32 count = 0;
  u8* is_target = NULL;
  if (!sites) {
    for (u32 i = 0; i < function->insn_count; i++) count += is_tail_call(&insn[i]);
    return count;
  }
  is_target = kmalloc(function->insn_count, GFP_KERNEL);
  mark_targets(function, is_target);
  forget(regs, MAX_BPF_REG);
  for (u32 i = 0; i < function->insn_count; i++) {
    if (is_target[i]) forget(regs, MAX_BPF_REG);
    if (is_tail_call(&insn[i])) {
      if (count < capacity) {
        struct plumb_tail_call_site* site = &sites[count];
        site->slot = i;
        site->known = regs[BPF_REG_2].kind == kArray && regs[BPF_REG_3].kind == kNumber;
        site->array = site->known ? (u32)regs[BPF_REG_2].number : 0;
        site->key = site->known ? regs[BPF_REG_3].number : 0;
      }
      count++;
    }
    step(&insn[i], regs);
    if (BPF_CLASS(insn[i].code) == BPF_LD) i++;
  }
  kfree(is_target);
  return count;
}
