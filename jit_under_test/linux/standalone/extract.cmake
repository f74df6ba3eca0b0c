# SPDX-License-Identifier: GPL-2.0-or-later
# cmake -DARCHIVE=FILE -DDESTINATION=DIR -P extract.cmake: takes out of a kernel archive what a JIT
# needs. Failing that, DIR.error holds the reason in one line.
include("${CMAKE_CURRENT_LIST_DIR}/../cmake/PlumblineLinuxTree.cmake")

file(MAKE_DIRECTORY "${DESTINATION}")
# Whatever the directory in the archive is called.
list(TRANSFORM PLUMB_LINUX_MEMBERS PREPEND "*/" OUTPUT_VARIABLE members)
execute_process(
  COMMAND "${CMAKE_COMMAND}" -E env LC_ALL=C
          tar -xf "${ARCHIVE}" -C "${DESTINATION}" --strip-components=1 --wildcards
          --no-wildcards-match-slash ${members}
  RESULT_VARIABLE status ERROR_VARIABLE errors)
if(status EQUAL 0)
  return()
endif()
# A tree may lack a member, arch/riscv in an old one: what that means is seen later.
string(REPLACE ";" "," errors "${errors}")
string(REPLACE "\n" ";" errors "${errors}")
list(FILTER errors EXCLUDE REGEX ": Not found in archive$|Exiting with failure status|^$")
if(errors)
  list(GET errors 0 first)
  file(WRITE "${DESTINATION}.error" "${first}")
elseif(NOT status MATCHES "^[0-9]+$")
  file(WRITE "${DESTINATION}.error" "tar: ${status}")
endif()
