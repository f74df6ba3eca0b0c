// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "core/finding.h"
#include "harness/waivers.h"
#include "jit_under_test/jit.h"

namespace plumb::harness {

// A waiver covers one cause: a violation, and what follows from it (Violation::follows, that is:
// seen later, and explained by its spread). What a case shows besides is reported.
//
// Is a violation that a waiver's signature fits really that bug? Where there is a JIT that has it
// alone, the case is judged again there: the same invariant has to break in the same role at the
// same event. Where the waiver names the code that is compiled wrongly (code=), it is for cases
// that have such code, and the case is judged again without the code of all waivers that fit: then
// that invariant must not break in that role.
//
//   JIT                               has the known bug alone
//   reference:<layout>+<defect>       reference:<layout>
//   named by a waiver with like=JIT   that JIT
//   any other                         none: the signature decides

// The name of that JIT, or empty: there is none, or the JIT is it.
[[nodiscard]] std::string alone_with_bug(const Waiver& waiver, std::string_view jit);

// The signature of one violation of a judgement on the JIT.
[[nodiscard]] Signature violation_signature(const jit::JitInfo& jit, const Violation& violation);

// Appended to the role of a violation that fits a waiver and is not the waiver's bug.
inline constexpr std::string_view kNotAsKnown = "-not-as-known";

// Does the JIT that has the waived bug alone show the violation, too? True where it cannot tell.
using Confirm = std::function<bool(const Waiver& waiver, const Violation& violation)>;

// Puts in front of the violations the first one that no waiver explains, and gives the judgement
// its signature; where waivers explain all of them, Judgement::known names the waiver of the first.
// Only for judgements with violations.
void name_cause(const jit::JitInfo& jit, std::span<const NamedWaiver> waivers,
                const Confirm& confirm, Judgement& judgement);

}  // namespace plumb::harness
