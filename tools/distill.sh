#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Takes from corpora that fuzzing grew what covers code of a JIT that nothing in corpus/ does yet,
# smallest inputs first (libFuzzer's merge), and adds it to corpus/distilled as text.
#   distill.sh TARGET CORPUS...    TARGET: build/fuzz/fuzz_linux_x86_64
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
[ $# -ge 2 ] || { echo "usage: distill.sh TARGET CORPUS..." >&2; exit 2; }
target=$1
shift
plumb=build/release/plumb
[ -x "$plumb" ] || { echo "distill: no $plumb; ./run builds it" >&2; exit 2; }
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/base"
cp corpus/seeds/*.bpf corpus/known/*.bpf corpus/regressions/*.bpf "$scratch/base/"
find corpus/distilled -name '*.bpf' -exec cp {} "$scratch/base/" \;
ls "$scratch/base" | sort >"$scratch/before"
# Edges alone: how often each is taken would keep thousands of inputs.
"$target" -merge=1 -use_counters=0 -use_value_profile=0 --keep-going --out="$scratch" \
  "$scratch/base" "$@" >"$scratch/log" 2>&1 || { tail -3 "$scratch/log"; exit 3; }
added=0
jit=$(basename "$target" | sed 's/^fuzz_//; s/_/-/g')
for file in $(ls "$scratch/base" | sort | comm -13 "$scratch/before" -); do
  # Entropy is no case, and says little to a reader: text that is one, and is defined, is kept.
  cp "$scratch/base/$file" "$scratch/candidate.bpf"
  "$plumb" check "$scratch/candidate.bpf" --jit reference:x86_64-6.12 >/dev/null 2>&1 || continue
  sed "1a // Distilled from fuzzing: reaches code of the $jit JITs that no file before it did." \
    "$scratch/base/$file" >"corpus/distilled/$jit-${file:0:12}.bpf"
  added=$((added + 1))
done
grep -oE 'MERGE-OUTER: [0-9]+ new files with .*' "$scratch/log" | tail -1
echo "distill: $added files added, $(find corpus/distilled -name '*.bpf' | wc -l) in all"
