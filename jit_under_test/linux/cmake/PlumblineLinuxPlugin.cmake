# SPDX-License-Identifier: GPL-2.0-or-later
set(PLUMB_PLUGIN_DIR "${PROJECT_BINARY_DIR}/plugins")
get_filename_component(PLUMB_LINUX_DIR "${CMAKE_CURRENT_LIST_DIR}/.." ABSOLUTE)

# 64 MiB per plugin from 1 GiB on, below 2 GiB: places that are taken, in steps of 64 MiB. Trees of
# the user's get the free ones.
set(PLUMB_LINUX_ARENAS
    linux-6.12-x86_64=0x40000000 linux-6.1-x86_64=0x48000000
    linux-6.12-arm64=0x50000000 linux-6.1-arm64=0x58000000
    linux-6.12-riscv64=0x60000000 linux-6.1-riscv64=0x68000000
    =0x44000000 =0x4c000000 =0x54000000 =0x5c000000 =0x64000000 =0x6c000000
    =0x70000000 =0x74000000 =0x78000000)
set(PLUMB_LINUX_ARENA_SIZE 0x4000000)

# What differs between architectures: the kernel's name of it, and its kernel files. JIT files that
# are not listed are included by the shim's jit.c.
set(PLUMB_LINUX_DIR_x86_64 x86)
set(PLUMB_LINUX_FILES_x86_64 arch/x86/net/bpf_jit_comp.c)
set(PLUMB_LINUX_DIR_arm64 arm64)
set(PLUMB_LINUX_FILES_arm64 arch/arm64/net/bpf_jit_comp.c arch/arm64/lib/insn.c)
set(PLUMB_LINUX_DIR_riscv64 riscv)
set(PLUMB_LINUX_FILES_riscv64 arch/riscv/net/bpf_jit_comp64.c arch/riscv/net/bpf_jit_core.c)

function(plumb_linux_arena out name)
  get_property(taken GLOBAL PROPERTY PLUMB_LINUX_ARENAS_TAKEN)
  foreach(entry IN LISTS PLUMB_LINUX_ARENAS)
    string(REGEX MATCH "^([^=]*)=(.*)$" matched "${entry}")
    set(owner "${CMAKE_MATCH_1}")
    set(base "${CMAKE_MATCH_2}")
    if((owner STREQUAL name OR owner STREQUAL "") AND NOT base IN_LIST taken)
      set_property(GLOBAL APPEND PROPERTY PLUMB_LINUX_ARENAS_TAKEN ${base})
      set(${out} ${base} PARENT_SCOPE)
      return()
    endif()
  endforeach()
  message(FATAL_ERROR "No room below 2 GiB for the arena of ${name}")
endfunction()

