# SPDX-License-Identifier: GPL-2.0-or-later
# Kernel trees: taking one out of a linux-source package, reading its version, and building the
# include directory that its JIT is compiled with. Nothing here writes into a tree.
include("${CMAKE_CURRENT_LIST_DIR}/PlumblineLinuxText.cmake")

# What a JIT of any architecture needs; the rest of the 1.5 GB stays in the archive.
set(PLUMB_LINUX_MEMBERS
    Makefile
    arch/arm64/net/*
    arch/riscv/net/*
    arch/x86/net/*
    arch/x86/kernel/alternative.c
    arch/arm64/include/asm/*.h
    arch/riscv/include/asm/*.h
    arch/x86/include/asm/*.h
    arch/arm64/lib/insn.c
    include/asm-generic/*.h
    include/linux/*.h
    include/uapi/asm-generic/*.h
    include/uapi/linux/*.h
    include/vdso/*.h
    kernel/bpf/core.c
    kernel/bpf/verifier.c
    lib/test_bpf.c
    net/core/filter.c)

# plumb_linux_extract(OUT_VAR VERSION): the directory of the tree, extracted once for all build
# directories of this checkout. On failure OUT_VAR is empty and OUT_VAR_REASON says why.
function(plumb_linux_extract out version)
  set(package linux-source-${version})
  set(archive "${PLUMB_LINUX_ARCHIVE_DIR}/${package}.tar.xz")
  set(tree "${PLUMB_LINUX_TREES}/linux-${version}")
  set(${out} "" PARENT_SCOPE)
  if(NOT EXISTS "${archive}" AND EXISTS "${tree}/.plumbline-stamp")
    set(${out} "${tree}" PARENT_SCOPE) # the package is gone; what we took from it is still here
    return()
  endif()
  if(NOT EXISTS "${archive}")
    set(${out}_REASON "${archive} is missing: install the Debian package ${package}" PARENT_SCOPE)
    return()
  endif()
  file(SIZE "${archive}" size)
  file(TIMESTAMP "${archive}" time "%Y-%m-%dT%H:%M:%S" UTC)
  string(SHA256 stamp "${archive} ${size} ${time} ${PLUMB_LINUX_MEMBERS}")
  set(previous "")
  if(EXISTS "${tree}/.plumbline-stamp")
    file(READ "${tree}/.plumbline-stamp" previous)
  endif()
  if(NOT previous STREQUAL stamp)
    message(STATUS "Extracting the JIT sources from ${package} (once, about 10 s)")
    # Into a directory of our own, then renamed: a second configure never sees half a tree.
    string(RANDOM LENGTH 8 suffix)
    set(scratch "${PLUMB_LINUX_TREES}/.linux-${version}-${suffix}")
    file(MAKE_DIRECTORY "${scratch}")
    list(TRANSFORM PLUMB_LINUX_MEMBERS PREPEND "${package}/" OUTPUT_VARIABLE members)
    execute_process(
      COMMAND tar -xf "${archive}" -C "${scratch}" --strip-components=1 --wildcards
              --no-wildcards-match-slash ${members}
      RESULT_VARIABLE status ERROR_VARIABLE message)
    if(NOT status EQUAL 0)
      file(REMOVE_RECURSE "${scratch}")
      string(STRIP "${message}" message)
      set(${out}_REASON "extracting ${archive} failed: ${message}" PARENT_SCOPE)
      return()
    endif()
    file(WRITE "${scratch}/.plumbline-stamp" "${stamp}")
    if(EXISTS "${tree}")
      file(RENAME "${tree}" "${scratch}.old")
    endif()
    file(RENAME "${scratch}" "${tree}" RESULT renamed)
    file(REMOVE_RECURSE "${scratch}.old")
    if(NOT renamed EQUAL 0)
      # Somebody else's configure was faster; its tree is the same.
      file(REMOVE_RECURSE "${scratch}")
    endif()
  endif()
  set(${out} "${tree}" PARENT_SCOPE)
endfunction()

# plumb_linux_version(OUT_VAR TREE): "6.12.117", from the tree's Makefile.
function(plumb_linux_version out tree)
  set(parts "")
  foreach(name VERSION PATCHLEVEL SUBLEVEL)
    file(STRINGS "${tree}/Makefile" line REGEX "^${name} *=" LIMIT_COUNT 1)
    string(REGEX REPLACE "^[A-Z]+ *= *" "" value "${line}")
    list(APPEND parts "${value}")
  endforeach()
  list(JOIN parts "." version)
  set(${out} "${version}" PARENT_SCOPE)
endfunction()

# plumb_linux_includes(DIR TREE ARCH_DIR SHIM_DIRS SOURCES): fills DIR with what SOURCES include,
# directly or not. A header that a shim directory's real_headers.txt lists is a link into the tree;
# one that a shim directory has itself is left to the include path; every other one becomes an empty
# file. So a tree that starts to include a header that we have never seen still compiles, as long as
# it only needs what the shim declares.
function(plumb_linux_includes dir tree arch_dir shim_dirs sources)
  set(patterns "")
  foreach(shim IN LISTS shim_dirs)
    if(EXISTS "${shim}/real_headers.txt")
      file(STRINGS "${shim}/real_headers.txt" more REGEX "^[^#]")
      list(APPEND patterns ${more})
    endif()
  endforeach()
  list(JOIN patterns "|" pattern)

  set(queue ${sources})
  set(seen "")
  set(manifest "")
  while(queue)
    list(POP_FRONT queue file)
    get_filename_component(siblings "${file}" DIRECTORY)
    file(STRINGS "${file}" lines REGEX "^[ \t]*#[ \t]*include[ \t]*[<\"]")
    foreach(line IN LISTS lines)
      string(REGEX REPLACE "^[^<\"]*[<\"]([^>\"]*)[>\"].*" "\\1" name "${line}")
      if(name IN_LIST seen OR NOT name MATCHES "\\.h$")
        continue()
      endif()
      list(APPEND seen "${name}")
      if(line MATCHES "include[ \t]*\"" AND EXISTS "${siblings}/${name}")
        list(APPEND queue "${siblings}/${name}")
        continue()
      endif()
      plumb_linux_find(shimmed "${name}" ${shim_dirs})
      if(shimmed)
        continue()
      endif()
      set(real "")
      if(name MATCHES "^(${pattern})$")
        plumb_linux_find(real "${name}" "${tree}/include" "${tree}/include/uapi"
                         "${tree}/arch/${arch_dir}/include"
                         "${tree}/arch/${arch_dir}/include/uapi")
        list(APPEND queue ${real})
      endif()
      list(APPEND manifest "${name}=${real}")
    endforeach()
  endwhile()

  # Written anew only when something changed: a new file is a reason to compile everything again.
  set(previous "")
  if(EXISTS "${dir}.txt")
    file(READ "${dir}.txt" previous)
  endif()
  if(previous STREQUAL manifest)
    return()
  endif()
  file(REMOVE_RECURSE "${dir}")
  foreach(entry IN LISTS manifest)
    string(REGEX MATCH "^([^=]*)=(.*)$" matched "${entry}")
    set(header "${dir}/${CMAKE_MATCH_1}")
    set(real "${CMAKE_MATCH_2}")
    get_filename_component(parent "${header}" DIRECTORY)
    file(MAKE_DIRECTORY "${parent}")
    if(real)
      file(CREATE_LINK "${real}" "${header}" SYMBOLIC)
    else()
      file(TOUCH "${header}")
    endif()
  endforeach()
  file(WRITE "${dir}.txt" "${manifest}")
endfunction()

# plumb_linux_find(OUT_VAR NAME DIRS...): the first DIR/NAME that exists, or nothing.
function(plumb_linux_find out name)
  set(${out} "" PARENT_SCOPE)
  foreach(dir IN LISTS ARGN)
    if(EXISTS "${dir}/${name}")
      set(${out} "${dir}/${name}" PARENT_SCOPE)
      return()
    endif()
  endforeach()
endfunction()
