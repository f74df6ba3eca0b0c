// SPDX-License-Identifier: GPL-2.0-or-later
// A kernel tree that does not compile uses a word that our shim has not: which word, and what line
// to add where. Read from what GCC, Clang and the linker print in the locale C.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"

namespace plumb::jit::trees {

struct MissingWord {
  enum class Kind : std::uint8_t {
    kConstant,   // an identifier in an expression
    kFunction,   // called, and not declared
    kType,       // a typedef's name
    kStructure,  // "struct X", used as if we knew what is in it
    kMember,     // of the structure in `of`
    kAttribute,  // stands where only compiler words can
    kDefinition  // declared, and nobody defines it
  };
  Kind kind = Kind::kConstant;
  std::string word;
  std::string of;  // kMember: "struct X"
  bool operator==(const MissingWord&) const = default;
};

// What a line of the compiler's or the linker's complains is missing; nothing when it complains of
// something else.
[[nodiscard]] std::optional<MissingWord> find_missing_word(std::string_view complaint);

// Where the tree itself declares the word, as "include/crypto/sha2.h:15: #define ..."; nothing when
// the headers that are there do not.
[[nodiscard]] std::optional<std::string> find_declaration(const std::filesystem::path& tree,
                                                          const MissingWord& missing);

// "add to jit_under_test/linux/shim/common/plumb_types.h: #define X ...".
[[nodiscard]] std::string line_to_add(const MissingWord& missing);

}  // namespace plumb::jit::trees
