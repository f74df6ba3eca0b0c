#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The first user's path, in the release build: Linux 6.12 conforms over many compared cases, 6.1 has
# the unbounded tail calls for every seed, minimised. Counts are bounded by cases, never by time.
#   acceptance.sh BUILD
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
plumb=$1/release/plumb
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() { echo "acceptance: $*"; exit 1; }
# field FILE PATH: a number or string of a JSON file, by a path such as jits.0.funnel.compared.
field() { cmake -DFILE="$1" -DFIELD="$2" -P tools/gates/json_field.cmake 2>&1; }

"$plumb" --format json fuzz --jit linux-6.12-x86_64 --runs 20000 --seed 1 --out "$scratch/a" \
  >"$scratch/a.json" || fail "6.12 does not conform: $(cat "$scratch/a.json")"
generated=$(field "$scratch/a.json" jits.0.funnel.generated)
compared=$(field "$scratch/a.json" jits.0.funnel.compared)
calls=$(field "$scratch/a.json" jits.0.funnel.with_call_or_tail_call)
[ $((compared * 100)) -ge $((generated * 90)) ] || fail "compared $compared of $generated"
[ $((calls * 100)) -ge $((compared * 60)) ] || fail "$calls of $compared with a call or tail call"
echo "6.12: $compared compared of $generated, $calls with a call or tail call, no finding"

for seed in 1 2 3 4 5; do
  status=0
  "$plumb" --known '' --format json fuzz --jit linux-6.1-x86_64 --runs 3000 --seed $seed \
    --out "$scratch/b$seed" >"$scratch/b.json" || status=$?
  [ $status = 1 ] || fail "seed $seed on 6.1: status $status"
  found=$(ls "$scratch/b$seed" | grep -c '^tail-call-bound\.linux\.x86_64\..*\.bpf$' || true)
  [ "$found" -ge 1 ] || fail "seed $seed on 6.1: no tail-call-bound finding"
  echo "6.1 seed $seed: tail-call-bound found"
done
