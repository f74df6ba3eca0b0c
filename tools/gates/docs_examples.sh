#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Runs the examples of the documentation: every line of a ```console block that starts with "$ plumb"
# must exit with the status that the block's comment "# status N" names, or 0.
#   docs_examples.sh BUILD
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
plumb=$PWD/$1/release/plumb
[ -x "$plumb" ] || plumb=$1/release/plumb
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
count=0
while IFS= read -r line; do
  status=0
  expected=0
  [[ $line =~ \#\ status\ ([0-9]) ]] && expected=${BASH_REMATCH[1]}
  command=${line#\$ plumb }
  command=${command%%#*}
  command=${command//findings/$scratch}
  # The examples are ours; eval gives them a shell's quoting.
  eval "\"$plumb\" $command" >"$scratch/out" 2>"$scratch/err" || status=$?
  if [ $status != "$expected" ]; then
    echo "docs_examples: status $status, expected $expected: $line"
    cat "$scratch/err"
    exit 1
  fi
  count=$((count + 1))
done < <(awk '/^```console/ {on=1; next} /^```/ {on=0} on && /^\$ plumb /' README.md docs/*.md)
[ $count -gt 0 ] || { echo "docs_examples: no example found"; exit 1; }
echo "docs_examples: $count examples"
