# cmake -DLANGUAGE=python|node -DMINIMAL=[minimal_] -DTREE=... -DBUILD=... -DWORK=...
#       -P plugin_new.cmake
#
# Has tools/plugin-new make a project outside this tree, tests it as its README says, in a folder
# that was moved since, sees its tests fail when its service is wrong, and has triggerd check its
# triggers.toml. PYTHON and NODE come in the environment.
cmake_policy(VERSION 3.25)
include(${CMAKE_CURRENT_LIST_DIR}/../run.cmake)
if(MINIMAL)
  set(kind --minimal)
else()
  set(kind "")
endif()
file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK}/new)
run("tools/plugin-new fails" ${TREE}/tools/plugin-new ${WORK}/new/my-one --lang ${LANGUAGE} ${kind})
file(GLOB_RECURSE files ${WORK}/new/*)
foreach(file IN LISTS files)
  file(READ ${file} text)
  if(text MATCHES "@NAME@|@IDENT@" OR text MATCHES "${TREE}")
    message(FATAL_ERROR "${file} has a placeholder left, or names the tree that it came from")
  endif()
endforeach()

set(project ${WORK}/my-one)
file(RENAME ${WORK}/new/my-one ${project})
run("./test of a new project fails" ${project}/test)

file(GLOB service ${project}/service.*)
file(READ ${service} text)
string(REPLACE "ok()" "reject('wrong')" wrong "${text}")
if(wrong STREQUAL text)
  message(FATAL_ERROR "${service} never says ok")
endif()
file(WRITE ${service} "${wrong}")
execute_process(COMMAND ${project}/test OUTPUT_QUIET ERROR_QUIET RESULT_VARIABLE result)
if(result EQUAL 0)
  message(FATAL_ERROR "./test does not see that the service rejects everything")
endif()
file(WRITE ${service} "${text}")

run("triggers.toml of a new project is refused"
    ${CMAKE_COMMAND} -E env PLUGINS=${BUILD}/plugins
    ${CMAKE_COMMAND} -E chdir ${project} ${BUILD}/bin/triggerd --config triggers.toml --check)
