// What becomes of what a worker writes: sound, or not.
#include "plugin/isolation/worker_output.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>
#include <random>

#include "unit/plugin/fakes.hpp"
#include "unit/plugin/isolation/worker_end.hpp"

namespace triggerd::plugin::isolation {
namespace {

class RecordingSource final : public WorkSource {
 public:
  const trigger_message* take(std::stop_token) override { return nullptr; }
  void answered(const trigger_message& message, Answer answer) override {
    answers.emplace_back(message.token, std::move(answer));
  }
  void probed(const Result<>& outcome) override {
    probes.push_back(outcome ? "ok" : outcome.error().message);
  }

  std::vector<std::pair<std::uint64_t, Answer>> answers;
  std::vector<std::string> probes;
};

std::string verdict(std::uint64_t token, std::int32_t code, std::uint32_t busy_ns) {
  std::string record;
  encode(Verdict{.token = token, .answer = {code, 0, "so"}, .busy_ns = busy_ns}, record);
  return record;
}

std::string publish_call(std::uint32_t place, std::uint64_t id, std::string_view topic) {
  trigger_publish request{};
  request.struct_size = sizeof request;
  request.topic = {topic.data(), topic.size()};
  return encode(place, id, request);
}

class IsolationOutput : public testing::Test {
 protected:
  bool read(bool calls_allowed = true) {
    return output_.read({.source = &source_, .calls_allowed = calls_allowed});
  }
  void read_all() {
    while (read()) {
    }
  }

