# cmake -DPROGRAM=... -DGOLDEN=... -DHEADER=... -P layout.cmake
#
# Every row of the golden file must still be what the compiler says: plugins out there rely on it.
# What is new must be added to the file. Every number that the header defines must have a row.
cmake_policy(VERSION 3.25)
execute_process(COMMAND ${PROGRAM} OUTPUT_VARIABLE output RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "the layout program failed: see above")
endif()
string(STRIP "${output}" output)
string(REPLACE "\n" ";" now "${output}")
file(STRINGS ${GOLDEN} golden)

set(problems "")
foreach(row IN LISTS golden)
  if(NOT row IN_LIST now)
    list(APPEND problems "changed or gone, which breaks every plugin built so far: ${row}")
  endif()
endforeach()
foreach(row IN LISTS now)
  if(NOT row IN_LIST golden)
    list(APPEND problems "new, add it to ${GOLDEN}: ${row}")
  endif()
endforeach()

# TRIGGER_ABI_MINOR is the one number that changes.
file(STRINGS ${HEADER} defines REGEX "^#define TRIGGER_[A-Z0-9_]+ +\\(?-?[0-9]+u?\\)?")
foreach(define IN LISTS defines)
  string(REGEX REPLACE "^#define (TRIGGER_[A-Z0-9_]+) .*" "\\1" name "${define}")
  if(NOT name STREQUAL "TRIGGER_ABI_MINOR" AND NOT output MATCHES "constant ${name} ")
    list(APPEND problems "without a row in layout_v1.h: ${name}")
  endif()
endforeach()

list(LENGTH golden golden_count)
if(golden_count LESS 100)
  list(APPEND problems "the golden file has ${golden_count} rows only")
endif()
if(problems)
  list(JOIN problems "\n  " text)
  message(FATAL_ERROR "the layout of the ABI:\n  ${text}")
endif()
