# cmake -DLANGUAGE=c|cpp|rust -DMINIMAL=[minimal_] -DTREE=... -DBUILD=... -DWORK=... -DREADELF=...
#       -DEXPORTS=... -P plugin_new.cmake
#
# Has tools/plugin-new make a project outside this tree, builds and tests it as its README says, in a
# folder that was moved since, and checks what its plugin exports. Those in C and C++ are built once
# more with the installed SDK of the build in BUILD instead of their copy. CC, CXX, CARGO and RUSTC
# come in the environment. The plugin is left as WORK/NAME.so.
cmake_policy(VERSION 3.25)
include(${CMAKE_CURRENT_LIST_DIR}/../run.cmake)
if(MINIMAL)
  set(project hello)
  set(kind --minimal)
else()
  set(project my-${LANGUAGE})
  set(kind "")
endif()

file(REMOVE_RECURSE ${WORK})
file(MAKE_DIRECTORY ${WORK}/new)
run("tools/plugin-new fails" ${TREE}/tools/plugin-new ${WORK}/new/${project} --lang ${LANGUAGE} ${kind})
file(GLOB_RECURSE files ${WORK}/new/*)
foreach(file IN LISTS files)
  file(READ ${file} text)
  if(text MATCHES "@NAME@|@IDENT@" OR text MATCHES "${TREE}")
    message(FATAL_ERROR "${file} has a placeholder left, or names the tree that it came from")
  endif()
endforeach()

# What the README shows is what --minimal makes.
if(MINIMAL AND LANGUAGE STREQUAL "cpp")
  file(READ ${TREE}/README.md readme)
  file(READ ${WORK}/new/${project}/service.cpp service)
  string(FIND "${readme}" "```cpp\n${service}```" at)
  if(at LESS 0)
    message(FATAL_ERROR "README.md does not have the service that plugin-new --minimal makes:\n${service}")
  endif()
endif()

file(RENAME ${WORK}/new/${project} ${WORK}/${project})
run("./test of a new project fails" ${WORK}/${project}/test)
run("triggers.toml of a new project is refused"
    ${BUILD}/bin/triggerd --config ${WORK}/${project}/triggers.toml --check)
file(COPY_FILE ${WORK}/${project}/build/${project}.so ${WORK}/${project}.so)
set(FILE ${WORK}/${project}.so)
include(${EXPORTS})

# A panic that poisons the template's mutex costs its message's attempt and nothing else.
if(LANGUAGE STREQUAL "rust" AND NOT MINIMAL)
  set(lib ${WORK}/${project}/src/lib.rs)
  file(READ ${lib} text)
  string(REPLACE "so_far.waiting.remove(message.id());"
                 "so_far.waiting.remove(message.id()); if number == 13 { panic!(\"unlucky\") }"
                 panics "${text}")
  if(panics STREQUAL text)
    message(FATAL_ERROR "the template has another way of handling a number, and the panic no place")
  endif()
  file(WRITE ${lib} "${panics}")
  file(APPEND ${WORK}/${project}/tests/service.rs [[

#[test]
fn one_panic_is_not_for_ever() {
    let instance = run(&[("every", 3.into())]);
    assert_eq!(instance.send(number("20")).code(), OK);
    assert_eq!(instance.send(number("13")).code(), trigger_plugin::abi::RETRY);
    assert_eq!(instance.send(number("1")).code(), OK);
    instance.stop();
    assert_eq!(instance.save().unwrap(), b"2 21");
}
]])
  run("one panic ends the template's service for good"
      ${CMAKE_COMMAND} -E chdir ${WORK}/${project} $ENV{CARGO} test --offline)
endif()

if(NOT LANGUAGE STREQUAL "rust")
  file(READ ${WORK}/${project}/build/compile_commands.json commands)
  string(FIND "${commands}" "${WORK}/${project}/service.${LANGUAGE}" at)
  if(at LESS 0)
    message(FATAL_ERROR "build/compile_commands.json does not say how the service is compiled:\n${commands}")
  endif()
  run("the SDK cannot be installed"
      ${CMAKE_COMMAND} --install ${BUILD} --component sdk --prefix ${WORK}/prefix)
  file(REMOVE_RECURSE ${WORK}/${project}/sdk ${WORK}/${project}/build)
  run("./test fails with the installed SDK"
      ${WORK}/${project}/test -DCMAKE_PREFIX_PATH=${WORK}/prefix)
endif()
