// Link: one socket of the MQTT library, from its first use to its close().
//
// What comes is cut into packets here (inbound.hpp), checked (packet_check.hpp) and taken: messages
// and what belongs to them go to whoever dialled (dial.hpp), everything else to the library, packet
// by packet. WebSocket and proxies are done here too: the library sees a stream of MQTT.
//
// Threads. What is tagged so belongs to the library's receive thread, and what has come is its own.
// Everything that writes is under one lock, so that no packet is split by another, whoever writes:
// the library's two threads, or a worker that finished a message.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "mqtt/packet/packet_check.hpp"
#include "mqtt/wire/dial.hpp"
#include "mqtt/wire/gate.hpp"
#include "mqtt/wire/inbound.hpp"

typedef struct ssl_st SSL;  // OpenSSL's, as it declares it

namespace triggerd::mqtt::wire {

class Link : public std::enable_shared_from_this<Link> {
 public:
  explicit Link(int fd);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  int fd() const { return fd_; }
  // What it is for; without, all that comes is for the library. Before its first use. [any]
  void carry(std::shared_ptr<const Dial> dial);

  // ---- For the client that uses this connection ----

  // The acknowledgement may leave once its turn comes and somebody flushes. Nothing where the
  // connection is gone: what it held is dropped with it, and the server sends the message again.
  // [any]
  void release(AckKind kind, Gate::Ticket ticket);
  // Writes what may leave, in one write. [any]
  void flush();
  // Stops reading: TCP flow control does the rest. Not before CONNACK, and not while an answer to
  // SUBSCRIBE or UNSUBSCRIBE may be behind what has come. [any]
  void pause() { pause_ = true; }
  void resume();
  // Ends it, for a reason that fault() says from now on, unless it has ended already. The library
  // then finds it closed. [any]
  void end(std::string why);
  // Why this layer ended the connection; empty where it did not. [any]
  std::string fault() const;
  // The beginning of what came before CONNACK was whole, for an answer that the library keeps half
  // of to itself. [receive thread]
  const std::string& greeting() const { return greeting_; }
  // Acknowledgements held or waiting for their turn. [any]
  std::size_t held() const;

  // ---- For the functions under the library ----

  // As recv(2) without flags, SSL_read; never beyond the packet that is the library's. `error` is
  // what SSL_get_error says afterwards. [receive thread]
  ssize_t read(void* to, std::size_t size);
  int read_tls(void* to, int size, int& error);
  // As writev(2), SSL_write. [Paho's threads]
  ssize_t write(const iovec* parts, int count);
  int write_tls(SSL* ssl, const void* from, int size, int& error);
  // As SSL_connect; first with the proxy, where there is one. [Paho's threads]
  int connect_tls(SSL* ssl, int& error);
  // SSL_shutdown or close(2) comes next; nothing is written from here on. [Paho's threads]
  void die();

  // ---- For the receiver ----

  // Nothing is read. [receive thread]
  bool paused() const {
    return pause_ && check_.connected() && !check_.awaits_answer() && !answer_is_at_front();
  }
  // Bytes may be read here; else the library is connecting, or in the midst of a TLS handshake, and
  // looks at the socket itself. [receive thread]
  bool can_receive() const { return dial_->tls ? secured_.load() : begun_.load(); }
  // Reads what is there, once, and takes it. [receive thread]
  void receive();
  // Something is here for take(): bytes that were read, if only part of a packet, or an end that
  // comes behind them. [receive thread]
  bool may_take() const { return !inbound_.empty() || !ending_.empty(); }
  // Takes what has been read already. [receive thread]
  void take();
  // The library has something to read, or has to see that it is over. [receive thread]
  bool library_has() const { return library_front_ || ended_ || over_; }
  bool ended() const { return ended_; }
  // What OpenSSL has, and poll(2) knows nothing of. [receive thread]
  bool more_without_poll() const { return more_ && !library_has() && !clogged_; }
  // Something was taken, and its batch has not ended. [receive thread]
  bool has_batch() const { return in_batch_; }
  // The batch is over; gives memory back. [receive thread]
  void end_batch();
  // Pings where it is time to, ends the connection where a ping was not answered. When to look
  // again. [receive thread]
  Monotonic look(Monotonic now);

  // Bytes have come, so it is connected. [receive thread]
  bool established() const { return established_; }
  // Whether the library may still have to see that it is connected, which it looks at only when its
  // wait for bytes is over: that can be a second. A few times only, for a connection whose server
  // is slow to answer would otherwise keep it busy. [receive thread]
  bool connect_may_be_unseen() const { return !established_ && connect_looks_ < kConnectLooks; }
  void connect_was_shown() { ++connect_looks_; }
  // Closed, or about to be; its number may be another link's by now. [any]
  bool gone() const { return gone_; }
  // The library has a packet that is partly written: only poll(2) knows when it goes on. [any]
  bool library_waits() const { return library_waits_; }
  // Our own bytes wait for room in the socket. [any]
  bool we_wait() const { return we_wait_; }
  // So many of them that no more of the server is read. [any]
  bool clogged() const { return clogged_; }

