#include "inbox/inbox.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "inbox/writer.hpp"
#include "support/eventually.hpp"
#include "support/sqlite_connection.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::inbox {
namespace {

class InboxTest : public testing::Test {
 protected:
  std::unique_ptr<Inbox> open() {
    auto inbox = Inbox::open(file());
    EXPECT_TRUE(inbox) << inbox.error().message;
    return inbox ? std::move(*inbox) : nullptr;
  }
  std::filesystem::path file() const { return dir_.path() / "inbox.db"; }

  test::TempDir dir_;
};

TEST_F(InboxTest, KeepsTheFirstClientIdOfAnAlias) {
  EXPECT_EQ(open()->sessions().client_id("plant", "first").value(), "first");
  EXPECT_EQ(open()->sessions().client_id("plant", "second").value(), "first");
  EXPECT_EQ(open()->sessions().client_id("other", "second").value(), "second");
}

TEST_F(InboxTest, AnUnknownClientIdHasNoSession) {
  EXPECT_FALSE(open()->sessions().filters("edge").value().has_value());
}

TEST_F(InboxTest, ASessionWithoutFiltersIsASession) {
  ASSERT_TRUE(open()->sessions().remember("edge", {}));
  const auto filters = open()->sessions().filters("edge").value();
  ASSERT_TRUE(filters.has_value());
  EXPECT_TRUE(filters->empty());
}

TEST_F(InboxTest, RememberingReplacesTheFiltersOfThatClientIdOnly) {
  auto inbox = open();
  ASSERT_TRUE(inbox->sessions().remember("edge", {"b/#", "a/+"}));
  ASSERT_TRUE(inbox->sessions().remember("other", {"x"}));
  ASSERT_TRUE(inbox->sessions().remember("edge", {"c", "a/+"}));
  EXPECT_EQ(*inbox->sessions().filters("edge").value(), (std::vector<std::string>{"a/+", "c"}));
  EXPECT_EQ(*inbox->sessions().filters("other").value(), (std::vector<std::string>{"x"}));
  ASSERT_TRUE(inbox->sessions().forget("edge"));
  EXPECT_FALSE(inbox->sessions().filters("edge").value().has_value());
}

TEST_F(InboxTest, ASessionThatHasEndedLeavesNoPacketIds) {
  auto inbox = open();
  ASSERT_TRUE(inbox->sessions().remember("edge.t", {"a"}));
  {
    Writer writer(*inbox, {}, [](const std::optional<std::string>&) {});
    writer.keep_id({"edge.t", 7}, "id-1", {});
    writer.keep_id({"edge.u", 7}, "id-2", {});
    ASSERT_TRUE(writer.flush(std::chrono::steady_clock::now() + test::kPatience));
  }
  ASSERT_TRUE(inbox->sessions().forget("edge.t"));
  EXPECT_TRUE(inbox->packet_ids().awaiting_pubrel("edge.t").value().empty());
  EXPECT_EQ(inbox->packet_ids().awaiting_pubrel("edge.u").value().size(), 1U);
}

TEST_F(InboxTest, WhoHasASessionIsKeptWithItAndSaidWhenItMoves) {
  const Session here{"edge.t", "edge", "tcp://here:1883"};
  EXPECT_FALSE(open()->sessions().place(here).value().has_value()) << "there is no such session";
  ASSERT_TRUE(open()->sessions().remember("edge.t", {"a"}));
  EXPECT_EQ(open()->sessions().place(here).value()->server, "");
  ASSERT_TRUE(open()->sessions().remember("edge.t", {"b"}));
  auto sessions = open()->sessions().all().value();
  ASSERT_EQ(sessions.size(), 1U);
  EXPECT_EQ(sessions[0].alias, "edge");
  EXPECT_EQ(sessions[0].server, "tcp://here:1883") << "other filters, the same session";
  EXPECT_EQ(open()->sessions().place({"edge.t", "edge", "tcp://there:1"}).value()->server,
            "tcp://here:1883");
  ASSERT_TRUE(open()->sessions().forget("edge.t"));
  EXPECT_TRUE(open()->sessions().all().value().empty());
}

TEST_F(InboxTest, DeadLettersKeepEveryByteAndComeNewestFirst) {
  const std::string payload("\0\xff binary \0", 11);
  DeadLetter letter{.message_id = "id-1",
                    .trigger = "alarms",
                    .topic = "plant/1",
                    .payload = payload,
                    .qos = 2,
                    .retained = true,
                    .reason = "not a number",
                    .attempts = 3,
                    .received = Wall(Millis(1'700'000'000'123)),
                    .died = Wall(Millis(1'700'000'001'456))};
  EXPECT_EQ(open()->dead_letters().add(letter).value(), 1);
  letter.trigger = "other";
  letter.payload.clear();
  EXPECT_EQ(open()->dead_letters().add(letter).value(), 2);

  const auto all = open()->dead_letters().newest("", 10).value();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0].trigger, "other");
  EXPECT_EQ(all[0].payload, "");
  EXPECT_EQ(all[1].payload, payload);
  EXPECT_EQ(all[1].reason, "not a number");
  EXPECT_EQ(all[1].attempts, 3U);
  EXPECT_EQ(all[1].qos, 2);
  EXPECT_TRUE(all[1].retained);
  EXPECT_EQ(all[1].received, Wall(Millis(1'700'000'000'123)));
  EXPECT_EQ(all[1].died, Wall(Millis(1'700'000'001'456)));
  EXPECT_EQ(open()->dead_letters().newest("alarms", 10).value().size(), 1U);
  EXPECT_EQ(open()->dead_letters().newest("", 1).value().size(), 1U);
}

