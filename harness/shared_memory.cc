// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/shared_memory.h"

#include <sys/mman.h>

#include "core/check.h"

namespace plumb::harness {

SharedBytes::SharedBytes(std::size_t size) : size_(size == 0 ? 1 : size) {
  data_ = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  PLUMB_CHECK(data_ != MAP_FAILED);
}

SharedBytes::~SharedBytes() { munmap(data_, size_); }

}  // namespace plumb::harness
