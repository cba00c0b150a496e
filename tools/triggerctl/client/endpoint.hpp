// Where to find the triggerd that a verb asks, and the token for it.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.hpp"

namespace triggerctl {

// As given on the command line; empty: not given.
struct ConnectOptions {
  std::string config;
  std::string socket;
  std::string url;
  std::string token;
  std::string token_file;
};

struct Endpoint {
  std::filesystem::path socket;         // empty: `url` is used
  std::string url = "http://triggerd";  // without a trailing slash
  std::string token;                    // empty: none
  std::filesystem::path config_file;    // the one that named the socket; empty: none did
};

// --config; unless given, triggers.toml here, else /etc/triggerd/triggers.toml.
std::filesystem::path config_file_of(const ConnectOptions& options);

// Reads only [runtime] state_dir and [admin] socket of the configuration, so the rest of it may
// have errors and name secrets that only triggerd may read. The code of an error is the exit code.
triggerd::Result<Endpoint> find_endpoint(const ConnectOptions& options);

}  // namespace triggerctl
