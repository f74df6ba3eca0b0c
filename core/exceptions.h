// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "core/case.h"

// Programs that throw. bpf_throw ends all frames from the one that calls it up to the next main
// function, which is the boundary, and the boundary's exception callback runs in its place: with
// the cookie in R1, with a BPF stack of its own, and its result goes where the main function's
// would have gone (kernel commits f18b03fabaa9, fd5d27b70188; kernel/bpf/helpers.c, bpf_throw()).
namespace plumb {

// The name of a callback that nobody wrote; no file can declare it.
inline constexpr const char* kDefaultCallbackName = "(default callback)";

// Does any instruction of it throw? Its main function is an exception boundary then.
[[nodiscard]] bool throws(const Function& function);
[[nodiscard]] bool throws(const Program& program);

// A program that throws has a callback: one that says none gets "r0 = r1; exit" as its last
// function, as add_hidden_subprog() of kernel/bpf/verifier.c (6.12) gives it; one that no longer
// throws loses that again. Owed by whoever makes or changes programs. False: there is no room for
// one function more, and nothing is changed.
[[nodiscard]] bool complete_callback(Program& program);
[[nodiscard]] bool complete_callbacks(Case& value);

// The case without the callbacks that nobody wrote, for whoever adds functions to programs: what is
// there is what a file says.
void drop_default_callbacks(Case& value);

}  // namespace plumb
