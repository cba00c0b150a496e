#include "control/members/certificate_rotation.hpp"

#include <utility>

namespace triggerd::control {

mqtt::tls::Stores CertificateRotation::use(mqtt::tls::Stores next) {
  return std::exchange(stores_, std::move(next));
}

void CertificateRotation::follow(std::shared_ptr<const config::Config> config) {
  loop_.post([this, config = std::move(config), stores = stores_] {
    watched_ = std::make_unique<Watched>(config, stores, loop_.clock(), log_);
    watched_->rotation.report_ages();
  });
}

void CertificateRotation::look_later() {
  loop_.after(mqtt::tls::Rotation::kInterval, [this] {
    if (watched_) watched_->rotation.look();
    look_later();
  });
}

void CertificateRotation::start() {
  look_later();
  thread_ = std::jthread([this](const std::stop_token& stop) { loop_.run(stop); });
}

void CertificateRotation::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

}  // namespace triggerd::control
