// A connection that was dialled: a sink that writes down what it gets, the library as it reads, and
// a server that says what it is told to.
#pragma once

#include <sys/ioctl.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "support/mqtt_packet.hpp"
#include "unit/mqtt/wire/support.hpp"

namespace triggerd::mqtt::wire::test {

namespace packet = triggerd::test::packet;

// A Taken that outlives the call.
struct Got {
  Taken::Kind kind = Taken::Kind::message;
  std::uint8_t qos = 0;
  bool dup = false;
  bool retained = false;
  std::uint16_t packet_id = 0;
  std::string topic = {};
  std::string properties = {};
  std::string payload = {};
  std::uint64_t size = 0;
  AckQueue::Ticket ticket = 0;
  bool own_memory = false;
  bool nul_behind_topic = false;  // where it has memory of its own
};

inline Got got_of(const Taken& taken) {
  return {.kind = taken.kind,
          .qos = taken.qos,
          .dup = taken.dup,
          .retained = taken.retained,
          .packet_id = taken.packet_id,
          .topic = std::string(taken.topic),
          .properties = std::string(taken.properties),
          .payload = std::string(taken.payload),
          .size = taken.size,
          .ticket = taken.ticket,
          .own_memory = taken.memory != nullptr,
          .nul_behind_topic =
              taken.memory != nullptr && taken.topic.data()[taken.topic.size()] == '\0'};
}

inline AckKind ack_kind_of(const Got& got) {
  if (got.kind == Taken::Kind::pubrel) return AckKind::pubcomp;
  return got.qos == 1 ? AckKind::puback : AckKind::pubrec;
}

class Recorder final : public PacketSink {
 public:
  void on_link(const std::shared_ptr<Link>&) override {}
  void on_packets(Link& link, std::span<const Taken> packets) override {
    calls.push_back(packets.size());
    for (const Taken& one : packets) {
      got.push_back(got_of(one));
      const Got& last = got.back();
      happened.push_back(last.kind == Taken::Kind::pubrel
                             ? "pubrel " + std::to_string(last.packet_id)
                             : (last.kind == Taken::Kind::too_large ? "too large " : "message ") +
                                   last.topic);
      if (on_each) on_each(link, last);
      std::free(one.memory);
    }
  }
  void on_answers(std::vector<PublishAnswer> some) override {
    answers.insert(answers.end(), some.begin(), some.end());
  }
  void on_batch_end() override {
    happened.emplace_back("end");
    if (on_end) on_end();
  }
  std::vector<std::string> topics() const {
    std::vector<std::string> all;
    for (const Got& one : got) all.push_back(one.topic);
    return all;
  }
  std::size_t ends() const {
    return static_cast<std::size_t>(std::count(happened.begin(), happened.end(), "end"));
  }

  std::vector<PublishAnswer> answers;
  std::vector<Got> got;
  std::vector<std::string> happened;  // beside the library
  std::vector<std::size_t> calls;     // of on_packets(): with how many
  std::function<void(Link&, const Got&)> on_each;
  std::function<void()> on_end;
};

// Reads one packet as the library does: its first byte, its length, the rest. What it gets of it.
template <class Read>
std::string read_packet(Read read) {
  std::string bytes = read(1);
  if (bytes.empty()) return bytes;
  std::size_t rest = 0;
  for (unsigned shift = 0;; shift += 7) {
    const std::string byte = read(1);
    if (byte.empty()) return bytes;
    bytes += byte;
    rest |= (static_cast<unsigned char>(byte[0]) & std::size_t{0x7f}) << shift;
    if ((byte[0] & '\x80') == 0) break;
  }
  while (rest > 0) {
    const std::string piece = read(rest);
    if (piece.empty()) return bytes;
    bytes += piece;
    rest -= piece.size();
  }
  return bytes;
}

// Wants: one thread for its whole life, see on_own_thread().
class Dialled {
 public:
  explicit Dialled(Dial dial = {}, Pair::Kind kind = Pair::Kind::local, int room = 0)
      : pair(kind, room), link(pair.link()), v5_(dial.v5) {
    if (!dial.sink) dial.sink = sink;
    link->carry(std::make_shared<const Dial>(std::move(dial)));
  }

  std::uint8_t level() const { return v5_ ? packet::k5 : packet::k311; }
  std::string encode(const packet::Any& any) const { return packet::encode(any, level()); }
  // The packets that the server takes for CONNECT and CONNACK.
  std::string connect_packet() const {
    return encode(packet::Connect{.client_id = "edge",
                                  .level = level(),
                                  .properties = v5_ ? packet::u16_property(0x22, 5) : ""});
  }
  // CONNECT has gone, and CONNACK has come.
  void connect() {
    const std::string connect = connect_packet();
    EXPECT_EQ(writes(connect), static_cast<ssize_t>(connect.size()));
    EXPECT_EQ(pair.peer_gets(connect.size()), connect);
    const std::string connack = encode(packet::ConnAck{});
    pair.peer_sends(connack);
    library_polls(pair.ours(), kBoundMs);
    EXPECT_EQ(library_takes(), connack);
    EXPECT_EQ(link->fault(), "");
  }

  // The receive thread asks what there is to read, once. True: for the library.
  bool turn() const { return (library_polls(pair.ours(), 0) & POLLIN) != 0; }
  // All of it, with a turn after each piece of `cut` bytes; 0: as it comes. Read by the end, where
  // the library or a pause does not hold it up.
  void server_sends(std::string_view bytes, std::size_t cut = 0) const {
    const auto until = Clock::now() + kBound;
    while (!bytes.empty() && Clock::now() < until) {
      const std::string_view piece = bytes.substr(0, cut == 0 ? bytes.size() : cut);
      const ssize_t sent = ::send(pair.peer(), piece.data(), piece.size(), MSG_NOSIGNAL);
      if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
      if (!bytes.empty() || cut != 0) turn();
    }
    EXPECT_TRUE(bytes.empty());
    for (int left = 1; left > 0 && !turn() && !link->paused() && !link->gone();) {
      if (::ioctl(pair.ours(), FIONREAD, &left) != 0 || Clock::now() > until) break;
    }
  }
  // A message that the server sends; as it was handed over.
  Got message(std::uint16_t packet_id, std::uint8_t qos = 1) {
    const std::size_t before = sink->got.size();
    server_sends(
        encode(packet::Publish{.topic = "t", .payload = "p", .qos = qos, .packet_id = packet_id}));
    // TCP may take a moment.
    polls_until(pair.ours(), [&] { return sink->got.size() > before || link->ended(); });
    EXPECT_EQ(sink->got.size(), before + 1) << link->fault();
    return sink->got.size() > before ? sink->got.back() : Got{};
  }
  void release(const Got& got) const { link->release(ack_kind_of(got), got.ticket); }

  ssize_t writes(std::string_view bytes) const { return library_writes(pair.ours(), bytes); }
  // What the library reads next, a packet; empty where poll tells it of nothing.
  std::string library_takes() const {
    if (!turn()) return {};
    return read_packet([this](std::size_t size) { return library_reads(pair.ours(), size); });
  }
  // What a read says after a turn: its errno where it fails, 0 at the end; -1 where it got bytes.
  int library_finds() const {
    turn();
    char byte = 0;
    const ssize_t got = __wrap_recv(pair.ours(), &byte, 1, 0);
    return got > 0 ? -1 : got == 0 ? 0 : errno;
  }

  const std::shared_ptr<Recorder> sink = std::make_shared<Recorder>();
  Pair pair;
  const std::shared_ptr<Link> link;

 private:
  const bool v5_;
};

}  // namespace triggerd::mqtt::wire::test
