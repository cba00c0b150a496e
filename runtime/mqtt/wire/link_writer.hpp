// The sending half of one socket of the MQTT library, and whatever else is under its lock:
// acknowledgements in their order (ack_queue.hpp), what is said before MQTT (opening.hpp), what the
// library writes, and what waits for room (send_buffer.hpp).
//
// One lock is around all of it, whoever writes: the library's two threads, or a worker that has
// finished a message. So no packet is split by another, and an SSL object is used by one thread at
// a time. While it is held, no other lock is taken but that of PacketCheck.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/mutex.hpp"
#include "mqtt/packet/packet_check.hpp"
#include "mqtt/wire/ack_queue.hpp"
#include "mqtt/wire/dial.hpp"
#include "mqtt/wire/keep_alive.hpp"
#include "mqtt/wire/opening.hpp"
#include "mqtt/wire/send_buffer.hpp"
#include "mqtt/wire/sent_publishes.hpp"

typedef struct ssl_st SSL;  // OpenSSL's, as it declares it

namespace triggerd::mqtt::wire {

// What both halves of a link know of it. Each is written by the half that says so, and read by any
// thread.
struct LinkState {
  // The receiving half's.
  std::atomic<bool> established{false};  // bytes have come
  std::atomic<bool> paused{false};       // it is not to be read; set by any thread
  // The sending half's.
  std::atomic<bool> begun{false};    // the library has written: it knows that it is connected
  std::atomic<bool> secured{false};  // the TLS handshake is done
  std::atomic<bool> leaving{false};  // DISCONNECT was written
  std::atomic<bool> ended{false};    // by us: for what the server sent, or did not
  std::atomic<bool> gone{false};     // closed, or about to be; its number may be another link's
  std::atomic<bool> library_waits{false};  // a packet of the library is partly written
  std::atomic<bool> we_wait{false};        // our own bytes wait for room in the socket
  std::atomic<bool> clogged{false};        // so many of them that no more is read
};

class LinkWriter {
 public:
  // What it is given is the link's, as it is itself.
  LinkWriter(int fd, LinkState& state, KeepAlive& keep_alive, PacketCheck& check);
  // `dial` outlives it. Before its first use. [any]
  void carry(const Dial& dial);

  // ---- For the client that uses this connection, see Link [any] ----

  void release(AckKind kind, AckQueue::Ticket ticket);
  void flush();
  bool send(std::string_view packets, const std::vector<std::size_t>& publishes);
  std::size_t unsent() const;
  void end(std::string why);
  std::string fault() const;
  std::size_t held() const;

  // ---- For the functions under the library, see Link [Paho's threads] ----

  ssize_t write(const iovec* parts, int count);
  int write_tls(SSL* ssl, const void* from, int size, int& error);
  int connect_tls(SSL* ssl, int& error);
  void shut_down();

  // ---- For the receiving half [receive thread] ----

  // What SSL_read says, called until `most` bytes are here or there is nothing more to read.
  struct TlsRead {
    std::size_t size = 0;
    int error = 0;                // what ended it, as SSL_get_error says it; none: `most` are here
    unsigned long tls_error = 0;  // of OpenSSL's queue
    bool pending = false;         // OpenSSL has more that poll(2) knows nothing of
  };
  // nullopt: the TLS handshake is not done.
  std::optional<TlsRead> read_tls(char* to, std::size_t most);
  // What the proxy has said is taken off the front of `bytes`; how many are left at their front.
  std::size_t pass_proxy(char* bytes, std::size_t size);
  // The same with frames: what is left is MQTT. `ending` gets why the connection ends after that.
  std::size_t pass_websocket(char* bytes, std::size_t size, std::string& ending);
  bool has_websocket() const { return opening_.websocket() != nullptr; }
  // The connection has ended. In the midst of what comes before MQTT that is worth a fault.
  void end_of_opening();
  // Gives each packet that owes an acknowledgement its place in the queue. An error: more messages
  // than receive_maximum are unconfirmed; what goes beyond is taken off `packets` and freed.
  std::optional<PacketCheck::Wrong> give_tickets(std::vector<Taken>& packets);
  // Whether a message was last published with this packet id and QoS 2.
  bool was_exactly_once(std::uint16_t packet_id) const;
  // Whether the answer to a publish is for the library; `ends`: it is the last of its handshake.
  bool is_for_library(std::uint16_t packet_id, bool ends);
  // Ends it for `wrong`, which DISCONNECT says where `may_say`; `packet` is for the fault.
  void refuse(const PacketCheck::Wrong& wrong, const std::string& packet, bool may_say);
  void ping();

 private:
  // What becomes of bytes that the library writes.
  enum class Writing : std::uint8_t {
    full,     // nothing: ours wait for room
    taken,    // they leave in frames, or once MQTT may be spoken
    straight  // they go to the socket as they are
  };
  Writing begin_write(const iovec* parts, int count) TRIGGERD_REQUIRES(mutex_);
  void note(const iovec* parts, int count) TRIGGERD_REQUIRES(mutex_);
  bool pass_proxy_before_tls(int& error);
  void begin_opening() TRIGGERD_REQUIRES(mutex_);
  void flush_locked() TRIGGERD_REQUIRES(mutex_);
  void flush_here_or_there() TRIGGERD_REQUIRES(mutex_);
  bool send_out() TRIGGERD_REQUIRES(mutex_);
  void end_locked(std::string why) TRIGGERD_REQUIRES(mutex_);

  const int fd_;
  LinkState& state_;
  KeepAlive& keep_alive_;
  PacketCheck& check_;
  const Dial* dial_;

  mutable Mutex mutex_;
  SSL* ssl_ TRIGGERD_GUARDED_BY(mutex_) = nullptr;
  Opening opening_;  // under mutex_, but for what opening.hpp says of websocket()
  AckQueue acks_ TRIGGERD_GUARDED_BY(mutex_);
  SendBuffer out_ TRIGGERD_GUARDED_BY(mutex_);
  SentPublishes published_ TRIGGERD_GUARDED_BY(mutex_);
  std::string fault_ TRIGGERD_GUARDED_BY(mutex_);
};

}  // namespace triggerd::mqtt::wire
