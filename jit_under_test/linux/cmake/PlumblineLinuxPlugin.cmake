# SPDX-License-Identifier: GPL-2.0-or-later
set(PLUMB_PLUGIN_DIR "${PROJECT_BINARY_DIR}/plugins")
get_filename_component(PLUMB_LINUX_DIR "${CMAKE_CURRENT_LIST_DIR}/.." ABSOLUTE)

# Below 2 GiB, from 1 GiB on: places that are taken, and, without a name, free ones for trees of the
# user's. Variants ask for their base's place: two that are open at once get different ones anyway
# (jit_under_test/jit.h). Half of the 1 GiB stays free for the JITs of other trees.
set(PLUMB_LINUX_ARENAS
    linux-6.12-x86_64=0x40000000 linux-6.1-x86_64=0x48000000
    linux-6.12-arm64=0x50000000 linux-6.1-arm64=0x58000000
    linux-6.12-riscv64=0x60000000 linux-6.1-riscv64=0x68000000
    =0x44000000 =0x4c000000 =0x54000000 =0x5c000000 =0x64000000 =0x6c000000
    =0x70000000 =0x74000000 =0x78000000)
set(PLUMB_LINUX_ARENA_SIZE 0x2000000)
set(PLUMB_LINUX_VARIANT_ARENA_SIZE 0x1000000)
# All may be open at once, each in places of 16 MiB of its own (jit_under_test/arena.cc). The last
# 16 MiB below 2 GiB are none: AddressSanitizer's shadow begins at 0x7fff8000. The 32 places from
# 0x10000000 on are left to the reference JITs and to trees that are added later.
math(EXPR PLUMB_LINUX_PLACES "(0x7f000000 - 0x30000000) / ${PLUMB_LINUX_VARIANT_ARENA_SIZE}")

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

# plumb_linux_claim(NAME SIZE): counts the places of one more plugin.
function(plumb_linux_claim name size)
  get_property(claimed GLOBAL PROPERTY PLUMB_LINUX_PLACES_CLAIMED)
  math(EXPR claimed "0${claimed} + ${size} / ${PLUMB_LINUX_VARIANT_ARENA_SIZE}")
  if(claimed GREATER PLUMB_LINUX_PLACES)
    message(FATAL_ERROR "The arenas of all Linux JITs do not fit below 2 GiB: ${name} is one too "
                        "many. Leave out trees, architectures or PLUMB_LINUX_VARIANTS.")
  endif()
  set_property(GLOBAL PROPERTY PLUMB_LINUX_PLACES_CLAIMED ${claimed})
endfunction()

