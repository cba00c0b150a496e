// Link: one socket of the MQTT library, from its first use to its close().
//
// What comes is cut into packets here (inbound.hpp), checked (packet_check.hpp) and taken: messages
// and what belongs to them go to whoever dialled (dial.hpp); everything else goes to the library,
// packet by packet. What is sent goes through link_writer.hpp. WebSocket and proxies are below:
// the library sees a stream of MQTT.
//
// Threads. A Link is the receiving half, which belongs to the library's receive thread; so do the
// functions that are tagged with it. The sending half has a lock of its own, and any thread.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "mqtt/packet/packet_check.hpp"
#include "mqtt/packet/publish_packet.hpp"
#include "mqtt/wire/ack_queue.hpp"
#include "mqtt/wire/dial.hpp"
#include "mqtt/wire/inbound.hpp"
#include "mqtt/wire/keep_alive.hpp"
#include "mqtt/wire/link_writer.hpp"

typedef struct ssl_st SSL;  // OpenSSL's, as it declares it

namespace triggerd::mqtt::wire {

class Link : public std::enable_shared_from_this<Link> {
 public:
  explicit Link(int fd);
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  int fd() const { return fd_; }
  // What the connection is for. Without it, all that comes is for the library. Before its first
  // use. [any]
  void carry(std::shared_ptr<const Dial> dial);

  // ---- For the client that uses this connection ----

  // The acknowledgement may leave once its turn comes and somebody flushes. Nothing happens when
  // the connection is gone: what it held was dropped with it, and the server sends the message
  // again. [any]
  void release(AckKind kind, AckQueue::Ticket ticket) { writer_.release(kind, ticket); }
  // Writes what may leave, in one write. [any]
  void flush() { writer_.flush(); }
  // Sends packets that the library knows nothing of: PUBLISH, which begin at `publishes`, and
  // PUBREL. What the server says to them comes to PacketSink::on_answers(). False: they did not
  // leave, since there is no connection. Wants: Dial::shared, and CONNACK has come. [any]
  bool send(std::string_view packets, const std::vector<std::size_t>& publishes) {
    return writer_.send(packets, publishes);
  }
  // Bytes that wait for room in the socket. [any]
  std::size_t unsent() const { return writer_.unsent(); }
  // Stops reading: TCP flow control does the rest. Takes effect after CONNACK, and not while an
  // answer to SUBSCRIBE or UNSUBSCRIBE may be behind what has come. [any]
  void pause() { state_.paused = true; }
  void resume();
  // Ends the connection, for a reason that fault() says from now on, unless it has ended already.
  // The library then finds it closed. [any]
  void end(std::string why);
  // Why this layer ended the connection; empty where it did not. [any]
  std::string fault() const { return writer_.fault(); }
  // The first bytes that came, until CONNACK was whole: the library does not hand on all that an
  // answer says. [receive thread]
  const std::string& greeting() const { return greeting_; }
  // How many acknowledgements are held or wait for their turn. [any]
  std::size_t held() const { return writer_.held(); }

  // ---- For the functions under the library ----

  // As recv(2) without flags, and SSL_read; never beyond the packet that is the library's. `error`
  // is what SSL_get_error says afterwards. [receive thread]
  ssize_t read(void* to, std::size_t size);
  int read_tls(void* to, int size, int& error);
  // As writev(2), and SSL_write. [Paho's threads]
  ssize_t write(const iovec* parts, int count) { return writer_.write(parts, count); }
  int write_tls(SSL* ssl, const void* from, int size, int& error) {
    return writer_.write_tls(ssl, from, size, error);
  }
  // As SSL_connect; first with the proxy, where there is one. [Paho's threads]
  int connect_tls(SSL* ssl, int& error) { return writer_.connect_tls(ssl, error); }
  // SSL_shutdown or close(2) comes next: nothing is read or written from here on. [Paho's threads]
  void shut_down();

  // ---- For the receiver ----

