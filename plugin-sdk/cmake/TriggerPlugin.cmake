# Builds a plugin: NAME.so, which triggers name as "NAME:service".
#
#   trigger_add_plugin(NAME SOURCES file... [LIBRARIES library...])
#
# Makes a target NAME. The library goes where CMAKE_LIBRARY_OUTPUT_DIRECTORY says, by default to the
# current binary directory. LIBRARIES are linked privately; static ones must be built with
# -fPIC and, where g++ built them, with -fno-gnu-unique.
function(trigger_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES;LIBRARIES")
  if(ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "trigger_add_plugin(${name}): unknown arguments: ${ARG_UNPARSED_ARGUMENTS}; "
                        "it takes SOURCES and LIBRARIES")
  endif()
  if(NOT ARG_SOURCES)
    message(FATAL_ERROR "trigger_add_plugin(${name}): there are no SOURCES")
  endif()

  add_library(${name} MODULE ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE TriggerPlugin::sdk ${ARG_LIBRARIES})
  set_target_properties(${name} PROPERTIES
    PREFIX "" SUFFIX ".so"
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  if(CMAKE_CXX_COMPILER_LOADED)
    target_compile_features(${name} PRIVATE cxx_std_17)
  endif()

  # g++ marks inline statics as unique in the process, and a library that has one stays mapped after
  # dlclose: a hot reload would leak it. Clang has no such symbols and no such option.
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)

  set(map ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/TriggerPlugin.map)
  target_link_options(${name} PRIVATE "LINKER:--version-script=${map}")
  set_property(TARGET ${name} APPEND PROPERTY LINK_DEPENDS ${map})

  # A missing symbol fails the build and not the load. A sanitizer's runtime is in the executable, so
  # there it must be allowed.
  get_property(directory_options DIRECTORY PROPERTY LINK_OPTIONS)
  set(flags "${CMAKE_C_FLAGS} ${CMAKE_CXX_FLAGS} ${CMAKE_MODULE_LINKER_FLAGS} ${directory_options}")
  if(NOT flags MATCHES "-fsanitize=")
    target_link_options(${name} PRIVATE "LINKER:-z,defs")
  endif()
endfunction()