# plumb_linux_plugin(TREE dir NAME target ARCH arch [ORIGIN text] [VARIANTS all|frames|names...]):
# the MODULE library NAME.so in ${PLUMB_PLUGIN_DIR}, and NAME:VARIANT.so for each variant of
# shim/ARCH/variants.txt that is wanted and that the tree has; a message names those that it
# has not. TREE is a kernel source tree, complete or as plumb_linux_extract() leaves it. The targets
# that were added are appended to the global property PLUMB_LINUX_PLUGINS.
#
#   NAME-kernel    core.c and our part of the kernel, once
#   NAME-jit-...   the JIT, once per set of CONFIG_ macros
#   variant.c      names and switches, once per plugin
function(plumb_linux_plugin)
  cmake_parse_arguments(ARG "" "TREE;NAME;ARCH;ORIGIN" "VARIANTS" ${ARGN})
  set(tree "${ARG_TREE}")
  if(NOT ARG_ORIGIN)
    set(ARG_ORIGIN "kernel source tree")
  endif()
  set(files kernel/bpf/core.c ${PLUMB_LINUX_FILES_${ARG_ARCH}})
  foreach(file Makefile kernel/bpf/verifier.c ${files})
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
  plumb_linux_feature(features FP_RANGE "${tree}/include/linux/bpf.h" "fp_start;")
  plumb_linux_feature(features EXCEPTIONS "${tree}/include/linux/bpf.h" "exception_boundary;")
  plumb_linux_feature(features ARENA "${tree}/include/linux/bpf.h" "bpf_arena_get_kern_vm_start")
  plumb_linux_feature(features VERSION_4 "${tree}/include/linux/filter.h" "BPF_MEMSX")
  plumb_linux_feature(features JIT_TAKES_ENV "${tree}/include/linux/filter.h"
                      "bpf_int_jit_compile.struct bpf_verifier_env")
  plumb_linux_feature(features BLIND_TAKES_ENV "${tree}/include/linux/filter.h"
                      "bpf_jit_blind_constants.struct bpf_verifier_env")
  plumb_linux_has(jit_blinds "${tree}/arch/${PLUMB_LINUX_DIR_${ARG_ARCH}}/net"
                  "bpf_jit_blind_constants")
  if(jit_blinds)
    list(APPEND features PLUMB_TREE_JIT_BLINDS=1)
  else()
    list(APPEND features PLUMB_TREE_JIT_BLINDS=0)
  endif()
  plumb_linux_empty_slot(features "${tree}" ${ARG_ARCH})
  plumb_linux_registers(features "${tree}" ${ARG_ARCH})
  plumb_linux_fineibt(features "${tree}")
  # What the tree's verifier lets through: its text alone, nothing of it is compiled.
  set(verifier "${tree}/kernel/bpf/verifier.c")
  plumb_linux_feature(features CHAIN_ROUNDS_TO_16 "${verifier}" "round_up.stack_depth, 16")
  plumb_linux_feature(features NO_TAIL_CALL_IN_CALLBACK "${verifier}"
                      "cannot tail call within callback")

  # Kernel files, and ours that see kernel headers. No libc headers, no warnings for theirs.
  set(ours "")
  foreach(name check compile image plugin program program_kind rewrite slots tail_calls throws)
    list(APPEND ours "${PLUMB_LINUX_DIR}/glue/${name}.c")
  endforeach()
  if(EXISTS "${shim}/thunks.c")
    list(APPEND ours "${shim}/thunks.c")
  endif()
  set_source_files_properties(${ours} PROPERTIES
                              COMPILE_OPTIONS "-Wall;-Wextra;-Wshadow;${PLUMB_LINUX_WERROR}")
  set_source_files_properties(${shim}/jit.c ${common}/core.c PROPERTIES
                              COMPILE_OPTIONS "${PLUMB_LINUX_KERNEL_WARNINGS}")
  # jit.c and core.c include kernel files by name; the dependency scanner finds them, but a tree
  # that is extracted anew must also lead to a new look at its features and headers.
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
               "${tree}/Makefile" ${verifier} ${common}/real_headers.txt ${shim}/real_headers.txt
               ${files} ${shim}/jit.c ${shim}/plumb_arch.h ${common}/plumb_kernel.h)
  set(kernel_settings
      INCLUDES "${common}" "${common}/include" "${shim}" "${work}/include" "${tree}"
               "${tree}/arch/${PLUMB_LINUX_DIR_${ARG_ARCH}}/net")
  plumb_linux_kernel_objects(${ARG_NAME}-kernel SOURCES ${ours} ${common}/core.c ${kernel_settings}
                             DEFINITIONS ${features})
  # A JIT that blinds constants itself calls ours, which remembers how it ended (glue/compile.c).
  set(jit_definitions ${features} bpf_jit_blind_constants=plumb_blind_constants)
  plumb_linux_kernel_objects(${ARG_NAME}-jit SOURCES ${shim}/jit.c ${kernel_settings}
                             DEFINITIONS ${jit_definitions})
  plumb_linux_library_objects()

  set(info PLUMB_TREE_VERSION="${version}" PLUMB_TREE_ORIGIN="${ARG_ORIGIN}"
           PLUMB_ARENA_BASE=${arena})
  # The JIT in front: of a function that core.c has a weak definition of, the linker keeps the
  # coverage mapping that it sees first.
  plumb_linux_module(${ARG_NAME} NAME ${ARG_NAME} OBJECTS ${ARG_NAME}-jit ${ARG_NAME}-kernel
                     ARENA_SIZE ${PLUMB_LINUX_ARENA_SIZE}
                     DEFINITIONS ${info} PLUMB_SWITCHES=PLUMB_SWITCH_NONE)

  set(lacking "")
  plumb_linux_wanted_variants(variants ${ARG_ARCH} "${ARG_VARIANTS}")
  foreach(variant IN LISTS variants)
    plumb_linux_needs(has_it "${tree}" ${ARG_ARCH} "${variants_${variant}_NEEDS}")
    if(NOT has_it)
      list(APPEND lacking ${variant})
      continue()
    endif()
    plumb_linux_check_configuration(${ARG_NAME} ${variant} "${tree}" "${variants_${variant}_CONFIG}")
    set(objects ${ARG_NAME}-jit)
    if(variants_${variant}_CONFIG)
      string(SHA256 hash "${variants_${variant}_CONFIG}")
      string(SUBSTRING ${hash} 0 8 hash)
      set(objects ${ARG_NAME}-jit-${hash})
      if(NOT TARGET ${objects})
        list(TRANSFORM variants_${variant}_CONFIG PREPEND "CONFIG_" OUTPUT_VARIABLE config)
        list(TRANSFORM config APPEND "=1")
        plumb_linux_kernel_objects(${objects} SOURCES ${shim}/jit.c ${kernel_settings}
                                   DEFINITIONS ${jit_definitions} ${config})
      endif()
    endif()
    list(TRANSFORM variants_${variant}_SWITCHES PREPEND "PLUMB_SWITCH_")
    list(JOIN variants_${variant}_SWITCHES "|" switches)
    if(NOT switches)
      set(switches PLUMB_SWITCH_NONE)
    endif()
    plumb_linux_module(${ARG_NAME}--${variant} NAME ${ARG_NAME}:${variant}
                       OBJECTS ${objects} ${ARG_NAME}-kernel
                       ARENA_SIZE ${PLUMB_LINUX_VARIANT_ARENA_SIZE}
                       DEFINITIONS ${info} PLUMB_SWITCHES=${switches})
  endforeach()
  if(lacking)
    list(JOIN lacking ", " names)
    message(STATUS "${ARG_NAME}: the tree has no place for the variants ${names}")
  endif()