# plumb_linux_plugin(TREE dir NAME target ARCH arch [ORIGIN text]): the MODULE library NAME.so in
# ${PLUMB_PLUGIN_DIR}. TREE is a kernel source tree, complete or as plumb_linux_extract() leaves it.
function(plumb_linux_plugin)
  cmake_parse_arguments(ARG "" "TREE;NAME;ARCH;ORIGIN" "" ${ARGN})
  set(tree "${ARG_TREE}")
  if(NOT ARG_ORIGIN)
    set(ARG_ORIGIN "kernel source tree")
  endif()
  set(files kernel/bpf/core.c ${PLUMB_LINUX_FILES_${ARG_ARCH}})
  foreach(file Makefile ${files})
    if(NOT EXISTS "${tree}/${file}")
      message(FATAL_ERROR "${ARG_NAME}: ${tree} is not a Linux source tree: it has no ${file}")
    endif()
  endforeach()
  plumb_linux_version(version "${tree}")
  plumb_linux_arena(arena ${ARG_NAME})
  list(TRANSFORM files PREPEND "${tree}/")

  set(work "${CMAKE_CURRENT_BINARY_DIR}/${ARG_NAME}")
  set(common "${PLUMB_LINUX_DIR}/shim/common")
  set(shim "${PLUMB_LINUX_DIR}/shim/${ARG_ARCH}")
  plumb_linux_includes("${work}/include" "${tree}" ${PLUMB_LINUX_DIR_${ARG_ARCH}}
                       "${common}/include;${common};${shim};${PLUMB_LINUX_DIR};${PROJECT_SOURCE_DIR}"
                       "${files};${common}/plumb_kernel.h;${shim}/plumb_arch.h;${shim}/jit.c")

  set(features "")
  set(jit "${tree}/arch/${PLUMB_LINUX_DIR_${ARG_ARCH}}/net/bpf_jit_comp.c")
  plumb_linux_feature(features POKE_DESC_UPDATE "${tree}/include/linux/bpf.h"
                      "bpf_arch_poke_desc_update")
  plumb_linux_feature(features REAL_FUNC_CNT "${tree}/include/linux/bpf.h" "real_func_cnt;")
  plumb_linux_feature(features VERSION_4 "${tree}/include/linux/filter.h" "BPF_MEMSX")
  plumb_linux_feature(features JIT_TAKES_ENV "${tree}/include/linux/filter.h"
                      "bpf_int_jit_compile.struct bpf_verifier_env")
  plumb_linux_feature(features TAIL_CALL_COUNT_BY_POINTER "${jit}"
                      "TAIL_CALL_CNT_PTR|TCCNT_PTR")

  # Kernel files, and ours that see kernel headers. No libc headers, no warnings for theirs.
  set(werror "")
  if(PLUMB_WERROR)
    set(werror -Werror)
  endif()
  set(kernel_side ${shim}/jit.c ${common}/core.c)
  foreach(name check plugin program rewrite slots tail_calls)
    list(APPEND kernel_side "${PLUMB_LINUX_DIR}/glue/${name}.c")
    set_source_files_properties("${PLUMB_LINUX_DIR}/glue/${name}.c" PROPERTIES
                                COMPILE_OPTIONS "-Wall;-Wextra;-Wshadow;${werror}")
  endforeach()
  set(library_side "")
  foreach(name arena failure heap library text unused)
    list(APPEND library_side "${PLUMB_LINUX_DIR}/glue/${name}.c")
  endforeach()
  add_library(${ARG_NAME}-kernel OBJECT ${kernel_side})
  add_library(${ARG_NAME}-library OBJECT ${library_side})
  foreach(target ${ARG_NAME}-kernel ${ARG_NAME}-library)
    set_target_properties(${target} PROPERTIES C_VISIBILITY_PRESET hidden)
    target_include_directories(${target} PRIVATE "${PLUMB_LINUX_DIR}" "${PROJECT_SOURCE_DIR}")
  endforeach()
  target_compile_options(${ARG_NAME}-library PRIVATE -std=c11 -Wall -Wextra -Wshadow
                         ${werror})
  target_include_directories(${ARG_NAME}-kernel SYSTEM PRIVATE
                             "${common}" "${common}/include" "${shim}" "${work}/include" "${tree}"
                             "${tree}/arch/${PLUMB_LINUX_DIR_${ARG_ARCH}}/net")
  target_compile_definitions(${ARG_NAME}-kernel PRIVATE
                             ${features} PLUMB_PLUGIN_NAME="${ARG_NAME}"
                             PLUMB_TREE_VERSION="${version}" PLUMB_TREE_ORIGIN="${ARG_ORIGIN}"
                             PLUMB_ARENA_BASE=${arena} PLUMB_ARENA_SIZE=${PLUMB_LINUX_ARENA_SIZE})
  target_compile_options(${ARG_NAME}-kernel PRIVATE
                         -std=gnu11 -nostdinc -fwrapv -fno-strict-aliasing -fno-builtin-printf
                         -include "${common}/plumb_kernel.h" ${PLUMB_LINUX_KERNEL_FLAGS})
  set_source_files_properties(${shim}/jit.c ${common}/core.c PROPERTIES COMPILE_OPTIONS -w)
  # jit.c and core.c include kernel files by name; the dependency scanner finds them, but a tree
  # that is extracted anew must also lead to a new look at its features and headers.
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
               "${tree}/Makefile" ${common}/real_headers.txt ${shim}/real_headers.txt
               ${files} ${shim}/jit.c ${shim}/plumb_arch.h ${common}/plumb_kernel.h)

  add_library(${ARG_NAME} MODULE)
  target_link_libraries(${ARG_NAME} PRIVATE ${ARG_NAME}-kernel ${ARG_NAME}-library)
  set_target_properties(${ARG_NAME} PROPERTIES PREFIX "" SUFFIX ".so"
                        LIBRARY_OUTPUT_DIRECTORY "${PLUMB_PLUGIN_DIR}" LINKER_LANGUAGE C)
  if(NOT PLUMB_SANITIZE AND NOT PLUMB_FUZZ AND NOT PLUMB_COVERAGE)
    # A kernel symbol that nobody defines is an error here, not when the plugin is loaded.
    target_link_options(${ARG_NAME} PRIVATE -Wl,-z,defs)
  endif()
endfunction()

# Kernel code computes with misaligned pointers, calls through other types and shifts into the sign
# bit by design, and says so with its own compiler flags.
set(PLUMB_LINUX_KERNEL_FLAGS "")
if(PLUMB_SANITIZE)
  set(PLUMB_LINUX_KERNEL_FLAGS -fno-sanitize=alignment,shift,pointer-overflow)
  if(CMAKE_C_COMPILER_ID MATCHES "Clang")
    list(APPEND PLUMB_LINUX_KERNEL_FLAGS -fno-sanitize=function)
  endif()
endif()
