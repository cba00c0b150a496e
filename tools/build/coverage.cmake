# What tools/coverage needs of a build: TRIGGERD_COVERAGE. Functions of runtime/ count how often each of
# their regions runs, also those of headers that a test compiles; code of others is as it is elsewhere.
if(NOT TRIGGERD_COVERAGE)
  return()
endif()
if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  message(FATAL_ERROR "TRIGGERD_COVERAGE needs clang; tools/coverage configures it")
endif()

# runtime/ sees its headers through links in rooms/.
set(profile_list ${PROJECT_BINARY_DIR}/coverage.list)
file(WRITE ${profile_list} "src:${PROJECT_SOURCE_DIR}/runtime/*\nsrc:${PROJECT_BINARY_DIR}/rooms/*\n")

# %c: counters are memory of the file, so a process that is killed has counted, and one that may open no
# file any more goes on counting. %m: processes of one program share one file. The other options make
# %c work on Linux, and keep counters of a loop from waiting for its end, which a kill would prevent.
# A plugin that includes a header of runtime/ is left out: it would count for itself.
set(is_counted "$<NOT:$<STREQUAL:$<TARGET_PROPERTY:TYPE>,MODULE_LIBRARY>>")
foreach(option
    -fprofile-instr-generate=${PROJECT_BINARY_DIR}/profiles/%m%c.profraw -fcoverage-mapping
    -fprofile-list=${profile_list}
    "SHELL:-mllvm -runtime-counter-relocation=true" "SHELL:-mllvm -do-counter-promotion=false")
  add_compile_options("$<${is_counted}:${option}>")
endforeach()
