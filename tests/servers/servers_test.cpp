// The acceptance suite: what the runtime promises, with every server. Each case says what it saw,
// which has to be what abilities.cpp expects and what docs/reference/servers.md says.
//
// With TRIGGERD_WRITE_SERVERS=FILE all of it writes the table of that document (see tools/servers).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "integration/recorded.hpp"
#include "servers/abilities.hpp"
#include "servers/server.hpp"
#include "servers/table.hpp"
#include "support/mqtt_client.hpp"

namespace triggerd::test::servers {
namespace {

struct Kind {
  const char* key;
  const char* name;
  std::unique_ptr<Server> (*start)(const Certificates&);
};
constexpr Kind kKinds[] = {{"mosquitto", "mosquitto", start_mosquitto},
                           {"rabbitmq", "RabbitMQ", start_rabbitmq},
#ifdef NATS_PROGRAM
                           {"nats", "nats-server", start_nats},
#endif
                           {"aedes", "aedes", start_aedes}};
void PrintTo(const Kind& kind, std::ostream* out) {
  *out << kind.name;
}
std::string key_of(const testing::TestParamInfo<Kind>& info) {
  return info.param.key;
}

// The servers of this run, each started by the first case that needs it, and what was seen of them.
class Servers : public testing::Environment {
 public:
  struct Running {
    std::unique_ptr<Server> server;
    Column seen;
  };
  Running& get(const Kind& kind) {
    Running& running = running_[kind.key];
    if (!running.server) {
      if (!certificates_) certificates_ = std::make_unique<Certificates>();
      running.server = kind.start(*certificates_);
      running.seen = {kind.name, running.server->version(), {distribution()}, {}};
    }
    return running;
  }
  const Certificates& certificates() const { return *certificates_; }

  void TearDown() override {
    if (const char* file = std::getenv("TRIGGERD_WRITE_SERVERS")) write(file);
    running_.clear();
  }

 private:
  void write(const std::string& file) {
    std::vector<Column> columns;
    for (const Kind& kind : kKinds) {
      columns.push_back(running_[kind.key].seen);
      ASSERT_EQ(columns.back().cells.size(), abilities().size())
          << "the table is of all cases with all servers: " << kind.name;
    }
    std::ifstream in(file);
    const std::string document(std::istreambuf_iterator<char>(in), {});
    std::ofstream(file) << with_table(document, table_of(merged(columns_in(document), columns)));
  }

  std::unique_ptr<Certificates> certificates_;  // outlives the servers
  std::map<std::string, Running> running_;
};
Servers& servers() {
  static auto* const all = new Servers;  // GoogleTest's
  return *all;
}
const auto* const kRegistered = testing::AddGlobalTestEnvironment(&servers());

constexpr const char* kLogin = "user_name = \"tester\"\npassword = \"secret\"\n";

std::string comes_with(unsigned qos, int asked) {
  return qos == static_cast<unsigned>(asked) ? "yes" : fmt::format("comes with QoS {}", qos);
}

class ServerTest : public testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    name_ = testing::UnitTest::GetInstance()->current_test_info()->name();
    name_ = name_.substr(0, name_.find('/'));
  }

  std::filesystem::path file(const std::string& name) const { return dir_ / name; }
  // Of the case's own, as client ids are: servers keep what they know of others.
  std::string topic(const std::string& rest) const { return name_ + "/" + rest; }

  std::string alias(const std::string& more = kLogin, std::string host = {},
                    const std::string& client = "a") const {
    if (host.empty()) host = fmt::format("tcp://127.0.0.1:{}", server_.port());
    return fmt::format(
        "[aliases.a]\nhost = \"{}\"\nclient_id = \"{}-{}\"\n"
        "reconnect = {{ min = \"50ms\", max = \"500ms\" }}\n{}\n",
        host, name_, client, more);
  }
  // A trigger of this name that writes to the file of this name.
  std::string trigger(const std::string& name, const std::string& filter,
                      const std::string& more = {}, const std::string& settings = {}) const {
    return trigger_table(name, "a", fmt::format("{{ filter = \"{}\", qos = 2 }}", topic(filter)),
                         file(name), more, settings);
  }
  void start(const std::string& config) {
    triggerd_.emplace(runtime_table() + config);
    start_again();
  }
  void start_again() {
    triggerd_->start();
    ASSERT_TRUE(triggerd_->wait_until_running()) << triggerd_->output();
  }
  void stop() { ASSERT_EQ(triggerd_->stop(), (Exit{0, 0})) << triggerd_->output(); }

