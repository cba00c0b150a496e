# Makes `paho`: the MQTT library with its system calls wrapped.
#
# The static archive becomes one relocatable object in which the names below are others, so the
# wrapping reaches the library and nothing else of the program. There is no build without it: see
# docs/decisions/026-paho-is-wrapped-or-not-built.md.
set(WRAPPED_CALLS socket connect getaddrinfo recv writev poll close usleep SSL_connect SSL_read SSL_write SSL_pending
                  SSL_get_error SSL_shutdown ERR_clear_error SSL_CTX_new SSL_ctrl X509_check_host X509_check_ip_asc)
set(WRAPPED_TRACING StackTrace_entry StackTrace_exit Log SSL_CTX_set_msg_callback mymalloc myrealloc myfree)
# Functions between parts of the library; where a version has no such function, its wrap is idle.
set(WRAPPED_INSIDE Thread_set_name MQTTProtocol_retry ListFindItem)

set(PAHO_HOW_TO "install libpaho-mqtt-dev (Debian, Ubuntu), or build Paho from its source with PAHO_BUILD_STATIC=TRUE \
and PAHO_WITH_SSL=TRUE and name its prefix in CMAKE_PREFIX_PATH or the archive in PAHO_STATIC, as \
docs/start/installing.md shows")

find_library(PAHO_STATIC libpaho-mqtt3as.a PATH_SUFFIXES lib64 DOC "Paho MQTT C with TLS, as a static archive")
if(NOT EXISTS "${PAHO_STATIC}")
  message(FATAL_ERROR "Paho MQTT C is missing as a static archive, libpaho-mqtt3as.a: ${PAHO_HOW_TO}.")
endif()
# Its own headers go before those of another Paho that is installed beside it.
get_filename_component(paho_folder ${PAHO_STATIC} DIRECTORY)
find_path(PAHO_INCLUDE_DIR MQTTAsync.h PATHS ${paho_folder}/../include ${paho_folder}/../../include NO_DEFAULT_PATH
          DOC "Headers of Paho MQTT C")
find_path(PAHO_INCLUDE_DIR MQTTAsync.h)
if(NOT PAHO_INCLUDE_DIR)
  message(FATAL_ERROR "MQTTAsync.h of Paho MQTT C is missing: ${PAHO_HOW_TO}.")
endif()

execute_process(COMMAND ${CMAKE_NM} --undefined-only ${PAHO_STATIC} OUTPUT_VARIABLE undefined ERROR_QUIET)
set(missing "")
foreach(symbol ${WRAPPED_CALLS})
  if(NOT undefined MATCHES " U ${symbol}\n")
    list(APPEND missing ${symbol})
  endif()
endforeach()
if(missing)
  list(JOIN missing ", " missing)
  message(FATAL_ERROR "${PAHO_STATIC} makes no call of ${missing}, which triggerd has to wrap: ${PAHO_HOW_TO}.")
endif()
set(untraced "")
if(NOT undefined MATCHES " U StackTrace_entry\n")
  set(untraced ", which was built without tracing")
endif()
message(STATUS "Paho MQTT C: ${PAHO_STATIC}${untraced}")

set(paho_needs OpenSSL::SSL OpenSSL::Crypto ${CMAKE_DL_LIBS} Threads::Threads)
# What else an archive calls depends on its version and on how it was built: FUNCTION LIBRARY.
foreach(need "getaddrinfo_a anl" "uuid_generate uuid")
  separate_arguments(need)
  list(POP_FRONT need function library)
  if(undefined MATCHES " U ${function}\n")
    find_library(PAHO_NEEDS_${library} ${library})
    if(PAHO_NEEDS_${library})  # else it is part of the C library
      list(APPEND paho_needs ${PAHO_NEEDS_${library}})
    endif()
  endif()
endforeach()

set(wrapped ${CMAKE_CURRENT_BINARY_DIR}/paho_wrapped.o)
list(TRANSFORM WRAPPED_CALLS PREPEND --wrap= OUTPUT_VARIABLE wrap_calls)
list(TRANSFORM WRAPPED_TRACING PREPEND --wrap= OUTPUT_VARIABLE wrap_tracing)
list(TRANSFORM WRAPPED_INSIDE PREPEND --wrap= OUTPUT_VARIABLE wrap_inside)
add_custom_command(
  OUTPUT ${wrapped}
  COMMAND ${CMAKE_LINKER} -r -o ${wrapped} --whole-archive ${PAHO_STATIC} ${wrap_calls} ${wrap_tracing} ${wrap_inside}
  DEPENDS ${PAHO_STATIC}
  VERBATIM)
add_custom_target(paho_wrapped DEPENDS ${wrapped})
add_library(paho INTERFACE)
add_dependencies(paho paho_wrapped)
target_include_directories(paho SYSTEM INTERFACE ${PAHO_INCLUDE_DIR})
# The object needs the functions that it was given, and they need it.
target_link_libraries(paho INTERFACE ${wrapped} triggerd_mqtt ${paho_needs})
