// SPDX-License-Identifier: GPL-2.0-or-later
#include "harness/amended_jit.h"

#include <memory>

namespace plumb::harness {
namespace {

class AmendedImage final : public jit::LoadedImage {
 public:
  AmendedImage(std::unique_ptr<jit::LoadedImage> loaded, Image image)
      : loaded_(std::move(loaded)), image_(std::move(image)) {}

  [[nodiscard]] const Image& image() const override { return image_; }
  [[nodiscard]] Result<jit::Unloaded> unload() override { return loaded_->unload(); }

 private:
  std::unique_ptr<jit::LoadedImage> loaded_;
  Image image_;
};

}  // namespace

AmendedJit::AmendedJit(jit::Jit& jit, Amendment amendment)
    : jit_(jit), amendment_(std::move(amendment)), info_(jit.info()) {
  if (amendment_.info) amendment_.info(info_);
}

jit::LoadOutcome AmendedJit::load(const Case& value) {
  jit::LoadOutcome outcome = jit_.load(value);
  if (outcome.image == nullptr) return outcome;
  Image image = outcome.image->image();
  image.contract = info_.contract;
  image.registers = info_.registers;
  image.frame = info_.frame;
  image.landing = info_.landing;
  image.code_rule = info_.code_rule;
  if (amendment_.image) amendment_.image(image);
  outcome.image = std::make_unique<AmendedImage>(std::move(outcome.image), std::move(image));
  return outcome;
}

}  // namespace plumb::harness
