// The frozen plugin of ABI 1.0 through its whole life, in the hands of today's runtime: its loader,
// its tables, its workers. FROZEN_REBUILT is the frozen source with the frozen header, built now;
// FROZEN_BINARY, where this machine can run it, is the library as it was built then.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "config/trigger.hpp"
#include "plugin/host/completions.hpp"
#include "plugin/host/host_table.hpp"
#include "plugin/plugin.hpp"
#include "support/temp_dir.hpp"
#include "unit/plugin/fakes.hpp"

namespace triggerd::plugin {
namespace {

using Texts = std::vector<std::string>;

struct Build {
  const char* name;
  const char* file;
};
void PrintTo(const Build& build, std::ostream* out) {
  *out << build.file;
}

class FrozenPlugin : public testing::TestWithParam<Build> {
 protected:
  FrozenPlugin() {
    std::thread([] {}).join();  // see HostileTest
    const Generation::Source source{.name = "frozen",
                                    .file = GetParam().file,
                                    .stage_dir = dir_.path(),
                                    .done_timeout = test::kPatience};
    auto loaded = Generation::load(source, log_);
    EXPECT_TRUE(loaded) << loaded.error().message;
    if (loaded) generation_ = *loaded;
  }
  void SetUp() override { ASSERT_TRUE(generation_); }

  config::Trigger trigger(const std::string& setting = "") const {
    config::Trigger trigger;
    trigger.name = "north";
    trigger.alias = "plant";
    trigger.plugin = "frozen";
    trigger.service = "counter";
    if (!setting.empty()) {
      trigger.settings.json = "{\"" + setting + "\":7}";
      trigger.settings.flat.push_back({setting, "7", config::Setting::Type::integer});
    }
    return trigger;
  }
  std::unique_ptr<Instance> create(const config::Trigger& trigger) {
    auto made = generation_->create(trigger, host_);
    EXPECT_TRUE(made) << made.error().message;
    return made ? std::move(*made) : nullptr;
  }
  std::vector<FakeSource::Answered> handle(Instance& instance, const Texts& topics) {
    FakeSource messages;
    EXPECT_TRUE(instance.run_workers(messages, 1));
    for (const std::string& topic : topics) messages.push(topic);
    auto answers = messages.answers(topics.size());
    EXPECT_TRUE(instance.join_workers(std::chrono::steady_clock::now() + test::kPatience));
    EXPECT_EQ(answers.size(), topics.size());
    return answers;
  }
  Texts said() const { return log_.texts("plugin.log"); }

