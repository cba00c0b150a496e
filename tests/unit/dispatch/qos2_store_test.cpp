#include "dispatch/qos2_store.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "inbox/inbox.hpp"
#include "support/capture_log.hpp"
#include "support/fake_clock.hpp"
#include "support/inbox_version_5.hpp"
#include "support/temp_dir.hpp"
#include "unit/dispatch/receipts.hpp"

namespace triggerd::dispatch {
namespace {

class Qos2StoreTest : public testing::Test {
 protected:
  Qos2StoreTest() { home_.writer = &writer_; }
  Qos2Store& store() {
    if (!store_) {
      store_ = std::make_unique<Qos2Store>(home_, inbox_->packet_ids(), clock_, log_);
      EXPECT_TRUE(store_->load());
    }
    return *store_;
  }
  // Another process, after this one was killed.
  void restart() {
    written();
    store_.reset();
  }
  mqtt::Message publish(std::uint16_t packet_id, const test::FakeConnection& connection,
                        bool dup = false) const {
    mqtt::Message message = test::message("topic");
    message.qos = 2;
    message.packet_id = packet_id;
    message.dup = dup;
    message.receipt = connection.receipt();
    return message;
  }
  // A message that comes for the first time.
  DeliveryPtr take(std::uint16_t packet_id) {
    EXPECT_FALSE(store().take_repeated(publish(packet_id, first_)));
    auto delivery = std::make_shared<Delivery>(home_, publish(packet_id, first_),
                                               "id-" + std::to_string(packet_id));
    store().add(packet_id, delivery);
    return delivery;
  }
  bool repeated(std::uint16_t packet_id, bool dup = true) {
    return store().take_repeated(publish(packet_id, second_, dup));
  }
  // As the server has it again: no receipt, so what is released goes nowhere.
  bool repeated_without_receipt(std::uint16_t packet_id) {
    mqtt::Message message = publish(packet_id, second_, true);
    message.receipt = {};
    return store().take_repeated(message);
  }
  void written() {
    ASSERT_TRUE(writer_.flush(std::chrono::steady_clock::now() + std::chrono::seconds(20)));
  }
  // The packet ids of which the inbox has a row.
  std::vector<std::uint16_t> rows() {
    written();
    std::vector<std::uint16_t> ids;
    const auto found = inbox_->packet_ids().awaiting_pubrel("c").value();
    for (const inbox::AwaitingPubrel& row : found) ids.push_back(row.packet_id);
    return ids;
  }
  using Ids = std::vector<std::uint16_t>;

