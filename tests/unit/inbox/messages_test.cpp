// Messages, dead letters and states of triggers, and what older versions have left of them.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include "inbox/inbox.hpp"
#include "support/inbox_version_5.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::inbox {
namespace {

constexpr std::size_t kAll = 1000;

class MessagesTest : public testing::Test {
 protected:
  std::int64_t add(const std::string& id, const std::string& trigger = "alarms") {
    return inbox_->dead_letters()
        .add({.message_id = id,
              .trigger = trigger,
              .topic = "plant/1",
              .payload = std::string("\0\xff", 2),
              .qos = 2,
              .retained = true,
              .reason = "not a number",
              .attempts = 3,
              .received = Wall(Millis(1'700'000'000'123)),
              .died = Wall(Millis(1'700'000'001'456))})
        .value();
  }
  // A message, by its number: the replay of a dead letter is one.
  std::int64_t add_message(const std::string& id, const std::string& trigger = "alarms") {
    return inbox_->dead_letters().replay(add(id, trigger)).value().value().number;
  }
  std::vector<std::string> ids(const std::string& trigger, std::int64_t after, std::size_t limit) {
    std::vector<std::string> found;
    const auto messages = inbox_->messages().page(trigger, after, limit).value();
    for (const auto& message : messages) found.push_back(message.message_id);
    return found;
  }

  using Ids = std::vector<std::string>;
  using Counts = std::vector<std::pair<std::string, std::int64_t>>;
  test::TempDir dir_;
  std::unique_ptr<Inbox> inbox_ = Inbox::open(dir_ / "inbox.db").value();
};

TEST_F(MessagesTest, ADeadLetterIsFoundByItsNumber) {
  add("a");
  const std::int64_t number = add("b");
  const auto found = inbox_->dead_letters().find(number).value();
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->number, number);
  EXPECT_EQ(found->message_id, "b");
  EXPECT_EQ(found->reason, "not a number");
  EXPECT_FALSE(inbox_->dead_letters().find(number + 1).value().has_value());
}

TEST_F(MessagesTest, AnEditedDeadLetterHasAnotherTopicAndPayload) {
  const std::int64_t other = add("a");
  const std::int64_t number = add("b");
  ASSERT_TRUE(inbox_->dead_letters().edit(number, "plant/2", std::string("\0new", 4)));
  const auto found = inbox_->dead_letters().find(number).value();
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->topic, "plant/2");
  EXPECT_EQ(found->payload, std::string("\0new", 4));
  EXPECT_EQ(found->message_id, "b");
  EXPECT_EQ(found->attempts, 3U);
  EXPECT_EQ(inbox_->dead_letters().find(other).value()->topic, "plant/1");
}

TEST_F(MessagesTest, ADroppedDeadLetterIsGone) {
  const std::int64_t other = add("a");
  const std::int64_t number = add("b");
  ASSERT_TRUE(inbox_->dead_letters().drop(number));
  EXPECT_FALSE(inbox_->dead_letters().find(number).value().has_value());
  EXPECT_TRUE(inbox_->dead_letters().find(other).value().has_value());
}

TEST_F(MessagesTest, EditingAndDroppingNameTheDeadLetterThatIsNotThere) {
  const auto edited = inbox_->dead_letters().edit(42, "t", "p");
  ASSERT_FALSE(edited);
  EXPECT_EQ(edited.error().message, "there is no dead letter 42");
  const auto dropped = inbox_->dead_letters().drop(42);
  ASSERT_FALSE(dropped);
  EXPECT_EQ(dropped.error().message, "there is no dead letter 42");
  EXPECT_EQ(add("a"), 1);  // neither has left a transaction open
}

TEST_F(MessagesTest, AReplayedDeadLetterIsAMessageAgain) {
  const std::int64_t number = add("a");
  const auto replayed = inbox_->dead_letters().replay(number).value();
  ASSERT_TRUE(replayed.has_value());
  const auto messages = inbox_->messages().page("alarms", 0, kAll).value();
  ASSERT_EQ(messages.size(), 1U);
  for (const StoredMessage& message : {*replayed, messages[0]}) {
    EXPECT_EQ(message.number, replayed->number);
    EXPECT_EQ(message.message_id, "a");
    EXPECT_EQ(message.trigger, "alarms");
    EXPECT_EQ(message.topic, "plant/1");
    EXPECT_EQ(message.payload, std::string("\0\xff", 2));
    EXPECT_EQ(message.qos, 2);
    EXPECT_TRUE(message.retained);
    EXPECT_EQ(message.packet_id, 0);
    EXPECT_EQ(message.attempts, 0U);
    EXPECT_EQ(message.received, Wall(Millis(1'700'000'000'123)));
  }
  EXPECT_FALSE(inbox_->dead_letters().find(number).value().has_value());
}

TEST_F(MessagesTest, ADeadLetterIsReplayedOnce) {
  const std::int64_t number = add("a");
  ASSERT_TRUE(inbox_->dead_letters().replay(number).value().has_value());
  EXPECT_FALSE(inbox_->dead_letters().replay(number).value().has_value());
  EXPECT_EQ(ids("alarms", 0, kAll), Ids{"a"});
}

