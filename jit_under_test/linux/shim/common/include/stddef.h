/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For jit_under_test/plugin.h inside kernel code: plumb_types.h has declared what it needs. */
