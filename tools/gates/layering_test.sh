#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The layering check holds on the tree and is seen to fail on three seeded defects.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
"$here/layering.sh" "$here/../.."

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch"/{core,oracle,machine,harness}
expect_refused() {
  if "$here/layering.sh" "$scratch" >/dev/null; then
    echo "layering_test: accepted $1"
    exit 1
  fi
  rm -f "$scratch"/*/*
}
echo '#include "machine/machine.h"' >"$scratch/oracle/a.cc"; expect_refused "sibling to sibling"
echo '#include "harness/judge.h"' >"$scratch/core/a.h"; expect_refused "core to harness"
echo '#include <unicorn/unicorn.h>' >"$scratch/harness/a.cc"; expect_refused "Unicorn outside machine/"
echo '#include "core/case.h"' >"$scratch/oracle/a.cc"
"$here/layering.sh" "$scratch"
