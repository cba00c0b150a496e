// One connection with TLS, over a socket pair: what differs from one without.
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <atomic>
#include <ctime>
#include <memory>
#include <vector>

#include "mqtt/wire/link.hpp"
#include "mqtt/wire/receiver.hpp"
#include "unit/mqtt/wire/any_websocket.hpp"
#include "unit/mqtt/wire/dialled.hpp"
#include "unit/mqtt/wire/packets.hpp"
#include "unit/mqtt/wire/threads_at_once.hpp"
#include "unit/mqtt/wire/websocket_server.hpp"

namespace triggerd::mqtt::wire::test {
namespace {

// Of a server with a key and a certificate of its own making.
SSL_CTX* server_context() {
  static SSL_CTX* const made = [] {
    EVP_PKEY* const key = EVP_EC_gen("P-256");
    X509* const certificate = X509_new();
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    EXPECT_GT(X509_sign(certificate, key, EVP_sha256()), 0);
    SSL_CTX* const context = SSL_CTX_new(TLS_server_method());
    EXPECT_EQ(SSL_CTX_use_certificate(context, certificate), 1);
    EXPECT_EQ(SSL_CTX_use_PrivateKey(context, key), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return context;
  }();
  return made;
}

SSL_CTX* client_context() {
  static SSL_CTX* const made = [] {
    SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(context, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);  // as the library does
    return context;
  }();
  return made;
}

struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

Dial tls_dial(Dial dial = {}) {
  dial.tls = true;
  return dial;
}

int library_writes_tls(SSL* ssl, std::string_view bytes) {
  return __wrap_SSL_write(ssl, bytes.data(), static_cast<int>(bytes.size()));
}

class TlsDialled {
 public:
  explicit TlsDialled(Dial dial = {}, int room = 0)
      : base_(tls_dial(std::move(dial)), Pair::Kind::local, room),
        client_(SSL_new(client_context())),
        server_(SSL_new(server_context())) {
    SSL_set_fd(client_.get(), pair().ours());
    SSL_set_fd(server_.get(), pair().peer());
    SSL_set_accept_state(server_.get());
    SSL_set_mode(server_.get(), SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  }
  ~TlsDialled() { base_.pair.close_ours(); }
  TlsDialled(const TlsDialled&) = delete;
  TlsDialled& operator=(const TlsDialled&) = delete;

  // The library's call; what SSL_get_error says after it.
  int handshake_error() const {
    const int result = __wrap_SSL_connect(client());
    return result == 1 ? SSL_ERROR_NONE : __wrap_SSL_get_error(client(), result);
  }
  void shake_hands() const {
    int client = 0;
    int server = 0;
    for (int i = 0; i < 1'000 && (client != 1 || server != 1); ++i) {
      client = __wrap_SSL_connect(this->client());
      server = SSL_do_handshake(server_.get());
    }
    EXPECT_EQ(client, 1);
    EXPECT_EQ(server, 1);
    ERR_clear_error();
  }
  void connect() const {
    shake_hands();
    const std::string connect = base_.connect_packet();
    EXPECT_EQ(library_writes_tls(client(), connect), static_cast<int>(connect.size()));
    EXPECT_EQ(peer_has(), connect);
    const std::string connack = base_.encode(packet::ConnAck{});
    peer_sends(connack);
    EXPECT_EQ(library_takes(), connack);
  }

  SSL* client() const { return client_.get(); }
  SSL* server() const { return server_.get(); }
  const Pair& pair() const { return base_.pair; }
  const std::shared_ptr<Link>& link() const { return base_.link; }
  Recorder& sink() const { return *base_.sink; }
  const Dialled& base() const { return base_; }
  // The library has freed its object.
  void free_client() { client_.reset(); }

  bool turn() const { return base_.turn(); }
  // One record for each call, up to 16 KiB.
  void peer_sends(std::string_view bytes) const {
    EXPECT_EQ(SSL_write(server_.get(), bytes.data(), static_cast<int>(bytes.size())),
              static_cast<int>(bytes.size()));
  }
  std::string peer_has() const {
    std::string all;
    char some[16384];
    int got = 0;
    while ((got = SSL_read(server_.get(), some, sizeof some)) > 0) {
      all.append(some, static_cast<std::size_t>(got));
    }
    ERR_clear_error();
    return all;
  }
  Got message(std::uint16_t packet_id, std::uint8_t qos = 1) const {
    peer_sends(base_.encode(
        packet::Publish{.topic = "t", .payload = "p", .qos = qos, .packet_id = packet_id}));
    turn();
    EXPECT_FALSE(sink().got.empty()) << link()->fault();
    return sink().got.empty() ? Got{} : sink().got.back();
  }
  std::string library_takes() const {
    if (!turn()) return {};
    return read_packet([this](std::size_t size) {
      std::string bytes(size, '\0');
      const int got = __wrap_SSL_read(client(), bytes.data(), static_cast<int>(size));
      bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
      return bytes;
    });
  }
  // What SSL_get_error says after a read that follows a turn; SSL_ERROR_NONE: it got something.
  int library_finds() const {
    turn();
    char byte = 0;
    const int result = __wrap_SSL_read(client(), &byte, 1);
    return result > 0 ? SSL_ERROR_NONE : __wrap_SSL_get_error(client(), result);
  }
  // Polls as the receive thread until the peer has `size` bytes, or the bound.
  std::string polls_until_peer_has(std::size_t size, std::string stream = {}) const {
    polls_until(pair().ours(), [&] {
      stream += peer_has();
      return stream.size() >= size;
    });
    return stream;
  }

 private:
  Dialled base_;
  std::unique_ptr<SSL, FreeSsl> client_;
  std::unique_ptr<SSL, FreeSsl> server_;
};

std::string publish_of(std::string topic, std::size_t payload = 0) {
  return packet::encode(
      packet::Publish{.topic = std::move(topic), .payload = std::string(payload, 'p')});
}

// ---- Reading ----

TEST(WireTls, TheHandshakeIsTheLibrarys) {
  on_own_thread([] {
    const TlsDialled tls;
    EXPECT_EQ(tls.handshake_error(), SSL_ERROR_WANT_READ);
    EXPECT_FALSE(tls.turn());
    SSL_do_handshake(tls.server());
    EXPECT_TRUE(tls.turn()) << "it is told of bytes that belong to it";
    tls.shake_hands();
  });
}

TEST(WireTls, SeveralRecordsAreOneBatch) {
  on_own_thread([] {
    const TlsDialled tls;
    tls.connect();
    EXPECT_EQ(__wrap_SSL_pending(tls.client()), 0);
    const std::string split = publish_of("c");
    tls.peer_sends(publish_of("a") + publish_of("b") + split.substr(0, 2));
    tls.peer_sends(split.substr(2));
    tls.peer_sends(kPingAnswer);
    EXPECT_EQ(tls.library_takes(), kPingAnswer);
    EXPECT_EQ(tls.sink().happened,
              (std::vector<std::string>{"message a", "message b", "message c", "end"}));
    EXPECT_EQ(__wrap_SSL_pending(tls.client()), 0);
  });
}

// What stays inside the TLS object poll(2) knows nothing of.
TEST(WireTls, WhatDoesNotFitTheBufferComesAfterIt) {
  on_own_thread([] {
    const TlsDialled tls;
    tls.connect();
    const std::string one = publish_of("t", 95);
    std::string record;
    for (int i = 0; i < 90; ++i) record += one;
    for (int i = 0; i < 10; ++i) tls.peer_sends(record);
    for (int i = 0; i < 3; ++i) tls.turn();
    EXPECT_EQ(tls.sink().got.size(), 900U);
    EXPECT_GE(tls.sink().ends(), 2U) << "a batch is at most one read";
    EXPECT_FALSE(tls.link()->more_without_poll());
  });
}

TEST(WireTls, APauseKeepsWhatOpensslHas) {
  on_own_thread([] {
    const TlsDialled tls;
    tls.connect();
    tls.sink().on_each = [](Link& link, const Got&) { link.pause(); };
    std::string record;
    for (int i = 0; i < 90; ++i) record += publish_of("t", 95);
    for (int i = 0; i < 10; ++i) tls.peer_sends(record);
    tls.turn();
    const std::size_t before = tls.sink().got.size();
    EXPECT_LT(before, 900U);
    EXPECT_TRUE(sleeps_in_poll(tls.pair().ours()));
    EXPECT_EQ(tls.sink().got.size(), before);
    tls.sink().on_each = {};
    tls.link()->resume();
    for (int i = 0; i < 3; ++i) tls.turn();
    EXPECT_EQ(tls.sink().got.size(), 900U);
  });
}

TEST(WireTls, ALargeMessageHasMemoryOfItsOwn) {
  on_own_thread([] {
    const TlsDialled tls;
    tls.connect();
    const std::string large = publish_of("t", 100'000);
    for (std::size_t at = 0; at < large.size(); at += 10'000) {
      tls.peer_sends(large.substr(at, 10'000));
      tls.turn();
    }
    ASSERT_EQ(tls.sink().got.size(), 1U);
    EXPECT_TRUE(tls.sink().got[0].own_memory);
    EXPECT_TRUE(tls.sink().got[0].nul_behind_topic);
    EXPECT_TRUE(tls.sink().got[0].payload == std::string(100'000, 'p'));
  });
}

// There are other connections.
TEST(WireTls, ALargeMessageIsReadPartByPart) {
  on_own_thread([] {
    const TlsDialled tls;
    tls.connect();
    const std::string large = publish_of("t", 100'000);
    tls.peer_sends(large.substr(0, 1'000));
    tls.turn();
    for (std::size_t at = 1'000; at < large.size(); at += 10'000) {
      tls.peer_sends(large.substr(at, 10'000));
    }
    tls.turn();
    EXPECT_TRUE(tls.sink().got.empty());
    for (int i = 0; i < 3; ++i) tls.turn();
    EXPECT_EQ(tls.sink().got.size(), 1U);
  });
}

TEST(WireTls, NothingThereAndTheEndAreAsOfTls) {
  on_own_thread([] {
    const TlsDialled tls;
    tls.connect();
    EXPECT_EQ(tls.library_finds(), SSL_ERROR_WANT_READ);
    ASSERT_EQ(::shutdown(tls.pair().peer(), SHUT_WR), 0);
    EXPECT_TRUE(tls.turn());
    const int error = tls.library_finds();
    EXPECT_TRUE(error == SSL_ERROR_SSL || error == SSL_ERROR_SYSCALL) << error;
  });
}

// The server may wait for us to close the connection: poll(2) has nothing more to say.
TEST(WireTls, AnEndBehindMessagesIsSeenAtOnce) {
  on_own_thread([] {
    const TlsDialled tls;
    tls.connect();
    tls.peer_sends(publish_of("a"));
    SSL_shutdown(tls.server());
    for (int i = 0; i < 2; ++i) tls.turn();
    EXPECT_EQ(tls.sink().topics(), std::vector<std::string>{"a"});
    EXPECT_TRUE(tls.turn());
    EXPECT_EQ(tls.library_finds(), SSL_ERROR_ZERO_RETURN);
  });
}

TEST(WireTls, AWrongPacketEndsItWithAReason) {
  on_own_thread([] {
    const TlsDialled tls({.v5 = true});
    tls.connect();
    tls.peer_sends(tls.base().encode(packet::Publish{.topic = "a"}) + "\x36");
    EXPECT_EQ(tls.library_finds(), SSL_ERROR_SYSCALL);
    EXPECT_NE(tls.link()->fault().find("QoS 3"), std::string::npos);
    EXPECT_EQ(tls.peer_has(), "\xe0\x01\x81");
    EXPECT_EQ(library_writes_tls(tls.client(), kPingRequest), 2) << "and nothing of it leaves";
    EXPECT_EQ(tls.peer_has(), "");
  });
}

TEST(WireTls, APingOfOursIsARecord) {
  on_own_thread([] {
    const TlsDialled tls({.keep_alive = Millis(60'000)});
    tls.connect();
    tls.link()->look(Clock::now() + 60s);
    EXPECT_EQ(tls.peer_has(), kPingRequest);
  });
}

TEST(WireTls, AWebSocketIsInside) {
  on_own_thread([] {
    const TlsDialled tls({.websocket = WebSocket::Target{.host = "h", .path = "/mqtt"}});
    tls.shake_hands();
    const std::string connect = tls.base().connect_packet();
    EXPECT_EQ(library_writes_tls(tls.client(), connect), static_cast<int>(connect.size()));
    tls.peer_sends(accepts(tls.peer_has()));
    tls.turn();
    const auto frames = client_frames(tls.peer_has());
    ASSERT_TRUE(frames && frames->size() == 1);
    EXPECT_EQ(frames->front().payload, connect);
    const std::string connack = tls.base().encode(packet::ConnAck{});
    tls.peer_sends(server_frame(connack + publish_of("a")));
    EXPECT_EQ(tls.library_takes(), connack);
    tls.turn();
    EXPECT_EQ(tls.sink().topics(), std::vector<std::string>{"a"});
  });
}

// ---- Through a proxy ----

Dial through_proxy() {
  return {.proxy = config::Proxy{.host = "gate"}, .target = {.host = "broker", .port = 8883}};
}

TEST(WireTls, TheWayThroughAProxyComesBeforeTheHandshake) {
  on_own_thread([] {
    TlsDialled tls(through_proxy());
    const std::string request = "CONNECT broker:8883 HTTP/1.1\r\nHost: broker:8883\r\n\r\n";
    EXPECT_EQ(tls.handshake_error(), SSL_ERROR_WANT_READ);
    EXPECT_EQ(tls.pair().peer_has(), request);
    tls.pair().peer_sends("HTTP/1.1 200 ");
    EXPECT_TRUE(tls.turn());
    EXPECT_EQ(tls.handshake_error(), SSL_ERROR_WANT_READ);
    EXPECT_EQ(tls.pair().peer_has(), "") << "no word of TLS before the proxy is through";
    tls.pair().peer_sends("OK\r\n\r\n");
    tls.connect();
    EXPECT_EQ(tls.message(1).packet_id, 1);
  });
}

TEST(WireTls, AProxyThatRefusesOrClosesIsNamed) {
  const std::pair<const char*, const char*> cases[] = {
      {"HTTP/1.1 403 Forbidden\r\n\r\n",
       "the proxy does not allow a connection to the server (status 403)"},
      {"HTTP/1.1 2", "the proxy closed the connection before it answered"}};
  for (const auto& [answer, fault] : cases) {
    on_own_thread([answer = answer, fault = fault] {
      const TlsDialled tls(through_proxy());
      tls.handshake_error();
      tls.pair().peer_sends(answer);
      ::shutdown(tls.pair().peer(), SHUT_WR);
      EXPECT_TRUE(tls.turn());
      EXPECT_EQ(tls.handshake_error(), SSL_ERROR_SYSCALL);
      EXPECT_EQ(tls.link()->fault(), fault);
      EXPECT_EQ(tls.handshake_error(), SSL_ERROR_SYSCALL) << "and so it stays";
    });
  }
}

// ---- Writing ----

TEST(WireTls, WhatAnotherThreadReleasesLeavesWithTheNextPoll) {
  on_own_thread([] {
    const TlsDialled tls({.hold = true});
    tls.connect();
    const Got got = tls.message(8);
    EXPECT_EQ(library_writes_tls(tls.client(), kPingRequest), 2);
    EXPECT_EQ(tls.peer_has(), kPingRequest);
    std::thread([&] {
      tls.base().release(got);
      tls.link()->flush();
    }).join();
    EXPECT_EQ(tls.peer_has(), "");
    EXPECT_EQ(tls.polls_until_peer_has(4), puback(8));
    EXPECT_FALSE(tls.link()->we_wait());
  });
}

TEST(WireTls, WhileOurBytesWaitTheLibraryIsToldToTryAgain) {
  on_own_thread([] {
    const TlsDialled tls({}, 4608);
    tls.connect();
    std::string expected;
    for (std::uint16_t id = 1; id <= 5'000 || !tls.link()->we_wait(); ++id) {
      ASSERT_LT(id, 60'000);
      (void)tls.message(id);
      expected += puback(id);
    }
    const int result = library_writes_tls(tls.client(), kPingRequest);
    EXPECT_EQ(result, -1);
    EXPECT_EQ(__wrap_SSL_get_error(tls.client(), result), SSL_ERROR_WANT_WRITE);
    EXPECT_FALSE(tls.link()->library_waits());
    std::string stream = tls.polls_until_peer_has(expected.size());
    EXPECT_EQ(library_writes_tls(tls.client(), kPingRequest), 2);
    expected += kPingRequest;
    stream = tls.polls_until_peer_has(expected.size(), std::move(stream));
    EXPECT_TRUE(stream == expected) << stream.size() << " of " << expected.size();
  });
}

// What the library has begun to write, and cannot end before the peer reads.
class WireTlsBusy {
 public:
  WireTlsBusy() : packet_(packet_of(1'000'000)) {
    tls.connect();
    const Got got = tls.message(1);
    const int result = library_writes_tls(tls.client(), packet_);
    EXPECT_LT(result, 0);
    EXPECT_EQ(__wrap_SSL_get_error(tls.client(), result), SSL_ERROR_WANT_WRITE);
    EXPECT_TRUE(link().library_waits());
    tls.base().release(got);
  }
  Link& link() const { return *tls.link(); }
  // The library goes on until its packet is written; what the peer has read until then.
  std::string library_goes_on() const {
    std::string stream;
    const auto until = Clock::now() + kBound;
    while (Clock::now() < until) {
      stream += tls.peer_has();
      if (library_writes_tls(tls.client(), packet_) > 0) break;
    }
    EXPECT_FALSE(link().library_waits());
    return stream;
  }
  std::string expected() const { return packet_ + puback(1); }

  const TlsDialled tls{{.hold = true}, 4608};

 private:
  const std::string packet_;
};

TEST(WireTls, NothingLeavesBetweenTheTwoPartsOfAPacket) {
  on_own_thread([] {
    const WireTlsBusy busy;
    busy.link().flush();
    const std::string stream = busy.library_goes_on();
    EXPECT_TRUE(busy.tls.polls_until_peer_has(busy.expected().size(), stream) == busy.expected());
  });
}

TEST(WireTls, AFlushDuringAPartOfAPacketDoesNotKeepTheReceiveThreadBusy) {
  on_own_thread([] {
    const WireTlsBusy busy;
    std::thread([&] { busy.link().flush(); }).join();
    std::string stream = busy.tls.peer_has();  // there is room now, for the library to use
    EXPECT_TRUE(sleeps_in_poll(busy.tls.pair().ours()));
    stream += busy.library_goes_on();
    EXPECT_TRUE(busy.tls.polls_until_peer_has(busy.expected().size(), stream) == busy.expected());
  });
}

TEST(WireTls, NothingIsWrittenOnceTheLibraryShutsDown) {
  on_own_thread([] {
    TlsDialled tls({.hold = true});
    tls.connect();
    const auto link = tls.link();
    const Got got = tls.message(8);
    tls.peer_sends(publish_of("late"));
    tls.base().release(got);
    std::thread([&] {
      link->flush();
      __wrap_SSL_shutdown(tls.client());
      tls.free_client();
    }).join();
    // Between the library's SSL_free() and its close(), as seen by the receive thread.
    link->flush();
    link->receive();
    EXPECT_EQ(library_polls(tls.pair().ours(), 0), 0);
    EXPECT_EQ(tls.peer_has(), "");
    EXPECT_EQ(tls.sink().got.size(), 1U);
    EXPECT_TRUE(link->gone());
  });
}

TEST(WireTls, ManyThreadsNeverSplitAPacket) {
  on_own_thread([] {
    const TlsDialled tls({.hold = true}, 8192);
    tls.connect();
    ThreadsAtOnce threads({.link = tls.link(),
                           .sink = tls.sink(),
                           .ours = tls.pair().ours(),
                           .peer = tls.pair().peer(),
                           .library_writes = [&](std::string_view packet) -> std::size_t {
                             // What OpenSSL could not write is to be offered again whole, and is.
                             if (library_writes_tls(tls.client(), packet) >= 0)
                               return packet.size();
                             EXPECT_EQ(__wrap_SSL_get_error(tls.client(), -1),
                                       SSL_ERROR_WANT_WRITE);
                             return 0;
                           },
                           .peer_sends =
                               [&](const std::string& packet) {
                                 const int size = static_cast<int>(packet.size());
                                 if (SSL_write(tls.server(), packet.data(), size) > 0) return true;
                                 ERR_clear_error();
                                 return false;
                               },
                           .peer_reads = [&] { return tls.peer_has(); }});
    threads.run();
  });
}

}  // namespace
}  // namespace triggerd::mqtt::wire::test
