// Brief services, which the thread that has read a message calls itself: with the real runtime and
// a real server.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <set>
#include <thread>

#include "integration/own_signals.hpp"
#include "integration/revised/revisions.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"
#include "support/triggerd_process.hpp"
#include "unit/admin/http_client.hpp"

namespace triggerd::test {
namespace {

class BriefTest : public testing::Test {
 protected:
  // Two triggers, "a" and "b", for "a/#" and "b/#", with this service and these keys.
  void start(const std::string& service, const std::string& keys = {},
             const std::string& plugin_dir = TEST_PLUGIN_DIR, const std::string& runtime = {}) {
    std::string text = fmt::format(
        "[runtime]\nname = \"test\"\nplugin_dirs = [\"{}\"]\n{}[admin]\nlisten = "
        "\"127.0.0.1:0\"\n{}",
        plugin_dir, runtime, alias_table("plant", server_.port()));
    for (const char* const name : {"a", "b"}) {
      text += fmt::format(
          "[[triggers]]\nname = \"{0}\"\nalias = \"plant\"\ntopics = [\"{0}/#\"]\nservice = "
          "\"{1}\"\n{2}\n",
          name, service, keys);
      if (plugin_dir == TEST_PLUGIN_DIR) {
        text += fmt::format("[triggers.settings]\nfile = \"{}\"\n", file(name).string());
      }
    }
    triggerd_.emplace(text, signals_are_its_own());
    run();
    client_.emplace(server_.port());
  }
  void run() {
    triggerd_->start();
    ASSERT_TRUE(triggerd_->wait_until_running()) << triggerd_->output();
    const auto port = triggerd_->admin_port();
    ASSERT_TRUE(port) << triggerd_->output();
    port_ = *port;
  }
  std::filesystem::path file(const std::string& trigger) const { return dir_ / trigger; }
  void publish(const std::string& topic, const std::string& payload = {}) {
    ASSERT_TRUE(client_->publish(topic, payload));
  }
  // Of a trigger; -1 where there is none.
  double metric(const std::string& name, const std::string& trigger, const std::string& more = {}) {
    const std::string sample = fmt::format("\n{}{{trigger=\"{}\"{}}} ", name, trigger, more);
    const std::string text = "\n" + HttpClient(port_).ask("GET", "/metrics").body;
    const std::size_t at = text.find(sample);
    return at == std::string::npos ? -1 : std::stod(text.substr(at + sample.size()));
  }
  double brief_calls(const std::string& trigger) {
    return metric("triggerd_brief_calls_total", trigger);
  }
  // Messages that were handled well.
  double handled(const std::string& trigger) {
    return metric("triggerd_messages_handled_total", trigger, ",verdict=\"ok\"");
  }
  bool wait_handled(const std::string& trigger, int count) {
    return eventually([&] { return handled(trigger) >= count; });
  }
  // The threads that have handled the trigger's messages, once the runtime has ended.
  std::set<std::string> threads(const std::string& trigger) const {
    std::set<std::string> found;
    std::ifstream in(file(trigger));
    for (std::string topic, thread; in >> topic >> thread;) found.insert(thread);
    return found;
  }
  // Those that have handled messages of both: a worker never does.
  std::set<std::string> shared_threads() const {
    const std::set<std::string> a = threads("a");
    const std::set<std::string> b = threads("b");
    EXPECT_FALSE(a.empty() || b.empty());
    std::set<std::string> both;
    std::set_intersection(a.begin(), a.end(), b.begin(), b.end(),
                          std::inserter(both, both.begin()));
    return both;
  }
  std::size_t lines_with(const std::string& event) const {
    std::size_t count = 0;
    const std::string output = triggerd_->output();
    for (std::size_t at = output.find(event); at != std::string::npos;
         at = output.find(event, at + 1)) {
      ++count;
    }
    return count;
  }
  // And waits until all of them, and those before, are handled.
  void publish_to_both(int count) {
    for (int i = 0; i < count; ++i) {
      publish(fmt::format("a/{}", i));
      publish(fmt::format("b/{}", i));
    }
    published_ += count;
    ASSERT_TRUE(wait_handled("a", published_) && wait_handled("b", published_))
        << triggerd_->output();
  }
  // Until a message of each has been called where it was read. One that stands behind others is
  // not, and they may be many where a worker was held up.
  void publish_until_both_are_brief() {
    ASSERT_TRUE(eventually([&] {
      publish_to_both(1);
      return HasFatalFailure() || (brief_calls("a") > 0 && brief_calls("b") > 0);
    }));
  }

