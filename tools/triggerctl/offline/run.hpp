// triggerctl plugin run
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace triggerctl {

// As given on the command line.
struct RunOptions {
  std::string service;  // FILE[:SERVICE]
  std::string topic;
  std::string payload;
  std::string payload_file;
  std::uint32_t qos = 1;
  bool retain = false;
  std::vector<std::string> properties;
  std::string content_type;
  std::string response_topic;
  std::string settings;
  std::vector<std::string> set;
  std::uint32_t times = 1;
  std::uint32_t attempt = 1;
  std::string timeout = "10s";
};

int run_plugin(const RunOptions& options);

}  // namespace triggerctl