TEST_F(InboxTest, RemembersTheRetainedMessageThatWasHandled) {
  using Handled = std::vector<std::pair<std::string, std::string>>;
  auto inbox = open();
  EXPECT_TRUE(inbox->triggers().handled_retained("t").value().empty());
  {
    Writer writer(*inbox, {}, [](const auto&) {});
    writer.note_retained("t", "a", "d1");
    writer.note_retained("t", "a", "d2");
    writer.note_retained("t", "b", "d3");
  }
  EXPECT_EQ(open()->triggers().handled_retained("t").value(), (Handled{{"a", "d2"}, {"b", "d3"}}));
  EXPECT_TRUE(open()->triggers().handled_retained("u").value().empty());
}

TEST_F(InboxTest, OthersCannotReadTheFile) {
  open();
  struct stat status {};
  ASSERT_EQ(::stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 077, 0U);
}

TEST_F(InboxTest, AFileThatIsNoDatabaseIsAnErrorThatNamesIt) {
  std::ofstream(file()) << std::string(4096, 'x');
  const auto inbox = Inbox::open(file());
  ASSERT_FALSE(inbox);
  EXPECT_NE(inbox.error().message.find(file().string()), std::string::npos);
}

TEST_F(InboxTest, WhatSomebodyElseHasLockedIsNotWrittenWithoutATransaction) {
  const auto inbox = open();
  const test::SqliteConnection other(file());
  ASSERT_EQ(other.run("BEGIN IMMEDIATE"), SQLITE_OK);
  // Longer than the inbox waits for its transaction, and shorter than twice that.
  std::thread unlocks([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(6'500));
    EXPECT_EQ(other.run("COMMIT"), SQLITE_OK);
  });
  EXPECT_FALSE(inbox->dead_letters().add({.message_id = "dead", .trigger = "t"}));
  unlocks.join();
  EXPECT_TRUE(inbox->dead_letters().newest("", 10).value().empty());
}

TEST_F(InboxTest, ANewerSchemaIsRefused) {
  open();
  EXPECT_EQ(test::SqliteConnection(file()).run("PRAGMA user_version = 99"), SQLITE_OK);
  const auto inbox = Inbox::open(file());
  ASSERT_FALSE(inbox);
  EXPECT_NE(inbox.error().message.find("schema version 99"), std::string::npos);
}

}  // namespace
}  // namespace triggerd::inbox
