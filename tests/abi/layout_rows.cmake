# For layout.cmake, which says what has to hold, and layout_proof.cmake.
#
# What is wrong with a golden file: a list in `result`. `output` is what the layout program prints,
# `frozen` are the golden files of minors before.
function(compare_rows output golden_file header frozen result)
  string(STRIP "${output}" output)
  string(REPLACE "\n" ";" now "${output}")
  file(STRINGS ${golden_file} golden)

  set(problems "")
  foreach(row IN LISTS golden)
    if(NOT row IN_LIST now)
      list(APPEND problems "changed or gone, which breaks every plugin built so far: ${row}")
    endif()
  endforeach()
  foreach(row IN LISTS now)
    if(NOT row IN_LIST golden)
      list(APPEND problems "new, add it to ${golden_file}: ${row}")
    endif()
  endforeach()
  foreach(file IN LISTS frozen)
    file(STRINGS ${file} rows)
    foreach(row IN LISTS rows)
      if(NOT row IN_LIST golden)
        list(APPEND problems "of ${file}, and no longer in ${golden_file}: ${row}")
      endif()
    endforeach()
  endforeach()

  # TRIGGER_ABI_MINOR is the one number that changes.
  file(STRINGS ${header} defines REGEX "^#define TRIGGER_[A-Z0-9_]+ +\\(?-?[0-9]+u?\\)?")
  foreach(define IN LISTS defines)
    string(REGEX REPLACE "^#define (TRIGGER_[A-Z0-9_]+) .*" "\\1" name "${define}")
    if(NOT name STREQUAL "TRIGGER_ABI_MINOR" AND NOT output MATCHES "constant ${name} ")
      list(APPEND problems "without a row in layout_v1.h: ${name}")
    endif()
  endforeach()

  list(LENGTH golden golden_count)
  if(golden_count LESS 100)
    list(APPEND problems "the golden file has ${golden_count} rows only")
  endif()
  set(${result} "${problems}" PARENT_SCOPE)
endfunction()
