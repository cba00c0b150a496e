# cmake -DWORK=... -DSDK=... -DTESTS=... -DC_COMPILER=... -DCXX_COMPILER=... -P layout_proof.cmake
#
# Proves that the checks of the layout can fail. Each change below is one that breaks plugins out
# there; made to a copy of plugin.h, it must stop the compilation of the include-only files as C99,
# C11, C++17 and C++20, and, where it is one that C can see, the comparison with the golden file.
# Rows of the golden file that are changed must be noticed too. And a struct that grows as
# docs/reference/abi-policy.md allows must pass, once its rows are added.
cmake_policy(VERSION 3.25)
include(${CMAKE_CURRENT_LIST_DIR}/layout_rows.cmake)

file(REMOVE_RECURSE ${WORK})
set(problems "")
file(READ ${SDK}/trigger/plugin.h header)
file(READ ${TESTS}/layout_v1.h rows)
file(READ ${TESTS}/layout-v1.golden golden)

# Replaces what must be there.
function(change variable from to)
  string(FIND "${${variable}}" "${from}" at)
  if(at LESS 0)
    message(FATAL_ERROR "${variable} has no \"${from}\" to be changed")
  endif()
  string(REPLACE "${from}" "${to}" text "${${variable}}")
  set(${variable} "${text}" PARENT_SCOPE)
endfunction()

# Writes header, rows and golden to WORK/name.
function(lay_out name)
  file(WRITE ${WORK}/${name}/trigger/plugin.h "${header}")
  file(WRITE ${WORK}/${name}/layout_v1.h "${rows}")
  file(WRITE ${WORK}/${name}/layout-v1.golden "${golden}")
  file(COPY ${TESTS}/layout.c ${TESTS}/layout_asserts.h ${TESTS}/include_c.c
            ${TESTS}/include_cpp.cpp DESTINATION ${WORK}/${name})
endfunction()

# Compiles an include-only file in WORK/name; `result` is 0 where it compiles.
function(compile name compiler standard file result)
  execute_process(COMMAND ${compiler} -std=${standard} -fsyntax-only -pedantic-errors -I. ${file}
    WORKING_DIRECTORY ${WORK}/${name} OUTPUT_QUIET ERROR_QUIET RESULT_VARIABLE code)
  set(${result} "${code}" PARENT_SCOPE)
endfunction()

# Compares WORK/name with its golden file; `result` is 0 where they agree.
function(compare name result)
  execute_process(COMMAND ${C_COMPILER} -std=c99 -I. layout.c -o layout
    WORKING_DIRECTORY ${WORK}/${name} OUTPUT_QUIET ERROR_QUIET RESULT_VARIABLE code)
  if(code EQUAL 0)
    execute_process(COMMAND ${CMAKE_COMMAND} -DPROGRAM=${WORK}/${name}/layout
      -DGOLDEN=${WORK}/${name}/layout-v1.golden -DHEADER=${WORK}/${name}/trigger/plugin.h
      -DFROZEN=${TESTS}/v1.0/layout.golden -P ${TESTS}/layout.cmake OUTPUT_QUIET ERROR_QUIET RESULT_VARIABLE code)
  endif()
  set(${result} "${code}" PARENT_SCOPE)
endfunction()

# Where `seen_by` is "all", every check has to notice; where it is "cpp", those in C++.
macro(expect_noticed name seen_by)
  lay_out(${name})
  compile(${name} ${CXX_COMPILER} c++17 include_cpp.cpp cpp17)
  compile(${name} ${CXX_COMPILER} c++20 include_cpp.cpp cpp20)
  set(checks cpp17 cpp20)
  if("${seen_by}" STREQUAL "all")
    compile(${name} ${C_COMPILER} c99 include_c.c c99)
    compile(${name} ${C_COMPILER} c11 include_c.c c11)
    compare(${name} golden_file)
    list(APPEND checks c99 c11 golden_file)
  endif()
  foreach(check IN LISTS checks)
    if("${${check}}" STREQUAL "0")
      list(APPEND problems "${name}: not noticed by ${check}")
    endif()
  endforeach()
endmacro()

# The files as they are must pass, or nothing below proves anything.
macro(expect_accepted name)
  lay_out(${name})
  compile(${name} ${C_COMPILER} c99 include_c.c c99)
  compile(${name} ${C_COMPILER} c11 include_c.c c11)
  compile(${name} ${CXX_COMPILER} c++17 include_cpp.cpp cpp17)
  compile(${name} ${CXX_COMPILER} c++20 include_cpp.cpp cpp20)
  compare(${name} golden_file)
  foreach(check c99 c11 cpp17 cpp20 golden_file)
    if(NOT "${${check}}" STREQUAL "0")
      list(APPEND problems "${name}: refused by ${check}")
    endif()
  endforeach()
