#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Which lines of the Linux JIT files a corpus covers: builds the `coverage` preset, runs the corpus
# under every JIT and variant, writes build/coverage/report/ (HTML by build) and prints a summary by
# JIT, over all its builds (coverage_summary.awk). Status 1 when a function that makes or leaves
# frames has a line that nothing reached and that coverage_accepted.txt does not name, or when an
# entry there is no longer needed.
#   coverage.sh [--tree NAME=DIR] [CORPUS...]   default: all of corpus/ that is valid
# With --tree, of that kernel tree alone, in build/coverage-NAME: what its frame functions have that
# those of Debian's kernels have not is seen here first. Entries that its JITs do not need are then
# those of other trees.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tools/setup.sh
shopt -s nullglob

coverage=build/coverage
tree=
if [ "${1-}" = --tree ]; then
  tree=${2-}
  [[ $tree =~ ^[A-Za-z0-9._]+=. && -d ${tree#*=} ]] || die "coverage: --tree '$tree' is not NAME=DIR of a kernel tree"
  shift 2
  coverage=build/coverage-${tree%%=*}
  mkdir -p "$coverage"
  [ -f "$coverage/build.ninja" ] || cmake --preset coverage -B "$coverage" -DPLUMB_LINUX_VERSIONS= \
    "-DPLUMB_LINUX_EXTRA=${tree%%=*}=$(realpath "${tree#*=}")" -DPLUMB_LINUX_EXTRA_VARIANTS=all \
    >"$coverage.log" 2>&1 || die "cmake failed; see $coverage.log"
fi
corpora=("$@")
[ ${#corpora[@]} -gt 0 ] || corpora=(corpus/seeds corpus/known corpus/regressions corpus/distilled)
targets=(fuzz_linux_x86_64 fuzz_linux_arm64 fuzz_linux_riscv64 linux_plugins)
if [ -n "$tree" ]; then
  say "building in $coverage"
  cmake --build "$coverage" --target "${targets[@]}" >"$coverage.log" 2>&1 ||
    { tail -40 "$coverage.log" >&2; die "the build failed; see $coverage.log"; }
else
  build coverage "${targets[@]}"
fi
profiles=$coverage/profiles
report=$coverage/report
accepted=tools/coverage_accepted.txt
rm -rf "$profiles" "$report"
mkdir -p "$profiles" "$report"
touch "$profiles/used"

# run_build NAME: the corpus under one build. Each has a process and a profile of its own: counts of
# functions that are the same in two builds would be taken for one another's. Findings are not what
# is looked for here: none may end the run before the last file, nor may a file be cut.
run_build() {
  local name=$1 jit=${1%%:*}
  LLVM_PROFILE_FILE="$profiles/$name.%m.profraw" "$coverage/fuzz_linux_${jit##*-}" --jit="$name" \
    -runs=0 -max_len=4000000 --keep-going --out="$profiles/findings" "${corpora[@]}" \
    >"$profiles/$name.log" 2>&1 || { tail -3 "$profiles/$name.log"; die "$name failed"; }
  llvm-profdata-19 merge -sparse "$profiles/$name".*.profraw -o "$profiles/$name.profdata"
  rm "$profiles/$name".*.profraw
  local plugin=$coverage/plugins/$name.so
  llvm-cov-19 export "$plugin" -instr-profile="$profiles/$name.profdata" -format=lcov \
    2>/dev/null >"$report/$name.lcov"
  mapfile -t sources < <(sed -nE 's|^SF:(.*/arch/[a-z0-9]+/net/bpf_jit[a-z0-9_]*\.[ch])$|\1|p' \
    "$report/$name.lcov")
  [ ${#sources[@]} -gt 0 ] || die "$name: no coverage of its JIT files"
  llvm-cov-19 show "$plugin" -instr-profile="$profiles/$name.profdata" -format=html \
    -show-branches=count -output-dir="$report/$name" "${sources[@]}" 2>/dev/null
}

for plugin in "$coverage"/plugins/*.so; do
  name=$(basename "$plugin" .so)
  say "running the corpus under $name"
  run_build "$name"
done

status=0
for plugin in "$coverage"/plugins/*.so; do
  name=$(basename "$plugin" .so)
  [[ $name != *:* ]] || continue
  awk -v jit="$name" -v accepted="$accepted" -v used="$profiles/used" \
    -f tools/coverage_summary.awk "$report/$name".lcov "$report/$name":*.lcov || status=1
done >"$report/summary.txt"
[ -n "$tree" ] || while read -r number; do
  echo "$accepted:$number is no longer needed: $(sed -n "${number}p" "$accepted")"
  status=1
done < <(grep -nvE '^(#|[[:space:]]*$)' "$accepted" | cut -d: -f1 |
  grep -vxFf <(sort -u "$profiles/used")) >>"$report/summary.txt"
{
  echo '<!doctype html><meta charset="utf-8"><title>Linux JITs: coverage</title>'
  for page in "$report"/*/index.html; do
    name=$(basename "$(dirname "$page")")
    printf '<a href="./%s/index.html">%s</a>\n' "$name" "$name"
  done
  echo '<pre>'
  sed 's/&/\&amp;/g; s/</\&lt;/g' "$report/summary.txt"
  echo '</pre>'
} >"$report/index.html"
cat "$report/summary.txt"
say "HTML: $report/index.html"
exit $status
