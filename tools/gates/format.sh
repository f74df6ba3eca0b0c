#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Every C and C++ file is as clang-format 19 would write it, and carries the licence line.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
mapfile -t files < <(git ls-files '*.cc' '*.h' '*.c')
[ ${#files[@]} -gt 0 ] || { echo "format: no files"; exit 1; }
clang-format-19 --dry-run --Werror "${files[@]}"
mapfile -t unlicensed < <(git ls-files '*.cc' '*.h' '*.c' '*.inc' '*.cmake' '*.sh' '*CMakeLists.txt' |
  xargs grep -L 'SPDX-License-Identifier: GPL-2.0-or-later')
[ ${#unlicensed[@]} = 0 ] || { printf 'no SPDX line: %s\n' "${unlicensed[@]}"; exit 1; }
echo "format: ${#files[@]} files"
