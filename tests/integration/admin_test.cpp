// The administrator of the real runtime, with a real server: health and readiness as they change,
// metrics that count right, and clients that try to be in the way of delivery.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <set>

#include "integration/recorded.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"
#include "support/triggerd_process.hpp"
#include "unit/admin/http_client.hpp"

namespace triggerd::test {
namespace {

class AdminTest : public testing::Test {
 protected:
  void start(const std::string& admin = "listen = \"127.0.0.1:0\"") {
    triggerd_.emplace(runtime_table() + "[admin]\n" + admin + "\n" +
                      alias_table("a", server_.port()) +
                      trigger_table("t", "a", "\"x/#\"", file()));
    start_triggerd();
  }
  void start_triggerd() {
    triggerd_->start();
    ASSERT_TRUE(triggerd_->wait_until_running()) << triggerd_->output();
    const auto port = triggerd_->admin_port();
    ASSERT_TRUE(port) << triggerd_->output();
    port_ = *port;
  }
  HttpAnswer get(const std::string& target) { return HttpClient(port_).ask("GET", target); }
  std::filesystem::path file() const { return dir_ / "records"; }
  // The value of one sample; -1: it is not there.
  double metric(const std::string& sample) {
    const std::string text = "\n" + get("/metrics").body;
    const std::size_t at = text.find("\n" + sample + " ");
    return at == std::string::npos ? -1 : std::stod(text.substr(at + sample.size() + 2));
  }

