#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Plugins that do what a plugin must not do (jit_under_test/hostile_plugin.c), under the commands:
# each is a finding, or is refused in one line; the JITs beside it are judged as without it; what it
# prints is in no output, and its texts forge none of ours.
#   hostile_plugins.sh PLUMB DIRECTORY_OF_PLUGINS
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
plumb=$(realpath "$1")
plugins=$(realpath "$2")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0
bystander=reference:x86_64-5.2
case=$scratch/case.bpf
printf '.case 1\n.program p\n.function main\n r1 = 4\n r1 += 3\n r0 = 0\n exit\n' >"$case"
mkdir "$scratch/waivers"

complain() {
  echo "$what: $1"
  head -20 "$out" "$err"
  failed=1
}

# run NAME ARGUMENT...: with what it says in $out and $err; its status in $status.
run() {
  what="plumb ${*:2}"
  out=$scratch/$1.out err=$scratch/$1.err
  timeout 120 "$plumb" --plugins "$plugins" --known "$scratch/waivers" "${@:2}" >"$out" 2>"$err"
  status=$?
}

# expect STATUS NAME ARGUMENT...: the status, and nothing that a plugin printed or forged.
expect() {
  run "${@:2}"
  [ $status = "$1" ] || complain "status $status, expected $1"
  ! grep -qE '^(plumb: the harness failed: forged|all conforms|\]\})' "$out" "$err" ||
    complain "forged"
  ! grep -q $'\033' "$out" "$err" || complain "escape sequences"
}

# entry FILE: what a JSON report says of the bystander, but for times.
entry() {
  local i=0
  while cmake "-DFILE=$1" "-DFIELD=jits.$i.name" -P tools/gates/json_field.cmake >"$scratch/name" 2>&1
  do
    if grep -qx "$bystander" "$scratch/name"; then
      cmake "-DFILE=$1" "-DFIELD=jits.$i" -P tools/gates/json_field.cmake 2>&1 |
        sed '/"rate" :/d'
      return
    fi
    i=$((i + 1))
  done
  echo "$1 says nothing about $bystander: $(cat "$scratch/name")"
}

# same NAME NAME: two reports say the same about the bystander.
same() {
  entry "$scratch/$1.out" >"$scratch/first"
  entry "$scratch/$2.out" >"$scratch/second"
  grep -q '"funnel"' "$scratch/first" || { cat "$scratch/first"; failed=1; }
  diff "$scratch/first" "$scratch/second" || complain "another verdict on $bystander"
}

# Two hang until their time is up: meanwhile the others go on.
hanging() {
  expect 1 explain_hang explain "$case" --jit HANG_IN_LOAD
  grep -q '^jit-survives\.hostile\.x86_64\.-$' "$out" || complain "no finding"
  [ $failed = 0 ]
}
listing() {
  expect 0 jits --format json jits
  for name in EXIT_IN_CONSTRUCTOR HANG_IN_OPEN; do
    grep -A2 "\"name\": \"$name\"" "$out" | grep -q '"available": false' || complain "$name is available"
  done
  [ "$(grep -c '"family": "hostile"' "$out")" = 13 ] || complain "not all others are"
  [ $failed = 0 ]
}
everything() {
  expect 2 check_all --format json check "$case" --jit "*_*,[A-Z]*,$bystander"
  expect 0 check_alone --format json check "$case" --jit "$bystander"
  same check_all check_alone
  for name in EXIT_IN_CONSTRUCTOR HANG_IN_OPEN; do
    grep -q "^plumb: $name: not available: it cannot be opened: " "$scratch/check_all.err" ||
      complain "$name is not refused"
  done
  [ "$(wc -l <"$scratch/check_all.err")" = 2 ] || complain "it is not one line for each refusal"
  [ $failed = 0 ]
}
hanging & listing & everything &
jobs=$(jobs -p)

some=ESCAPES,EXIT_IN_UNLOAD,STDOUT,EXIT_IN_CONSTRUCTOR
fuzz=(--format json fuzz --runs 6 --seed 3)
expect 2 fuzz_some "${fuzz[@]}" --out "$scratch/found" --jit "$some,$bystander"
# So few cases leave stages of the funnel empty.
expect 3 fuzz_alone "${fuzz[@]}" --out "$scratch/found" --jit "$bystander"
same fuzz_some fuzz_alone

finding='^jit-survives\.hostile\.x86_64\.-$'
for name in EXIT_IN_LOAD EXIT_IN_UNLOAD ABORT FORK MEMORY LONGJMP EXCEPTION OVERWRITE KILLED; do
  expect 1 explain explain "$case" --jit $name
  grep -qE "$finding" "$out" || complain "no finding"
done
expect 1 explain explain "$case" --jit ESCAPES
expect 0 explain explain "$case" --jit STDOUT
for name in EXIT_IN_UNLOAD ESCAPES KILLED; do
  expect 0 minimize minimize "$case" --jit $name -o "$scratch/small.bpf"
done
expect 2 minimize minimize "$case" --jit STDOUT -o "$scratch/small.bpf"
for command in explain "minimize -o $scratch/small.bpf" check "fuzz --runs 1 --out $scratch/found"; do
  file=$case
  [[ $command != fuzz* ]] || file=
  # shellcheck disable=SC2086 # words
  expect 2 refused $command $file --jit EXIT_IN_CONSTRUCTOR
  [ "$(wc -l <"$err")" = 1 ] && [ ! -s "$out" ] || complain "not refused in one line"
done
# An interpreter for second opinions is opened where it can do no harm, first.
mkdir -p "$scratch/plugins/interpreters"
cp "$plugins/EXIT_IN_CONSTRUCTOR.so" "$scratch/plugins/interpreters/"
all=$plugins plugins=$scratch/plugins
expect 2 interpreter explain "$case" --jit "$bystander"
[ "$(wc -l <"$err")" = 1 ] && [ ! -s "$out" ] || complain "not refused in one line"
plugins=$all
expect 1 isolated --isolate check "$case" --jit "ABORT,$bystander"

for job in $jobs; do wait "$job" || failed=1; done
echo "hostile_plugins: done"
exit $failed
