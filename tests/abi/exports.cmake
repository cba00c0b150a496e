# cmake -DREADELF=... -DFILE=... -P exports.cmake
#
# A plugin defines one dynamic symbol, its entry point, and none that is unique in the process.
cmake_policy(VERSION 3.25)
execute_process(COMMAND ${READELF} --dyn-syms --wide ${FILE}
                OUTPUT_VARIABLE output RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${READELF} cannot read ${FILE}")
endif()

# A row is: Num: Value Size Type Bind Vis Ndx Name
string(REPLACE "\n" ";" lines "${output}")
set(defined "")
foreach(line IN LISTS lines)
  string(REGEX MATCHALL "[^ ]+" row "${line}")
  list(LENGTH row columns)
  if(columns LESS 8 OR NOT line MATCHES "^ +[0-9]+:")
    continue()  # a heading, or the nameless first row
  endif()
  list(GET row 4 bind)
  list(GET row 6 section)
  list(GET row 7 name)
  if(NOT section STREQUAL "UND" AND NOT bind STREQUAL "LOCAL")
    list(APPEND defined "${bind} ${name}")
  endif()
endforeach()
if(NOT defined STREQUAL "GLOBAL trigger_plugin_entry_v1")
  list(JOIN defined "\n  " text)
  message(FATAL_ERROR "${FILE} must define GLOBAL trigger_plugin_entry_v1 alone, and defines:\n"
                      "  ${text}\nIs it built with trigger_add_plugin()?")
endif()