 private:
  static Monotonic now() { return std::chrono::steady_clock::now(); }

  // What has to be said before MQTT.
  enum class Opening : std::uint8_t { not_begun, proxy, websocket, open };

  // Which the library has not read yet.
  bool answer_is_at_front() const {
    return library_front_ && PacketCheck::is_answer(inbound_.first_byte().value_or(0));
  }
  std::size_t read_plain(const Inbound::Room& room);
  std::size_t read_secured(const Inbound::Room& room);
  void arrived(char* bytes, std::size_t size);
  std::size_t pass_proxy(char* bytes, std::size_t size);
  std::size_t pass_websocket(char* bytes, std::size_t size);
  void end_of_opening();
  void take_packet(const Packet& packet);
  void take_message(const Packet& packet);
  void hand_over();
  std::optional<PacketCheck::Wrong> give_tickets() TRIGGERD_REQUIRES(mutex_);
  bool refused(const std::optional<PacketCheck::Wrong>& wrong, const std::string& packet);
  std::optional<PacketCheck::Wrong> look_at(const Packet& packet);
  std::optional<PacketCheck::Wrong> wrong_ack(const Packet& packet);
  std::size_t serve(void* to, std::size_t size);

  void begin_opening() TRIGGERD_REQUIRES(mutex_);
  void go_on_opening() TRIGGERD_REQUIRES(mutex_);
  // What becomes of bytes that the library writes.
  enum class Writing : std::uint8_t {
    full,     // nothing: ours wait for room
    taken,    // they leave in frames, or once MQTT may be spoken
    straight  // they go to the socket as they are
  };
  Writing begin_write(const iovec* parts, int count) TRIGGERD_REQUIRES(mutex_);
  void note(const iovec* parts, int count) TRIGGERD_REQUIRES(mutex_);
  void note_publish(std::string_view beginning) TRIGGERD_REQUIRES(mutex_);
  void add_packet(std::string_view packet) TRIGGERD_REQUIRES(mutex_);
  void flush_locked() TRIGGERD_REQUIRES(mutex_);
  bool send_out() TRIGGERD_REQUIRES(mutex_);
  void end_locked(std::string why) TRIGGERD_REQUIRES(mutex_);
  void end_silent(Monotonic now, std::string_view what);

  static constexpr int kConnectLooks = 8;

  const int fd_;
  std::shared_ptr<const Dial> dial_;

  // The receive thread's.
  Inbound inbound_;
  std::vector<Taken> taken_;     // kept for its memory
  bool began_ = false;           // the first byte of the packet at the front was checked
  bool library_front_ = false;   // the packet at the front is the library's
  std::size_t served_ = 0;       // of it
  bool over_ = false;            // the server has closed it, or it is broken
  int error_ = 0;                // errno, or an error of SSL_get_error
  unsigned long tls_error_ = 0;  // of OpenSSL's queue
  bool more_ = false;
  bool in_batch_ = false;
  std::atomic<bool> established_{false};
  int connect_looks_ = 0;
  std::string greeting_;
  std::string ending_;  // why it ends, once what came before that was taken
  Monotonic came_{};    // the last bytes

  std::atomic<bool> gone_{false};
  std::atomic<bool> pause_{false};
  std::atomic<bool> begun_{false};  // the library has written: it knows that it is connected
  std::atomic<bool> secured_{false};
  std::atomic<bool> leaving_{false};  // DISCONNECT was written
  std::atomic<bool> ended_{false};    // for what the server sent, or did not
  std::atomic<bool> library_waits_{false};
  std::atomic<bool> we_wait_{false};
  std::atomic<bool> clogged_{false};
  std::atomic<Monotonic> sent_{Monotonic{}};    // the last bytes of ours
  std::atomic<Monotonic> pinged_{Monotonic{}};  // and nothing has come since; the epoch: not

  PacketCheck check_;

  Mutex reading_;  // the descriptor is not closed meanwhile; before mutex_
  mutable Mutex mutex_;
  SSL* ssl_ TRIGGERD_GUARDED_BY(mutex_) = nullptr;
  Opening opening_ TRIGGERD_GUARDED_BY(mutex_) = Opening::not_begun;
  std::unique_ptr<ProxyHandshake> proxy_ TRIGGERD_GUARDED_BY(mutex_);
  std::unique_ptr<WebSocket> websocket_;            // constant once carry() was called
  std::string unsent_ TRIGGERD_GUARDED_BY(mutex_);  // the library's, until it is open
  Gate gate_ TRIGGERD_GUARDED_BY(mutex_);
  std::string out_ TRIGGERD_GUARDED_BY(mutex_);  // ours, not yet in the socket
  std::string retry_
      TRIGGERD_GUARDED_BY(mutex_);  // of a TLS write that has to be made again as it was
  std::string fault_ TRIGGERD_GUARDED_BY(mutex_);
  // Packet ids of ours that were last used with QoS 2.
  std::set<std::uint16_t> exactly_once_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::mqtt::wire
