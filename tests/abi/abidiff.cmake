# cmake -DWORK=... -DSDK=... -DFROZEN=... -DC_COMPILER=... -DABIDIFF=... -P abidiff.cmake
#
# Compares the ABI that the frozen plugin has when it is built with today's plugin.h with the one it
# had when it was frozen. No suppressions, and everything but "no change" fails. abidiff sees the
# types of functions, which the layout does not, and does not see constants, which the layout does.
# That the one was built for x86-64 and the other may be for another machine is no change: the types
# are to be the same on all.
# Then the same with a plugin.h that was broken on purpose, where it must say so.
cmake_policy(VERSION 3.25)
file(REMOVE_RECURSE ${WORK})
file(READ ${SDK}/trigger/plugin.h header)

# `result` is abidiff's exit code, for frozen.c with `text` as its header.
function(compare name text result)
  file(WRITE ${WORK}/${name}/trigger/plugin.h "${text}")
  execute_process(
    COMMAND ${C_COMPILER} -std=c99 -g -fPIC -shared -fvisibility=hidden -I ${WORK}/${name}
            ${FROZEN}/frozen.c -o ${WORK}/${name}/frozen.so
    COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND ${ABIDIFF} --no-default-suppression --no-architecture ${FROZEN}/frozen.abi
    ${WORK}/${name}/frozen.so OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE code)
  set(${result} "${code}" PARENT_SCOPE)
  set(output "${output}" PARENT_SCOPE)
endfunction()

compare(today "${header}" code)
if(NOT code EQUAL 0)
  message(FATAL_ERROR "the ABI has changed (abidiff says ${code}); where a struct grew as "
                      "docs/reference/abi-policy.md allows, freeze the new minor:\n${output}")
endif()

function(expect_noticed name from to)
  string(FIND "${header}" "${from}" at)
  if(at LESS 0)
    message(FATAL_ERROR "plugin.h has no \"${from}\" to be changed")
  endif()
  string(REPLACE "${from}" "${to}" text "${header}")
  compare(${name} "${text}" code)
  if(code EQUAL 0)
    message(FATAL_ERROR "${name}: abidiff does not see it")
  endif()
endfunction()
expect_noticed(member_grown "\n} trigger_message;" "\n  uint64_t later;\n} trigger_message;")
expect_noticed(member_inserted "  uint64_t token; /*" "  uint64_t inserted;\n  uint64_t token; /*")
expect_noticed(parameter_widened "(*extend)(void* ctx, uint64_t token, uint32_t ms)"
                                 "(*extend)(void* ctx, uint64_t token, uint64_t ms)")
expect_noticed(result_widened "int32_t (*trigger_state_sink)(" "int64_t (*trigger_state_sink)(")
