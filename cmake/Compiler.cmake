# SPDX-License-Identifier: Apache-2.0
# Chooses a g++ of version 12 or later where the system's default is older (Ubuntu 22.04), unless the user named one.
if(NOT CMAKE_CXX_COMPILER AND NOT DEFINED ENV{CXX})
  execute_process(COMMAND g++ -dumpversion OUTPUT_VARIABLE default_version OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(default_version STREQUAL "" OR default_version VERSION_LESS 12)
    find_program(newer_compiler NAMES g++-12 g++-13 g++-14 g++-15)
    if(newer_compiler)
      set(CMAKE_CXX_COMPILER ${newer_compiler})
    endif()
  endif()
endif()