  test::FakeConnection first_, second_;
  triggerd::test::TempDir dir_;
  triggerd::test::CaptureLog log_;
  triggerd::test::FakeClock clock_;
  DeliveryHome home_{.trigger = "t",
                     .client_id = "c",
                     .acknowledge = config::Acknowledge::finished,
                     .writer = nullptr};
  std::unique_ptr<inbox::Inbox> inbox_ = inbox::Inbox::open(dir_ / "inbox").value();
  inbox::Writer writer_{*inbox_, {.sync_to_disk = false}, [](const auto&) {}};
  std::unique_ptr<Qos2Store> store_;
};

TEST_F(Qos2StoreTest, ARepeatedMessageHandsItsReceiptToTheFirstOne) {
  const DeliveryPtr first = take(1);
  EXPECT_TRUE(first->arrived_with(first_.receipt()));
  EXPECT_TRUE(repeated(1));
  EXPECT_TRUE(first->arrived_with(second_.receipt()));
  EXPECT_FALSE(store().take_disk_awaited());
  EXPECT_FALSE(repeated(2)) << "that one is not known";
}

TEST_F(Qos2StoreTest, WithoutDupThePacketIdMeansAnotherMessage) {
  const DeliveryPtr first = take(1);
  EXPECT_FALSE(repeated(1, false));
  EXPECT_TRUE(first->id_forgotten());
  EXPECT_FALSE(repeated(1)) << "the new one was not added";
}

TEST_F(Qos2StoreTest, OfAFinishedMessageThePacketIdIsKeptBeforeItIsAcknowledged) {
  (void)take(1);  // and nobody has it any more
  EXPECT_TRUE(repeated_without_receipt(1));
  EXPECT_TRUE(store().take_disk_awaited());
  EXPECT_FALSE(store().take_disk_awaited());
  EXPECT_EQ(rows(), Ids{1});
}

TEST_F(Qos2StoreTest, PubrelForgetsTheMessageAndItsRow) {
  const DeliveryPtr first = take(1);
  (void)take(2);
  EXPECT_TRUE(repeated_without_receipt(2));
  EXPECT_EQ(rows(), Ids{2});
  store().pubrel(1, {});
  EXPECT_TRUE(store().take_disk_awaited()) << "one that is not known may be on its way to the disk";
  EXPECT_TRUE(first->id_forgotten());
  store().pubrel(2, {});
  EXPECT_EQ(rows(), Ids{});
  EXPECT_FALSE(repeated(1));
  EXPECT_FALSE(repeated(2));
}

TEST_F(Qos2StoreTest, AfterARestartAMessageIsStillKnown) {
  (void)take(1);
  EXPECT_TRUE(repeated_without_receipt(1));
  restart();
  EXPECT_TRUE(repeated_without_receipt(1));
  EXPECT_FALSE(repeated(2));
  store().pubrel(1, {});
  restart();
  EXPECT_FALSE(repeated(1));
}

TEST_F(Qos2StoreTest, ALostSessionMeansNoneOfThem) {
  const DeliveryPtr first = take(1);
  (void)take(2);
  EXPECT_TRUE(repeated_without_receipt(2));
  store().session_lost();
  EXPECT_TRUE(first->id_forgotten());
  EXPECT_FALSE(repeated(1));
  EXPECT_EQ(rows(), Ids{});
}

TEST_F(Qos2StoreTest, WhatIsAcknowledgedWhenItComesKeepsNothing) {
  home_.acknowledge = config::Acknowledge::received;
  (void)take(1);
  EXPECT_FALSE(store().keeps_ids());
  EXPECT_TRUE(repeated(1)) << "in this process it is known all the same";
  store().pubrel(1, {});
  EXPECT_FALSE(store().take_disk_awaited());
  EXPECT_FALSE(repeated(1));
}

TEST_F(Qos2StoreTest, WhatAnotherAcknowledgeHasKeptIsForgotten) {
  (void)take(1);
  EXPECT_TRUE(repeated_without_receipt(1));
  restart();
  home_.acknowledge = config::Acknowledge::received;
  EXPECT_TRUE(repeated(1)) << "once more";
  EXPECT_EQ(rows(), Ids{}) << "or it would mean another message one day";
}

TEST_F(Qos2StoreTest, WhatVersion5HasStagedIsAcceptedAndItsPacketIdKnown) {
  // Topic "t" and payload "h"; the second one is no PUBLISH.
  ASSERT_TRUE(triggerd::test::make_inbox_of_version_5(
      dir_ / "old",
      "INSERT INTO staged VALUES ('c', 'r-7', 'a', x'3406000174000768'),"
      " ('c', 'r-8', 'b', x'34ff');"));
  const auto old = inbox::Inbox::open(dir_ / "old").value();
  DeliveryHome home{.trigger = "t",
                    .client_id = "c",
                    .acknowledge = config::Acknowledge::finished,
                    .writer = nullptr};
  inbox::Writer writer{*old, {.sync_to_disk = false}, [](const auto&) {}};
  home.writer = &writer;
  Qos2Store of_old(home, old->packet_ids(), clock_, log_);
  ASSERT_TRUE(of_old.load());
  const auto messages = old->messages().page("t", 0, 10).value();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].message_id, "a");
  EXPECT_EQ(messages[0].topic, "t");
  EXPECT_EQ(messages[0].payload, "h");
  EXPECT_EQ(messages[0].qos, 2);
  EXPECT_EQ(messages[0].received, clock_.wall());
  mqtt::Message again = publish(7, second_, true);
  again.receipt = {};
  EXPECT_TRUE(of_old.take_repeated(again));
  EXPECT_EQ(log_.count("inbox.staged"), 1u) << "what cannot be read stays, for whoever looks at it";
  EXPECT_EQ(old->packet_ids().staged("c").value().size(), 1u);
}

TEST_F(Qos2StoreTest, ItSaysWhenTheWriterCannotFollow) {
  EXPECT_FALSE(store().overrun());
  home_.ids_queued = 131'073;
  EXPECT_TRUE(store().overrun());
  home_.ids_queued = 0;
}

}  // namespace
}  // namespace triggerd::dispatch
