#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The module rule of docs/architecture.md, checked on the #include lines:
#   core <- {gen, oracle, jit_under_test, machine, invariants} <- harness <- {fuzz, reports} <- bench <- tools
# Siblings never include one another; tests (*_test.cc) and test support may compose siblings. Some
# foreign headers may appear in one folder only.
#   layering.sh [ROOT]
set -euo pipefail
cd "${1:-$(dirname "${BASH_SOURCE[0]}")/../..}"

declare -A may_include=(
  [core]="core"
  [gen]="core gen"
  [oracle]="core oracle"
  [jit_under_test]="core jit_under_test"
  [machine]="core machine"
  [invariants]="core invariants"
  [harness]="core gen oracle jit_under_test machine invariants harness"
  [reports]="core gen oracle jit_under_test machine invariants harness reports"
  [fuzz]="core gen oracle jit_under_test machine invariants harness reports fuzz"
  [bench]="core gen oracle jit_under_test machine invariants harness reports bench"
  [tools]="core gen oracle jit_under_test machine invariants harness reports bench tools"
)
declare -A only_in=(
  [unicorn/]="machine"
  [capstone/]="machine"
  [llvm-c/]="machine"
  [benchmark/]="bench"
  [elfutils/]="harness"
  [libelf.h]="harness"
  [CLI/]="tools"
)

bad=0
complain() { echo "layering: $1"; bad=1; }

for folder in "${!may_include[@]}"; do
  [ -d "$folder" ] || continue
  while IFS=: read -r file line include; do
    header=$(sed -E 's/.*[<"]([^>"]+)[>"].*/\1/' <<<"$include")
    for prefix in "${!only_in[@]}"; do
      if [[ $header == "$prefix"* && ${only_in[$prefix]} != "$folder" ]]; then
        complain "$file:$line: <$header> belongs in ${only_in[$prefix]}/ only"
      fi
    done
    case $file in *_test.cc|*/testing_*) continue ;; esac
    to=${header%%/*}
    [[ $header == */* && -n ${may_include[$to]:-} ]] || continue
    [[ " ${may_include[$folder]} " == *" $to "* ]] ||
      complain "$file:$line: $folder/ may not include $to/ (\"$header\")"
  done < <(grep -rnE '^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]' "$folder" \
             --include='*.h' --include='*.cc' --include='*.inc' || true)
done
[ $bad = 0 ] && echo "layering: holds"
exit $bad
