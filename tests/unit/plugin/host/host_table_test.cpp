#include "plugin/host/host_table.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <future>
#include <thread>
#include <vector>

#include "plugin/host/trace_context.hpp"
#include "unit/plugin/fakes.hpp"

namespace triggerd::plugin {
namespace {

Monotonic soon() {
  return std::chrono::steady_clock::now() + test::kPatience;
}

trigger_str text(std::string_view value) {
  return {value.data(), value.size()};
}

class HostTableTest : public testing::Test {
 protected:
  using State = HostTable::State;

  ~HostTableTest() override { EXPECT_TRUE(completions_->join(soon())); }

  std::int32_t publish(const trigger_publish& request) { return host().publish(ctx(), &request); }
  std::int32_t complete(const trigger_result& result) { return host().complete(ctx(), 7, &result); }
  const trigger_host& host() const { return *table_.table(); }
  void* ctx() const { return host().ctx; }

  static trigger_publish request() {
    trigger_publish request{};
    request.struct_size = sizeof request;
    request.topic = text("plant/alert");
    request.payload = {reinterpret_cast<const std::uint8_t*>("hot"), 3};
    request.qos = 1;
    return request;
  }
  static trigger_result result(std::int32_t code) {
    trigger_result result{};
    result.struct_size = sizeof result;
    result.code = code;
    return result;
  }

  RememberingLog log_;
  RecordingHost behind_;
  std::shared_ptr<Completions> completions_ = std::make_shared<Completions>("fixture", log_);
  HostTable table_{"fixture", "alarms", log_, std::nullopt, behind_, completions_};
};

TEST_F(HostTableTest, ALineSaysWhichMessageTheServiceIsAt) {
  const std::string_view parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  trigger_property property{};
  property.id = 0x26;
  property.name = text("traceparent");
  property.value = {reinterpret_cast<const std::uint8_t*>(parent.data()), parent.size()};
  trigger_message message{};
  message.id = text("id-1");
  {
    const CurrentMessage current(message);
    host().log(ctx(), TRIGGER_LOG_INFO, text("without"));
    message.properties = &property;
    message.property_count = 1;
    host().log(ctx(), TRIGGER_LOG_INFO, text("with"));
    std::thread([this] { host().log(ctx(), TRIGGER_LOG_INFO, text("elsewhere")); }).join();
  }
  host().log(ctx(), TRIGGER_LOG_INFO, text("after"));
  using Fields = std::map<std::string, std::string>;
  const Fields own{{"plugin", "fixture"}, {"trigger", "alarms"}};
  Fields of_message = own;
  of_message["message"] = "id-1";
  Fields traced = of_message;
  traced["trace_id"] = "0af7651916cd43dd8448eb211c80319c";
  std::vector<Fields> found;
  for (const LogLine& line : log_.lines("plugin.log")) found.push_back(line.fields);
  EXPECT_EQ(found, (std::vector<Fields>{of_message, traced, own, own}));
}

TEST_F(HostTableTest, SaysWhatItIs) {
  EXPECT_EQ(host().struct_size, sizeof(trigger_host));
  EXPECT_EQ(host().abi_major, 1u);
  EXPECT_EQ(host().abi_minor, TRIGGER_ABI_MINOR);
  EXPECT_EQ(host().extension(ctx(), "trigger.nothing/1"), nullptr);
  EXPECT_EQ(host().extension(ctx(), nullptr), nullptr);
}

TEST_F(HostTableTest, LogLinesAreTagged) {
  host().log(ctx(), TRIGGER_LOG_WARN, text("too hot"));
  const auto lines = log_.lines("plugin.log");
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].level, LogLevel::warn);
  EXPECT_EQ(lines[0].text, "too hot");
  EXPECT_EQ(lines[0].fields.at("plugin"), "fixture");
  EXPECT_EQ(lines[0].fields.at("trigger"), "alarms");
}

