# What makes the build light: headers that are nearly everywhere are parsed once, and a few sources of
# a target are compiled together, since most of what the compiler does for each is the same. Neither
# spares a file its own #includes: tools/check compiles every file by itself, without both.
#
#   triggerd_precompiled(TARGET common)    TARGET sees the headers of the target precompiled_common
option(TRIGGERD_FAST_BUILD "Precompiled headers, and sources compiled together" ON)

if(NOT DEFINED CMAKE_UNITY_BUILD)
  set(CMAKE_UNITY_BUILD ${TRIGGERD_FAST_BUILD})
endif()
# More of them save little, and each change of one file compiles all of its batch.
set(CMAKE_UNITY_BUILD_BATCH_SIZE 5)

if(TRIGGERD_FAST_BUILD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # gcc takes the standard library's code in a precompiled header for ours, and our sources in a batch
  # for headers, and warns of what is right in them.
  foreach(warning array-bounds restrict stringop-overflow stringop-overread subobject-linkage)
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-${warning}>)
  endforeach()
endif()

function(triggerd_precompiled target headers)
  if(TRIGGERD_FAST_BUILD)
    target_precompile_headers(${target} REUSE_FROM precompiled_${headers})
  endif()
endfunction()

# triggerd_precompiled_set(NAME HEADER...)
function(triggerd_precompiled_set name)
  add_library(precompiled_${name} OBJECT EXCLUDE_FROM_ALL
              ${PROJECT_SOURCE_DIR}/tools/build/precompiled.cpp)
  if(TRIGGERD_FAST_BUILD)
    target_precompile_headers(precompiled_${name} PRIVATE ${ARGN})
  endif()
endfunction()

set(TRIGGERD_COMMON_HEADERS
  <algorithm> <array> <atomic> <chrono> <condition_variable> <cstdint> <deque> <filesystem>
  <functional> <map> <memory> <mutex> <optional> <set> <span> <string> <string_view> <thread>
  <unordered_map> <utility> <variant> <vector> <fmt/format.h> <tl/expected.hpp>)
triggerd_precompiled_set(common ${TRIGGERD_COMMON_HEADERS})
target_link_libraries(precompiled_common PRIVATE fmt::fmt Threads::Threads)
triggerd_precompiled_set(json ${TRIGGERD_COMMON_HEADERS} <nlohmann/json.hpp>)
target_link_libraries(precompiled_json PRIVATE fmt::fmt Threads::Threads nlohmann_json::nlohmann_json)
