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

  // Whether only this machine can reach it.
  bool is_loopback() const;
};
// "127.0.0.1:9464", IPv6 in brackets.
std::string to_string(const ListenAddress& address);

struct AdminSection {
  std::optional<ListenAddress> listen = ListenAddress();  // nullopt: no HTTP server
  // A Unix socket with mode 0600; its path is relative to state_dir. Empty: no socket.
  std::filesystem::path socket = "admin.sock";
  std::filesystem::path token_file;       // the file `token` was read from; empty: no token
  Secret token;                           // callers from other machines must send it
  std::filesystem::path read_token_file;  // the same for `read_token`
  Secret read_token;                      // grants read access only
  bool manage = false;                    // aliases and triggers may be defined at run time
  // Definitions made at run time may name files below this folder; empty: no files at all.
  std::filesystem::path manage_files;
};

}  // namespace triggerd::config
