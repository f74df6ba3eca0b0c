#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The fuzz targets themselves, as simulate.sh built them: every stage of their funnels is above its
# floor, from an empty corpus; `plumb fuzz --engine libfuzzer` reports what it has to; and an
# input on which a JIT ends the target is kept. Bounded by inputs, not by time (but where every input ends its process: libFuzzer does not count those).
#   fuzz_targets.sh TARGETS PLUMB     TARGETS has fuzz_linux_x86_64 and fuzz_case_parser
set -euo pipefail
targets=$(realpath "$1") plumb=$(realpath "$2")
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() { echo "fuzz_targets: $*"; exit 1; }

# STAGE OF FLOOR: at least FLOOR percent of the count called OF.
floors='defined generated 90
compared generated 90
with_subprogram_call compared 40
with_tail_call compared 20
with_tail_call_refused compared 1
with_stack_pointer_argument compared 2
with_helper_call compared 20'
count() { grep -oE "\"$2\":[0-9]+" "$1" | cut -d: -f2; }
# below_floor FILE: what is, of a funnel (one line of JSON).
below_floor() {
  local stage of floor
  while read -r stage of floor; do
    [ $(($(count "$1" "$stage") * 100)) -ge $(($(count "$1" "$of") * floor)) ] ||
      echo "$stage is $(count "$1" "$stage") of $(count "$1" "$of"), $floor % wanted"
  done <<<"$floors"
}

mkdir "$scratch/corpus"
"$targets/fuzz_linux_x86_64" -runs=1500 -seed=1 --funnel="$scratch/funnel" "$scratch/corpus" >"$scratch/log" 2>&1 ||
  fail "fuzz_linux_x86_64 died: $(tail -1 "$scratch/log")"
for jit in linux-6.12-x86_64 linux-6.1-x86_64; do
  grep "\"jit\":\"$jit\"" "$scratch/funnel" >"$scratch/one" || fail "no funnel of $jit"
  [ "$(count "$scratch/one" generated)" -ge 1500 ] || fail "$jit: $(count "$scratch/one" generated) inputs"
  below=$(below_floor "$scratch/one")
  [ -z "$below" ] || fail "$jit: $below"
  echo "$jit: $(count "$scratch/one" compared) of $(count "$scratch/one" generated) inputs compared, $(count "$scratch/one" with_tail_call) with a tail call"
done
# The floors are seen to refuse: each stage in turn, as if it had stayed empty.
while read -r stage _; do
  sed -E "s/(\"$stage\"):[0-9]+/\1:0/" "$scratch/one" >"$scratch/empty"
  [ -n "$(below_floor "$scratch/empty")" ] || fail "an empty stage $stage is not noticed"
done <<<"$floors"

# Text that is no case tells little about the parser: a share has to parse.
cp corpus/seeds/*.bpf "$scratch/corpus/"
"$targets/fuzz_case_parser" -runs=4000 -seed=1 -dict="$targets/fuzz_case_parser.dict" "$scratch/corpus" >"$scratch/log" 2>&1 ||
  fail "fuzz_case_parser died: $(tail -1 "$scratch/log")"
read -r inputs parsed valid mutated < <(sed -nE 's/^plumb: ([0-9]+) inputs, ([0-9]+) parsed, ([0-9]+) valid, ([0-9]+) mutated$/\1 \2 \3 \4/p' "$scratch/log")
echo "fuzz_case_parser: $inputs inputs, $parsed parsed, $valid valid, $mutated mutated"
[ $((parsed * 100)) -ge $((inputs * 5)) ] && [ $((parsed * 100)) -le $((inputs * 95)) ] && [ "$mutated" -gt 0 ] ||
  fail "the parser sees too much of the same"

# Processes of fork mode do as much as they come to: what the run has to find lies in its corpus.
mkdir "$scratch/hierarchy"
cp corpus/seeds/tailcall-bpf2bpf-hierarchy-*.bpf "$scratch/hierarchy/"
status=0
"$plumb" --known '' fuzz --engine libfuzzer --targets "$targets" --jit linux-6.1-x86_64 --runs 500 --seed 1 \
  --corpus "$scratch/hierarchy" --out "$scratch/out" >"$scratch/log" 2>"$scratch/errors" || status=$?
[ $status = 1 ] || fail "--engine libfuzzer: status $status, 1 wanted: $(tail -2 "$scratch/errors")"
found=$(find "$scratch/out" -name 'tail-call-bound.linux.x86_64.*.bpf' | wc -l)
[ "$found" -ge 1 ] || fail "--engine libfuzzer did not find unbounded tail calls"
grep -E 'finding tail-call-bound|first after' "$scratch/log" | head -2

# A JIT that ends the process of its target: an artefact, a status that is not 0, a finding of plumb.
ending=linux-6.12-x86_64
mkdir "$scratch/plugins" "$scratch/no-waivers"
${CC:-cc} -shared -fPIC -I. jit_under_test/ending_plugin.c -o "$scratch/plugins/$ending.so"
endings=0
for how in exit0 exit3 _exit0 exec; do
  for where in load third-load unload; do
    export PLUMB_TESTING_END=$how@$where
    rm -rf "$scratch/ended" && mkdir "$scratch/ended"
    status=0
    "$targets/fuzz_linux_x86_64" --jit=$ending --plugins="$scratch/plugins" --known="$scratch/no-waivers" --keep-going -runs=200 -seed=1 \
      -artifact_prefix="$scratch/ended/" >"$scratch/log" 2>&1 || status=$?
    [ $status = 77 ] || fail "$PLUMB_TESTING_END: status $status, 77 wanted: $(tail -1 "$scratch/log")"
    [ "$(ls "$scratch/ended" | grep -c '^crash-')" = 1 ] || fail "$PLUMB_TESTING_END: no artefact: $(ls "$scratch/ended")"
    endings=$((endings + 1))
  done
  # The targets' own plugins come first: one without them.
  mkdir -p "$scratch/targets"
  ln -sf "$targets/fuzz_linux_x86_64" "$scratch/targets/fuzz_ending_x86_64"
  status=0
  PLUMB_TESTING_END=$how@load "$plumb" --known '' --plugins "$scratch/plugins" fuzz --engine libfuzzer --targets "$scratch/targets" \
    --jit $ending --seconds 4 --grace 60 --seed 1 --out "$scratch/ended" >"$scratch/log" 2>"$scratch/errors" || status=$?
  [ $status = 1 ] || fail "$how@load: --engine libfuzzer: status $status, 1 wanted: $(tail -2 "$scratch/errors")"
  grep -q 'finding jit-survives.ending.x86_64.-' "$scratch/log" || fail "$how@load: no finding"
done
unset PLUMB_TESTING_END
echo "$endings ways to end a target are kept"
