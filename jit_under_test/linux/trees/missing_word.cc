// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/linux/trees/missing_word.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <system_error>
#include <vector>

namespace plumb::jit::trees {
namespace {

namespace fs = std::filesystem;

using Kind = MissingWord::Kind;

constexpr std::size_t kLongestWord = 80;
constexpr std::size_t kLongestLine = 160;

// The word stands between quotes behind `before`; where `of` is set, the structure does so behind
// that.
struct Wording {
  std::string_view before;
  Kind kind;
  std::string_view of = {};
};

// GCC's wording, then Clang's where it differs, then the linkers'. The first that fits counts.
constexpr std::array<Wording, 16> kWordings{{
    {"implicit declaration of function '", Kind::kFunction},
    {"unknown type name '", Kind::kType},
    {"has no member named '", Kind::kMember, "error: '"},
    {"invalid use of undefined type '", Kind::kStructure},
    {"invalid application of 'sizeof' to incomplete type '", Kind::kStructure},
    {"dereferencing pointer to incomplete type '", Kind::kStructure},
    {"__attribute__' before '", Kind::kAttribute},
    {"before '__", Kind::kAttribute},
    {"call to undeclared function '", Kind::kFunction},
    {"use of undeclared identifier '", Kind::kConstant},
    {"no member named '", Kind::kMember, "' in '"},
    {"incomplete definition of type '", Kind::kStructure},
    {"field has incomplete type '", Kind::kStructure},
    {"undefined reference to `", Kind::kDefinition},
    {"undefined symbol: ", Kind::kDefinition},
    {"error: '", Kind::kConstant},
}};

struct Home {
  Kind kind;
  std::string_view file;  // below jit_under_test/linux/
  std::string_view line;  // with the word for {}
};

constexpr std::array<Home, 7> kHomes{{
    {Kind::kConstant, "shim/common/plumb_types.h", "#define {} ..."},
    {Kind::kFunction, "shim/common/plumb_functions.h", "a declaration of {}()"},
    {Kind::kType, "shim/common/plumb_types.h", "typedef ... {};"},
    {Kind::kStructure, "shim/common/plumb_types.h", "{} {{ ... }};"},
    {Kind::kMember, "shim/common/plumb_types.h", "the member {}"},
    {Kind::kAttribute, "shim/common/plumb_compiler.h", "#define {}"},
    {Kind::kDefinition, "glue/unused.c", "a definition of {}()"},
}};

bool is_word_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// From position on: a word, with "struct " in front or not.
std::string word_at(std::string_view text, std::size_t position) {
  std::string_view rest = text.substr(std::min(position, text.size()));
  std::size_t end = rest.starts_with("struct ") ? std::string_view("struct ").size() : 0;
  while (end < rest.size() && is_word_character(rest[end])) ++end;
  return std::string(rest.substr(0, std::min(end, kLongestWord)));
}

bool is_word_in(std::string_view line, std::string_view word) {
  for (std::size_t at = 0; (at = line.find(word, at)) != std::string_view::npos; ++at) {
    const std::size_t end = at + word.size();
    if ((at == 0 || !is_word_character(line[at - 1])) &&
        (end == line.size() || !is_word_character(line[end]))) {
      return true;
    }
  }
  return false;
}

// Whether a line of a header looks like the place where the word is declared, not where it is used.
bool declares(std::string_view line, const MissingWord& missing) {
  const auto starts = [line](std::string_view text) { return line.starts_with(text); };
  if (!is_word_in(line, missing.word)) return false;
  switch (missing.kind) {
    case Kind::kConstant:
    case Kind::kAttribute:
      return starts("#define " + missing.word) || starts("\t" + missing.word);
    case Kind::kFunction:
    case Kind::kDefinition:
      return starts("#define " + missing.word) ||
             (!starts("\t") && !starts(" ") && line.contains(missing.word + "("));
    case Kind::kType:
      return starts("typedef ") || line == "} " + missing.word + ";";
    case Kind::kStructure:
      return line == missing.word + " {";
    case Kind::kMember:
      return false;
  }
  return false;
}

}  // namespace

std::optional<MissingWord> find_missing_word(std::string_view complaint) {
  for (const Wording& wording : kWordings) {
    const std::size_t at = complaint.find(wording.before);
    if (at == std::string_view::npos) continue;
    // The wording may end in the word's own first characters.
    const std::size_t quote = wording.before.find_last_of("'` ");
    MissingWord missing{.kind = wording.kind, .word = word_at(complaint, at + quote + 1), .of = {}};
    if (missing.word.empty()) continue;
    if (wording.before == kWordings.back().before &&
        !complaint.substr(at).contains("' undeclared")) {
      continue;
    }
    if (!wording.of.empty()) {
      const std::size_t of = complaint.find(wording.of);
      if (of == std::string_view::npos) continue;
      missing.of = word_at(complaint, of + wording.of.size());
    }
    return missing;
  }
  return std::nullopt;
}

std::optional<std::string> find_declaration(const fs::path& tree, const MissingWord& missing) {
  std::vector<fs::path> headers;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(
           tree / "include", fs::directory_options::skip_permission_denied, error)) {
    if (entry.path().extension() == ".h") headers.push_back(entry.path());
  }
  std::ranges::sort(headers);
  for (const fs::path& header : headers) {
    std::ifstream in(header);
    std::string line;
    for (std::size_t number = 1; std::getline(in, line); ++number) {
      if (!declares(line, missing)) continue;
      std::ranges::replace(line, '\t', ' ');
      return fmt::format("{}:{}: {}", header.lexically_relative(tree).string(), number,
                         line.substr(0, kLongestLine));
    }
  }
  return std::nullopt;
}

std::string line_to_add(const MissingWord& missing) {
  const auto home = std::ranges::find(kHomes, missing.kind, &Home::kind);
  const std::string word =
      missing.of.empty() ? missing.word : fmt::format("{} of {}", missing.word, missing.of);
  return fmt::format("add to jit_under_test/linux/{}: {}", home->file,
                     fmt::format(fmt::runtime(home->line), word));
}

}  // namespace plumb::jit::trees
