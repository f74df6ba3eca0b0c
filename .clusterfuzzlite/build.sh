#!/bin/bash -eu
# SPDX-License-Identifier: GPL-2.0-or-later
exec bash -eu "$SRC/plumbline/fuzz/oss-fuzz/build.sh"
