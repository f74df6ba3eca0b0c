#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What `plumb jits add` and `plumb fuzz` are for: small defects are edited into a copy of a kernel
# tree, one at a time (jit_under_test/linux/edits/ARCH.txt); each must be caught. Minutes per
# architecture, so not part of the tests; `--smoke` (one tree, unedited) is.
#   tree_edits.sh PLUMB TREE ARCH [RUNS [NAME...]]   which edits are caught, by what, how soon;
#                                                    RUNS 0: only whether they apply and compile;
#                                                    RUNS places: only whether they apply.
#                                                    ARCH interpreter: edits of the interpreter,
#                                                    caught by its second opinions; riscv64-frames:
#                                                    of trees whose frames keep the count. In a tree
#                                                    of another line than the table's, edits may have
#                                                    no place or not compile: they are counted and
#                                                    named at the end
#   tree_edits.sh PLUMB TREE --smoke                 add, check one case, remove
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
plumb=$(realpath "$1")
tree=$(realpath "$2" 2>/dev/null) || { echo "tree_edits: no tree $2"; exit 77; }
arch=$3
runs=${4:-3000}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
fail() { echo "tree_edits: $*"; exit 1; }
plumb() { "$plumb" --cache "$scratch/cache" "$@"; }

# refused PATTERN ARGUMENT...: jits add with these says one line that matches, status 2, and leaves
# nothing but a log.
refused() {
  local pattern=$1 status=0
  shift
  plumb jits add "$@" >"$scratch/out" 2>"$scratch/err" || status=$?
  [ $status = 2 ] || fail "add $*: status $status"
  [ "$(wc -l <"$scratch/err")" = 1 ] || fail "add $*: $(cat "$scratch/err")"
  grep -qE "$pattern" "$scratch/err" || fail "add $*: '$(cat "$scratch/err")' lacks '$pattern'"
  left=$(find "$scratch/cache" -mindepth 1 ! -path '*/.logs*' 2>/dev/null || true)
  [ -z "$left" ] || fail "add $*: left behind: $left"
}

smoke() {
  [ -f "$tree/Makefile" ] || { echo "tree_edits: no tree in $tree"; exit 77; }
  refused 'no such file or directory' linux=/no/such/tree --source .
  refused 'not a kernel tree' "linux=$PWD" --source .
  refused 'neither a directory nor an archive' linux=/etc/passwd --source .
  refused 'what to add is' nothing
  refused 'is no name' "linux=$tree" --name ../x --source .
  refused 'no checkout' "linux=$tree" --source /
  refused 'not.*archive|not look like a tar' "linux=$scratch/text.tar" --source .
  refused 'holds no kernel tree' "linux=$scratch/other.tar" --source .
  refused 'arm64: the tree has no arch/arm64|arm64: this version' "linux=$scratch/lacking" \
    --arch arm64 --source .
  refused 'x86_64: it does not compile: .*bpf_jit_comp.c:.* error: .*log: .*broken.log' \
    "linux=$scratch/broken" --arch x86_64 --name broken --source .
  [ -s "$scratch/cache/.logs/broken.log" ] || fail "no log"
  refused "no variant 'itb'; there are .*ibt" "linux=$tree" --variants bti,itb --source .
  refused 'debian=7: what to add is' debian=7
  refused 'directory' "linux=$tree" --keep-tree "$scratch/kept" --source .
  refused 'exists' "linux=$scratch/other.tar" --keep-tree "$scratch" --source .
  # What fails is said of each architecture, with the word that is missing and its place.
  plumb jits add "linux=$scratch/missing" --arch x86_64,arm64 --variants none --source . \
    >"$scratch/out" 2>"$scratch/err" && fail "a tree that does not compile was added"
  for arch in x86_64 arm64; do
    grep -qE "linux-.*-$arch: .*include/linux/filter.h:[0-9]+:.*PLUMB_NO_SUCH_WORD.*: add to jit_under_test/linux/shim/" \
      "$scratch/err" || fail "missing words: $(cat "$scratch/err")"
  done
  refused 'invalid ELF|file too short|not a plugin|no plugin' "plugin=$scratch/text.tar"
  refused_path=$(PATH=/nowhere "$plumb" --cache "$scratch/cache" jits add \
    "linux=$tree" --source . 2>&1) && fail "added without a compiler"
  [[ $refused_path == *"none in PATH"* ]] || fail "without PATH: $refused_path"

  # An interrupt in the middle.
  "$plumb" --cache "$scratch/cache" jits add "linux=$tree" --name cut --variants none --source . \
    >/dev/null 2>"$scratch/err" &
  local add=$!
  while [ ! -e "$(echo "$scratch"/cache/.add-*/build/CMakeCache.txt)" ]; do
    kill -0 $add 2>/dev/null || fail "add ended early: $(cat "$scratch/err")"
    sleep 0.02
  done
  kill -TERM $add
  wait $add && fail "an interrupted add says that it is done"
  left=$(find "$scratch/cache" -mindepth 1 ! -path '*/.logs*')
  [ -z "$left" ] || fail "an interrupted add left $left"

  plumb jits add "linux=$tree" --name smoke --arch x86_64 --variants ibt --source . || fail "add"
  plumb jits >"$scratch/out"
  grep -qx 'linux-smoke-x86_64:ibt' "$scratch/out" || fail "no variant: $(cat "$scratch/out")"
  plumb jits add "linux=$tree" --name smoke --arch x86_64 --source . 2>/dev/null &&
    fail "added twice"
  plumb check corpus/seeds/limit-33-tail-calls-from-main.bpf --jit linux-smoke-x86_64 \
    >"$scratch/out" || fail "check: $(cat "$scratch/out")"
  # The kernel's own tests: they pass, and they see a limit that is one too high.
  plumb test-bpf --jit linux-smoke-x86_64 --suite test_tail_calls >"$scratch/out" ||
    fail "test-bpf: $(cat "$scratch/out")"
  grep -q '^  test_tail_calls: Summary: [1-9][0-9]* PASSED, 0 FAILED' "$scratch/out" ||
    fail "test-bpf: $(cat "$scratch/out")"
  plumb jits add "linux=$scratch/limit" --name limit --arch x86_64 --variants none --source . || fail "add limit"
  plumb test-bpf --jit linux-limit-x86_64 --suite test_tail_calls >"$scratch/out" &&
    fail "test-bpf does not see a limit of 34: $(cat "$scratch/out")"
  grep -q 'max count reached jited:1 FAIL' "$scratch/out" || fail "test-bpf: $(cat "$scratch/out")"
  plumb jits remove limit || fail "remove limit"
  plumb jits remove smoke || fail "remove"
  plumb jits remove smoke 2>/dev/null && fail "removed twice"
  left=$(find "$scratch/cache" -mindepth 1 ! -path '*/.logs*')
  [ -z "$left" ] || fail "left behind: $left"
}

