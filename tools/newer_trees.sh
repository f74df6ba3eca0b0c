#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Kernels that are newer than those of the build: fetched from Debian by `plumb jits add debian=`,
# built with all their variants, and judged: the corpus, the kernel's own tests, and random programs
# until that many were compared over all JITs of a kernel. Prints figures, a block per kernel; all
# that was found is in OUT. An hour and more per kernel with the numbers below.
#   newer_trees.sh [--plumb FILE] [--compared N] [--out OUT] [--arch A,B] [KERNEL...]
#     defaults: build/release/plumb, 500000, build/newer, all, 7.3 7.2
#     KERNEL: what debian= takes, or NAME=DIR or NAME=ARCHIVE for a tree that is there already
# Status 1: something that is not known was found. 77: nothing could be fetched. 2, 3: as of plumb.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
plumb=build/release/plumb
wanted=500000
out=build/newer
archs=()
while [ $# -gt 0 ]; do
  case $1 in
    --plumb) plumb=$2 ;;
    --compared) wanted=$2 ;;
    --out) out=$2 ;;
    --arch) archs=(--arch "$2") ;;
    --*) echo "newer_trees: no option $1" >&2; exit 2 ;;
    *) break ;;
  esac
  [ $# -ge 2 ] || { echo "newer_trees: $1 takes a value" >&2; exit 2; }
  shift 2
done
[[ $wanted =~ ^[1-9][0-9]*$ ]] || { echo "newer_trees: --compared $wanted is no number" >&2; exit 2; }
[ -x "$plumb" ] || { echo "newer_trees: no $plumb: build it with ./run, or give --plumb" >&2; exit 2; }
[ $# -gt 0 ] || set -- 7.3 7.2
mkdir -p "$out"
jobs=$(nproc)
[ "$jobs" -le 64 ] || jobs=64
worst=0

# judged FILE ARGUMENT...: runs plumb; its report goes to FILE. Status 2 or 3 ends everything.
judged() {
  local file=$1 status=0
  shift
  "$plumb" --cache "$out/cache" --format json "$@" >"$file" 2>"$file.err" || status=$?
  if [ $status -ge 2 ]; then
    echo "newer_trees: plumb $*: status $status: $(head -1 "$file.err")" >&2
    exit $status
  fi
  [ $status = 0 ] || worst=1
}
# sum FIELD FILE...: of all JITs.
sum() { awk -v field="\"$1\":" '$1 == field { n += $2 } END { print n + 0 }' "${@:2}"; }
# new_findings FILE...: signatures that no waiver covers, once each.
new_findings() {
  awk -F'"' '/^ +"signature": / { signature = $4; next }
             /^ +"known": / { if ($4 == "") print signature }' "$@" | sort -u
}

fetched=0
for kernel; do
  what=debian=$kernel name=$kernel
  if [[ $kernel == *=* ]]; then what=linux=${kernel#*=} name=${kernel%%=*}; fi
  status=0
  "$plumb" --cache "$out/cache" jits add "$what" --name "$name" --variants all --source . --force \
    "${archs[@]}" >"$out/$name.added" 2>"$out/$name.added.err" || status=$?
  if [ $status != 0 ]; then
    echo "$kernel: left out: $(sed 's/^plumb: //' "$out/$name.added.err" | tail -1)"
    continue
  fi
  fetched=$((fetched + 1))
  jit="linux-$name-*"
  echo "$kernel: $(head -1 "$out/$name.added"), $(sed -nE 's/^  tried: //p' "$out/$name.added")"
  sed -nE 's/^ +(no :.*)/  \1/p' "$out/$name.added"
  sed 's/^plumb: /  /' "$out/$name.added.err"

  judged "$out/$name.corpus.json" check corpus/seeds corpus/known corpus/regressions corpus/distilled \
    --jit "$jit" -j "$jobs"
  echo "  corpus: $(sum compared "$out/$name.corpus.json") compared of $(sum generated "$out/$name.corpus.json")"

  judged "$out/$name.tests.json" test-bpf --jit "$jit" -j "$jobs"
  echo "  lib/test_bpf.c: $(sum passed "$out/$name.tests.json") passed," \
    "$(sum failed "$out/$name.tests.json") failed, $(sum not_applicable "$out/$name.tests.json") not applicable"

  # Seed after seed, each some cases of every JIT.
  rm -f "$out/$name".fuzz-*.json
  compared=0
  seed=0
  jits=$(grep -c '^      "name": ' "$out/$name.corpus.json")
  while [ $compared -lt "$wanted" ]; do
    seed=$((seed + 1))
    runs=$(((wanted - compared) / jits + 1))
    [ $runs -le 5000 ] || runs=5000
    [ $runs -ge 500 ] || runs=500 # fewer leave stages of the funnel empty
    file=$out/$name.fuzz-$seed.json
    judged "$file" fuzz --jit "$jit" --runs $runs --seed $seed --out "$out/$name.findings" --jobs "$jobs"
    more=$(sum compared "$file")
    [ "$more" -gt 0 ] || { echo "newer_trees: no case was compared: $file" >&2; exit 3; }
    compared=$((compared + more))
  done
  echo "  fuzzing: $compared compared of $(sum generated "$out/$name".fuzz-*.json), $jits JITs, $seed seeds"
  new_findings "$out/$name".corpus.json "$out/$name".fuzz-*.json | sed 's/^/  finding /'
done
[ $fetched -gt 0 ] || exit 77
exit $worst
