// Whatever bytes a server sends on a connection, in whatever cuts, and whatever those who take them
// do meanwhile: nothing breaks, what is handed over is the same in every cut, and acknowledgements
// leave for what came, in order and once. For the fuzzer and for its corpus.
//
// Of an input the first byte says what kind of connection it is (see kFlag...), the second how many
// bytes of what is to be done come next (see Session::act), and the rest is what the server sends.
#pragma once

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "mqtt/wire/link.hpp"
#include "mqtt/wire/table.hpp"
#include "unit/mqtt/wire/any_websocket.hpp"
#include "unit/mqtt/wire/socket_bytes.hpp"
#include "unit/mqtt/wire/websocket_server.hpp"

// NOLINTBEGIN(bugprone-reserved-identifier): the linker chose the prefix.
extern "C" {
ssize_t __wrap_recv(int fd, void* to, size_t size, int flags);
ssize_t __wrap_writev(int fd, const iovec* parts, int count);
int __wrap_poll(pollfd* fds, nfds_t count, int timeout_ms);
int __wrap_close(int fd);
}
// NOLINTEND(bugprone-reserved-identifier)

namespace triggerd::mqtt::wire::test {

inline constexpr unsigned kFlagV5 = 1;
inline constexpr unsigned kFlagWebSocket = 2;
inline constexpr unsigned kFlagHold = 4;
inline constexpr unsigned kFlagReceiveMaximum = 8;  // of three
inline constexpr unsigned kFlagNoConnack = 16;      // the input has it, or not
inline constexpr unsigned kFlagRawFrames = 32;      // the input is frames, and no packets
inline constexpr unsigned kFlagRawUpgrade = 64;     // it has the answer to the upgrade, or not
inline constexpr unsigned kFlagLong = 128;          // 0xfe and a number are that many times 4 KiB

inline void expect_of_session(bool holds) {
  if (!holds) std::abort();
}

inline bool is_fit_for_a_log_line(std::string_view text) {
  return std::none_of(text.begin(), text.end(),
                      [](unsigned char c) { return c < ' ' || c == 127; });
}

// What has happened, of which nothing depends on how the bytes were cut.
using Events = std::vector<std::string>;

// As the intake does: it keeps what it gets, and releases it when it likes.
class AnySink final : public PacketSink {
 public:
  struct Owed {
    AckKind kind;
    std::uint16_t packet_id;
    AckQueue::Ticket ticket;
    bool released;
  };
  void on_link(const std::shared_ptr<Link>&) override {}
  void on_packets(Link&, std::span<const Taken> packets) override {
    expect_of_session(!packets.empty());
    in_batch = true;
    for (const Taken& one : packets) {
      expect_of_session(one.kind != Taken::Kind::too_large || one.payload.empty());
      expect_of_session(one.memory == nullptr || one.topic.data()[one.topic.size()] == '\0');
      std::string event(1, static_cast<char>('a' + static_cast<int>(one.kind)));
      event += static_cast<char>('0' + one.qos);
      event += one.dup ? 'd' : '-';
      event += one.retained ? 'r' : '-';
      for (const std::string_view text : {one.topic, one.properties, one.payload}) {
        event += std::to_string(text.size());
        event += ':';
        event += text;
      }
      event += std::to_string(one.size) + '/' + std::to_string(one.packet_id);
      events.push_back(std::move(event));
      std::free(one.memory);
      if (one.kind == Taken::Kind::pubrel) {
        owed.push_back({AckKind::pubcomp, one.packet_id, one.ticket, false});
      } else if (one.qos > 0) {
        const AckKind kind = one.qos == 1 ? AckKind::puback : AckKind::pubrec;
        owed.push_back({kind, one.packet_id, one.ticket, false});
      }
    }
  }
  void on_answers(std::vector<PublishAnswer> answers) override {
    expect_of_session(!answers.empty());
    for (const PublishAnswer& one : answers) expect_of_session(one.packet_id != 0);
  }
  void on_batch_end() override {
    expect_of_session(in_batch);
    in_batch = false;
  }