  test::TempDir dir_;
  RememberingLog log_;
  RecordingHost host_;
  std::shared_ptr<Generation> generation_;
};

TEST_P(FrozenPlugin, LivesItsWholeLife) {
  EXPECT_EQ(generation_->version(), "1.0.0");
  EXPECT_EQ(generation_->service_names(), (Texts{"counter", "crowd"}));
  auto instance = create(trigger("limit"));
  ASSERT_TRUE(instance->start());
  const auto answers = handle(*instance, {"any", "retry", "reject", "pending", "finish", "finish"});
  EXPECT_EQ(answers[0].answer.code, TRIGGER_OK);
  EXPECT_EQ(answers[1].answer.code, TRIGGER_RETRY);
  EXPECT_EQ(answers[1].answer.retry_after_ms, 1500u);
  EXPECT_EQ(answers[1].answer.reason, "later");
  EXPECT_EQ(answers[2].answer.code, TRIGGER_REJECT);
  EXPECT_EQ(answers[2].answer.reason, "never");
  EXPECT_EQ(answers[3].answer.code, TRIGGER_PENDING);
  EXPECT_EQ(host_.extended_ms(), 2500u);
  const auto completed = host_.completed();
  ASSERT_EQ(completed.size(), 2u);
  EXPECT_EQ(completed[0].token, 4u);
  EXPECT_EQ(completed[0].answer.code, TRIGGER_REJECT);
  EXPECT_EQ(completed[0].answer.reason, "it was finished later");

  instance->stop();
  ASSERT_TRUE(instance->start()) << "stop can be undone";
  instance->stop();
  instance.reset();
  EXPECT_EQ(said(), (Texts{"entry 1 1 1", "create north plant 1 {\"limit\":7} limit 7 1", "start 0",
                           "extend 0", "complete 0", "complete -3", "stop 6", "start 6", "stop 6",
                           "destroy 6"}));
}

TEST_P(FrozenPlugin, RefusesSettingsInItsWords) {
  const auto refused = generation_->create(trigger("refuse"), host_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(
      refused.error().message,
      "service \"frozen:counter\" cannot be created: settings.refuse: it was asked to (create "
      "returned -1)");
}

TEST_P(FrozenPlugin, IsConcurrentWhereItSaysSo) {
  config::Trigger crowded = trigger();
  crowded.concurrency = 2;
  EXPECT_FALSE(generation_->create(crowded, host_));
  crowded.service = "crowd";
  EXPECT_TRUE(create(crowded));
}

// The flag came with ABI 1.1.
TEST_P(FrozenPlugin, IsCalledWhereItsMessageWasReadIfTheTriggerSaysSo) {
  for (const std::optional<bool> brief : {std::optional<bool>(), std::optional(true)}) {
    config::Trigger said = trigger();
    said.brief = brief;
    auto instance = create(said);
    ASSERT_TRUE(instance->start());
    FakeSource messages;
    ASSERT_TRUE(instance->run_workers(messages, 1));
    ASSERT_EQ(messages.inline_worker() != nullptr, brief.has_value());
    if (const auto worker = messages.inline_worker()) {
      messages.push_inline("retry");
      worker->run(true);
      ASSERT_EQ(messages.answers(1).size(), 1u);
      EXPECT_EQ(messages.answers(1)[0].answer.reason, "later");
    }
    EXPECT_TRUE(instance->join_workers(std::chrono::steady_clock::now() + test::kPatience));
    instance->stop();
  }
}

TEST_P(FrozenPlugin, PublishesAndHearsWhatBecameOfIt) {
  auto instance = create(trigger());
  ASSERT_TRUE(instance->start());
  std::vector<std::uint32_t> properties;
  PublishDone done;
  host_.on_publish = [&](const trigger_publish& request, PublishDone told) -> std::int32_t {
    EXPECT_EQ(std::string(request.topic.ptr, request.topic.len), "from/frozen");
    EXPECT_EQ(request.flags, TRIGGER_PUBLISH_RETAIN);
    EXPECT_EQ(request.qos, 1u);
    for (std::size_t i = 0; i < request.property_count; ++i) {
      properties.push_back(request.properties[i].id);
    }
    done = std::move(told);
    return TRIGGER_OK;
  };
  handle(*instance, {"publish"});
  EXPECT_EQ(properties, std::vector<std::uint32_t>{0x26});
  ASSERT_TRUE(done);
  done(TRIGGER_E_NOT_CONNECTED, "cut off");
  EXPECT_TRUE(log_.wait_for("done -5 cut off"));
}

TEST_P(FrozenPlugin, CountsForTheRuntime) {
  auto instance = create(trigger());
  ASSERT_TRUE(instance->start());
  handle(*instance, {"a", "b", "c"});
  const auto metrics = instance->metrics();
  ASSERT_EQ(metrics.size(), 2u);
  EXPECT_EQ(metrics[0].name, "seen_total");
  EXPECT_EQ(metrics[0].help, "What the frozen plugin counts");
  EXPECT_EQ(metrics[0].kind, TRIGGER_METRIC_COUNTER);
  EXPECT_EQ(metrics[0].value, 3);
  EXPECT_EQ(metrics[1].kind, TRIGGER_METRIC_GAUGE);
  EXPECT_EQ(metrics[1].value, -1.5);
}

// Hands its worker one request to probe.
class ProbeSource final : public WorkSource {
 public:
  const trigger_message* take(std::stop_token stop) override {
    std::unique_lock lock(mutex_);
    if (!std::exchange(asked_, true)) return &kProbe;
    changed_.wait(lock, stop, [] { return false; });
    return nullptr;
  }
  void answered(const trigger_message&, Answer) override {}
  void probed(const Result<>& outcome) override {
    const std::lock_guard lock(mutex_);
    outcome_ = outcome ? "well" : outcome.error().message;
    changed_.notify_all();
  }
  std::string outcome() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, test::kPatience, [this] { return !outcome_.empty(); });
    return outcome_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool asked_ = false;
  std::string outcome_;
};

TEST_P(FrozenPlugin, AnswersProbes) {
  for (const auto& [setting, expected] :
       {std::pair{"", "well"}, std::pair{"away", "what it needs is away (probe returned -1)"}}) {
    auto instance = create(trigger(setting));
    ASSERT_TRUE(instance->can_be_probed());
    ASSERT_TRUE(instance->start());
    ProbeSource probe;
    ASSERT_TRUE(instance->run_workers(probe, 1));
    EXPECT_EQ(probe.outcome(), expected);
    EXPECT_TRUE(instance->join_workers(std::chrono::steady_clock::now() + test::kPatience));
  }
}

TEST_P(FrozenPlugin, HandsItsStateOverInAReload) {
  auto before = create(trigger());
  ASSERT_TRUE(before->start());
  handle(*before, {"a", "b", "c"});
  before->stop();
  const auto saved = before->save();
  ASSERT_TRUE(saved) << saved.error().message;
  ASSERT_TRUE(*saved);
  EXPECT_EQ((*saved)->version, 3u);
  EXPECT_EQ((*saved)->bytes, std::string("\x03\0\0\0\0\0\0\0", 8));
  auto after = create(trigger());
  ASSERT_TRUE(after->restore(**saved));
  ASSERT_TRUE(after->start());
  EXPECT_EQ(said().back(), "start 3");
  EXPECT_FALSE(create(trigger())->restore({2, (*saved)->bytes}));
}

// What Instance has no word for, called through the service table that the loader has checked, with
// a trigger_host that the runtime made.
class FrozenTable : public FrozenPlugin {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(FrozenPlugin::SetUp());
    const auto found = generation_->find_service("counter");
    ASSERT_TRUE(found);
    service_ = *found;
  }
  void* make() {
    trigger_instance_config config{};
    config.struct_size = sizeof config;
    config.settings_json = {"{}", 2};
    trigger_result error = empty();
    void* instance = nullptr;
    EXPECT_EQ(service_->create(table_.table(), &config, &instance, &error), TRIGGER_OK);
    return instance;
  }
  void start(void* instance) {
    trigger_result error = empty();
    table_.set_state(HostTable::State::started);
    ASSERT_EQ(service_->start(instance, &error), TRIGGER_OK);
  }
  static trigger_result empty() {
    trigger_result result{};
    result.struct_size = sizeof result;
    return result;
  }
  static trigger_message message(const char* topic) {
    trigger_message message{};
    message.struct_size = sizeof message;
    message.topic = {topic, std::strlen(topic)};
    return message;
  }

