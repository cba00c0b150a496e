// Where something is written in the files of a configuration, and what is wrong there.
#pragma once

#include <cstdint>
#include <string>

namespace triggerd::config {

// Where something was written, for messages: FILE:LINE:COLUMN.
struct Place {
  std::string file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};
std::string to_string(const Place& place);

// One error. `message` says what is wrong and, if possible, what to write instead.
struct Diagnostic {
  Place place;
  std::string message;
};
// "FILE:LINE:COLUMN: error: MESSAGE"; without line and column if the error is about the whole file.
std::string to_string(const Diagnostic& diagnostic);

}  // namespace triggerd::config
