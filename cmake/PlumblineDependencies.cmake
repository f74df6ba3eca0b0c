# SPDX-License-Identifier: GPL-2.0-or-later
# Every library comes from the distribution; ./run and ./test install the packages named here.

find_package(PkgConfig REQUIRED)
find_package(fmt REQUIRED)             # libfmt-dev
find_package(nlohmann_json REQUIRED)   # nlohmann-json3-dev
find_package(CLI11 REQUIRED)           # libcli11-dev
find_package(GTest REQUIRED)           # libgtest-dev
find_package(pugixml REQUIRED)         # libpugixml-dev
find_package(benchmark REQUIRED)       # libbenchmark-dev
pkg_check_modules(UNICORN REQUIRED IMPORTED_TARGET unicorn)     # libunicorn-dev
pkg_check_modules(CAPSTONE REQUIRED IMPORTED_TARGET capstone)   # libcapstone-dev
