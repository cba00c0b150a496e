#include "mqtt/wire/link.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "mqtt/packet/packet_bytes.hpp"
#include "mqtt/packet/packet_type.hpp"
#include "mqtt/packet/properties.hpp"
#include "mqtt/wire/receiver.hpp"

namespace triggerd::mqtt::wire {
namespace {

using namespace packet_type;

constexpr std::size_t kGreeting = 1'024;
// Packets that are handed over at once: room for them stays with the connection.
constexpr std::size_t kMostTaken = 128;

std::shared_ptr<const Dial> no_dial() {
  static const auto none = std::make_shared<const Dial>();
  return none;
}

}  // namespace

Link::Link(int fd)
    : fd_(fd),
      dial_(no_dial()),
      writer_(fd, state_, keep_alive_, check_),
      inbound_({.take = [] { return Receiver::of_this_thread().take_buffer(Inbound::kAhead); },
                .give =
                    [](std::unique_ptr<char[]> buffer) {
                      Receiver::of_this_thread().give_buffer(std::move(buffer));
                    }}) {
  writer_.carry(*dial_);
}

Link::~Link() = default;

void Link::carry(std::shared_ptr<const Dial> dial) {
  dial_ = std::move(dial);
  inbound_.limit_messages(dial_->max_message);
  inbound_.expect_properties(dial_->v5);
  keep_alive_.set(dial_->keep_alive);
  writer_.carry(*dial_);
}

// ---- For the client ----

void Link::resume() {
  state_.paused = false;
  wake_receiver();
}

void Link::end(std::string why) {
  writer_.end(std::move(why));
  wake_receiver();
}

void Link::shut_down() {
  MutexLock reading(reading_);
  writer_.shut_down();
}

// ---- Reading ----

void Link::receive() {
  if (library_has() || gone()) return;
  const Inbound::Room room = inbound_.room();
  std::size_t got = 0;
  {
    MutexLock reading(reading_);
    if (gone()) return;
    got = dial_->tls ? read_secured(room) : read_plain(room);
  }
  if (got > 0 && !state_.leaving) arrived(room.at, got);
  if (over_) writer_.end_of_opening();
  take();
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
  // A large packet is not read to its end as long as it comes: there are other connections.
  const auto read = writer_.read_tls(room.at, std::min(room.size, Inbound::kAhead));
  if (!read) return 0;
  const bool waits = read->error == SSL_ERROR_WANT_READ || read->error == SSL_ERROR_WANT_WRITE;
  const bool full = read->error == SSL_ERROR_NONE;
  // An end behind what was read here is in no socket any more, for poll(2) to see.
  more_ = full ? read->pending : read->size > 0 && !waits;
  if (read->size == 0) {
    error_ = read->error;
    over_ = !waits;
    tls_error_ = read->tls_error;
  }
  return read->size;
}

// What is MQTT is moved to the front of `bytes`.
void Link::arrived(char* bytes, std::size_t size) {
  state_.established = true;
  keep_alive_.received(dial_->clock->now());
  if (!dial_->tls) size = writer_.pass_proxy(bytes, size);
  if (writer_.has_websocket()) size = writer_.pass_websocket(bytes, size, ending_);
  if (greeting_.size() < kGreeting && !check_.connected()) {
    greeting_.append(bytes, std::min(size, kGreeting - greeting_.size()));
  }
  inbound_.on_received(size);
}

// ---- Packets ----

void Link::take() {
  while (!library_front_ && !ended() && !gone() && !state_.leaving) {
    const auto first = inbound_.first_byte();
    if (!first) break;
    if (!std::exchange(began_, true)) {
      const std::string_view came = check_.connected() ? std::string_view() : greeting_;
      if (const auto wrong = check_.begins(*first, came)) {
        hand_over();  // what came before it is in order
        refuse(*wrong, {});
        break;
      }
    }
    const Packet* const packet = inbound_.front();
    if (packet == nullptr) {
      if (inbound_.wrong().empty()) break;
      hand_over();
      refuse(PacketCheck::refusal(disconnect_reason::kMalformed, inbound_.wrong()), {});
      break;
    }
    auto wrong = look_at(*packet);
    if (!wrong) wrong = wrong_ack(*packet);
    if (wrong) {
      hand_over();
      refuse(*wrong, "; the packet begins with " + first_bytes(packet->first, packet->body));
      break;
    }
    began_ = false;
    const auto type = static_cast<std::uint8_t>(packet->first >> 4);
    if (dial_->sink && (type == kPublish || type == kPubrel)) {
      take_packet(*packet);
    } else if (packet->skipped || (dial_->shared && take_answer(*packet))) {
      inbound_.pop();  // the library would wait for the rest of what is skipped
    } else {
      library_front_ = true;
    }
  }
  hand_over();
  if (!library_front_ && !ending_.empty()) writer_.end(ending_);
}

// Of a message whose properties were not all kept, only topic and packet id are checked.
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
    hand_over();  // its beginning lies in memory that pop() frees
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

// True: it is for somebody above the library.
bool Link::take_answer(const Packet& packet) {
  auto answer = read_publish_answer(packet.first, packet.body);
  if (!answer) return false;
  if (writer_.is_for_library(answer->packet_id, answer->ends())) return false;
  answers_.push_back(*std::move(answer));
  return true;
}

void Link::hand_over() {
  if (!answers_.empty()) dial_->sink->on_answers(std::exchange(answers_, {}));
  if (taken_.empty()) return;
  const auto wrong = writer_.give_tickets(taken_);
  if (!taken_.empty()) {
    in_batch_ = true;
    dial_->sink->on_packets(*this, taken_);
  }
  taken_.clear();
  if (wrong) refuse(*wrong, {});
}

void Link::refuse(const PacketCheck::Wrong& wrong, const std::string& packet) {
  writer_.refuse(wrong, packet, check_.may_say_why());
}

// A PUBACK for a QoS 2 message: the library would report success, free the message, and free it
// again when the connection ends.
std::optional<PacketCheck::Wrong> Link::wrong_ack(const Packet& packet) {
  if (packet.first >> 4 != kPuback) return std::nullopt;
  if (!writer_.was_exactly_once(number_at(packet.body, 0))) return std::nullopt;
  return PacketCheck::Wrong{
      "the server acknowledged a QoS 2 message as if it had QoS 1; publish with QoS 1 "
      "instead",
      disconnect_reason::kProtocolError};
}

void Link::end_batch() {
  if (std::exchange(in_batch_, false)) dial_->sink->on_batch_end();
  flush();
  inbound_.release_buffer();
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
    inbound_.release_buffer();
  }
  return some;
}

