/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For jit_under_test/plugin.h inside kernel code: plumb_types.h has declared what it needs. */
#ifndef PLUMB_STDINT_H
#define PLUMB_STDINT_H
#define UINT32_MAX 0xffffffffu
#endif
