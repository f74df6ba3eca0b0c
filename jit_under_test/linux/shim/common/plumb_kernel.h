/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Forced in front of every kernel file (-include): what a kernel file expects its surroundings to
 * declare, in our own words.
 */
#ifndef PLUMB_KERNEL_H
#define PLUMB_KERNEL_H

#include <linux/kconfig.h>

#include "plumb_arch.h" /* which brings the others of this directory */

/* Leaf headers of the tree: named here, because the headers that would bring them are empty. */
#include <asm-generic/errno.h>
#include <linux/align.h>
#include <linux/args.h>
#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/build_bug.h>
#include <linux/const.h>
#include <linux/container_of.h>
#include <linux/err.h>
#include <linux/limits.h>
#include <linux/list.h>
#include <linux/overflow.h>
#include <linux/poison.h>
#include <linux/sizes.h>
#include <linux/stddef.h>
#include <linux/stringify.h>

/* Where some trees have it among these, others elsewhere. */
#ifndef __is_constexpr
#define __is_constexpr(x) __builtin_constant_p(x)
#endif

#endif
