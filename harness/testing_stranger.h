// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

#include "jit_under_test/jit.h"

// Stand-ins for JITs whose plugins say little: the code is that of a JIT which we know.
namespace plumb::harness {

// One word that a plugin need not say (docs/contract.md), in the contract or in each image.
struct Word {
  std::string_view name;
  void (*forget)(jit::JitInfo&) = nullptr;
  void (*forget_in_function)(NativeFunction&) = nullptr;
};

[[nodiscard]] std::span<const Word> all_words();

// The JIT, which says other things about itself, and its images too.
class ChangedJit final : public jit::Jit {
 public:
  using ChangeInfo = std::function<void(jit::JitInfo&)>;
  using ChangeImage = std::function<void(Image&)>;

  ChangedJit(std::unique_ptr<jit::Jit> real, const ChangeInfo& change_info,
             ChangeImage change_image);
  [[nodiscard]] const jit::JitInfo& info() const override { return info_; }
  [[nodiscard]] jit::LoadOutcome load(const Case& value) override;

 private:
  std::unique_ptr<jit::Jit> real_;
  jit::JitInfo info_;
  ChangeImage change_image_;
};

// The JIT, as a plugin that leaves these words out.
[[nodiscard]] std::unique_ptr<jit::Jit> stranger(std::unique_ptr<jit::Jit> real,
                                                 std::span<const Word> words);

// The JIT, as a plugin whose contract and images say anything that such a plugin may say. Little of
// it is so.
[[nodiscard]] std::unique_ptr<jit::Jit> talker(std::unique_ptr<jit::Jit> real, std::uint64_t seed);

}  // namespace plumb::harness
