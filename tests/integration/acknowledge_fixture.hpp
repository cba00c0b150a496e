// A runtime with one trigger against a scripted broker, whose inbox is watched from outside.
#pragma once

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "integration/locked_inbox.hpp"
#include "integration/recorded.hpp"
#include "support/scripted_broker.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::test {

// Settings of a service that does not come back.
inline constexpr const char* kHangs = "service = \"recorder:misbehave\"\ntimeout = \"1h\"\n";
// Of a trigger whose messages are handled side by side, each acknowledged when it is finished.
inline constexpr const char* kFinishedSideBySide =
    "acknowledge = \"finished\"\nconcurrency = 4\norder = \"none\"\n";

inline packet::Publish publish(std::uint16_t id, std::uint8_t qos, const std::string& payload,
                               bool dup = false) {
  packet::Publish made;
  made.topic = "x";
  made.payload = payload;
  made.qos = qos;
  made.packet_id = id;
  made.dup = dup;
  return made;
}

// Rows of a table of the inbox, as somebody beside the running runtime sees them.
inline int rows(const TriggerdProcess& triggerd, const std::string& table) {
  sqlite3* database = nullptr;
  const std::string name = (triggerd.dir() / "var" / "inbox.db").string();
  int count = -1;
  if (sqlite3_open_v2(name.c_str(), &database, SQLITE_OPEN_READONLY, nullptr) == SQLITE_OK) {
    sqlite3_stmt* query = nullptr;
    sqlite3_prepare_v2(database, ("SELECT count(*) FROM " + table).c_str(), -1, &query, nullptr);
    if (sqlite3_step(query) == SQLITE_ROW) count = sqlite3_column_int(query, 0);
    sqlite3_finalize(query);
  }
  sqlite3_close(database);
  return count;
}

class AcknowledgeFixture : public testing::Test {
 protected:
  std::filesystem::path file() const { return dir_ / "records"; }

  std::string config(const std::string& more, const std::string& settings = {}) const {
    return runtime_table("drain_timeout = \"200ms\"") +
           alias_table("a", broker_.port(), "keep_alive = \"60s\"\n" + alias_keys_) +
           trigger_table("t", "a", "{ filter = \"x\", qos = 2 }", file(), more, settings);
  }
  // A trigger on "x" at QoS 2 of `broker_`; `more` stands in its table.
  void start(const std::string& more, const std::string& settings = {}) {
    triggerd_.emplace(config(more, settings));
    triggerd_->start();
    // PUBREL is the test's to send.
    broker_.on(packet::Type::pubrec, [](const Received&) { return Reply(); });
    wait_for_subscription();
  }
  // Kills the runtime and starts it again; the server has its session, or has lost it.
  void kill_and_restart(bool session_present = true) {
    triggerd_->kill();
    restart(session_present);
  }
  // Of a runtime that has ended.
  void restart(bool session_present = true) {
    broker_.on(packet::Type::connect, connack(session_present));
    from_ = broker_.packets().size();
    triggerd_->start();
    wait_for_subscription();
  }
  void drop_connection(bool session_present = true) {
    broker_.on(packet::Type::connect, connack(session_present));
    from_ = broker_.packets().size();
    broker_.send(connection_, Reply().close());
    wait_for_subscription();
  }
  void wait_for_subscription() {
    const auto subscribe = broker_.wait_for<packet::Subscribe>(from_);
    ASSERT_TRUE(subscribe) << triggerd_->output();
    connection_ = subscribe->connection;
    from_ = subscribe->index + 1;
  }
  void send(const packet::Any& packet) { broker_.send(connection_, Reply().send(packet)); }
  template <class Ack>
  bool answered(std::uint16_t id, Millis timeout = kPatience) {
    return broker_
        .wait_for<Ack>([id](const Ack& ack) { return ack.packet_id == id; }, from_, timeout)
        .has_value();
  }
  // Settings with which messages that begin with "wait" are in the service's hands until let_go().
  std::string waiting() const { return waiting_until(dir_ / "go"); }
  void let_go() const { std::ofstream(dir_ / "go") << "go"; }
  // The same, each of them until the let_go() of its payload.
  std::string waiting_one_by_one() const { return waiting_until_own(dir_ / "go-"); }
  void let_go(const std::string& payload) const { std::ofstream(dir_ / ("go-" + payload)) << "go"; }
  // How many calls there were for this payload, begun or ended.
  std::size_t calls_for(const std::string& payload, const std::string& what = "begin") const {
    const auto all = records(file(), what);
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(), [&](const Record& one) { return one.hash == fnv1a(payload); }));
  }
  // Returns once all that was sent on this connection has been taken: another message, sent behind
  // it, is with the service by then, which has a worker for it.
  void wait_until_taken() {
    const std::size_t before = calls_for("marker");
    send(publish(99, 1, "marker"));
    ASSERT_TRUE(eventually([&] { return calls_for("marker") > before; })) << triggerd_->output();
  }
  // What was answered until now does not count.
  void forget_answers() { from_ = broker_.packets().size(); }
  // The packet ids of all acknowledgements of a kind on this connection, in their order.
  template <class Ack>
  std::vector<std::uint16_t> acknowledged() const {
    std::vector<std::uint16_t> ids;
    for (const Received& received : broker_.packets()) {
      const auto* const ack = std::get_if<Ack>(&received.packet);
      if (ack != nullptr && received.connection == connection_) ids.push_back(ack->packet_id);
    }
    return ids;
  }
  // The ids of all messages that were handed to the service.
  std::vector<std::string> message_ids() const {
    std::vector<std::string> ids;
    for (const Record& record : records(file())) ids.push_back(record.id);
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    return ids;
  }
  bool rows_become(const std::string& table, int count) const {
    return eventually([&] { return rows(*triggerd_, table) == count; });
  }

  void TearDown() override {
    if (HasFailure() && triggerd_) ADD_FAILURE() << triggerd_->output();
  }

  std::string alias_keys_;  // more of the alias, such as its protocol
  TempDir dir_;
  ScriptedBroker broker_;
  std::optional<TriggerdProcess> triggerd_;
  std::size_t connection_ = 0;
  std::size_t from_ = 0;
};

// ---- Both versions of MQTT ----

inline std::string keys_of(std::uint8_t level) {
  return level == packet::k5 ? "protocol = \"5\"\n" : "protocol = \"3.1.1\"\n";
}
inline std::string name_of(std::uint8_t level) {
  return level == packet::k5 ? "Mqtt5" : "Mqtt311";
}

class BothVersions : public AcknowledgeFixture, public testing::WithParamInterface<std::uint8_t> {
 protected:
  BothVersions() { alias_keys_ = keys_of(GetParam()); }
  bool v5() const { return GetParam() == packet::k5; }

 public:
  static auto versions() { return testing::Values(packet::k311, packet::k5); }
  static std::string version_name(const testing::TestParamInfo<std::uint8_t>& of) {
    return name_of(of.param);
  }
};

}  // namespace triggerd::test
