# SPDX-License-Identifier: GPL-2.0-or-later
# cmake -DWORK=DIR -P: what the text of a tree says, on texts of our own.
cmake_minimum_required(VERSION 3.25)
set(PROJECT_BINARY_DIR "")
set(PROJECT_SOURCE_DIR "${CMAKE_CURRENT_LIST_DIR}/../../..")
include("${CMAKE_CURRENT_LIST_DIR}/PlumblineLinuxTree.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/PlumblineLinuxPlugin.cmake")

set(failures 0)
function(expect what got expected)
  if(NOT "${got}" STREQUAL "${expected}")
    message(SEND_ERROR "${what}: '${got}', not '${expected}'")
    math(EXPR failures "${failures} + 1")
    set(failures ${failures} PARENT_SCOPE)
  endif()
endfunction()

# expect_order(WHAT TEXT EXPECTED): of "raise" and "test" in the function "try".
function(expect_order what text expected)
  file(WRITE "${WORK}/order.c" "${text}")
  plumb_linux_order(got "${WORK}/order.c" "^int try" "raise" "test")
  expect("${what}" "${got}" "${expected}")
  set(failures ${failures} PARENT_SCOPE)
endfunction()

expect_order("raised before the test" "int try(void)\n{\n\traise();\n\ttest();\n}\n" 1)
expect_order("raised behind the test" "int try(void)\n{\n\ttest();\n\traise();\n}\n" 0)
expect_order("raised, and kept behind the test"
             "int try(void)\n{\n\traise();\n\ttest();\n\traise();\n}\n" 0)
expect_order("on one line" "int try(void)\n{\n\traise(test());\n}\n" 0)
expect_order("a comment is none"
             "int try(void)\n{\n\t/* raise */\n\ttest();\n\t * raise\n\traise();\n}\n" 0)
expect_order("another function is none"
             "int other(void)\n{\n\traise();\n}\nint try(void)\n{\n\ttest();\n}\n" "")
expect_order("nothing is tested" "int try(void)\n{\n\traise();\n}\nvoid test(void);\n" "")
expect_order("no such function" "int attempt(void)\n{\n\traise();\n\ttest();\n}\n" "")
expect_order("brackets and semicolons"
             "int try(void)\n{\n\tint a[2]; char b[] = \"]\";\n\traise(a[0]);\n\ttest(b);\n}\n" 1)
expect_order("up to the label" "int try(void)\n{\n\traise();\nout:\n\ttest();\n}\n" "")
plumb_linux_order(got "${WORK}/none.c" "^int try" "raise" "test")
expect("no file" "${got}" "")

# What is not known is said, and is neither yes nor no.
set(features "")
plumb_linux_empty_slot(features "${WORK}/no-tree" x86_64)
expect("a tree without text" "${features}" "PLUMB_TREE_EMPTY_SLOT_COUNTS=2")
file(WRITE "${WORK}/tree/kernel/bpf/core.c"
     "\tJMP_TAIL_CALL: {\n\t\tif (!program)\n\t\t\tgoto out;\n\t\ttail_call_cnt++;\nout:\n")
set(features "")
plumb_linux_empty_slot(features "${WORK}/tree" interpreter)
expect("an interpreter that counts what it takes" "${features}" "PLUMB_TREE_EMPTY_SLOT_COUNTS=0")

# Registers: those that kernels have had, and no others.
foreach(row "7 PLUMB_TREE_R0_IS_X7=1 PLUMB_TREE_R0_IS_X8=0" "8 PLUMB_TREE_R0_IS_X7=0 PLUMB_TREE_R0_IS_X8=1"
            "19 PLUMB_TREE_R0_IS_X7=0 PLUMB_TREE_R0_IS_X8=0")
  separate_arguments(row UNIX_COMMAND "${row}")
  list(POP_FRONT row number)
  file(WRITE "${WORK}/tree/arch/arm64/net/bpf_jit_comp.c" "\t[BPF_REG_0] = A64_R(${number}),\n")
  set(features "")
  plumb_linux_registers(features "${WORK}/tree" arm64)
  expect("R0 in x${number}" "${features}" "${row}")
endforeach()

# What a variant needs: of the JIT, or of a file that it names.
plumb_linux_needs(got "${WORK}/tree" arm64 "BPF_REG_0")
expect("a line of the JIT" "${got}" TRUE)
plumb_linux_needs(got "${WORK}/tree" arm64 "CONFIG_CFI")
expect("no line of the JIT" "${got}" FALSE)
plumb_linux_needs(got "${WORK}/tree" arm64 "kernel/bpf/core.c: tail_call_cnt")
expect("a line of a file" "${got}" TRUE)
plumb_linux_needs(got "${WORK}/tree" arm64 "kernel/bpf/none.c: tail_call_cnt")
expect("no such file" "${got}" FALSE)

if(failures)
  message(FATAL_ERROR "${failures} wrong")
endif()
message(STATUS "the texts say what they should")
