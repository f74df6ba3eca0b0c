#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What OSS-Fuzz checks of a build, and what it does not: that targets and plugins are instrumented.
#   check_build.sh OUT SANITIZER TARGET...
# Every target has to run with nothing but OUT, in an empty environment: in a root directory that
# holds OUT, the C library, /proc and /tmp, as nobody; where one may not make such a root, from another directory.
set -uo pipefail
out=$(realpath "$1")
sanitizer=$2
shift 2
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0
refuse() { echo "check_build: $1: $2"; failed=1; }

# OSS-Fuzz's own floors. It only warns about the edges; here they are a condition.
least_edges=100
least_asan_calls=1000
least_ubsan_calls=100
libraries='linux-vdso|ld-linux|libc\.so|libm\.so|libdl\.so|libpthread\.so|librt\.so|libgcc_s|libresolv\.so'

# bare_root: a root directory with what their runner has and no more. Its path, or nothing.
bare_root() {
  local root=$scratch/root file
  mkdir -p "$root"/{proc,tmp,out}
  cp -al "$out/." "$root/out/" 2>/dev/null || cp -a "$out/." "$root/out/" || return
  chmod 755 "$scratch" "$root" "$root/out"
  chmod 1777 "$root/tmp"
  for file in $(for name in "$@"; do ldd "$out/$name" 2>/dev/null; done | grep -E "$libraries" | grep -oE '/[^ ]+' | sort -u); do
    install -D "$file" "$root$file" || return
  done
  in_root "$root" /lib64/ld-linux-x86-64.so.2 --version >/dev/null 2>&1 || return
  echo "$root"
}
# in_root ROOT COMMAND...: the mounts go when the command ends.
in_root() {
  local root=$1
  shift
  unshare --mount bash -c 'mount --rbind /proc "$0/proc" && exec env -i HOME=/tmp TMPDIR=/tmp LLVM_PROFILE_FILE=/tmp/%p.profraw "$(command -v chroot)" --userspec=65534:65534 "$0" "$@"' \
    "$root" "$@"
}

check() {
  local before=$failed
  failed=0
  check_one "$1"
  [ $failed = 0 ] && echo "check_build: $said"
  failed=$((before | failed))
}
# run_alone NAME ARGUMENTS...: the target with nothing but OUT.
run_alone() {
  local name=$1
  shift
  if [ -n "$root" ]; then
    timeout 300 bash -c "$(declare -f in_root); in_root \"\$@\"" bash "$root" "/out/$name" "$@"
  else
    (cd "$home/tmp" && env -i HOME="$home/tmp" TMPDIR="$home/tmp" LLVM_PROFILE_FILE="$home/tmp/%p.profraw" PATH=/usr/bin:/bin \
      timeout 300 "$out/$name" "$@")
  fi
}
# Why it ended, as far as its output says.
reason() { grep -m1 -E 'ASSERTION FAILED|ERROR: |internal error' "$1" || tail -1 "$1"; }
# The libraries that FILE needs and the runner lacks.
foreign() { ldd "$1" 2>/dev/null | awk '{print $1}' | grep -vE "$libraries|^statically" | xargs; }

