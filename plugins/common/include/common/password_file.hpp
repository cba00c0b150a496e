// A password in a file of its own.
#pragma once

#include <fstream>
#include <stdexcept>
#include <string>

namespace plugin_common {

// The first line of `file`, which may change between two connections. Throws std::runtime_error,
// without the password.
inline std::string read_password(const std::string& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  if (!line.empty() && line.back() == '\r') line.pop_back();
  if (!in || line.empty()) {
    throw std::runtime_error("must name a readable file with the password in its first line");
  }
  return line;
}

}  // namespace plugin_common
