# SPDX-License-Identifier: GPL-2.0-or-later
# Facts of a kernel tree that its text tells: by what files contain, and in which order, never by
# the tree's version.

# plumb_linux_feature(LIST_VAR NAME FILE REGEX): appends PLUMB_TREE_NAME=1 when FILE has a line
# that matches, =0 otherwise. How we tell trees apart, rather than by their version.
function(plumb_linux_feature list name file regex)
  set(found 0)
  if(EXISTS "${file}")
    file(STRINGS "${file}" lines REGEX "${regex}" LIMIT_COUNT 1)
    if(lines)
      set(found 1)
    endif()
  endif()
  set(${list} ${${list}} "PLUMB_TREE_${name}=${found}" PARENT_SCOPE)
endfunction()

# plumb_linux_order(OUT_VAR FILE FROM FIRST SECOND): in the part of FILE that begins with the first
# line that matches FROM, and ends with the next line that begins with "}" or is the label "out:":
# does the last line that matches FIRST stand before the first one that matches SECOND? 1 when it
# does, 0 when it stands behind it or is the same line, and empty when FILE has no such part or the
# part lacks one of the two. Lines that begin with a comment do not match.
function(plumb_linux_order out file from first second)
  set(${out} "" PARENT_SCOPE)
  if(NOT EXISTS "${file}")
    return()
  endif()
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}")
  # file(STRINGS) would glue lines together at brackets and semicolons.
  file(READ "${file}" text)
  string(REGEX REPLACE "[][;\\\\]" "." text "${text}")
  string(REPLACE "\n" ";" lines "${text}")
  set(inside FALSE)
  set(last_first -1)
  set(first_second -1)
  set(number 0)
  foreach(line IN LISTS lines)
    math(EXPR number "${number} + 1")
    if(NOT inside)
      if(line MATCHES "${from}")
        set(inside TRUE)
      endif()
      continue()
    endif()
    if(line MATCHES "^}|^out:")
      break()
    endif()
    if(line MATCHES "^[ \t]*(/\\*|\\*)")
      continue()
    endif()
    if(line MATCHES "${first}")
      set(last_first ${number})
    endif()
    if(first_second EQUAL -1 AND line MATCHES "${second}")
      set(first_second ${number})
    endif()
  endforeach()
  if(last_first EQUAL -1 OR first_second EQUAL -1)
    return()
  endif()
  if(last_first LESS first_second)
    set(${out} 1 PARENT_SCOPE)
  else()
    set(${out} 0 PARENT_SCOPE)
  endif()
endfunction()

# Where a tail call is: the part of which file, the lines that raise or keep the count, and the
# one that tests the slot. What is kept last counts: arm64 raises the count in a register, and since
# 6.12 stores it behind the test.
set(PLUMB_LINUX_TAIL_CALL_x86_64
    arch/x86/net/bpf_jit_comp.c "^static void emit_bpf_tail_call_indirect"
    "EMIT.*/\\* (add|mov dword ptr|inc) .*(eax|rax)" "EMIT.*X86_JE,")
set(PLUMB_LINUX_TAIL_CALL_arm64
    arch/arm64/net/bpf_jit_comp.c "^static int emit_bpf_tail_call"
    "A64_ADD_I.1, tcc, tcc,|A64_STR64I.tcc," "branch3 = ctx->image|A64_CBZ.1, prg,")
set(PLUMB_LINUX_TAIL_CALL_riscv64
    arch/riscv/net/bpf_jit_comp64.c "^static int emit_bpf_tail_call"
    "emit_addi.RV_REG_TCC,|emit_sd.*RV_REG_TCC" "BPF_J(EQ|SLE|SLT), RV_REG_T2,")
set(PLUMB_LINUX_TAIL_CALL_interpreter
    kernel/bpf/core.c "JMP_TAIL_CALL: {" "tail_call_cnt(\\+\\+| *\\+=)" "if .!prog")

# plumb_linux_empty_slot(LIST_VAR TREE WHERE): appends PLUMB_TREE_EMPTY_SLOT_COUNTS=1 when an attempt
# at an empty slot counts, because the tail call in TREE of WHERE (an architecture, or interpreter)
# keeps the count before it tests the slot; =0 when not; and =2, with a message, when the text says
# neither.
function(plumb_linux_empty_slot list tree where)
  list(GET PLUMB_LINUX_TAIL_CALL_${where} 0 file)
  list(GET PLUMB_LINUX_TAIL_CALL_${where} 1 from)
  list(GET PLUMB_LINUX_TAIL_CALL_${where} 2 count)
  list(GET PLUMB_LINUX_TAIL_CALL_${where} 3 slot)
  if(where STREQUAL "riscv64")
    plumb_linux_feature(${list} COUNT_IN_FRAMES "${tree}/${file}" "emit_sd.*RV_REG_TCC")
  endif()
  plumb_linux_order(counts "${tree}/${file}" "${from}" "${count}" "${slot}")
  if(counts STREQUAL "")
    message(STATUS "${tree}/${file} does not say whether tail calls count before they test the "
                   "slot: not known of ${where}")
    set(counts 2)
  endif()
  set(${list} ${${list}} "PLUMB_TREE_EMPTY_SLOT_COUNTS=${counts}" PARENT_SCOPE)
endfunction()

# plumb_linux_fineibt(LIST_VAR TREE): appends PLUMB_TREE_FINEIBT_HASH_AT, the bytes of FineIBT's preamble
# in front of the hash: 7 where it is subtracted from r10d, 5 from eax (since 6.16), 0 where the text
# says neither. The file is not the JIT's.
function(plumb_linux_fineibt list tree)
  set(asked "")
  set(file "${tree}/arch/x86/kernel/alternative.c")
  set(at 0)
  if(EXISTS "${file}")
    foreach(candidate IN ITEMS 5 7)
      file(STRINGS "${file}" lines REGEX "define fineibt_preamble_hash[ \t]+${candidate}$" LIMIT_COUNT 1)
      if(lines)
        set(at ${candidate})
      endif()
    endforeach()
  endif()
  plumb_linux_feature(asked FINEIBT "${tree}/arch/x86/net/bpf_jit_comp.c" "CFI_FINEIBT")
  if(at EQUAL 0 AND asked STREQUAL "PLUMB_TREE_FINEIBT=1")
    message(STATUS "${file} does not say where FineIBT's hash stands: not known")
  endif()
  set(${list} ${${list}} "PLUMB_TREE_FINEIBT_HASH_AT=${at}" PARENT_SCOPE)
endfunction()

# plumb_linux_registers(LIST_VAR TREE ARCH): appends which of the registers that R0 has had in kernels
# it is in TREE. Only these: contracts must not follow a table that is wrong.
function(plumb_linux_registers list tree arch)
  if(arch STREQUAL "arm64")
    set(jit "${tree}/arch/arm64/net/bpf_jit_comp.c")
    plumb_linux_feature(${list} R0_IS_X7 "${jit}" "BPF_REG_0. = A64_R.7.")
    plumb_linux_feature(${list} R0_IS_X8 "${jit}" "BPF_REG_0. = A64_R.8.")
  endif()
  set(${list} ${${list}} PARENT_SCOPE)
endfunction()
