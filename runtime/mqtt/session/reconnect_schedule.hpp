// Which server and which of its addresses to try next, and how long to wait once all of them have
// failed.
//
// A round goes through the servers in their order, and through the addresses of each. The delay
// between two rounds grows with the failures in a row, and is jittered. Belongs to the supervisor;
// it has no clock and does no I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/backoff.hpp"
#include "config/server.hpp"

namespace triggerd::mqtt {

class ReconnectSchedule {
 public:
  // `servers`, at least one, and `backoff` outlive it.
  ReconnectSchedule(const std::vector<config::Server>& servers, const Backoff& backoff,
                    Random random);

  // ---- Where ----

  // Begins again at the first server.
  void begin_round();
  // Moves on to the next server, whose addresses are not known yet. False: the round is over.
  bool next_server();
  // The one that next_server() moved on to last.
  const config::Server& server() const { return servers_[next_server_ - 1]; }
  // What was found for server(), best first.
  void found(std::vector<std::string> addresses);
  // Moves on to the next address of server(). False: there is none left.
  bool next_address();
  // The one that next_address() moved on to last.
  const std::string& address() const { return address_; }
  bool has_more_addresses() const { return next_address_ < addresses_.size(); }
  // The other addresses of server() would say the same as this one.
  void skip_addresses() { next_address_ = addresses_.size(); }

  // ---- When ----

  // A round has failed, or a session that had only just begun.
  void count_failure() { ++failures_; }
  // A failure after a time that was good: the shortest delay.
  void count_first_failure() { failures_ = 1; }
  void forget_failures() { failures_ = 0; }
  // Before the next round, after the failures that were counted (at least one).
  Millis delay() const { return backoff_.delay(failures_, random_()); }

 private:
  const std::vector<config::Server>& servers_;
  const Backoff& backoff_;
  const Random random_;
  std::size_t next_server_ = 0;
  std::vector<std::string> addresses_;
  std::size_t next_address_ = 0;
  std::string address_;
  std::uint32_t failures_ = 0;  // in a row
};

}  // namespace triggerd::mqtt
