// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/plugin_text.h"

#include <cstring>

#include "core/printable.h"

namespace plumb::jit {

std::string plugin_text(std::span<const char> text) {
  return printable({text.data(), strnlen(text.data(), text.size())}, kMostPluginText);
}

// One byte more shows that the text was cut.
std::string plugin_text(const char* text) {
  return printable({text, strnlen(text, kMostPluginText + 1)}, kMostPluginText);
}

}  // namespace plumb::jit
