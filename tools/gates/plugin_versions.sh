#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Plugins built against older and newer versions of plugin.h, made from the present one, under hosts
# that are older and newer: each is judged on all cases, or refused with the reason. Prints the
# table. And that the mistakes which the rules are there to prevent are seen.
#   plugin_versions.sh PLUMB
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
plumb=$(realpath "$1")
here=tools/gates/plugin_versions
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failed=0
cases=4

# ---- Headers ----

# drop_fields FIELD...: the header without these fields, and without the optional functions.
drop_fields() {
  awk -v names="$*" '
    BEGIN { split(names, list); for (i in list) dropped[list[i]] = 1 }
    /^struct [a-z_]+ \{/ { name = $2 }
    /each of the following may be null/ { functions = 1 }
    /^};/ { name = ""; functions = 0 }
    functions { next }
    {
      field = $0
      sub(/;.*/, "", field)
      sub(/.*[ *]/, "", field)
      if (name != "" && (name "." field) in dropped) { seen[name "." field] = 1; next }
      print
    }
    END { for (d in dropped) if (!(d in seen)) { print d " is not in the header" > "/dev/stderr"; exit 1 } }
  '
}
# Every struct that crosses, with a field at its end that nobody knows.
add_fields() {
  awk '/^struct [a-z_]+ \{/ { name = $2 }
       /^};/ && name != "" && name != "plumb_insn" { print "  uint64_t plumb_unknown[4];" }
       /^};/ { name = "" }
       { print }'
}
mkdir -p "$scratch"/headers/{first,v1,older,present,newer,next}
header=jit_under_test/plugin.h
sed 's/plumb_v1_/plumb_/g; s/PLUMB_V1_/PLUMB_/g' jit_under_test/plugin_v1.h >"$scratch/v1.h"
# What ABI 1 shares with the present one.
sed -n '/^#define PLUMB_STUB/p; /^enum plumb_\(arch\|capability\|status\|symbol_kind\) /,/};/p' \
  $header >>"$scratch/v1.h"
cp "$scratch/v1.h" "$scratch/headers/first/plugin.h"
cp "$scratch/v1.h" "$scratch/headers/v1/plugin.h"
drop_fields plumb_contract.landing_pad plumb_contract.call_preamble plumb_contract.verifier_rules \
  plumb_plugin_info.contract plumb_load_request.region_sizes plumb_symbol.size \
  plumb_native_function.insn_offsets plumb_native_function.insn_offset_count \
  plumb_image.program_count plumb_image.program_stride plumb_image.programs \
  <$header >"$scratch/headers/older/plugin.h" || failed=1
cp $header "$scratch/headers/present/plugin.h"
add_fields <$header >"$scratch/headers/newer/plugin.h"
sed 's/#define PLUMB_PLUGIN_ABI 2/#define PLUMB_PLUGIN_ABI 3/' "$scratch/headers/newer/plugin.h" \
  >"$scratch/headers/next/plugin.h"

# ---- Cases: several programs, functions and arrays, so that strides matter ----

mkdir "$scratch/cases"
for i in $(seq $cases); do
  {
    echo ".case 1"
    echo ".array a 1"
    echo ".array b 1"
    for p in one two; do
      printf '.program %s\n' $p
      for f in main second third; do printf '.function %s\n r0 = %d\n exit\n' $f $((100 * i)); done
    done
  } >"$scratch/cases/$i.bpf"
done

# ---- Cells ----

compile() { "${CC:-cc}" -std=gnu11 -O1 -Wall -Wextra -Werror -fPIC -shared "$@"; }

# cell NAME HEADER HOST DEFINITION...: what comes of it.
cell() {
  local plugins="$scratch/$1.$3" define=() status
  for d in "${@:4}"; do define+=("-D$d"); done
  mkdir "$plugins"
  compile "${define[@]}" -I"$scratch/headers/$2" -o "$plugins/inner" $here/plugin.c || return
  case $3 in
    present) mv "$plugins/inner" "$plugins/versions.so" ;;
    older) compile -DHOST_OLDER -DINNER="\"$plugins/inner\"" -Ijit_under_test \
      -o "$plugins/versions.so" $here/host.c || return ;;
    newer) compile -DINNER="\"$plugins/inner\"" -Ijit_under_test -o "$plugins/versions.so" \
      $here/host.c || return ;;
  esac
  timeout 60 "$plumb" --plugins "$plugins" --format json check "$scratch/cases" --jit versions \
    >"$plugins/out" 2>"$plugins/err"
  status=$?
  local compared
  compared=$(grep -o '"compared": *[0-9]*' "$plugins/out" | head -1 | grep -o '[0-9]*$')
  if [ $status = 0 ] && [ "$compared" = $cases ]; then
    echo "judges $cases cases"
  elif [ $status = 2 ] && [ "$(wc -l <"$plugins/err")" = 1 ]; then
    echo "refused: $(sed 's/.*versions\.so: //' "$plugins/err")"
  else
    echo "FAILED: status $status, ${compared:-none} compared: $(head -c 200 "$plugins/err")"
  fi
}

# row NAME HEADER EXPECTED DEFINITION...
row() {
  local host got
  for host in older present newer; do
    got=$(cell "$1" "$2" $host "${@:4}")
    printf '%-34s %-8s %s\n' "$1" $host "$got"
    case $got in
      "$3"*) ;;
      *) echo "  expected: $3"; failed=1 ;;
    esac
  done
}

# mistake NAME HOST DEFINITION: one that must be seen under that host.
mistake() {
  local got
  got=$(cell "$1" present "$2" "$3")
  printf '%-34s %-8s %s\n' "$1" "$2" "$got"
  case $got in
    FAILED*) ;;
    *) echo "  it is not seen"; failed=1 ;;
  esac
}

judged="judges $cases cases"
printf '%-34s %-8s %s\n' plugin host result
row "ABI 1, first plugins" first "$judged" FIRST
row "ABI 1" v1 "$judged"
row "ABI 2, older header" older "$judged" HEADER_OLDER
row "ABI 2" present "$judged"
row "ABI 2, newer header" newer "$judged" HEADER_NEWER
row "ABI 3" next "refused: it cannot serve a host of plugin ABI 2" HEADER_NEWER
row "ABI 3, serves any host" next "refused: it speaks plugin ABI 3" HEADER_NEWER RUDE
mistake "writes more than there is room for" older IGNORES_ROOM
mistake "ignores strides" newer IGNORES_STRIDE
exit $failed