TEST_F(MessagesTest, ADeadLetterTakesThePlaceOfItsRow) {
  const std::int64_t row = add_message("a");
  add_message("b");
  ASSERT_TRUE(inbox_->dead_letters().add({.message_id = "a", .trigger = "alarms"},
                                         [row] { return std::optional(row); }));
  EXPECT_EQ(ids("alarms", 0, kAll), Ids{"b"});
  EXPECT_EQ(inbox_->dead_letters().newest("", kAll).value().size(), 1U);
}

TEST_F(MessagesTest, ADeadLetterWithoutARowRemovesNone) {
  add_message("b");
  ASSERT_TRUE(inbox_->dead_letters().add({.message_id = "a", .trigger = "alarms"},
                                         []() -> std::optional<std::int64_t> { return {}; }));
  EXPECT_EQ(ids("alarms", 0, kAll), Ids{"b"});
  EXPECT_EQ(inbox_->dead_letters().newest("", kAll).value().size(), 1U);
}

TEST_F(MessagesTest, MessagesComeInPagesByTriggerAndNumber) {
  const std::int64_t first = add_message("a");
  add_message("other", "doors");
  const std::int64_t second = add_message("b");
  add_message("c");
  EXPECT_EQ(ids("alarms", 0, kAll), (Ids{"a", "b", "c"}));
  EXPECT_EQ(ids("alarms", 0, 2), (Ids{"a", "b"}));
  EXPECT_EQ(ids("alarms", second, 2), Ids{"c"});
  EXPECT_EQ(ids("alarms", first, 1), Ids{"b"});
  EXPECT_EQ(ids("doors", 0, kAll), Ids{"other"});
  EXPECT_EQ(ids("none", 0, kAll), Ids{});
}

TEST_F(MessagesTest, MessagesAreCountedByTrigger) {
  EXPECT_EQ(inbox_->messages().counts().value(), Counts{});
  add_message("a", "doors");
  add_message("b");
  add_message("c");
  add("letter");
  EXPECT_EQ(inbox_->messages().counts().value(), (Counts{{"alarms", 2}, {"doors", 1}}));
}

TEST_F(MessagesTest, TheStateOfATriggerIsSetReplacedAndCleared) {
  EXPECT_FALSE(inbox_->triggers().state("alarms").value().has_value());
  TriggerState state{.state = TriggerState::State::suspended,
                     .changed_by = "runtime",
                     .reason = "its service crashes",
                     .since = Wall(Millis(1'700'000'000'123))};
  ASSERT_TRUE(inbox_->triggers().set_state("alarms", state));
  auto found = inbox_->triggers().state("alarms").value();
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->state, TriggerState::State::suspended);
  EXPECT_EQ(found->changed_by, "runtime");
  EXPECT_EQ(found->reason, "its service crashes");
  EXPECT_EQ(found->since, Wall(Millis(1'700'000'000'123)));
  EXPECT_FALSE(inbox_->triggers().state("doors").value().has_value());

  state.state = TriggerState::State::disabled;
  ASSERT_TRUE(inbox_->triggers().set_state("alarms", state));
  found = inbox_->triggers().state("alarms").value();
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->state, TriggerState::State::disabled);

  ASSERT_TRUE(inbox_->triggers().set_state("alarms", std::nullopt));
  EXPECT_FALSE(inbox_->triggers().state("alarms").value().has_value());
}

// ---- MQTT 5 ----

TEST_F(MessagesTest, PropertiesComeBackByteForByteAndNoneIsNotTheSameAsNotMqtt5) {
  const std::string properties("\x26\0\1k\0\1v\x26\0\1k\0\1v\x09\0\2\0\xff", 19);
  DeadLetter letter{.message_id = "a", .trigger = "alarms", .topic = "t", .reason = "r"};
  EXPECT_FALSE(inbox_->dead_letters()
                   .find(inbox_->dead_letters().add(letter).value())
                   .value()
                   ->properties.has_value());
  letter.properties = "";
  EXPECT_EQ(
      inbox_->dead_letters().find(inbox_->dead_letters().add(letter).value()).value()->properties,
      "");
  letter.properties = properties;
  const std::int64_t number = inbox_->dead_letters().add(letter).value();
  EXPECT_EQ(inbox_->dead_letters().find(number).value()->properties, properties);
  const auto replayed = inbox_->dead_letters().replay(number).value();
  EXPECT_EQ(replayed->properties, properties);
  EXPECT_EQ(inbox_->messages().page("alarms", 0, kAll).value().front().properties, properties);
  EXPECT_FALSE(replayed->expires.has_value()) << "who replays it wants it handled";
}

