// The inbox's files are taken away from under a runtime that has acknowledged messages in them.
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "support/eventually.hpp"
#include "support/http_server.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"
#include "support/sqlite_connection.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::test {
namespace {

constexpr int kMessages = 50;

class InboxFiles : public testing::Test {
 protected:
  InboxFiles()
      : triggerd_(fmt::format(R"(
[aliases.plant]
host = "tcp://127.0.0.1:{}"
client_id = "files"
[[triggers]]
name = "t"
alias = "plant"
topics = ["t/#"]
service = "http-forward"
order = "none"
retry = {{ max_attempts = 100000, interval = "200ms", backoff = 1.0 }}
[triggers.settings]
url = "{}"
)",
                              server_.port(), http_.url())) {
    http_.stop();
    triggerd_.start();
    EXPECT_TRUE(triggerd_.wait_until_running()) << triggerd_.output();
    client_.emplace(server_.port());
    for (int i = 0; i < kMessages; ++i) client_->publish_later("t/" + std::to_string(i), "x");
    EXPECT_TRUE(client_->wait_published());
    EXPECT_TRUE(eventually([&] { return rows() == std::to_string(kMessages); })) << rows();
  }
  std::filesystem::path state() const { return triggerd_.dir() / "var"; }
  std::string rows() const {
    if (!std::filesystem::exists(state() / "inbox.db")) return "none";
    const SqliteConnection inbox((state() / "inbox.db").string());
    const auto found = inbox.rows("SELECT COUNT(*) FROM message");
    return found && found->size() == 1 ? found->front() : "cannot be read";
  }
  // With the application there, after the worst that can happen to the runtime.
  void expect_all_handled_after_a_kill(int messages) {
    triggerd_.kill();
    http_.start();
    triggerd_.start();
    EXPECT_TRUE(eventually([&] {
      std::set<std::string> subjects;
      for (const HttpRequest& request : http_.requests()) {
        subjects.insert(request.header("ce-subject"));
      }
      return subjects.size() == static_cast<std::size_t>(messages);
    })) << triggerd_.output();
    EXPECT_EQ(triggerd_.stop(), Exit{});
  }

  MosquittoServer server_;
  ScriptedHttpServer http_;
  TriggerdProcess triggerd_;
  std::optional<TestClient> client_;
};

TEST_F(InboxFiles, OneThatIsDeletedCostsNoMessage) {
  std::filesystem::remove(state() / "inbox.db");
  EXPECT_TRUE(triggerd_.wait_for_event("inbox.written_again")) << triggerd_.output();
  EXPECT_TRUE(eventually([&] { return rows() == std::to_string(kMessages); })) << rows();
  expect_all_handled_after_a_kill(kMessages);
}

TEST_F(InboxFiles, NothingIsAcknowledgedIntoOneThatNobodyFinds) {
  std::filesystem::rename(state() / "inbox.db", state() / "moved.db");
  ASSERT_EQ(SqliteConnection((state() / "inbox.db").string()).run("CREATE TABLE other (x)"), 0);
  EXPECT_TRUE(triggerd_.wait_for_event("inbox.trouble", {"another file"})) << triggerd_.output();
  ASSERT_TRUE(client_->publish("t/late", "x"));
  for (const char* part : {"", "-wal", "-shm"}) {
    std::filesystem::remove(state() / (std::string("inbox.db") + part));
  }
  EXPECT_TRUE(triggerd_.wait_for_event("inbox.recovered")) << triggerd_.output();
  EXPECT_TRUE(eventually([&] { return rows() == std::to_string(kMessages + 1); })) << rows();
  expect_all_handled_after_a_kill(kMessages + 1);
}

}  // namespace
}  // namespace triggerd::test