ssize_t Link::read(void* to, std::size_t size) {
  if (library_front_) return static_cast<ssize_t>(serve(to, size));
  if (over_ && error_ == 0 && !ended()) return 0;
  errno = ended() ? EPROTO : over_ ? error_ : EAGAIN;
  return -1;
}

int Link::read_tls(void* to, int size, int& error) {
  error = SSL_ERROR_NONE;
  if (library_front_) return static_cast<int>(serve(to, static_cast<std::size_t>(size)));
  ERR_clear_error();
  error = ended() ? SSL_ERROR_SYSCALL : over_ ? error_ : SSL_ERROR_WANT_READ;
  if (over_ && tls_error_ != 0) ERR_raise(ERR_GET_LIB(tls_error_), ERR_GET_REASON(tls_error_));
  return error == SSL_ERROR_ZERO_RETURN ? 0 : -1;
}

// ---- Keep-alive ----

Monotonic Link::look(Monotonic now) {
  if (keep_alive_.without() || ended() || gone() || state_.leaving) return Monotonic::max();
  if (!check_.connected())
    return now + keep_alive_.interval();  // what comes after CONNACK is later
  if (paused()) {
    keep_alive_.not_reading(now);
    return now + keep_alive_.interval();
  }
  const KeepAlive::Verdict verdict = keep_alive_.look(now, library_waits() || we_wait());
  switch (verdict.action) {
    case KeepAlive::Verdict::Action::none:
      break;
    case KeepAlive::Verdict::Action::ping:
      writer_.ping();
      break;
    case KeepAlive::Verdict::Action::end:
      end(keep_alive_.end_text(now, verdict.why));
      break;
  }
  return verdict.look_again;
}

}  // namespace triggerd::mqtt::wire
