// A volume that the inbox fills by itself, and a start on one that is full.
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include "support/eventually.hpp"
#include "support/http_server.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"
#include "support/small_disk.hpp"
#include "support/sqlite_connection.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::test {
namespace {

class FullVolume : public testing::Test {
 protected:
  void SetUp() override {
    enter_private_mounts();
    server_ = std::make_unique<MosquittoServer>();
    http_ = std::make_unique<ScriptedHttpServer>();
  }
  void make_triggerd(unsigned mebibytes, const std::string& temporary = {}) {
    std::map<std::string, std::string> env;
    if (!temporary.empty()) env["TMPDIR"] = temporary;
    triggerd_ = std::make_unique<TriggerdProcess>(fmt::format(R"(
[aliases.plant]
host = "tcp://127.0.0.1:{}"
client_id = "full"
[[triggers]]
name = "t"
alias = "plant"
topics = ["t/#"]
service = "http-forward"
concurrency = 16
order = "none"
retry = {{ max_attempts = 100000, interval = "200ms", backoff = 1.0 }}
[triggers.settings]
url = "{}"
)",
                                                              server_->port(), http_->url()),
                                                  env);
    disk_ = std::make_unique<SmallDisk>(triggerd_->dir() / "var", mebibytes);
  }
  // Until it takes no more, and then as many again.
  int publish_until_full(TestClient& client, std::size_t size) {
    int published = 0;
    const auto publish = [&](int count) {
      for (int i = 0; i < count; ++i) {
        client.publish_later("t/" + std::to_string(published++), std::string(size, 'x'));
      }
      EXPECT_TRUE(client.wait_published());
    };
    while (!triggerd_->wait_for_event("inbox.trouble", {}, 0, Millis(0)) && published < 100'000) {
      publish(50);
    }
    publish(published);
    return published;
  }
  // With the room of the copies that the killed runtime has left, too.
  void fill_by_others() {
    std::filesystem::remove_all(disk_->path() / "plugins");
    disk_->fill();
  }
  std::size_t handled() const {
    std::set<std::string> subjects;
    for (const HttpRequest& request : http_->requests())
      subjects.insert(request.header("ce-subject"));
    return subjects.size();
  }
  bool inbox_is_empty() const {
    const SqliteConnection inbox((triggerd_->dir() / "var/inbox.db").string());
    return inbox.rows("SELECT COUNT(*) FROM message") == SqliteConnection::Rows{"0"};
  }

  std::unique_ptr<MosquittoServer> server_;
  std::unique_ptr<ScriptedHttpServer> http_;
  std::unique_ptr<TriggerdProcess> triggerd_;
  std::unique_ptr<SmallDisk> disk_;
};

// The application is away and comes back.
TEST_F(FullVolume, OfTheInboxItselfIsOverWhenItsMessagesAreHandled) {
  make_triggerd(4);
  http_->stop();
  triggerd_->start();
  ASSERT_TRUE(triggerd_->wait_until_running()) << triggerd_->output();
  EXPECT_TRUE(triggerd_->wait_for_event("inbox.small_volume")) << triggerd_->output();
  TestClient client(server_->port());
  const int published = publish_until_full(client, 3'000);
  http_->start();
  EXPECT_TRUE(
      eventually([&] { return handled() == static_cast<std::size_t>(published); }, 4 * kPatience))
      << handled() << " of " << published << "\n"
      << triggerd_->output().substr(0, 6'000);
  EXPECT_TRUE(eventually([&] { return inbox_is_empty(); }));
  EXPECT_TRUE(triggerd_->wait_for_event("inbox.recovered"));
  EXPECT_EQ(triggerd_->output().find("disk is full"), std::string::npos);
  EXPECT_EQ(triggerd_->stop(), Exit{});
}

TEST_F(FullVolume, DoesNotKeepItFromStarting) {
  make_triggerd(4);
  http_->stop();
  triggerd_->start();
  ASSERT_TRUE(triggerd_->wait_until_running()) << triggerd_->output();
  TestClient client(server_->port());
  const int published = publish_until_full(client, 3'000);
  triggerd_->kill();
  fill_by_others();
  http_->start();
  triggerd_->start();
  ASSERT_TRUE(triggerd_->wait_until_running()) << triggerd_->output();
  EXPECT_TRUE(triggerd_->wait_for_event("plugin.copied_elsewhere")) << triggerd_->output();
  // What it has is handled while the volume is full.
  EXPECT_TRUE(eventually([&] { return inbox_is_empty(); }, 4 * kPatience)) << triggerd_->output();
  disk_->free();
  EXPECT_TRUE(
      eventually([&] { return handled() == static_cast<std::size_t>(published); }, 4 * kPatience))
      << handled() << " of " << published << "\n"
      << triggerd_->output().substr(0, 6'000);
  EXPECT_EQ(triggerd_->stop(), Exit{});
}

// Exit code 2 is what a service manager does not start again after.
TEST_F(FullVolume, WithoutRoomForItsPluginsAnywhereIsNoConfigurationError) {
  const TempDir folder;
  // With room for one copy of the plugin beside the inbox; that of a sanitizer's build is large.
  const auto size = std::filesystem::file_size(TriggerdProcess::plugin_dir() / "http-forward.so");
  const auto mebibytes = static_cast<unsigned>(3 + (size >> 20));
  SmallDisk temporary(folder / "temporary", mebibytes);
  make_triggerd(mebibytes, temporary.path().string());
  triggerd_->start();
  ASSERT_TRUE(triggerd_->wait_until_running()) << triggerd_->output();
  triggerd_->kill();
  temporary.fill();
  fill_by_others();
  triggerd_->start();
  EXPECT_EQ(triggerd_->process().wait(), (Exit{.code = 1})) << triggerd_->output();
  EXPECT_NE(triggerd_->output().find("No space left"), std::string::npos) << triggerd_->output();
}

}  // namespace
}  // namespace triggerd::test
