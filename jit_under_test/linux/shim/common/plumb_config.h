/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel configuration that the plugins stand for: a distribution's, as far as BPF sees it. */
#ifndef PLUMB_CONFIG_H
#define PLUMB_CONFIG_H

#define CONFIG_64BIT 1
#define CONFIG_MMU 1
#define CONFIG_SMP 1
#define CONFIG_BPF 1
#define CONFIG_BPF_SYSCALL 1
#define CONFIG_BPF_JIT 1
#ifndef PLUMB_INTERPRETER /* with it, core.c has no interpreter */
#define CONFIG_BPF_JIT_ALWAYS_ON 1
#endif
#define CONFIG_BPF_JIT_DEFAULT_ON 1
#define CONFIG_HAVE_EBPF_JIT 1
#define CONFIG_NET 1
#define CONFIG_ILLEGAL_POINTER_VALUE 0xdead000000000000

#endif