if [ "$arch" = --smoke ]; then
  echo text >"$scratch/text.tar"
  (cd "$scratch" && mkdir -p top/dir && echo x >top/dir/file && tar -cf other.tar top)
  cp -rs "$tree" "$scratch/lacking"
  rm -rf "$scratch/lacking/arch/arm64"
  cp -rs "$tree" "$scratch/broken"
  rm "$scratch/broken/arch/x86/net/bpf_jit_comp.c"
  sed '1,/^{/s/^{/{ oops/' "$tree/arch/x86/net/bpf_jit_comp.c" \
    >"$scratch/broken/arch/x86/net/bpf_jit_comp.c"
  cp -rs "$tree" "$scratch/missing"
  rm "$scratch/missing/include/linux/filter.h"
  { cat "$tree/include/linux/filter.h"; echo 'static const int plumb_missing = PLUMB_NO_SUCH_WORD;'; } \
    >"$scratch/missing/include/linux/filter.h"
  cp -rs "$tree" "$scratch/limit"
  rm "$scratch/limit/arch/x86/net/bpf_jit_comp.c"
  sed 's/MAX_TAIL_CALL_CNT)/MAX_TAIL_CALL_CNT + 1)/' "$tree/arch/x86/net/bpf_jit_comp.c" \
    >"$scratch/limit/arch/x86/net/bpf_jit_comp.c"
  smoke
  exit 0
fi

jit=$arch
second_opinion=()
case $arch in
  x86_64) file=arch/x86/net/bpf_jit_comp.c ;;
  arm64) file=arch/arm64/net/bpf_jit_comp.c ;;
  riscv64 | riscv64-frames) file=arch/riscv/net/bpf_jit_comp64.c jit=riscv64 ;;
  interpreter) file=kernel/bpf/core.c jit=x86_64 second_opinion=(--second-opinion) ;;
  *) fail "no edits for $arch" ;;
esac
tools/gates/edit_names.sh "jit_under_test/linux/edits/$arch.txt"
# made_for: the line of kernels that the table is written for; there every edit has its place.
made_for=$(sed -nE 's/^#.* of a ([0-9]+\.[0-9]+) tree[^a-z].*/\1/p' "jit_under_test/linux/edits/$arch.txt" | head -1)
[ -n "$made_for" ] || fail "edits/$arch.txt does not say of which tree it speaks"
line=$(awk -F'[ =]+' '/^VERSION/ { v = $2 } /^PATCHLEVEL/ { print v "." $2; exit }' "$tree/Makefile")
# A copy whose files are links, but for the edited one.
cp -rs "$tree" "$scratch/tree"

# line_number FUNCTION PATTERN NTH: of the matching line.
line_number() {
  awk -v function_name="$1" -v pattern="$2" -v nth="$3" '
    function_name == "-" { inside = 1 }
    function_name != "-" && $0 ~ "^[a-z].*[ *]" function_name "\\(" && !/;$/ { inside = 1 }
    inside && $0 ~ pattern && ++seen == nth { print NR; exit }
    function_name != "-" && /^}/ { inside = 0 }' "$tree/$file"
}

# What only large functions show is looked for in these, which take long.
large_runs=150

