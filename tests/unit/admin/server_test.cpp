// The server on real sockets: what slow and hostile clients get, events, and the Unix socket.
#include "admin/server.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <latch>
#include <nlohmann/json.hpp>

#include "admin/admin.hpp"
#include "admin/event_streamer.hpp"
#include "admin/peer_user.hpp"
#include "admin/unix_socket.hpp"
#include "support/capture_log.hpp"
#include "support/eventually.hpp"
#include "support/temp_dir.hpp"
#include "unit/admin/fake_management.hpp"
#include "unit/admin/http_client.hpp"

namespace triggerd::admin {
namespace {

using nlohmann::json;
using test::CaptureLog;
using test::eventually;
using test::FakeManagement;
using test::HttpAnswer;
using test::HttpClient;
using test::TempDir;

class AdminTest : public testing::Test {
 protected:
  void start(const std::string& token = "") {
    AdminOptions options;
    options.listen = config::ListenAddress{"127.0.0.1", 0};
    options.socket = dir_ / "admin.sock";
    options.token = token;
    options.handlers_end = test::kPatience;
    auto started = Admin::start(options, runtime_.management(), log_);
    ASSERT_TRUE(started) << started.error().message;
    admin_ = std::move(*started);
  }
  HttpClient client() { return HttpClient(admin_->port()); }
  HttpClient unix_client() {
    auto fd = connect_unix(dir_ / "admin.sock");
    EXPECT_TRUE(fd);
    return HttpClient(std::move(*fd));
  }

