#include "dispatch/delivery.hpp"

#include <gtest/gtest.h>

#include <future>
#include <string>

#include "inbox/inbox_file.hpp"
#include "support/eventually.hpp"
#include "support/lossy_vfs.hpp"
#include "unit/dispatch/messages.hpp"
#include "unit/inbox/calling_waiter.hpp"

namespace triggerd::dispatch {
namespace {

constexpr std::size_t kUpTo = 1000;

// With a writer and an inbox, both in memory.
class DeliveryTest : public testing::Test {
 protected:
  DeliveryTest() : inbox_(inbox::Inbox::open("inbox.db", {.vfs = vfs_.name()}).value()) {
    home_.trigger = "alarms";
    home_.client_id = "edge";
    home_.acknowledge = config::Acknowledge::durable;
    home_.writer = &writer_;
  }

  DeliveryPtr made(int qos, const std::string& payload = "payload") {
    mqtt::Message message = test::message("plant/1", payload);
    message.qos = qos;
    message.packet_id = 7;
    return std::make_shared<Delivery>(home_, std::move(message), "id-1");
  }
  DeliveryPtr exactly_once() {
    DeliveryPtr delivery = made(2);
    delivery->keeps_id = true;
    return delivery;
  }
  DeliveryPtr stored() {
    DeliveryPtr delivery = made(1);
    writer_.accept({delivery});
    flush();
    return delivery;
  }
  void flush() {
    ASSERT_TRUE(writer_.flush(std::chrono::steady_clock::now() + triggerd::test::kPatience));
  }
  std::vector<inbox::StoredMessage> messages() {
    return inbox_->messages().page("alarms", 0, kUpTo).value();
  }
  std::size_t kept_ids() { return inbox_->packet_ids().awaiting_pubrel("edge").value().size(); }

  triggerd::test::LossyVfs vfs_{"delivery"};
  std::unique_ptr<inbox::Inbox> inbox_;
  inbox::Writer writer_{*inbox_, {}, [](const std::optional<std::string>&) {}};
  DeliveryHome home_;
};

// ---- From its acceptance to its end ----

TEST_F(DeliveryTest, OneThatIsWrittenIsAcknowledgedAndStaysUntilItIsFinished) {
  const DeliveryPtr delivery = made(1);
  EXPECT_FALSE(delivery->acknowledged());
  EXPECT_FALSE(delivery->number());

  writer_.accept({delivery});
  flush();
  EXPECT_TRUE(delivery->acknowledged());
  ASSERT_EQ(messages().size(), 1U);
  EXPECT_EQ(delivery->number(), messages()[0].number);

  delivery->finish();
  flush();
  EXPECT_TRUE(messages().empty());
  EXPECT_FALSE(delivery->number());
}

// ---- Handled under a key ----

class KeyedDeliveryTest : public DeliveryTest {
 protected:
  // As if a service had handled it.
  static void handle(const DeliveryPtr& delivery, inbox::KeyList& keys) {
    delivery->key =
        std::make_unique<inbox::HandledKey>(keys.add(inbox::MessageKey{1}, Monotonic()).row);
    delivery->finish();
  }
  void handle(const DeliveryPtr& delivery) { handle(delivery, *keys_); }
  // Of a restart.
  bool key_is_written() {
    MutexLock lock(inbox_->file().mutex());
    inbox::Statement query(inbox_->file().database(), "SELECT count(*) FROM handled_key");
    return query.step() && query.number(0) == 1;
  }
  // Nothing is written until it ends.
  class Pause {
   public:
    explicit Pause(inbox::Inbox& inbox) : lock_(inbox.file().mutex()) {}

   private:
    MutexLock lock_;
  };

