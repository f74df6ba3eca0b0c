// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/case.h"
#include "core/insn_text.h"
#include "core/text_cursor.h"

// What was read of a case file while its names are not resolved. Internal to the case text format.
namespace plumb::text {

// A place in the text, for errors about what was read earlier.
struct Spot {
  int line = 0;
  std::size_t column = 0;
};

[[nodiscard]] inline std::unexpected<Problem> problem(const Spot& spot, std::string message) {
  return std::unexpected(Problem{spot.column, std::move(message), spot.line});
}

// What a name was declared as.
struct Declared {
  enum class Kind : std::uint8_t { kArray, kRegion, kProgram, kFunction };
  Kind kind = Kind::kArray;
  std::size_t index = 0;
  Spot spot;
};
using Names = std::map<std::string, Declared, std::less<>>;

// A name in an instruction or in an array's slot.
struct NameUse {
  std::string name;
  Spot spot;
  std::size_t owner = 0;     // program, or array
  std::size_t function = 0;  // instructions only
  std::size_t slot = 0;
  bool has_offset = false;  // "name+8"
  std::uint64_t offset = 0;
};

struct Draft {
  Case value;
  Names objects;  // arrays and regions share their names
  Names programs;
  std::vector<Names> functions;  // of each program
  std::vector<NameUse> slots;
  std::vector<NameUse> callbacks;  // of programs
  std::vector<NameUse> calls;
  std::vector<NameUse> symbols;  // of wide loads
  std::optional<NameUse> enter;
};

// Puts indices where names were used.
[[nodiscard]] Read<void> resolve(Draft& draft);

// The labels of one function and the jumps to them.
class Labels {
 public:
  [[nodiscard]] Read<void> define(std::string_view name, std::size_t slot, const Spot& spot);
  void jump(const Reference& reference, std::size_t slot, const Spot& spot);
  // Sets the jumps' offsets; every target must be an instruction of the function. Forgets all.
  [[nodiscard]] Read<void> resolve(Function& function);

 private:
  struct Label {
    std::size_t slot = 0;
    Spot spot;
  };
  struct Jump {
    std::optional<std::string> label;  // none: the instruction has its offset
    std::size_t slot = 0;
    Spot spot;
  };
  [[nodiscard]] Read<void> resolve_jump(std::vector<Insn>& insns, const std::vector<bool>& starts,
                                        const Jump& jump) const;

  std::map<std::string, Label, std::less<>> labels_;
  std::vector<Jump> jumps_;
};

}  // namespace plumb::text