  // Nothing is to be read. [receive thread]
  bool paused() const {
    return state_.paused && check_.connected() && !check_.awaits_answer() && !answer_is_at_front();
  }
  // Bytes may be read here. Until then the library is connecting, or in the midst of a TLS
  // handshake, and looks at the socket itself. [receive thread]
  bool can_receive() const { return dial_->tls ? state_.secured.load() : state_.begun.load(); }
  // Reads what is there, once, and takes it. [receive thread]
  void receive();
  // There is something for take(): bytes that were read, if only part of a packet, or an end that
  // comes behind them. [receive thread]
  bool may_take() const { return !inbound_.empty() || !ending_.empty(); }
  // Takes the packets that have been read already. [receive thread]
  void take();
  // The library has something to read, or has to see that the connection is over. [receive thread]
  bool library_has() const { return library_front_ || state_.ended || over_; }
  bool ended() const { return state_.ended; }
  // OpenSSL has bytes, and poll(2) knows nothing of them. [receive thread]
  bool more_without_poll() const { return more_ && !library_has() && !state_.clogged; }
  // Something was taken, and its batch has not ended. [receive thread]
  bool has_batch() const { return in_batch_; }
  // The batch is over; gives memory back. [receive thread]
  void end_batch();
  // Pings when it is time to; ends the connection when a ping was not answered. Returns when to
  // look again. [receive thread]
  Monotonic look(Monotonic now);

  // Bytes have come, so it is connected. [any]
  bool established() const { return state_.established; }
  // Whether the library may still have to see that it is connected, which it looks at only when its
  // wait for bytes is over: that can be a second. A few times only, since a connection whose server
  // is slow to answer would keep it busy otherwise. [receive thread]
  bool connect_may_be_unseen() const { return !established() && connect_looks_ < kConnectLooks; }
  void connect_was_shown() { ++connect_looks_; }
  // Closed, or about to be; its number may be another link's by now. [any]
  bool gone() const { return state_.gone; }
  // The library has a packet that is partly written: only poll(2) knows when it goes on. [any]
  bool library_waits() const { return state_.library_waits; }
  // Our own bytes wait for room in the socket. [any]
  bool we_wait() const { return state_.we_wait; }
  // So many of them that no more of the server is read. [any]
  bool clogged() const { return state_.clogged; }

 private:
  // The library has not read it yet.
  bool answer_is_at_front() const {
    return library_front_ && PacketCheck::is_answer(inbound_.first_byte().value_or(0));
  }
  std::size_t read_plain(const Inbound::Room& room);
  std::size_t read_secured(const Inbound::Room& room);
  void arrived(char* bytes, std::size_t size);
  void take_packet(const Packet& packet);
  void take_message(const Packet& packet);
  void hand_over();
  bool take_answer(const Packet& packet);
  void refuse(const PacketCheck::Wrong& wrong, const std::string& packet);
  std::optional<PacketCheck::Wrong> look_at(const Packet& packet);
  std::optional<PacketCheck::Wrong> wrong_ack(const Packet& packet);
  std::size_t serve(void* to, std::size_t size);

  static constexpr int kConnectLooks = 8;

  const int fd_;
  std::shared_ptr<const Dial> dial_;
  LinkState state_;
  KeepAlive keep_alive_;
  PacketCheck check_;
  LinkWriter writer_;
  Mutex
      reading_;  // held while the descriptor is read: it is not closed meanwhile. Before writer_'s

  // The receive thread's.
  Inbound inbound_;
  std::vector<Taken> taken_;  // kept for its memory
  std::vector<PublishAnswer> answers_;
  bool began_ = false;           // the first byte of the packet at the front was checked
  bool library_front_ = false;   // the packet at the front is the library's
  std::size_t served_ = 0;       // how much of it the library has read
  bool over_ = false;            // the server has closed it, or it is broken
  int error_ = 0;                // then: errno, or an error of SSL_get_error
  unsigned long tls_error_ = 0;  // and the newest of OpenSSL's queue
  bool more_ = false;
  bool in_batch_ = false;
  int connect_looks_ = 0;
  std::string greeting_;
  std::string ending_;  // why it ends, once what came before that was taken
};

}  // namespace triggerd::mqtt::wire
