// SPDX-License-Identifier: GPL-2.0-or-later
//
// Shared objects that are loaded at run time: JIT plugins, interpreters, the kernel's tests.
#pragma once

#include <dlfcn.h>

#include <memory>
#include <string>

#include "core/result.h"

namespace plumb::jit {

struct LibraryCloser {
  void operator()(void* handle) const { dlclose(handle); }
};
using Library = std::unique_ptr<void, LibraryCloser>;

// Its symbols stay its own (RTLD_LOCAL), so that several of one kind live side by side. The error
// names the path as it was given.
Result<Library> load_library(const std::string& path);

}  // namespace plumb::jit
