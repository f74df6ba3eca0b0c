#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A JIT that ends its process, in every way and at every place, is a finding of every command that
# judges, and never part of what conforms.
#   ended_process.sh PLUMB ENDING_PLUGIN
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
plumb=$(realpath "$1")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0
jit=linux-6.12-x86_64
mkdir "$scratch/plugins" "$scratch/cases" "$scratch/waivers" "$scratch/targets"
cp "$2" "$scratch/plugins/$jit.so"
ln -s "$(dirname "$plumb")/plugins/tests" "$scratch/plugins/tests"
for i in 1 2 3 4; do
  printf '.case 1\n.program p\n.function main\n r1 = %s\n r0 = 0\n exit\n' $i >"$scratch/cases/$i.bpf"
done
# A fuzz target whose runs end well and leave an artefact.
cat >"$scratch/targets/fuzz_ending_x86_64" <<'TARGET'
#!/usr/bin/env bash
for argument in "$@"; do
  case $argument in
    --out=*) out=${argument#*=} ;;
    --funnel=*) funnel=${argument#*=} ;;
  esac
done
counts=$(printf '"%s":9,' generated defined applicable compiled ran compared with_subprogram_call \
  with_tail_call with_call_or_tail_call with_tail_call_refused with_stack_pointer_argument \
  with_helper_call with_throw)
echo "{\"jit\":\"linux-6.12-x86_64\",\"funnel\":{${counts%,}},\"undefined\":{}}" >>"$funnel"
cp "$CASE" "$out/crash-1"
echo "INFO: exiting: 0 time: 1s"
TARGET
chmod +x "$scratch/targets/fuzz_ending_x86_64"
export CASE=$scratch/cases/1.bpf

case=$scratch/cases/1.bpf
check=(check "$scratch/cases" --jit $jit)
replay=(replay "$scratch/cases" --jit $jit -j 1)
triage=(triage "$scratch/cases" --jit $jit)
explain=(explain "$case" --jit $jit)
minimize=(minimize "$case" --jit $jit -o "$scratch/small.bpf")
test_bpf=(test-bpf --jit $jit --suite test_bpf --name ALU64_ADD_K:)
fuzz=(fuzz --jit $jit --runs 20 --out "$scratch/found")
libfuzzer=(fuzz --engine libfuzzer --targets "$scratch/targets" --jit $jit --runs 9
  --out "$scratch/found")

complain() {
  echo "$what: $1"
  head -20 "$scratch/out" "$scratch/err"
  failed=1
}

# run HOW@WHERE ARGUMENT...: with what it says in out and err; its status in $status.
run() {
  what="$1: plumb ${*:2}"
  rm -rf "$scratch/found"
  PLUMB_TESTING_END=$1 timeout 120 "$plumb" --plugins "$scratch/plugins" --known "$scratch/waivers" \
    "${@:2}" >"$scratch/out" 2>"$scratch/err"
  status=$?
}
# expect STATUS TEXT HOW@WHERE ARGUMENT...: the status, what stdout says, and no word of conforming.
expect() {
  run "${@:3}"
  [ $status = "$1" ] || complain "status $status, expected $1"
  grep -qE -- "$2" "$scratch/out" || complain "stdout lacks '$2'"
  ! grep -q "conforms" "$scratch/out" || complain "it conforms"
}

finding='jit-survives\.ending\.x86_64\.-'
rows=0
for where in load third-load unload; do
  for how in exit0 exit3 _exit0 exec fork; do
    at=$how@$where
    expect 1 "$finding" $at "${check[@]}"
    expect 1 "$finding" $at "${replay[@]}"
    expect 1 "$finding" $at "${triage[@]}"
    expect 1 "$finding" $at "${fuzz[@]}"
    expect 1 'FAIL: the JIT: ended ' $at "${test_bpf[@]}"
    rows=$((rows + 5))
    [ $where = third-load ] && continue # the rest load it once
    expect 1 "$finding" $at "${explain[@]}"
    expect 0 "signature $finding" $at "${minimize[@]}"
    expect 1 "$finding" $at "${libfuzzer[@]}"
    rows=$((rows + 3))
  done
done

# At any moment: it may hit us instead, and we say so.
for command in check replay triage fuzz test_bpf explain; do
  declare -n arguments=$command
  run _exit0@thread "${arguments[@]}"
  [ $status = 1 ] || [ $status = 3 ] || complain "status $status, expected 1 or 3"
  rows=$((rows + 1))
done

# What it prints is no part of a report.
run noise@load "${check[@]}" --format json
! grep -q noise "$scratch/out" || complain "the JIT prints into the JSON"
run noise@load "${check[@]}"
! grep -q noise "$scratch/out" || complain "the JIT prints into the report"

# That plugin as such is no finding: what was found above is how it ended.
for command in check replay triage explain; do
  declare -n arguments=$command
  run no@where "${arguments[@]}"
  [ $status = 0 ] || complain "status $status, expected 0"
done
run no@where "${check[@]}"
grep -q 'conforms over 4 compared cases' "$scratch/out" || complain "it does not conform"

echo "ended_process: $rows endings"
exit $failed
