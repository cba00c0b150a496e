// What bench-broker is asked to do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "common/gaps.hpp"

namespace bench {

struct Options {
  int qos = 0;
  std::size_t window = 20;
  std::size_t payload = 64;
  std::string content;  // how each payload begins; blanks follow. Empty: it is all the same letter
  double warmup = 1;
  double seconds = 3;
  std::size_t connections = 1;
  double patience = 20;  // seconds, for the connections to subscribe
  std::size_t filters = 1;
  std::size_t backlog = 0;
  std::optional<double> pace;  // messages a second, over all connections
  std::optional<Gaps> sparse;
  std::string tls_certificate;
  std::string tls_key;
  bool paced() const { return pace || sparse; }
};

}  // namespace bench
