/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compiler vocabulary of kernel code: attributes, barriers, assertions. First of the headers that
 * are forced in front of every kernel file; see plumb_kernel.h.
 */
#ifndef PLUMB_COMPILER_H
#define PLUMB_COMPILER_H

#include "plumb_config.h"

#define __KERNEL__ 1

#ifndef NULL
#define NULL ((void*)0)
#endif

#define __user
#define __iomem
#define __percpu
#define __rcu
#define __force
#define __bitwise
#define __private
#define __nocast
#define __safe
#define __must_hold(x)
#define __guarded_by(...)
#define __context_unsafe(comment)
#define __no_context_analysis
#define __acquires(x)
#define __releases(x)
#define __init
#define __exit
#define __initdata
#define __read_mostly
#define __ro_after_init
#define __cold
#define __hot
#define __visible
#define notrace
#define noinstr
#define __nocfi
#define __no_kcsan
#define __noendbr
#define __latent_entropy
#define __randomize_layout
#define randomized_struct_fields_start
#define randomized_struct_fields_end
#define __counted_by(m)
#define __cacheline_group_begin(g)
#define __cacheline_group_end(g)
#define ____cacheline_aligned_in_smp __attribute__((aligned(64)))
#define ____cacheline_aligned __attribute__((aligned(64)))
#define __cacheline_aligned __attribute__((aligned(64)))
#define asmlinkage
#define __diag_push()
#define __diag_pop()
#define __diag_ignore_all(...)
#define __diag_ignore(...)
#define __ADDRESSABLE(sym)

#define __packed __attribute__((packed))
#define __aligned(x) __attribute__((aligned(x)))
#define __printf(a, b) __attribute__((format(printf, a, b)))
#define __attribute_const__ __attribute__((const))
#define __pure __attribute__((pure))
#define __weak __attribute__((weak))
#define __used __attribute__((used))
#define __unused __attribute__((unused))
#define __maybe_unused __attribute__((unused))
#define __always_unused __attribute__((unused))
#define __must_check
#define __malloc
#define __noreturn __attribute__((noreturn))
#define __always_inline inline __attribute__((always_inline))
#define noinline __attribute__((noinline))
#define noinline_for_stack noinline
#define __no_profile
#define __section(s)
#define __alias(s) __attribute__((alias(#s)))
#define __same_type(a, b) __builtin_types_compatible_p(typeof(a), typeof(b))
#define __PASTE_INNER(a, b) a##b
#define __PASTE(a, b) __PASTE_INNER(a, b)
#define __UNIQUE_ID(prefix) __PASTE(__PASTE(__UNIQUE_ID_, prefix), __COUNTER__)
#define ___PASTE __PASTE_INNER
#define const_true(x) __builtin_choose_expr(__builtin_constant_p(x), x, 0)
#define statically_true(x) (__builtin_constant_p(x) && (x))
#define is_signed_type(t) ((t)(-1) < (t)1)
#define __signed_scalar_typeof(x) typeof(x)
#define __BUILD_BUG_ON_ZERO_MSG(condition, ...) 0
#define __scalar_type_to_expr_cases(type) \
  unsigned type : (unsigned type)0, signed type : (signed type)0
#define __native_word(t) 1

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)
#ifndef fallthrough
#define fallthrough __attribute__((fallthrough))
#endif
#define unreachable() __builtin_unreachable()
#define barrier() __asm__ __volatile__("" : : : "memory")
#define OPTIMIZER_HIDE_VAR(v) __asm__("" : "=r"(v) : "0"(v))
#define RELOC_HIDE(p, off) ((typeof(p))((unsigned long)(p) + (off)))
#define READ_ONCE(x) (*(const volatile typeof(x)*)&(x))
#define WRITE_ONCE(x, v) (*(volatile typeof(x)*)&(x) = (v))
#define data_race(x) (x)
#define smp_store_release(p, v) WRITE_ONCE(*(p), v)
#define smp_load_acquire(p) READ_ONCE(*(p))
#define smp_mb() barrier()
#define smp_wmb() barrier()
#define smp_rmb() barrier()
#define barrier_nospec() barrier()

/* Some of the kernel's conditions are constants only to an optimiser, and GCC and Clang differ in
 * which: a condition that does not hold is a BUG when it is reached, whatever was folded. */
#define compiletime_assert(condition, message) \
  do {                                         \
    if (!(condition)) BUG();                   \
  } while (0)
#define __compiletime_error(message)
#define __compiletime_warning(message)

#define EXPORT_SYMBOL(s)
#define EXPORT_SYMBOL_GPL(s)
#define EXPORT_TRACEPOINT_SYMBOL_GPL(s)
#define pure_initcall(f) static __maybe_unused int (*__PASTE(plumb_initcall_, f))(void) = f
#define late_initcall(f) pure_initcall(f)
#define core_initcall(f) pure_initcall(f)
#define module_param(...)
#define MODULE_PARM_DESC(...)
#define STACK_FRAME_NON_STANDARD(f)
#define STACK_FRAME_NON_STANDARD_FP(f)
#define ANNOTATE_NOENDBR
#define NOKPROBE_SYMBOL(f)
#define SYM_FUNC_ALIAS_WEAK(a, b)

#endif
