# SPDX-License-Identifier: GPL-2.0-or-later
# Sourced by ./run, ./test and .ci/run: installs what is missing, configures and builds.
# Everything here does nothing when there is nothing to do.

say() {
  if [ -t 2 ]; then printf '\033[1m==\033[0m %s\n' "$*" >&2; else printf '== %s\n' "$*" >&2; fi
}
die() { printf 'plumbline: %s\n' "$*" >&2; exit 3; }

# What tools/packages.txt marks with '?' and this Debian does not have.
left_out=()

# in_this_debian NAME: whether apt has the package in its lists.
in_this_debian() { apt-cache show --no-all-versions "$1" >/dev/null 2>&1; }

# install_packages KIND...: the Debian packages of tools/packages.txt for these kinds.
install_packages() {
  local kinds=" $* " missing=() wished=() name kind
  while read -r name kind; do
    case "$name" in ''|'#'*) continue ;; esac
    [[ $kinds == *" $kind "* ]] || continue
    dpkg-query -W -f='${Status}' "${name%'?'}" 2>/dev/null | grep -q 'ok installed' && continue
    case "$name" in *'?') wished+=("${name%'?'}") ;; *) missing+=("$name") ;; esac
  done < tools/packages.txt
  [ $((${#missing[@]} + ${#wished[@]})) -eq 0 ] && return 0
  command -v apt-get >/dev/null ||
    die "these Debian packages are needed: ${missing[*]} ${wished[*]}"
  local as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null ||
      die "not root and no sudo; as root: apt-get install --no-install-recommends ${missing[*]} ${wished[*]}"
    as_root=(sudo)
  fi
  mkdir -p build
  # Without lists apt knows nothing, and that says nothing about this Debian.
  if [ ${#wished[@]} -gt 0 ] && ! in_this_debian g++; then
    "${as_root[@]}" apt-get update >build/apt.log 2>&1 ||
      die "apt-get update failed (offline?); see build/apt.log"
  fi
  for name in "${wished[@]}"; do
    if in_this_debian "$name"; then
      missing+=("$name")
    else
      left_out+=("$name")
      say "left out: this Debian has no $name"
    fi
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  say "installing ${#missing[@]} Debian packages: ${missing[*]}"
  # An old package list is good enough when it works; a new one is fetched when it does not.
  local install=(env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}")
  if ! "${as_root[@]}" "${install[@]}" >build/apt.log 2>&1; then
    "${as_root[@]}" apt-get update >build/apt.log 2>&1 ||
      die "apt-get update failed (offline?); see build/apt.log"
    "${as_root[@]}" "${install[@]}" >build/apt.log 2>&1 ||
      die "apt-get install failed: $(grep -m1 '^E: ' build/apt.log); see build/apt.log (linux-source-6.12 comes with Debian's security updates, bookworm-security)"
  fi
}

# build PRESET [TARGET...]: configures once, builds what changed.
build() {
  local preset=$1
  shift
  local log="build/$preset.log"
  mkdir -p build
  say "building preset '$preset' in build/$preset"
  if [ ! -f "build/$preset/build.ninja" ]; then
    local options=()
    [[ " ${left_out[*]} " == *" linux-source-6.1 "* ]] && options=(-DPLUMB_LINUX_VERSIONS=6.12)
    cmake --preset "$preset" "${options[@]}" >"$log" 2>&1 ||
      { tail -20 "$log" >&2; die "cmake failed; see $log"; }
  fi
  local targets=()
  [ $# -gt 0 ] && targets=(--target "$@")
  cmake --build --preset "$preset" "${targets[@]}" >"$log" 2>&1 ||
    { tail -40 "$log" >&2; die "the build failed; see $log"; }
}