# fuzzed TREE [SHAPE | :VARIANT]: adds it and fuzzes; the report is in $scratch/report.
fuzzed() {
  local cases=(--runs "$runs") variant=
  case ${2-} in
    "") ;;
    :*) variant=$2 ;;
    *) cases=(--shape "$2" --runs "$large_runs") ;;
  esac
  local variant_name=${variant#:}
  plumb jits add "linux=$1" --name edited --arch "$jit" --variants "${variant_name:-none}" --source . --force \
    >"$scratch/added" 2>&1 || { cat "$scratch/added"; return 1; }
  [ "$runs" != 0 ] || return 0
  local status=0
  plumb fuzz --jit "linux-edited-$jit$variant" "${cases[@]}" --seed 1 --out "$scratch/out" \
    "${second_opinion[@]}" >"$scratch/report" 2>"$scratch/errors" || status=$?
  [ $status -le 1 ] || { echo "status $status: $(head -3 "$scratch/errors")"; return 1; }
}
# What the tree shows without an edit is no edit's doing.
[ "$runs" = places ] || fuzzed "$tree" || fail "the tree as it is"
touch "$scratch/report"
awk '/^finding / { print $2 }' "$scratch/report" >"$scratch/before"
declare -A seen_variants=()
# as_it_is SHAPE: a variant of the tree that was not looked at yet, what it shows without an edit.
as_it_is() {
  [[ $1 == :* && $runs != 0 && $runs != places && -z ${seen_variants[$1]-} ]] || return 0
  fuzzed "$tree" "$1" || fail "the tree as it is, $1"
  awk '/^finding / { print $2 }' "$scratch/report" >>"$scratch/before"
  seen_variants[$1]=1
}
[ "$runs" = 0 ] || [ "$runs" = places ] || grep -qE '^  compared +[1-9]' "$scratch/report" || fail "the tree as it is: no case was compared"
[ "$runs" = places ] || echo "the tree as it is: $(wc -l <"$scratch/before") findings in $runs cases"

edits=0
gone=()      # no such line
useless=()   # the line is there and the edit changes nothing, or the tree does not compile any more
caught=0
expected=0
[ "$runs" = places ] || printf '%-32s %7s  %-34s %s\n' edit cases invariant 'all invariants'
while read -r name function pattern nth change by shape; do
  [[ -z $name || $name == \#* ]] && continue
  [[ $# -le 4 || " ${*:5} " == *" $name "* ]] || continue
  # awk knows extended expressions, the table basic ones: the parenthesis is what differs.
  number=$(line_number "$function" "$(sed 's/(/[(]/g' <<<"$pattern")" "$nth")
  if [ -z "$number" ]; then
    [ "$line" != "$made_for" ] || fail "$name: no such line in $function"
    gone+=("$name")
    continue
  fi
  as_it_is "$shape"
  rm "$scratch/tree/$file"
  sed "${number}${change}" "$tree/$file" >"$scratch/tree/$file"
  echo "no line is another" >"$scratch/why"
  if cmp -s "$tree/$file" "$scratch/tree/$file" ||
    { [ "$runs" != places ] && ! fuzzed "$scratch/tree" "$shape" >"$scratch/why"; }; then
    [ "$line" != "$made_for" ] || fail "$name: $(cat "$scratch/why")"
    useless+=("$name")
    continue
  fi
  edits=$((edits + 1))
  [ "$runs" != 0 ] && [ "$runs" != places ] || continue
  awk 'FILENAME == ARGV[1] { before[$1] = 1; next }
       /^finding / { new = !($2 in before); split($2, part, "."); found = part[1]
                       if (new && !seen[found]++) all = all " " found }
       /^  first after/ && new { if (!best || $3 < best) { best = $3; by = found } }
       END { if (best) print best, by all }' "$scratch/before" "$scratch/report" >"$scratch/new"
  read -r cases invariant all <"$scratch/new" || cases=-
  mark=' '
  if [ "$cases" != - ]; then
    caught=$((caught + 1))
    if grep -qwE -- "$by" <<<"$all"; then expected=$((expected + 1)); else mark='*'; fi
    printf '%-32s %7s %s%-34s %s\n' "$name" "$cases" "$mark" "$invariant" "$all"
  else
    printf '%-32s       -  not caught\n' "$name"
  fi
done <"jit_under_test/linux/edits/$arch.txt"
# left_out WHAT NAME...: what was not tried, and never silently.
left_out() {
  local what=$1
  shift
  [ $# -eq 0 ] || echo "tree_edits: $arch: $# edits $what in this tree ($line; the table is for $made_for): $*"
}
left_out "have no place" "${gone[@]}"
left_out "change nothing, or do not compile," "${useless[@]}"
if [ "$runs" = 0 ] || [ "$runs" = places ]; then
  [ $edits -gt 0 ] || fail "no edit applies"
  echo "tree_edits: $arch: $edits edits apply$([ "$runs" = places ] || echo " and compile")"
  exit 0
fi
[ $edits != 0 ] || fail "no edit has a place in this tree"
echo "tree_edits: $arch: $caught of $edits caught within $runs cases, $expected by an invariant that was named (* not)"
[ $edits -gt 0 ] && [ $caught = $edits ]
