#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The command-line contract on bad input: one line, status 2, no partial effects; and that the
# documented statuses come out.
#   command_line.sh PLUMB
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
plumb=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0

# expect STATUS LINES ARGUMENT...: the status, and how many lines stderr may have at the most.
expect() {
  local status=$1 lines=$2 got
  shift 2
  "$plumb" "$@" >"$scratch/out" 2>"$scratch/err"
  got=$?
  if [ $got != "$status" ] || [ "$(wc -l <"$scratch/err")" -gt "$lines" ]; then
    echo "plumb $*: status $got (expected $status); stderr:"
    cat "$scratch/err"
    failed=1
  fi
}

broken=0
for file in corpus/broken/*.bpf; do
  expect 2 1 check "$file" --jit all
  grep -qE "^plumb: $file:[0-9]+:[0-9]+: " "$scratch/err" ||
    { echo "no position: $(cat "$scratch/err")"; failed=1; }
  [ ! -s "$scratch/out" ] || { echo "$file: output on stdout"; failed=1; }
  broken=$((broken + 1))
done
[ $broken -ge 30 ] || { echo "only $broken broken case files"; failed=1; }

seed=corpus/seeds/$(ls corpus/seeds | head -1)
expect 0 0 gen --seed 3
expect 0 0 jits
expect 0 0 jits --contracts
grep -q '^JIT  *empty slot' "$scratch/out" || { echo "no table of contracts"; failed=1; }
expect 0 0 jits --contracts --plugins "$scratch"
expect 0 0 jits test linux-6.12-x86_64
grep -q '^Conforms in 10 of 10 cases.$' "$scratch/out" || { echo "the doctor"; failed=1; }
expect 1 0 jits test reference:x86_64-6.12+register-not-saved
expect 2 1 jits test no-such-jit
expect 2 1 jits test 'linux-6.12-*'
expect 2 1 jits add debian=7 --source .
expect 2 1 jits add debian='7.3; x' --source .
expect 2 1 jits add linux=/no/such/tree --variants no-such-variant --source .
grep -q "no variant 'no-such-variant'; there are .*ibt" "$scratch/err" || { echo "variants: $(cat "$scratch/err")"; failed=1; }
expect 2 1 jits add debian=7.3 --keep-tree "$scratch" --source .
grep -q 'it exists' "$scratch/err" || { echo "--keep-tree: $(cat "$scratch/err")"; failed=1; }
# An apt that has no network, and none at all: one line, and nothing is left.
mkdir "$scratch/offline"
printf '#!/bin/sh\ncase $1 in\nindextargets) echo "plumb http://mirror.invalid/ sid main Debian" ;;\n*) echo "E: no network"; exit 100 ;;\nesac\n' \
  >"$scratch/offline/apt-get"
printf '#!/bin/sh\n' | tee "$scratch/offline/apt-cache" >"$scratch/offline/apt-config"
chmod +x "$scratch"/offline/*
if [ -f /usr/share/keyrings/debian-archive-keyring.gpg ]; then
  PATH=$scratch/offline:$PATH expect 2 1 --cache "$scratch/fetched" jits add debian=7.3 --source .
  grep -q 'no network' "$scratch/err" || { echo "offline: $(cat "$scratch/err")"; failed=1; }
fi
PATH=/nowhere "$plumb" --cache "$scratch/fetched" jits add debian=7.3 --source . >/dev/null 2>"$scratch/err"
[ $? = 2 ] && grep -q 'none in PATH' "$scratch/err" || { echo "without apt: $(cat "$scratch/err")"; failed=1; }
[ -z "$(ls -A "$scratch/fetched" 2>/dev/null)" ] || { echo "left: $(ls -A "$scratch/fetched")"; failed=1; }
expect 2 3 frobnicate
expect 2 3 check
expect 2 1 check no-such-file.bpf --jit all
expect 2 1 check "$seed" --jit no-such-jit
expect 2 1 explain corpus/seeds --jit linux-6.12-x86_64
expect 0 0 unwind "$seed" --jit linux-6.12-x86_64,linux-6.12-arm64
expect 0 0 unwind --cases 3 --jit linux-6.12-riscv64 --format json
expect 2 1 unwind --jit linux-6.12-x86_64
expect 2 1 unwind "$seed" --cases 3 --jit linux-6.12-x86_64
expect 2 1 unwind corpus/seeds/no-such.bpf --jit linux-6.12-x86_64
expect 2 1 unwind "$seed" --jit no-such-jit
expect 2 1 fuzz --engine libfuzzer --depth full --jit linux-6.12-x86_64 --seconds 1
expect 0 0 unwind "$seed" --jit linux-6.12-x86_64 --eh-frame "$scratch/unwind.elf"
readelf --debug-dump=frames "$scratch/unwind.elf" | grep -q 'Return address column: 16' ||
  { echo "no call frame information in what unwind wrote"; failed=1; }
expect 2 1 unwind "$seed" --jit linux-6.12-x86_64 --eh-frame "$scratch/no/such/dir/unwind.elf"
expect 2 1 unwind "$seed" --jit linux-6.12-x86_64,linux-6.12-arm64 --eh-frame "$scratch/two.elf"
expect 2 1 unwind --cases 1 --jit linux-6.12-x86_64 --eh-frame "$scratch/two.elf"
[ ! -e "$scratch/two.elf" ] || { echo "unwind --eh-frame wrote something on bad usage"; failed=1; }
expect 0 0 unwind "$seed" --jit linux-6.12-x86_64 --svg "$scratch/walks.svg" --html "$scratch/walks.html"
for file in walks.svg walks.html; do
  grep -q 'Walks from every instruction, on linux-6.12-x86_64' "$scratch/$file" ||
    { echo "unwind: nothing in $file"; failed=1; }
done
expect 0 0 unwind --layouts --cases 6 --jit linux-6.12-riscv64 --svg "$scratch/sheet.svg"
for jit in reference:x86_64-4.13 reference:arm64-6.12 linux-6.12-riscv64; do
  grep -q "^$jit .* 100.00 +" "$scratch/out" && grep -q ">$jit<" "$scratch/sheet.svg" ||
    { echo "$jit is not on the sheet"; failed=1; }
done
expect 0 0 unwind --layouts --cases 6 --seed 2 --format json
grep -q '"jit": "reference:x86_64-4.12"' "$scratch/out" || { echo "no sheet in JSON"; failed=1; }
expect 2 1 unwind "$seed"
expect 2 1 unwind --layouts "$seed"
expect 2 1 unwind --layouts --jit no-such-jit --svg "$scratch/bad"
expect 2 1 unwind --layouts --cases 1 --html "$scratch/bad"
expect 2 1 unwind --layouts --cases 1 --eh-frame "$scratch/bad"
expect 2 1 unwind --layouts --cases 6 --svg "$scratch/no/such/dir/bad"
expect 2 1 unwind --cases 1 --jit linux-6.12-x86_64 --svg "$scratch/bad"
expect 2 1 unwind --cases 1 --jit linux-6.12-x86_64 --html "$scratch/bad"
expect 2 1 unwind "$seed" --jit linux-6.12-x86_64,linux-6.12-arm64 --svg "$scratch/bad"
expect 2 1 unwind "$seed" --jit linux-6.12-x86_64,linux-6.12-arm64 --html "$scratch/bad"
expect 2 1 unwind "$seed" --jit linux-6.12-x86_64 --html "$scratch/no/such/dir/bad"
cp "$seed" "$scratch/case.bpf"
expect 2 1 unwind "$scratch/case.bpf" --jit linux-6.12-x86_64 --svg "$scratch/case.bpf"
expect 2 1 unwind "$seed" --jit linux-6.12-x86_64 --svg "$scratch/bad" --html "$scratch/./bad"
expect 2 1 unwind "$seed" --jit linux-6.12-x86_64 --svg "$scratch/bad" --html "$scratch/no/such/dir/bad"
cmp "$seed" "$scratch/case.bpf" || failed=1
expect 2 3 unwind --layouts --cases 0
[ ! -e "$scratch/bad" ] || { echo "unwind wrote something on bad usage"; failed=1; }
expect 2 3 check "$seed" --jit all --depth deepest
expect 2 1 gen --shape no-such-shape
expect 0 0 gen --jit linux-6.12-riscv64 --count 3
expect 0 0 gen --capabilities atomic-add,divmul --count 3
! grep -q '^.array' "$scratch/out" || { echo "an array for a JIT without tail calls"; failed=1; }
expect 0 0 gen --capabilities ''
expect 2 1 gen --capabilities atomic-add,no-such-capability
expect 2 1 gen --jit no-such-jit
expect 2 1 gen --jit 'linux-6.12-*'
expect 2 3 gen --jit linux-6.12-riscv64 --capabilities v4
expect 2 1 gen --jit linux-6.12-riscv64 --shape tail-hierarchy
expect 2 1 fuzz --jit linux-6.12-riscv64 --runs 1 --shape tail-hierarchy --out "$scratch/f"
expect 2 3 fuzz --jit linux-6.12-x86_64 --runs many
expect 2 1 minimize "$seed" --jit linux-6.12-x86_64 -o "$scratch/no/such/dir/x.bpf"
expect 2 1 minimize "$seed" --jit linux-6.12-x86_64 -o "$scratch/conforms.bpf"
[ ! -e "$scratch/conforms.bpf" ] || { echo "a conforming case was minimised to something"; failed=1; }
expect 0 1 check "$seed" --jit linux-6.12-x86_64
expect 2 3 triage
expect 2 1 triage no-such-dir --jit linux-6.12-x86_64
expect 2 1 triage "$scratch" --jit no-such-jit
expect 0 0 triage "$seed" --jit linux-6.12-x86_64
expect 2 3 fuzz --jit linux-6.12-x86_64 --runs 1 --engine no-such-engine --out "$scratch/f"
expect 2 1 fuzz --jit linux-6.12-x86_64 --runs 1 --engine libfuzzer --targets /nowhere --out "$scratch/f"
expect 2 1 fuzz --jit linux-6.12-x86_64 --runs 1 --corpus "$scratch/c" --out "$scratch/f"

# Artefacts: what is named has to be usable, in a directory the others are judged all the same.
mkdir "$scratch/artefacts"
cp "$seed" "$scratch/artefacts/good.bpf"
echo text >"$scratch/artefacts/bad.bpf"
printf '.case 1\nmistake\n' >"$scratch/artefacts/crash-1"
expect 2 1 triage /dev/zero --jit linux-6.12-x86_64
expect 2 1 minimize "$scratch/artefacts" --jit linux-6.12-x86_64 -o "$scratch/m.bpf"
expect 0 0 triage "$scratch/artefacts" --jit linux-6.12-x86_64
grep -q '^passed over: .*/bad.bpf:1:1: ' "$scratch/out" || { cat "$scratch/out"; failed=1; }
grep -q '^note: .*/crash-1:2:.*(read as entropy)$' "$scratch/out" || { cat "$scratch/out"; failed=1; }

