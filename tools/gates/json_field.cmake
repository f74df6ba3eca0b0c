# SPDX-License-Identifier: GPL-2.0-or-later
# Prints one field of a JSON file: cmake -DFILE=F -DFIELD=a.0.b -P json_field.cmake
file(READ "${FILE}" text)
string(REPLACE "." ";" path "${FIELD}")
string(JSON value GET "${text}" ${path})
message("${value}")
