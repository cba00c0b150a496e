// The proxy of an alias.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "config/secret.hpp"

namespace triggerd::config {

// The proxy between us and an alias's servers; it resolves their names. Scheme http is CONNECT
// (default port 8080), socks5 is SOCKS5 (1080).
struct Proxy {
  enum class Scheme { http, socks5 };
  Scheme scheme = Scheme::http;
  std::string host;  // as in Server
  std::uint16_t port = 8080;
  std::string user_name;  // empty: no authentication
  Secret password;
  // The file that `password` came from, if any; it is read again for each connect.
  std::filesystem::path password_file;
};
// "http://host:8080", IPv6 in brackets, without user name and password.
std::string to_string(const Proxy& proxy);

}  // namespace triggerd::config