# covers_the_jits LOG: the profile of the last run tells of lines of every JIT's own file.
covers_the_jits() {
  local jit
  llvm-profdata-19 merge -sparse "$home"/tmp/*.profraw -o "$scratch/profile" 2>>"$1" || { refuse "$name" "no profile: $(tail -1 "$1")"; return; }
  for jit in "${jits[@]}"; do
    llvm-cov-19 export -format=lcov -instr-profile="$scratch/profile" "$out/plugins/$jit.so" 2>/dev/null >"$scratch/lcov"
    awk '/^SF:/ { ours = /\/net\/bpf_jit_comp/ } ours && /^DA:[0-9]+,[1-9]/ { seen++ } END { exit seen == 0 }' "$scratch/lcov" ||
      refuse "$name" "no coverage of the code of $jit"
  done
}

check_one() {
  local name=$1 target=$out/$1 log=$scratch/$1.log edges calls needs seeds=$home/tmp/seeds jits=() jit
  [ -x "$target" ] || { refuse "$name" "no such target"; return; }
  needs=$(foreign "$target")
  [ -z "$needs" ] || { refuse "$name" "needs libraries that the runner lacks: $needs"; return; }
  for jit in options dict; do [ -f "$target.$jit" ] || refuse "$name" "no .$jit"; done
  [ -f "${target}_seed_corpus.zip" ] || refuse "$name" "no seed corpus"
  rm -f "$home"/tmp/*.profraw
  run_alone "$name" -runs=4 -seed=1337 >"$log" 2>&1
  grep -q '^Done 4 runs' "$log" || { refuse "$name" "does not run: $(reason "$log")"; return; }
  edges=$(grep -oE ' cov: [0-9]+' "$log" | tail -1 | grep -oE '[0-9]+')
  # A reference layout has no plugin: its code is the target's.
  mapfile -t jits < <(sed -n 's/^plumb: fuzzing //p' "$log" | grep -v '^reference:')
  case $name in
    fuzz_linux_*) [ ${#jits[@]} -gt 0 ] || refuse "$name" "fuzzes no JIT" ;;
    fuzz_reference) grep -q '^plumb: fuzzing reference:' "$log" || refuse "$name" "fuzzes no JIT" ;;
  esac
  for jit in "${jits[@]}"; do
    needs=$(foreign "$out/plugins/$jit.so")
    [ -z "$needs" ] || refuse "$name" "$jit needs libraries that the runner lacks: $needs"
  done
  if [ "$sanitizer" = coverage ]; then
    covers_the_jits "$log"
    said="$name: runs; ${#jits[@]} JITs have coverage"
    return
  fi
  [ "${edges:-0}" -ge $least_edges ] || refuse "$name" "${edges:-0} edges seen, $least_edges wanted: is it instrumented?"
  if [ "$sanitizer" = address ]; then
    calls=$(objdump -d --no-show-raw-insn "$target" | grep -c 'call.*<__asan_report_')
    [ "$calls" -ge $least_asan_calls ] || refuse "$name" "$calls calls of __asan, $least_asan_calls wanted"
  else
    calls=$(objdump -d --no-show-raw-insn "$target" | grep -c 'call.*<__ubsan_handle_')
    [ "$calls" -ge $least_ubsan_calls ] || refuse "$name" "$calls calls of __ubsan, $least_ubsan_calls wanted"
  fi
  for jit in "${jits[@]}"; do
    nm -D "$out/plugins/$jit.so" 2>/dev/null | grep -q __sanitizer_cov_8bit_counters_init ||
      refuse "$name" "the code of $jit is not instrumented"
  done
  # The seed corpus as their runner uses it: unpacked, with the options and the dictionary.
  if [ -s "${target}_seed_corpus.zip" ]; then
    rm -rf "$seeds" && mkdir "$seeds" && (cd "$seeds" && cmake -E tar xf "${target}_seed_corpus.zip") && chmod -R a+rX "$seeds"
    mapfile -t options < <(sed -n '/^\[libfuzzer\]/,/^\[asan\]/s/^\([a-z_]*\) = \(.*\)$/-\1=\2/p' "$target.options")
    local at=$out
    [ -n "$root" ] && at=/out seeds=/tmp/seeds
    run_alone "$name" -runs=0 "-dict=$at/$name.dict" "${options[@]}" "$seeds" >"$log.seeds" 2>&1 ||
      refuse "$name" "dies on its seed corpus: $(reason "$log.seeds")"
  fi
  said="$name: $edges edges in 4 runs, $calls calls of the sanitizer, ${#jits[@]} instrumented JITs, $(find "$home/tmp/seeds" -type f 2>/dev/null | wc -l) seeds"
}
[ $# -gt 0 ] || { echo "check_build: no targets"; exit 1; }
root=$(bare_root "$@")
home=${root:-$scratch/home}
mkdir -p "$home/tmp"
echo "check_build: $sanitizer, $([ -n "$root" ] && echo "in a bare root directory" || echo "in an empty environment")"
for name in "$@"; do check "$name"; done
exit $failed
