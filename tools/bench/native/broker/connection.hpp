// One client of the fake server: its side of the protocol, and what it is sent.
//
// A client that has subscribed is sent messages as fast as it takes them; at QoS 1 and 2 with at
// most `window` of them not completely acknowledged. All acknowledgements are checked: one that
// fits nothing ends the run, for its figures would mean nothing.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "broker/options.hpp"
#include "broker/publishes.hpp"
#include "broker/wire.hpp"
#include "common/stamp.hpp"

namespace bench {

class Connection {
 public:
  static constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

  Connection(std::unique_ptr<Wire> wire, const Options& options, const Publishes& publishes);

  int fd() const { return wire_->fd(); }
  bool subscribed() const { return subscribed_; }
  // Whether there is something to write that the socket did not take.
  bool wants_to_write() const { return wants_to_write_; }

  // Flat out, up to message `limit`, not included.
  void send_until(std::uint64_t limit) { limit_ = limit; }
  // One message of a paced run.
  void send(const Stamp& due) { due_.push_back(due); }
  // Sent (QoS 0), or completely acknowledged.
  std::uint64_t completed() const { return qos_ == 0 ? taken_ : acknowledged_; }
  std::size_t in_flight_max() const { return in_flight_max_; }

  // Each returns false where the connection has ended. They throw std::runtime_error where the
  // client breaks the protocol.
  bool on_readable();
  bool write();

 private:
  enum class Id : std::uint8_t { free, sent, released };  // released: PUBREL is on its way

  void handle_all(std::string_view& bytes);
  void handle(std::uint8_t first, std::string_view body);
  void on_connect(std::string_view body);
  void on_subscribe(std::string_view body);
  void on_publish(std::uint8_t first, std::string_view body);
  void on_ack(std::uint8_t first, std::string_view body);
  void complete(Id& id);
  void open_window();
  void append_due();
  void start_one(std::uint16_t id);
  [[noreturn]] void refuse(const std::string& what) const;

  const std::unique_ptr<Wire> wire_;
  const Options& options_;
  const Publishes& publishes_;
  const int qos_;
  bool subscribed_ = false;
  bool wants_to_write_ = false;
  bool goodbye_ = false;
  std::string in_;   // part of a packet
  std::string out_;  // goes before more messages; whole packets, but for what is written of it

  // Flat out.
  Position position_;
  std::uint64_t limit_ = 0;
  std::uint64_t started_ = 0;  // messages that may be written

  // Paced: messages of which the socket or the window has no room yet, and the next packet id.
  std::deque<Stamp> due_;
  std::uint16_t next_id_ = 1;
  std::uint64_t paced_ = 0;

  std::vector<Id> ids_;
  std::uint64_t taken_ = 0;
  std::uint64_t acknowledged_ = 0;
  std::size_t in_flight_ = 0;
  std::size_t in_flight_max_ = 0;
};

}  // namespace bench
