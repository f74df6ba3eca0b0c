#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# plumb fuzz --engine libfuzzer with a stand-in for the fuzz targets: what becomes of a run that is
# healthy, and of each way in which one is not.
#   libfuzzer_engine.sh PLUMB
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
plumb=$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0
targets=$scratch/targets
mkdir "$targets"
export STAND_IN=$scratch/how STAND_IN_CASE=$scratch/conforming
printf '.case 1\n.program p\n.function main\n r0 = 7\n exit\n' >"$STAND_IN_CASE"

# What it does is in the file $STAND_IN; with an input and no -fork, it judges the input.
cat >"$targets/fuzz_reference" <<'TARGET'
#!/usr/bin/env bash
how=$(cat "$STAND_IN") fork=no
for argument in "$@"; do
  case $argument in
    --jit=*) jit=${argument#*=} ;;
    --out=*) out=${argument#*=} ;;
    --funnel=*) funnel=${argument#*=} ;;
    -fork=*) fork=yes ;;
  esac
done
if [ $fork = no ]; then
  case $how:$jit in
    crash:*ibt) echo "SUMMARY: AddressSanitizer: heap-buffer-overflow in emit"; exit 1 ;;
  esac
  exit 0
fi
counts=$(printf '"%s":9,' generated defined applicable compiled ran compared with_subprogram_call \
  with_tail_call with_call_or_tail_call with_tail_call_refused with_stack_pointer_argument \
  with_helper_call with_throw)
[ "$how" = never ] && { echo "plumb: no plugin is called so"; exit 2; }
for name in ${jit//,/ }; do
  echo "{\"jit\":\"$name\",\"funnel\":{${counts%,}},\"undefined\":{}}" >>"$funnel"
done
echo "#9: cov: 1 ft: 1"
case $how in
  crash | silent) cp "$STAND_IN_CASE" "$out/crash-1" ;;
  mute) exit 0 ;; # a JIT that ends the process, say
  early) echo "==1== libFuzzer: broke"; echo "plumb:   compared 9"; exit 1 ;;
  hang) sleep 1000 & echo $! >"$out/pid"; wait ;;
esac
status=0
[ "$how" = last ] && status=77
echo "INFO: exiting: $status time: 1s"
echo "plumb:   compared                     0"
exit $status
TARGET
chmod +x "$targets/fuzz_reference"
cp "$targets/fuzz_reference" "$targets/fuzz_linux_x86_64"

out=$scratch/out
fuzz=("$plumb" fuzz --engine libfuzzer --targets "$targets" --out)

# expect STATUS HOW ARGUMENT...
expect() {
  local status=$1 got
  echo "$2" >"$STAND_IN"
  what="$2 ${*:3}"
  shift 2
  rm -rf "$out"
  "${fuzz[@]}" "$out" "$@" >"$scratch/stdout" 2>"$scratch/stderr"
  got=$?
  [ $got = "$status" ] || complain "status $got, expected $status"
}
complain() {
  echo "$what: $1"
  cat "$scratch/stdout" "$scratch/stderr"
  failed=1
}
says() { grep -qE -- "$2" "$scratch/$1" || complain "$1 lacks '$2'"; }
says_not() { ! grep -qE -- "$2" "$scratch/$1" || complain "$1 has '$2'"; }
# Is the process that the stand-in started gone, or a zombie that nobody waits for? Soon?
gone() {
  local pid i
  pid=$(cat "$out/pid")
  for i in $(seq 300); do
    grep -qs '^State:.*[RSDT] (' "/proc/$pid/status" || return 0
    sleep 0.1
  done
  kill "$pid"
  complain "process $pid lives on"
}

one=(--jit reference:x86_64-6.12 --runs 9)
two=(--jit reference:x86_64-6.12,reference:x86_64-6.12-ibt --runs 9)
expect 0 healthy "${one[@]}"
says stdout '^reference:x86_64-6.12: conforms over 9 compared cases$'
[ ! -s "$scratch/stderr" ] || complain "a healthy run has something to say"

# The last job's status is no reason to throw the run away.
expect 0 last "${one[@]}"
says stdout 'conforms over 9 compared'