endfunction()

# plumb_linux_wanted_variants(OUT_VAR ARCH WANTED): the names in shim/ARCH/variants.txt that are
# wanted: all, frames (those marked so), none, or a list of names; the other columns become
# OUT_VAR_<name>_CONFIG, _SWITCHES (lists) and _NEEDS.
function(plumb_linux_wanted_variants out arch wanted)
  set(names "")
  file(STRINGS "${PLUMB_LINUX_DIR}/shim/${arch}/variants.txt" lines REGEX "^[^#]")
  foreach(line IN LISTS lines)
    if(NOT line MATCHES "^([a-z0-9+-]+) *\\| *([a-z]*) *\\|([A-Z0-9_ ]*)\\|([A-Z0-9_ ]*)\\| *(.+)$")
      message(FATAL_ERROR
              "shim/${arch}/variants.txt: not NAME | frames | CONFIG | switches | needs: ${line}")
    endif()
    set(name "${CMAKE_MATCH_1}")
    set(frames "${CMAKE_MATCH_2}")
    set(needs "${CMAKE_MATCH_5}")
    separate_arguments(config UNIX_COMMAND "${CMAKE_MATCH_3}")
    separate_arguments(switches UNIX_COMMAND "${CMAKE_MATCH_4}")
    if(wanted STREQUAL "all" OR (wanted STREQUAL "frames" AND frames STREQUAL "frames") OR name IN_LIST wanted)
      list(APPEND names ${name})
    endif()
    set(${out}_${name}_CONFIG "${config}" PARENT_SCOPE)
    set(${out}_${name}_SWITCHES "${switches}" PARENT_SCOPE)
    set(${out}_${name}_NEEDS "${needs}" PARENT_SCOPE)
  endforeach()
  set(${out} "${names}" PARENT_SCOPE)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS
               "${PLUMB_LINUX_DIR}/shim/${arch}/variants.txt")
