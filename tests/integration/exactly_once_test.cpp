// QoS 2 over both versions of MQTT, with both ways to acknowledge it: accepted once, whatever is
// killed when. The cells are those of "What a crash leaves" in docs/reference/inbox-format.md.
#include <gtest/gtest.h>

#include <tuple>

#include "integration/acknowledge_fixture.hpp"

namespace triggerd::test {
namespace {

using namespace std::chrono_literals;

constexpr const char* kIds = "awaiting_pubrel";

class ExactlyOnceFixture : public AcknowledgeFixture {
 protected:
  // Message 7, its PUBREC, and its end.
  void have_one_finished() {
    send(publish(7, 2, "once"));
    ASSERT_TRUE(answered<packet::PubRec>(7));
    ASSERT_TRUE(wait_for_records(file(), 1)) << "it is handed over with its PUBLISH";
    ASSERT_TRUE(rows_become("message", 0));
    ASSERT_EQ(rows(*triggerd_, kIds), 1);
  }
  // Its packet id is the server's again.
  void take_another() {
    const std::size_t before = records(file(), "end").size();
    forget_answers();
    send(publish(7, 2, "another"));
    ASSERT_TRUE(answered<packet::PubRec>(7));
    ASSERT_TRUE(wait_for_records(file(), before + 1));
    EXPECT_EQ(records(file(), "end").size(), before + 1);
    EXPECT_EQ(records(file(), "end").back().hash, fnv1a("another"));
  }
  void end_it() {
    forget_answers();
    send(packet::PubRel{7});
    ASSERT_TRUE(answered<packet::PubComp>(7));
    EXPECT_EQ(rows(*triggerd_, kIds), 0) << "before PUBCOMP leaves";
  }
};

// ---- Whatever PUBREC waits for ----

class ExactlyOnceTest : public ExactlyOnceFixture,
                        public testing::WithParamInterface<std::tuple<std::uint8_t, std::string>> {
 protected:
  ExactlyOnceTest() { alias_keys_ = keys_of(std::get<0>(GetParam())); }
  void start_it(const std::string& more = {}, const std::string& settings = {}) {
    start("acknowledge = \"" + std::get<1>(GetParam()) + "\"\n" + more, settings);
  }
};
INSTANTIATE_TEST_SUITE_P(, ExactlyOnceTest,
                         testing::Combine(testing::Values(packet::k311, packet::k5),
                                          testing::Values("durable", "finished")),
                         [](const auto& of) {
                           return name_of(std::get<0>(of.param)) + "_" + std::get<1>(of.param);
                         });

TEST_P(ExactlyOnceTest, KilledBeforeItsCommitItComesAgain) {
  start_it();
  {
    const LockedInbox lock(*triggerd_);
    send(publish(7, 2, "once"));
    ASSERT_FALSE(answered<packet::PubRec>(7, 300ms)) << "its packet id is not written yet";
    triggerd_->kill();
  }
  restart();
  EXPECT_EQ(rows(*triggerd_, kIds), 0);
  const std::size_t before = records(file()).size();
  send(publish(7, 2, "once", true));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  EXPECT_EQ(rows(*triggerd_, kIds), 1) << "before PUBREC leaves";
  ASSERT_TRUE(wait_for_records(file(), before + 1)) << "nothing of it was kept";
  end_it();
  EXPECT_EQ(records(file()).size(), before + 1);
}

TEST_P(ExactlyOnceTest, KilledBeforePubrecWhereItIsFinished) {
  start_it();
  have_one_finished();  // the server has lost the PUBREC
  kill_and_restart();
  send(publish(7, 2, "once", true));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  end_it();
  EXPECT_EQ(records(file()).size(), 1U) << "the repetition was no message";
  take_another();
}

TEST_P(ExactlyOnceTest, KilledAfterPubrecWhereItIsFinished) {
  start_it();
  have_one_finished();
  kill_and_restart();
  end_it();
  EXPECT_EQ(records(file()).size(), 1U);
  take_another();
}

TEST_P(ExactlyOnceTest, KilledBeforeItsIdIsForgotten) {
  start_it();
  have_one_finished();
  {
    const LockedInbox lock(*triggerd_);
    send(packet::PubRel{7});
    ASSERT_FALSE(answered<packet::PubComp>(7, 300ms))
        << "its id would take the next message 7 for a repetition";
    triggerd_->kill();
  }
  restart();
  EXPECT_EQ(rows(*triggerd_, kIds), 1);
  end_it();
  EXPECT_EQ(records(file()).size(), 1U);
  take_another();
}

TEST_P(ExactlyOnceTest, KilledBeforePubcomp) {
  start_it();
  have_one_finished();
  end_it();  // the server has lost the PUBCOMP
  kill_and_restart();
  end_it();
  EXPECT_EQ(records(file()).size(), 1U);
  take_another();
}

TEST_P(ExactlyOnceTest, RepeatedOnANewConnectionItIsOneMessage) {
  start_it();
  have_one_finished();
  drop_connection();
  send(publish(7, 2, "once", true));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  end_it();
  EXPECT_EQ(records(file()).size(), 1U);
  take_another();
}

TEST_P(ExactlyOnceTest, APubrelThatComesTwiceIsAnsweredTwice) {
  start_it();
  have_one_finished();
  broker_.send(connection_, Reply().send(packet::PubRel{7}).send(packet::PubRel{7}));
  const auto first = broker_.wait_for<packet::PubComp>(from_);
  ASSERT_TRUE(first);
  EXPECT_TRUE(broker_.wait_for<packet::PubComp>(first->index + 1));
  EXPECT_EQ(records(file()).size(), 1U);
}

TEST_P(ExactlyOnceTest, PubrecsAndPubcompsLeaveInTheOrderOfTheirPackets) {
  start_it("concurrency = 3\norder = \"none\"\n", "mode = \"payload-delay\"");
  const std::vector<std::string> delays{"400", "200", "1"};
  for (std::uint16_t id = 1; id <= 3; ++id) send(publish(id, 2, delays[id - 1U]));
  ASSERT_TRUE(answered<packet::PubRec>(3));
  for (std::uint16_t id = 1; id <= 3; ++id) send(packet::PubRel{id});
  ASSERT_TRUE(answered<packet::PubComp>(3));
  EXPECT_EQ(acknowledged<packet::PubRec>(), (std::vector<std::uint16_t>{1, 2, 3}));
  EXPECT_EQ(acknowledged<packet::PubComp>(), (std::vector<std::uint16_t>{1, 2, 3}));
}

TEST_P(ExactlyOnceTest, IdsOfALostSessionTakeNothingForARepetition) {
  start_it();
  have_one_finished();
  kill_and_restart(false);
  EXPECT_TRUE(rows_become(kIds, 0));
  take_another();
}

TEST_P(ExactlyOnceTest, IdsOfASessionThatIsLostWithinOneProcessTakeNothingForARepetition) {
  start_it();
  have_one_finished();
  drop_connection(false);
  take_another();
  EXPECT_EQ(rows(*triggerd_, kIds), 1) << "the other one's";
}

// What is under way goes on whichever version of MQTT is spoken by then.
TEST_P(ExactlyOnceTest, TheProtocolIsChangedBetweenPublishAndPubrel) {
  start_it();
  have_one_finished();
  triggerd_->kill();
  alias_keys_ = keys_of(std::get<0>(GetParam()) == packet::k5 ? packet::k311 : packet::k5);
  triggerd_->write_config(config("acknowledge = \"" + std::get<1>(GetParam()) + "\"\n"));
  restart();
  send(publish(7, 2, "once", true));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  end_it();
  EXPECT_EQ(records(file()).size(), 1U);
  take_another();
}

// What comes with CONNACK in one piece is of the new session already.
TEST_P(ExactlyOnceTest, AMessageRightBehindConnackIsOfTheNewSession) {
  start_it();
  have_one_finished();
  const std::uint8_t level = std::get<0>(GetParam());
  broker_.on(packet::Type::connect, [level](const Received&) {
    return Reply().send(packet::encode(packet::ConnAck{}, level) +
                        packet::encode(publish(7, 2, "another"), level));
  });
  from_ = broker_.packets().size();
  broker_.send(connection_, Reply().close());
  ASSERT_TRUE(answered<packet::PubRec>(7));
  ASSERT_TRUE(wait_for_records(file(), 2));
  EXPECT_EQ(records(file()).back().hash, fnv1a("another"));
}

// ---- PUBREC waits for the disk ----

class ExactlyOnceDurableTest : public BothVersions {};
INSTANTIATE_TEST_SUITE_P(, ExactlyOnceDurableTest, BothVersions::versions(),
                         BothVersions::version_name);

TEST_P(ExactlyOnceDurableTest, ItsRowAndItsIdAreThereBeforePubrec) {
  start(kHangs, "mode = \"hang\"");
  send(publish(7, 2, "once"));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  EXPECT_EQ(rows(*triggerd_, "message"), 1);
  EXPECT_EQ(rows(*triggerd_, kIds), 1) << "both in one transaction";
}

TEST_P(ExactlyOnceDurableTest, KilledBeforePubrecWhileTheServiceHasIt) {
  start(kHangs, "mode = \"hang\"");
  send(publish(7, 2, "once"));
  ASSERT_TRUE(answered<packet::PubRec>(7));  // which the server loses
  ASSERT_TRUE(wait_for_calls(file(), 1));
  kill_and_restart();
  send(publish(7, 2, "once", true));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  ASSERT_TRUE(wait_for_calls(file(), 2)) << "from its row, once in each run";
  send(packet::PubRel{7});
  ASSERT_TRUE(answered<packet::PubComp>(7));
  EXPECT_EQ(message_ids().size(), 1U) << "the same message";
  EXPECT_EQ(rows(*triggerd_, "message"), 1);
  EXPECT_EQ(rows(*triggerd_, kIds), 0);
}

TEST_P(ExactlyOnceDurableTest, KilledAfterPubrecWhileTheServiceHasIt) {
  start(kHangs, "mode = \"hang\"");
  send(publish(7, 2, "once"));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  ASSERT_TRUE(wait_for_calls(file(), 1));
  kill_and_restart();
  send(packet::PubRel{7});
  ASSERT_TRUE(answered<packet::PubComp>(7));
  ASSERT_TRUE(wait_for_calls(file(), 2)) << "from its row, once in each run";
  EXPECT_EQ(message_ids().size(), 1U) << "the same message";
  EXPECT_EQ(rows(*triggerd_, "message"), 1);
  EXPECT_EQ(rows(*triggerd_, kIds), 0);
}

TEST_P(ExactlyOnceDurableTest, KilledAfterPubcompWhileTheServiceHasIt) {
  start(kHangs, "mode = \"hang\"");
  send(publish(7, 2, "once"));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  send(packet::PubRel{7});
  ASSERT_TRUE(answered<packet::PubComp>(7));
  ASSERT_TRUE(wait_for_calls(file(), 1));
  kill_and_restart();
  ASSERT_TRUE(wait_for_calls(file(), 2)) << "the server has forgotten it, the inbox has not";
  EXPECT_EQ(message_ids().size(), 1U);
  send(publish(7, 2, "another"));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  EXPECT_EQ(rows(*triggerd_, "message"), 2);
}

TEST_P(ExactlyOnceDurableTest, MessagesOfALostSessionStay) {
  start(kHangs, "mode = \"hang\"");
  send(publish(7, 2, "ours by now"));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  ASSERT_TRUE(wait_for_calls(file(), 1));
  kill_and_restart(false);
  ASSERT_TRUE(wait_for_calls(file(), 2));
  EXPECT_EQ(message_ids().size(), 1U);
  EXPECT_TRUE(rows_become(kIds, 0));
  send(publish(7, 2, "of the new session"));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  EXPECT_EQ(rows(*triggerd_, "message"), 2);
  EXPECT_EQ(rows(*triggerd_, kIds), 1);
}

// ---- A connection that is lost while nothing can be written ----
//
// The next one waits for seconds, as its filters are to be written too. So it is tried once, and
// not with each version and each way to acknowledge.

class ExactlyOnceLockedTest : public ExactlyOnceFixture {};

TEST_F(ExactlyOnceLockedTest, APubrelOnANewConnectionWaitsAsTheFirstOneDid) {
  start("");
  have_one_finished();
  {
    const LockedInbox lock(*triggerd_);
    send(packet::PubRel{7});
    drop_connection();
    send(packet::PubRel{7});
    EXPECT_FALSE(answered<packet::PubComp>(7, 300ms)) << "the first one is not on disk";
  }
  EXPECT_TRUE(answered<packet::PubComp>(7));
}

// The session goes between PUBLISH and the commit: the id means nothing any more when it is
// written.
TEST_F(ExactlyOnceLockedTest, TheSessionIsLostBeforeTheCommit) {
  start(kHangs, "mode = \"hang\"");
  {
    const LockedInbox lock(*triggerd_);
    send(publish(7, 2, "of the old session"));
    ASSERT_TRUE(wait_for_calls(file(), 1));
    drop_connection(false);
    send(publish(7, 2, "of the new session"));
    EXPECT_FALSE(answered<packet::PubRec>(7, 300ms));
  }
  ASSERT_TRUE(answered<packet::PubRec>(7));
  EXPECT_EQ(rows(*triggerd_, "message"), 2);
  EXPECT_EQ(rows(*triggerd_, kIds), 1);
}

// ---- PUBREC waits for the service ----

class ExactlyOnceFinishedTest : public BothVersions {};
INSTANTIATE_TEST_SUITE_P(, ExactlyOnceFinishedTest, BothVersions::versions(),
                         BothVersions::version_name);

TEST_P(ExactlyOnceFinishedTest, PubrecWaitsForTheService) {
  start(kFinishedSideBySide, waiting());
  send(publish(7, 2, "wait"));
  ASSERT_TRUE(wait_for_calls(file(), 1));
  EXPECT_FALSE(answered<packet::PubRec>(7, 100ms)) << "the server keeps it for the service";
  let_go();
  ASSERT_TRUE(answered<packet::PubRec>(7));
  EXPECT_EQ(records(file(), "end").size(), 1U);
  EXPECT_EQ(rows(*triggerd_, kIds), 1);
  EXPECT_EQ(rows(*triggerd_, "message"), 0) << "the server had it, so the inbox need not";
}

TEST_P(ExactlyOnceFinishedTest, KilledWhileTheServiceHasItItComesAgain) {
  start(std::string("acknowledge = \"finished\"\n") + kHangs, "mode = \"hang\"");
  send(publish(7, 2, "once"));
  ASSERT_TRUE(wait_for_calls(file(), 1));
  kill_and_restart();
  EXPECT_EQ(records(file()).size(), 1U) << "nobody has it but the server";
  send(publish(7, 2, "once", true));
  ASSERT_TRUE(wait_for_calls(file(), 2));
  EXPECT_FALSE(answered<packet::PubRec>(7, 100ms));
  EXPECT_EQ(rows(*triggerd_, "message"), 0);
  EXPECT_EQ(rows(*triggerd_, kIds), 0);
}

TEST_P(ExactlyOnceFinishedTest, ARepetitionIsAcknowledgedNoSoonerThanTheFirst) {
  start(kFinishedSideBySide, waiting());
  send(publish(7, 2, "wait"));
  ASSERT_TRUE(wait_for_calls(file(), 1));
  drop_connection();
  send(publish(7, 2, "wait", true));
  wait_until_taken();
  EXPECT_TRUE(acknowledged<packet::PubRec>().empty());
  let_go();
  ASSERT_TRUE(answered<packet::PubRec>(7));
  EXPECT_EQ(calls_for("wait", "end"), 1U);
  EXPECT_EQ(calls_for("wait"), 1U);
  send(packet::PubRel{7});
  ASSERT_TRUE(answered<packet::PubComp>(7));
  EXPECT_EQ(rows(*triggerd_, kIds), 0);
}

TEST_P(ExactlyOnceFinishedTest, RepetitionsOnOneConnectionAreAnsweredWithTheFirst) {
  start(kFinishedSideBySide, waiting());
  send(publish(7, 2, "wait"));
  for (int i = 0; i < 2; ++i) send(publish(7, 2, "wait", true));
  wait_until_taken();
  EXPECT_TRUE(acknowledged<packet::PubRec>().empty());
  let_go();
  EXPECT_TRUE(eventually([&] { return acknowledged<packet::PubRec>().size() == 3; }));
  EXPECT_EQ(calls_for("wait", "end"), 1U);
  EXPECT_EQ(calls_for("wait"), 1U);
}

TEST_P(ExactlyOnceFinishedTest, TheSessionIsLostWhileTheServiceHasIt) {
  start(kFinishedSideBySide, waiting());
  send(publish(7, 2, "wait"));
  ASSERT_TRUE(wait_for_calls(file(), 1));
  drop_connection(false);
  let_go();
  ASSERT_TRUE(wait_for_records(file(), 1));
  forget_answers();
  send(publish(7, 2, "another"));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  EXPECT_EQ(records(file(), "end").size(), 2U) << "another message";
  send(packet::PubRel{7});
  ASSERT_TRUE(answered<packet::PubComp>(7));
  EXPECT_EQ(rows(*triggerd_, kIds), 0);
}

// ---- What servers write in other ways ----

class ExactlyOnceMqtt5Test : public AcknowledgeFixture {
 protected:
  ExactlyOnceMqtt5Test() { alias_keys_ = keys_of(packet::k5); }
};

TEST_F(ExactlyOnceMqtt5Test, PubrelMayCarryAReasonAndProperties) {
  start("");
  send(publish(7, 2, "once"));
  ASSERT_TRUE(answered<packet::PubRec>(7));
  send(packet::PubRel{
      7, 0x92, packet::text_property(0x1f, "who are you") + packet::user_property("a", "b")});
  ASSERT_TRUE(answered<packet::PubComp>(7));
  EXPECT_EQ(rows(*triggerd_, kIds), 0);
}

}  // namespace
}  // namespace triggerd::test
