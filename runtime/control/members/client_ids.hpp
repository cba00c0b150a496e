// The client ids that aliases and triggers connect with.
#pragma once

#include <map>
#include <string>

#include "base/result.hpp"
#include "config/config.hpp"
#include "inbox/sessions.hpp"

namespace triggerd::control {

// An alias that names no client id gets one that is drawn once and kept in the inbox. [control;
// main while nothing runs]
class ClientIds {
 public:
  explicit ClientIds(inbox::Sessions& stored) : stored_(stored) {}

  // Asks the inbox once for each alias.
  Result<std::string> of(const config::Alias& alias);
  // By the name of the alias, and as the inbox has them now: if it cannot say, whoever is about to
  // end sessions must not go by what was known before.
  using ByAlias = std::map<std::string, std::string>;
  Result<ByAlias> of_all(const config::Config& config);

 private:
  Result<std::string> ask(const config::Alias& alias);

  inbox::Sessions& stored_;
  ByAlias drawn_;  // as far as the inbox was asked
};

// What a trigger of an alias with this client id connects with.
inline std::string trigger_client_id(const std::string& alias_id, const std::string& trigger) {
  return alias_id + "." + trigger;
}

}  // namespace triggerd::control
