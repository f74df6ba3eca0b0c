/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In the file of every plugin and interpreter whose entry is a source of this project: they may run
 * in the process that judges (isolated/strangers.h). */
#pragma once

#define PLUMB_PLUGIN_MARK "plumbline: the entry of this plugin is ours"

#define PLUMB_MARK_PLUGIN \
  static const char plumb_plugin_mark[] __attribute__((used)) = PLUMB_PLUGIN_MARK
