/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What interpreter.c needs of core.c beyond kernel.h: the static parts (shim/interpreter/core.c).
 */
#ifndef PLUMB_GLUE_INTERPRETER_H
#define PLUMB_GLUE_INTERPRETER_H

#include "glue/kernel.h"

/* Runs the program's first function with R1 = context; R0. */
u64 plumb_interpret(const struct bpf_prog* prog, u64 context);

/* The immediate of a call of the function: how far it is from __bpf_call_base(). */
s32 plumb_call_distance(u64 (*function)(u64, u64, u64, u64, u64));

#endif