  TempDir dir_;
  MosquittoServer server_;
  std::optional<TriggerdProcess> triggerd_;
  std::optional<TestClient> client_;
  std::uint16_t port_ = 0;
  int published_ = 0;  // to both
};

TEST_F(BriefTest, TheThreadThatReadsCallsThemForAllTriggers) {
  start("brief:quick");
  publish_to_both(50);
  publish_until_both_are_brief();
  EXPECT_GT(brief_calls("a"), 0);
  EXPECT_GT(brief_calls("b"), 0);
  EXPECT_EQ(metric("triggerd_brief_calls_too_long_total", "a"), 0);
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
  EXPECT_EQ(shared_threads().size(), 1U);
}

TEST_F(BriefTest, ATriggerMaySayOtherwise) {
  start("brief:quick", "brief = false");
  publish_to_both(20);
  EXPECT_EQ(brief_calls("a"), 0);
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
  EXPECT_TRUE(shared_threads().empty());
}

TEST_F(BriefTest, ATriggerMaySayItForItsService) {
  start("brief:plain", "brief = true");
  publish_to_both(50);
  publish_until_both_are_brief();
  EXPECT_GT(brief_calls("a"), 0);
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
  EXPECT_EQ(shared_threads().size(), 1U);
}

TEST_F(BriefTest, AServiceThatDoesNotSayItHasItsWorkers) {
  start("brief:plain");
  publish_to_both(20);
  EXPECT_EQ(brief_calls("a"), 0);
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
  EXPECT_TRUE(shared_threads().empty());
}

// The library as it was built when ABI 1.0 was new.
TEST_F(BriefTest, ATriggerMaySayItForAPluginOfAbi10) {
  const std::filesystem::path frozen = REPOSITORY "/tests/abi/v1.0/frozen-" MACHINE ".so";
  if (!std::filesystem::exists(frozen)) return;  // no library was frozen for this machine
  const std::filesystem::path plugins = dir_ / "plugins";
  std::filesystem::create_directory(plugins);
  std::filesystem::copy_file(frozen, plugins / "frozen.so");
  start("frozen:crowd", "brief = true", plugins.string());
  publish_to_both(50);
  publish_until_both_are_brief();
  EXPECT_GT(brief_calls("a"), 0);
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
}

TEST_F(BriefTest, OneThatIsNotBriefIsToldOfOnceAndGoesBackToWorkersWithAllItsTriggers) {
  start("brief:quick");
  publish("a/0", "sleep");
  ASSERT_TRUE(triggerd_->wait_for_event("trigger.not_brief", {"brief:quick", "trigger=a"}))
      << triggerd_->output();
  const double calls = brief_calls("a");
  const double others = brief_calls("b");
  for (int i = 0; i < 5; ++i) {
    publish("a/1", "sleep");
    publish("b/1", "sleep");
  }
  ASSERT_TRUE(wait_handled("a", 6) && wait_handled("b", 5)) << triggerd_->output();
  EXPECT_EQ(brief_calls("a"), calls);
  EXPECT_EQ(brief_calls("b"), others);
  EXPECT_EQ(metric("triggerd_brief_calls_too_long_total", "a"), 1);
  EXPECT_EQ(metric("triggerd_brief_calls_too_long_total", "b"), 0);
  EXPECT_EQ(lines_with("trigger.not_brief"), 1U) << triggerd_->output();
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
}

// Nothing else can do that thread's work: a restart is what helps, and a stop gets through.
TEST_F(BriefTest, ACallThatHangsIsToldOfWhileItDoesAndIsNoHealthyState) {
  start("brief:quick", {}, TEST_PLUGIN_DIR, "drain_timeout = \"1s\"\n");
  EXPECT_EQ(HttpClient(port_).ask("GET", "/healthz").status, 200);
  publish("a/0", "hang");
  ASSERT_TRUE(triggerd_->wait_for_event(
      "trigger.not_brief", {"error", "nothing is received until it does", "trigger=a"}))
      << triggerd_->output();
  std::string body;
  EXPECT_TRUE(eventually(
      [&] {
        const HttpAnswer answer = HttpClient(port_).ask("GET", "/healthz");
        body = answer.body;
        return answer.status == 503;
      },
      2 * kPatience));
  EXPECT_NE(body.find("hangs in the service of trigger"), std::string::npos) << body;
  EXPECT_EQ(lines_with("trigger.not_brief"), 1U) << triggerd_->output();
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0})) << triggerd_->output();
  EXPECT_EQ(lines_with("trigger.hung"), 1U) << triggerd_->output();
}

