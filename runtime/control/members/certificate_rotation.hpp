// The certificates of what runs, replaced when their files change.
#pragma once

#include <memory>
#include <optional>
#include <thread>

#include "base/event_loop.hpp"
#include "base/log.hpp"
#include "config/config.hpp"
#include "mqtt/tls/rotation.hpp"
#include "mqtt/tls/stores.hpp"

namespace triggerd::control {

// The one home of the certificates in use. Their files are looked at on a thread of its own,
// [rotation], because files may be slow. No lock: what the thread uses is posted to it.
class CertificateRotation {
 public:
  // Both outlive it.
  CertificateRotation(const Clock& clock, Log& log) : loop_(clock), log_(log) {}

  // [control; main while nothing runs]
  const mqtt::tls::Stores& stores() const { return stores_; }
  // Puts these into use, and returns those that were. Their files are watched after follow().
  // [control; main while nothing runs]
  mqtt::tls::Stores use(mqtt::tls::Stores next);
  // From now on watches the files of what is in use, which belongs to this configuration. [control;
  // main]
  void follow(std::shared_ptr<const config::Config> config);

  // Starts the thread; throws std::system_error if there is none. [main]
  void start();
  void stop();

 private:
  // What is watched. [rotation]
  struct Watched {
    Watched(std::shared_ptr<const config::Config> all, mqtt::tls::Stores in_use, const Clock& clock,
            Log& log)
        : config(std::move(all)),
          stores(std::move(in_use)),
          rotation(*config, stores, clock, log) {}

    const std::shared_ptr<const config::Config> config;
    const mqtt::tls::Stores stores;
    mqtt::tls::Rotation rotation;
  };
  void look_later();

  EventLoop loop_;
  Log& log_;
  mqtt::tls::Stores stores_;          // [control]
  std::unique_ptr<Watched> watched_;  // [rotation]
  std::jthread thread_;
};

}  // namespace triggerd::control