endmacro()

set(header_now "${header}")
set(rows_now "${rows}")
set(golden_now "${golden}")
macro(reset)
  set(header "${header_now}")
  set(rows "${rows_now}")
  set(golden "${golden_now}")
endmacro()

expect_accepted(as_it_is)

change(header "  trigger_str topic;\n  trigger_str trigger;" "  trigger_str trigger;\n  trigger_str topic;")
expect_noticed(members_swapped all)
reset()
change(header "  uint64_t token; /*" "  uint64_t inserted;\n  uint64_t token; /*")
expect_noticed(member_inserted all)
reset()
change(header "  uint32_t retry_after_ms; /*" "  uint64_t retry_after_ms; /*")
expect_noticed(member_widened all)
reset()
change(header "  char reason[256];" "  char reason[512];")
expect_noticed(array_longer all)
reset()
change(header "  uint32_t qos;     /*" "  /*")
expect_noticed(member_removed all)
reset()
change(header "#define TRIGGER_REJECT 3 " "#define TRIGGER_REJECT 4 ")
expect_noticed(verdict_renumbered all)
reset()
change(header "#define TRIGGER_E_FULL (-4) " "#define TRIGGER_E_FULL (-14) ")
expect_noticed(error_renumbered all)
reset()
change(header "  trigger_bytes value;\n} trigger_property;" "  trigger_bytes value;\n  uint64_t more;\n} trigger_property;")
expect_noticed(frozen_struct_grown all)
reset()
# What no offset shows.
change(header "int32_t (*extend)(void* ctx, uint64_t token, uint32_t ms);" "int32_t (*extend)(void* ctx, uint64_t token, uint64_t ms);")
expect_noticed(parameter_widened cpp)
reset()
change(header "int32_t (*start)(void* instance, trigger_result* error);" "void (*start)(void* instance, trigger_result* error);")
expect_noticed(result_dropped cpp)
reset()

# A member at the end is allowed, with its rows, and not without.
change(header "\n} trigger_message;" "\n  uint64_t later;\n} trigger_message;")
change(rows "X(trigger_message, 120)" "X(trigger_message, 128)")
lay_out(grown_without_rows)
compare(grown_without_rows without_rows)
if("${without_rows}" STREQUAL "0")
  list(APPEND problems "grown_without_rows: not noticed by golden_file")
endif()
change(rows "X(trigger_message, 0, qos, 120) \\" "X(trigger_message, 0, qos, 120) \\\n  X(trigger_message, 1, later, 128) \\")
change(rows "X(trigger_message, qos, 116, 4) \\" "X(trigger_message, qos, 116, 4) \\\n  X(trigger_message, later, 120, 8) \\")
string(APPEND golden "size-1.1 trigger_message 128\nfield trigger_message.later 120 8\n")
expect_accepted(grown_with_rows)
reset()

# A golden file that was made to agree with a broken header does not help it.
change(header "#define TRIGGER_REJECT 3 " "#define TRIGGER_REJECT 4 ")
change(rows "X(TRIGGER_REJECT, 3)" "X(TRIGGER_REJECT, 4)")
change(golden "constant TRIGGER_REJECT 3" "constant TRIGGER_REJECT 4")
lay_out(golden_follows)
compare(golden_follows followed)
if("${followed}" STREQUAL "0")
  list(APPEND problems "golden_follows: not noticed by the frozen rows")
endif()
reset()

# Nor does a row that is edited or taken out.
file(STRINGS ${TESTS}/layout-v1.golden lines)
lay_out(golden_edited)
execute_process(COMMAND ${C_COMPILER} -std=c99 -I. layout.c -o layout
                WORKING_DIRECTORY ${WORK}/golden_edited COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${WORK}/golden_edited/layout OUTPUT_VARIABLE output COMMAND_ERROR_IS_FATAL ANY)
set(edited_golden ${WORK}/golden_edited/layout-v1.golden)
set(edited_header ${WORK}/golden_edited/trigger/plugin.h)
compare_rows("${output}" ${edited_golden} ${edited_header} "" found)
if(found)
  list(APPEND problems "golden_edited: refused before it is edited")
endif()
foreach(line IN LISTS lines)
  foreach(edit "${line}0" "")
    string(REPLACE "${line}\n" "${edit}\n" edited "${golden_now}")
    file(WRITE ${edited_golden} "${edited}")
    compare_rows("${output}" ${edited_golden} ${edited_header} "" found)
    if(NOT found)
      list(APPEND problems "golden_edited: not noticed: \"${line}\" as \"${edit}\"")
    endif()
  endforeach()
endforeach()

if(problems)
  list(JOIN problems "\n  " text)
  message(FATAL_ERROR "the checks of the layout do not see everything:\n  ${text}")
endif()
