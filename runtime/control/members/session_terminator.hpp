// Ends sessions at servers that nobody wants any more.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/event_loop.hpp"
#include "base/log.hpp"
#include "control/members/certificate_rotation.hpp"
#include "control/members/client_ids.hpp"
#include "control/running/registry.hpp"
#include "inbox/sessions.hpp"
#include "mqtt/session/connection.hpp"
#include "mqtt/tls/stores.hpp"

namespace triggerd::control {

// A trigger that is removed leaves a session, which would pile up messages for nobody: connecting
// once with a clean session ends it. If that cannot be done now, the log says which sessions are
// left at which server. No lock; [control], and main while nothing runs.
class SessionTerminator {
 public:
  // All outlive it.
  struct Needs {
    const Registry& registry;
    inbox::Sessions& stored;
    ClientIds& client_ids;
    const CertificateRotation& certificates;
    const mqtt::ConnectionServices& connections;
    EventLoop& supervisor;
    const Clock& clock;  // that of the threads it waits for
    Log& log;
  };
  explicit SessionTerminator(const Needs& needs) : needs_(needs) {}

  // Ends those that what runs now does not want. `before` ran until now, with the certificates
  // `had`; null: nothing did.
  void end_unwanted(const config::Config* before, const mqtt::tls::Stores& had);
  // Somebody is going to connect with this client id: its session is not ended any more.
  void keep(const std::string& client_id);
  // A package that is going to be removed takes its certificates with it, and if it is disabled,
  // nobody has read them: they are kept until the next end_unwanted().
  void keep_certificates_of(std::string_view package);
  // Logs which sessions have not been ended when the runtime stops. [main]
  void report_unfinished();

 private:
  struct Ending {
    AliasPtr connection;
    inbox::Session session;
    std::shared_ptr<std::atomic<bool>> done;
    std::shared_ptr<std::atomic<bool>> closed;
  };
  // Client ids, by where their sessions are and why they stay there.
  using Left = std::map<std::pair<std::string, std::string>, std::vector<std::string>, std::less<>>;

  void end(mqtt::ConnectionOptions options, const inbox::Session& session, Left& left);
  void forget_ended();
  void report_left(const Left& left, bool once);

  const Needs needs_;
  std::vector<Ending> endings_;
  std::map<std::string, std::string>
      reported_;  // why a session stays, as last logged, by client id
  // By alias, if the certificates in use have none of it.
  std::map<std::string, std::shared_ptr<mqtt::tls::Current>> parting_;
};

}  // namespace triggerd::control
