// One connection with TLS, over a socket pair.
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
#include "unit/mqtt/wire_packets.hpp"
#include "unit/mqtt/wire_support.hpp"

namespace triggerd::mqtt::wire::test {
namespace {

const std::string kPingreq = {static_cast<char>(0xc0), 0};

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

class TlsPair {
 public:
  explicit TlsPair(int room = 0)
      : pair_(Pair::Kind::local, room),
        client_(SSL_new(client_context())),
        server_(SSL_new(server_context())) {
    SSL_set_fd(client_.get(), pair_.ours());
    SSL_set_fd(server_.get(), pair_.peer());
    SSL_set_connect_state(client_.get());
    SSL_set_accept_state(server_.get());
    int client = 0;
    int server = 0;
    for (int i = 0; i < 1000 && (client != 1 || server != 1); ++i) {
      client = SSL_do_handshake(client_.get());
      server = SSL_do_handshake(server_.get());
    }
    EXPECT_EQ(client, 1);
    EXPECT_EQ(server, 1);
    ERR_clear_error();
  }
  ~TlsPair() { pair_.close_ours(); }
  TlsPair(const TlsPair&) = delete;
  TlsPair& operator=(const TlsPair&) = delete;

  SSL* client() const { return client_.get(); }
  int ours() const { return pair_.ours(); }
  int peer() const { return pair_.peer(); }
  std::shared_ptr<Link> link() const { return pair_.link(); }
  // The library has freed its object.
  void free_client() { client_.reset(); }
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
  // The library's first read: from here on the link knows its TLS object. Returns the byte.
  std::string reads_one() const {
    const auto until = Clock::now() + kBound;
    char byte = 0;
    while (Clock::now() < until) {
      library_polls(ours(), 100);
      if (__wrap_SSL_read(client(), &byte, 1) == 1) return {byte};
    }
    return {};
  }
  // Polls as the receive thread until the peer has `size` bytes, or the bound.
  std::string polls_until_peer_has(std::size_t size, std::string stream = {}) const {
    polls_until(ours(), [&] {
      stream += peer_has();
      return stream.size() >= size;
    });
    return stream;
  }

