// Where the triggerd is that a verb is for, and how to be let in.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.hpp"

namespace triggerctl {

// As they stand on the command line; empty: not given.
struct ConnectOptions {
  std::string config;
  std::string socket;
  std::string url;
  std::string token;
  std::string token_file;
};

struct Endpoint {
  std::filesystem::path socket;         // empty: `url` is used
  std::string url = "http://triggerd";  // without a slash at its end
  std::string token;                    // empty: none
  std::filesystem::path config_file;    // that named the socket; empty: none did
};

// triggers.toml here, else /etc/triggerd/triggers.toml, where --config says nothing.
std::filesystem::path config_file_of(const ConnectOptions& options);

// Of the configuration only [runtime] state_dir and [admin] socket are read, so that it may be
// wrong elsewhere and name secrets that only triggerd may read. Errors have the exit code as their
// code.
triggerd::Result<Endpoint> find_endpoint(const ConnectOptions& options);

}  // namespace triggerctl