# One signature, known and not known: a file of each.
mkdir "$scratch/both" "$scratch/waivers"
known=corpus/known/tail-call-count-by-value-linux-6.1-x86_64.bpf
grep -v '^\.waive' "$known" >"$scratch/both/unknown.bpf"
cp "$known" "$scratch/both/known.bpf"
expect 1 0 triage "$scratch/both" --jit linux-6.1-x86_64 --known "$scratch/waivers" --out "$scratch/written"
[ "$(ls "$scratch/written" | wc -l)" = "$(grep -c 'written: ' "$scratch/out")" ] &&
  [ "$(ls "$scratch/written" | wc -l)" -ge 2 ] ||
  { echo "not a file of each:"; cat "$scratch/out"; ls "$scratch/written"; failed=1; }

# Whatever makes the status 1 is in every report.
printf '.case 1\n.expect return 8\n.program p\n.function main\n r0 = 7\n exit\n' >"$scratch/expects.bpf"
printf '.case 1\n.program p\n.function main\n r0 = 7\n exit\n.waive tail-call-bound.linux.x86_64.main linux-6.12-x86_64 never\n' >"$scratch/stale.bpf"
for part in expects stale; do
  expect 1 1 check "$scratch/$part.bpf" --jit linux-6.12-x86_64 --junit "$scratch/junit.xml" --format json
  grep -q '<failure' "$scratch/junit.xml" || { echo "$part: JUnit is green"; failed=1; }
  grep -q "\"case\": .*/$part.bpf" "$scratch/out" || { echo "$part: not in the JSON"; failed=1; }
