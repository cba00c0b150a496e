// The passwords that a connection uses, for its server and for its proxy. One that is in a file is
// read again for each connect, so that it can be replaced without a restart; one that a program
// prints is put here by whoever has it run. Belongs to the supervisor.
#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "config/secret.hpp"
#include "mqtt/mqtt.hpp"
#include "mqtt/session/connection_log.hpp"

namespace triggerd::mqtt {

class Credentials {
 public:
  Credentials(const ConnectionOptions& options, const ConnectionLog& log);

  // Reads the file, where it is in one. While that cannot be read, which may be because it is just
  // being replaced, the last password that could be read stays.
  const config::Secret& password() { return read(passwords_[kServer]); }
  const config::Secret& proxy_password() { return read(passwords_[kProxy]); }

  // The program that prints the password, with its arguments; empty: there is none.
  const std::vector<std::string>& command() const { return command_; }
  // It has printed this one.
  void printed(config::Secret password) { passwords_[kServer].value = std::move(password); }

  bool in_files() const;
  // A file that has changed since it was last read or named here.
  std::optional<std::filesystem::path> changed_file();

 private:
  struct Password {
    std::filesystem::path file;    // empty: it is in no file
    config::Secret value;          // the last that could be read
    std::string fingerprint = {};  // of the file, when that was read
    std::string problem = {};      // why it could not be read again
  };
  enum Use : std::size_t { kServer, kProxy };

  const config::Secret& read(Password& password);

  const ConnectionLog& log_;
  std::vector<std::string> command_;
  std::array<Password, 2> passwords_;
};

}  // namespace triggerd::mqtt
