#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The column CAUGHT-BY of the tables of edits (jit_under_test/linux/edits/*.txt) names what has to see
# each edit. A name that is in no table of ours would never match anything.
#   edit_names.sh [TABLE...]   every name is known; without arguments all tables, and a name that
#                              does not exist is seen to be refused
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

known=$(
  grep -o '^PLUMB_INVARIANT([a-z0-9_]*, "[^"]*"' invariants/invariants.inc | cut -d'"' -f2
  sed -n 's/^inline constexpr std::string_view k[A-Za-z]* = "\([a-z-]*\)";.*/\1/p' harness/judge.h
)
[ "$(wc -l <<<"$known")" -ge 30 ] || { echo "edit_names: only these are known: $known"; exit 1; }

# unknown TABLE: "NAME of the edit: name that is not known", one a line.
unknown() {
  local name function pattern nth change by shape invariant
  while read -r name function pattern nth change by shape; do
    [[ -z $name || $name == \#* ]] && continue
    [ -n "$by" ] || echo "$name: names nothing"
    case $shape in
      "") ;;
      :*)
        grep -q "^${shape#:} *|" jit_under_test/linux/shim/*/variants.txt || echo "$name: no variant $shape"
        ;;
      *)
        grep -q "^PLUMB_SHAPE([a-z0-9_]*, \"$shape\"," gen/shapes.inc || echo "$name: no shape $shape"
        ;;
    esac
    for invariant in ${by//|/ }; do
      grep -qxF -- "$invariant" <<<"$known" || echo "$name: no invariant $invariant"
    done
  done <"$1"
}

if [ $# -gt 0 ]; then tables=("$@"); else tables=(jit_under_test/linux/edits/*.txt); fi
status=0
for table in "${tables[@]}"; do
  found=$(unknown "$table")
  [ -z "$found" ] || { sed "s|^|edit_names: $table: |" <<<"$found"; status=1; }
done
[ $# = 0 ] || exit $status

doctored=$(mktemp)
trap 'rm -f "$doctored"' EXIT
sed 's/tail-call-bound/tail-call-bond/' jit_under_test/linux/edits/x86_64.txt >"$doctored"
if tools/gates/edit_names.sh "$doctored" >/dev/null; then
  echo "edit_names: takes a name that does not exist"
  status=1
fi
exit $status
