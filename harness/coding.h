// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string_view>
#include <tuple>

#include "core/case.h"
#include "core/codec.h"
#include "core/finding.h"
#include "harness/judge.h"
#include "harness/kernel_tests.h"
#include "harness/minimize.h"

// What the values that child processes send are made of (core/codec.h).
namespace plumb {

template <>
struct Enumerators<Verdict> {
  // A judgement that nobody made is none to send.
  static constexpr Verdict first = Verdict::kConforms;
  static constexpr Verdict last = Verdict::kPluginFailed;
};
template <>
struct Enumerators<SecondOpinion::Status> {
  static constexpr auto first = SecondOpinion::Status::kNotAsked;
  static constexpr auto last = SecondOpinion::Status::kDisagrees;
};
template <>
struct Enumerators<RowAnswer::Kind> {
  static constexpr auto first = RowAnswer::Kind::kNotApplicable;
  static constexpr auto last = RowAnswer::Kind::kViolated;
};
template <>
struct Enumerators<NotApplicableReason> {
  static constexpr auto first = static_cast<NotApplicableReason>(0);
  static constexpr auto last = static_cast<NotApplicableReason>(kNotApplicableReasons - 1);
};
template <>
struct Enumerators<harness::Stage> {
  static constexpr auto first = harness::Stage::kGenerated;
  static constexpr auto last = harness::Stage::kCompared;
};
template <>
struct Enumerators<harness::KernelTestOutcome::Verdict> {
  static constexpr auto first = harness::KernelTestOutcome::Verdict::kPassed;
  static constexpr auto last = harness::KernelTestOutcome::Verdict::kHarnessFailed;
};
template <>
struct Enumerators<harness::KernelTestOutcome::Oracle> {
  static constexpr auto first = harness::KernelTestOutcome::Oracle::kNotAsked;
  static constexpr auto last = harness::KernelTestOutcome::Oracle::kUndefined;
};

template <>
struct Members<Place> {
  static constexpr std::tuple value{&Place::program, &Place::function, &Place::slot};
};
template <>
struct Members<Violation> {
  static constexpr std::tuple value{
      &Violation::invariant, &Violation::role,       &Violation::at,      &Violation::event,
      &Violation::message,   &Violation::activation, &Violation::follows, &Violation::access};
};
template <>
struct Members<Signature> {
  static constexpr std::tuple value{&Signature::invariant, &Signature::family, &Signature::arch,
                                    &Signature::role};
};
template <>
struct Members<SecondOpinion> {
  static constexpr std::tuple value{&SecondOpinion::status, &SecondOpinion::text};
};
template <>
struct Members<RowAnswer> {
  static constexpr std::tuple value{&RowAnswer::kind, &RowAnswer::reason};
};
template <>
struct Members<Judgement> {
  static constexpr std::tuple value{
      &Judgement::verdict,    &Judgement::signature, &Judgement::violations, &Judgement::reason,
      &Judgement::opinion,    &Judgement::answers,   &Judgement::known,      &Judgement::detail,
      &Judgement::interrupts, &Judgement::walks};
};
template <>
struct Members<harness::Outcome> {
  static constexpr std::tuple value{&harness::Outcome::judgement, &harness::Outcome::stage};
};
template <>
struct Members<harness::Minimised> {
  static constexpr std::tuple value{&harness::Minimised::value, &harness::Minimised::attempts,
                                    &harness::Minimised::complete};
};
template <>
struct Members<harness::KernelTestOutcome> {
  static constexpr std::tuple value{
      &harness::KernelTestOutcome::verdict, &harness::KernelTestOutcome::reason,
      &harness::KernelTestOutcome::oracle, &harness::KernelTestOutcome::undefined_reason,
      &harness::KernelTestOutcome::ran};
};

// A name of an invariant (or one of harness/judge.h): it lives as long as the program.
template <>
struct CustomCoding<std::string_view> {
  static void encode(Encoder& encoder, const std::string_view& name);
  static bool decode(Decoder& decoder, std::string_view& name);
};

// As text (core/case_text.h).
template <>
struct CustomCoding<Case> {
  static void encode(Encoder& encoder, const Case& value);
  static bool decode(Decoder& decoder, Case& value);
};

}  // namespace plumb
