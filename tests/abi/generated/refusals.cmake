# cmake -DTREE=... -DWORK=... -P refusals.cmake
#
# What tools/plugin-new does not do, and says so.
cmake_policy(VERSION 3.25)
file(REMOVE_RECURSE ${WORK})
file(WRITE ${WORK}/full/something "")

function(expect_refused words)
  execute_process(COMMAND ${TREE}/tools/plugin-new ${ARGN}
                  OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE result)
  string(FIND "${output}" "${words}" at)
  if(result EQUAL 0 OR at LESS 0)
    message(FATAL_ERROR "plugin-new ${ARGN} says (${result}):\n${output}\nand not: ${words}")
  endif()
endfunction()
expect_refused("usage: tools/plugin-new")
expect_refused("usage: tools/plugin-new" ${WORK}/a)
expect_refused("usage: tools/plugin-new" ${WORK}/a --lang)
expect_refused("usage: tools/plugin-new" ${WORK}/a ${WORK}/b --lang c)
expect_refused("unknown language \"cobol\"; choose c, cpp, rust, python or node" ${WORK}/a --lang cobol)
expect_refused("\"My_Plugin\" is not a valid plugin name" ${WORK}/My_Plugin --lang c)
expect_refused("\"test\" is the name of something else" ${WORK}/a --lang c --name test)
expect_refused("exists already; name a folder that is new or empty" ${WORK}/full --lang c)
if(EXISTS ${WORK}/a)
  message(FATAL_ERROR "a refused project was made all the same")
endif()
