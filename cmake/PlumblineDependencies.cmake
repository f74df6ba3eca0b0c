# SPDX-License-Identifier: GPL-2.0-or-later
# Every library comes from the distribution; ./run and ./test install the packages named here.

find_package(PkgConfig REQUIRED)
if(PLUMB_STATIC)
  # A C++ library of the distribution does not link with another standard library than its own.
  find_path(PLUMB_FMT_INCLUDE fmt/format.h REQUIRED)
  add_library(fmt::fmt INTERFACE IMPORTED GLOBAL)
  target_include_directories(fmt::fmt INTERFACE "${PLUMB_FMT_INCLUDE}")
  target_compile_definitions(fmt::fmt INTERFACE FMT_HEADER_ONLY=1)
else()
  find_package(fmt REQUIRED)           # libfmt-dev
endif()
find_package(nlohmann_json REQUIRED)   # nlohmann-json3-dev
if(NOT PLUMB_ONLY_FUZZ)
  find_package(CLI11 REQUIRED)         # libcli11-dev
  find_package(GTest REQUIRED)         # libgtest-dev, libgmock-dev
  find_package(pugixml REQUIRED)       # libpugixml-dev
  find_package(benchmark REQUIRED)     # libbenchmark-dev
  pkg_check_modules(LIBDW REQUIRED IMPORTED_TARGET libdw libelf)  # libdw-dev
endif()
pkg_check_modules(UNICORN REQUIRED IMPORTED_TARGET unicorn)     # libunicorn-dev
pkg_check_modules(CAPSTONE REQUIRED IMPORTED_TARGET capstone)   # libcapstone-dev
if(PLUMB_STATIC)
  foreach(library unicorn capstone)
    string(TOUPPER ${library} upper)
    find_library(PLUMB_STATIC_${upper} lib${library}.a REQUIRED)
    set_target_properties(PkgConfig::${upper} PROPERTIES
      INTERFACE_LINK_LIBRARIES "${PLUMB_STATIC_${upper}};-lpthread;-lm")
  endforeach()
endif()
find_package(asmjit REQUIRED)          # libasmjit-dev

# AsmJit's headers are not ours to warn about.
add_library(plumb_asmjit INTERFACE)
get_target_property(asmjit_includes asmjit::asmjit INTERFACE_INCLUDE_DIRECTORIES)
if(asmjit_includes)
  target_include_directories(plumb_asmjit SYSTEM INTERFACE ${asmjit_includes})
endif()
target_link_libraries(plumb_asmjit INTERFACE asmjit::asmjit)

# LLVM's disassembler, through its C API: llvm-19-dev. Optional: without it, riscv64 code and what
# Capstone lacks of arm64 are shown as numbers.
option(PLUMB_LLVM "Disassemble with LLVM where Capstone cannot" ON)
find_program(PLUMB_LLVM_CONFIG NAMES llvm-config-19)
if(PLUMB_LLVM AND PLUMB_LLVM_CONFIG)
  execute_process(COMMAND "${PLUMB_LLVM_CONFIG}" --includedir OUTPUT_VARIABLE llvm_includes
                  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND "${PLUMB_LLVM_CONFIG}" --libdir OUTPUT_VARIABLE llvm_libraries
                  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  find_path(PLUMB_LLVM_INCLUDE llvm-c/Disassembler.h PATHS "${llvm_includes}" NO_DEFAULT_PATH)
  find_library(PLUMB_LLVM_LIBRARY NAMES LLVM-19 LLVM PATHS "${llvm_libraries}" NO_DEFAULT_PATH)
endif()
if(PLUMB_LLVM AND PLUMB_LLVM_INCLUDE AND PLUMB_LLVM_LIBRARY)
  add_library(plumb_llvm INTERFACE)
  target_include_directories(plumb_llvm SYSTEM INTERFACE "${PLUMB_LLVM_INCLUDE}")
  target_link_libraries(plumb_llvm INTERFACE "${PLUMB_LLVM_LIBRARY}")
elseif(PLUMB_LLVM)
  message(STATUS "No LLVM 19 (llvm-19-dev): riscv64 code will be shown as numbers")
endif()
