# Makes two libraries: `paho`, the MQTT library with its system calls wrapped where that is possible,
# and `paho_plain`, as it was packaged. A program links one of them, and never both.
#
# The static archive becomes one relocatable object in which the names below are others, so the
# wrapping reaches the library and nothing else of the program.
set(WRAPPED_CALLS socket connect getaddrinfo recv writev poll close usleep SSL_connect SSL_read SSL_write SSL_pending
                  SSL_get_error SSL_shutdown ERR_clear_error)
set(WRAPPED_TRACING StackTrace_entry StackTrace_exit Log mymalloc myrealloc myfree)
# Functions between parts of the library; where a version has no such function, its wrap is idle.
set(WRAPPED_INSIDE Thread_set_name MQTTProtocol_retry ListFindItem)

find_library(PAHO_STATIC libpaho-mqtt3as.a)
find_library(PAHO_SHARED paho-mqtt3as)
if(NOT PAHO_STATIC AND NOT PAHO_SHARED)
  message(FATAL_ERROR "Paho MQTT C is missing: install libpaho-mqtt-dev (tools/setup does)")
endif()
option(TRIGGERD_WIRE "Wrap the system calls of the MQTT library" ON)

add_library(paho_plain INTERFACE)
if(PAHO_STATIC)
  set(PAHO_NEEDS OpenSSL::SSL OpenSSL::Crypto anl ${CMAKE_DL_LIBS} Threads::Threads)
  target_link_libraries(paho_plain INTERFACE ${PAHO_STATIC} ${PAHO_NEEDS})
  execute_process(COMMAND ${CMAKE_NM} --undefined-only ${PAHO_STATIC} OUTPUT_VARIABLE undefined
                  ERROR_QUIET)
  set(missing "")
  foreach(symbol ${WRAPPED_CALLS})
    if(NOT undefined MATCHES " U ${symbol}\n")
      list(APPEND missing ${symbol})
    endif()
  endforeach()
  set(untraced "")
  if(NOT undefined MATCHES " U StackTrace_entry\n")
    set(untraced ", which was built without tracing")
  endif()
else()
  target_link_libraries(paho_plain INTERFACE ${PAHO_SHARED})
  set(missing "a static archive")
endif()

add_library(paho INTERFACE)
if(TRIGGERD_WIRE AND NOT missing)
  message(STATUS "Paho MQTT C: ${PAHO_STATIC}${untraced}, wired")
  list(TRANSFORM WRAPPED_CALLS PREPEND --wrap= OUTPUT_VARIABLE wrap_calls)
  list(TRANSFORM WRAPPED_TRACING PREPEND --wrap= OUTPUT_VARIABLE wrap_tracing)
  list(TRANSFORM WRAPPED_INSIDE PREPEND --wrap= OUTPUT_VARIABLE wrap_inside)
  add_library(paho_wired_mark OBJECT ${CMAKE_CURRENT_LIST_DIR}/wired_mark.c)
  set(wired ${CMAKE_CURRENT_BINARY_DIR}/paho_wired.o)
  add_custom_command(
    OUTPUT ${wired}
    COMMAND ${CMAKE_LINKER} -r -o ${wired} $<TARGET_OBJECTS:paho_wired_mark> --whole-archive
            ${PAHO_STATIC} ${wrap_calls} ${wrap_tracing} ${wrap_inside}
    DEPENDS paho_wired_mark $<TARGET_OBJECTS:paho_wired_mark> ${PAHO_STATIC}
    VERBATIM)
  add_custom_target(paho_wired DEPENDS ${wired})
  add_dependencies(paho paho_wired)
  # The object needs the functions that it was given, and they need it.
  target_link_libraries(paho INTERFACE ${wired} triggerd_mqtt ${PAHO_NEEDS})
else()
  message(STATUS "Paho MQTT C: not wired (missing: ${missing}); acknowledgements wait in callbacks")
  target_link_libraries(paho INTERFACE paho_plain)
endif()
