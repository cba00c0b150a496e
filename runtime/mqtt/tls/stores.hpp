// The TLS material of all aliases of one configuration.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.hpp"
#include "mqtt/tls/material.hpp"

namespace triggerd::mqtt::tls {

// Constant after load(); what is current in it is for Rotation to set.
class Stores {
 public:
  // Reads every truststore and keystore, whether an alias uses it or not. The diagnostics are of
  // all of them, in the order of their places.
  static tl::expected<Stores, std::vector<config::Diagnostic>> load(const config::Config& config);

  // Null where the alias has no TLS.
  std::shared_ptr<Current> of(std::string_view alias) const;
  // Of all that is current: when our certificates end, and what is worth a warning; each once.
  std::vector<Remark> remarks(Wall now) const;

 private:
  std::map<std::string, std::shared_ptr<Current>, std::less<>> by_alias_;
};

// "FILE:LINE:COLUMN: warning: TEXT" or "... note: TEXT".
std::string to_string(const Remark& remark);

}  // namespace triggerd::mqtt::tls