done
expect 2 2 check "$scratch/expects.bpf" --jit linux-6.12-x86_64 --junit "$scratch/no/such/dir/junit.xml"
grep -q 'linux-6.12-x86_64: conforms' "$scratch/out" || { echo "no report without JUnit"; failed=1; }

expect 0 0 replay corpus --jit reference:x86_64-6.12 --depth fast
expect 2 1 replay corpus/broken --jit reference:x86_64-6.12
plumb=$(realpath "$plumb")
(cd "$scratch" && "$plumb" replay --jit reference:x86_64-6.12 --depth fast >/dev/null) ||
  { echo "replay outside the checkout"; failed=1; }
expect 0 0 replay --jit linux-6.12-x86_64 --depth fast
grep -q 'second opinions: .* given' "$scratch/out" || { echo "replay asks nobody"; failed=1; }

# What frames cost.
expect 0 0 bench --jit 'reference:x86_64-6.12' --only figures --json "$scratch/bench.json"
expect 0 0 bench --jit 'reference:x86_64-6.12' --only figures --baseline "$scratch/bench.json"
sed 's/"instructions": 7/"instructions": 6/' "$scratch/bench.json" >"$scratch/fewer.json"
expect 1 0 bench --jit 'reference:x86_64-6.12' --only figures --baseline "$scratch/fewer.json"
grep -q '^grew: reference:x86_64-6.12 empty: instructions 6 -> 7$' "$scratch/out" ||
  { echo "bench --baseline: $(cat "$scratch/out")"; failed=1; }
