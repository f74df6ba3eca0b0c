#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Clang 19's warnings and clang-tidy 19 over our own translation units, with the flags of preset
# 'warnings', of which nothing needs to be built.
#   tidy.sh BUILD (the directory that holds the presets)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
database=$1/warnings
[ -f "$database/build.ninja" ] || cmake --preset warnings >/dev/null
exec tools/gates/tidy.py "$database"
