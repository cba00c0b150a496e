#include "config/load.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <map>

#include "support/temp_dir.hpp"

namespace triggerd::config {
namespace {

class LoadTest : public testing::Test {
 protected:
  Config good() {
    auto loaded = load(folder_ / "triggers.toml", environment());
    if (loaded) return *std::move(loaded);
    for (const Diagnostic& d : loaded.error()) ADD_FAILURE() << to_string(d);
    return {};
  }
  std::string errors() {
    const auto loaded = load(folder_ / "triggers.toml", environment());
    std::string text;
    if (loaded) return text;
    for (const Diagnostic& d : loaded.error()) text += to_string(d) + '\n';
    return text;
  }
  Environment environment() {
    return [this](const std::string& name) -> std::optional<std::string> {
      asked_.push_back(name);
      const auto found = variables_.find(name);
      if (found == variables_.end()) return std::nullopt;
      return found->second;
    };
  }

  const test::TempDir folder_;
  std::map<std::string, std::string> variables_;
  std::vector<std::string> asked_;
};

constexpr const char* kAlias = "[aliases.plant]\nhost = \"tcp://localhost\"\n";
constexpr const char* kTrigger =
    "[[triggers]]\nname = \"t\"\nalias = \"plant\"\ntopics = [\"a\"]\nservice = \"log\"\n";

TEST_F(LoadTest, FillsInDefaults) {
  folder_.write("triggers.toml", std::string(kAlias) + kTrigger);
  const Config config = good();
  char host[256] = {};
  ASSERT_EQ(::gethostname(host, sizeof host - 1), 0);
  EXPECT_EQ(config.runtime.name, host);
  EXPECT_EQ(config.runtime.state_dir, folder_ / "var");
  EXPECT_EQ(config.runtime.plugin_dirs, std::vector{folder_ / "plugins"});
  EXPECT_EQ(config.runtime.drain_timeout, Millis(10'000));
  EXPECT_EQ(config.log.level, LogLevel::info);
  EXPECT_EQ(config.log.format, LogFormat::text);

  ASSERT_EQ(config.aliases.size(), 1u);
  const Alias& alias = config.aliases[0];
  EXPECT_EQ(alias.name, "plant");
  EXPECT_TRUE(alias.enabled);
  ASSERT_EQ(alias.servers.size(), 1u);
  EXPECT_EQ(to_string(alias.servers[0]), "tcp://localhost:1883");
  EXPECT_EQ(alias.client_id, "");
  EXPECT_FALSE(alias.clean_session);
  EXPECT_EQ(alias.connection_timeout, Millis(30'000));
  EXPECT_EQ(alias.keep_alive, Millis(60'000));
  EXPECT_EQ(alias.reconnect.min, Millis(1'000));
  EXPECT_EQ(alias.reconnect.max, Millis(60'000));
  EXPECT_EQ(alias.max_packet_size, 1u << 20);
  EXPECT_FALSE(alias.max_inflight);
  EXPECT_EQ(alias.filters_per_packet, 100u);
  EXPECT_EQ(alias.user_name, "");
  EXPECT_TRUE(alias.password.empty());
  EXPECT_FALSE(alias.last_will);

  ASSERT_EQ(config.triggers.size(), 1u);
  const Trigger& trigger = config.triggers[0];
  EXPECT_TRUE(trigger.enabled);
  ASSERT_EQ(trigger.topics.size(), 1u);
  EXPECT_EQ(trigger.topics[0].qos, 1);
  EXPECT_EQ(trigger.plugin, "log");
  EXPECT_EQ(trigger.service, "");
  EXPECT_EQ(trigger.concurrency, 1u);
  EXPECT_EQ(trigger.order.by, Order::By::trigger);
  EXPECT_FALSE(trigger.deduplicate);
  EXPECT_EQ(trigger.queue_capacity, 1000u);
  EXPECT_FALSE(trigger.pacing.max_rate.limited());
  EXPECT_EQ(trigger.pacing.delay, Millis(0));
  EXPECT_EQ(trigger.timeout, Millis(30'000));
  EXPECT_EQ(trigger.retained, Retained::process);
  EXPECT_EQ(trigger.retry.max_attempts, 8u);
  EXPECT_EQ(trigger.retry.backoff.min, Millis(1'000));
  EXPECT_EQ(trigger.retry.backoff.max, Millis(300'000));
  EXPECT_EQ(trigger.retry.backoff.factor, 2.0);
  EXPECT_EQ(trigger.on_exhausted, OnExhausted::dead_letter);
  EXPECT_EQ(trigger.dead_letter_topic, "");
  EXPECT_EQ(trigger.settings.json, "{}");
}

TEST_F(LoadTest, ReadsEveryKey) {
  folder_.write("secrets/mqtt", "hunter2\n");
  folder_.write("triggers.toml", R"(
[runtime]
name = "edge-1"
state_dir = "state/"
plugin_dirs = ["a", "/b"]
drain_timeout = "1m30s"
hot_reload = false
[log]
level = "trace"
format = "json"
[aliases.plant]
description = "the plant"
enabled = false
hosts = ["mqtt://one:1", "mqtt://two"]
client_id = "edge-1"
protocol = "3.1.1"
clean_session = true
connection_timeout = "500ms"
keep_alive = 5
reconnect = { min = "2s", max = 3 }
max_packet_size = "64KiB"
max_inflight = 7
filters_per_packet = 8
user_name = "edge"
password_file = "secrets/mqtt"
proxy = "socks5://edge:p%40ss@proxy"
[aliases.plant.last_will]
enabled = false
topic = "state"
qos = 2
retained = true
payload = "lo\u0000st"
on_connect_payload = ""
on_disconnect_payload = "down"
[[triggers]]
name = "t.1"
description = "a trigger"
enabled = false
alias = "plant"
topics = [{ filter = "a/#", qos = 0 }, { filter = "b" }, "c"]
service = "thermostat:high"
concurrency = 8
order = "topic:2"
deduplicate = { key = "json:/id", window = "2h", max = 5 }
queue_capacity = 7
max_rate = "30/min"
delay = "5s"
acknowledge = "received"
timeout = 2
retained = "once"
retry = { max_attempts = 1, interval = "3s", backoff = 1, max_interval = "4s" }
on_exhausted = "suspend"
dead_letter_topic = "dead"
settings = { a = 1 }
)");
  const Config config = good();
  EXPECT_EQ(config.runtime.name, "edge-1");
  EXPECT_EQ(config.runtime.state_dir, folder_ / "state");
  EXPECT_EQ(config.runtime.state_dir_place.line, 4u);
  EXPECT_EQ(config.runtime.plugin_dirs, (std::vector<std::filesystem::path>{folder_ / "a", "/b"}));
  EXPECT_EQ(config.runtime.drain_timeout, Millis(90'000));
  EXPECT_EQ(config.log.level, LogLevel::trace);
  EXPECT_EQ(config.log.format, LogFormat::json);

  const Alias* alias = config.find_alias("plant");
  ASSERT_NE(alias, nullptr);
  EXPECT_EQ(alias->description, "the plant");
  EXPECT_FALSE(alias->enabled);
  ASSERT_EQ(alias->servers.size(), 2u);
  EXPECT_EQ(to_string(alias->servers[0]), "tcp://one:1");
  EXPECT_EQ(to_string(alias->servers[1]), "tcp://two:1883");
  EXPECT_EQ(alias->client_id, "edge-1");
  EXPECT_TRUE(alias->clean_session);
  EXPECT_EQ(alias->connection_timeout, Millis(500));
  EXPECT_EQ(alias->keep_alive, Millis(5'000));
  EXPECT_EQ(alias->reconnect.min, Millis(2'000));
  EXPECT_EQ(alias->reconnect.max, Millis(3'000));
  EXPECT_EQ(alias->max_packet_size, 64u << 10);
  EXPECT_EQ(alias->max_inflight, 7u);
  EXPECT_EQ(alias->filters_per_packet, 8u);
  EXPECT_EQ(alias->user_name, "edge");
  EXPECT_EQ(alias->password.reveal(), "hunter2");
  ASSERT_TRUE(alias->proxy);
  EXPECT_EQ(to_string(*alias->proxy), "socks5://proxy:1080");
  EXPECT_EQ(alias->proxy->password.reveal(), "p@ss");
  ASSERT_TRUE(alias->last_will);
  EXPECT_FALSE(alias->last_will->enabled);
  EXPECT_EQ(alias->last_will->topic, "state");
  EXPECT_EQ(alias->last_will->qos, 2);
  EXPECT_TRUE(alias->last_will->retained);
  EXPECT_EQ(alias->last_will->payload, std::string("lo\0st", 5));
  EXPECT_EQ(alias->last_will->on_connect_payload, "");
  EXPECT_EQ(alias->last_will->on_disconnect_payload, "down");

  const Trigger* trigger = config.find_trigger("t.1");
  ASSERT_NE(trigger, nullptr);
  EXPECT_EQ(trigger->place.line, 35u);
  EXPECT_EQ(trigger->description, "a trigger");
  EXPECT_FALSE(trigger->enabled);
  EXPECT_EQ(trigger->alias, "plant");
  ASSERT_EQ(trigger->topics.size(), 3u);
  EXPECT_EQ(trigger->topics[0].filter, "a/#");
  EXPECT_EQ(trigger->topics[0].qos, 0);
  EXPECT_EQ(trigger->topics[1].qos, 1);
  EXPECT_EQ(trigger->topics[2].filter, "c");
  EXPECT_EQ(trigger->plugin, "thermostat");
  EXPECT_EQ(trigger->service, "high");
  EXPECT_EQ(trigger->service_place.line, 41u);
  EXPECT_EQ(trigger->concurrency, 8u);
  EXPECT_EQ(trigger->concurrency_place.line, 42u);
  EXPECT_EQ(trigger->order.by, Order::By::topic_level);
  EXPECT_EQ(trigger->order.level, 2u);
  ASSERT_TRUE(trigger->deduplicate);
  EXPECT_EQ(trigger->deduplicate->by, Deduplicate::By::json);
  EXPECT_EQ(trigger->deduplicate->pointer, "/id");
  EXPECT_FALSE(trigger->deduplicate->topic);
  EXPECT_EQ(trigger->deduplicate->window, Millis(7'200'000));
  EXPECT_EQ(trigger->deduplicate->max, 5U);
  EXPECT_EQ(trigger->queue_capacity, 7u);
  EXPECT_EQ(format_rate(trigger->pacing.max_rate), "30/min");
  EXPECT_EQ(trigger->pacing.delay, Millis(5'000));
  EXPECT_EQ(trigger->timeout, Millis(2'000));
  EXPECT_EQ(trigger->retained, Retained::once);
  EXPECT_EQ(trigger->retry.max_attempts, 1u);
  EXPECT_EQ(trigger->retry.backoff.min, Millis(3'000));
  EXPECT_EQ(trigger->retry.backoff.max, Millis(4'000));
  EXPECT_EQ(trigger->retry.backoff.factor, 1.0);
  EXPECT_EQ(trigger->on_exhausted, OnExhausted::suspend);
  EXPECT_EQ(trigger->dead_letter_topic, "dead");
  EXPECT_EQ(trigger->settings.json, R"({"a":1})");
  EXPECT_EQ(config.find_alias("other"), nullptr);
  EXPECT_EQ(config.find_trigger("t"), nullptr);
}

TEST_F(LoadTest, ATriggersLogLevelIsItsOwnOrItsPlugins) {
  folder_.write("triggers.toml", R"(
[log.plugins]
meter = "debug"
[aliases.a]
host = "tcp://h"
[[triggers]]
name = "own"
alias = "a"
topics = ["t"]
service = "meter:sum"
log_level = "error"
[[triggers]]
name = "plugins"
alias = "a"
topics = ["t"]
service = "meter:sum"
[[triggers]]
name = "none"
alias = "a"
topics = ["t"]
service = "other"
)");
  const Config config = good();
  ASSERT_EQ(config.triggers.size(), 3U);
  EXPECT_EQ(config.triggers[0].log_level, LogLevel::error);
  EXPECT_EQ(config.triggers[1].log_level, LogLevel::debug);
  EXPECT_EQ(config.triggers[2].log_level, std::nullopt);
}

TEST_F(LoadTest, ATriggerSaysThatItsServiceIsBriefOrNotOrNothing) {
  folder_.write("triggers.toml", R"(
[aliases.a]
host = "tcp://h"
[[triggers]]
name = "yes"
alias = "a"
topics = ["t"]
service = "s"
brief = true
[[triggers]]
name = "no"
alias = "a"
topics = ["t"]
service = "s"
brief = false
[[triggers]]
name = "nothing"
alias = "a"
topics = ["t"]
service = "s"
)");
  const Config config = good();
  ASSERT_EQ(config.triggers.size(), 3U);
  EXPECT_EQ(config.triggers[0].brief, true);
  EXPECT_EQ(config.triggers[1].brief, false);
  EXPECT_EQ(config.triggers[2].brief, std::nullopt);
}

TEST_F(LoadTest, NoLimitIsWrittenAsZero) {
  for (const char* zero : {"0", "\"0s\"", "\"0ms\""}) {
    folder_.write("triggers.toml",
                  fmt::format("{}connection_timeout = {}\nkeep_alive = {}\n", kAlias, zero, zero));
    const Config config = good();
    EXPECT_EQ(config.aliases.at(0).connection_timeout, std::nullopt) << zero;
    EXPECT_EQ(config.aliases.at(0).keep_alive, Millis(0)) << zero;
  }
}

TEST_F(LoadTest, ReadsConfDInNameOrder) {
  folder_.write("triggers.toml", "");
  folder_.write("conf.d/20.toml", "[aliases.second]\nhost = \"tcp://h\"\n");
  folder_.write("conf.d/10.toml", "[aliases.first]\nhost = \"tcp://h\"\n");
  folder_.write("conf.d/30.toml.bak", "not read");
  folder_.write("conf.d/.40.toml", "not read");
  folder_.write("conf.d/deeper/50.toml", "not read");
  const Config config = good();
  ASSERT_EQ(config.aliases.size(), 2u);
  EXPECT_EQ(config.aliases[0].name, "first");
  EXPECT_EQ(config.aliases[1].name, "second");
  EXPECT_EQ(config.aliases[1].place.file, (folder_ / "conf.d/20.toml").string());
}

TEST_F(LoadTest, PathsAreRelativeToTheFileThatSaysThem) {
  folder_.write("triggers.toml", "");
  folder_.write("conf.d/secret", "hunter2");
  folder_.write("conf.d/a.toml",
                std::string("[runtime]\nstate_dir = \"s\"\nplugin_dirs = [\"p\"]\n") + kAlias +
                    "user_name = \"u\"\npassword_file = \"secret\"\n");
  const Config config = good();
  EXPECT_EQ(config.runtime.state_dir, folder_ / "conf.d/s");
  EXPECT_EQ(config.runtime.plugin_dirs, std::vector{folder_ / "conf.d/p"});
  EXPECT_EQ(config.aliases.at(0).password.reveal(), "hunter2");
}

TEST_F(LoadTest, ASecretFileLosesOneLastNewline) {
  folder_.write("triggers.toml",
                std::string(kAlias) + "user_name = \"u\"\npassword_file = \"secret\"\n");
  folder_.write("secret", std::string("a\0b\n\n", 5));
  EXPECT_EQ(good().aliases.at(0).password.reveal(), std::string("a\0b\n", 4));
  folder_.write("secret", std::string(65'535, 'x') + '\n');
  EXPECT_EQ(good().aliases.at(0).password.reveal().size(), 65'535u);
}

TEST_F(LoadTest, ASecretFileHasALimitAndIsNeverQuoted) {
  folder_.write("triggers.toml",
                std::string(kAlias) + "user_name = \"u\"\npassword_file = \"secret\"\n");
  for (const std::size_t size : {65'536, 65'537, 1'000'000}) {
    folder_.write("secret", std::string(size, 'x'));
    const std::string found = errors();
    EXPECT_NE(found, "") << size;
    EXPECT_EQ(found.find("xx"), std::string::npos) << found;
  }
}

TEST_F(LoadTest, NoLoginWhereTheVariablesAreEmpty) {
  folder_.write("triggers.toml",
                std::string(kAlias) + "user_name = \"${U:-}\"\npassword = \"${P:-}\"\n");
  EXPECT_EQ(good().aliases.at(0).user_name, "");
  variables_ = {{"P", "hunter2"}};
  const std::string found = errors();
  EXPECT_NE(found.find("password without user_name"), std::string::npos) << found;
  EXPECT_EQ(found.find("hunter2"), std::string::npos) << found;
  variables_ = {{"U", "edge"}, {"P", "hunter2"}};
  EXPECT_EQ(good().aliases.at(0).password.reveal(), "hunter2");
}

TEST_F(LoadTest, AsksForVariablesThroughTheEnvironmentAlone) {
  // PATH and HOME are set in every real environment, and not in this one.
  folder_.write("triggers.toml", "[runtime]\nname = \"${PATH:-none}\"\nstate_dir = \"${HOME}\"\n");
  const std::string found = errors();
  EXPECT_NE(found.find("variable HOME is not set"), std::string::npos) << found;
  EXPECT_EQ(asked_, (std::vector<std::string>{"PATH", "HOME"}));
  variables_ = {{"HOME", "/home/edge"}};
  const Config config = good();
  EXPECT_EQ(config.runtime.name, "none");
  EXPECT_EQ(config.runtime.state_dir, "/home/edge");
}

TEST(ProcessEnvironmentTest, IsTheOneOfTheProcess) {
  ASSERT_EQ(::setenv("TRIGGERD_TEST_VARIABLE", "a=b", 1), 0);
  const Environment environment = process_environment();
  EXPECT_EQ(environment("TRIGGERD_TEST_VARIABLE"), "a=b");
  EXPECT_EQ(environment("TRIGGERD_TEST_VARIABLE="), std::nullopt);
  EXPECT_EQ(environment("TRIGGERD_TEST_NOT_SET"), std::nullopt);
  ::unsetenv("TRIGGERD_TEST_VARIABLE");
}

TEST_F(LoadTest, AFileHasALimit) {
  folder_.write("triggers.toml", "#" + std::string(std::size_t{16} << 20, ' '));
  EXPECT_NE(errors().find("larger than 16777216 bytes"), std::string::npos);
}

TEST_F(LoadTest, ADanglingLinkInConfDIsReported) {
  folder_.write("triggers.toml", "");
  std::filesystem::create_directory(folder_ / "conf.d");
  std::filesystem::create_symlink("nowhere", folder_ / "conf.d/a.toml");
  EXPECT_NE(errors().find("a.toml: error: cannot open"), std::string::npos);
}

// A check that compares every trigger with every other would take minutes here.
TEST_F(LoadTest, ManyTriggersAreNoWorkToSpeakOf) {
  std::string text = std::string(kAlias) + "client_id = \"edge\"\n";
  for (int i = 0; i < 1000; ++i) {
    text += fmt::format(
        "[[triggers]]\nname = \"t{}\"\nalias = \"plant\"\nservice = \"log\"\ntopics = [", i);
    for (int j = 0; j < 100; ++j) text += fmt::format("\"a/{}/{}/+\",", i, j);
    text += "]\n";
  }
  folder_.write("triggers.toml", text);
  const auto start = std::chrono::steady_clock::now();
  const Config config = good();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
  ASSERT_EQ(config.triggers.size(), 1000u);
  EXPECT_EQ(config.triggers[999].topics.size(), 100u);
}

}  // namespace
}  // namespace triggerd::config
