# SPDX-License-Identifier: GPL-2.0-or-later
# Language level, warnings, sanitizers: one place.

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}")

option(PLUMB_SANITIZE "Build with AddressSanitizer and UndefinedBehaviorSanitizer" OFF)
option(PLUMB_FUZZ "Instrument for libFuzzer and build the fuzz targets (Clang only)" OFF)
set(PLUMB_FUZZ_ENGINE "" CACHE STRING
    "With PLUMB_FUZZ: what targets link, with all flags coming from outside (OSS-Fuzz)")
option(PLUMB_ONLY_FUZZ "The fuzz targets alone: no tests, no command line, fewer packages" OFF)
option(PLUMB_STATIC "Link Unicorn and Capstone statically, use fmt without its library" OFF)
option(PLUMB_COVERAGE "Instrument for source coverage (Clang only)" OFF)
option(PLUMB_WERROR "Turn warnings into errors" ON)
set(PLUMB_COLD_FLAGS "" CACHE STRING
    "Options for code whose speed does not matter, tests and the command line: building it takes the longest")
option(PLUMB_LINUX "Build the kernel JIT plugins from the linux-source packages" ON)

# What every target of ours is compiled with. Kernel files are not ours: they get none of it.
add_library(plumb_flags INTERFACE)
target_compile_options(plumb_flags INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
                                             -Wno-sign-conversion -Wnon-virtual-dtor)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 reports these inside libstdc++ headers when it inlines them (GCC bugs 105329, 105651).
  target_compile_options(plumb_flags INTERFACE -Wno-restrict -Wno-maybe-uninitialized)
endif()
if(PLUMB_WERROR)
  target_compile_options(plumb_flags INTERFACE -Werror)
endif()
if(PLUMB_SANITIZE)
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
endif()
if(PLUMB_FUZZ)
  if(NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
    message(FATAL_ERROR "PLUMB_FUZZ needs Clang (preset 'fuzz' uses clang++-19)")
  endif()
  if(NOT PLUMB_FUZZ_ENGINE)
    add_compile_options(-fsanitize=fuzzer-no-link)
  endif()
endif()
if(PLUMB_COVERAGE)
  add_compile_options(-fprofile-instr-generate -fcoverage-mapping)
  add_link_options(-fprofile-instr-generate)
endif()