  Events events;
  std::vector<Owed> owed;
  bool in_batch = false;
};

class Session {
 public:
  Session(unsigned flags, std::string stream) : flags_(flags), stream_(std::move(stream)) {
    int ends[2] = {-1, -1};
    expect_of_session(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) ==
                      0);
    ours_ = ends[0];
    peer_ = ends[1];
    link_ = link_of(ours_);
    Dial dial{.v5 = is(kFlagV5),
              .max_message = kMost,
              .receive_maximum = is(kFlagReceiveMaximum) ? std::size_t{3} : 0,
              .hold = is(kFlagHold),
              .shared = is(kFlagHold),
              .keep_alive = kKeepAlive,
              .sink = sink_};
    if (is(kFlagWebSocket)) dial.websocket = WebSocket::Target{.host = "h", .path = "/mqtt"};
    link_->carry(std::make_shared<const Dial>(std::move(dial)));
    for (const std::string& packet : requests()) {
      const iovec part{const_cast<char*>(packet.data()), packet.size()};
      expect_of_session(__wrap_writev(ours_, &part, 1) == static_cast<ssize_t>(packet.size()));
    }
    begin_stream();
  }
  ~Session() {
    if (ours_ >= 0) __wrap_close(ours_);
    ::close(peer_);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // One step of what is to be done: what it is in the lower three bits, how much in the others.
  void act(std::uint8_t step) {
    const std::size_t much = step >> 3U;
    switch (step & 7U) {
      case 0:
        send(much + 1);
        break;
      case 1:
        send((much + 1) * 977);
        break;
      case 2:
        turn();
        break;
      case 3:
        release(much);
        break;
      case 4:
        link_->flush();
        break;
      case 5:
        if (link_->paused()) {
          link_->resume();
        } else {
          link_->pause();
        }
        break;
      case 6:
        look(std::chrono::milliseconds(500) + std::chrono::seconds(much));
        break;
      default:
        if (turn()) library_reads(much + 1);
        break;
    }
    look_at_what_left();
  }
  bool sent_all() const { return sent_ == stream_.size(); }
  bool over() const { return link_->ended(); }

  // Everything is read and released, and the server closes.
  void end() {
    link_->resume();
    while (!sent_all() && !over()) {
      send(stream_.size());
      if (turn()) library_reads(SIZE_MAX);
    }
    ::shutdown(peer_, SHUT_WR);
    bool seen = false;
    for (int quiet = 0; quiet < 1'000 && !seen;) {
      const std::size_t before = sink_->events.size();
      if (turn()) {
        seen = !library_reads(SIZE_MAX);
        quiet = 0;
      } else {
        quiet = sink_->events.size() == before ? quiet + 1 : 0;
      }
    }
    expect_of_session(seen);  // the library has found the end
    for (AnySink::Owed& one : sink_->owed) release_one(one);
    link_->flush();
    look_at_what_left();
    if (!over()) {
      for (const AnySink::Owed& one : sink_->owed) {
        const std::size_t kind = static_cast<std::size_t>(one.kind);
        expect_of_session(left_[kind] == owed_of(one.kind).size());
      }
      expect_of_session(link_->held() == 0);
    }
    expect_of_session(is_fit_for_a_log_line(link_->fault()));
    expect_of_session(link_->fault().empty() == !over());
    expect_of_session(is(kFlagWebSocket) || !has_closed_frame_);
    const auto link = link_;
    const std::size_t events = sink_->events.size();
    __wrap_close(std::exchange(ours_, -1));
    link->receive();
    link->take();
    link->end_batch();
    link->flush();
    expect_of_session(sink_->events.size() == events && link->held() == 0);
  }
  const Events& events() const { return sink_->events; }
  // What has ended it lies in the bytes alone.
  bool depends_on_the_bytes_alone() const {
    const std::string fault = link_->fault();
    return fault.find("silent") == std::string::npos &&
           fault.find("receive_maximum") == std::string::npos;
  }
  // Without what is quoted: that is what had come.
  std::string fault() const {
    const std::string fault = link_->fault();
    return fault.starts_with("it ") ? "it" : fault;
  }

 private:
  static constexpr std::uint64_t kMost = 5'000;
  static constexpr Millis kKeepAlive{10'000};

  bool is(unsigned flag) const { return (flags_ & flag) != 0; }

  // CONNECT, and what the server may answer.
  std::vector<std::string> requests() const {
    if (is(kFlagV5)) {
      return {std::string("\x10\x11\0\4MQTT\5\2\0\0\3\x22\0\5\0\1c", 19),
              std::string("\x82\x0b\0\1\0\0\1a\1\0\1b\1", 13),
              std::string("\xa2\x06\0\2\0\0\1a", 8), std::string("\x34\x07\0\1t\0\3\0p", 9),
              std::string("\x32\x07\0\1t\0\4\0p", 9)};
    }
    return {std::string("\x10\x0d\0\4MQTT\4\2\0\0\0\1c", 15),
            std::string("\x82\x0a\0\1\0\1a\1\0\1b\1", 12), std::string("\xa2\x05\0\2\0\1a", 7),
            std::string("\x34\x06\0\1t\0\3p", 8), std::string("\x32\x06\0\1t\0\4p", 8)};
  }

  // What comes before the input, and frames around it.
  void begin_stream() {
    std::string packets;
    if (!is(kFlagNoConnack)) {
      packets = is(kFlagV5) ? std::string("\x20\x03\0\0\0", 5) : std::string("\x20\x02\0\0", 4);
    }
    if (!is(kFlagWebSocket)) {
      stream_ = packets + stream_;
      return;
    }
    const std::string request = bytes_at(peer_);
    std::string all = is(kFlagRawUpgrade) ? "" : accepts(request);
    if (is(kFlagRawFrames)) {
      if (!packets.empty()) all += server_frame(packets);
      stream_ = all + stream_;
      return;
    }
    std::string_view rest = stream_;
    packets += rest;
    for (std::size_t at = 0; at < packets.size(); at += kFrame) {
      all += server_frame(std::string_view(packets).substr(at, kFrame));
    }
    stream_ = all;
  }

  void send(std::size_t size) {
    const std::string_view piece = std::string_view(stream_).substr(sent_, size);
    const ssize_t sent = ::send(peer_, piece.data(), piece.size(), MSG_NOSIGNAL);
    if (sent > 0) sent_ += static_cast<std::size_t>(sent);
    if (sent < 0 && !piece.empty()) link_->resume();  // else it never has room again
    turn();
  }

  // Whether there is something to read for the library.
  bool turn() {
    const std::size_t before = sink_->events.size();
    const bool paused = link_->paused();
    const bool ended = link_->ended();
    pollfd p{.fd = ours_, .events = POLLIN, .revents = 0};
    const int ready = __wrap_poll(&p, 1, 0);
    expect_of_session(!sink_->in_batch);
    expect_of_session(sink_->events.size() == before || !(paused || ended));
    return ready == 1 && (p.revents & POLLIN) != 0;
  }

  // False: it found the end.
  bool library_reads(std::size_t most) {
    std::string bytes(std::min<std::size_t>(most, 100'000), '\0');
    const ssize_t got = __wrap_recv(ours_, bytes.data(), bytes.size(), 0);
    if (got < 0) {
      expect_of_session(errno == EAGAIN || (errno == EPROTO && over()));
      return errno == EAGAIN;
    }
    if (got == 0) {
      expect_of_session(reading_.empty());  // half a packet never is the library's
      return false;
    }
    reading_.append(bytes, 0, static_cast<std::size_t>(got));
    std::string_view rest = std::string_view(reading_).substr(1);
    std::size_t length = 0;
    for (unsigned shift = 0; !rest.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(rest[0]);
      rest.remove_prefix(1);
      length |= std::size_t{byte & 0x7fU} << shift;
      if ((byte & 0x80U) != 0) continue;
      expect_of_session(rest.size() <= length);  // and never beyond it
      if (rest.size() == length) sink_->events.push_back("library " + std::exchange(reading_, {}));
      return true;
    }
    return true;
  }

  void release_one(AnySink::Owed& one) {
    one.released = true;
    link_->release(one.kind, one.ticket);
  }
  void release(std::size_t which) {
    if (!sink_->owed.empty()) release_one(sink_->owed[which % sink_->owed.size()]);
  }

  void look(std::chrono::nanoseconds after) {
    time_ += after;
    const Monotonic now = began_ + time_;
    expect_of_session(link_->look(now) > now || link_->ended());
  }

  std::vector<const AnySink::Owed*> owed_of(AckKind kind) const {
    std::vector<const AnySink::Owed*> all;
    for (const AnySink::Owed& one : sink_->owed) {
      if (one.kind == kind) all.push_back(&one);
    }
    return all;
  }

  // What was sent to the server is whole packets, and none that may not be.
  void look_at_what_left() {
    std::string bytes = bytes_at(peer_);
    if (is(kFlagWebSocket)) bytes = unframed(bytes);
    for (const std::string& request : requests_left_) {
      if (bytes.empty()) break;
      expect_of_session(bytes.starts_with(request));
      bytes.erase(0, request.size());
      ++requests_gone_;
    }
    requests_left_.erase(requests_left_.begin(), requests_left_.begin() + requests_gone_);
    requests_gone_ = 0;
    std::string_view rest = bytes;
    while (!rest.empty()) {
      expect_of_session(!said_why_ && rest.size() >= 2);
      const auto first = static_cast<unsigned char>(rest[0]);
      if (rest.starts_with(std::string_view("\xc0\0", 2))) {
        rest.remove_prefix(2);
        continue;
      }
      if (first == 0xe0) {
        expect_of_session(is(kFlagV5) && over() && rest.size() == 3 && rest[1] == 1 &&
                          static_cast<unsigned char>(rest[2]) >= 0x80);
        said_why_ = true;
        return;
      }
      expect_of_session(rest.size() >= 4 && rest[1] == 2);
      expect_of_session(first == 0x40 || first == 0x50 || first == 0x70);
      const AckKind kind = first == 0x40   ? AckKind::puback
                           : first == 0x50 ? AckKind::pubrec
                                           : AckKind::pubcomp;
      const int id = static_cast<unsigned char>(rest[2]) << 8 | static_cast<unsigned char>(rest[3]);
      rest.remove_prefix(4);
      const auto owed = owed_of(kind);
      std::size_t& at = left_[static_cast<std::size_t>(kind)];
      expect_of_session(at < owed.size() && owed[at]->packet_id == id);
      expect_of_session(!is(kFlagHold) || owed[at]->released);
      ++at;
    }
  }

  std::string unframed(const std::string& bytes) {
    const auto frames = client_frames(bytes);
    expect_of_session(frames.has_value());
    std::string payload;
    for (const ClientFrame& frame : *frames) {
      expect_of_session(!has_closed_frame_);
      if (frame.first == 0x82) payload += frame.payload;
      has_closed_frame_ = frame.first == 0x88;
      expect_of_session(frame.first == 0x82 || frame.first == 0x88 || frame.first == 0x8a);
    }
    return payload;
  }

  static constexpr std::size_t kFrame = 700;
  const unsigned flags_;
  std::string stream_;
  std::size_t sent_ = 0;
  int ours_ = -1;
  int peer_ = -1;
  const std::shared_ptr<AnySink> sink_ = std::make_shared<AnySink>();
  std::shared_ptr<Link> link_;
  std::string reading_;  // of the library, a packet that it has not all of
  std::vector<std::string> requests_left_ = requests();
  std::ptrdiff_t requests_gone_ = 0;
  std::array<std::size_t, 3> left_{};  // acknowledgements of each kind
  bool said_why_ = false;
  bool has_closed_frame_ = false;
  const Monotonic began_ = std::chrono::steady_clock::now();
  std::chrono::nanoseconds time_{0};
};

inline std::string with_long_parts(std::string_view bytes) {
  std::string all;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (static_cast<unsigned char>(bytes[i]) != 0xfe || i + 1 == bytes.size()) {
      all += bytes[i];
      continue;
    }
    constexpr std::size_t kMostInAll = 1 << 20;
    const std::size_t size = static_cast<unsigned char>(bytes[++i]) * std::size_t{4096};
    all.append(std::min(size, kMostInAll - std::min(all.size(), kMostInAll)), 'x');
  }
  return all;
}

inline void run_any_session(std::string_view input) {
  if (input.size() < 2) return;
  std::signal(SIGPIPE, SIG_IGN);
  const auto flags = static_cast<unsigned char>(input[0]);
  const std::string_view steps = input.substr(2, static_cast<unsigned char>(input[1]));
  const std::string_view bytes = input.substr(2 + steps.size());
  const std::string stream = (flags & kFlagLong) != 0 ? with_long_parts(bytes) : std::string(bytes);

  Session cut(flags, stream);
  for (std::size_t i = 0; i < steps.size() && !cut.over(); ++i) {
    cut.act(static_cast<std::uint8_t>(steps[i]));
  }
  cut.end();

  Session whole(flags, stream);
  whole.end();
  if (!cut.depends_on_the_bytes_alone() || !whole.depends_on_the_bytes_alone()) return;
  expect_of_session(cut.events() == whole.events());
  expect_of_session(cut.fault() == whole.fault());
}

}  // namespace triggerd::mqtt::wire::test