  static ClientOptions login() { return {.user_name = kUser, .password = kPassword}; }
  // By a client of its own. Whether it was confirmed: RabbitMQ hands QoS 2 on without that.
  bool publish(const std::string& rest, const std::string& payload, int qos = 1,
               bool retain = false) const {
    return TestClient(server_.port(), login())
        .publish(topic(rest), payload, qos, retain, qos == 2 ? Millis(2'000) : kPatience);
  }
  std::size_t count(const std::string& name) const { return records(file(name), "end").size(); }
  std::string expects(const std::string& key) const {
    return expected(key, GetParam().key, server_.version());
  }
  // Whether there are `count` calls at trigger `name`, which is waited for as long as it takes
  // where something is expected for `key`, and for a moment where it is not.
  bool handled(const std::string& name, std::size_t count, const std::string& key) const {
    return wait_for_records(file(name), count, patience(key));
  }
  Millis patience(const std::string& key) const {
    const std::string what = expects(key);
    return what.starts_with("no") && !what.starts_with("no: comes") ? Millis(2'000) : kPatience;
  }

  // The end of a case: `what` is what this server does.
  void saw(const std::string& key, const std::string& what) {
    EXPECT_EQ(what, expects(key))
        << "with " << GetParam().name << ' ' << server_.version() << ": " << key
        << "; where it is the server that has changed, change abilities.cpp, and run tools/servers";
    seen_.cells[key] = what;
  }
  void saw_whether(const std::string& key, bool works) { saw(key, works ? "yes" : "no"); }

  void TearDown() override {
    if (HasFailure() && triggerd_) ADD_FAILURE() << triggerd_->output();
  }

  TempDir dir_;
  Server& server_ = *servers().get(GetParam()).server;
  Column& seen_ = servers().get(GetParam()).seen;
  std::string name_;
  std::optional<TriggerdProcess> triggerd_;
};

TEST_P(ServerTest, EveryQos) {
  start(alias() + trigger("t", "+"));
  for (int qos = 0; qos <= 2; ++qos) {
    const std::string key = fmt::format("qos{}", qos);
    const bool confirmed = publish(key, "x", qos);
    if (!handled("t", static_cast<std::size_t>(qos) + 1, key)) {
      EXPECT_FALSE(confirmed);
      saw(key, "no: refused");
      continue;
    }
    const Record last = records(file("t"), "end").back();
    ASSERT_EQ(last.topic, topic(key));
    saw(key, comes_with(last.qos, qos));
  }
  EXPECT_EQ(triggerd_->output().find("subscription.lower_qos") == std::string::npos,
            expects("qos2") == "yes");
}

TEST_P(ServerTest, LargeMessagesAndTopicsStayAsTheyAre) {
  start(alias() + trigger("large", "large") + trigger("dot", "#"));
  const std::string payload(512 << 10, 'x');
  ASSERT_TRUE(publish("large", payload));
  const bool large = handled("large", 1, "large");
  saw_whether("large", large && records(file("large"))[0].hash == fnv1a(payload));
  if (!publish("do.t", "x")) return saw("dot", "no: refused");
  ASSERT_TRUE(wait_for_records(file("dot"), 2));
  const std::string came = records(file("dot"))[1].topic;
  saw("dot", came == topic("do.t") ? "yes" : came == topic("do/t") ? "no: comes as a slash" : came);
}

TEST_P(ServerTest, ASessionIsKept) {
  start(alias() + trigger("t", "x"));
  stop();
  ASSERT_TRUE(publish("x", "1"));
  ASSERT_TRUE(publish("x", "2"));
  start_again();
  saw_whether("session", handled("t", 2, "session"));
  triggerd_->kill();
  ASSERT_TRUE(publish("x", "3"));
  start_again();
  saw_whether("session_kill", handled("t", 3, "session_kill"));
  EXPECT_GE(count("t"), 3U);  // what was not acknowledged when it was killed comes again
}

TEST_P(ServerTest, ACleanSessionIsNotKept) {
  start(alias(std::string(kLogin) + "clean_session = true\n") + trigger("t", "x"));
  stop();
  ASSERT_TRUE(publish("x", "meanwhile"));
  start_again();
  ASSERT_TRUE(publish("x", "now"));
  ASSERT_TRUE(wait_for_records(file("t"), 1));
  saw_whether("clean", count("t") == 1 && records(file("t"))[0].hash == fnv1a("now"));
}

TEST_P(ServerTest, ARestartOfTheServer) {
  start(alias() + trigger("t", "x"));
  const std::size_t lines = triggerd_->process().line_count();
  server_.restart();
  const bool again = triggerd_->wait_for_event("trigger.running", {"trigger=t"}, lines).has_value();
  ASSERT_TRUE(publish("x", "1"));
  saw_whether("reconnect", again && handled("t", 1, "reconnect"));
  stop();
  ASSERT_TRUE(publish("x", "2"));
  server_.restart();
  start_again();
  const bool kept = handled("t", 2, "session_restart");
  if (!kept) {  // and all is well from here
    ASSERT_TRUE(publish("x", "3"));
    ASSERT_TRUE(wait_for_records(file("t"), 2));
  }
  saw("session_restart", kept ? "yes" : "no: kept in memory");
}

TEST_P(ServerTest, TheLastWill) {
  TestClient watcher(server_.port(), login());
  ASSERT_TRUE(watcher.subscribe(topic("state")));
  std::size_t seen = 0;
  const auto next = [&](const std::string& payload) {
    if (!watcher.wait_for_count(seen + 1)) return false;
    return watcher.messages()[seen++].payload == payload;
  };
  start(alias(fmt::format("{}[aliases.a.last_will]\ntopic = \"{}\"\npayload = \"lost\"\n"
                          "on_connect_payload = \"here\"\non_disconnect_payload = \"gone\"\n",
                          kLogin, topic("state"))) +
        trigger("t", "x"));
  bool payloads = next("here");
  triggerd_->kill();
  const bool will = next("lost");
  start_again();
  payloads = next("here") && payloads;
  stop();
  payloads = next("gone") && payloads;
  saw_whether("will", will);
  saw_whether("will_payloads", payloads);
}

TEST_P(ServerTest, RetainedMessages) {
  ASSERT_TRUE(publish("kept/x", "old", 1, true));
  // It may be confirmed before it is kept.
  ASSERT_TRUE(eventually([&] {
    TestClient client(server_.port(), login());
    return client.subscribe(topic("kept/x")) && client.wait_for_count(1, Millis(200));
  }));
  start(alias() + trigger("process", "kept/x") + trigger("wildcard", "kept/+") +
        trigger("skip", "kept/x", "retained = \"skip\"\n") +
        trigger("once", "kept/x", "retained = \"once\"\n"));
  const bool exact = handled("process", 1, "retained") && records(file("process"))[0].retain;
  const bool wildcard = handled("wildcard", 1, "retained_wildcard");
  const bool once = handled("once", 1, "retained_once");
  stop();
  start_again();
  EXPECT_TRUE(wait_for_records(file("process"), 2)) << "it comes with every subscription";
  ASSERT_TRUE(publish("kept/x", "new"));
  ASSERT_TRUE(wait_for_records(file("process"), 3));
  ASSERT_TRUE(wait_for_records(file("once"), 2));
  ASSERT_TRUE(wait_for_records(file("skip"), 1));
  saw_whether("retained", exact);
  saw_whether("retained_wildcard", wildcard);
  saw_whether("retained_skip", count("skip") == 1 && records(file("skip"))[0].hash == fnv1a("new"));
  saw_whether("retained_once",
              once && count("once") == 2 && records(file("once"))[1].hash == fnv1a("new"));
}

TEST_P(ServerTest, AServicePublishes) {
  for (const int qos : {1, 2}) {
    const std::string key = fmt::format("publish{}", qos);
    TestClient watcher(server_.port(), login());
    ASSERT_TRUE(watcher.subscribe("out", 2));
    start(alias() + trigger("t", "x", "service = \"recorder:misbehave\"\n",
                            fmt::format("mode = \"publish\"\npublish_qos = {}", qos)));
    ASSERT_TRUE(publish("x", key));
    const auto came = watcher.wait_for(
        [&](const Message& message) { return message.payload == key; }, 0, patience(key));
    const auto answer = triggerd_->wait_for_event("plugin.log", {"published: "});
    ASSERT_TRUE(answer);
    if (answer->text.find("published: 0") != std::string::npos) {
      ASSERT_TRUE(came);
      saw(key, comes_with(static_cast<unsigned>(came->qos), qos));
    } else if (came) {
      EXPECT_TRUE(triggerd_->wait_for_event("connection.failed", {"publish with QoS 1"}));
      saw(key, "no: comes, and the connection ends");
    } else {
      EXPECT_TRUE(triggerd_->wait_for_event("connection.failed", {"ended the connection"}));
      saw(key, "no: refused, and the connection ends");
    }
    stop();
  }
}

TEST_P(ServerTest, AWrongPassword) {
  triggerd_.emplace(runtime_table() + alias("user_name = \"tester\"\npassword = \"wrong\"\n") +
                    trigger("t", "x"));
  triggerd_->start();
  saw_whether("login", triggerd_->wait_for_event("connection.failed", {"trigger=t"}).has_value());
}

TEST_P(ServerTest, Tls) {
  const std::string truststore =
      fmt::format("[truststores.ca]\nfile = \"{}\"\n", servers().certificates().file("ca.pem"));
  start(truststore +
        alias(std::string(kLogin) + "truststore = \"ca\"\n",
              fmt::format("ssl://localhost:{}", server_.tls_port())) +
        trigger("t", "x"));
  ASSERT_TRUE(publish("x", "1"));
  saw_whether("tls", handled("t", 1, "tls"));
}

TEST_P(ServerTest, MutualTls) {
  const auto& certificates = servers().certificates();
  const std::string stores = fmt::format(
      "[truststores.ca]\nfile = \"{}\"\n"
      "[keystores.edge]\ncertificate = \"{}\"\nprivate_key = \"{}\"\n",
      certificates.file("ca.pem"), certificates.file("client.pem"),
      certificates.file("client.key"));
  const std::string host = fmt::format("ssl://localhost:{}", server_.mutual_port());
  {
    TriggerdProcess without(runtime_table() + stores + alias("truststore = \"ca\"\n", host, "w") +
                            trigger("w", "x"));
    without.start();
    EXPECT_TRUE(without.wait_for_event("connection.failed", {"trigger=w"})) << without.output();
  }
  start(stores + alias("truststore = \"ca\"\nkeystore = \"edge\"\n", host) + trigger("t", "x"));
  ASSERT_TRUE(publish("x", "1"));
  saw_whether("mutual", handled("t", 1, "mutual"));
}

// Whether a runtime with this configuration gets to where messages come; false where the server
// refuses its connection.
bool gets_ready(TriggerdProcess& triggerd) {
  triggerd.start();
  const auto line = triggerd.process().wait_for_line([](const std::string& text) {
    const auto event = event_of(text);
    return event == "runtime.ready" || event == "connection.failed";
  });
  return line && event_of(line->text) == "runtime.ready";
}

class SharedTest : public ServerTest {
 protected:
  // What two runtimes of one group see.
  std::string share(const std::string& protocol, const std::string& key) {
    constexpr std::size_t kMessages = 60;
    std::vector<std::unique_ptr<TriggerdProcess>> group;
    for (const char* name : {"one", "two"}) {
      group.push_back(std::make_unique<TriggerdProcess>(
          runtime_table() +
          alias(fmt::format("{}protocol = \"{}\"\n", kLogin, protocol), {}, name) +
          trigger(name, "+", "shared_group = \"group\"\n")));
      if (!gets_ready(*group.back())) return "no";
    }
    TestClient client(server_.port(), login());
    for (std::size_t i = 0; i < kMessages; ++i) {
      client.publish_later(topic(std::to_string(i % 5)), "x");
    }
    EXPECT_TRUE(client.wait_published());
    const auto total = [&] { return count("one") + count("two"); };
    const bool all = eventually([&] { return total() >= kMessages; }, patience(key));
    for (const auto& triggerd : group) EXPECT_EQ(triggerd->stop(), (Exit{0, 0}));
    if (total() == 0) return "no: granted, and nothing comes";
    return all && total() == kMessages && count("one") > 0 && count("two") > 0
               ? "yes"
               : fmt::format("{} and {} of {}", count("one"), count("two"), kMessages);
  }
};

TEST_P(SharedTest, OnMqtt311) {
  saw("shared", share("3.1.1", "shared"));
}

TEST_P(SharedTest, OnMqtt5) {
  saw("shared5", share("5", "shared5"));
}

TEST_P(ServerTest, Mqtt5) {
  triggerd_.emplace(runtime_table() + alias(std::string(kLogin) + "protocol = \"5\"\n") +
                    trigger("t", "x"));
  bool works = gets_ready(*triggerd_);
  if (works) {
    const int most = expects("qos2") == "yes" ? 2 : 1;
    for (int qos = 0; qos <= most; ++qos) ASSERT_TRUE(publish("x", "x", qos));
    const auto count = static_cast<std::size_t>(most) + 1;
    works = handled("t", count, "mqtt5");
    stop();
    ASSERT_TRUE(publish("x", "x", most));
    start_again();
    works = handled("t", count + 1, "mqtt5") && works;
  }
  saw_whether("mqtt5", works);
}

// Beside the table: with mosquitto there is an integration test, and with aedes it depends on the
// program around it.
class WebSocketTest : public ServerTest {};

TEST_P(WebSocketTest, ThreeBusyTriggersGetAllOfTheirsAndNothingElse) {
  const std::string host = fmt::format("ws://127.0.0.1:{}", server_.websocket_port().value());
  const std::vector<std::string> names{"one", "two", "three"};
  std::string config = alias(std::string(kLogin) + "max_packet_size = \"2MiB\"\n", host);
  for (const std::string& name : names) config += trigger(name, name + "/#");
  start(config);

  std::map<std::string, std::multiset<std::string>> sent;
  {
    TestClient client(server_.port(), login());
    std::size_t number = 0;
    for (const std::size_t size : {60U, 125U, 126U, 1'000U, 8'000U, 65'535U, 65'536U, 1U << 20}) {
      for (int i = 0; i < (size < 100'000 ? 20 : 2); ++i) {
        for (const std::string& name : names) {
          std::string payload = fmt::format("{} {} ", name, ++number);
          payload.resize(size, static_cast<char>('a' + number % 26));
          client.publish_later(topic(name + "/x"), payload);
          sent[name].insert(fnv1a(payload));
        }
      }
    }
    ASSERT_TRUE(client.wait_published());
  }
  for (const std::string& name : names) {
    ASSERT_TRUE(wait_for_records(file(name), sent[name].size())) << name;
    std::multiset<std::string> came;
    for (const Record& record : records(file(name), "end")) {
      EXPECT_EQ(record.topic, topic(name + "/x"));
      came.insert(record.hash);
    }
    EXPECT_EQ(came, sent[name]) << name;
  }
}

constexpr Kind kWithWebSockets[] = {{"aedes", "aedes", start_aedes}};

INSTANTIATE_TEST_SUITE_P(With, WebSocketTest, testing::ValuesIn(kWithWebSockets), key_of);
INSTANTIATE_TEST_SUITE_P(With, ServerTest, testing::ValuesIn(kKinds), key_of);
INSTANTIATE_TEST_SUITE_P(With, SharedTest, testing::ValuesIn(kKinds), key_of);

// The last, so that all has been seen.
class DocumentTest : public ServerTest {};

TEST_P(DocumentTest, SaysWhatWasSeen) {
  if (std::getenv("TRIGGERD_WRITE_SERVERS") != nullptr) return;  // it is about to
  std::ifstream in(SERVERS_DOCUMENT);
  const std::string document(std::istreambuf_iterator<char>(in), {});
  EXPECT_EQ(differences(document, seen_), "") << "run tools/servers";
}

INSTANTIATE_TEST_SUITE_P(With, DocumentTest, testing::ValuesIn(kKinds), key_of);

}  // namespace
}  // namespace triggerd::test::servers
