// Publishing from a service: the callback is called once, and freed always.
#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "under_test.hpp"

namespace {

using trigger::Context;
using trigger::Message;
using trigger::Publish;
using trigger::Verdict;
using under_test::run;

struct Seen {
  int calls = 0;
  std::int32_t code = 1;
  std::string reason;
  std::thread::id thread;
  std::weak_ptr<int> alive;  // as long as the callback is
} seen;

Verdict publish_and_see(const Context& context, const Message&) {
  seen = {};
  auto life = std::make_shared<int>(0);
  seen.alive = life;
  const std::int32_t code =
      context.publish({"out", "x"}, [life](std::int32_t result, std::string_view reason) {
        ++seen.calls;
        seen.code = result;
        seen.reason = reason;
        seen.thread = std::this_thread::get_id();
      });
  return code == TRIGGER_OK ? Verdict::ok() : Verdict::from_publish(code);
}

TEST(SdkPublish, SendsWhatItIsGiven) {
  auto instance = run([](const Context& context, const Message&) {
    const trigger_property property{3, 0, 0, {"", 0}, {nullptr, 0}};
    Publish message{"out/topic", std::string_view("a\0b", 3)};
    message.qos = 2;
    message.retain = true;
    message.alias = "cloud";
    message.properties = &property;
    message.property_count = 1;
    EXPECT_EQ(context.publish(message), TRIGGER_OK);
    EXPECT_EQ(context.publish({"plain", ""}), TRIGGER_OK);
    return Verdict::ok();
  });
  instance.send({});
  const auto published = instance.publishes();
  ASSERT_EQ(published.size(), 2u);
  EXPECT_EQ(published[0].topic, "out/topic");
  EXPECT_EQ(published[0].payload, std::string("a\0b", 3));
  EXPECT_EQ(published[0].qos, 2u);
  EXPECT_TRUE(published[0].retain);
  EXPECT_EQ(published[0].alias, "cloud");
  ASSERT_EQ(published[0].properties.size(), 1u);
  EXPECT_EQ(published[0].properties[0].id, 3u);
  EXPECT_FALSE(published[0].wants_result);
  EXPECT_EQ(published[1].qos, 1u);
  EXPECT_FALSE(published[1].retain);
}

TEST(SdkPublish, TellsTheResultOnceAndFreesTheCallback) {
  auto instance = run(publish_and_see);
  instance.send({});
  EXPECT_FALSE(seen.alive.expired());
  EXPECT_EQ(seen.calls, 0);
  instance.finish_publish(0, TRIGGER_E_FAILED, "lost");
  EXPECT_EQ(seen.calls, 1);
  EXPECT_EQ(seen.code, TRIGGER_E_FAILED);
  EXPECT_EQ(seen.reason, "lost");
  EXPECT_NE(seen.thread, std::this_thread::get_id());
  EXPECT_TRUE(seen.alive.expired());
}

TEST(SdkPublish, FreesTheCallbackOfWhatWasRefused) {
  auto instance = run(publish_and_see);
  instance.refuse_publishes(TRIGGER_E_FULL);
  EXPECT_EQ(instance.send({}).reason(), "not published: too much is in flight");
  EXPECT_EQ(seen.calls, 0);
  EXPECT_TRUE(seen.alive.expired());
}

TEST(SdkPublish, IsCancelledByStop) {
  auto instance = run(publish_and_see);
  instance.send({});
  instance.stop();
  EXPECT_EQ(seen.calls, 1);
  EXPECT_EQ(seen.code, TRIGGER_E_CANCELLED);
  EXPECT_TRUE(seen.alive.expired());
}

TEST(SdkPublish, LogsWhatACallbackThrows) {
  auto instance = run([](const Context& context, const Message& message) {
    const bool other = message.payload() == "other";
    return Verdict::from_publish(context.publish({"out", "x"}, [other](std::int32_t, auto) {
      if (other) throw 42;
      throw std::runtime_error("no luck");
    }));
  });
  instance.send({"a", "error"});
  instance.send({"a", "other"});
  instance.finish_publish(0);
  instance.finish_publish(1);
  ASSERT_EQ(instance.log_lines().size(), 2u);
  EXPECT_EQ(instance.log_lines()[0].text, "no luck");
  EXPECT_EQ(instance.log_lines()[1].text,
            "a publish callback threw something that is not a std::exception");
}

TEST(SdkPublish, TakesAnyCallable) {
  auto instance = run([](const Context& context, const Message&) {
    static int calls;
    calls = 0;
    const std::function<void(std::int32_t, std::string_view)> function =
        [](std::int32_t, std::string_view) { ++calls; };
    EXPECT_EQ(context.publish({"out", "1"}, function), TRIGGER_OK);
    EXPECT_EQ(
        context.publish({"out", "2"}, [only = std::make_unique<int>(1)](
                                          std::int32_t, std::string_view) { calls += *only; }),
        TRIGGER_OK);
    return Verdict::ok();
  });
  instance.send({});
  instance.finish_publish(0);
  instance.finish_publish(1);
}

// What a service that publishes and completes does in every case: the reason is the publish's, not
// that of a Completion that went away with the callback.
TEST(SdkPublish, CarriesACompletion) {
  auto instance = run([](const Context& context, const Message& message) {
    const std::int32_t code = context.publish(
        {"out", "x"},
        [completion = message.completion()](std::int32_t result, std::string_view reason) mutable {
          completion.complete(Verdict::from_publish(result, reason));
        });
    return code == TRIGGER_OK ? Verdict::pending() : Verdict::from_publish(code);
  });
  const auto good = instance.send({});
  EXPECT_TRUE(good.pending());
  instance.finish_publish(0);
  EXPECT_EQ(good.code(), TRIGGER_OK);

  const auto lost = instance.send({});
  instance.finish_publish(1, TRIGGER_E_FAILED, "the connection was lost");
  EXPECT_EQ(lost.code(), TRIGGER_RETRY);
  EXPECT_EQ(lost.reason(), "not published: the connection was lost");

  instance.refuse_publishes(TRIGGER_E_NOT_FOUND);
  const auto refused = instance.send({});
  EXPECT_EQ(refused.code(), TRIGGER_REJECT);
  EXPECT_EQ(refused.reason(), "not published: there is no alias of that name");
  EXPECT_TRUE(instance.violations().empty());
}

TEST(SdkPublish, KnowsWhichFailuresAreFinal) {
  for (const std::int32_t code : {TRIGGER_E_INVALID, TRIGGER_E_NOT_FOUND, TRIGGER_E_UNSUPPORTED}) {
    EXPECT_EQ(Verdict::from_publish(code).code(), TRIGGER_REJECT) << code;
  }
  for (const std::int32_t code :
       {TRIGGER_E_FAILED, TRIGGER_E_STALE, TRIGGER_E_STATE, TRIGGER_E_CANCELLED}) {
    EXPECT_EQ(Verdict::from_publish(code).code(), TRIGGER_RETRY) << code;
  }
  // Nothing that the message could help.
  for (const std::int32_t code : {TRIGGER_E_NOT_CONNECTED, TRIGGER_E_FULL}) {
    EXPECT_EQ(Verdict::from_publish(code).code(), TRIGGER_UNAVAILABLE) << code;
  }
  EXPECT_EQ(Verdict::from_publish(TRIGGER_OK).code(), TRIGGER_OK);
  EXPECT_EQ(Verdict::from_publish(TRIGGER_E_FAILED, "the line is cut").reason(),
            "not published: the line is cut");
}

// publish is for started instances; the wrapper answers for the host.
struct Early {
  static inline std::int32_t code = TRIGGER_OK;
  explicit Early(const Context& host) : context(host) { code = context.publish({"out", "x"}); }
  ~Early() { code = context.publish({"out", "x"}); }
  Early(const Early&) = delete;
  Early& operator=(const Early&) = delete;
  Verdict handle(const Message&) { return Verdict::ok(); }
  Context context;
};

TEST(SdkPublish, NeedsAStartedInstance) {
  {
    auto instance = under_test::plugin_of<Early>().create();
    EXPECT_EQ(Early::code, TRIGGER_E_STATE);
    Early::code = TRIGGER_OK;
    EXPECT_TRUE(instance.violations().empty());
    instance.start();
  }
  EXPECT_EQ(Early::code, TRIGGER_E_STATE);
}

}  // namespace
