#!/bin/bash -eu
# SPDX-License-Identifier: GPL-2.0-or-later
# Builds the fuzz targets as OSS-Fuzz and ClusterFuzzLite want it: compilers, flags, engine and
# directories come from the environment, everything that a run needs goes to $OUT. TARGETS (default:
# all) and LINUX_TREES (NAME=DIR;...) are ours.
project=${PLUMBLINE:-$SRC/plumbline}
trees=${LINUX_TREES:-6.12=$SRC/linux-6.12;6.1=$SRC/linux-6.1}
read -ra targets <<<"${TARGETS:-fuzz_targets}"

# Their undefined behaviour sanitizer looks at unsigned overflow too: hashes mean it.
[[ $SANITIZER == undefined ]] && CXXFLAGS+=" -fno-sanitize=unsigned-integer-overflow" &&
  CFLAGS+=" -fno-sanitize=unsigned-integer-overflow"
export CFLAGS CXXFLAGS
# The JIT files come in as system headers, which coverage leaves out unless it is told.
coverage=OFF
[[ $SANITIZER == coverage ]] && coverage=ON

cmake -S "$project" -B "$WORK/build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo \
  -DPLUMB_FUZZ=ON -DPLUMB_ONLY_FUZZ=ON -DPLUMB_COVERAGE=$coverage -DPLUMB_FUZZ_ENGINE="$LIB_FUZZING_ENGINE" -DPLUMB_STATIC=ON -DPLUMB_WERROR=OFF \
  -DPLUMB_LLVM=OFF -DPLUMB_LINUX_VERSIONS= -DPLUMB_LINUX_EXTRA="$trees" ${CMAKE_ARGUMENTS:-}
cmake --build "$WORK/build" --target "${targets[@]}"

mkdir -p "$OUT/plugins"
rm -rf "$OUT/known"
cp -r "$project/corpus/known" "$OUT/known"
(cd "$project/corpus" && cmake -E tar cf "$WORK/seeds.zip" --format=zip seeds known regressions distilled)
for target in "$WORK"/build/fuzz_*; do
  case $target in *.dict|*.options) continue ;; esac
  [ -x "$target" ] && [ -f "$target" ] || continue
  name=$(basename "$target")
  cp "$target" "$target.dict" "$target.options" "$OUT/"
  cp "$WORK/seeds.zip" "$OUT/${name}_seed_corpus.zip"
done
# The plugins of the JITs that the targets name.
find "$WORK/build/plugins" -name '*.so' -exec cp {} "$OUT/plugins/" \; 2>/dev/null || true
