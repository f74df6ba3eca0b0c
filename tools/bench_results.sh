#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Measures what bench/RESULTS.md tells of, and writes it and its pictures anew. Minutes, best on a
# machine that does nothing else.
#   bench_results.sh [PLUMB [PLUGINS]]     defaults: build/release/plumb, plugins/ beside it
#   bench_results.sh --from FILE [PLUMB]   writes them from results of plumb bench --json
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
from=
if [ "${1:-}" = --from ]; then
  from=$2
  shift 2
fi
plumb=${1:-build/release/plumb}
plugins=${2:-$(dirname "$plumb")/plugins}
[ -x "$plumb" ] || { echo "bench_results: no command $plumb" >&2; exit 2; }

jits='reference:*'
jits+=,linux-6.1-x86_64,linux-6.1-arm64,linux-6.1-riscv64
jits+=,linux-6.12-x86_64,linux-6.12-arm64,linux-6.12-riscv64
for variant in ibt rethunk retpoline call-padding call-depth; do jits+=,linux-6.12-x86_64:$variant; done
for variant in bti pac bti+pac; do jits+=,linux-6.12-arm64:$variant; done
if [ -z "$from" ]; then
  from=$scratch/all.json
  "$plumb" --plugins "$plugins" bench --jit "$jits" --repetitions 31 --seconds 0.002 \
    --json "$from" >/dev/null
fi
processor=$(sed -n 's/^ "processor": "\(.*\)",$/\1/p' "$from")
loop=$("$plumb" bench --from "$from" --filter empty | sed -n 's/^the measuring loop takes \(.*\) of each time$/\1/p')

# compare A B SHAPES: a block with what differs.
compare() {
  echo
  echo '```'
  "$plumb" bench --from "$from" --compare "$1,$2" --filter "$3"
  echo '```'
}
# picture NAME TITLE LAYOUTS SHAPE: bench/results/NAME.svg, and a line that shows it.
picture() {
  "$plumb" bench --from "$from" --jit "$3" --filter "$4" --svg "$scratch/svg" >/dev/null
  mkdir -p bench/results
  mv "$scratch/svg/$4.svg" "bench/results/$1.svg"
  printf '\n![%s](results/%s.svg)\n' "$2" "$1"
}

rm -rf bench/results
{
  # The answers between the figures are in bench/questions.md: a line "@ COMMAND ARGUMENTS" stands
  # for what the function above writes.
  while IFS= read -r line; do
    case $line in
      '@ '*) read -ra words <<<"${line#@ }"; "${words[0]}" "${words[@]:1}" ;;
      *)
        line=${line//'{processor}'/$processor}
        line=${line//'{loop}'/$loop}
        printf "%s\n" "$line" ;;
    esac
  done <bench/questions.md
} >"$scratch/RESULTS.md"
mv "$scratch/RESULTS.md" bench/RESULTS.md
echo "bench_results: bench/RESULTS.md, $(ls bench/results | wc -l) pictures in bench/results" >&2
