// The section [admin].
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "config/secret.hpp"

namespace triggerd::config {

// Where the administrator's HTTP server listens.
struct ListenAddress {
  std::string host = "127.0.0.1";  // a name or an address, IPv6 without its brackets
  std::uint16_t port = 9464;       // 0: the kernel chooses one

  // Only this machine can reach it.
  bool is_loopback() const;
};
// "127.0.0.1:9464", IPv6 in brackets.
std::string to_string(const ListenAddress& address);

struct AdminSection {
  std::optional<ListenAddress> listen = ListenAddress();  // nullopt: no HTTP server
  // A Unix socket, 0600, relative to state_dir; empty: none.
  std::filesystem::path socket = "admin.sock";
  std::filesystem::path token_file;       // where `token` came from; empty: there is none
  Secret token;                           // callers from other machines have to show it
  std::filesystem::path read_token_file;  // as token_file
  Secret read_token;                      // grants read access only
  bool manage = false;                    // aliases and triggers may be defined at run time
  // What is defined at run time may name files below this folder; empty: none.
  std::filesystem::path manage_files;
};

}  // namespace triggerd::config
