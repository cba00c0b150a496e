#include "broker/connection.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "common/mqtt.hpp"

namespace bench {
namespace {

using mqtt::Type;

constexpr std::size_t kReadSize = 256 << 10;
constexpr std::size_t kIds = 65'536;
constexpr int kWritesAtOnce = 16;  // then others have their turn

}  // namespace

Connection::Connection(std::unique_ptr<Wire> wire, const Options& options,
                       const Publishes& publishes)
    : wire_(std::move(wire)),
      options_(options),
      publishes_(publishes),
      qos_(options.qos),
      ids_(qos_ > 0 ? kIds : 0, Id::free) {}

void Connection::refuse(const std::string& what) const {
  throw std::runtime_error("a client broke the protocol: " + what);
}

bool Connection::on_readable() {
  static char buffer[kReadSize];
  for (;;) {
    const Wire::Moved got = wire_->read(buffer, sizeof buffer);
    if (got.state == Wire::State::ended) return false;
    if (got.state == Wire::State::blocked) break;
    std::string_view bytes(buffer, got.bytes);
    if (in_.empty()) {
      handle_all(bytes);
      in_ = bytes;
    } else {
      in_ += bytes;
      bytes = in_;
      handle_all(bytes);
      in_.erase(0, in_.size() - bytes.size());
    }
    // What acknowledgements made room for goes out before more of them are read.
    if (!write()) return false;
    if (goodbye_) return false;
    if (!wire_->is_tls() && got.bytes < sizeof buffer) break;
  }
  return true;
}

void Connection::handle_all(std::string_view& bytes) {
  mqtt::Head head;
  for (;;) {
    switch (mqtt::read_head(bytes, head)) {
      case mqtt::Found::broken:
        refuse("a length of more than four bytes");
      case mqtt::Found::part:
        return;
      case mqtt::Found::whole:
        break;
    }
    if (bytes.size() < head.size + head.length) return;
    handle(head.first, bytes.substr(head.size, head.length));
    bytes.remove_prefix(head.size + head.length);
  }
}

void Connection::handle(std::uint8_t first, std::string_view body) {
  switch (static_cast<Type>(first >> 4)) {
    case Type::puback:
    case Type::pubrec:
    case Type::pubcomp:
      return on_ack(first, body);
    case Type::connect:
      return on_connect(body);
    case Type::subscribe:
      return on_subscribe(body);
    case Type::publish:
      return on_publish(first, body);
    case Type::pubrel:
      if (body.size() < 2) refuse("PUBREL without a packet id");
      return mqtt::append_ack(out_, Type::pubcomp, mqtt::number(body));
    case Type::unsubscribe:
      if (body.size() < 2) refuse("UNSUBSCRIBE without a packet id");
      return mqtt::append_ack(out_, Type::unsuback, mqtt::number(body));
    case Type::pingreq:
      return mqtt::append_head(out_, Type::pingresp, 0, 0);
    case Type::disconnect:
      goodbye_ = true;
      return;
    default:
      refuse(fmt::format("a packet that begins with 0x{:02x}", first));
  }
}

void Connection::on_connect(std::string_view body) {
  if (body.size() < 2 || body.size() < 2U + mqtt::number(body) + 1U) {
    refuse("CONNECT ends too early");
  }
  const auto level = static_cast<std::uint8_t>(body[2U + mqtt::number(body)]);
  const bool known = level == 3 || level == 4;
  mqtt::append_head(out_, Type::connack, 0, 2);
  out_ += '\0';
  out_ += static_cast<char>(known ? 0 : 1);
}

void Connection::on_subscribe(std::string_view body) {
  if (body.size() < 2) refuse("SUBSCRIBE without a packet id");
  const std::uint16_t id = mqtt::number(body);
  body.remove_prefix(2);
  std::size_t count = 0;
  for (; !body.empty(); ++count) {
    if (body.size() < 2 || body.size() < 2U + mqtt::number(body) + 1U) {
      refuse("SUBSCRIBE ends too early");
    }
    const int asked = static_cast<std::uint8_t>(body[2U + mqtt::number(body)]);
    if (asked < qos_) {
      throw std::runtime_error(
          fmt::format("a client subscribed with QoS {} to a run of QoS {}: it would measure "
                      "something else; give it --qos {}",
                      asked, qos_, qos_));
    }
    body.remove_prefix(2U + mqtt::number(body) + 1U);
  }
  mqtt::append_head(out_, Type::suback, 0, 2 + count);
  mqtt::append_number(out_, id);
  out_.append(count, static_cast<char>(qos_));
  subscribed_ = true;
}

// A client's own message: answered, and dropped.
void Connection::on_publish(std::uint8_t first, std::string_view body) {
  const int qos = first >> 1 & 3;
  if (qos == 0) return;
  if (body.size() < 2 || body.size() < 2U + mqtt::number(body) + 2U) {
    refuse("PUBLISH ends too early");
  }
  const std::uint16_t id = mqtt::number(body.substr(2U + mqtt::number(body)));
  mqtt::append_ack(out_, qos == 1 ? Type::puback : Type::pubrec, id);
}

void Connection::on_ack(std::uint8_t first, std::string_view body) {
  if (qos_ == 0 || body.size() != 2) refuse("an acknowledgement of nothing");
  const std::uint16_t number = mqtt::number(body);
  Id& id = ids_[number];
  const auto type = static_cast<Type>(first >> 4);
  const bool last = qos_ == 1 ? type == Type::puback && id == Id::sent
                              : type == Type::pubcomp && id == Id::released;
  if (last) {
    complete(id);
  } else if (type == Type::pubrec && qos_ == 2 && id != Id::free) {
    id = Id::released;
    mqtt::append_ack(out_, Type::pubrel, number);
  } else {
    refuse(fmt::format("0x{:02x} for packet id {}, which does not wait for it", first, number));
  }
}

void Connection::complete(Id& id) {
  id = Id::free;
  --in_flight_;
  ++acknowledged_;
}

void Connection::start_one(std::uint16_t id) {
  ids_[id] = Id::sent;
  ++in_flight_;
  in_flight_max_ = std::max(in_flight_max_, in_flight_);
}

// Lets as many messages start as window and limit allow.
void Connection::open_window() {
  if (!subscribed_) return;
  if (qos_ == 0) {
    started_ = std::min<std::uint64_t>(limit_, position_.message + publishes_.size());
    return;
  }
  std::size_t slot = publishes_.slot(started_);
  while (started_ < limit_ && in_flight_ < options_.window && ids_[slot + 1] == Id::free) {
    start_one(static_cast<std::uint16_t>(slot + 1));
    ++started_;
    slot = slot + 1 == publishes_.size() ? 0 : slot + 1;
  }
}

void Connection::append_due() {
  while (!due_.empty() && (qos_ == 0 || in_flight_ < options_.window)) {
    if (qos_ > 0) {
      while (next_id_ == 0 || ids_[next_id_] != Id::free) ++next_id_;
      start_one(next_id_);
    }
    const std::string topic = "bench/" + std::to_string(paced_++ % options_.filters);
    mqtt::append_publish_head(out_, qos_, topic, next_id_, options_.payload);
    append_stamped(out_, due_.front(), options_.payload);
    due_.pop_front();
    if (qos_ > 0) {
      ++next_id_;
    } else {
      ++taken_;
    }
  }
}

bool Connection::write() {
  for (int i = 0; i < kWritesAtOnce; ++i) {
    open_window();
    Parts parts;
    std::size_t first = 0;
    if (position_.offset > 0) {
      // The rest of a message, before anything else may follow.
      publishes_.gather(position_, position_.message + 1, parts);
    } else {
      append_due();
      parts.add(out_.data(), out_.size());
      first = out_.size();
      if (position_.message < started_) publishes_.gather(position_, started_, parts);
    }
    if (parts.count == 0) {
      wants_to_write_ = wire_->flush() == Wire::State::blocked;
      return true;
    }
    const Wire::Moved sent = wire_->write(parts.parts.data(), parts.count);
    const std::size_t of_out = std::min(first, sent.bytes);
    out_.erase(0, of_out);
    const std::uint64_t before = position_.message;
    position_ = publishes_.after(position_, sent.bytes - of_out);
    taken_ += position_.message - before;
    if (sent.state == Wire::State::ended) return false;
    if (sent.state == Wire::State::blocked || sent.bytes < parts.bytes) break;
  }
  wants_to_write_ = true;
  return true;
}

}  // namespace bench
