// Sanitizers answer signals themselves unless they are told not to.
#pragma once

#include <fmt/core.h>

#include <cstdlib>
#include <map>
#include <string>

namespace triggerd::test {

// For a triggerd whose plugins crash; its workers inherit it.
inline std::map<std::string, std::string> signals_are_its_own() {
  std::map<std::string, std::string> env;
  for (const char* name : {"ASAN_OPTIONS", "TSAN_OPTIONS"}) {
    const char* const given = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
    env[name] = fmt::format("{}:handle_segv=0:handle_abort=0", given == nullptr ? "" : given);
  }
  return env;
}

}  // namespace triggerd::test
