# cmake -DBUILD=... -DWORK=... -DGENERATOR=... -DC_COMPILER=... -DCXX_COMPILER=... -DREADELF=...
#       (-DSOURCE=... | -DPAGE=...) -P outside.cmake
#
# Installs the SDK of the build in BUILD to a prefix in WORK, builds and tests the project in SOURCE
# against it, and checks what its plugins export. With PAGE the project is what a page of the
# documentation says: each of its code blocks whose first line is a comment with a file's name.
cmake_policy(VERSION 3.25)
include(${CMAKE_CURRENT_LIST_DIR}/run.cmake)

file(REMOVE_RECURSE ${WORK})

if(PAGE)
  set(SOURCE ${WORK}/source)
  file(READ ${PAGE} text)
  # Semicolons and brackets would take lists apart.
  string(REPLACE ";" "<semicolon>" text "${text}")
  string(REPLACE "[" "<open>" text "${text}")
  string(REPLACE "]" "<close>" text "${text}")
  string(REGEX MATCHALL "\n```[a-z]+\n[^`]*\n```" blocks "${text}")
  set(files "")
  foreach(block IN LISTS blocks)
    if(block MATCHES "^\n```[a-z]+\n(//|#|/\\*) ([A-Za-z0-9_.]+)[^\n]*\n(.*)\n```$")
      set(file ${CMAKE_MATCH_2})
      string(REPLACE "<semicolon>" ";" content "${CMAKE_MATCH_3}")
      string(REPLACE "<open>" "[" content "${content}")
      string(REPLACE "<close>" "]" content "${content}")
      file(APPEND ${SOURCE}/${file} "${content}\n")
      list(APPEND files ${file})
    endif()
  endforeach()
  if(NOT "CMakeLists.txt" IN_LIST files)
    message(FATAL_ERROR "${PAGE} has no block that begins with '# CMakeLists.txt'")
  endif()
endif()

run("the SDK cannot be installed"
    ${CMAKE_COMMAND} --install ${BUILD} --component sdk --prefix ${WORK}/prefix)
run("${SOURCE} cannot be configured with the installed SDK"
    ${CMAKE_COMMAND} -S ${SOURCE} -B ${WORK}/build -G ${GENERATOR}
    -DCMAKE_PREFIX_PATH=${WORK}/prefix -DCMAKE_C_COMPILER=${C_COMPILER}
    -DCMAKE_CXX_COMPILER=${CXX_COMPILER}
    "-DCMAKE_C_FLAGS=-Wall -Wextra -Wpedantic -Werror"
    "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wpedantic -Werror")
run("${SOURCE} cannot be built with the installed SDK" ${CMAKE_COMMAND} --build ${WORK}/build)
run("the tests of ${SOURCE} fail"
    ${CMAKE_CTEST_COMMAND} --test-dir ${WORK}/build --output-on-failure --no-tests=error)

file(GLOB_RECURSE plugins ${WORK}/build/*.so)
if(NOT plugins)
  message(FATAL_ERROR "${SOURCE} built no plugin")
endif()
foreach(FILE IN LISTS plugins)
  include(${CMAKE_CURRENT_LIST_DIR}/exports.cmake)
endforeach()
