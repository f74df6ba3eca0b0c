#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The example of docs/adding-a-jit.md, as a stranger has it: built in a folder of its own with
# nothing but plugin.h, added, fuzzed; it conforms and was judged. And a mistake in it is found.
#   example_jit.sh PLUMB
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
plumb=$(realpath "$1")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export XDG_CACHE_HOME=$scratch/cache
cp docs/example-jit/example_jit.c docs/example-jit/Makefile jit_under_test/plugin.h "$scratch"
cd "$scratch" || exit 1

build() { make -s PLUMB_INCLUDE=. CFLAGS="-O1 -Wall -Wextra -Werror" example.so; }

# fuzz: sets $status and $compared.
fuzz() {
  "$plumb" --format json fuzz --jit example --runs 2000 --seed 1 --out found >out 2>err
  status=$?
  compared=$(grep -o '"compared": *[0-9]*' out | head -1 | grep -o '[0-9]*$')
}
complain() {
  echo "$1 (status $status, ${compared:-none} compared)"
  head -20 out err
  exit 1
}

build || exit 1
"$plumb" jits add plugin=example.so >out 2>err || { status=$?; complain "it cannot be added"; }
"$plumb" jits >out 2>err || { status=$?; complain "it cannot be listed"; }
grep -q '^example$' out || complain "it is not among the JITs"
fuzz
[ "$status" = 0 ] || complain "it does not conform"
[ "${compared:-0}" -gt 0 ] || complain "nothing was judged"
echo "example: conforms, $compared of 2000 cases compared"

# The rows that it hands over lead to every caller; those of a frame that is 8 bytes off are a claim
# that does not hold.
by_rows() {
  "$plumb" unwind --cases 100 --jit example >out 2>err
  status=$?
  grep -q '^orc-with-jit-rows .* 100\.00%' out
}
by_rows && [ "$status" = 0 ] || complain "its rows do not lead to every caller"
cp example_jit.c right.c
sed -i 's/note(to, PLUMB_REGISTER(kRbp), 16)/note(to, PLUMB_REGISTER(kRbp), 24)/' example_jit.c
build || exit 1
"$plumb" jits add plugin=example.so --force >out 2>err ||
  { status=$?; complain "it cannot be replaced"; }
fuzz
[ "$status" = 1 ] && grep -q '"claims-hold\.' out || complain "wrong rows are not found"
mv right.c example_jit.c
echo "example: walked by its rows; wrong rows are seen"

# `sub` that adds.
sed -i 's/\[1\] = 0x29/[1] = 0x01/' example_jit.c
build || exit 1
"$plumb" jits add plugin=example.so --force >out 2>err ||
  { status=$?; complain "it cannot be replaced"; }
fuzz
[ "$status" = 1 ] || complain "a wrong subtraction is not found"
echo "example with a wrong subtraction: found"

# What is no plugin is refused in one line, and nothing is added.
echo text >text.so
"$plumb" jits add plugin=text.so >out 2>err
status=$?
[ "$status" = 2 ] && [ "$(wc -l <err)" = 1 ] || complain "a text is taken for a plugin"
