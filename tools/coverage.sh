#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Which lines of the Linux JIT files a corpus covers: builds the `coverage` preset, runs the corpus
# through the fuzz targets, writes build/coverage/report/ (HTML) and prints a summary.
#   coverage.sh [CORPUS...]   default: all of corpus/ that is valid
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. tools/setup.sh

corpora=("$@")
[ ${#corpora[@]} -gt 0 ] || corpora=(corpus/seeds corpus/known corpus/regressions corpus/distilled)
build coverage fuzz_targets
coverage=build/coverage
profiles=$coverage/profiles
rm -rf "$profiles" "$coverage/report"
mkdir -p "$profiles" "$coverage/report"
for target in "$coverage"/fuzz_linux_*; do
  case $target in *.dict|*.options) continue ;; esac
  say "running the corpus through $(basename "$target")"
  # Findings are not what is looked for here: none may end the run before the last file.
  LLVM_PROFILE_FILE="$profiles/%m-%p.profraw" "$target" -runs=0 --keep-going --out="$profiles" \
    "${corpora[@]}" >"$profiles/$(basename "$target").log" 2>&1 ||
    { tail -3 "$profiles/$(basename "$target").log"; die "$(basename "$target") failed"; }
done
llvm-profdata-19 merge -sparse "$profiles"/*.profraw -o "$coverage/merged.profdata"

# What is reported: a JIT and the files that hold it. Frame code: the functions that make and leave
# frames, calls and tail calls.
frame='prologue|epilogue|tail_call|emit_call|push_|pop_|callee_reg|callee_saved|emit_return|bpf_tail|build_plt|store_args|spill|rv_tail'
summary=$coverage/report/summary.txt
: >"$summary"
for plugin in "$coverage"/plugins/*.so; do
  name=$(basename "$plugin" .so)
  case $name in
    *x86_64) files='/arch/x86/net/' ;;
    *arm64) files='/arch/arm64/net/' ;;
    *riscv64) files='/arch/riscv/net/' ;;
    *) continue ;;
  esac
  tree=build/trees/$(sed -E 's/-(x86_64|arm64|riscv64).*//' <<<"$name")
  mapfile -t sources < <(find -L "$tree$files" -name 'bpf_jit*.[ch]' | sort | xargs realpath)
  llvm-cov-19 show "$plugin" -instr-profile="$coverage/merged.profdata" -format=html \
    -show-branches=count -output-dir="$coverage/report/$name" "${sources[@]}" 2>/dev/null
  llvm-cov-19 export "$plugin" -instr-profile="$coverage/merged.profdata" -format=lcov \
    "${sources[@]}" 2>/dev/null >"$coverage/report/$name.lcov"
  {
    echo "== $name"
    awk -F: '/^SF/ { n = split($2, part, "/"); file = part[n] }
      /^DA/ { split($2, da, ","); lines[file]++; hit[file] += da[2] > 0 }
      /^BRDA/ { split($2, br, ","); branches[file]++; taken[file] += br[4] != "-" && br[4] > 0 }
      END { for (f in lines) printf "  %-22s lines %5.1f %% (%d of %d)  branches %5.1f %% (%d of %d)\n", f,
              100 * hit[f] / lines[f], hit[f], lines[f],
              branches[f] ? 100 * taken[f] / branches[f] : 100, taken[f], branches[f] }' \
      "$coverage/report/$name.lcov" | sort
    # Lines of functions, from where each begins to where the next one does.
    awk -F: -v frame="$frame" '
      /^FN:/ { split($2, fn, ","); begin[++count] = fn[1]; name[count] = fn[2]
               sub(/^.*:/, "", name[count]) }
      /^DA/ { split($2, da, ","); line[++total] = da[1]; runs[total] = da[2] }
      /^end_of_record/ {
        for (i = 1; i <= count; i++) {
          if (name[i] !~ frame) continue
          last = 1e9
          for (j = 1; j <= count; j++) if (begin[j] > begin[i] && begin[j] < last) last = begin[j]
          all = missed = 0; list = ""
          for (k = 1; k <= total; k++) if (line[k] >= begin[i] && line[k] < last) {
            all++; if (runs[k] == 0) { missed++; list = list " " line[k] } }
          whole++; if (missed == 0) full++
          else printf "  frame code  %-28s %d of %d lines; not: %s\n", name[i], all - missed, all, list
        }
        count = total = 0 }
      END { printf "  frame code  %d of %d functions with all lines\n", full, whole }' "$coverage/report/$name.lcov"
  } >>"$summary"
done
cat "$summary"
say "HTML: $coverage/report/*/index.html"
