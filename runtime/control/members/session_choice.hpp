// Decides which of the sessions that servers keep for this runtime nobody wants any more.
#pragma once

#include <string>
#include <vector>

#include "config/config.hpp"
#include "control/members/client_ids.hpp"
#include "control/running/package_failures.hpp"
#include "inbox/records.hpp"

namespace triggerd::control {

// A configuration with the client ids of its aliases.
struct Identified {
  const config::Config& config;
  const ClientIds::ByAlias& ids;
};

// What is to become of one session.
struct SessionFate {
  enum class Kind {
    wanted,   // a trigger or alias that is configured connects with it, be it enabled or not
    unknown,  // it may belong to a package that cannot be read: nothing is done
    stays,    // nobody wants it, and it cannot be ended; `why` says what to do
    end,      // nobody wants it
  };
  Kind kind = Kind::wanted;
  std::string why = {};
  // The alias to end it with; null unless `kind` is end.
  const config::Alias* alias = nullptr;
  // That alias is as it was until now, with the certificates that it had.
  bool as_before = false;
};

// Decides for each of `sessions`, in their order. `before` ran until now; null: nothing did.
// `failures` are of `now`.
std::vector<SessionFate> fates_of(const std::vector<inbox::Session>& sessions,
                                  const Identified& now, const PackageFailures& failures,
                                  const Identified* before);

}  // namespace triggerd::control
