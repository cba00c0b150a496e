// An upgrade in the midst of QoS 2 handshakes: an inbox of version 5 of the schema, as an older
// runtime left it when it was killed, and a server that goes on where it was.
//
// What it may hold of a QoS 2 message: over 3.1.1 the whole PUBLISH under "r-ID", not handled yet;
// over MQTT 5 a key "r5-ID", beside the message where it was not finished, and alone where it was.
#include <gtest/gtest.h>

#include <filesystem>
#include <tuple>

#include "integration/acknowledge_fixture.hpp"
#include "support/inbox_version_5.hpp"

namespace triggerd::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kClient = "client-a.t";
constexpr const char* kIds = "awaiting_pubrel";
// Ids as an older runtime gave them.
constexpr const char* kRun = "k3wz81mqa00000";

std::string blob(const std::string& bytes) {
  std::string text = "x'";
  for (const char byte : bytes) text += fmt::format("{:02x}", static_cast<std::uint8_t>(byte));
  return text + "'";
}

std::string session_row(const std::string& client = kClient) {
  return fmt::format(
      "INSERT INTO session (client_id, alias) VALUES ('{0}', 'a');"
      "INSERT INTO subscription VALUES ('{0}', 'x');",
      client);
}
// Of 3.1.1: between PUBLISH and PUBREL.
std::string packet_row(std::uint16_t id, const std::string& message_id, const std::string& payload,
                       const std::string& client = kClient) {
  return fmt::format("INSERT INTO staged VALUES ('{}', 'r-{}', '{}', {});", client, id, message_id,
                     blob(packet::encode(publish(id, 2, payload))));
}
// Of MQTT 5: the same.
std::string key_row(std::uint16_t id, const std::string& message_id) {
  return fmt::format("INSERT INTO staged VALUES ('{}', 'r5-{}', '{}', x'');", kClient, id,
                     message_id);
}
std::string message_row(std::uint16_t id, const std::string& message_id,
                        const std::string& payload) {
  return fmt::format(
      "INSERT INTO message (trigger_name, message_id, topic, payload, qos, retained, packet_id,"
      " attempts, received_ms, properties)"
      " VALUES ('t', '{}', 'x', {}, 2, 0, {}, 0, 1700000000000, x'');",
      message_id, blob(payload), id);
}

class InboxUpgradeTest : public AcknowledgeFixture,
                         public testing::WithParamInterface<std::tuple<std::uint8_t, std::string>> {
 protected:
  InboxUpgradeTest() { alias_keys_ = keys_of(std::get<0>(GetParam())); }

  // The new runtime, on an inbox with `sql`.
  void start_on(const std::string& sql, bool session_present = true, const std::string& more = {}) {
    prepare(sql, more);
    restart(session_present);
  }
  void prepare(const std::string& sql, const std::string& more = {}) {
    triggerd_.emplace(config("acknowledge = \"" + std::get<1>(GetParam()) + "\"\n" + more));
    std::filesystem::create_directory(triggerd_->dir() / "var");
    ASSERT_TRUE(make_inbox_of_version_5(triggerd_->dir() / "var" / "inbox.db", sql));
    broker_.on(packet::Type::pubrec, [](const Received&) { return Reply(); });
  }
  void go_on(std::uint16_t id, const std::string& payload, bool has_pubrec) {
    if (!has_pubrec) {
      send(publish(id, 2, payload, true));
      ASSERT_TRUE(answered<packet::PubRec>(id));
    }
    send(packet::PubRel{id});
    ASSERT_TRUE(answered<packet::PubComp>(id));
  }
  // Before, between and after the transactions of a start, of which `messages` are the work.
  void kill_three_times(int messages) {
    {
      const LockedInbox lock(*triggerd_);
      triggerd_->start();
      EXPECT_FALSE(triggerd_->wait_until_running(300ms)) << "the schema's step waits";
      triggerd_->kill();
    }
    EXPECT_EQ(rows(*triggerd_, "staged"), messages) << "nothing was done";
    for (const int accepted : {2, 500, 1500}) {
      triggerd_->start();
      ASSERT_TRUE(eventually([&] { return rows(*triggerd_, "message") >= accepted; }));
      triggerd_->kill();
      EXPECT_EQ(rows(*triggerd_, "staged") + rows(*triggerd_, "message"), messages);
      EXPECT_EQ(rows(*triggerd_,
                     "(SELECT message_id FROM staged UNION"
                     " SELECT message_id FROM message)"),
                messages);
    }
  }
  std::string id_of(int n) const { return kRun + std::to_string(n); }
  // Everything was handled once, under the ids that were given to it, and nothing is left over.
  void expect_handled(const std::vector<std::string>& ids) {
    EXPECT_TRUE(wait_for_records(file(), ids.size()));
    EXPECT_TRUE(rows_become("message", 0));
    EXPECT_EQ(rows(*triggerd_, "staged"), 0);
    EXPECT_TRUE(rows_become(kIds, 0)) << "once the server has said what it has of the session";
    std::vector<std::string> handled;
    for (const Record& record : records(file())) handled.push_back(record.id);
    std::sort(handled.begin(), handled.end());
    EXPECT_EQ(handled, ids);
  }
  // The next message under an id is another one.
  void expect_free(std::uint16_t id) {
    const std::size_t before = records(file(), "end").size();
    forget_answers();
    send(publish(id, 2, "another"));
    ASSERT_TRUE(answered<packet::PubRec>(id));
    EXPECT_TRUE(wait_for_records(file(), before + 1));
  }
};
INSTANTIATE_TEST_SUITE_P(, InboxUpgradeTest,
                         testing::Combine(testing::Values(packet::k311, packet::k5),
                                          testing::Values("durable", "finished", "received")),
                         [](const auto& of) {
                           return name_of(std::get<0>(of.param)) + "_" + std::get<1>(of.param);
                         });