# An artefact that nothing here dies of: a finding, of the JIT that the target dies of alone.
expect 1 crash "${two[@]}"
says stdout '^reference:x86_64-6.12: conforms'
says stdout '^reference:x86_64-6.12-ibt: 1 finding '
says stdout 'only under the sanitizers .*heap-buffer-overflow in emit$'
says stdout 'case: .*/out/crash-1$'
expect 1 silent "${one[@]}"
says stdout 'only under the sanitizers .*survives it'
# One that was there before the run is not of this run.
echo healthy >"$STAND_IN"
"${fuzz[@]}" "$out" "${one[@]}" >"$scratch/stdout" 2>"$scratch/stderr" || complain "an old artefact is a finding"

# What did not fuzz to the end: the harness failed, the rest is told, the others go on.
expect 3 early "${one[@]}"
says stdout 'conforms over 9 compared'
says stderr 'ended early: ==1== libFuzzer: broke; see '
expect 3 mute "${one[@]}"
says stderr 'fuzz_reference ended early: '
expect 3 never "${one[@]}" --format json
says stderr 'ended early: plumb: no plugin is called so; see '
says stdout '"harness_failures": \['
chmod -x "$targets/fuzz_linux_x86_64"
expect 3 healthy --jit linux-6.12-x86_64,reference:x86_64-6.12 --runs 9
says stderr 'fuzz_linux_x86_64 ended early: status 127, without a word'
says stdout '^reference:x86_64-6.12: conforms over 9 compared'
chmod +x "$targets/fuzz_linux_x86_64"
expect 3 hang --jit reference:x86_64-6.12 --seconds 1 --grace 1
says stderr 'did not end, 1 s after its time: stopped'
says stdout 'conforms over 9 compared'
gone

# Whatever ends plumb ends the target and its processes.
for signal in TERM KILL; do
  what="hang, and $signal"
  echo hang >"$STAND_IN"
  rm -rf "$out"
  "${fuzz[@]}" "$out" "${one[@]}" >"$scratch/stdout" 2>"$scratch/stderr" &
  until [ -s "$out/pid" ]; do sleep 0.1; done
  kill -$signal $!
  wait $! 2>/dev/null
  status=$?
  gone
  if [ $signal = TERM ]; then
    [ $status = 3 ] || complain "status $status"
    says stderr 'fuzz_reference interrupted'
    says stdout 'conforms over 9 compared'
  fi
done

# What libFuzzer cannot keep is refused before anything starts.
for seed in 0 4294967296; do
  expect 2 healthy "${one[@]}" --seed $seed
  says stderr '^plumb: --seed [0-9]+: libFuzzer has seeds from 1 to 4294967295$'
done
expect 0 healthy "${one[@]}" --seed 4294967295
expect 2 healthy --jit reference:x86_64-6.12 --runs 2147483648
out="$scratch/a b"
expect 2 healthy "${one[@]}"
out=$scratch/out
says stderr 'a b.*choose a path without blanks'
[ "$(wc -l <"$scratch/stderr")" = 1 ] || complain "more than one line"
[ ! -e "$scratch/a b/fuzz_reference.log" ] || complain "the target was started"
expect 2 healthy "${one[@]}" --corpus "$scratch/\$c"

# A JIT whose code tells libFuzzer nothing. The one of this build has no counters.
expect 0 healthy --jit linux-6.12-x86_64,reference:x86_64-6.12 --runs 9
says stderr '^plumb: .*linux-6.12-x86_64.so is not instrumented'
[ "$(grep -c 'not instrumented' "$scratch/stderr")" = 1 ] || complain "said more than once"
mkdir "$targets/plugins"
{ cat "$(dirname "$plumb")/plugins/linux-6.12-x86_64.so"; echo __sanitizer_cov_8bit_counters_init; } \
  >"$targets/plugins/linux-6.12-x86_64.so"
expect 0 healthy --jit linux-6.12-x86_64 --runs 9
says_not stderr 'not instrumented'

[ $failed = 0 ] && echo "libfuzzer_engine: ok"
exit $failed
