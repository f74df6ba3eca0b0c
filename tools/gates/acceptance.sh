#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The first user's path, in the release build: Linux 6.12 conforms over many compared cases on each
# architecture, 6.1 has the unbounded tail calls for every seed, minimised; the whole corpus gives only
# known findings; Linux 7.3 conforms, where Debian's sources of it can be fetched. Counts are bounded by cases, never by time.
#   acceptance.sh BUILD
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
plumb=$1/release/plumb
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() { echo "acceptance: $*"; exit 1; }
# field FILE PATH: a number or string of a JSON file, by a path such as jits.0.funnel.compared.
field() { cmake -DFILE="$1" -DFIELD="$2" -P tools/gates/json_field.cmake 2>&1; }

# interrupted NAME JIT [OPTION...]: an interrupt at every instruction, and no finding that is not
# known.
interrupted() {
  local name=$1 jit=$2
  shift 2
  "$plumb" "$@" --format json fuzz --jit "$jit" --depth interrupts --runs 300 --out "$scratch/found" \
    >"$scratch/interrupts" || fail "$name: $(head -c 2000 "$scratch/interrupts")"
  local walks
  walks=$(grep -o '"unwind_walks": *[0-9]*' "$scratch/interrupts" | grep -o '[0-9]*$')
  [ "${walks:-0}" -gt 0 ] || fail "$name: no walk is judged"
  echo "$name: $walks walks from the program, helpers and interrupts, all judged"
}

# walked NAME JIT [OPTION...]: by rows every caller is found, from every instruction but, on x86-64, one
# of each throw (tools/walked.h), and no walk that is wrong calls itself reliable.
walked() {
  local name=$1 jit=$2 gaps=0
  [[ $jit != *x86_64* ]] || gaps=1
  shift 2
  "$plumb" "$@" unwind --jit "$jit" --cases 300 >"$scratch/walks" || fail "$name: $(cat "$scratch/walks")"
  awk -v gaps="$gaps" '/ cases walked with / { gaps *= $6 }
       /^orc-with-jit-rows/ { ok = $2 > 0 && $2 == $4 + gaps && $6 == gaps }
       END { exit !ok }' "$scratch/walks" ||
    fail "$name: $(cat "$scratch/walks")"
  echo "$name: $(awk '/^orc-with-jit-rows/ { print $2 }' "$scratch/walks") walks by rows, all right but the gaps of throws"
}

# A JIT of each architecture, and the share of the generated cases that has to be compared: riscv64
# has no tail calls in subprograms, so that a quarter of the cases does not apply to it.
while read -r arch floor; do
  "$plumb" --format json fuzz --jit "linux-6.12-$arch" --runs 20000 --seed 1 --out "$scratch/$arch" \
    >"$scratch/$arch.json" || fail "6.12 $arch does not conform: $(cat "$scratch/$arch.json")"
  generated=$(field "$scratch/$arch.json" jits.0.funnel.generated)
  compared=$(field "$scratch/$arch.json" jits.0.funnel.compared)
  calls=$(field "$scratch/$arch.json" jits.0.funnel.with_call_or_tail_call)
  [ $((compared * 100)) -ge $((generated * floor)) ] || fail "6.12 $arch: compared $compared of $generated"
  [ $((calls * 100)) -ge $((compared * 60)) ] || fail "6.12 $arch: $calls of $compared with a call or tail call"
  echo "6.12 $arch: $compared compared of $generated, $calls with a call or tail call, no finding"
  walked "6.12 $arch" "linux-6.12-$arch"
  interrupted "6.12 $arch" "linux-6.12-$arch"
done <<'END'
x86_64 90
arm64 90
riscv64 70
END

while read -r arch seed; do
  status=0
  out=$scratch/$arch-$seed
  "$plumb" --known '' --format json fuzz --jit "linux-6.1-$arch" --runs 3000 --seed "$seed" \
    --out "$out" >"$scratch/old.json" || status=$?
  [ $status = 1 ] || fail "seed $seed on 6.1 $arch: status $status"
  found=$(find "$out" -name "tail-call-bound.linux.$arch.*.bpf" | wc -l)
  [ "$found" -ge 1 ] || fail "seed $seed on 6.1 $arch: no tail-call-bound finding"
  echo "6.1 $arch seed $seed: tail-call-bound found"
done <<'END'
x86_64 1
x86_64 2
x86_64 3
x86_64 4
x86_64 5
arm64 1
arm64 2
arm64 3
END

# A kernel of today, where it can be fetched: where not, the reason is said. That it does not build is
# no such reason.
today=7.3
status=0
"$plumb" --cache "$scratch/cache" jits add "debian=$today" --arch x86_64,arm64,riscv64 --variants none \
  --source . >"$scratch/added" 2>"$scratch/added.err" || status=$?
if [ $status = 2 ] && grep -qE '^plumb: (fetching a kernel from Debian takes|debian=[^ ]*: (no list of packages|.* has no such linux-source|.* cannot be fetched|apt is configured with no mirror))' "$scratch/added.err"; then
  echo "$today: skipped: $(sed 's/^plumb: //' "$scratch/added.err")"
elif [ $status != 0 ]; then
  fail "$today cannot be added: $(cat "$scratch/added.err")"
else
  "$plumb" --cache "$scratch/cache" check corpus/seeds corpus/regressions corpus/distilled \
    --jit "linux-$today-*" >"$scratch/corpus" || fail "the corpus on $today: $(cat "$scratch/corpus")"
  for arch in x86_64 arm64 riscv64; do
    "$plumb" --cache "$scratch/cache" --format json fuzz --jit "linux-$today-$arch" --runs 3000 --seed 1 \
      --out "$scratch/today" >"$scratch/today.json" || fail "$today $arch does not conform: $(cat "$scratch/today.json")"
    generated=$(field "$scratch/today.json" jits.0.funnel.generated)
    compared=$(field "$scratch/today.json" jits.0.funnel.compared)
    [ $((compared * 100)) -ge $((generated * 90)) ] || fail "$today $arch: compared $compared of $generated"
    echo "$today $arch: $compared compared of $generated, no finding"
    walked "$today $arch" "linux-$today-$arch" --cache "$scratch/cache"
    interrupted "$today $arch" "linux-$today-$arch" --cache "$scratch/cache"
  done
fi

"$plumb" replay --junit "$scratch/replay.xml" >"$scratch/replay" || fail "replay: $(tail -3 "$scratch/replay")"
echo "replay: $(find corpus/{seeds,known,regressions,distilled} -name '*.bpf' | wc -l) cases under $(grep -cE '^(linux|reference)' "$scratch/replay") JITs, every finding known"
