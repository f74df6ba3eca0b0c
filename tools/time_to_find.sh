#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# How soon the libFuzzer targets find what is known to be wrong, from an empty corpus, beside the
# built-in driver: every seeded defect of the reference JIT, and the unbounded tail calls of Linux
# 6.1 with three seeds. A row counts when one of the defect's expected invariants names it.
# Where a layout is wrong by itself in the same way, a waiver in corpus/known covers the defect.
#   time_to_find.sh [SECONDS [ROWS]]     at most so long for each engine and row (default 20), of the
#                                        rows that match the regular expression; needs jq
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tools/setup.sh
export limit=${1:-20} plumb=build/release/plumb fuzz=build/fuzz
command -v jq >/dev/null || die "time_to_find needs jq"
build release plumb linux_plugins
build fuzz fuzz_reference fuzz_linux_x86_64 fuzz_linux_arm64
scratch=$(mktemp -d)
export scratch
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/none"

# by_libfuzzer TARGET JIT KNOWN INVARIANTS SEED: "invariant inputs seconds", or "- - -"
by_libfuzzer() {
  local dir log line=
  dir=$(mktemp -d "$scratch/run.XXXXXX")
  log=$dir/log
  "$fuzz/$1" --jit="$2" --known="$3" --keep-going --out="$dir" -artifact_prefix="$dir/" -seed="$5" \
    -max_total_time="$limit" -print_final_stats=0 >"$log" 2>&1 &
  local target=$!
  while [ -z "$line" ]; do
    local running=1
    kill -0 $target 2>/dev/null || running=0
    line=$(grep -m1 -E "^plumb: finding ($4)\." "$log" 2>/dev/null || true)
    [ $running = 1 ] || break
    sleep 0.05
  done
  kill $target 2>/dev/null || true
  wait $target 2>/dev/null || true
  sed -nE 's/^plumb: finding ([a-z0-9-]+)\..* \(execution ([0-9]+), ([0-9.]+) s\)$/\1 \2 \3/p' <<<"$line" | grep . || echo "- - -"
}
# by_driver JIT KNOWN INVARIANTS SEED: the same
by_driver() {
  local dir
  dir=$(mktemp -d "$scratch/run.XXXXXX")
  "$plumb" --format json --known "$2" fuzz --jit "$1" --runs 6000 --seconds "$limit" --seed "$4" \
    --out "$dir" 2>/dev/null >"$dir/report" || true
  jq -r --arg wanted "^($3)\$" '.seconds as $s | .jits[0].funnel.generated as $n
    | [.jits[0].findings[] | select((.known == null) and (.invariant | test($wanted)))]
    | min_by(.cases_until_found) // empty
    | "\(.invariant) \(.cases_until_found) \($s * .cases_until_found / $n * 1000 | round / 1000)"' \
    "$dir/report" | grep . || echo "- - -"
}
# row NAME TARGET JIT KNOWN INVARIANTS SEED
row() {
  local known_to_driver=$4
  [ "$4" = "$scratch/none" ] && known_to_driver=
  echo "$1 $3 $(by_libfuzzer "$2" "$3" "$4" "$5" "$6") $(by_driver "$3" "$known_to_driver" "$5" "$6")"
}
export -f by_libfuzzer by_driver row

{
  for seed in 1 2 3; do
    echo "seed-$seed fuzz_linux_x86_64 linux-6.1-x86_64 $scratch/none tail-call-bound $seed"
    echo "seed-$seed fuzz_linux_arm64 linux-6.1-arm64 $scratch/none tail-call-bound $seed"
  done
  "$plumb" --format json defects >"$scratch/defects"
  "$plumb" --format json defects --kill-matrix --runs 1 >"$scratch/rows" || true
  jq -r --slurpfile defects "$scratch/defects" '.rows[] | .defect as $name
    | ($defects[0][] | select(.name == $name) | .expected | gsub(" +"; "|")) as $expected
    | "\($name) fuzz_reference reference:\(.layout)+\($name) corpus/known \($expected) 1"' "$scratch/rows"
} | grep -E "${2:-.}" >"$scratch/list"
say "$(wc -l <"$scratch/list") rows, two at a time, at most $limit s for each engine"
# shellcheck disable=SC2016
xargs -P 2 -L 1 bash -c 'row "$@"' row <"$scratch/list" | sort >"$scratch/table"
awk '
  BEGIN { format = "%-28s %-50s %-32s %7s %7s   %-32s %6s %7s\n"
          printf format, "defect", "JIT", "libFuzzer: invariant", "inputs", "s", "built-in: invariant", "cases", "s" }
  { printf format, $1, $2, $3, $4, $5, $6, $7, $8
    rows++; fuzzer += $3 != "-"; driver += $6 != "-"
    if ($1 ~ /^seed-/) next
    all[$1]; if ($3 != "-") by_fuzzer[$1]; if ($6 != "-") by_driver[$1] }
  END { printf "%d rows: libFuzzer %d, built-in driver %d; %d seeded defects: libFuzzer %d, built-in driver %d\n",
          rows, fuzzer, driver, length(all), length(by_fuzzer), length(by_driver) }' "$scratch/table"
