# SPDX-License-Identifier: GPL-2.0-or-later
# cmake -P: claims places for plugins until there are no more, which must be an error that says so.
cmake_minimum_required(VERSION 3.25)
set(PROJECT_BINARY_DIR "")
set(PROJECT_SOURCE_DIR "${CMAKE_CURRENT_LIST_DIR}/../../..")
include("${CMAKE_CURRENT_LIST_DIR}/PlumblineLinuxPlugin.cmake")

plumb_linux_claim(interpreter 0)
foreach(tree RANGE 1 6)
  plumb_linux_claim(tree-${tree} ${PLUMB_LINUX_ARENA_SIZE})
endforeach()
math(EXPR rest "${PLUMB_LINUX_PLACES} - 12")
foreach(variant RANGE 1 ${rest})
  plumb_linux_claim(variant-${variant} ${PLUMB_LINUX_VARIANT_ARENA_SIZE})
endforeach()
message(STATUS "${PLUMB_LINUX_PLACES} places are claimed")
plumb_linux_claim(the-last ${PLUMB_LINUX_VARIANT_ARENA_SIZE})
