#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The JIT of DPDK is there, most generated cases are compared on it, and what it does wrong is known.
# Run where librte-bpf23 is installed: without it, the JIT is not there and this fails.
#   dpdk.sh BUILD_DIR
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
plumb=$1/release/plumb
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
problem() { echo "dpdk: $1"; exit 1; }
field() { cmake -DFILE="$1" -DFIELD="$2" -P tools/gates/json_field.cmake 2>&1; }

"$plumb" check corpus/known/*-dpdk.bpf --jit dpdk >"$scratch/check" ||
  { cat "$scratch/check"; problem "the known cases do not show what their waivers say"; }
"$plumb" --format json fuzz --jit dpdk --runs 20000 --seed 1 --out "$scratch/found" >"$scratch/fuzz" ||
  { cat "$scratch/fuzz"; problem "fuzzing finds what corpus/known does not know"; }
generated=$(field "$scratch/fuzz" jits.0.funnel.generated)
compared=$(field "$scratch/fuzz" jits.0.funnel.compared)
[ $((compared * 100)) -ge $((generated * 60)) ] || problem "compared $compared of $generated"
echo "dpdk: $compared compared of $generated, all findings known"
