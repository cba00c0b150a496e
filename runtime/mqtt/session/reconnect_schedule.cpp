#include "mqtt/session/reconnect_schedule.hpp"

#include <utility>

namespace triggerd::mqtt {

ReconnectSchedule::ReconnectSchedule(const std::vector<config::Server>& servers,
                                     const Backoff& backoff, Random random)
    : servers_(servers), backoff_(backoff), random_(std::move(random)) {}

void ReconnectSchedule::begin_round() {
  next_server_ = 0;
  found({});
}

bool ReconnectSchedule::next_server() {
  if (next_server_ == servers_.size()) return false;
  ++next_server_;
  found({});
  return true;
}

void ReconnectSchedule::found(std::vector<std::string> addresses) {
  addresses_ = std::move(addresses);
  next_address_ = 0;
}

bool ReconnectSchedule::next_address() {
  if (!has_more_addresses()) return false;
  address_ = addresses_[next_address_++];
  return true;
}

}  // namespace triggerd::mqtt
