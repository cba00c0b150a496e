// What Paho says with MQTT 5, as the client tells it on.
#include "mqtt/paho/callbacks_v5.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "mqtt/paho/property_list.hpp"
#include "mqtt/reason.hpp"
#include "support/fake_clock.hpp"

namespace triggerd::mqtt {
namespace {

class RecordingEvents final : public MessageListener, public ClientEvents {
 public:
  void on_message(Message&&) override {}
  void on_too_large(Message&&, std::uint64_t) override {}
  void on_session_lost() override { told.emplace_back("session lost"); }
  void on_connected(ConnectAttempt attempt, ConnAck connack) override {
    told.push_back("connected " + std::to_string(attempt));
    last = connack;
  }
  void on_connect_failed(ConnectAttempt attempt, int code, std::string why) override {
    told.push_back("connect failed " + text(attempt, {code}, why));
  }
  void on_lost(ConnectAttempt attempt, std::string why, int code) override {
    told.push_back("lost " + text(attempt, {code}, why));
  }
  void on_subscribed(ConnectAttempt attempt, std::vector<int> codes, std::string why) override {
    told.push_back("subscribed " + text(attempt, codes, why));
  }
  void on_unsubscribed(ConnectAttempt attempt, std::vector<int> codes, std::string why) override {
    told.push_back("unsubscribed " + text(attempt, codes, why));
  }
  void on_disconnected(ConnectAttempt attempt) override {
    told.push_back("disconnected " + std::to_string(attempt));
  }

  std::vector<std::string> told;
  ConnAck last;

 private:
  static std::string text(ConnectAttempt attempt, const std::vector<int>& codes,
                          const std::string& why) {
    std::string text = std::to_string(attempt) + ":";
    for (const int code : codes) text += " " + std::to_string(code);
    return text + " (" + why + ")";
  }
};

class PahoCallbacks5 : public testing::Test {
 protected:
  PahoCallbacks5() {
    MutexLock lock(callbacks_->mutex);
    callbacks_->messages = &events_;
    callbacks_->events = &events_;
  }
  // An operation that is under way, of attempt 3.
  void* begin(std::size_t filters = 0, PublishDone done = {}) {
    return begin_call(std::make_unique<PendingCall>(*callbacks_, 3, PendingCall::Kind::other,
                                                    filters, std::move(done)));
  }
  // What the server gives as its reason.
  static PropertyList reason(const char* text) {
    return PropertyList(std::vector<Property>{{.id = property::kReasonString, .value = text}});
  }
  std::vector<std::string> told() { return std::exchange(events_.told, {}); }
  using Told = std::vector<std::string>;