// Either version of MQTT has spoken before, whatever is spoken now.
TEST_P(InboxUpgradeTest, TheServerGoesOnWithPubrel) {
  start_on(session_row() + packet_row(7, id_of(1), "one") + key_row(8, id_of(2)) +
           message_row(8, id_of(2), "two") + key_row(9, id_of(3)));
  go_on(7, "one", true);
  go_on(8, "two", true);
  go_on(9, "three", true);
  expect_handled({id_of(1), id_of(2)});
  for (const Record& record : records(file())) {
    EXPECT_EQ(record.hash, fnv1a(record.id == id_of(1) ? "one" : "two"));
    EXPECT_EQ(record.topic, "x");
    EXPECT_EQ(record.qos, 2U);
  }
  expect_free(7);
}

TEST_P(InboxUpgradeTest, TheServerSendsPublishAgain) {
  start_on(session_row() + packet_row(7, id_of(1), "one") + key_row(8, id_of(2)) +
           message_row(8, id_of(2), "two") + key_row(9, id_of(3)));
  go_on(7, "one", false);
  go_on(8, "two", false);
  go_on(9, "three", false);
  expect_handled({id_of(1), id_of(2)});
  expect_free(8);
}

TEST_P(InboxUpgradeTest, TheServerHasLostTheSession) {
  start_on(session_row() + packet_row(7, id_of(1), "one") + key_row(8, id_of(2)) +
               message_row(8, id_of(2), "two") + key_row(9, id_of(3)),
           false);
  expect_handled({id_of(1), id_of(2)});
  for (const std::uint16_t id : {7, 8, 9}) expect_free(id);
}

TEST_P(InboxUpgradeTest, MessagesComeInTheOrderTheyHadBefore) {
  std::string sql = session_row();
  std::vector<std::string> ids;
  for (std::uint16_t n = 1; n <= 9; ++n) {
    ids.push_back(id_of(n));
    sql += packet_row(static_cast<std::uint16_t>(n + 5), ids.back(), std::to_string(n));
  }
  start_on(sql);
  ASSERT_TRUE(wait_for_records(file(), ids.size()));
  std::vector<std::string> handled;
  for (const Record& record : records(file())) handled.push_back(record.id);
  EXPECT_EQ(handled, ids) << "r-10 is not before r-6";
}

TEST_P(InboxUpgradeTest, APacketThatCannotBeReadIsToldOfAndHoldsNobodyUp) {
  start_on(
      session_row() + packet_row(7, id_of(1), "one") +
      fmt::format("INSERT INTO staged VALUES ('{}', 'r-8', '{}', x'34ff');", kClient, id_of(2)));
  EXPECT_TRUE(triggerd_->wait_for_event("inbox.staged", {"message=" + id_of(2)}));
  ASSERT_TRUE(wait_for_records(file(), 1));
  EXPECT_EQ(rows(*triggerd_, "staged"), 1) << "it stays, for whoever wants to look at it";
}

// Nobody can say which trigger's they are: they stay where they are.
TEST_P(InboxUpgradeTest, PacketsOfAClientIdThatNobodyHasStay) {
  start_on(session_row() + packet_row(7, id_of(1), "one", "somebody.else"));
  send(publish(7, 2, "another"));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  ASSERT_TRUE(wait_for_records(file(), 1));
  EXPECT_EQ(records(file())[0].hash, fnv1a("another"));
  EXPECT_EQ(rows(*triggerd_, "staged"), 1);
}

// Killed before, between and after the transactions of its start: each message is in one place.
TEST_P(InboxUpgradeTest, KilledInTheMidstOfTheStart) {
  constexpr int kMany = 3000;
  std::string sql =
      session_row() + "INSERT INTO trigger_state VALUES ('t', 'disabled', 'test', 'not yet', 1);";
  for (int n = 1; n <= kMany; ++n) {
    sql += packet_row(static_cast<std::uint16_t>(n), fmt::format("k3wz81mqa{:06}", n), "one");
  }
  sql += key_row(9000, "k3wz81mqa900000") + message_row(9000, "k3wz81mqa900000", "two");
  // A kill that comes so late that all is done shows nothing: then once more, on a new inbox.
  int left = 0;
  for (int i = 0; i < 10 && left == 0; ++i) {
    prepare(sql);
    kill_three_times(kMany + 1);
    ASSERT_FALSE(HasFailure());
    left = rows(*triggerd_, "staged");
  }
  EXPECT_GT(left, 0) << "it was in the midst of it";

  const SqliteConnection inbox((triggerd_->dir() / "var" / "inbox.db").string());
  ASSERT_EQ(inbox.run("DELETE FROM trigger_state"), SQLITE_OK);
  restart();
  ASSERT_TRUE(wait_for_records(file(), kMany + 1));
  EXPECT_EQ(rows(*triggerd_, "staged"), 0);
  EXPECT_EQ(records(file()).size(), std::size_t{kMany + 1});
  EXPECT_EQ(message_ids().size(), std::size_t{kMany + 1});
  go_on(1, "one", false);
  go_on(kMany, "one", true);
  go_on(9000, "two", false);
  EXPECT_EQ(records(file()).size(), std::size_t{kMany + 1});
}

}  // namespace
}  // namespace triggerd::test
