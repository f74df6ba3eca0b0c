# SPDX-License-Identifier: GPL-2.0-or-later
# The BPF tests of a kernel tree, lib/test_bpf.c: NAME.so in ${PLUMB_PLUGIN_DIR}/tests
# (jit_under_test/kernel_tests.h). One per tree: what it holds is the same for all architectures.

# plumb_linux_classic(OUT_VAR TREE FILE): writes FILE, the part of the tree's net/core/filter.c that
# checks classic BPF and converts it, as it stands: from the first function that converted programs
# call up to where filters are attached to sockets. The other 90 % are helpers that need all of the
# network stack. OUT_VAR is empty when the tree has no such part.
function(plumb_linux_classic out tree file)
  set(${out} "" PARENT_SCOPE)
  set(from "BPF_CALL_1(bpf_skb_get_pay_offset,")
  set(to "static int __sk_attach_prog(")
  if(NOT EXISTS "${tree}/net/core/filter.c")
    return()
  endif()
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${tree}/net/core/filter.c")
  file(READ "${tree}/net/core/filter.c" text)
  string(FIND "${text}" "${from}" begin)
  string(FIND "${text}" "${to}" end)
  if(begin EQUAL -1 OR end LESS begin)
    return()
  endif()
  math(EXPR length "${end} - ${begin}")
  string(SUBSTRING "${text}" ${begin} ${length} part)
  file(CONFIGURE OUTPUT "${file}" CONTENT "@part@" @ONLY)
  set(${out} "${file}" PARENT_SCOPE)
endfunction()

# plumb_linux_tests(TREE dir NAME linux-VERSION): the target NAME-tests, unless the tree has no
# tests.
function(plumb_linux_tests)
  cmake_parse_arguments(ARG "" "TREE;NAME" "" ${ARGN})
  set(tree "${ARG_TREE}")
  set(target ${ARG_NAME}-tests)
  if(NOT EXISTS "${tree}/lib/test_bpf.c")
    return()
  endif()
  plumb_linux_version(version "${tree}")
  set(work "${CMAKE_CURRENT_BINARY_DIR}/${target}")
  set(common "${PLUMB_LINUX_DIR}/shim/common")
  set(shim "${PLUMB_LINUX_DIR}/shim/x86_64") # of the machine that it is compiled for
  set(ours "${PLUMB_LINUX_DIR}/tests")
  plumb_linux_classic(classic "${tree}" "${work}/classic.inc")
  set(sources "${ours}/tests.c" "${ours}/packet.c")
  if(classic)
    list(APPEND sources "${ours}/classic.c")
  endif()
  plumb_linux_includes("${work}/include" "${tree}" x86
                       "${common}/include;${common};${shim};${PLUMB_LINUX_DIR};${PROJECT_SOURCE_DIR}"
                       "${tree}/lib/test_bpf.c;${ours}/tests.c;${common}/plumb_kernel.h;${shim}/plumb_arch.h")
  plumb_linux_kernel_objects(${target}-kernel SOURCES ${sources}
                             INCLUDES "${common}" "${common}/include" "${shim}" "${work}"
                                      "${work}/include" "${tree}"
                             DEFINITIONS PLUMB_TREE_VERSION="${version}"
                                         PLUMB_TREE_CLASSIC=$<BOOL:${classic}>)
  target_compile_options(${target}-kernel PRIVATE -O1 ${PLUMB_LINUX_KERNEL_WARNINGS}
                         "SHELL:-include \"${ours}/plumb_tests.h\"")
  plumb_linux_library_objects()
  add_library(${target} MODULE)
  target_link_libraries(${target} PRIVATE ${target}-kernel linux-library)
  set_target_properties(${target} PROPERTIES PREFIX "" OUTPUT_NAME "${ARG_NAME}" SUFFIX ".so"
                        LIBRARY_OUTPUT_DIRECTORY "${PLUMB_PLUGIN_DIR}/tests" LINKER_LANGUAGE C)
  if(NOT PLUMB_SANITIZE AND NOT PLUMB_FUZZ AND NOT PLUMB_COVERAGE)
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${tree}/lib/test_bpf.c")
  set_property(GLOBAL APPEND PROPERTY PLUMB_LINUX_PLUGINS ${target})
endfunction()