// A file as version 2 of the schema left it.
TEST(Migration, AFileOfVersion2KeepsItsMessages) {
  test::TempDir dir;
  const std::filesystem::path file = dir / "inbox.db";
  { ASSERT_TRUE(Inbox::open(file)); }
  sqlite3* raw = nullptr;
  ASSERT_EQ(sqlite3_open(file.c_str(), &raw), SQLITE_OK);
  EXPECT_EQ(
      sqlite3_exec(raw,
                   "DROP INDEX dead_letter_listed; DROP INDEX dead_letter_by_trigger;"
                   "DROP INDEX message_expiring; DROP TABLE awaiting_pubrel;"
                   "DROP TABLE outgoing; DROP TABLE awaiting_pubcomp;"
                   "DROP TABLE key_list; DROP TABLE handled_key;"
                   "CREATE INDEX dead_letter_by_trigger ON dead_letter (trigger_name, number);"
                   "ALTER TABLE message DROP COLUMN properties;"
                   "ALTER TABLE message DROP COLUMN expires_ms;"
                   "ALTER TABLE dead_letter DROP COLUMN properties;"
                   "ALTER TABLE session DROP COLUMN alias;"
                   "ALTER TABLE session DROP COLUMN server;"
                   "INSERT INTO session (client_id) VALUES ('edge.alarms');"
                   "PRAGMA user_version = 2;"
                   "INSERT INTO message (trigger_name, message_id, topic, payload, qos,"
                   " retained, packet_id, attempts, received_ms)"
                   " VALUES ('alarms', 'a', 't', x'00ff', 1, 0, 7, 2, 1700000000000);"
                   "INSERT INTO dead_letter (message_id, trigger_name, topic, payload, qos,"
                   " retained, reason, attempts, received_ms, died_ms)"
                   " VALUES ('b', 'alarms', 't', x'01', 1, 0, 'r', 2, 1, 2);",
                   nullptr, nullptr, nullptr),
      SQLITE_OK)
      << sqlite3_errmsg(raw);
  sqlite3_close(raw);

  const auto inbox = Inbox::open(file);
  ASSERT_TRUE(inbox) << inbox.error().message;
  const auto messages = (*inbox)->messages().page("alarms", 0, kAll).value();
  ASSERT_EQ(messages.size(), 1U);
  EXPECT_EQ(messages[0].payload, std::string("\0\xff", 2));
  EXPECT_EQ(messages[0].packet_id, 7);
  EXPECT_FALSE(messages[0].properties.has_value()) << "it came over 3.1.1";
  EXPECT_FALSE(messages[0].expires.has_value());
  EXPECT_FALSE((*inbox)->dead_letters().newest("", kAll).value().front().properties.has_value());
  const auto sessions = (*inbox)->sessions().all().value();
  ASSERT_EQ(sessions.size(), 1U);
  EXPECT_EQ(sessions[0].client_id, "edge.alarms");
  EXPECT_EQ(sessions[0].alias, "");
  EXPECT_EQ(sessions[0].server, "");
}

TEST(Migration, KeysOfVersion5ArePacketIdsAndItsPacketsAreAcceptedOneByOne) {
  test::TempDir dir;
  const std::filesystem::path file = dir / "inbox.db";
  ASSERT_TRUE(test::make_inbox_of_version_5(
      file,
      "INSERT INTO staged VALUES ('edge.alarms', 'r-7', 'a', x'3407000174000768'),"
      " ('edge.alarms', 'r5-8', 'b', x''), ('edge.other', 'r5-65535', 'c', x''),"
      " ('edge.other', 'r-8', 'd', x'3407000174000868');"
      "INSERT INTO message (trigger_name, message_id, topic, payload, qos, retained, packet_id,"
      " attempts, received_ms, properties)"
      " VALUES ('alarms', 'b', 't', x'00ff', 2, 0, 8, 2, 1700000000000, x'');"));

  const auto inbox = Inbox::open(file);
  ASSERT_TRUE(inbox) << inbox.error().message;
  const auto ids = (*inbox)->packet_ids().awaiting_pubrel("edge.alarms").value();
  ASSERT_EQ(ids.size(), 1U);
  EXPECT_EQ(ids[0].packet_id, 8);
  EXPECT_EQ(ids[0].message_id, "b");
  EXPECT_EQ((*inbox)->packet_ids().awaiting_pubrel("edge.other").value().at(0).packet_id, 65'535);
  const auto staged = (*inbox)->packet_ids().staged("edge.alarms").value();
  ASSERT_EQ(staged.size(), 1U);
  EXPECT_EQ(staged[0].key, "r-7");

  const StoredMessage message{
      .trigger = "alarms", .topic = "t", .payload = "h", .qos = 2, .packet_id = 7};
  ASSERT_TRUE((*inbox)->packet_ids().accept_staged("edge.alarms", staged[0], message));
  EXPECT_TRUE((*inbox)->packet_ids().staged("edge.alarms").value().empty());
  EXPECT_EQ((*inbox)->packet_ids().staged("edge.other").value().size(), 1U) << "another trigger's";
  EXPECT_EQ((*inbox)->packet_ids().awaiting_pubrel("edge.alarms").value().size(), 2U);
  const auto messages = (*inbox)->messages().page("alarms", 0, kAll).value();
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0].message_id, "b");
  EXPECT_EQ(messages[1].message_id, "a") << "the id that it was given with its PUBLISH";
  EXPECT_EQ(messages[1].packet_id, 7);
  EXPECT_EQ(messages[1].attempts, 0U);
}

}  // namespace
}  // namespace triggerd::inbox