  std::shared_ptr<inbox::KeyList> keys_ =
      inbox_->handled_keys()
          .of("alarms", {.window = Millis(1'000), .max = 10}, Monotonic())
          .value();
};

TEST_F(KeyedDeliveryTest, OneThatIsFinishedFirstIsAcknowledgedOnceItsKeyIsWritten) {
  const DeliveryPtr delivery = made(1);
  handle(delivery);
  EXPECT_FALSE(delivery->acknowledged());
  writer_.accept({delivery});
  writer_.reconsider();
  flush();
  EXPECT_TRUE(delivery->acknowledged());
  EXPECT_TRUE(messages().empty());
  EXPECT_TRUE(key_is_written());
}

TEST_F(KeyedDeliveryTest, OneThatIsStoredTakesItsRowWithIt) {
  const DeliveryPtr delivery = stored();
  handle(delivery);
  flush();
  EXPECT_TRUE(messages().empty());
  EXPECT_TRUE(key_is_written());
}

TEST_F(KeyedDeliveryTest, OneThatIsFinishedWhileItIsWrittenTakesItsRowWithIt) {
  const DeliveryPtr delivery = made(1);
  ASSERT_TRUE(delivery->begin_write());
  handle(delivery);
  EXPECT_FALSE(delivery->acknowledged()) << "its row may come to nothing";
  delivery->not_written();
  EXPECT_FALSE(delivery->begin_write());
  EXPECT_NE(delivery->handled(), nullptr);
  delivery->written(std::nullopt);
  EXPECT_TRUE(delivery->acknowledged());
}

TEST_F(KeyedDeliveryTest, WithFinishedTheAcknowledgementWaitsForTheKey) {
  home_.acknowledge = config::Acknowledge::finished;
  const DeliveryPtr delivery = made(1);
  {
    const Pause pause(*inbox_);
    handle(delivery);
    EXPECT_FALSE(delivery->acknowledged());
  }
  flush();
  EXPECT_TRUE(delivery->acknowledged());
  EXPECT_TRUE(key_is_written());
}

TEST_F(KeyedDeliveryTest, WithFinishedAPacketIdFollowsTheKey) {
  home_.acknowledge = config::Acknowledge::finished;
  const DeliveryPtr delivery = exactly_once();
  {
    const Pause pause(*inbox_);
    handle(delivery);
    EXPECT_FALSE(delivery->acknowledged());
  }
  flush();
  EXPECT_TRUE(delivery->acknowledged());
  EXPECT_TRUE(key_is_written());
  EXPECT_EQ(kept_ids(), 1U);
}

TEST_F(KeyedDeliveryTest, WithDurableAPacketIdAndTheKeyAreWrittenTogether) {
  const DeliveryPtr delivery = exactly_once();
  handle(delivery);
  writer_.accept({"edge", 7}, delivery);
  flush();
  EXPECT_TRUE(delivery->acknowledged());
  EXPECT_TRUE(key_is_written());
  EXPECT_EQ(kept_ids(), 1U);
}

TEST_F(KeyedDeliveryTest, WhatIsAcknowledgedAtOnceHasItsKeyWrittenToo) {
  for (const int qos : {0, 1}) {
    home_.acknowledge = config::Acknowledge::received;
    handle(made(qos));
    flush();
    EXPECT_TRUE(key_is_written());
    keys_ = std::make_shared<inbox::KeyList>(1, inbox::KeyLimits{.window = Millis(1), .max = 1});
  }
}

// ---- Acknowledged and removed ----

TEST_F(DeliveryTest, OneThatIsFinishedFirstIsAcknowledgedAndNeverWritten) {
  const DeliveryPtr delivery = made(1);
  delivery->finish();
  EXPECT_TRUE(delivery->acknowledged());
  EXPECT_FALSE(delivery->wants_writing());
  EXPECT_FALSE(delivery->begin_write());

  writer_.accept({delivery});
  flush();
  EXPECT_TRUE(messages().empty());
}

TEST_F(DeliveryTest, OneThatIsFinishedWhileItIsWrittenLosesItsRow) {
  const DeliveryPtr other = stored();
  const DeliveryPtr delivery = made(1);
  ASSERT_TRUE(delivery->begin_write());
  delivery->finish();
  EXPECT_TRUE(delivery->acknowledged());
  ASSERT_EQ(messages().size(), 1U);

  delivery->written(messages()[0].number);  // as if that row were its own
  flush();
  EXPECT_TRUE(messages().empty());
  EXPECT_FALSE(delivery->number());
}

TEST_F(DeliveryTest, AFailedTransactionAcknowledgesNothing) {
  const DeliveryPtr delivery = made(1);
  ASSERT_TRUE(delivery->begin_write());
  EXPECT_FALSE(delivery->begin_write());  // it is being written
  delivery->not_written();
  EXPECT_FALSE(delivery->acknowledged());
  EXPECT_FALSE(delivery->number());
  EXPECT_TRUE(delivery->begin_write());
}

TEST_F(DeliveryTest, OneFromTheInboxWasAcknowledgedBeforeAndIsNotWrittenAgain) {
  stored();
  const DeliveryPtr delivery = made(1);
  EXPECT_TRUE(delivery->goes_to_inbox());
  delivery->stored_as(messages()[0].number);
  EXPECT_TRUE(delivery->acknowledged());
  EXPECT_TRUE(delivery->acknowledgement_may_have_left());
  EXPECT_FALSE(delivery->goes_to_inbox());
  EXPECT_FALSE(delivery->begin_write());
  EXPECT_EQ(delivery->number(), messages()[0].number);

  delivery->finish();
  flush();
  EXPECT_TRUE(messages().empty());
}

TEST_F(DeliveryTest, QosAndAcknowledgeDecideWhetherTheInboxHasIt) {
  EXPECT_FALSE(made(0)->goes_to_inbox());
  EXPECT_TRUE(made(2)->goes_to_inbox());
  home_.acknowledge = config::Acknowledge::received;
  EXPECT_FALSE(made(1)->goes_to_inbox());
  home_.acknowledge = config::Acknowledge::finished;
  EXPECT_FALSE(made(2)->goes_to_inbox());
  EXPECT_FALSE(Delivery().goes_to_inbox());
}

TEST_F(DeliveryTest, OneWithoutAHomeHasNothingToFinish) {
  Delivery delivery;
  delivery.finish();
  EXPECT_FALSE(delivery.acknowledged());
}

// ---- What it owes its server ----

TEST_F(DeliveryTest, Qos0OwesNothing) {
  const DeliveryPtr delivery = made(0);
  delivery->finish();
  delivery->flush_acknowledgement();
  EXPECT_FALSE(delivery->acknowledged());
}

TEST_F(DeliveryTest, AnAcknowledgementWhoseConnectionIsGoneHasNotLeft) {
  const DeliveryPtr delivery = made(1);
  delivery->finish();
  delivery->flush_acknowledgement();
  EXPECT_TRUE(delivery->acknowledged());
  EXPECT_FALSE(delivery->acknowledgement_may_have_left());
}

TEST_F(DeliveryTest, WhatComesAgainOnceItIsReleasedIsReleasedAtOnce) {
  const DeliveryPtr delivery = made(1);
  delivery->attach({});
  EXPECT_FALSE(delivery->acknowledgement_may_have_left());
  delivery->finish();
  delivery->attach({});
  EXPECT_TRUE(delivery->acknowledgement_may_have_left());
}

TEST_F(DeliveryTest, NoReceiptIsOfNoConnection) {
  EXPECT_FALSE(made(1)->arrived_with({}));
}

// ---- QoS 2 and its packet id ----

TEST_F(DeliveryTest, WithAcknowledgeFinishedPubrecWaitsForItsPacketId) {
  home_.acknowledge = config::Acknowledge::finished;
  const DeliveryPtr delivery = exactly_once();
  std::promise<void> may_go_on;
  std::future<void> went_on = may_go_on.get_future();
  writer_.keep_id({"other", 1}, "id-0",
                  std::make_unique<inbox::CallingWaiter>([&] { went_on.wait(); }));
  delivery->finish();
  delivery->finish();  // the end counts once
  EXPECT_FALSE(delivery->acknowledged());
  EXPECT_EQ(home_.ids_queued, 1U);
  may_go_on.set_value();
  flush();
  EXPECT_TRUE(delivery->acknowledged());
  EXPECT_EQ(home_.ids_queued, 0U);
  EXPECT_EQ(kept_ids(), 1U);
}

TEST_F(DeliveryTest, APacketIdThatMeansAnotherMessageByThenIsNotKept) {
  home_.acknowledge = config::Acknowledge::finished;
  const DeliveryPtr delivery = exactly_once();
  EXPECT_FALSE(delivery->id_forgotten());
  delivery->forget_id();
  EXPECT_TRUE(delivery->id_forgotten());
  delivery->finish();
  EXPECT_TRUE(delivery->acknowledged());
  flush();
  EXPECT_EQ(kept_ids(), 0U);
}

TEST_F(DeliveryTest, WithAcknowledgeDurablePubrecWaitsForTheWriterThoughItIsFinished) {
  const DeliveryPtr delivery = exactly_once();
  delivery->id_queued = 1;
  home_.ids_queued = 1;
  delivery->finish();
  EXPECT_FALSE(delivery->acknowledged());
  EXPECT_TRUE(delivery->wants_writing());

  writer_.accept({"edge", 7}, delivery);
  flush();
  EXPECT_TRUE(delivery->acknowledged());
  EXPECT_EQ(delivery->id_queued, 0U);
  EXPECT_EQ(home_.ids_queued, 0U);
  EXPECT_EQ(kept_ids(), 1U);
  EXPECT_TRUE(messages().empty());
}

// ---- Its content ----

TEST_F(DeliveryTest, TheWriterSeesAllOfIt) {
  const DeliveryPtr delivery = made(2, std::string("\0\xff", 2));
  delivery->message.retained = true;
  delivery->message.received = Wall(Millis(1'700'000'000'123));
  delivery->attempts = 3;
  delivery->failed = 2;
  const inbox::MessageView view = delivery->view();
  EXPECT_EQ(view.trigger, "alarms");
  EXPECT_EQ(view.message_id, "id-1");
  EXPECT_EQ(view.topic, "plant/1");
  EXPECT_EQ(view.payload, std::string_view("\0\xff", 2));
  EXPECT_EQ(view.qos, 2);
  EXPECT_TRUE(view.retained);
  EXPECT_EQ(view.packet_id, 7);
  EXPECT_EQ(view.attempts, 2U);
  EXPECT_EQ(view.received, Wall(Millis(1'700'000'000'123)));
  EXPECT_FALSE(view.properties);
  EXPECT_FALSE(view.expires);
}

TEST_F(DeliveryTest, OneOfMqtt5HasPropertiesThoughTheyAreEmpty) {
  const DeliveryPtr delivery = made(1);
  delivery->message.mqtt5 = true;
  delivery->message.expires = Monotonic(Millis(5));
  EXPECT_EQ(delivery->view().properties, "");
  EXPECT_EQ(delivery->view().expires, Monotonic(Millis(5)));
}

TEST_F(DeliveryTest, WhatLiesInMemoryThatIsUsedAgainIsCopied) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{20}, std::size_t{5'000}}) {
    std::string topic = "plant/1";
    std::string payload(size, 'x');
    mqtt::Message message{
        .topic = topic,
        .payload = {reinterpret_cast<const std::uint8_t*>(payload.data()), payload.size()}};
    Delivery delivery(home_, std::move(message), "id-1");
    delivery.take_in();
    topic.assign(topic.size(), '?');
    payload.assign(payload.size(), '?');
    EXPECT_EQ(delivery.message.topic, "plant/1");
    EXPECT_EQ(delivery.view().payload, std::string(size, 'x'));
  }
}

TEST_F(DeliveryTest, ACopiedTopicEndsWithNulAsTheAbiWantsIt) {
  DeliveryPool pool;
  for (const char* topic : {"plant/12345", "plant/1"}) {  // in the same memory, one after the other
    mqtt::Message message;
    message.topic = topic;
    const DeliveryPtr delivery = pool.make(home_, std::move(message), "id-1");
    delivery->take_in();
    EXPECT_STREQ(delivery->message.topic.data(), topic);
  }
}

TEST_F(DeliveryTest, WhatHasMemoryOfItsOwnIsNotCopied) {
  const DeliveryPtr delivery = made(1);
  const char* before = delivery->message.topic.data();
  delivery->take_in();
  EXPECT_EQ(delivery->message.topic.data(), before);
}

TEST_F(DeliveryTest, AnEmptyReasonIsNone) {
  Delivery delivery;
  EXPECT_EQ(delivery.last_reason(), "");
  delivery.set_last_reason("no route");
  EXPECT_EQ(delivery.last_reason(), "no route");
  delivery.set_last_reason("");
  EXPECT_EQ(delivery.last_reason(), "");
}

TEST_F(DeliveryTest, MemoryOfOneThatIsGoneIsUsedAgain) {
  DeliveryPool pool;
  const Delivery* first = nullptr;
  {
    const DeliveryPtr delivery = pool.make(home_, test::message("plant/1"), "id-1");
    first = delivery.get();
  }
  const DeliveryPtr second = pool.make(home_, test::message("plant/2"), "id-2");
  const DeliveryPtr third = pool.make(home_, test::message("plant/3"), "id-3");
  EXPECT_EQ(second.get(), first);
  EXPECT_NE(third.get(), first);
  EXPECT_EQ(second->id, "id-2");
}

}  // namespace
}  // namespace triggerd::dispatch