 private:
  Pair pair_;
  std::unique_ptr<SSL, FreeSsl> client_;
  std::unique_ptr<SSL, FreeSsl> server_;
};

int library_writes_tls(SSL* ssl, std::string_view bytes) {
  return __wrap_SSL_write(ssl, bytes.data(), static_cast<int>(bytes.size()));
}

TEST(WireTls, ReadsSeveralRecordsAhead) {
  on_own_thread([] {
    const TlsPair tls;
    EXPECT_EQ(__wrap_SSL_pending(tls.client()), 0);
    int ends = 0;
    tls.link()->on_batch_end([&] { ++ends; });
    tls.peer_sends(std::string(100, 'a'));
    tls.peer_sends(std::string(100, 'b'));
    tls.peer_sends(std::string(100, 'c'));
    EXPECT_EQ(tls.reads_one(), "a");
    EXPECT_EQ(tls.link()->buffered(), 299U);
    EXPECT_EQ(__wrap_SSL_pending(tls.client()), 299);
    EXPECT_EQ(library_polls(tls.ours(), kBoundMs), POLLIN);
    EXPECT_EQ(ends, 0);
    std::string rest(299, '\0');
    EXPECT_EQ(__wrap_SSL_read(tls.client(), rest.data(), 299), 299);
    EXPECT_EQ(rest, std::string(99, 'a') + std::string(100, 'b') + std::string(100, 'c'));
    EXPECT_EQ(__wrap_SSL_pending(tls.client()), 0);
    EXPECT_EQ(library_polls(tls.ours(), 0), 0);
    EXPECT_EQ(ends, 1);
  });
}

// More than the buffer holds: what stays inside the TLS object counts as pending too.
TEST(WireTls, WhatDoesNotFitTheBufferComesAfterIt) {
  on_own_thread([] {
    const TlsPair tls;
    std::string sent;
    for (int i = 0; i < 10; ++i) {
      const std::string record(9000, static_cast<char>('a' + i));
      tls.peer_sends(record);
      sent += record;
    }
    std::string got = tls.reads_one();
    EXPECT_GT(SSL_pending(tls.client()), 0);
    EXPECT_EQ(__wrap_SSL_pending(tls.client()),
              static_cast<int>(tls.link()->buffered()) + SSL_pending(tls.client()));
    while (got.size() < sent.size()) {
      char some[7000];
      const int size = __wrap_SSL_read(tls.client(), some, sizeof some);
      ASSERT_GT(size, 0);
      got.append(some, static_cast<std::size_t>(size));
    }
    EXPECT_TRUE(got == sent);
  });
}

TEST(WireTls, NothingThereAndTheEndAreAsOfTls) {
  on_own_thread([] {
    const TlsPair tls;
    char byte = 0;
    int result = __wrap_SSL_read(tls.client(), &byte, 1);
    EXPECT_LT(result, 0);
    EXPECT_EQ(__wrap_SSL_get_error(tls.client(), result), SSL_ERROR_WANT_READ);
    ASSERT_EQ(::shutdown(tls.peer(), SHUT_WR), 0);
    result = __wrap_SSL_read(tls.client(), &byte, 1);
    EXPECT_LE(result, 0);
    const int error = __wrap_SSL_get_error(tls.client(), result);
    EXPECT_TRUE(error == SSL_ERROR_SSL || error == SSL_ERROR_SYSCALL) << error;
  });
}

TEST(WireTls, APacketOverTheLimitFailsTheRead) {
  on_own_thread([] {
    const TlsPair tls;
    tls.link()->limit_packets(1000);
    tls.peer_sends(std::string(2000, 'p'));
    EXPECT_EQ(tls.reads_one(), "p");
    std::string bytes(1001, '\0');
    const int result = __wrap_SSL_read(tls.client(), bytes.data(), 1001);
    EXPECT_LT(result, 0);
    EXPECT_EQ(__wrap_SSL_get_error(tls.client(), result), SSL_ERROR_SYSCALL);
    EXPECT_NE(tls.link()->fault(), "");
  });
}

TEST(WireTls, WhatAnotherThreadReleasesLeavesWithTheNextPoll) {
  on_own_thread([] {
    const TlsPair tls;
    const auto link = tls.link();
    tls.peer_sends("m");
    EXPECT_EQ(tls.reads_one(), "m");
    const auto ticket = link->hold({AckKind::puback, 8});
    EXPECT_EQ(library_writes_tls(tls.client(), puback(8)), 4);
    EXPECT_EQ(library_writes_tls(tls.client(), kPingreq), 2);
    EXPECT_EQ(library_polls(tls.ours(), 0), 0);
    EXPECT_EQ(tls.peer_has(), kPingreq);
    std::thread([&] {
      link->release(AckKind::puback, ticket);
      link->flush();
    }).join();
    EXPECT_EQ(tls.peer_has(), "");
    EXPECT_EQ(tls.polls_until_peer_has(4), puback(8));
    EXPECT_FALSE(link->we_wait());
  });
}

TEST(WireTls, AnAcknowledgementWrittenByAnotherThreadLeavesToo) {
  on_own_thread([] {
    const TlsPair tls;
    tls.peer_sends("m");
    EXPECT_EQ(tls.reads_one(), "m");
    EXPECT_EQ(library_polls(tls.ours(), 0), 0);
    std::thread([&] { EXPECT_EQ(library_writes_tls(tls.client(), puback(8)), 4); }).join();
    EXPECT_EQ(tls.polls_until_peer_has(4), puback(8));
  });
}

TEST(WireTls, WhileOurBytesWaitTheLibraryIsToldToTryAgain) {
  on_own_thread([] {
    const TlsPair tls(4608);
    const auto link = tls.link();
    tls.peer_sends("m");
    EXPECT_EQ(tls.reads_one(), "m");
    std::string expected;
    for (std::uint16_t id = 1; id <= 20'000; ++id) {
      link->release(AckKind::puback, link->hold({AckKind::puback, id}));
      library_writes_tls(tls.client(), puback(id));
      expected += puback(id);
    }
    link->flush();
    EXPECT_TRUE(link->we_wait());
    const int result = library_writes_tls(tls.client(), kPingreq);
    EXPECT_EQ(result, -1);
    EXPECT_EQ(__wrap_SSL_get_error(tls.client(), result), SSL_ERROR_WANT_WRITE);
    EXPECT_FALSE(link->library_waits());
    // One more, which has to wait for the write that is made again as it was.
    link->release(AckKind::puback, link->hold({AckKind::puback, 20'001}));
    library_writes_tls(tls.client(), puback(20'001));
    expected += puback(20'001);

    std::string stream = tls.polls_until_peer_has(expected.size() - 4);
    link->flush();
    EXPECT_EQ(library_writes_tls(tls.client(), kPingreq), 2);
    expected += kPingreq;
    stream = tls.polls_until_peer_has(expected.size(), std::move(stream));
    EXPECT_TRUE(stream == expected) << stream.size() << " of " << expected.size();
  });
}

// What the library has begun to write, and cannot end before the peer reads.
class WireTlsBusy {
 public:
  WireTlsBusy() : packet_(packet_of(200'000)) {
    tls.peer_sends("m");
    EXPECT_EQ(tls.reads_one(), "m");
    EXPECT_EQ(library_polls(tls.ours(), 0), 0);
    ticket = link->hold({AckKind::puback, 1});
    EXPECT_EQ(library_writes_tls(tls.client(), puback(1)), 4);
    const int result = library_writes_tls(tls.client(), packet_);
    EXPECT_LT(result, 0);
    EXPECT_EQ(__wrap_SSL_get_error(tls.client(), result), SSL_ERROR_WANT_WRITE);
    EXPECT_TRUE(link->library_waits());
    link->release(AckKind::puback, ticket);
  }
  // The library goes on until its packet is written; what the peer has read until then.
  std::string library_goes_on() const {
    std::string stream;
    const auto until = Clock::now() + kBound;
    while (Clock::now() < until) {
      stream += tls.peer_has();
      if (library_writes_tls(tls.client(), packet_) > 0) break;
    }
    EXPECT_FALSE(link->library_waits());
    return stream;
  }
  std::string expected() const { return packet_ + puback(1); }

  const TlsPair tls{4608};
  const std::shared_ptr<Link> link = tls.link();
  Gate::Ticket ticket = 0;

 private:
  const std::string packet_;
};

TEST(WireTls, NothingLeavesBetweenTheTwoPartsOfAPacket) {
  on_own_thread([] {
    const WireTlsBusy busy;
    busy.link->flush();
    const std::string stream = busy.library_goes_on();
    EXPECT_TRUE(busy.tls.polls_until_peer_has(busy.expected().size(), stream) == busy.expected());
  });
}

TEST(WireTls, AFlushDuringAPartOfAPacketDoesNotKeepTheReceiveThreadBusy) {
  on_own_thread([] {
    const WireTlsBusy busy;
    std::thread([&] { busy.link->flush(); }).join();
    std::string stream = busy.tls.peer_has();  // there is room now, for the library to use
    const auto used = [] {
      timespec now{};
      ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
      return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
    };
    const auto before = used();
    for (int i = 0; i < 3; ++i) library_polls(busy.tls.ours(), 100);
    EXPECT_LT(used() - before, 20ms);
    stream += busy.library_goes_on();
    EXPECT_TRUE(busy.tls.polls_until_peer_has(busy.expected().size(), stream) == busy.expected());
  });
}

TEST(WireTls, NothingIsWrittenOnceTheLibraryShutsDown) {
  on_own_thread([] {
    TlsPair tls;
    const auto link = tls.link();
    tls.peer_sends("m");
    EXPECT_EQ(tls.reads_one(), "m");
    const auto ticket = link->hold({AckKind::puback, 8});
    library_writes_tls(tls.client(), puback(8));
    link->release(AckKind::puback, ticket);
    std::thread([&] {
      link->flush();
      __wrap_SSL_shutdown(tls.client());
      tls.free_client();
    }).join();
    // Between the library's SSL_free() and its close(), as seen by the receive thread.
    link->flush();
    EXPECT_EQ(library_polls(tls.ours(), 0), 0);
    EXPECT_EQ(tls.peer_has(), "");
    EXPECT_TRUE(link->gone());
  });
}

TEST(WireTls, ManyThreadsNeverSplitAPacket) {
  on_own_thread([] {
    constexpr int kPackets = 400;
    const TlsPair tls(8192);
    const auto link = tls.link();
    tls.peer_sends("m");
    EXPECT_EQ(tls.reads_one(), "m");
    std::atomic<bool> done{false};
    Mutex mutex;
    std::vector<Gate::Ticket> ready;
    const auto until = Clock::now() + kBound;

    std::thread library([&] {
      BodySizes sizes;
      for (int i = 0; i < kPackets && Clock::now() < until; ++i) {
        const auto id = static_cast<std::uint16_t>(i + 1);
        const auto ticket = link->hold({AckKind::puback, id});
        EXPECT_EQ(library_writes_tls(tls.client(), puback(id)), 4);
        {
          MutexLock lock(mutex);
          ready.push_back(ticket);
        }
        const std::string packet = packet_of(sizes.next());
        int result = 0;
        while ((result = library_writes_tls(tls.client(), packet)) < 0 && Clock::now() < until) {
          ASSERT_EQ(__wrap_SSL_get_error(tls.client(), result), SSL_ERROR_WANT_WRITE);
          pollfd p{.fd = tls.ours(), .events = POLLOUT, .revents = 0};
          ::poll(&p, 1, 5);
        }
      }
    });
    std::vector<std::thread> workers;
    for (int w = 0; w < 3; ++w) {
      workers.emplace_back([&] {
        while (!done && Clock::now() < until) {
          std::vector<Gate::Ticket> mine;
          {
            MutexLock lock(mutex);
            mine.swap(ready);
          }
          std::reverse(mine.begin(), mine.end());
          for (const auto ticket : mine) {
            link->release(AckKind::puback, ticket);
            link->flush();
          }
          std::this_thread::yield();
        }
      });
    }
    std::vector<int> ids;
    std::thread peer([&] {
      std::string stream;
      while (ids.size() < kPackets && Clock::now() < until) {
        pollfd p{.fd = tls.peer(), .events = POLLIN, .revents = 0};
        ::poll(&p, 1, 20);
        stream += tls.peer_has();
        if (!only_whole_packets(stream, ids)) {
          ADD_FAILURE() << "a packet was split after acknowledgement " << ids.size();
          break;
        }
      }
      done = true;
    });
    EXPECT_TRUE(polls_until(tls.ours(), [&] { return done.load(); }));
    library.join();
    for (std::thread& worker : workers) worker.join();
    peer.join();
    ASSERT_EQ(ids.size(), static_cast<std::size_t>(kPackets));
    for (int i = 0; i < kPackets; ++i) ASSERT_EQ(ids[static_cast<std::size_t>(i)], i + 1);
  });
}

}  // namespace
}  // namespace triggerd::mqtt::wire::test