TEST_F(BriefTest, ACrashOfACallNamesItsMessage) {
  start("brief:quick");
  publish("a/0", "crash");
  EXPECT_EQ(triggerd_->process().wait(), (Exit{0, SIGSEGV})) << triggerd_->output();
  EXPECT_TRUE(triggerd_->wait_for_event(
      "runtime.crashed", {"SIGSEGV in handle of brief:quick", "plugin=brief trigger=a message="}))
      << triggerd_->output();
  triggerd_->start();
  EXPECT_TRUE(triggerd_->wait_for_event("runtime.crashed_before",
                                        {"ended by SIGSEGV in handle of brief:quick", "message="}))
      << triggerd_->output();
  // It comes again until it is set aside.
  EXPECT_EQ(triggerd_->process().wait(), (Exit{0, SIGSEGV})) << triggerd_->output();
  triggerd_->start();
  EXPECT_EQ(triggerd_->process().wait(), (Exit{0, SIGSEGV})) << triggerd_->output();
  triggerd_->start();
  EXPECT_TRUE(
      triggerd_->wait_for_event("message.dead_letter", {"ended the runtime 3 times, by SIGSEGV"}))
      << triggerd_->output();
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
}

// With connects, which hold the library's lock, at the same time.
TEST_F(BriefTest, PublishesFromACallDoNotLockAnythingUp) {
  MosquittoServer other;
  start("brief:quick");
  triggerd_->write_config([&] {
    std::ifstream in(triggerd_->config_file());
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    return text + alias_table("other", other.port(), "") +
           "[[triggers]]\nname = \"c\"\nalias = \"other\"\ntopics = [\"c/#\"]\nservice = "
           "\"brief:quick\"\n[triggers.settings]\nfile = \"" +
           file("c").string() + "\"\n";
  }());
  run();
  TestClient out(server_.port());
  ASSERT_TRUE(out.subscribe("out"));
  for (int round = 0; round < 5; ++round) {
    other.stop();
    for (int i = 0; i < 40; ++i) client_->publish_later(fmt::format("a/{}", i), "publish");
    other.start();
    for (int i = 0; i < 40; ++i) client_->publish_later(fmt::format("b/{}", i), "publish");
    ASSERT_TRUE(client_->wait_published());
  }
  EXPECT_TRUE(out.wait_for_count(400)) << triggerd_->output();
  EXPECT_TRUE(wait_handled("a", 200) && wait_handled("b", 200)) << triggerd_->output();
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
}

// Both are written to the disk, which the thread that receives does not wait for.
TEST_F(BriefTest, DeadLettersAndSuspensionsComeOfThemAsOfOthers) {
  start("brief:quick",
        "on_exhausted = \"suspend\"\nretry = { max_attempts = 1 }\nmonitor_interval = \"1h\"");
  publish("a/0", "reject");
  EXPECT_TRUE(triggerd_->wait_for_event("message.dead_letter", {"trigger=a", "not to my taste"}))
      << triggerd_->output();
  publish("a/1", "suspend");
  EXPECT_TRUE(triggerd_->wait_for_event("trigger.suspended", {"trigger=a", "not now"}))
      << triggerd_->output();
  EXPECT_GT(brief_calls("a"), 0);
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
  triggerd_->start();
  EXPECT_TRUE(triggerd_->wait_for_event("trigger.suspended", {"trigger=a", "stays so"}))
      << triggerd_->output();
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
}

TEST_F(BriefTest, AReloadUnderTrafficLosesNothing) {
  RevisedPlugin plugin(kFirst);
  triggerd_.emplace(plugin.config(server_.port(), "hot_reload = true\n", "brief = true\n"));
  triggerd_->start();
  ASSERT_TRUE(triggerd_->wait_until_running()) << triggerd_->output();
  std::atomic<bool> stop{false};
  std::size_t sent = 0;
  std::thread traffic([&] {
    TestClient client(server_.port());
    while (!stop) {
      if (client.publish("x", std::to_string(sent + 1))) ++sent;
    }
  });
  std::size_t from = 0;
  for (int i = 0; i < 5; ++i) {
    plugin.replace(i % 2 == 0 ? kSecond : kFirst);
    const auto line = triggerd_->wait_for_event("plugin.reloaded", {}, from);
    EXPECT_TRUE(line) << triggerd_->output();
    if (!line) break;
    from = line->index + 1;
  }
  stop = true;
  traffic.join();
  ASSERT_TRUE(plugin.wait_for(sent)) << triggerd_->output();
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
  const auto counted = plugin.counted();
  ASSERT_EQ(counted.size(), sent) << "none twice";
  for (std::size_t i = 0; i < counted.size(); ++i) {
    ASSERT_EQ(counted[i].payload, std::to_string(i + 1)) << "in their order";
    ASSERT_EQ(counted[i].count, i + 1) << "the state goes with every one of them";
  }
}

}  // namespace
}  // namespace triggerd::test
