#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# clang-tidy 19 over our own translation units, with the flags of the build of preset 'warnings'.
#   tidy.sh BUILD (the directory that holds the presets)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
database=$1/warnings
[ -f "$database/compile_commands.json" ] || { echo "tidy: no compile_commands.json in $database"; exit 1; }
mapfile -t files < <(git ls-files 'core/*.cc' 'gen/*.cc' 'oracle/*.cc' 'jit_under_test/*.cc' \
  'machine/*.cc' 'invariants/*.cc' 'harness/*.cc' 'reports/*.cc' 'tools/*.cc' fuzz/command_line.cc fuzz/finding_file.cc fuzz/jit_fuzzer.cc | grep -v '_test\.cc$')
printf '%s\n' "${files[@]}" | xargs -P "$(nproc)" -n 4 clang-tidy-19 -p "$database" --quiet --warnings-as-errors='*' 2>/dev/null
echo "tidy: ${#files[@]} files"
