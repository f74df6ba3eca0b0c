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
build coverage fuzz_linux_x86_64 fuzz_linux_arm64 fuzz_linux_riscv64
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
  lcov=$coverage/report/$name.lcov
  llvm-cov-19 export "$plugin" -instr-profile="$coverage/merged.profdata" -format=lcov \
    2>/dev/null >"$lcov.all"
  # The kernel's JIT files alone: what is around them is ours.
  awk '/^SF:/ { keep = /\/arch\/[a-z0-9]+\/net\/bpf_jit[a-z0-9_]*\.[ch]$/ } keep' "$lcov.all" >"$lcov"
  rm "$lcov.all"
  mapfile -t sources < <(sed -n 's/^SF://p' "$lcov")
  [ ${#sources[@]} -gt 0 ] || die "$name: no coverage of its JIT files"
  llvm-cov-19 show "$plugin" -instr-profile="$coverage/merged.profdata" -format=html \
    -show-branches=count -output-dir="$coverage/report/$name" "${sources[@]}" 2>/dev/null
  {
    echo "== $name"
    awk -F: '/^SF/ { n = split($2, part, "/"); file = part[n] }
      /^DA/ { split($2, da, ","); lines[file]++; hit[file] += da[2] > 0 }
      /^BRDA/ { split($2, br, ","); branches[file]++; taken[file] += br[4] != "-" && br[4] > 0 }
      END { for (f in lines) printf "  %-22s lines %5.1f %% (%d of %d)  branches %5.1f %% (%d of %d)\n", f,
              100 * hit[f] / lines[f], hit[f], lines[f],
              branches[f] ? 100 * taken[f] / branches[f] : 100, taken[f], branches[f] }' \
      "$lcov" | sort
    # Lines of functions, from where each begins to where the next one does.
    awk -v frame="$frame" '
      /^FN:/ { text = substr($0, 4); comma = index(text, ",")
               begin[++count] = substr(text, 1, comma - 1); name[count] = substr(text, comma + 1)
               sub(/^.*:/, "", name[count]) }
      /^DA:/ { split(substr($0, 4), da, ","); line[++total] = da[1]; runs[total] = da[2] }
      /^end_of_record/ {
        for (i = 1; i <= count; i++) {
          last = 1e9
          for (j = 1; j <= count; j++) if (begin[j] + 0 > begin[i] + 0 && begin[j] + 0 < last) last = begin[j] + 0
          all = missed = 0; list = ""
          for (k = 1; k <= total; k++) if (line[k] + 0 >= begin[i] + 0 && line[k] + 0 < last) {
            all++; if (runs[k] == 0) { missed++; list = list " " line[k] } }
          if (all == missed) { never = never " " name[i] "(" all ")"; continue }
          is_frame = name[i] ~ frame
          if (is_frame) { whole++; full += missed == 0 }
          if (missed > 0) printf "  %-11s %-32s %4d of %4d lines; not:%s\n", is_frame ? "frame code" : "", name[i], all - missed, all, list
        }
        count = total = 0 }
      END { printf "  frame code: %d of %d functions that are entered have all lines\n", full, whole
            print "  never entered (lines):" never }' "$lcov"
  } >>"$summary"
done
cat "$summary"
say "HTML: $coverage/report/*/index.html"
