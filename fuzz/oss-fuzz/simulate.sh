#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds and checks the targets as OSS-Fuzz does, without docker: their environment, their flags, an
# output directory that is moved before anything runs. What differs: Debian's Clang and libstdc++,
# for its libFuzzer is built on that.
#   simulate.sh address|undefined|coverage [TARGET...]
set -euo pipefail
project=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
sanitizer=${1:?usage: simulate.sh address|undefined|coverage [TARGET...]}
shift
targets=("$@")
[ ${#targets[@]} -gt 0 ] ||
  targets=(fuzz_linux_x86_64 fuzz_linux_arm64 fuzz_linux_riscv64 fuzz_reference fuzz_case_parser fuzz_image_loader fuzz_unwind)

undefined=array-bounds,bool,builtin,enum,function,integer-divide-by-zero,null,object-size,return
undefined+=,returns-nonnull-attribute,shift,signed-integer-overflow,unreachable,vla-bound
flags="-O1 -fno-omit-frame-pointer -gline-tables-only -Wno-error -DFUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION"
case $sanitizer in
  address) flags+=" -fsanitize=address -fsanitize-address-use-after-scope -fsanitize=fuzzer-no-link" ;;
  undefined) flags+=" -fsanitize=$undefined -fno-sanitize-recover=$undefined -fsanitize=fuzzer-no-link" ;;
  coverage) flags+=" -fprofile-instr-generate -fcoverage-mapping" ;;
  *) echo "simulate: '$sanitizer' is none of address, undefined, coverage" >&2; exit 2 ;;
esac

work=$project/build/oss-fuzz/$sanitizer
rm -rf "$work/out" "$work/moved"
mkdir -p "$work/work" "$work/out"
launcher=()
command -v ccache >/dev/null && launcher=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
env -i PATH="$PATH" HOME="$work" ${CCACHE_DIR:+CCACHE_DIR="$CCACHE_DIR"} \
  SRC="$(dirname "$project")" WORK="$work/work" OUT="$work/out" PLUMBLINE="$project" \
  CC=clang-19 CXX=clang++-19 CFLAGS="$flags" CXXFLAGS="$flags" \
  LDFLAGS="-static-libstdc++ -static-libgcc" LIB_FUZZING_ENGINE=-fsanitize=fuzzer \
  SANITIZER="$sanitizer" FUZZING_ENGINE=libfuzzer ARCHITECTURE=x86_64 TARGETS="${targets[*]}" \
  LINUX_TREES="${LINUX_TREES:-6.12=$project/build/trees/linux-6.12;6.1=$project/build/trees/linux-6.1}" \
  CMAKE_ARGUMENTS="${launcher[*]}" \
  bash "$project/fuzz/oss-fuzz/build.sh" >"$work/build.log" 2>&1 ||
  { tail -20 "$work/build.log"; echo "simulate: the build failed; see $work/build.log"; exit 1; }
mv "$work/out" "$work/moved"
exec "$project/fuzz/oss-fuzz/check_build.sh" "$work/moved" "$sanitizer" "${targets[@]}"
