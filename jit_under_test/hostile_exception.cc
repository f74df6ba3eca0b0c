// SPDX-License-Identifier: GPL-2.0-or-later
// For hostile_plugin.c: what C cannot do.
#include <stdexcept>

extern "C" void throw_exception();
extern "C" void throw_exception() { throw std::runtime_error("out of the plugin"); }
