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
libraries='linux-vdso|ld-linux|libc\.so|libm\.so|libdl\.so|libpthread\.so|librt\.so|libgcc_s|libresolv\.so'

# bare_root: a root directory with what their runner has and no more. Its path, or nothing.
bare_root() {
  local root=$scratch/root file
  mkdir -p "$root"/{proc,tmp,out}
  cp -al "$out/." "$root/out/" 2>/dev/null || cp -a "$out/." "$root/out/" || return
  chmod 755 "$scratch" "$root" "$root/out"
  chmod 1777 "$root/tmp"
  for file in $(for name in "$@"; do ldd "$out/$name" 2>/dev/null; done | grep -oE '/[^ ]+' | sort -u); do
    install -D "$file" "$root$file" || return
  done
  in_root "$root" /lib64/ld-linux-x86-64.so.2 --version >/dev/null 2>&1 || return
  echo "$root"
}
# in_root ROOT COMMAND...: the mounts go when the command ends.
in_root() {
  local root=$1
  shift
  unshare --mount bash -c 'mount --rbind /proc "$0/proc" && exec env -i HOME=/tmp TMPDIR=/tmp "$(command -v chroot)" --userspec=65534:65534 "$0" "$@"' \
    "$root" "$@"
}

check() {
  local before=$failed
  failed=0
  check_one "$1"
  [ $failed = 0 ] && echo "check_build: $said"
  failed=$((before | failed))
}
check_one() {
  local name=$1 target=$out/$1 log=$scratch/$1.log edges calls foreign
  [ -x "$target" ] || { refuse "$name" "no such target"; return; }
  foreign=$(ldd "$target" | awk '{print $1}' | grep -vE "$libraries")
  [ -z "$foreign" ] || refuse "$name" "needs libraries that the runner lacks: $foreign"
  [ -f "$target.options" ] || refuse "$name" "no options"
  [ -f "$target.dict" ] || refuse "$name" "no dictionary"
  [ -f "${target}_seed_corpus.zip" ] || refuse "$name" "no seed corpus"
  if [ -n "$root" ]; then
    timeout 120 bash -c "$(declare -f in_root); in_root \"\$@\"" bash "$root" "/out/$name" -runs=4 -seed=1337 >"$log" 2>&1
  else
    mkdir -p "$scratch/home"
    (cd "$scratch/home" && env -i HOME="$scratch/home" TMPDIR="$scratch/home" PATH=/usr/bin:/bin \
      timeout 120 "$target" -runs=4 -seed=1337 >"$log" 2>&1)
  fi
  grep -q '^Done 4 runs' "$log" || { refuse "$name" "does not run: $(tail -1 "$log")"; return; }
  [ "$sanitizer" = coverage ] && { said="$name: runs"; return; }
  edges=$(grep -oE ' cov: [0-9]+' "$log" | tail -1 | grep -oE '[0-9]+')
  [ "${edges:-0}" -ge $least_edges ] || refuse "$name" "${edges:-0} edges seen, $least_edges wanted: is it instrumented?"
  if [ "$sanitizer" = address ]; then
    calls=$(objdump -d --no-show-raw-insn "$target" | grep -c 'call.*__asan')
    [ "$calls" -ge $least_asan_calls ] || refuse "$name" "$calls calls of __asan, $least_asan_calls wanted"
  fi
  local jits=0 jit
  for jit in $(sed -n 's/^plumb: fuzzing //p' "$log"); do
    jits=$((jits + 1))
    nm -D "$out/plugins/$jit.so" 2>/dev/null | grep -q __sanitizer_cov_8bit_counters_init ||
      refuse "$name" "the code of $jit is not instrumented"
  done
  said="$name: $edges edges in 4 runs${calls:+, $calls calls of __asan}, $jits instrumented JITs"
}
root=$(bare_root "$@")
echo "check_build: $sanitizer, $([ -n "$root" ] && echo "in a bare root directory" || echo "in an empty environment")"
for name in "$@"; do check "$name"; done
exit $failed