  test::FakeClock clock_;
  WorkerEnd worker_;
  RecordingSource source_;
  RecordingHost host_;
  RememberingLog log_;
  WorkerMetrics metrics_{-1, clock_};
  const std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>(-1);
  const isolation::Setup setup_{.plugin = "p",
                                .log_level = static_cast<std::uint32_t>(LogLevel::info),
                                .trigger = {.name = "t"}};
  WorkerOutput output_{worker_.shared(),
                       worker_.host_socket(),
                       setup_,
                       {.host = host_, .log = log_, .metrics = metrics_, .mailbox = mailbox_}};
};

TEST_F(IsolationOutput, VerdictsGoToTheSource) {
  EXPECT_FALSE(read()) << "there is nothing";
  worker_.write(ToHost::verdict, verdict(7, TRIGGER_RETRY, 1'000));
  EXPECT_TRUE(read());
  ASSERT_EQ(source_.answers.size(), 1U);
  EXPECT_EQ(source_.answers[0].first, 7U);
  EXPECT_EQ(source_.answers[0].second.code, TRIGGER_RETRY);
  EXPECT_EQ(source_.answers[0].second.reason, "so");
  EXPECT_FALSE(output_.handled_a_message());
  worker_.write(ToHost::verdict, verdict(8, TRIGGER_OK, 1'000));
  read_all();
  EXPECT_TRUE(output_.handled_a_message());
}

TEST_F(IsolationOutput, WithoutASourceVerdictsAreDropped) {
  worker_.write(ToHost::verdict, verdict(7, TRIGGER_OK, 1'000));
  worker_.write(ToHost::probed, encode(Reply{.ok = true}));
  EXPECT_TRUE(output_.read({}));
  EXPECT_TRUE(output_.ring_is_empty());
  EXPECT_EQ(output_.protocol_error(), "");
}

TEST_F(IsolationOutput, AverageOfTheLastMessagesWeighsTheLatestMost) {
  EXPECT_EQ(output_.busy_ns(), 0U);
  worker_.write(ToHost::verdict, verdict(1, TRIGGER_OK, 800));
  read_all();
  EXPECT_EQ(output_.busy_ns(), 800U);
  worker_.write(ToHost::verdict, verdict(2, TRIGGER_OK, 8'800));
  read_all();
  EXPECT_EQ(output_.busy_ns(), 1'800U);
}

TEST_F(IsolationOutput, TheOutcomeOfAProbeGoesToTheSource) {
  worker_.write(ToHost::probed, encode(Reply{.ok = true}));
  worker_.write(ToHost::probed, encode(Reply{.ok = false, .bytes = "no database"}));
  read_all();
  EXPECT_EQ(source_.probes, (std::vector<std::string>{"ok", "no database"}));
}

TEST_F(IsolationOutput, CallsAreCarriedOutAndAnsweredInTheirPlaces) {
  worker_.write(ToHost::complete,
                encode(Complete{.place = 3, .token = 5, .answer = {TRIGGER_OK, 0, ""}}));
  worker_.send(ToHost::complete,
               encode(Complete{.place = 4, .token = 5, .answer = {TRIGGER_OK, 0, ""}}));
  worker_.write(ToHost::extend, encode(Extend{.place = 63, .token = 5, .ms = 900}));
  worker_.write(ToHost::publish, publish_call(0, 0, "a/b"));
  read_all();
  EXPECT_EQ(worker_.answer(3), TRIGGER_OK);
  EXPECT_FALSE(worker_.answer(2));
  EXPECT_EQ(worker_.answer(63), TRIGGER_OK);
  EXPECT_EQ(host_.extended_ms(), 900U);
  EXPECT_EQ(worker_.answer(0), TRIGGER_OK);
  EXPECT_EQ(host_.published(1).at(0).topic, "a/b");
  while (!worker_.answer(4)) read();
  EXPECT_EQ(host_.completed().size(), 2U);
}

TEST_F(IsolationOutput, CallsBeforeTheStartAreRefused) {
  worker_.write(ToHost::complete,
                encode(Complete{.place = 0, .token = 5, .answer = {TRIGGER_OK, 0, ""}}));
  worker_.write(ToHost::extend, encode(Extend{.place = 1, .token = 5, .ms = 900}));
  worker_.write(ToHost::publish, publish_call(2, 0, "a/b"));
  read(false);
  for (const std::uint32_t place : {0U, 1U, 2U}) EXPECT_EQ(worker_.answer(place), TRIGGER_E_STATE);
  EXPECT_TRUE(host_.completed().empty());
  EXPECT_EQ(host_.extended_ms(), 0U);
}

TEST_F(IsolationOutput, AResultThatIsWaitedForGoesToTheMailbox) {
  worker_.write(ToHost::publish, publish_call(0, 9, "a/b"));
  read_all();
  host_.published(1).at(0).done(TRIGGER_E_FAILED, "no broker");
  const auto results = mailbox_->take();
  ASSERT_EQ(results.size(), 1U);
  EXPECT_EQ(results[0].id, 9U);
  EXPECT_EQ(results[0].code, TRIGGER_E_FAILED);
  EXPECT_EQ(results[0].reason, "no broker");
}

TEST_F(IsolationOutput, APublishThatFailsAtOnceIsNotWaitedFor) {
  host_.on_publish = [](const trigger_publish&, const PublishDone&) { return TRIGGER_E_FULL; };
  for (std::size_t i = 0; i < 2 * Mailbox::kMax; ++i) {
    worker_.write(ToHost::publish, publish_call(0, 9, "a/b"));
    read(true);
    ASSERT_EQ(worker_.answer(0), TRIGGER_E_FULL);
  }
  EXPECT_NE(mailbox_->open(), 0U) << "none of them is under way";
}

TEST_F(IsolationOutput, LogLinesAreWrittenUnderItsNameAndFromItsLevelOn) {
  const auto line = [](LogLevel level, std::string text) {
    return encode(isolation::LogLine{.level = static_cast<std::uint32_t>(level),
                                     .event = "plugin.log",
                                     .text = std::move(text)});
  };
  worker_.send(ToHost::log, line(LogLevel::debug, "left out"));
  worker_.send(ToHost::log, line(LogLevel::warn, "said"));
  worker_.send(ToHost::log, line(static_cast<LogLevel>(4'711), "said, too"));
  read_all();
  const auto lines = log_.lines("plugin.log");
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].level, LogLevel::warn);
  EXPECT_EQ(lines[0].text, "said");
  EXPECT_EQ(lines[0].fields.at("plugin"), "p");
  EXPECT_EQ(lines[0].fields.at("trigger"), "t");
  EXPECT_EQ(lines[1].level, LogLevel::error);
}

TEST_F(IsolationOutput, RepliesAndMetricsAreKept) {
  EXPECT_FALSE(output_.take_reply());
  worker_.send(ToHost::reply, encode(Reply{.ok = true, .bytes = "done"}));
  worker_.send(
      ToHost::metrics,
      encode(std::vector<Metric>{{.name = "n", .kind = TRIGGER_METRIC_COUNTER, .value = 3}}));
  read_all();
  const auto reply = output_.take_reply();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->bytes, "done");
  EXPECT_FALSE(output_.take_reply());
  ASSERT_EQ(metrics_.ask().size(), 1U);
}

TEST_F(IsolationOutput, ADescriptorThatComesWithTheFirstFrameIsKept) {
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reading(ends[0]);
  const UniqueFd writing(ends[1]);
  EXPECT_FALSE(output_.take_system_calls());
  worker_.socket().send_with(reading.get(), static_cast<std::uint32_t>(ToHost::confined), {});
  read_all();
  EXPECT_TRUE(output_.take_system_calls());
  EXPECT_FALSE(output_.take_system_calls());
  worker_.send(ToHost::confined, {});
  read_all();
  EXPECT_FALSE(output_.take_system_calls());
}

TEST_F(IsolationOutput, WhatWasWrittenBeforeTheEndIsRead) {
  worker_.write(ToHost::verdict, verdict(1, TRIGGER_OK, 1));
  worker_.send(ToHost::reply, encode(Reply{.ok = true}));
  worker_.close_socket();
  read_all();
  EXPECT_TRUE(output_.closed());
  EXPECT_TRUE(output_.take_reply());
  EXPECT_EQ(source_.answers.size(), 1U);
  EXPECT_EQ(output_.protocol_error(), "");
}

// A worker that never stops writing must not keep the thread that reads.
TEST_F(IsolationOutput, OneTurnHasAnEnd) {
  for (std::uint64_t token = 1; token <= 700; ++token) {
    worker_.write(ToHost::verdict, verdict(token, TRIGGER_OK, 1));
  }
  EXPECT_TRUE(read());
  EXPECT_EQ(source_.answers.size(), 512U);
  EXPECT_TRUE(read());
  EXPECT_EQ(source_.answers.size(), 700U);
}

// ---- What the protocol does not allow ----

struct Violation {
  const char* name;
  std::function<void(WorkerEnd&)> commit;
  const char* error;
};

class IsolationViolation : public IsolationOutput, public testing::WithParamInterface<Violation> {};

TEST_P(IsolationViolation, IsSeenAndTheLastThingThatIsRead) {
  GetParam().commit(worker_);
  read_all();
  EXPECT_EQ(output_.protocol_error(), GetParam().error);
  const std::size_t answers = source_.answers.size();
  worker_.write(ToHost::verdict, verdict(1, TRIGGER_OK, 1));
  EXPECT_FALSE(read());
  EXPECT_EQ(source_.answers.size(), answers);
  EXPECT_TRUE(host_.completed().empty());
}

INSTANTIATE_TEST_SUITE_P(
    All, IsolationViolation,
    testing::Values(
        Violation{"RingCount",
                  [](WorkerEnd& worker) { worker.shared().to_host.written = kRingBytes + 8; },
                  "corrupt ring"},
        Violation{"RecordType", [](WorkerEnd& worker) { worker.write(4'711, "x"); },
                  "unknown type of record"},
        Violation{"ReplyInTheRing",
                  [](WorkerEnd& worker) { worker.write(ToHost::reply, encode(Reply{.ok = true})); },
                  "unknown type of record"},
        Violation{"Verdict", [](WorkerEnd& worker) { worker.write(ToHost::verdict, "x"); },
                  "malformed verdict"},
        Violation{"CallPlace",
                  [](WorkerEnd& worker) {
                    worker.write(ToHost::extend,
                                 encode(Extend{.place = kCallPlaces, .token = 1, .ms = 1}));
                  },
                  "call index out of range"},
        Violation{"CodeOfComplete",
                  [](WorkerEnd& worker) {
                    worker.write(ToHost::complete,
                                 encode(Complete{.place = 0, .token = 1, .answer = {99, 0, ""}}));
                  },
                  "malformed call to complete"},
        Violation{"Extend", [](WorkerEnd& worker) { worker.send(ToHost::extend, "x"); },
                  "malformed call to extend"},
        Violation{"PublishWithoutATopic",
                  [](WorkerEnd& worker) { worker.write(ToHost::publish, publish_call(0, 0, "")); },
                  "malformed call to publish"},
        Violation{"FrameType", [](WorkerEnd& worker) { worker.send(ToHost::verdict, "x"); },
                  "invalid length or type of a frame"},
        Violation{"FrameLength",
                  [](WorkerEnd& worker) {
                    const std::uint32_t head[2] = {static_cast<std::uint32_t>(ToHost::log),
                                                   (1U << 20) + 1};
                    worker.send_raw({reinterpret_cast<const char*>(head), sizeof head});
                  },
                  "invalid length or type of a frame"},
        Violation{"LogLine", [](WorkerEnd& worker) { worker.send(ToHost::log, "x"); },
                  "malformed log line"},
        Violation{"Reply", [](WorkerEnd& worker) { worker.send(ToHost::reply, "x"); },
                  "malformed reply"},
        Violation{"Metrics", [](WorkerEnd& worker) { worker.send(ToHost::metrics, "x"); },
                  "malformed metrics"},
        Violation{"EventOfTheRuntime",
                  [](WorkerEnd& worker) {
                    worker.send(ToHost::log, encode(isolation::LogLine{
                                                 .level = 2, .event = "runtime.up", .text = ""}));
                  },
                  "malformed log line"}),
    [](const auto& info) { return info.param.name; });

TEST_F(IsolationOutput, AnyBytesAreSurvived) {
  std::mt19937 engine(20'261'130);
  for (int round = 0; round < 2'000; ++round) {
    WorkerEnd worker;
    WorkerOutput output(worker.shared(), worker.host_socket(), setup_,
                        {.host = host_, .log = log_, .metrics = metrics_, .mailbox = mailbox_});
    for (int i = 0; i < 4; ++i) {
      std::string bytes(engine() % 60, '\0');
      for (char& byte : bytes) byte = static_cast<char>(engine() % 3 == 0 ? engine() : 0);
      if (engine() % 2 == 0) {
        worker.write(engine() % 12, bytes);
      } else {
        worker.socket().send(engine() % 12, bytes);
      }
    }
    for (int i = 0; i < 20 && output.protocol_error().empty(); ++i) {
      static_cast<void>(output.read({.source = &source_, .calls_allowed = true}));
    }
  }
}

}  // namespace
}  // namespace triggerd::plugin::isolation
