#include "trigger/service_host.hpp"

#include <string_view>

#include "config/trigger.hpp"
#include "mqtt/reason.hpp"
#include "plugin/host/trace_context.hpp"
#include "unit/dispatch/dispatcher_fixture.hpp"
#include "unit/mqtt/session/connection_fixture.hpp"

namespace triggerd::trigger {
namespace {

class ServiceHostTest : public mqtt::test::FakedConnection {
 protected:
  ServiceHostTest() {
    options_.servers = {{.host = "one", .port = 1883}};
    resolver_.addresses = {{"one", {"10.0.0.1"}}};
    trigger_.alias = "plant";
    request_.struct_size = sizeof request_;
    request_.topic = {"out", 3};
    request_.qos = 1;
  }
  void up() {
    open();
    connected();
    publisher_.add("plant", connection_);
  }
  std::int32_t publish() {
    return host_.publish(request_, [this](std::int32_t code, const std::string& reason) {
      outcomes_.push_back(std::to_string(code) + " " + reason);
    });
  }
  static std::string outcome(std::int32_t code, const std::string& reason) {
    return std::to_string(code) + " " + reason;
  }
  using Outcomes = std::vector<std::string>;

  config::Trigger trigger_;
  EventLoop timer_{clock_};
  dispatch::RecordingSink sink_;
  dispatch::Dispatcher dispatcher_{
      {.trigger = "t", .timeout = Millis(1'000)}, sink_, timer_, [] { return 1.0; }};
  Publisher publisher_;
  ServiceHost host_{trigger_, dispatcher_, publisher_};
  trigger_publish request_{};
  Outcomes outcomes_;
};

TEST_F(ServiceHostTest, PublishesByTheAliasOfTheTriggerUnlessAnotherIsNamed) {
  up();
  EXPECT_EQ(publish(), TRIGGER_OK);
  ASSERT_EQ(asked_.publishes.size(), 1u);
  EXPECT_EQ(asked_.publishes[0].topic, "out");
  asked_.publishes[0].done({});
  EXPECT_EQ(outcomes_, Outcomes{outcome(TRIGGER_OK, "")});
  request_.alias = {"elsewhere", 9};
  EXPECT_EQ(publish(), TRIGGER_E_NOT_FOUND);
  EXPECT_EQ(outcomes_.size(), 1u) << "the code says it all";
}

TEST_F(ServiceHostTest, WhatTheServerNeverTakesIsInvalidAndWhatItRefusesHasFailed) {
  up();
  for (int i = 0; i < 3; ++i) ASSERT_EQ(publish(), TRIGGER_OK);
  const auto refused = [](int code) { return tl::make_unexpected(Error{"no", code}); };
  asked_.publishes[0].done(refused(mqtt::kReasonPacketTooLarge));
  asked_.publishes[1].done(refused(0x87));
  asked_.publishes[2].done(fail("the connection was lost"));
  EXPECT_EQ(outcomes_, (Outcomes{outcome(TRIGGER_E_INVALID, "no"), outcome(TRIGGER_E_FAILED, "no"),
                                 outcome(TRIGGER_E_NOT_CONNECTED, "the connection was lost")}));
}

TEST_F(ServiceHostTest, NobodyNeedListenToTheOutcome) {
  up();
  EXPECT_EQ(host_.publish(request_, {}), TRIGGER_OK);
  ASSERT_EQ(asked_.publishes.size(), 1u);
  asked_.publishes[0].done({});
}

TEST_F(ServiceHostTest, TheTraceOfTheMessageThatIsHandledGoesOn) {
  options_.protocol = config::Protocol::v5;
  up();
  trigger_property trace{};
  trace.id = mqtt::property::kUser;
  trace.name = {"traceparent", 11};
  constexpr std::string_view kParent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  trace.value = {reinterpret_cast<const std::uint8_t*>(kParent.data()), kParent.size()};
  trigger_message message{};
  message.struct_size = sizeof message;
  message.properties = &trace;
  message.property_count = 1;
  EXPECT_EQ(publish(), TRIGGER_OK);
  {
    const plugin::CurrentMessage current(message);
    EXPECT_EQ(publish(), TRIGGER_OK);
  }
  ASSERT_EQ(asked_.publishes.size(), 2u);
  EXPECT_EQ(asked_.publishes[0].properties, 0u) << "it belongs to no message";
  EXPECT_EQ(asked_.publishes[1].properties, 1u);
}

TEST_F(ServiceHostTest, CompletesAndExtendsWhatIsPending) {
  EXPECT_EQ(host_.extend(1, 1'000), TRIGGER_E_STALE);
  EXPECT_EQ(host_.complete(1, {.code = TRIGGER_OK, .retry_after_ms = 0, .reason = {}}),
            TRIGGER_E_STALE);
  dispatcher_.accept({dispatch::test::delivery("a")});
  const trigger_message* const taken = dispatcher_.try_take();
  ASSERT_NE(taken, nullptr);
  const std::uint64_t token = taken->token;
  dispatcher_.answered(*taken, {.code = TRIGGER_PENDING, .retry_after_ms = 0, .reason = {}});
  EXPECT_EQ(host_.extend(token, 5'000), TRIGGER_OK);
  clock_.advance(Millis(4'000));
  timer_.run_due();
  EXPECT_EQ(host_.complete(token, {.code = TRIGGER_OK, .retry_after_ms = 0, .reason = {}}),
            TRIGGER_OK);
  EXPECT_EQ(sink_.told, (dispatch::Told{"finished a"}));
}

}  // namespace
}  // namespace triggerd::trigger
