# cmake -DHEADER=... -DOUT=... -P grow_header.cmake
#
# Writes the plugin.h of a minor to come: every struct that may grow has one member more. What is
# built with it stands for the plugins of tomorrow.
cmake_policy(VERSION 3.25)
file(READ ${HEADER} text)

function(grow type member)
  string(FIND "${text}" "\n} ${type};" first)
  string(FIND "${text}" "\n} ${type};" last REVERSE)
  if(first LESS 0 OR NOT first EQUAL last)
    message(FATAL_ERROR "${HEADER}: there is no one end of struct ${type}")
  endif()
  string(REPLACE "\n} ${type};" "\n  ${member}; /* Since: 1.99 */\n} ${type};" grown "${text}")
  set(text "${grown}" PARENT_SCOPE)
endfunction()
grow(trigger_message "uint64_t later")
grow(trigger_result "uint64_t later")
grow(trigger_publish "uint64_t later")
grow(trigger_host "int32_t (*later)(void* ctx)")
grow(trigger_instance_config "trigger_str later")
grow(trigger_service "int32_t (*later)(void* instance)")
grow(trigger_plugin "uint64_t later")
string(REGEX REPLACE "(#define TRIGGER_ABI_MINOR) [0-9]+u" "\\1 99u" text "${text}")
file(WRITE ${OUT} "${text}")
