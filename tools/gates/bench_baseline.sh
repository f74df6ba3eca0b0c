#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What `plumb bench --baseline` is for: a kernel tree as it is holds against its own figures; with
# one more push in its prologue it does not, and the report names what grew.
#   bench_baseline.sh PLUMB TREE
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
plumb=$(realpath "$1")
tree=$(realpath "$2" 2>/dev/null) || { echo "bench_baseline: no tree $2"; exit 77; }
file=arch/x86/net/bpf_jit_comp.c
[ -f "$tree/$file" ] || { echo "bench_baseline: no tree in $tree"; exit 77; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() { echo "bench_baseline: $*"; exit 1; }
jit=linux-mine-x86_64
add() {
  "$plumb" --cache "$scratch/cache" jits add "linux=$1" --name mine --arch x86_64 --variants none --source . --force \
    >"$scratch/added" 2>&1 || fail "add: $(cat "$scratch/added")"
}
bench() { "$plumb" --cache "$scratch/cache" bench --jit $jit --only figures "$@"; }

add "$tree"
bench --json "$scratch/before.json" >/dev/null
bench --baseline "$scratch/before.json" >"$scratch/same" || fail "unchanged: $(cat "$scratch/same")"
tail -n 1 "$scratch/same"
grep -qE '^baseline: [1-9][0-9]* compared, 0 figures grew, 0 shrank, 0 lost$' "$scratch/same" ||
  fail "unchanged: $(cat "$scratch/same")"

# Behind mov rbp, rsp: push rax. The leave at the exit takes it off again.
cp -rs "$tree" "$scratch/tree"
rm "$scratch/tree/$file"
sed '0,/EMIT3(0x48, 0x89, 0xE5);/s//& EMIT1(0x50);/' "$tree/$file" >"$scratch/tree/$file"
cmp -s "$tree/$file" "$scratch/tree/$file" && fail "the edit changes nothing"
add "$scratch/tree"
status=0
bench --baseline "$scratch/before.json" >"$scratch/grown" || status=$?
[ $status = 1 ] || fail "one more push: status $status: $(cat "$scratch/grown")"
for figure in 'instructions 7 -> 8' 'prologue_instructions 4 -> 5' 'stack_stores 1 -> 2' \
  'stack_bytes 8 -> 16'; do
  grep -E "^grew: $jit empty: $figure\$" "$scratch/grown" ||
    fail "no 'empty: $figure': $(cat "$scratch/grown")"
done
tail -n 1 "$scratch/grown"