expect 2 1 bench --jit no-such-jit
expect 2 1 bench --jit 'reference:x86_64-6.12' --filter no-such-shape
expect 2 1 bench --jit 'reference:arm64-6.12' --only times
expect 2 1 bench --jit 'reference:x86_64-6.12' --baseline "$scratch/no-such-file"
expect 2 1 bench --jit 'reference:x86_64-6.12' --baseline "$seed"
echo '{}' >"$scratch/object.json"
expect 2 1 bench --jit 'reference:x86_64-6.12' --baseline "$scratch/object.json"
expect 2 1 bench --jit 'reference:x86_64-5.2' --only figures --baseline "$scratch/bench.json"
expect 2 1 bench --jit 'reference:x86_64-6.12' --compare 'reference:x86_64-6.12'
expect 2 1 bench --jit 'reference:x86_64-6.12' --compare 'reference:x86_64-6.12,reference:x86_64-5.2'
expect 2 1 bench --jit 'reference:x86_64-6.12' --html "$scratch/no/such/dir/x.html"
expect 2 3 bench --jit 'reference:x86_64-6.12' --only everything
expect 0 0 bench --from "$scratch/bench.json" --filter empty --html "$scratch/bench.html"
[ -s "$scratch/bench.html" ] || { echo "bench --from: no page"; failed=1; }
expect 2 1 bench --from "$scratch/bench.json" --jit 'reference:x86_64-5.2'
expect 2 1 bench --from "$scratch/no-such-file"

# The kernel's own tests.
expect 0 0 test-bpf --jit linux-6.12-x86_64 --suite test_tail_calls
expect 0 0 test-bpf --jit 'linux-6.1*-x86_64' --name DIV_MOD_KX -v
grep -q '^  test_bpf: #[0-9]* DIV_MOD_KX jited:1 PASS$' "$scratch/out" ||
  { echo "DIV_MOD_KX: $(cat "$scratch/out")"; failed=1; }
expect 2 1 test-bpf --jit no-such-jit
expect 2 1 test-bpf --jit linux-6.12-x86_64 --suite no-such-suite
expect 2 1 test-bpf --jit linux-6.12-x86_64 --name 'no such test'
expect 2 1 test-bpf --jit 'reference*'
# Nothing but what cannot run is no pass.
expect 3 1 test-bpf --jit linux-6.12-x86_64 --suite test_skb_segment

# A second opinion that nobody can give.
mkdir "$scratch/alone"
cp "$(dirname "$plumb")/plugins/linux-6.12-x86_64.so" "$scratch/alone/"
expect 2 1 check "$seed" --jit all --second-opinion --plugins "$scratch/alone"
expect 2 1 fuzz --jit all --runs 1 --second-opinion --plugins "$scratch/alone" --out "$scratch/f"
expect 0 1 replay "$seed" --jit all --plugins "$scratch/alone"
expect 0 1 check "$seed" --jit linux-6.12-x86_64 --second-opinion
grep -q 'second opinions: 1 asked, 1 given, 1 agree' "$scratch/out" ||
  { echo "no second opinion on $seed"; failed=1; }
mkdir "$scratch/alone/interpreters"
echo text >"$scratch/alone/interpreters/broken.so"
expect 2 1 replay "$seed" --jit all --plugins "$scratch/alone"

echo "command_line: $broken broken case files"
exit $failed