endfunction()

# plumb_linux_needs(OUT_VAR TREE ARCH NEEDS): does the tree have what the last column of
# variants.txt asks for? "REGEX": of a line of the architecture's JIT; "FILE: REGEX": of a line of
# that file.
function(plumb_linux_needs out tree arch needs)
  if(needs MATCHES "^([a-z0-9_]+/[a-zA-Z0-9_/.-]+): (.+)$")
    set(regex "${CMAKE_MATCH_2}")
    set(lines "")
    if(EXISTS "${tree}/${CMAKE_MATCH_1}")
      file(STRINGS "${tree}/${CMAKE_MATCH_1}" lines REGEX "${regex}" LIMIT_COUNT 1)
    endif()
    set(found FALSE)
    if(lines)
      set(found TRUE)
    endif()
  else()
    plumb_linux_has(found "${tree}/arch/${PLUMB_LINUX_DIR_${arch}}/net" "${needs}")
  endif()
  set(${out} ${found} PARENT_SCOPE)
endfunction()

# plumb_linux_has(OUT_VAR DIR REGEX): does a line of some C file in DIR match?
function(plumb_linux_has out dir regex)
  set(${out} FALSE PARENT_SCOPE)
  file(GLOB files "${dir}/*.[ch]")
  foreach(file IN LISTS files)
    file(STRINGS "${file}" lines REGEX "${regex}" LIMIT_COUNT 1)
    if(lines)
      set(${out} TRUE PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()

# Only the JIT is compiled with a variant's macros: no structure that others see may depend on them.
function(plumb_linux_check_configuration name variant tree config)
  foreach(macro IN LISTS config)
    foreach(file kernel/bpf/core.c include/linux/bpf.h include/linux/filter.h)
      file(STRINGS "${tree}/${file}" line REGEX "CONFIG_${macro}([^A-Z_]|$)" LIMIT_COUNT 1)
      if(line)
        message(FATAL_ERROR "${name}:${variant}: ${file} depends on CONFIG_${macro}, which is given "
                            "to the JIT only. Leave the variant out of PLUMB_LINUX_VARIANTS.")
      endif()
    endforeach()
  endforeach()
endfunction()

# An OBJECT library of files that see kernel headers.
function(plumb_linux_kernel_objects target)
  cmake_parse_arguments(ARG "" "" "SOURCES;INCLUDES;DEFINITIONS" ${ARGN})
  add_library(${target} OBJECT ${ARG_SOURCES})
  set_target_properties(${target} PROPERTIES C_VISIBILITY_PRESET hidden)
  target_include_directories(${target} PRIVATE "${PLUMB_LINUX_DIR}" "${PROJECT_SOURCE_DIR}")
  target_include_directories(${target} SYSTEM PRIVATE ${ARG_INCLUDES})
  target_compile_definitions(${target} PRIVATE ${ARG_DEFINITIONS})
  target_compile_options(${target} PRIVATE
                         -std=gnu11 -nostdinc -fwrapv -fno-strict-aliasing -fno-builtin-printf
                         -include "${PLUMB_LINUX_DIR}/shim/common/plumb_kernel.h"
                         ${PLUMB_LINUX_KERNEL_FLAGS})
endfunction()

# The OBJECT library of what sees the C library: the same for all plugins.
function(plumb_linux_library_objects)
  if(TARGET linux-library)
    return()
  endif()
  set(sources "")
  foreach(name arena failure heap library text unused)
    list(APPEND sources "${PLUMB_LINUX_DIR}/glue/${name}.c")
  endforeach()
  add_library(linux-library OBJECT ${sources})
  plumb_linux_library_settings(linux-library)
endfunction()

function(plumb_linux_library_settings target)
  set_target_properties(${target} PROPERTIES C_VISIBILITY_PRESET hidden)
  target_include_directories(${target} PRIVATE "${PLUMB_LINUX_DIR}" "${PROJECT_SOURCE_DIR}")
  target_compile_options(${target} PRIVATE -std=c11 -Wall -Wextra -Wshadow)
  if(PLUMB_WERROR)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
endfunction()

# The plugin ${NAME}.so. A target's name cannot have a colon, a file's can.
function(plumb_linux_module target)
  cmake_parse_arguments(ARG "" "NAME;ARENA_SIZE" "OBJECTS;DEFINITIONS" ${ARGN})
  plumb_linux_claim(${ARG_NAME} ${ARG_ARENA_SIZE})
  add_library(${target} MODULE "${PLUMB_LINUX_DIR}/glue/variant.c")
  plumb_linux_library_settings(${target})
  target_compile_definitions(${target} PRIVATE PLUMB_PLUGIN_NAME="${ARG_NAME}" ${ARG_DEFINITIONS}
                             PLUMB_ARENA_SIZE=${ARG_ARENA_SIZE})
  target_link_libraries(${target} PRIVATE ${ARG_OBJECTS} linux-library)
  set_target_properties(${target} PROPERTIES PREFIX "" OUTPUT_NAME "${ARG_NAME}" SUFFIX ".so"
                        LIBRARY_OUTPUT_DIRECTORY "${PLUMB_PLUGIN_DIR}" LINKER_LANGUAGE C)
  if(NOT PLUMB_SANITIZE AND NOT PLUMB_FUZZ AND NOT PLUMB_COVERAGE)
    # A kernel symbol that nobody defines is an error here, not when the plugin is loaded.
    target_link_options(${target} PRIVATE -Wl,-z,defs)
  endif()
  set_property(GLOBAL APPEND PROPERTY PLUMB_LINUX_PLUGINS ${target})
endfunction()

# Kernel code computes with misaligned pointers, lets signed numbers wrap, calls through other types
# and shifts into the sign bit by design, and says so with its own compiler flags.
set(PLUMB_LINUX_KERNEL_FLAGS "")
if(PLUMB_SANITIZE OR PLUMB_FUZZ)
  set(PLUMB_LINUX_KERNEL_FLAGS
      -fno-sanitize=alignment,shift,pointer-overflow,signed-integer-overflow)
  if(CMAKE_C_COMPILER_ID MATCHES "Clang")
    list(APPEND PLUMB_LINUX_KERNEL_FLAGS -fno-sanitize=function)
  endif()
endif()

# What the kernel files use must be declared: compilers of today (GCC 14, Clang 16) refuse anything
# else, ours must not be more lenient. They come in from system directories, where compilers keep
# silent by default, and of other warnings of theirs nobody wants to hear.
set(PLUMB_LINUX_KERNEL_WARNINGS
    -Wsystem-headers -Werror=implicit-function-declaration -Werror=implicit-int
    -Werror=int-conversion -Werror=incompatible-pointer-types)
if(CMAKE_C_COMPILER_ID MATCHES "Clang")
  list(APPEND PLUMB_LINUX_KERNEL_WARNINGS -Wno-initializer-overrides -Wno-pointer-sign
       -Wno-gnu-variable-sized-type-not-at-end)
endif()

set(PLUMB_LINUX_WERROR "")
if(PLUMB_WERROR)
  set(PLUMB_LINUX_WERROR -Werror)
endif()
# The JIT files come in by #include from a system directory: without this they have no coverage.
if(PLUMB_COVERAGE)
  list(APPEND PLUMB_LINUX_KERNEL_FLAGS "SHELL:-mllvm -system-headers-coverage")
endif()
