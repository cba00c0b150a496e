// New certificates in the place of old ones, while messages flow.
#include <atomic>
#include <set>
#include <thread>

#include "integration/tls_fixture.hpp"
#include "support/tls_server.hpp"

namespace triggerd::test {
namespace {

// Longer than two looks of the runtime at its files.
constexpr Millis kRotation = 3 * kPatience;

class TlsRotationTest : public TlsFixture {
 protected:
  std::string config(const std::string& host) const {
    return runtime_table() + truststore(authority_.pem()) +
           keystore(authority_.issue({.name = "edge-1"})) +
           alias("a", host, "truststore = \"ca\"\nkeystore = \"edge\"");
  }
  ReservedPort port_;
};

TEST_F(TlsRotationTest, UnderTrafficNothingIsLostAndTheServerSeesTheNewOne) {
  MosquittoServer server({.extra_config = listener(port_.number(), authority_.issue(), true)});
  TriggerdProcess triggerd(config(fmt::format("ssl://localhost:{}", port_.number())));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  std::atomic<bool> done{false};
  std::size_t sent = 0;
  std::thread traffic([&] {
    TestClient publisher(server.port());
    while (!done) {
      if (!publisher.publish("x", fmt::format("message {}", sent))) return;
      ++sent;
      std::this_thread::sleep_for(Millis(1));  // what is slower can keep up, too
    }
  });
  ASSERT_TRUE(wait_for_records(file("a"), 100));
  write_key(authority_.issue({.name = "edge-2"}));
  const auto rotated = triggerd.wait_for_event("tls.rotated", {"alias=a"}, 0, kRotation);
  EXPECT_TRUE(rotated) << triggerd.output();
  const std::size_t from = rotated ? rotated->index : 0;
  EXPECT_TRUE(triggerd.wait_for_event("connection.renewing", {"trigger=a"}, from));
  EXPECT_TRUE(triggerd.wait_for_event("connection.up", {"trigger=a", "session resumed"}, from))
      << triggerd.output();
  EXPECT_TRUE(triggerd.wait_for_event("runtime.ready", {}, from)) << triggerd.output();
  const std::size_t before = records(file("a"), "end").size();
  EXPECT_TRUE(wait_for_records(file("a"), before + 100)) << "it goes on";
  done = true;
  traffic.join();
  EXPECT_TRUE(wait_for_records(file("a"), sent));
  std::set<std::string> payloads;
  for (const Record& record : records(file("a"), "end")) payloads.insert(record.hash);
  EXPECT_EQ(payloads.size(), sent) << "every message, each of them different";
  EXPECT_EQ(triggerd.output().find("connection.failed"), std::string::npos) << triggerd.output();
  EXPECT_TRUE(server.process().wait_for_line("u'edge-2'")) << server.process().output();
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
}

TEST_F(TlsRotationTest, BadNewFilesAreNamedAndTheOldOnesStayInUse) {
  MosquittoServer server({.extra_config = listener(port_.number(), authority_.issue(), true)});
  TriggerdProcess triggerd(config(fmt::format("ssl://localhost:{}", port_.number())));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  secret("edge.key", authority_.issue().key_pem());
  const auto refused = triggerd.wait_for_event("tls.rotation_refused", {"alias=a"}, 0, kRotation);
  ASSERT_TRUE(refused) << triggerd.output();
  EXPECT_NE(refused->text.find("does not match the certificate in"), std::string::npos);
  expect_delivery(server, "a");
  // What is kept is in memory: it is used for a connect, too.
  server.restart();
  ASSERT_TRUE(triggerd.wait_for_event("runtime.ready", {}, refused->index)) << triggerd.output();
  expect_delivery(server, "a");
  EXPECT_EQ(triggerd.output().find("tls.rotated"), std::string::npos);
}

TEST_F(TlsRotationTest, ANewCaIsTakenByAConnectionThatWaits) {
  const CertificateAuthority next("Next CA");
  TlsServer server({.identity = next.issue()});
  TriggerdProcess triggerd(runtime_table() + truststore(authority_.pem()) +
                           alias("a", fmt::format("ssl://localhost:{}", server.port()),
                                 "truststore = \"ca\"\nclean_session = true"));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_for_event("connection.failed", {"trigger=a", "issued by CN=Next CA"}))
      << triggerd.output();
  dir_.write("ca.pem", authority_.pem() + next.pem());
  EXPECT_TRUE(triggerd.wait_until_running(kRotation)) << triggerd.output();
}

}  // namespace
}  // namespace triggerd::test
