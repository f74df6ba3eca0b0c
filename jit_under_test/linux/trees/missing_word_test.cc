// SPDX-License-Identifier: GPL-2.0-or-later
#include "jit_under_test/linux/trees/missing_word.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

namespace plumb::jit::trees {
namespace {

namespace fs = std::filesystem;

using Kind = MissingWord::Kind;

struct Row {
  const char* complaint;
  std::optional<MissingWord> expected;
};

TEST(MissingWord, IsFoundInWhatCompilersAndLinkersPrint) {
  const Row rows[] = {
      // GCC 12 and 14.
      {"include/linux/bpf.h:301:14: error: 'SHA256_DIGEST_SIZE' undeclared here (not in a "
       "function)",
       MissingWord{Kind::kConstant, "SHA256_DIGEST_SIZE", {}}},
      {"a.c:7:3: error: 'EXECMEM' undeclared (first use in this function); did you mean 'X'?",
       MissingWord{Kind::kConstant, "EXECMEM", {}}},
      {"a.c:1:1: error: implicit declaration of function 'kvzalloc_objs'; did you mean 'kvz'? "
       "[-Werror=implicit-function-declaration]",
       MissingWord{Kind::kFunction, "kvzalloc_objs", {}}},
      {"a.h:9:2: error: unknown type name 'llist_head'",
       MissingWord{Kind::kType, "llist_head", {}}},
      {"include/linux/list.h:454:9: error: expected declaration specifiers before "
       "'__context_unsafe'",
       MissingWord{Kind::kAttribute, "__context_unsafe", {}}},
      {"a.h:9:2: error: expected '=', ',', ';', 'asm' or '__attribute__' before 'noinstr'",
       MissingWord{Kind::kAttribute, "noinstr", {}}},
      {"a.c:3:9: error: 'struct bpf_prog_aux' has no member named 'stream'",
       MissingWord{Kind::kMember, "stream", "struct bpf_prog_aux"}},
      {"a.c:3:9: error: invalid use of undefined type 'struct ftrace_ops'",
       MissingWord{Kind::kStructure, "struct ftrace_ops", {}}},
      // Clang 19.
      {"a.c:1:1: error: call to undeclared function 'div64_s64'; ISO C99 and later do not support",
       MissingWord{Kind::kFunction, "div64_s64", {}}},
      {"a.c:1:1: error: use of undeclared identifier 'NSEC_PER_SEC'",
       MissingWord{Kind::kConstant, "NSEC_PER_SEC", {}}},
      {"a.c:1:1: error: no member named 'stream' in 'struct bpf_prog_aux'",
       MissingWord{Kind::kMember, "stream", "struct bpf_prog_aux"}},
      {"a.c:1:1: error: field has incomplete type 'struct llist_head'",
       MissingWord{Kind::kStructure, "struct llist_head", {}}},
      // GNU ld and lld.
      {"core.c:(.text+0x1): undefined reference to `sha256'",
       MissingWord{Kind::kDefinition, "sha256", {}}},
      {"ld.lld: error: undefined symbol: sha256", MissingWord{Kind::kDefinition, "sha256", {}}},
      // Something else.
      {"a.c:1:1: error: expected expression before 'struct'", std::nullopt},
      {"a.c:1:1: error: 'x' redeclared as different kind of symbol", std::nullopt},
      {"a.c:1:1: error: unknown type name '", std::nullopt},
      {"", std::nullopt},
  };
  for (const Row& row : rows)
    EXPECT_EQ(find_missing_word(row.complaint), row.expected) << row.complaint;
}

TEST(MissingWord, HasAHomeForItsLine) {
  EXPECT_EQ(line_to_add({Kind::kConstant, "NSEC_PER_SEC", {}}),
            "add to jit_under_test/linux/shim/common/plumb_types.h: #define NSEC_PER_SEC ...");
  EXPECT_EQ(line_to_add({Kind::kStructure, "struct llist_head", {}}),
            "add to jit_under_test/linux/shim/common/plumb_types.h: struct llist_head { ... };");
  EXPECT_EQ(line_to_add({Kind::kMember, "stream", "struct bpf_prog_aux"}),
            "add to jit_under_test/linux/shim/common/plumb_types.h: the member stream of struct "
            "bpf_prog_aux");
}

TEST(MissingWord, ItsHomesAreFilesOfTheShim) {
  for (const Kind kind : {Kind::kConstant, Kind::kFunction, Kind::kType, Kind::kStructure,
                          Kind::kMember, Kind::kAttribute, Kind::kDefinition}) {
    const std::string text = line_to_add({kind, "x", {}});
    const std::size_t begin = text.find("jit_under_test/");
    const std::string file = text.substr(begin, text.find(": ", begin) - begin);
    EXPECT_TRUE(fs::exists(file)) << file;
  }
}

TEST(MissingWord, IsDeclaredSomewhereInTheTree) {
  const fs::path tree = fs::path(testing::TempDir()) / "plumb-missing-word";
  fs::remove_all(tree);
  fs::create_directories(tree / "include/crypto");
  std::ofstream(tree / "include/crypto/sha2.h")
      << "int sha256_used = SHA256_DIGEST_SIZE;\n#define SHA256_DIGEST_SIZE\t32\n"
         "\tsha256(x);\nvoid sha256(const u8 *data, size_t len, u8 *out);\nstruct digest {\n";
  EXPECT_EQ(find_declaration(tree, {Kind::kConstant, "SHA256_DIGEST_SIZE", {}}),
            "include/crypto/sha2.h:2: #define SHA256_DIGEST_SIZE 32");
  EXPECT_EQ(find_declaration(tree, {Kind::kFunction, "sha256", {}}),
            "include/crypto/sha2.h:4: void sha256(const u8 *data, size_t len, u8 *out);");
  EXPECT_EQ(find_declaration(tree, {Kind::kStructure, "struct digest", {}}),
            "include/crypto/sha2.h:5: struct digest {");
  EXPECT_EQ(find_declaration(tree, {Kind::kFunction, "sha25", {}}), std::nullopt);
  EXPECT_EQ(find_declaration(tree / "nothing", {Kind::kFunction, "sha256", {}}), std::nullopt);
  fs::remove_all(tree);
}

}  // namespace
}  // namespace plumb::jit::trees