  TempDir dir_;
  MosquittoServer server_;
  std::optional<TriggerdProcess> triggerd_;
  std::uint16_t port_ = 0;
};

TEST_F(AdminTest, ReadinessGoesAndComesWithTheServer) {
  start();
  EXPECT_EQ(get("/healthz").status, 200);
  EXPECT_EQ(get("/readyz").status, 200) << get("/readyz").body;
  EXPECT_EQ(metric(R"(triggerd_connection_up{alias="a",client_id="client-a.t"})"), 1);
  server_.stop();
  ASSERT_TRUE(eventually([&] { return get("/readyz").status == 503; }));
  EXPECT_TRUE(eventually([&] {
    return get("/readyz").body.find("Connection refused") != std::string::npos;
  })) << get("/readyz").body;
  EXPECT_EQ(get("/healthz").status, 200) << "a server that is away is no fault of the process";
  EXPECT_EQ(metric(R"(triggerd_connection_up{alias="a",client_id="client-a.t"})"), 0);
  server_.start();
  EXPECT_TRUE(eventually([&] { return get("/readyz").status == 200; })) << get("/readyz").body;
  EXPECT_GE(metric(R"(triggerd_reconnects_total{alias="a",client_id="client-a.t"})"), 1);
}

// Another start would find the disk as full: nobody restarts it for that.
TEST_F(AdminTest, AnInboxThatIsFullIsNotReadyAndNoFaultOfTheProcess) {
  triggerd_.emplace(
      runtime_table() + "[inbox]\nmax_size = \"1MiB\"\n[admin]\nlisten = \"127.0.0.1:0\"\n" +
      alias_table("a", server_.port()) +
      trigger_table(
          "t", "a", "\"x/#\"", file(),
          "service = \"recorder:misbehave\"\n"
          "retry = { max_attempts = 1000000, interval = \"50ms\", max_interval = \"50ms\" }",
          fmt::format("mode = \"retry-until\"\nflag = \"{}\"", (dir_ / "healed").string())));
  start_triggerd();
  TestClient client(server_.port());
  for (int i = 0; i < 800; ++i) client.publish_later("x/1", std::string(4'000, 'x'));
  ASSERT_TRUE(client.wait_published());
  ASSERT_TRUE(eventually([&] {
    const HttpAnswer ready = get("/readyz");
    return ready.status == 503 &&
           ready.body.find("the inbox takes no messages") != std::string::npos;
  })) << get("/readyz").body;
  EXPECT_EQ(get("/healthz").status, 200) << get("/healthz").body;
  std::ofstream(dir_ / "healed") << "yes";
  EXPECT_TRUE(eventually([&] { return get("/readyz").status == 200; }, kPatience * 2))
      << get("/readyz").body;
}

TEST_F(AdminTest, MetricsCountWhatHappened) {
  start();
  TestClient client(server_.port());
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(client.publish("x/1", std::to_string(i), i % 3));
  ASSERT_TRUE(wait_for_records(file(), 30));
  EXPECT_TRUE(eventually([&] {
    return metric(R"(triggerd_messages_handled_total{trigger="t",verdict="ok"})") == 30;
  }));
  // QoS 2 is granted as far as the filter asks for it, which is QoS 1.
  EXPECT_EQ(metric(R"(triggerd_messages_received_total{trigger="t",qos="0"})"), 10);
  EXPECT_EQ(metric(R"(triggerd_messages_received_total{trigger="t",qos="1"})"), 20);
  EXPECT_EQ(metric(R"(triggerd_handle_seconds_count{trigger="t"})"), 30);
  EXPECT_EQ(metric(R"(triggerd_dead_letters{trigger="t"})"), 0);
  const HttpAnswer published =
      HttpClient(port_).ask("POST", "/api/v1/publish", "Content-Type: application/json\r\n",
                            R"({"alias":"a","topic":"x/2","payload":"by hand"})");
  EXPECT_EQ(published.status, 200) << published.body;
  EXPECT_TRUE(wait_for_records(file(), 31));
  EXPECT_EQ(metric(R"(triggerd_published_total{alias="a",result="ok"})"), 1);
}

TEST_F(AdminTest, ClientsThatSayNothingOrReadNothingCostNoMessage) {
  start();
  std::vector<HttpClient> idle;
  for (int i = 0; i < 500; ++i) {
    idle.emplace_back(port_);
    if (i % 2 == 0) idle.back().send("GET /api/v1/status HT");
  }
  HttpClient never_reads(port_);
  never_reads.send("GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_EQ(never_reads.read_answer().status, 200);
  TestClient client(server_.port());
  constexpr int kMessages = 5'000;
  const std::string padding(1'000, 'x');
  for (int i = 0; i < kMessages; ++i) {
    client.publish_later("x/1", std::to_string(i) + " " + padding);
    if (i % 50 == 0) idle[static_cast<std::size_t>(i / 50)].send("P");
  }
  ASSERT_TRUE(client.wait_published());
  EXPECT_EQ(get("/healthz").status, 200);
  ASSERT_TRUE(wait_for_records(file(), kMessages));
  std::set<std::string> payloads;
  for (const auto& record : records(file())) payloads.insert(record.hash);
  EXPECT_EQ(payloads.size(), static_cast<std::size_t>(kMessages));
}

TEST_F(AdminTest, EventsTellOfMessagesAsTheyAreHandled) {
  start();
  HttpClient stream(port_);
  stream.send("GET /api/v1/events?kind=message&trigger=t HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_EQ(stream.read_answer().status, 200);
  TestClient client(server_.port());
  ASSERT_TRUE(client.publish("x/1", "81.5"));
  const std::string event = stream.read_event();
  EXPECT_NE(event.find("\nevent: message\n"), std::string::npos) << event;
  EXPECT_NE(event.find(R"("payload":"81.5")"), std::string::npos) << event;
  EXPECT_NE(event.find(R"("verdict":"ok")"), std::string::npos) << event;
}

TEST_F(AdminTest, APortThatIsTakenStopsTheStartAndSaysSo) {
  start();
  TriggerdProcess second(runtime_table() + "[admin]\nlisten = \"127.0.0.1:" +
                         std::to_string(port_) + "\"\n" + alias_table("b", server_.port()));
  second.start();
  const auto exit = second.process().wait();
  ASSERT_TRUE(exit) << second.output();
  EXPECT_EQ(exit->code, 1) << second.output();
  EXPECT_NE(second.output().find("another program is using it"), std::string::npos)
      << second.output();
}

TEST_F(AdminTest, ASocketThatAKilledRuntimeLeftIsReplaced) {
  start();
  const std::filesystem::path socket = triggerd_->dir() / "var/admin.sock";
  struct stat status {};
  ASSERT_EQ(::lstat(socket.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
  triggerd_->kill();
  ASSERT_TRUE(std::filesystem::exists(socket));
  triggerd_->start();
  ASSERT_TRUE(triggerd_->wait_for_event("admin.listening", {"socket="})) << triggerd_->output();
  const auto exit = triggerd_->stop();
  ASSERT_TRUE(exit);
  EXPECT_EQ(exit->code, 0);
  EXPECT_FALSE(std::filesystem::exists(socket));
}

}  // namespace
}  // namespace triggerd::test