  TempDir dir_;
  CaptureLog log_;
  FakeManagement runtime_;
  std::unique_ptr<Admin> admin_;
};

TEST_F(AdminTest, AnswersManyRequestsOnOneConnection) {
  start();
  HttpClient client = this->client();
  for (int i = 0; i < 3; ++i) {
    const HttpAnswer answer = client.ask("GET", "/healthz");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, R"({"status":"ok"})");
    EXPECT_NE(answer.head.find("X-Content-Type-Options: nosniff"), std::string::npos);
  }
  const HttpAnswer head = client.ask("HEAD", "/healthz");
  EXPECT_EQ(head.status, 200);
  EXPECT_NE(head.head.find("Content-Length: 15"), std::string::npos) << head.head;
  const HttpAnswer published =
      client.ask("POST", "/api/v1/publish", "Content-Type: application/json\r\n",
                 R"({"alias":"plant","topic":"t","payload":"p","qos":2})");
  EXPECT_EQ(published.status, 200) << published.body;
  EXPECT_EQ(runtime_.calls(), (std::vector<std::string>{"publish plant t=p/2"}));
}

TEST_F(AdminTest, RefusesBeforeTheBodyIsSent) {
  start("0123456789abcdef");
  HttpClient client = this->client();
  client.send(
      "POST /api/v1/publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n{");
  const HttpAnswer answer = client.read_answer();
  EXPECT_EQ(answer.status, 401);
  EXPECT_NE(answer.head.find("WWW-Authenticate: Bearer"), std::string::npos);
  EXPECT_EQ(this->client().ask("GET", "/metrics").status, 401);
  EXPECT_EQ(this->client().ask("GET", "/nowhere").status, 401) << "nor what there is";
  EXPECT_EQ(
      this->client().ask("GET", "/metrics", "Authorization: Bearer 0123456789abcdef\r\n").status,
      200);
  EXPECT_EQ(this->client().ask("GET", "/healthz").status, 200);
  EXPECT_EQ(unix_client().ask("GET", "/metrics").status, 200);
}

TEST_F(AdminTest, APageOfAnotherSiteIsRefusedAndOneOfOursIsNot) {
  start();
  EXPECT_EQ(client().ask("GET", "/api/v1/status", "Origin: https://evil.example\r\n").status, 403);
  EXPECT_EQ(client().ask("GET", "/api/v1/status", "Origin: http://localhost\r\n").status, 200);
  HttpClient rebound = client();
  rebound.send("GET /api/v1/status HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  EXPECT_EQ(rebound.read_answer().status, 403);
  HttpClient twice = client();
  twice.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n");
  EXPECT_EQ(twice.read_answer().status, 400);
}

TEST_F(AdminTest, WhatIsTooLargeOrNoHttpIsRefused) {
  start();
  const std::string large(kBodyBytes + 1, ' ');
  EXPECT_EQ(client().ask("POST", "/api/v1/publish", "", large).status, 413);
  HttpClient chunks = client();
  chunks.send(
      "POST /api/v1/publish HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 33 && chunks.send("8000\r\n" + std::string(0x8000, ' ') + "\r\n"); ++i) {
  }
  EXPECT_EQ(chunks.read_answer().status, 413);
  EXPECT_EQ(client().ask("GET", "/healthz", "X: " + std::string(kHeaderBytes, 'x') + "\r\n").status,
            431);
  HttpClient garbage = client();
  garbage.send("\x16\x03\x01 this is TLS\r\n\r\n");
  EXPECT_EQ(garbage.read_answer().status, 400);
  HttpClient smuggler = client();
  smuggler.send(
      "POST /api/v1/publish HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
      "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  EXPECT_EQ(smuggler.read_answer().status, 400);
  EXPECT_EQ(client().ask("GET", "/healthz").status, 200);
}

TEST_F(AdminTest, ACodingThatIsNotKnownIsRefusedAndItsBodyIsNoSecondRequest) {
  start();
  for (const char* coding : {"xchunked", "identity", "chunked, identity", "gzip, chunked",
                             "chunked, chunked", "\"chunked\"", "", "chunked;q=1"}) {
    HttpClient smuggler = client();
    smuggler.send(std::string("POST /api/v1/publish HTTP/1.1\r\nHost: localhost\r\n"
                              "Transfer-Encoding: ") +
                  coding + "\r\n\r\nGET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_EQ(smuggler.read_answer().status, 400) << coding;
    EXPECT_EQ(smuggler.read_answer().status, 0) << coding << ": the body was a request";
  }
  HttpClient twice = client();
  twice.send(
      "POST /api/v1/publish HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
      "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n");
  EXPECT_EQ(twice.read_answer().status, 400);
  HttpClient old = client();
  old.send(
      "POST /api/v1/publish HTTP/1.0\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
      "0\r\n\r\n");
  EXPECT_EQ(old.read_answer().status, 400);
  const std::string body = R"({"alias":"plant","topic":"t"})";
  HttpClient good = client();
  good.send(
      "POST /api/v1/publish HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: Chunked\r\n"
      "Content-Type: application/json\r\n\r\n1d\r\n" +
      body + "\r\n0\r\n\r\n");
  EXPECT_EQ(good.read_answer().status, 200);
}

TEST_F(AdminTest, AHeadThatOthersMayReadOtherwiseIsRefused) {
  start();
  for (const char* head :
       {"Host: localhost\r\nX: a\r\n b\r\n", "Host: localhost\r\nX: a\r\n\tb\r\n",
        "Host:\r\n localhost\r\n", " Host: localhost\r\n", "Host: localhost\nX: a\r\n",
        "Host: localhost\rX: a\r\n"}) {
    HttpClient folder = client();
    folder.send(std::string("GET /healthz HTTP/1.1\r\n") + head + "\r\n");
    EXPECT_EQ(folder.read_answer().status, 400) << head;
  }
  // Byte by byte, with the empty line before it that some clients send. The first one has been read
  // by itself when another request is answered.
  HttpClient slow = client();
  slow.send("\r");
  EXPECT_EQ(client().ask("GET", "/healthz").status, 200);
  for (const char c : std::string("\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")) {
    slow.send(std::string(1, c));
  }
  EXPECT_EQ(slow.read_answer().status, 200);
}

TEST_F(AdminTest, ConnectionsThatSayNothingKeepNobodyOut) {
  start();
  std::vector<HttpClient> idle;
  for (int i = 0; i < 500; ++i) {
    idle.push_back(client());
    if (i % 2 == 0) idle.back().send("GET /healthz HT");
  }
  EXPECT_EQ(client().ask("GET", "/healthz").status, 200);
  EXPECT_TRUE(idle[0].wait_for_end()) << "those that have waited longest had to go";
}

TEST_F(AdminTest, ConnectionsWithAHeadAndNoBodyKeepNobodyOut) {
  start();
  std::vector<HttpClient> halves;
  for (std::size_t i = 0; i < kConnections + 12; ++i) {
    halves.push_back(client());
    halves.back().send(
        "POST /api/v1/publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: 10\r\nExpect: 100-continue\r\n\r\n");
    EXPECT_EQ(halves.back().read_answer().status, 100) << i << ": its head was taken";
  }
  EXPECT_EQ(client().ask("GET", "/healthz").status, 200);
  EXPECT_EQ(client().ask("GET", "/api/v1/status").status, 200);
}

TEST_F(AdminTest, HealthAndMetricsWaitForNoWorker) {
  std::latch go(1);
  std::atomic<int> busy{0};
  runtime_.while_reading_dead_letters = [&] {
    ++busy;
    go.wait();
  };
  start();
  std::vector<HttpClient> readers;
  for (int i = 0; i < 80; ++i) {
    readers.push_back(client());
    readers.back().send("GET /api/v1/dead-letters HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  ASSERT_TRUE(eventually([&] { return busy == 2; })) << "all workers that read";
  for (const char* path : {"/healthz", "/readyz", "/metrics"}) {
    for (int i = 0; i < 3; ++i) EXPECT_EQ(client().ask("GET", path).status, 200) << path;
  }
  go.count_down();
  for (HttpClient& reader : readers) EXPECT_NE(reader.read_answer().status, 0);
}

TEST(ServerReserve, IsForExpressRequestsAndTheOldestMakesPlace) {
  // Answers express requests alone; whoever asks for anything else is never answered.
  class Busy final : public Application {
    std::optional<Reply> refuse(Request&) override { return std::nullopt; }
    bool is_express(Request& request) override { return request.target == "/healthz"; }
    void answer(Request request, Done done) override {
      if (request.target == "/healthz") return done({200, "text/plain", "ok"});
      ++waiting;
    }

   public:
    std::atomic<std::size_t> waiting{0};
  } application;
  CaptureLog log;
  const auto server = Server::make(application, log);
  ASSERT_TRUE(server->listen_tcp("127.0.0.1", 0));
  server->start();
  std::vector<HttpClient> busy;
  for (std::size_t i = 0; i < kConnections; ++i) {
    busy.emplace_back(server->port());
    busy.back().send("GET /slow HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  ASSERT_TRUE(eventually([&] { return application.waiting == kConnections; }));
  HttpClient one_more(server->port());
  EXPECT_EQ(one_more.ask("GET", "/slow").status, 503);
  std::vector<HttpClient> silent;
  for (std::size_t i = 0; i < 3 * kReserve; ++i) silent.emplace_back(server->port());
  HttpClient probe(server->port());
  const HttpAnswer answer = probe.ask("GET", "/healthz");
  EXPECT_EQ(answer.status, 200);
  EXPECT_NE(answer.head.find("Connection: close"), std::string::npos) << answer.head;
  EXPECT_TRUE(silent[0].wait_for_end());
  server->stop();
}

TEST_F(AdminTest, WhatWaitsForAServerKeepsNobodyFromAsking) {
  std::latch go(1);
  runtime_.while_publishing = [&] { go.wait(); };
  start();
  std::vector<HttpClient> publishers;
  const std::string body = R"({"alias":"plant","topic":"t"})";
  for (int i = 0; i < 100; ++i) {
    publishers.push_back(client());
    publishers.back().send(
        "POST /api/v1/publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body);
  }
  EXPECT_EQ(client().ask("GET", "/healthz").status, 200);
  EXPECT_EQ(client().ask("GET", "/api/v1/status").status, 200);
  go.count_down();
  int done = 0;
  int refused = 0;
  for (HttpClient& publisher : publishers) {
    const int status = publisher.read_answer().status;
    done += status == 200 ? 1 : 0;
    refused += status == 503 ? 1 : 0;
  }
  EXPECT_EQ(done + refused, 100);
  EXPECT_GE(done, 64);
}

TEST_F(AdminTest, EventsAreStreamedToThoseWhoWantThem) {
  start();
  HttpClient all = client();
  all.send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(all.read_answer().status, 200);
  HttpClient states = client();
  states.send("GET /api/v1/events?kind=trigger&trigger=a HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(states.read_answer().status, 200);
  EXPECT_EQ(client().ask("GET", "/api/v1/events?kind=nonsense").status, 400);

  management::AdminEvent event;
  event.kind = "message";
  event.trigger = "a";
  event.payload = "81.5";
  event.payload_size = 4;
  runtime_.events.offer(event);
  event.kind = "trigger";
  event.text = "suspended";
  runtime_.events.offer(event);
  const std::string message = all.read_event();
  EXPECT_TRUE(message.starts_with("id: 1\nevent: message\ndata: {")) << message;
  EXPECT_NE(message.find(R"("payload":"81.5")"), std::string::npos) << message;
  EXPECT_TRUE(all.read_event().starts_with("id: 2\nevent: trigger\n"));
  EXPECT_TRUE(states.read_event().starts_with("id: 2\nevent: trigger\n"));
}

TEST_F(AdminTest, AReaderThatIsTooSlowIsToldWhatItMissed) {
  start();
  HttpClient slow = client();
  const int small = 64 * 1024;
  ::setsockopt(slow.fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  slow.send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_EQ(slow.read_answer().status, 200);
  management::AdminEvent event;
  event.kind = "message";
  event.payload = std::string(1000, 'x');
  event.payload_size = 1000;
  constexpr int kOffered = 20'000;  // far more than the kernel and we keep for it
  for (int i = 0; i < kOffered; ++i) runtime_.events.offer(event);
  ASSERT_TRUE(eventually([&] { return runtime_.events.waiting() == 0; }));
  int seen = 0;
  int missed = 0;
  while (seen + missed < kOffered) {
    const std::string text = slow.read_event();
    ASSERT_NE(text, "") << seen << " and " << missed;
    if (text.starts_with("event: missed")) {
      missed += json::parse(text.substr(text.find('{')))["count"].get<int>();
    } else {
      ++seen;
    }
  }
  EXPECT_EQ(seen + missed, kOffered);
  event.kind = "runtime";
  event.text = "the next";
  runtime_.events.offer(event);
  EXPECT_NE(slow.read_event().find("the next"), std::string::npos) << "and hears of what comes";
  EXPECT_GT(missed, 0);
  EXPECT_EQ(client().ask("GET", "/healthz").status, 200);
}

TEST_F(AdminTest, WithoutAListenerThereIsNoSubscription) {
  start();
  EXPECT_EQ(runtime_.events.subscriptions(), 0U);
  {
    HttpClient listener = client();
    listener.send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_EQ(listener.read_answer().status, 200);
    EXPECT_EQ(runtime_.events.subscriptions(), 1U);
  }
  EXPECT_TRUE(eventually([&] { return runtime_.events.subscriptions() == 0; }));
}

TEST_F(AdminTest, StreamsHaveABoundOfTheirOwn) {
  start();
  std::vector<HttpClient> streams;
  for (std::size_t i = 0; i < EventStreamer::kStreams; ++i) {
    streams.push_back(client());
    streams.back().send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    ASSERT_EQ(streams.back().read_answer().status, 200);
  }
  EXPECT_EQ(client().ask("GET", "/api/v1/events").status, 503);
  EXPECT_TRUE(admin_->stop());
  for (HttpClient& stream : streams) EXPECT_TRUE(stream.wait_for_end());
}

TEST_F(AdminTest, PackagesAreInstalledOnTheSocketOnly) {
  start();
  const char* const type = "Content-Type: application/json\r\n";
  const std::string body = R"({"archive":"/a.tar.zst"})";
  EXPECT_EQ(client().ask("POST", "/api/v1/packages", type, body).status, 403);
  EXPECT_EQ(client().ask("DELETE", "/api/v1/packages/boilers").status, 403);
  EXPECT_EQ(unix_client().ask("POST", "/api/v1/packages", type, body).status, 200);
}

TEST_F(AdminTest, APortThatIsTakenIsSaid) {
  start();
  AdminOptions options;
  options.listen = config::ListenAddress{"127.0.0.1", admin_->port()};
  const auto second = Admin::start(options, runtime_.management(), log_);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("another program is using it"), std::string::npos)
      << second.error().message;
}

TEST_F(AdminTest, OtherMachinesAreNotServedWithoutAToken) {
  AdminOptions options;
  options.listen = config::ListenAddress{"0.0.0.0", 0};
  EXPECT_FALSE(Admin::start(options, runtime_.management(), log_));
}

// One short time in each server, so that a test that is itself slow meets no other.
class ServerTimesTest : public testing::Test {
 protected:
  ~ServerTimesTest() override {
    if (server_) server_->stop();
  }
  void start(Millis ServerTimes::*which) {
    ServerTimes times;
    times.header = times.body = times.idle = std::chrono::hours(1);
    times.*which = Millis(50);
    server_ = Server::make(application_, log_, times);
    ASSERT_TRUE(server_->listen_tcp("127.0.0.1", 0));
    server_->start();
  }

  class Nothing final : public Application {
    std::optional<Reply> refuse(Request&) override { return std::nullopt; }
    bool is_express(Request&) override { return false; }
    void answer(Request, Done done) override { done({200, "text/plain", "ok"}); }
  } application_;
  CaptureLog log_;
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTimesTest, AConnectionThatSaysNothingIsEnded) {
  start(&ServerTimes::header);
  EXPECT_TRUE(HttpClient(server_->port()).wait_for_end());
}

TEST_F(ServerTimesTest, ASlowHeadIsEnded) {
  start(&ServerTimes::header);
  int status = 0;
  // One that was ended before it had sent anything got no answer.
  EXPECT_TRUE(test::eventually([&] {
    HttpClient slow(server_->port());
    slow.send("GET / HTTP/1.1\r\nHos");
    status = slow.read_answer().status;
    return status != 0 && slow.wait_for_end();
  }));
  EXPECT_EQ(status, 408);
}

TEST_F(ServerTimesTest, ASlowBodyIsEnded) {
  start(&ServerTimes::body);
  HttpClient slow(server_->port());
  slow.send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_EQ(slow.read_answer().status, 408);
}

TEST_F(ServerTimesTest, AConnectionThatIsIdleForTooLongIsEnded) {
  start(&ServerTimes::idle);
  HttpClient expecting(server_->port());
  expecting.send(
      "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(expecting.read_answer().status, 100);
  expecting.send("ab");
  EXPECT_EQ(expecting.read_answer().status, 200);
  EXPECT_TRUE(expecting.wait_for_end());
}

// One end of a connection whose other end is in a process of user `uid`.
class OtherEnd {
 public:
  explicit OtherEnd(uid_t uid) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    listening_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::bind(listening_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listening_.get(), 1), 0);
    socklen_t size = sizeof address;
    EXPECT_EQ(::getsockname(listening_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    child_ = ::fork();
    if (child_ == 0) {
      if (::setresuid(uid, uid, uid) != 0) ::_exit(1);
      const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
      if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) ::_exit(1);
      ::pause();
      ::_exit(0);
    }
    ours = UniqueFd(::accept(listening_.get(), nullptr, nullptr));
  }
  ~OtherEnd() {
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
  }
  UniqueFd ours;

 private:
  UniqueFd listening_;
  pid_t child_ = -1;
};

TEST(PeerUser, IsWhoHasTheOtherEnd) {
  // Another user than the own one can be had by root alone.
  const uid_t user = ::geteuid() == 0 ? 12'345 : ::geteuid();
  const OtherEnd other(user);
  EXPECT_EQ(peer_user(other.ours.get()), user);
  EXPECT_EQ(is_own_user(user), ::geteuid() != 0);
  EXPECT_TRUE(is_own_user(0));
  EXPECT_FALSE(is_own_user(65'534)) << "anybody of another user namespace";
}

TEST(PeerUser, OfAnEndThatIsClosedIsNotRoot) {
  std::optional<OtherEnd> other(std::in_place, ::geteuid());
  UniqueFd ours = std::move(other->ours);
  other.reset();
  EXPECT_TRUE(eventually([&] { return peer_user(ours.get()) == std::nullopt; }));
}

class SocketFile : public testing::Test {
 protected:
  std::filesystem::path path() const { return dir_ / "admin.sock"; }
  std::string error() const {
    const auto listener = UnixListener::listen(path());
    return listener ? std::string() : listener.error().message;
  }
  TempDir dir_;
};

TEST_F(SocketFile, IsItsOwnersAloneAndGoesWithIt) {
  {
    const auto listener = UnixListener::listen(path());
    ASSERT_TRUE(listener) << listener.error().message;
    struct stat status {};
    ASSERT_EQ(::lstat(path().c_str(), &status), 0);
    EXPECT_TRUE(S_ISSOCK(status.st_mode));
    EXPECT_EQ(status.st_mode & 07777, 0600U);
    EXPECT_TRUE(connect_unix(path()));
  }
  EXPECT_FALSE(std::filesystem::exists(path()));
}

TEST_F(SocketFile, ThatNobodyListensOnIsReplaced) {
  {
    auto listener = UnixListener::listen(path());
    ASSERT_TRUE(listener);
    // As a runtime that was killed leaves it.
    std::filesystem::rename(path(), dir_ / "kept");
  }
  std::filesystem::rename(dir_ / "kept", path());
  EXPECT_EQ(error(), "");
}

TEST_F(SocketFile, OfAnotherRuntimeIsLeftAlone) {
  const auto listener = UnixListener::listen(path());
  ASSERT_TRUE(listener);
  EXPECT_NE(error().find("another process listens on it"), std::string::npos);
  EXPECT_TRUE(connect_unix(path()));
}

TEST_F(SocketFile, IsNotPutInPlaceOfAnythingElse) {
  dir_.write("admin.sock", "precious");
  EXPECT_NE(error().find("is not a socket"), std::string::npos);
  EXPECT_EQ(std::filesystem::file_size(path()), 8U);
  std::filesystem::remove(path());
  std::filesystem::create_symlink(dir_ / "elsewhere", path());
  EXPECT_NE(error().find("is not a socket"), std::string::npos);
}

TEST_F(SocketFile, MayHaveALongPath) {
  std::filesystem::path folder = dir_.path();
  for (int i = 0; i < 4; ++i) folder /= std::string(60, 'd');
  std::filesystem::create_directories(folder);
  const auto listener = UnixListener::listen(folder / "admin.sock");
  ASSERT_TRUE(listener) << listener.error().message;
  EXPECT_TRUE(connect_unix(folder / "admin.sock"));
}

}  // namespace
}  // namespace triggerd::admin
