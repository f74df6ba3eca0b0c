#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check_build.sh refuses what it has to: a target without instrumentation, one that needs a library,
# one that dies, one that is not there, one that reads what the runner lacks.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
compiler=${1:-clang-19}
sanitize=(-fsanitize=address -g -O1)

# refused NAME PATTERN
refused() {
  local said
  said=$("$here/check_build.sh" "$scratch/out" address "$1") && { echo "accepted $1: $said"; exit 1; }
  grep -qE "$2" <<<"$said" || { echo "refused $1 for another reason: $said"; exit 1; }
  echo "refused, as it should: $(grep -E "$2" <<<"$said" | head -1)"
}
mkdir "$scratch/out"
cat >"$scratch/target.c" <<'C'
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <unistd.h>
#ifdef NAMES_JIT
int LLVMFuzzerInitialize(int* argc, char*** argv) {
  (void)argc, (void)argv;
  fprintf(stderr, "plumb: fuzzing some-jit\n");
  return 0;
}
#endif
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (DIES) abort();
#ifdef READS
  if (access(READS, R_OK) != 0) abort();
#endif
  volatile uint8_t sum = 0;
  for (size_t i = 0; i < size; ++i) sum ^= data[i];
  return 0;
}
C
# make NAME DIES: the object is compiled without -fsanitize=fuzzer-no-link.
make() {
  $compiler "${sanitize[@]}" -DDIES="$2" -c "$scratch/target.c" -o "$scratch/$1.o"
  $compiler "${sanitize[@]}" -fsanitize=fuzzer "$scratch/$1.o" -o "$scratch/out/$1"
  for ending in .options .dict _seed_corpus.zip; do : >"$scratch/out/$1$ending"; done
}
make uninstrumented 0
make dies 1
refused uninstrumented 'edges seen, .* is it instrumented'
refused dies 'does not run'
refused missing 'no such target'
# Itself instrumented, but the JIT that it loads is not.
$compiler "${sanitize[@]}" -DDIES=0 -DNAMES_JIT -fsanitize=fuzzer "$scratch/target.c" -o "$scratch/out/plain_jit"
for ending in .options .dict _seed_corpus.zip; do : >"$scratch/out/plain_jit$ending"; done
mkdir "$scratch/out/plugins"
$compiler -shared -fPIC -DDIES=0 "$scratch/target.c" -o "$scratch/out/plugins/some-jit.so"
refused plain_jit 'code of some-jit is not instrumented'
# Reads a file that is on this machine, but not in OUT. Without a bare root directory nobody can tell.
$compiler "${sanitize[@]}" -DDIES=0 "-DREADS=\"$here/check_build_test.sh\"" -fsanitize=fuzzer "$scratch/target.c" -o "$scratch/out/reads"
for ending in .options .dict _seed_corpus.zip; do : >"$scratch/out/reads$ending"; done
if [[ $("$here/check_build.sh" "$scratch/out" address dies || true) == *"in a bare root directory"* ]]; then
  refused reads 'reads: does not run'
else
  echo "not tried here (no right to make a root directory): a target that reads what is not in OUT"
fi
rm "$scratch/out/uninstrumented.dict"
refused uninstrumented 'no dictionary'
