#include "mqtt/wire/link.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "base/units.hpp"
#include "mqtt/packet/packet_bytes.hpp"
#include "mqtt/packet/packet_type.hpp"
#include "mqtt/packet/properties.hpp"
#include "mqtt/wire/receiver.hpp"

namespace triggerd::mqtt::wire {
namespace {

using namespace packet_type;

constexpr std::string_view kPing("\xc0\x00", 2);
constexpr std::size_t kGreeting = 1'024;
// Of a WebSocket, bytes that wait for room.
constexpr std::size_t kMostAnswers = 65'536;
// Packets that are handed over at once: room for them stays with the connection.
constexpr std::size_t kMostTaken = 128;
// How long a ping may be without an answer, of the keep-alive.
constexpr int kPingShare = 2;

std::shared_ptr<const Dial> no_dial() {
  static const auto none = std::make_shared<const Dial>();
  return none;
}

}  // namespace

Link::Link(int fd)
    : fd_(fd),
      dial_(no_dial()),
      inbound_({.take = [] { return Receiver::of_this_thread().take_buffer(Inbound::kAhead); },
                .give =
                    [](std::unique_ptr<char[]> buffer) {
                      Receiver::of_this_thread().give_buffer(std::move(buffer));
                    }}) {}

Link::~Link() = default;

void Link::carry(std::shared_ptr<const Dial> dial) {
  dial_ = std::move(dial);
  inbound_.limit_messages(dial_->max_message);
  inbound_.expect_properties(dial_->v5);
  if (dial_->websocket) websocket_ = std::make_unique<WebSocket>(*dial_->websocket);
  MutexLock lock(mutex_);
  if (dial_->proxy) proxy_ = std::make_unique<ProxyHandshake>(*dial_->proxy, dial_->target);
}

// ---- Reading ----

void Link::receive() {
  if (library_has() || gone_) return;
  const Inbound::Room room = inbound_.room();
  std::size_t got = 0;
  {
    MutexLock reading(reading_);
    if (gone_) return;
    got = dial_->tls ? read_secured(room) : read_plain(room);
  }
  if (got > 0 && !leaving_) arrived(room.at, got);
  if (over_) end_of_opening();
  take();
}

// The server, or the proxy, has closed it: in the midst of what comes before MQTT that is worth
// more words.
void Link::end_of_opening() {
  MutexLock lock(mutex_);
  if (opening_ == Opening::proxy && proxy_) {
    proxy_->ended();
    if (!proxy_->fault().empty()) end_locked(proxy_->fault());
  } else if (opening_ == Opening::websocket) {
    websocket_->end();
    if (!websocket_->fault().empty()) end_locked(websocket_->fault());
  }
}

std::size_t Link::read_plain(const Inbound::Room& room) {
  const ssize_t got = ::recv(fd_, room.at, room.size, MSG_DONTWAIT);
  if (got > 0) return static_cast<std::size_t>(got);
  const bool nothing = got < 0 && (errno == EAGAIN || errno == EINTR);
  over_ = !nothing;
  error_ = got < 0 && !nothing ? errno : 0;
  return 0;
}

std::size_t Link::read_secured(const Inbound::Room& room) {
  MutexLock lock(mutex_);
  if (ssl_ == nullptr) return 0;
  ERR_clear_error();
  // One record at a time; what is in the socket already belongs to the same batch.
  // A large packet is not read to its end as long as it comes: there are other connections.
  const std::size_t most = std::min(room.size, Inbound::kAhead);
  std::size_t filled = 0;
  int got = 0;
  while (filled < most &&
         (got = SSL_read(ssl_, room.at + filled, static_cast<int>(most - filled))) > 0) {
    filled += static_cast<std::size_t>(got);
  }
  const bool full = filled == most;
  const int error = full ? SSL_ERROR_NONE : SSL_get_error(ssl_, got);
  const bool waits = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
  // An end behind what was read here is in no socket any more, for poll(2) to see.
  more_ = full ? SSL_pending(ssl_) > 0 : filled > 0 && !waits;
  if (filled == 0) {
    error_ = error;
    over_ = !waits;
    tls_error_ = ERR_peek_last_error();
  }
  // What ended the loop comes up again with the next read.
  ERR_clear_error();
  return filled;
}

// What is MQTT in it goes to the front of where it lies.
void Link::arrived(char* bytes, std::size_t size) {
  established_ = true;
  came_ = now();
  pinged_ = Monotonic{};
  if (!dial_->tls) size = pass_proxy(bytes, size);
  if (websocket_) size = pass_websocket(bytes, size);
  if (greeting_.size() < kGreeting && !check_.connected()) {
    greeting_.append(bytes, std::min(size, kGreeting - greeting_.size()));
  }
  inbound_.came(size);
}

std::size_t Link::pass_proxy(char* bytes, std::size_t size) {
  MutexLock lock(mutex_);
  if (opening_ != Opening::proxy) return size;
  const std::size_t used = proxy_->receive({bytes, size});
  out_ += proxy_->take_output();
  if (!proxy_->fault().empty()) {
    end_locked(proxy_->fault());
    return 0;
  }
  if (proxy_->done()) go_on_opening();
  (void)send_out();
  std::memmove(bytes, bytes + used, size - used);
  return size - used;
}

std::size_t Link::pass_websocket(char* bytes, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t left = websocket_->receive(bytes, size);
  std::string answer = websocket_->take_output();
  const bool opens = websocket_->open();
  MutexLock lock(mutex_);
  const bool goes_on = websocket_->fault().empty() && !websocket_->closed();
  // A server that asks and does not read gets no more answers than it has room for.
  if (!goes_on || out_.size() < kMostAnswers) out_ += answer;
  if (opening_ == Opening::websocket && opens) go_on_opening();
  if (!out_.empty()) (void)send_out();
  if (!websocket_->fault().empty()) {
    ending_ = websocket_->fault();
  } else if (websocket_->closed()) {
    ending_ = "the server " + websocket_->close_reason();
  }
  return left;
}

// ---- Packets ----

void Link::take() {
  while (!library_front_ && !ended_ && !gone_ && !leaving_) {
    const auto first = inbound_.first_byte();
    if (!first) break;
    if (!std::exchange(began_, true)) {
      const std::string_view came = check_.connected() ? std::string_view() : greeting_;
      if (const auto wrong = check_.begins(*first, came)) {
        hand_over();  // what came before it is in order
        refused(wrong, {});
        break;
      }
    }
    const Packet* const packet = inbound_.front();
    if (packet == nullptr) {
      if (inbound_.wrong().empty()) break;
      hand_over();
      refused(PacketCheck::refusal(disconnect_reason::kMalformed, inbound_.wrong()), {});
      break;
    }
    auto wrong = look_at(*packet);
    if (!wrong) wrong = wrong_ack(*packet);
    if (wrong) {
      hand_over();
      refused(wrong, "; the packet begins with " + first_bytes(packet->first, packet->body));
      break;
    }
    began_ = false;
    const auto type = static_cast<std::uint8_t>(packet->first >> 4);
    if (dial_->sink && (type == kPublish || type == kPubrel)) {
      take_packet(*packet);
    } else if (packet->skipped) {
      inbound_.pop();  // the library would wait for the rest of it
    } else {
      library_front_ = true;
    }
  }
  hand_over();
  if (library_front_ || ending_.empty()) return;
  MutexLock lock(mutex_);
  end_locked(ending_);
}

// Of a message whose properties were not all kept, its topic and its packet id.
std::optional<PacketCheck::Wrong> Link::look_at(const Packet& packet) {
  if (!packet.cut) return check_.look(packet.first, packet.body);
  const std::size_t topic = number_at(packet.body, 0);
  if (topic == 0) return std::nullopt;  // its alias may be what was not kept
  const std::size_t id = (packet.first & 0x06U) != 0 ? 2 : 0;
  std::string beginning(packet.body.substr(0, 2 + topic + id));
  beginning += '\0';  // no properties
  return check_.look(packet.first, beginning);
}

void Link::take_packet(const Packet& packet) {
  if (packet.first >> 4 == kPubrel) {
    taken_.push_back({.kind = Taken::Kind::pubrel, .packet_id = number_at(packet.body, 0)});
  } else {
    take_message(packet);
  }
  inbound_.pop();
  if (taken_.size() >= kMostTaken) hand_over();
}

// A PUBLISH that was checked.
void Link::take_message(const Packet& packet) {
  Taken message{.qos = static_cast<std::uint8_t>(packet.first >> 1 & 0x03),
                .dup = (packet.first & 0x08U) != 0,
                .retained = (packet.first & 0x01U) != 0};
  std::string_view rest = packet.body;
  const std::size_t topic = number_at(rest, 0);
  message.topic = rest.substr(2, topic);
  rest.remove_prefix(std::min(2 + topic, rest.size()));
  if (message.qos > 0 && rest.size() >= 2) {
    message.packet_id = number_at(rest, 0);
    rest.remove_prefix(2);
  }
  if (dial_->v5 && !packet.cut) {
    const std::size_t length = take_variable(rest).value_or(0);
    message.properties = rest.substr(0, length);
    message.facts = check_.publish();
    rest.remove_prefix(std::min(length, rest.size()));
  }
  const std::size_t head = packet.body.size() - rest.size();
  message.payload = rest;
  message.size = topic + packet.size - head;
  if (packet.skipped || message.size > dial_->max_message) {
    message.kind = Taken::Kind::too_large;
    message.payload = {};
    taken_.push_back(message);
    hand_over();  // its beginning lies in memory that goes with it
    return;
  }
  message.memory = inbound_.take_memory();
  if (message.memory != nullptr) {
    // The topic moves to where its length was, so that there is room for a NUL.
    auto* const from = const_cast<char*>(message.topic.data());
    std::memmove(from - 1, from, topic);
    from[topic - 1] = '\0';
    message.topic = {from - 1, topic};
  }
  taken_.push_back(message);
}

void Link::hand_over() {
  if (taken_.empty()) return;
  std::optional<PacketCheck::Wrong> wrong;
  {
    MutexLock lock(mutex_);
    wrong = give_tickets();
  }
  if (!taken_.empty()) {
    in_batch_ = true;
    dial_->sink->on_packets(*this, taken_);
  }
  taken_.clear();
  refused(wrong, {});
}

// Each that owes an acknowledgement gets its place. More than may be unconfirmed: the rest is not
// taken.
std::optional<PacketCheck::Wrong> Link::give_tickets() {
  for (std::size_t i = 0; i < taken_.size(); ++i) {
    Taken& one = taken_[i];
    const bool pubrel = one.kind == Taken::Kind::pubrel;
    if (!pubrel && one.qos == 0) continue;
    const bool another = !pubrel && !(one.qos == 2 && gate_.has_begun(one.packet_id));
    if (another && dial_->receive_maximum > 0 && gate_.unconfirmed() >= dial_->receive_maximum) {
      for (std::size_t left = i; left < taken_.size(); ++left) std::free(taken_[left].memory);
      taken_.resize(i);
      return PacketCheck::refusal(
          disconnect_reason::kReceiveMaximum,
          fmt::format("more than receive_maximum, {}, messages that are not confirmed",
                      dial_->receive_maximum));
    }
    const AckKind kind = pubrel         ? AckKind::pubcomp
                         : one.qos == 1 ? AckKind::puback
                                        : AckKind::pubrec;
    if (kind == AckKind::pubrec) gate_.begin_exactly_once(one.packet_id);
    one.ticket = gate_.hold({kind, one.packet_id}, !dial_->hold);
  }
  return std::nullopt;
}

// The library would tell the publisher that all is well, free the message, and free it again when
// the connection ends.
std::optional<PacketCheck::Wrong> Link::wrong_ack(const Packet& packet) {
  if (packet.first >> 4 != kPuback) return std::nullopt;
  MutexLock lock(mutex_);
  if (exactly_once_.count(number_at(packet.body, 0)) == 0) return std::nullopt;
  return PacketCheck::Wrong{
      "the server answered a message that was published with QoS 2 as if it were QoS 1; publish "
      "with QoS 1",
      disconnect_reason::kProtocolError};
}

bool Link::refused(const std::optional<PacketCheck::Wrong>& wrong, const std::string& packet) {
  if (!wrong) return false;
  const bool may_say = check_.may_say_why();
  MutexLock lock(mutex_);
  if (ended_) return true;
  if (may_say && !library_waits_ && opening_ == Opening::open) {
    add_packet({std::string{'\xe0', 1, static_cast<char>(wrong->reason)}});
    (void)send_out();
  }
  end_locked(wrong->what + packet);
  return true;
}

void Link::end_batch() {
  if (std::exchange(in_batch_, false)) dial_->sink->on_batch_end();
  flush();
  inbound_.shed();
}

// ---- What the library reads ----

std::size_t Link::serve(void* to, std::size_t size) {
  const std::string_view left = inbound_.front_bytes().substr(served_);
  const std::size_t some = std::min(size, left.size());
  std::memcpy(to, left.data(), some);
  served_ += some;
  if (some == left.size()) {
    served_ = 0;
    library_front_ = false;
    inbound_.pop();
    inbound_.shed();
  }
  return some;
}

ssize_t Link::read(void* to, std::size_t size) {
  if (library_front_) return static_cast<ssize_t>(serve(to, size));
  if (over_ && error_ == 0 && !ended_) return 0;
  errno = ended_ ? EPROTO : over_ ? error_ : EAGAIN;
  return -1;
}

int Link::read_tls(void* to, int size, int& error) {
  error = SSL_ERROR_NONE;
  if (library_front_) return static_cast<int>(serve(to, static_cast<std::size_t>(size)));
  ERR_clear_error();
  error = ended_ ? SSL_ERROR_SYSCALL : over_ ? error_ : SSL_ERROR_WANT_READ;
  if (over_ && tls_error_ != 0) ERR_raise(ERR_GET_LIB(tls_error_), ERR_GET_REASON(tls_error_));
  return error == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

// ---- Keep-alive ----

Monotonic Link::look(Monotonic now) {
  const Monotonic::duration keep_alive = dial_->keep_alive;
  if (keep_alive <= Monotonic::duration::zero() || ended_ || gone_ || leaving_) {
    return Monotonic::max();
  }
  if (!check_.connected()) return now + keep_alive;  // what comes after CONNACK is due later
  if (paused()) {
    // What has come is not read, so nothing is known of the server.
    came_ = now;
    pinged_ = Monotonic{};
    return now + keep_alive;
  }
  if (library_waits_) {
    // A ping cannot leave in the midst of a packet; whoever takes of that is there.
    const Monotonic::duration patience = keep_alive / kPingShare;
    if (now < std::max(sent_.load(), came_) + keep_alive + patience) return now + patience;
    end_silent(now, "takes nothing of what is sent to it");
    return Monotonic::max();
  }
  const Monotonic pinged = pinged_;
  if (pinged != Monotonic{}) {
    const Monotonic overdue = pinged + keep_alive / kPingShare;
    if (now < overdue) return overdue;
    end_silent(now, "has not answered a ping");
    return Monotonic::max();
  }
  const Monotonic due = std::min(sent_.load(), came_) + keep_alive;
  if (now < due) return due;
  MutexLock lock(mutex_);
  if (!gone_ && !library_waits_ && opening_ == Opening::open) {
    add_packet(kPing);
    (void)send_out();
  }
  pinged_ = now;
  return now + keep_alive / kPingShare;
}

void Link::end_silent(Monotonic now, std::string_view what) {
  end(fmt::format("the server has been silent for {}, and {}; keep_alive is {}",
                  format_duration(std::chrono::floor<Millis>(now - came_)), what,
                  format_duration(dial_->keep_alive)));
}

}  // namespace triggerd::mqtt::wire