  triggerd::test::FakeClock clock_;
  RecordingEvents events_;
  const std::shared_ptr<CallbackContext> callbacks_ = std::make_shared<CallbackContext>(clock_);
};

// ---- UNSUBACK ----

TEST_F(PahoCallbacks5, TheAnswersToAnUnsubscribeAreToldInTheirOrder) {
  MQTTReasonCodes codes[] = {MQTTREASONCODE_SUCCESS, MQTTREASONCODE_NO_SUBSCRIPTION_FOUND,
                             MQTTREASONCODE_NOT_AUTHORIZED};
  MQTTAsync_successData5 data = MQTTAsync_successData5_initializer;
  data.alt.unsub.reasonCodeCount = 3;
  data.alt.unsub.reasonCodes = codes;
  unsubscribe_succeeded5(begin(3), &data);
  EXPECT_EQ(told(), Told{"unsubscribed 3: 0 17 135 ()"});
}

TEST_F(PahoCallbacks5, TheAnswerForOneFilterIsNotInAList) {
  MQTTAsync_successData5 data = MQTTAsync_successData5_initializer;
  data.reasonCode = MQTTREASONCODE_NO_SUBSCRIPTION_FOUND;
  unsubscribe_succeeded5(begin(1), &data);
  EXPECT_EQ(told(), Told{"unsubscribed 3: 17 ()"});
}

TEST_F(PahoCallbacks5, AnUnsubscribeThatTheServerRefusesIsRefusedForEachFilterAndSaysWhy) {
  PropertyList why = reason("quota");
  MQTTAsync_failureData5 data = MQTTAsync_failureData5_initializer;
  data.reasonCode = MQTTREASONCODE_QUOTA_EXCEEDED;
  data.properties = why.list();
  unsubscribe_failed5(begin(2), &data);
  EXPECT_EQ(told(), Told{"unsubscribed 3: 151 151 (quota)"});
}

TEST_F(PahoCallbacks5, AnUnsubscribeThatTheLibraryGivesUpHasNoAnswers) {
  MQTTAsync_failureData5 data = MQTTAsync_failureData5_initializer;
  data.code = MQTTASYNC_OPERATION_INCOMPLETE;
  unsubscribe_failed5(begin(2), &data);
  EXPECT_EQ(told(), Told{"unsubscribed 3: ()"});
}

// ---- SUBACK ----

TEST_F(PahoCallbacks5, AListThatTheServerCutsShortIsNoAnswerForTheRest) {
  MQTTReasonCodes codes[] = {MQTTREASONCODE_GRANTED_QOS_1};
  MQTTAsync_successData5 data = MQTTAsync_successData5_initializer;
  data.alt.sub.reasonCodeCount = 1;
  data.alt.sub.reasonCodes = codes;
  subscribe_succeeded5(begin(2), &data);
  data.alt.sub.reasonCodes = nullptr;
  subscribe_succeeded5(begin(2), &data);
  EXPECT_EQ(told(), (Told{"subscribed 3: 1 ()", "subscribed 3: ()"}));
}

TEST_F(PahoCallbacks5, ASubscribeThatFailsSaysWhetherTheServerOrTheLibraryRefusedIt) {
  PropertyList why = reason("not yours");
  MQTTAsync_failureData5 data = MQTTAsync_failureData5_initializer;
  data.reasonCode = MQTTREASONCODE_NOT_AUTHORIZED;
  data.properties = why.list();
  subscribe_failed5(begin(2), &data);
  MQTTAsync_failureData5 given_up = MQTTAsync_failureData5_initializer;
  given_up.message = "socket error";
  subscribe_failed5(begin(2), &given_up);
  EXPECT_EQ(told(), (Told{"subscribed 3: 135 135 (not yours)", "subscribed 3: (socket error)"}));
}

// ---- Published ----

TEST_F(PahoCallbacks5, APublishIsToldOnceWhateverTheLibrarySaysLater) {
  std::vector<std::string> outcomes;
  const PublishDone done = [&](const Result<>& outcome) {
    outcomes.push_back(outcome ? "ok" : outcome.error().message);
  };
  void* const call = begin(0, done);
  publish_succeeded5(call, nullptr);
  MQTTAsync_failureData5 data = MQTTAsync_failureData5_initializer;
  data.message = "the connection was lost";
  publish_failed5(call, &data);
  EXPECT_EQ(outcomes, Told{"ok"});
  publish_failed5(begin(0, done), &data);
  EXPECT_EQ(outcomes.back(), "the connection was lost");
}

TEST_F(PahoCallbacks5, APublishThatTheServerRefusesHasItsCodeAndItsReason) {
  PropertyList why = reason("too many");
  MQTTAsync_failureData5 data = MQTTAsync_failureData5_initializer;
  data.reasonCode = MQTTREASONCODE_QUOTA_EXCEEDED;
  data.properties = why.list();
  Result<> told;
  publish_failed5(begin(0, [&](Result<> outcome) { told = std::move(outcome); }), &data);
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().code, MQTTREASONCODE_QUOTA_EXCEEDED);
  EXPECT_EQ(told.error().message, reason_text(MQTTREASONCODE_QUOTA_EXCEEDED, "too many"));
}

TEST_F(PahoCallbacks5, WhatTheLibraryHasNoWordsForIsItsCode) {
  MQTTAsync_failureData5 data = MQTTAsync_failureData5_initializer;
  data.code = MQTTASYNC_MAX_MESSAGES_INFLIGHT;
  Result<> told;
  publish_failed5(begin(0, [&](Result<> outcome) { told = std::move(outcome); }), &data);
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().message, MQTTAsync_strerror(MQTTASYNC_MAX_MESSAGES_INFLIGHT));
}

// ---- Connected, disconnected ----

