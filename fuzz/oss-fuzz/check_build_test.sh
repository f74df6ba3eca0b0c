#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# check_build.sh refuses what it has to: one target for each reason.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
sanitize=(-fsanitize=address -g -O1)

# refused NAME PATTERN
refused() {
  local said
  said=$("$here/check_build.sh" "$scratch/out" address $1) && { echo "accepted $1: $said"; exit 1; }
  grep -qE "$2" <<<"$said" || { echo "refused $1 for another reason: $said"; exit 1; }
  echo "refused, as it should: $(grep -E "$2" <<<"$said" | head -1)"
}
mkdir -p "$scratch/out/plugins"
cat >"$scratch/target.c" <<'C'
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <stdio.h>
#include <unistd.h>
int elsewhere(void);
#ifdef NAMES_JIT
int LLVMFuzzerInitialize(int* argc, char*** argv) {
  (void)argc, (void)argv;
  fprintf(stderr, "plumb: fuzzing some-jit\n");
  return 0;
}
#endif
int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
#ifdef DIES
  abort();
#endif
#ifdef READS
  if (access(READS, R_OK) != 0) abort();
#endif
#ifdef ELSEWHERE
  elsewhere();
#endif
  volatile uint8_t sum = 0;
  for (size_t i = 0; i < size; ++i) sum ^= data[i];
  return 0;
}
C
# make NAME INSTRUMENT OPTIONS...: links with the sanitizer's runtime, as OSS-Fuzz does.
make() {
  local name=$1 instrument=$2
  shift 2
  clang-19 $instrument "$@" -c "$scratch/target.c" -o "$scratch/$name.o"
  clang++-19 "${sanitize[@]}" -static-libstdc++ -static-libgcc -fsanitize=fuzzer "$scratch/$name.o" ${library:-} -o "$scratch/out/$name"
  for ending in .options .dict _seed_corpus.zip; do : >"$scratch/out/$name$ending"; done
}
instrumented="${sanitize[*]} -fsanitize=fuzzer-no-link"
make uninstrumented "${sanitize[*]}"
make plain_c "-g -O1 -fsanitize=fuzzer-no-link"
make dies "$instrumented" -DDIES
make plain_jit "$instrumented" -DNAMES_JIT
make fuzz_linux_nothing "$instrumented"
# Reads a file that is on this machine, but not in OUT.
make reads "$instrumented" "-DREADS=\"$here/check_build_test.sh\""
echo 'int elsewhere(void) { return 0; }' >"$scratch/elsewhere.c"
clang-19 -shared -fPIC "$scratch/elsewhere.c" -o "$scratch/libelsewhere.so"
library="$scratch/libelsewhere.so -Wl,-rpath,$scratch" make needs_library "$instrumented" -DELSEWHERE
# Of the JIT that it names.
clang-19 -shared -fPIC "$scratch/target.c" -o "$scratch/out/plugins/some-jit.so"

refused uninstrumented 'edges seen, .* is it instrumented'
refused plain_c 'calls of __asan, .* wanted'
refused dies 'does not run'
refused missing 'no such target'
refused needs_library 'needs libraries that the runner lacks: .*libelsewhere'
refused plain_jit 'code of some-jit is not instrumented'
refused fuzz_linux_nothing 'fuzzes no JIT'
refused '' 'no targets'
if [[ $("$here/check_build.sh" "$scratch/out" address dies || true) == *"in a bare root directory"* ]]; then
  refused reads 'reads: does not run'
else
  echo "not tried here (no right to make a root directory): a target that reads what is not in OUT"
fi
clang-19 -shared -fPIC -DELSEWHERE "$scratch/target.c" "$scratch/libelsewhere.so" -Wl,-rpath,"$scratch" -o "$scratch/out/plugins/some-jit.so"
refused plain_jit 'some-jit needs libraries that the runner lacks: .*libelsewhere'
for ending in .options .dict _seed_corpus.zip; do
  rm "$scratch/out/uninstrumented$ending"
  refused uninstrumented "no ($ending|seed corpus)"
  : >"$scratch/out/uninstrumented$ending"
done
# Lines of a JIT that has none, in a coverage build.
sanitize=(-fprofile-instr-generate -fcoverage-mapping -g -O1)
make plain_jit "${sanitize[*]}" -DNAMES_JIT
clang-19 -shared -fPIC "$scratch/target.c" -o "$scratch/out/plugins/some-jit.so"
said=$("$here/check_build.sh" "$scratch/out" coverage plain_jit) && { echo "accepted: $said"; exit 1; }
grep -q 'no coverage of the code of some-jit' <<<"$said" || { echo "refused for another reason: $said"; exit 1; }
echo "refused, as it should: $(tail -1 <<<"$said")"
