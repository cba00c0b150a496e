// Several runtimes that share the work through one server: one is killed, one comes, the killed one
// comes back, and nothing is lost. docs/scaling.md says what follows for a deployment.
#include <gtest/gtest.h>

#include <set>

#include "integration/recorded.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"

namespace triggerd::test {
namespace {

constexpr std::size_t kPart = 600;  // messages between two events

class ScalingTest : public testing::Test {
 protected:
  std::filesystem::path file(const std::string& replica) const { return dir_ / replica; }
  // As a pod of a StatefulSet: a name, and with it a client id and a folder of its own, which it
  // finds again.
  void start(const std::string& replica) {
    auto& process = replicas_[replica];
    if (!process) {
      const std::string alias = fmt::format(
          "[aliases.plant]\nhost = \"tcp://127.0.0.1:{}\"\nclient_id = \"${{POD_NAME}}\"\n"
          "reconnect = {{ min = \"50ms\", max = \"500ms\" }}\n",
          server_.port());
      process = std::make_unique<TriggerdProcess>(
          runtime_table() + alias +
              trigger_table("t", "plant", "\"stream/#\"", file(replica),
                            "shared_group = \"work\"\n"
                            "concurrency = 2\norder = \"none\"\n",
                            "delay_ms = 8"),
          std::map<std::string, std::string>{{"POD_NAME", replica}});
    }
    process->start();
    ASSERT_TRUE(process->wait_until_running()) << process->output();
  }
  void publish_part() {
    for (std::size_t i = 0; i < kPart; ++i) {
      client_.publish_later(fmt::format("stream/{}", ++published_), "x");
    }
    ASSERT_TRUE(client_.wait_published());
  }
  std::size_t handled_by(const std::string& replica) const {
    return records(file(replica), "end").size();
  }
  std::set<std::string> handled() const {
    std::set<std::string> topics;
    for (const auto& [replica, process] : replicas_) {
      for (const Record& record : records(file(replica), "end")) topics.insert(record.topic);
    }
    return topics;
  }
  void TearDown() override {
    if (!HasFailure()) return;
    for (const auto& [replica, process] : replicas_) ADD_FAILURE() << process->output();
  }

  TempDir dir_;
  MosquittoServer server_;
  TestClient client_{server_.port()};
  std::map<std::string, std::unique_ptr<TriggerdProcess>> replicas_;
  std::size_t published_ = 0;
};

TEST_F(ScalingTest, NothingIsLostWhereReplicasComeAndAreKilled) {
  for (const char* replica : {"pod-0", "pod-1", "pod-2"}) start(replica);
  publish_part();
  ASSERT_TRUE(eventually([&] { return handled_by("pod-1") >= kPart / 12; }));
  // In the midst of its work: some of it is in its inbox alone, some is on the way to it.
  publish_part();
  replicas_["pod-1"]->kill();
  publish_part();
  start("pod-3");
  publish_part();
  ASSERT_TRUE(eventually([&] { return handled_by("pod-3") >= kPart / 12; }));
  start("pod-1");
  publish_part();
  EXPECT_TRUE(eventually([&] { return handled().size() >= published_; }))
      << handled().size() << " of " << published_;
  // A fair share would be 900, 700, 900 and 500 or so: each has had a good part of its own.
  for (const char* replica : {"pod-0", "pod-1", "pod-2", "pod-3"}) {
    EXPECT_GE(handled_by(replica), kPart / 6) << replica;
  }
  for (const auto& [replica, process] : replicas_) EXPECT_EQ(process->stop(), (Exit{0, 0}));
}

}  // namespace
}  // namespace triggerd::test