  HostTable table_{"frozen",     "north", log_,
                   std::nullopt, host_,   std::make_shared<Completions>("frozen", log_)};
  const trigger_service* service_ = nullptr;
};

TEST_P(FrozenTable, ReadsEveryMemberOfAMessage) {
  static constexpr std::uint8_t kBytes[] = {'2', '1', '.', '5'};
  const trigger_property properties[] = {{2, 0, 60, {"", 0}, {nullptr, 0}},
                                         {0x26, 0, 0, {"unit", 4}, {kBytes, 4}}};
  void* const instance = make();
  start(instance);
  trigger_message whole = message("inspect");
  whole.flags = TRIGGER_MESSAGE_RETAIN | TRIGGER_MESSAGE_MQTT5;
  whole.token = 42;
  whole.id = {"id-1", 4};
  whole.trigger = {"north", 5};
  whole.payload = {kBytes, 4};
  whole.received_unix_ns = 1'700'000'000'000'000'001;
  whole.deadline_mono_ns = 77;
  whole.properties = properties;
  whole.property_count = 2;
  whole.attempt = 3;
  whole.qos = 2;
  trigger_result result = empty();
  EXPECT_EQ(service_->handle(instance, &whole, &result), TRIGGER_OK);
  EXPECT_EQ(said().back(),
            "message 5 42 id-1 inspect north 21.5 1700000000000000001 77 3 2 2 60   38 0 unit "
            "21.5");
  service_->stop(instance);
  service_->destroy(instance);
}

TEST_P(FrozenTable, HandlesABatch) {
  void* const instance = make();
  start(instance);
  const trigger_message messages[] = {message("any"), message("reject"), message("return early"),
                                      message("any")};
  const trigger_message* rows[] = {&messages[0], &messages[1], &messages[2], &messages[3]};
  trigger_result results[] = {empty(), empty(), empty(), empty()};
  for (trigger_result& result : results) result.code = TRIGGER_RETRY;
  trigger_result* const into[] = {&results[0], &results[1], &results[2], &results[3]};
  service_->handle_batch(instance, rows, into, 4);
  EXPECT_EQ(results[0].code, TRIGGER_OK);
  EXPECT_EQ(results[1].code, TRIGGER_REJECT);
  EXPECT_STREQ(results[1].reason, "never");
  EXPECT_EQ(results[2].code, TRIGGER_RETRY);
  EXPECT_EQ(results[3].code, TRIGGER_RETRY);
  service_->stop(instance);
  service_->destroy(instance);
}

TEST_P(FrozenTable, HandsItsStateToASuccessor) {
  const trigger_state_sink take = [](void* sink, trigger_bytes piece) -> std::int32_t {
    static_cast<std::string*>(sink)->append(reinterpret_cast<const char*>(piece.ptr), piece.len);
    return TRIGGER_OK;
  };
  const trigger_state_sink full = [](void*, trigger_bytes) -> std::int32_t {
    return TRIGGER_E_FULL;
  };
  EXPECT_EQ(service_->state_version, 3u);
  void* const before = make();
  start(before);
  trigger_result result = empty();
  const trigger_message any = message("any");
  for (int i = 0; i < 300; ++i) service_->handle(before, &any, &result);
  service_->stop(before);
  std::string state;
  ASSERT_EQ(service_->save(before, take, &state, &result), TRIGGER_OK);
  EXPECT_EQ(state, std::string("\x2c\x01\0\0\0\0\0\0", 8));
  EXPECT_EQ(service_->save(before, full, nullptr, &result), TRIGGER_E_FULL);
  service_->destroy(before);

  void* const after = make();
  const trigger_bytes bytes{reinterpret_cast<const std::uint8_t*>(state.data()), state.size()};
  EXPECT_EQ(service_->restore(after, 2, bytes, &result), TRIGGER_E_FAILED);
  EXPECT_STREQ(result.reason, "that state is of another version");
  ASSERT_EQ(service_->restore(after, 3, bytes, &result), TRIGGER_OK);
  const void* const seen = service_->extension(after, "test.seen/1");
  ASSERT_NE(seen, nullptr);
  EXPECT_EQ(*static_cast<const std::uint64_t*>(seen), 300u);
  EXPECT_EQ(service_->extension(after, "test.seen/2"), nullptr);
  service_->destroy(after);
}

constexpr Build kBuilds[] = {
#ifdef FROZEN_BINARY
    {"Binary", FROZEN_BINARY},
#endif
    {"Rebuilt", FROZEN_REBUILT},
};
std::string name_of(const testing::TestParamInfo<Build>& info) {
  return info.param.name;
}
INSTANTIATE_TEST_SUITE_P(V1, FrozenPlugin, testing::ValuesIn(kBuilds), name_of);
INSTANTIATE_TEST_SUITE_P(V1, FrozenTable, testing::ValuesIn(kBuilds), name_of);

}  // namespace
}  // namespace triggerd::plugin
