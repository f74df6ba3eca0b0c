// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstdint>

namespace plumb::jit::reference {

// One line of a recipe: what a prologue does, before it is known for which function.
enum class Part : std::uint8_t {
  kPatchSite,       // x86-64: nop5; arm64: mov x9, lr; nop
  kLandingPad,      // endbr64; at an arm64 entry bti jc, at a tail-call entry bti j
  kSignReturn,      // paciasp
  kClearCount,      // main functions that pass the count on: count register = 0; value: bytes on
                    // x86-64, where others have as many bytes of padding
  kRecord,          // frame record: save the frame pointer, point it here
  kEntry,           // tail calls land here
  kStack,           // room for the BPF stack and value bytes more
  kStackIfAny,      // the same, nothing when there is none; not with a private stack
  kShift,           // frame pointer += value
  kStoreSaved,      // callee-saved registers to [frame pointer + value ...]
  kStoreZeroCount,  // count = 0 at [frame pointer + value]
  kPushR15toRbx,    // push r15 r14 r13 rbx
  kPushR15R12Rbx,   // push r15 r14 r13 r12 rbx
  kPushSaved,       // the callee-saved registers that Saves asks for, ascending
  kPushZeroCount,   // a slot with count = 0
  kPushCount,       // count register, where the count has to be passed on
  kPushCountByReference,  // x86-64 6.12: the count's address, and in main functions the count
  kCountPair,             // arm64 6.12: the count and its address
  kPointR10,              // R10's register = sp; on arm64 6.12 only when R10 is used
  kBoundaryPair,          // arm64 6.9: main functions also save x23 x24, above R10
  kFrameBase,             // arm64 5.19: x27 = R10 - what makes offsets positive
  kPrivate,               // R10's register = per-CPU memory, where the function is eligible
};

struct RecipeLine {
  Part part;
  int value = 0;
};

namespace recipes {

using enum Part;

inline constexpr std::array kFixedFrame = std::to_array<RecipeLine>(
    {{kRecord}, {kStack, 40}, {kStoreSaved, -552}, {kStoreZeroCount, -520}, {kEntry}});
inline constexpr std::array kMangledFramePointer = std::to_array<RecipeLine>(
    {{kRecord}, {kStack, 40}, {kShift, -40}, {kStoreSaved, 0}, {kStoreZeroCount, 32}, {kEntry}});
inline constexpr std::array kR12 = std::to_array<RecipeLine>(
    {{kRecord}, {kPushR15R12Rbx}, {kPushZeroCount}, {kPointR10}, {kStack}, {kEntry}});
inline constexpr std::array kVirtualFramePointer =
    std::to_array<RecipeLine>({{kRecord}, {kPushR15toRbx}, {kPushZeroCount}, {kStack}, {kEntry}});
inline constexpr std::array kDoubleFrame = std::to_array<RecipeLine>(
    {{kRecord}, {kPushR15toRbx}, {kPushZeroCount}, {kRecord}, {kStack}, {kEntry}});
inline constexpr std::array kSavedBelowStack =
    std::to_array<RecipeLine>({{kRecord}, {kStack}, {kPushSaved}, {kPushZeroCount}, {kEntry}});
inline constexpr std::array kSavedBelowStackPatchSite = std::to_array<RecipeLine>(
    {{kPatchSite}, {kRecord}, {kStack}, {kPushSaved}, {kPushZeroCount}, {kEntry}});
inline constexpr std::array kDynamicPushes = std::to_array<RecipeLine>({{kPatchSite},
                                                                        {kClearCount, 2},
                                                                        {kRecord},
                                                                        {kEntry},
                                                                        {kStackIfAny},
                                                                        {kPushCount},
                                                                        {kPushSaved}});
inline constexpr std::array kDynamicPushesIbt = std::to_array<RecipeLine>({{kLandingPad},
                                                                           {kPatchSite},
                                                                           {kClearCount, 2},
                                                                           {kRecord},
                                                                           {kEntry},
                                                                           {kLandingPad},
                                                                           {kStackIfAny},
                                                                           {kPushCount},
                                                                           {kPushSaved}});
inline constexpr std::array kCountByReference = std::to_array<RecipeLine>({{kPatchSite},
                                                                           {kClearCount, 3},
                                                                           {kRecord},
                                                                           {kEntry},
                                                                           {kStackIfAny},
                                                                           {kPushCountByReference},
                                                                           {kPushSaved}});
inline constexpr std::array kCountByReferenceIbt =
    std::to_array<RecipeLine>({{kLandingPad},
                               {kPatchSite},
                               {kClearCount, 3},
                               {kRecord},
                               {kEntry},
                               {kLandingPad},
                               {kStackIfAny},
                               {kPushCountByReference},
                               {kPushSaved}});
inline constexpr std::array kPrivateStack = std::to_array<RecipeLine>({{kPatchSite},
                                                                       {kClearCount, 3},
                                                                       {kRecord},
                                                                       {kEntry},
                                                                       {kStackIfAny},
                                                                       {kPushCountByReference},
                                                                       {kPushSaved},
                                                                       {kPrivate}});

inline constexpr std::array kArm64Fixed = std::to_array<RecipeLine>(
    {{kRecord}, {kPushSaved}, {kPointR10}, {kClearCount}, {kEntry}, {kStack}});
inline constexpr std::array kArm64FixedBase = std::to_array<RecipeLine>({{kPatchSite},
                                                                         {kRecord},
                                                                         {kPushSaved},
                                                                         {kPointR10},
                                                                         {kClearCount},
                                                                         {kEntry},
                                                                         {kFrameBase},
                                                                         {kStack}});
inline constexpr std::array kArm64FixedBaseBtiPac = std::to_array<RecipeLine>({{kLandingPad},
                                                                               {kPatchSite},
                                                                               {kSignReturn},
                                                                               {kRecord},
                                                                               {kPushSaved},
                                                                               {kPointR10},
                                                                               {kClearCount},
                                                                               {kEntry},
                                                                               {kLandingPad},
                                                                               {kFrameBase},
                                                                               {kStack}});
inline constexpr std::array kArm64Boundary = std::to_array<RecipeLine>({{kPatchSite},
                                                                        {kRecord},
                                                                        {kPushSaved},
                                                                        {kPointR10},
                                                                        {kClearCount},
                                                                        {kEntry},
                                                                        {kBoundaryPair},
                                                                        {kFrameBase},
                                                                        {kStack}});
inline constexpr std::array kArm64CountByReference = std::to_array<RecipeLine>(
    {{kPatchSite}, {kRecord}, {kCountPair}, {kEntry}, {kPushSaved}, {kPointR10}, {kStackIfAny}});

}  // namespace recipes

}  // namespace plumb::jit::reference