TEST_F(PahoCallbacks5, WhatTheServerWishesIsInItsConnack) {
  PropertyList wishes(std::vector<Property>{{.id = property::kSessionExpiry, .number = 60},
                                            {.id = property::kServerKeepAlive, .number = 30},
                                            {.id = property::kReceiveMaximum, .number = 5},
                                            {.id = property::kMaximumQos, .number = 1},
                                            {.id = property::kRetainAvailable, .number = 0},
                                            {.id = property::kMaximumPacketSize, .number = 1'000}});
  MQTTAsync_successData5 data = MQTTAsync_successData5_initializer;
  data.properties = wishes.list();
  connect_succeeded5(begin(), &data);
  EXPECT_EQ(told(), (Told{"session lost", "connected 3"}));
  EXPECT_EQ(events_.last.session_expiry, std::chrono::seconds(60));
  EXPECT_EQ(events_.last.keep_alive, std::chrono::seconds(30));
  EXPECT_EQ(events_.last.receive_maximum, 5);
  MutexLock lock(callbacks_->link_mutex);
  EXPECT_EQ(callbacks_->limits.qos, 1);
  EXPECT_FALSE(callbacks_->limits.retained);
  EXPECT_EQ(callbacks_->limits.packet_size, 1'000u);
}

TEST_F(PahoCallbacks5, AConnectThatFailsSaysWhy) {
  MQTTAsync_failureData5 data = MQTTAsync_failureData5_initializer;
  data.code = MQTTASYNC_FAILURE;
  data.message = "TCP connect timeout";
  connect_failed5(begin(), &data);
  EXPECT_EQ(told(), Told{"connect failed 3: 0 (TCP connect timeout)"});
  data.reasonCode = MQTTREASONCODE_SERVER_BUSY;
  connect_failed5(begin(), &data);
  EXPECT_EQ(told(), Told{"connect failed 3: 137 ()"});
}

TEST_F(PahoCallbacks5, ADisconnectOfTheServersHasItsCodeAndWhereToGo) {
  callbacks_->attempt = 3;
  server_disconnects(callbacks_.get(), nullptr, MQTTREASONCODE_SERVER_SHUTTING_DOWN);
  PropertyList moved(std::vector<Property>{{.id = property::kReasonString, .value = "moved"},
                                           {.id = property::kServerReference, .value = "two"}});
  server_disconnects(callbacks_.get(), &moved.list(), MQTTREASONCODE_USE_ANOTHER_SERVER);
  PropertyList only_where(
      std::vector<Property>{{.id = property::kServerReference, .value = "two"}});
  server_disconnects(callbacks_.get(), &only_where.list(), MQTTREASONCODE_SERVER_MOVED);
  EXPECT_EQ(told(),
            (Told{"lost 3: 139 ()", "lost 3: 156 (moved; use two)", "lost 3: 157 (use two)"}));
}

TEST_F(PahoCallbacks5, ADisconnectEndsHoweverItEnds) {
  disconnect_succeeded5(begin(), nullptr);
  disconnect_failed5(begin(), nullptr);
  EXPECT_EQ(told(), (Told{"disconnected 3", "disconnected 3"}));
}

// ---- After the end ----

TEST_F(PahoCallbacks5, OfAnOperationThatHasEndedNothingIsTold) {
  void* const call = begin(1);
  disconnect_succeeded5(call, nullptr);
  told();
  MQTTAsync_successData5 success = MQTTAsync_successData5_initializer;
  MQTTAsync_failureData5 failure = MQTTAsync_failureData5_initializer;
  connect_succeeded5(call, &success);
  connect_failed5(call, &failure);
  subscribe_succeeded5(call, &success);
  subscribe_failed5(call, &failure);
  unsubscribe_succeeded5(call, &success);
  unsubscribe_failed5(call, &failure);
  disconnect_failed5(call, nullptr);
  publish_succeeded5(call, &success);
  publish_failed5(call, &failure);
  EXPECT_TRUE(told().empty());
}

TEST_F(PahoCallbacks5, AClientThatIsGoneIsToldNothing) {
  {
    MutexLock lock(callbacks_->mutex);
    callbacks_->events = nullptr;
  }
  MQTTAsync_successData5 data = MQTTAsync_successData5_initializer;
  unsubscribe_succeeded5(begin(1), &data);
  disconnect_succeeded5(begin(), nullptr);
  EXPECT_TRUE(told().empty());
}

TEST_F(PahoCallbacks5, WhatTheLibraryHasForgottenIsFreed) {
  void* const forgotten = begin(0, [](const Result<>&) { FAIL() << "nobody has answered"; });
  void* const other = begin();
  free_forgotten_calls(*callbacks_);
  EXPECT_EQ(take_call(forgotten), nullptr);
  EXPECT_EQ(take_call(other), nullptr);
}

}  // namespace
}  // namespace triggerd::mqtt