TEST_F(HostTableTest, LogLevelsAreOnesItKnows) {
  EXPECT_EQ(host().log_enabled(ctx(), TRIGGER_LOG_TRACE), 0);
  EXPECT_EQ(host().log_enabled(ctx(), TRIGGER_LOG_DEBUG), 1);
  EXPECT_EQ(host().log_enabled(ctx(), 4'000'000'000u), 1);
  host().log(ctx(), TRIGGER_LOG_TRACE, text("not enabled"));
  host().log(ctx(), 99, text("grave"));
  ASSERT_EQ(log_.lines("plugin.log").size(), 1u);
  EXPECT_EQ(log_.lines("plugin.log")[0].level, LogLevel::error);
}

TEST_F(HostTableTest, LogTextsMayBeAnything) {
  host().log(ctx(), TRIGGER_LOG_INFO, {nullptr, 0});
  host().log(ctx(), TRIGGER_LOG_INFO, {nullptr, 1'000'000});
  const std::string huge(1 << 20, 'x');
  host().log(ctx(), TRIGGER_LOG_INFO, text(huge));
  host().log(ctx(), TRIGGER_LOG_INFO, text("\xff\x00\n"));
  const auto texts = log_.texts("plugin.log");
  ASSERT_EQ(texts.size(), 4u);
  EXPECT_EQ(texts[0], "");
  EXPECT_EQ(texts[1], "");
  EXPECT_EQ(texts[2], huge.substr(0, 4096));
}

TEST_F(HostTableTest, CompletesWhileStartedOrStopping) {
  const trigger_result ok = result(TRIGGER_OK);
  EXPECT_EQ(complete(ok), TRIGGER_E_STATE);
  EXPECT_EQ(host().extend(ctx(), 7, 50), TRIGGER_E_STATE);
  table_.set_state(State::started);
  EXPECT_EQ(complete(ok), TRIGGER_OK);
  EXPECT_EQ(complete(ok), TRIGGER_E_STALE);
  EXPECT_EQ(host().extend(ctx(), 7, 50), TRIGGER_OK);
  EXPECT_EQ(behind_.extended_ms(), 50u);
  table_.set_state(State::stopping);
  EXPECT_EQ(complete(ok), TRIGGER_E_STALE);
  table_.set_state(State::stopped);
  EXPECT_EQ(complete(ok), TRIGGER_E_STATE);
  EXPECT_EQ(behind_.completed().size(), 3u);
}

TEST_F(HostTableTest, CompleteHandsOverWhatTheServiceSaid) {
  table_.set_state(State::started);
  trigger_result retry = result(TRIGGER_RETRY);
  retry.retry_after_ms = 1500;
  std::strcpy(retry.reason, "the database is away");
  ASSERT_EQ(complete(retry), TRIGGER_OK);
  ASSERT_EQ(behind_.completed().size(), 1u);
  EXPECT_EQ(behind_.completed()[0].token, 7u);
  EXPECT_EQ(behind_.completed()[0].answer.code, TRIGGER_RETRY);
  EXPECT_EQ(behind_.completed()[0].answer.retry_after_ms, 1500u);
  EXPECT_EQ(behind_.completed()[0].answer.reason, "the database is away");
}

TEST_F(HostTableTest, CompleteRefusesWhatIsNoVerdict) {
  table_.set_state(State::started);
  EXPECT_EQ(host().complete(ctx(), 7, nullptr), TRIGGER_E_INVALID);
  trigger_result small = result(TRIGGER_OK);
  small.struct_size = 16;
  EXPECT_EQ(complete(small), TRIGGER_E_INVALID);
  for (const std::int32_t code : {TRIGGER_PENDING, TRIGGER_E_FAILED, 5, 4711, INT32_MIN}) {
    EXPECT_EQ(complete(result(code)), TRIGGER_E_INVALID) << code;
  }
  EXPECT_TRUE(behind_.completed().empty());
}

TEST_F(HostTableTest, AReasonWithoutItsNulEndsAllTheSame) {
  table_.set_state(State::started);
  trigger_result reject = result(TRIGGER_REJECT);
  std::memset(reject.reason, 'x', sizeof reject.reason);
  ASSERT_EQ(complete(reject), TRIGGER_OK);
  EXPECT_EQ(behind_.completed()[0].answer.reason, std::string(256, 'x'));
}

TEST_F(HostTableTest, PublishesOnlyWhileStarted) {
  EXPECT_EQ(publish(request()), TRIGGER_E_STATE);
  table_.set_state(State::started);
  EXPECT_EQ(publish(request()), TRIGGER_OK);
  table_.set_state(State::stopping);
  EXPECT_EQ(publish(request()), TRIGGER_E_STATE);
  table_.set_state(State::stopped);
  EXPECT_EQ(publish(request()), TRIGGER_E_STATE);
  table_.set_state(State::started);
  EXPECT_EQ(publish(request()), TRIGGER_OK);
  const auto published = behind_.published(2);
  ASSERT_EQ(published.size(), 2u);
  EXPECT_EQ(published[0].topic, "plant/alert");
  EXPECT_EQ(published[0].payload, "hot");
  EXPECT_FALSE(published[0].done) << "nobody asked to be told";
}

TEST_F(HostTableTest, PublishRefusesWhatIsNoRequest) {
  table_.set_state(State::started);
  EXPECT_EQ(host().publish(ctx(), nullptr), TRIGGER_E_INVALID);
  constexpr std::size_t kAbsurd = std::size_t{1} << 60;
  const trigger_property property{};
  const std::pair<const char*, std::function<void(trigger_publish&)>> wrong[] = {
      {"struct_size", [](trigger_publish& r) { r.struct_size = sizeof r - 1; }},
      {"flags", [](trigger_publish& r) { r.flags = 2; }},
      {"qos", [](trigger_publish& r) { r.qos = 3; }},
      {"no topic",
       [](trigger_publish& r) {
         r.topic = {nullptr, 0};
       }},
      {"empty topic", [](trigger_publish& r) { r.topic.len = 0; }},
      {"topic NULL", [](trigger_publish& r) { r.topic.ptr = nullptr; }},
      {"topic length", [](trigger_publish& r) { r.topic.len = 65'536; }},
      {"alias NULL",
       [](trigger_publish& r) {
         r.alias = {nullptr, 5};
       }},
      {"alias length",
       [](trigger_publish& r) {
         r.alias = {"a", kAbsurd};
       }},
      {"payload NULL", [](trigger_publish& r) { r.payload.ptr = nullptr; }},
      {"payload length", [](trigger_publish& r) { r.payload.len = kAbsurd; }},
      {"properties NULL", [](trigger_publish& r) { r.property_count = 1; }},
      {"property count",
       [&](trigger_publish& r) {
         r.properties = &property;
         r.property_count = kAbsurd;
       }},
  };
  for (const auto& [what, spoil] : wrong) {
    trigger_publish spoilt = request();
    spoil(spoilt);
    EXPECT_EQ(publish(spoilt), TRIGGER_E_INVALID) << what;
  }
  trigger_property named{};
  named.name = {nullptr, 3};
  trigger_publish with_property = request();
  with_property.properties = &named;
  with_property.property_count = 1;
  EXPECT_EQ(publish(with_property), TRIGGER_E_INVALID);
  EXPECT_TRUE(behind_.published(0).empty());
}

TEST_F(HostTableTest, PublishTakesWhatIsUnusualAndRight) {
  table_.set_state(State::started);
  trigger_publish empty = request();
  empty.payload = {nullptr, 0};
  empty.alias = {nullptr, 0};
  empty.struct_size = sizeof empty + 40;
  empty.flags = TRIGGER_PUBLISH_RETAIN;
  EXPECT_EQ(publish(empty), TRIGGER_OK);
  EXPECT_EQ(behind_.published(1)[0].payload, "");
}

// Counts calls of done.
void count(void* user, std::int32_t code, trigger_str) {
  auto& [calls, last] = *static_cast<std::pair<std::atomic<int>, std::atomic<int>>*>(user);
  last = code;
  ++calls;
}

TEST_F(HostTableTest, DoneIsToldOnceAndCancelledAtStop) {
  table_.set_state(State::started);
  std::pair<std::atomic<int>, std::atomic<int>> answered;
  std::pair<std::atomic<int>, std::atomic<int>> cancelled;
  trigger_publish first = request();
  first.done = count;
  first.user = &answered;
  trigger_publish second = first;
  second.user = &cancelled;
  ASSERT_EQ(publish(first), TRIGGER_OK);
  ASSERT_EQ(publish(second), TRIGGER_OK);
  const auto published = behind_.published(2);
  published[0].done(TRIGGER_OK, "");
  table_.set_state(State::stopping);
  ASSERT_TRUE(table_.cancel_publishes(soon()));
  published[0].done(TRIGGER_OK, "");
  published[1].done(TRIGGER_OK, "late");
  EXPECT_TRUE(table_.cancel_publishes(soon()));
  EXPECT_EQ(answered.first, 1);
  EXPECT_EQ(answered.second, TRIGGER_OK);
  EXPECT_EQ(cancelled.first, 1);
  EXPECT_EQ(cancelled.second, TRIGGER_E_CANCELLED);
}

TEST_F(HostTableTest, APublishThatFailsIsNotTold) {
  table_.set_state(State::started);
  std::pair<std::atomic<int>, std::atomic<int>> calls;
  trigger_publish failing = request();
  failing.done = count;
  failing.user = &calls;
  behind_.on_publish = [](const trigger_publish&, PublishDone) { return TRIGGER_E_NOT_CONNECTED; };
  EXPECT_EQ(publish(failing), TRIGGER_E_NOT_CONNECTED);
  behind_.on_publish = [](const trigger_publish&, PublishDone) -> std::int32_t {
    throw std::bad_alloc();
  };
  EXPECT_EQ(publish(failing), TRIGGER_E_FAILED) << "no exception crosses the ABI";
  EXPECT_TRUE(table_.cancel_publishes(soon()));
  EXPECT_EQ(calls.first, 0);
}

TEST_F(HostTableTest, MetricsAreChecked) {
  std::uint64_t id = 0;
  EXPECT_EQ(host().metric(ctx(), text("alerts_total"), TRIGGER_METRIC_COUNTER, {nullptr, 0}, &id),
            TRIGGER_OK);
  EXPECT_EQ(host().metric_add(ctx(), id, 3), TRIGGER_OK);
  EXPECT_EQ(host().metric_add(ctx(), id + 1, 3), TRIGGER_E_INVALID);
  EXPECT_EQ(host().metric(ctx(), text("a"), TRIGGER_METRIC_GAUGE, text(""), nullptr),
            TRIGGER_E_INVALID);
  EXPECT_EQ(host().metric(ctx(), {nullptr, 4}, TRIGGER_METRIC_GAUGE, text(""), &id),
            TRIGGER_E_INVALID);
  EXPECT_EQ(host().metric(ctx(), {"a", std::size_t{1} << 60}, TRIGGER_METRIC_GAUGE, text(""), &id),
            TRIGGER_E_INVALID);
  EXPECT_EQ(host().metric(ctx(), text("a"), TRIGGER_METRIC_GAUGE, {nullptr, 9}, &id),
            TRIGGER_E_INVALID);
  ASSERT_EQ(table_.metrics().snapshot().size(), 1u);
  EXPECT_EQ(table_.metrics().snapshot()[0].value, 3);
}

TEST_F(HostTableTest, ThePluginsOwnTableOnlyLogs) {
  HostTable own("fixture", log_);
  const trigger_host& host = *own.table();
  const trigger_result ok = result(TRIGGER_OK);
  const trigger_publish publish = request();
  std::uint64_t id = 0;
  EXPECT_EQ(host.complete(host.ctx, 1, &ok), TRIGGER_E_STATE);
  EXPECT_EQ(host.extend(host.ctx, 1, 1), TRIGGER_E_STATE);
  EXPECT_EQ(host.publish(host.ctx, &publish), TRIGGER_E_STATE);
  EXPECT_EQ(host.metric(host.ctx, text("a"), 0, text(""), &id), TRIGGER_E_STATE);
  EXPECT_EQ(host.metric_add(host.ctx, 1, 1), TRIGGER_E_STATE);
  EXPECT_EQ(host.log_enabled(host.ctx, TRIGGER_LOG_ERROR), 1);
  host.log(host.ctx, TRIGGER_LOG_INFO, text("no service yet"));
  ASSERT_EQ(log_.lines("plugin.log").size(), 1u);
  EXPECT_EQ(log_.lines("plugin.log")[0].fields.count("trigger"), 0u);
}

TEST_F(HostTableTest, SeveredItRefusesEverything) {
  table_.set_state(State::started);
  table_.sever();
  EXPECT_EQ(complete(result(TRIGGER_OK)), TRIGGER_E_STATE);
  EXPECT_EQ(host().extend(ctx(), 7, 1), TRIGGER_E_STATE);
  EXPECT_EQ(publish(request()), TRIGGER_E_STATE);
  EXPECT_EQ(host().log_enabled(ctx(), TRIGGER_LOG_ERROR), 0);
  host().log(ctx(), TRIGGER_LOG_ERROR, text("anybody there?"));
  EXPECT_TRUE(log_.texts("plugin.log").empty());
  EXPECT_TRUE(behind_.completed().empty());
}

TEST_F(HostTableTest, SeveredItTellsNoResults) {
  table_.set_state(State::started);
  std::pair<std::atomic<int>, std::atomic<int>> calls;
  trigger_publish with_done = request();
  with_done.done = count;
  with_done.user = &calls;
  ASSERT_EQ(publish(with_done), TRIGGER_OK);
  table_.sever();
  behind_.published(1).at(0).done(TRIGGER_OK, "");
  EXPECT_TRUE(table_.cancel_publishes(soon()));
  EXPECT_EQ(calls.first, 0);
}

TEST_F(HostTableTest, SeverWaitsForCallsThatAreInside) {
  table_.set_state(State::started);
  std::promise<void> inside;
  std::promise<void> release;
  std::atomic<bool> left = false;
  behind_.on_publish = [&](const trigger_publish&, PublishDone) {
    inside.set_value();
    release.get_future().wait();
    left = true;
    return TRIGGER_OK;
  };
  std::thread service([&] { EXPECT_EQ(publish(request()), TRIGGER_OK); });
  inside.get_future().wait();
  std::thread lets_go([&] { release.set_value(); });
  table_.sever();
  EXPECT_TRUE(left);
  service.join();
  lets_go.join();
}

}  // namespace
}  // namespace triggerd::plugin
