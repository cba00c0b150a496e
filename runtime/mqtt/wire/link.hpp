// Link: one socket of the MQTT library, from its first use to its close().
//
// Threads. read() and what begins with "receive" in its thread tag belong to the library's receive
// thread, and the buffer for reading ahead is its own. Everything that writes is under one lock, so
// that no packet is split by another, whoever writes: the library's two threads, or a worker that
// finished a message.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "base/mutex.hpp"
#include "mqtt/packet_check.hpp"
#include "mqtt/wire/gate.hpp"

typedef struct ssl_st SSL;  // OpenSSL's, as it declares it

namespace triggerd::mqtt::wire {

class Link : public std::enable_shared_from_this<Link> {
 public:
  explicit Link(int fd) : fd_(fd) {}
  ~Link();
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  int fd() const { return fd_; }

  // ---- For the client that uses this connection ----

  // Holds the acknowledgement that the library is about to write. [receive thread]
  Gate::Ticket hold(Ack ack);
  // Lets it go, once its turn comes and somebody flushes. Nothing where the connection is gone:
  // what it held is dropped with it, and the server sends the message again. [any]
  void release(AckKind kind, Gate::Ticket ticket);
  // Writes what may leave, in one write. [any]
  void flush();
  // Stops reading: TCP flow control does the rest. [any]
  void pause() { paused_ = true; }
  void resume();
  bool paused() const { return paused_; }
  // A packet that is longer ends the connection instead of being read. [any]
  void limit_packets(std::size_t bytes) { packet_limit_ = bytes; }
  // Called after the last message of each batch: when nothing more is buffered, or the connection
  // is gone; without a lock. Set before the first message. [receive thread]
  void on_batch_end(std::function<void()> call) { batch_end_ = std::move(call); }
  // Holds every PUBCOMP that nobody asked to hold, and calls this for it: the server has repeated a
  // PUBREL, and what it is for may not be safe yet. Set before the first message. [receive thread]
  void on_repeated_pubrel(std::function<void(std::uint16_t packet_id, Gate::Ticket)> call) {
    repeated_pubrel_ = std::move(call);
  }
  // Why this layer ended the connection; empty where it did not. [any]
  std::string fault() const;
  // Whether a packet from the server ends the connection: its first byte, and all of it, `body`
  // being what comes behind its length. [receive thread]
  bool framed() const { return framed_; }
  bool refuses_beginning(std::uint8_t first);
  bool refuses(std::uint8_t first, std::string_view body);
  // The beginning of the first bytes that came, for an answer that the library keeps half of to
  // itself. [receive thread]
  const std::string& greeting() const { return greeting_; }
  // Acknowledgements held or waiting for their turn. [any]
  std::size_t held() const;

  // ---- For the functions under the library ----

  // As recv(2) without flags. [receive thread]
  ssize_t read(void* to, std::size_t size);
  // As SSL_read and SSL_pending; `error` is what SSL_get_error says afterwards. [receive thread]
  int read_tls(SSL* ssl, void* to, int size, int& error);
  int pending_tls(SSL* ssl) const;
  std::size_t buffered() const { return end_ - at_; }
  // Bytes have come, so it is connected. [receive thread]
  bool established() const { return established_; }
  // Whether the library may still have to see that it is connected, which it looks at only when its
  // wait for bytes is over: that can be a second. A few times only, for a connection whose server
  // is slow to answer would otherwise keep it busy. [receive thread]
  bool connect_may_be_unseen() const { return !established_ && connect_looks_ < kConnectLooks; }
  void connect_was_shown() { ++connect_looks_; }
  // Closed, or about to be; its number may be another link's by now. [any]
  bool gone() const { return gone_; }
  // As writev(2), SSL_write. [Paho's threads]
  ssize_t write(const iovec* parts, int count);
  int write_tls(SSL* ssl, const void* from, int size, int& error);
  // The library has a packet that is partly written: only poll(2) knows when it goes on. [any]
  bool library_waits() const { return library_waits_; }
  // Our own bytes wait for room in the socket. [any]
  bool we_wait() const { return we_wait_; }
  // The batch is over. [receive thread]
  void end_batch();
  // Gives the buffer for reading ahead back, where it is empty. [receive thread]
  void shed();
  // SSL_shutdown or close(2) comes next; nothing is written from here on. [Paho's threads]
  void die();

 private:
  std::size_t serve(void* to, std::size_t size);
  void came();
  ssize_t read_large(char* to, std::size_t size);
  bool wrong_ack(std::size_t size);
  bool begins_publish(std::string_view bytes) const;
  void note_publish(std::string_view bytes) TRIGGERD_REQUIRES(mutex_);
  void note_request(std::string_view beginning, const iovec* parts, int count);
  void end_because(const PacketCheck::Wrong& wrong, const std::string& packet);
  bool too_long(std::size_t size);
  bool note_ack(std::string_view bytes);
  void flush_locked() TRIGGERD_REQUIRES(mutex_);
  bool send_out() TRIGGERD_REQUIRES(mutex_);

  static constexpr int kConnectLooks = 8;

  const int fd_;

  // The receive thread's.
  std::unique_ptr<char[]> ahead_;
  std::size_t at_ = 0;
  std::size_t end_ = 0;
  bool large_ = false;  // so was the last packet
  bool established_ = false;
  int connect_looks_ = 0;
  std::string greeting_;
  std::uint8_t packet_type_ = 0;  // of the last two bytes that were read one by one
  std::uint8_t packet_size_ = 0;
  std::function<void()> batch_end_;
  std::function<void(std::uint16_t, Gate::Ticket)> repeated_pubrel_;

  std::atomic<bool> gone_{false};
  std::atomic<bool> paused_{false};
  std::atomic<bool> library_waits_{false};
  std::atomic<bool> framed_{false};  // what the library writes is of WebSocket
  std::atomic<bool> ended_{false};   // for what the server sent
  std::atomic<bool> we_wait_{false};
  std::atomic<std::size_t> packet_limit_{1 << 20};

  PacketCheck check_;

  mutable Mutex mutex_;
  SSL* ssl_ TRIGGERD_GUARDED_BY(mutex_) = nullptr;
  Gate gate_ TRIGGERD_GUARDED_BY(mutex_);
  std::string out_ TRIGGERD_GUARDED_BY(mutex_);  // ours, not yet in the socket
  std::string retry_
      TRIGGERD_GUARDED_BY(mutex_);  // of a TLS write that has to be made again as it was
  std::string fault_ TRIGGERD_GUARDED_BY(mutex_);
  // Packet ids of ours that were last used with QoS 2.
  std::set<std::uint16_t> exactly_once_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::mqtt::wire
