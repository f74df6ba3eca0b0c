# SPDX-License-Identifier: GPL-2.0-or-later

# plumb_linux_interpreter(TREE dir NAME name [ORIGIN text]): the MODULE library NAME.so in
# ${PLUMB_PLUGIN_DIR}/interpreters, target NAME-interpreter: the interpreter of the tree's
# kernel/bpf/core.c behind jit_under_test/interpreter.h, for the JITs NAME-ARCH and their variants.
# The target is appended to the global property PLUMB_LINUX_PLUGINS.
function(plumb_linux_interpreter)
  cmake_parse_arguments(ARG "" "TREE;NAME;ORIGIN" "" ${ARGN})
  set(target ${ARG_NAME}-interpreter)
  set(common "${PLUMB_LINUX_DIR}/shim/common")
  set(shim "${PLUMB_LINUX_DIR}/shim/interpreter")
  set(work "${CMAKE_CURRENT_BINARY_DIR}/${target}")
  plumb_linux_version(version "${ARG_TREE}")
  # No header of an architecture is real here: any directory of headers will do.
  plumb_linux_includes("${work}/include" "${ARG_TREE}" x86
                       "${common}/include;${common};${shim};${PLUMB_LINUX_DIR};${PROJECT_SOURCE_DIR}"
                       "${ARG_TREE}/kernel/bpf/core.c;${common}/plumb_kernel.h;${shim}/plumb_arch.h")
  set(features "")
  plumb_linux_feature(features VERSION_4 "${ARG_TREE}/include/linux/filter.h" "BPF_MEMSX")
  plumb_linux_empty_slot(features "${ARG_TREE}" interpreter)
  set(jits "")
  foreach(arch x86_64 arm64 riscv64)
    list(APPEND jits "${ARG_NAME}-${arch}" "${ARG_NAME}-${arch}:*")
  endforeach()
  list(JOIN jits "," jits)

  set(ours "${PLUMB_LINUX_DIR}/glue/interpreter.c")
  foreach(name check rewrite slots tail_calls throws)
    list(APPEND ours "${PLUMB_LINUX_DIR}/glue/${name}.c")
  endforeach()
  set_source_files_properties(${ours} PROPERTIES
                              COMPILE_OPTIONS "-Wall;-Wextra;-Wshadow;${PLUMB_LINUX_WERROR}")
  set_source_files_properties(${shim}/core.c PROPERTIES
                              COMPILE_OPTIONS "${PLUMB_LINUX_KERNEL_WARNINGS}")
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${shim}/plumb_arch.h)
  plumb_linux_kernel_objects(${target}-kernel SOURCES ${ours} ${shim}/core.c
                             INCLUDES "${common}" "${common}/include" "${shim}" "${work}/include"
                                      "${ARG_TREE}"
                             DEFINITIONS ${features} PLUMB_INTERPRETER=1
                                         PLUMB_INTERPRETER_JITS="${jits}")
  plumb_linux_library_objects()
  plumb_linux_module(${target} NAME ${ARG_NAME} OBJECTS ${target}-kernel ARENA_SIZE 0
                     DEFINITIONS PLUMB_TREE_VERSION="${version}" PLUMB_TREE_ORIGIN="${ARG_ORIGIN}"
                                 PLUMB_ARENA_BASE=0
                                 PLUMB_SWITCHES=PLUMB_SWITCH_NONE)
  set_target_properties(${target} PROPERTIES
                        LIBRARY_OUTPUT_DIRECTORY "${PLUMB_PLUGIN_DIR}/interpreters")
endfunction()
