# SPDX-License-Identifier: GPL-2.0-or-later
# One function per kind of target, so that a folder's CMakeLists.txt is a list of files.

include(GoogleTest)

# plumb_library(NAME SOURCES a.cc ... [LINK libs ...])
# Headers are included as "folder/file.h" from the project's root.
function(plumb_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK;PRIVATE_LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC "${PROJECT_SOURCE_DIR}")
  target_link_libraries(${name} PUBLIC ${ARG_LINK} PRIVATE plumb_flags ${ARG_PRIVATE_LINK})
endfunction()

# plumb_test(NAME SOURCES a_test.cc ... [LINK libs ...]): one ctest entry per binary; the binary
# runs from the project's root, so that fixtures are named relative to it.
function(plumb_test name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  if(PLUMB_ONLY_FUZZ)
    # Never built, but there: folders set properties of their tests.
    add_library(${name} OBJECT EXCLUDE_FROM_ALL ${ARG_SOURCES})
    add_test(NAME ${name} COMMAND ${name})
    return()
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE plumb_flags ${ARG_LINK} GTest::gtest_main)
  target_compile_options(${name} PRIVATE ${PLUMB_COLD_FLAGS})
  add_test(NAME ${name} COMMAND ${name} WORKING_DIRECTORY "${PROJECT_SOURCE_DIR}")
endfunction()

# plumb_jit_test(NAME NEEDS target ... SOURCES a_test.cc ... [LINK libs ...]): a test of JITs that are
# built: it finds them in PLUMB_PLUGIN_DIR. There is no such test where one of them is not built, as
# on a Debian that has no linux-source-6.1; that is said.
function(plumb_jit_test name)
  cmake_parse_arguments(ARG "" "" "NEEDS;SOURCES;LINK" ${ARGN})
  foreach(target IN LISTS ARG_NEEDS)
    if(NOT TARGET ${target})
      message(STATUS "No ${name}: it needs ${target}, which is not built")
      return()
    endif()
  endforeach()
  plumb_test(${name} SOURCES ${ARG_SOURCES} LINK ${ARG_LINK})
  target_compile_definitions(${name} PRIVATE PLUMB_PLUGIN_DIR="${PROJECT_BINARY_DIR}/plugins")
  add_dependencies(${name} ${ARG_NEEDS})
endfunction()

# plumb_tool(NAME SOURCES main.cc ... [LINK libs ...])
function(plumb_tool name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE plumb_flags ${ARG_LINK})
  target_compile_options(${name} PRIVATE ${PLUMB_COLD_FLAGS})
endfunction()

# plumb_fuzz_target(NAME SOURCES fuzz_x.cc ... [LINK libs ...]): only with PLUMB_FUZZ.
function(plumb_fuzz_target name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES} sanitizer_options.cc)
  target_link_libraries(${name} PRIVATE plumb_flags ${ARG_LINK})
  if(PLUMB_FUZZ_ENGINE)
    target_link_libraries(${name} PRIVATE ${PLUMB_FUZZ_ENGINE})
  else()
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  endif()
endfunction()
