/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compiled once per plugin, with what CMake knows about it. */
#include "glue/variant.h"

const struct plumb_variant plumb_variant = {
    .name = PLUMB_PLUGIN_NAME,
    .version = PLUMB_TREE_VERSION,
    .origin = PLUMB_TREE_ORIGIN,
    .arena_base = PLUMB_ARENA_BASE,
    .arena_size = PLUMB_ARENA_SIZE,
    .switches = PLUMB_SWITCHES,
};
