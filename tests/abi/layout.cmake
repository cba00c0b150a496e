# cmake -DPROGRAM=... -DGOLDEN=... -DHEADER=... [-DFROZEN=file...] -P layout.cmake
#
# Every row of the golden file must still be what the compiler says: plugins out there rely on it.
# What is new must be added to the file. Every number that the header defines must have a row. Each
# row of the FROZEN files, which minors before left, must be in the golden file as it was.
cmake_policy(VERSION 3.25)
include(${CMAKE_CURRENT_LIST_DIR}/layout_rows.cmake)
execute_process(COMMAND ${PROGRAM} OUTPUT_VARIABLE output RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "the layout program failed: see above")
endif()
compare_rows("${output}" ${GOLDEN} ${HEADER} "${FROZEN}" problems)
if(problems)
  list(JOIN problems "\n  " text)
  message(FATAL_ERROR "the layout of the ABI:\n  ${text}")
endif()
