// The TLS material of all aliases of one configuration.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/config_fwd.hpp"
#include "config/place.hpp"
#include "mqtt/tls/material.hpp"

namespace triggerd::mqtt::tls {

// Constant after load(); what is current in it is for Rotation to set.
class Stores {
 public:
  // Reads every truststore and keystore, whether an alias uses it or not, except those of disabled
  // packages. The diagnostics of all of them come in the order of their places; those of packages
  // are package_problems() instead.
  static tl::expected<Stores, std::vector<config::Diagnostic>> load(const config::Config& config);

  // What keeps these packages from running, by their names. Their aliases may have no material.
  const std::map<std::string, std::vector<config::Diagnostic>>& package_problems() const {
    return package_problems_;
  }
  // The alias has not changed: its connections go on with what `before` has for it.
  void keep(const Stores& before, const std::string& alias) {
    if (auto current = before.of(alias)) by_alias_[alias] = std::move(current);
  }
  // Null: the alias has no TLS.
  std::shared_ptr<Current> of(std::string_view alias) const;
  // About everything that is current: when our certificates expire, and what is worth a warning;
  // each once.
  std::vector<Remark> remarks(Wall now) const;

 private:
  std::map<std::string, std::shared_ptr<Current>, std::less<>> by_alias_;
  std::map<std::string, std::vector<config::Diagnostic>> package_problems_;
};

// "FILE:LINE:COLUMN: warning: TEXT" or "... note: TEXT".
std::string to_string(const Remark& remark);

}  // namespace triggerd::mqtt::tls
