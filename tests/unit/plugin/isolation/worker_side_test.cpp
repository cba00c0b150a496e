// Both ends of a worker without a process: what the host's feed writes, a worker takes, and what
// that answers and calls reaches the host.
#include "plugin/isolation/worker_side.hpp"

#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <future>
#include <thread>

#include "plugin/isolation/message_feed.hpp"
#include "plugin/isolation/worker_output.hpp"
#include "unit/plugin/fakes.hpp"
#include "unit/plugin/isolation/worker_end.hpp"

namespace triggerd::plugin::isolation {
namespace {

class IsolationWorkerSide : public testing::Test {
 protected:
  IsolationWorkerSide() { side_.serve("t", Millis(500)); }

  // A message as the host writes it.
  static std::string message_record(std::uint64_t token, bool follows = false,
                                    std::string_view topic = {}) {
    trigger_message message{};
    message.struct_size = sizeof message;
    message.token = token;
    message.topic = {topic.data(), topic.size()};
    std::string record;
    encode(message, follows, record);
    return record;
  }
  void write(ToWorker type, const std::string& record = {}) {
    ASSERT_EQ(to_worker_.write(static_cast<std::uint32_t>(type), record),
              RingWriter::Outcome::written);
  }
  void give(std::uint64_t token, bool follows = false) {
    write(ToWorker::message, message_record(token, follows));
  }
  // Taken by a worker that finds it there.
  const trigger_message* take() { return side_.take(stop_.get_token()); }
  void answer(const trigger_message& message, std::int32_t code) {
    side_.answered(message, {code, 0, ""});
  }
  // The codes that the host is given, which it reads now.
  std::vector<std::int32_t> codes() {
    std::vector<std::int32_t> codes;
    std::uint32_t type = 0;
    std::string record;
    while (to_host_.read(type, record) == RingReader::Outcome::record) {
      codes.push_back(decode_verdict(record)->answer.code);
    }
    return codes;
  }
  bool is_rung() const {
    eventfd_t count = 0;
    return ::eventfd_read(doorbell_.get(), &count) == 0;
  }

  test::FakeClock clock_;
  WorkerEnd end_;
  const UniqueFd doorbell_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  RingWriter to_worker_{end_.shared().to_worker, end_.shared().to_worker_bytes};
  RingReader to_host_{end_.shared().to_host, end_.shared().to_host_bytes};
  WorkerSide side_{end_.shared(), end_.socket(), doorbell_.get(), clock_};
  std::stop_source stop_;
};

std::uint64_t ns(Monotonic time) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count());
}

TEST_F(IsolationWorkerSide, AMessageHasItsTriggerAndItsDeadline) {
  give(7);
  const trigger_message* const message = take();
  ASSERT_NE(message, nullptr);
  EXPECT_EQ(message->token, 7U);
  EXPECT_EQ(std::string_view(message->trigger.ptr, message->trigger.len), "t");
  EXPECT_EQ(message->deadline_mono_ns, ns(clock_.now() + Millis(500)));
  answer(*message, TRIGGER_OK);
}

TEST_F(IsolationWorkerSide, AStopEndsAWorkerThatWaits) {
  auto taken = std::async(std::launch::async, [this] { return take(); });
  stop_.request_stop();
  EXPECT_EQ(taken.get(), nullptr);
}

TEST_F(IsolationWorkerSide, TheTimeOfAMessageBeginsWithTheAnswerToTheOneBefore) {
  give(1);
  give(2);
  const trigger_message* const first = take();
  clock_.advance(Millis(30));
  answer(*first, TRIGGER_OK);
  const Monotonic answered = clock_.now();
  clock_.advance(Millis(5));
  const trigger_message* const second = take();
  EXPECT_EQ(second->deadline_mono_ns, ns(answered + Millis(500)));
  answer(*second, TRIGGER_OK);
}

TEST_F(IsolationWorkerSide, WhatFollowsAMessageThatFailedIsLeftToTheHost) {
  give(1);
  give(2, true);
  give(3);
  answer(*take(), TRIGGER_RETRY);
  const trigger_message* const next = take();
  EXPECT_EQ(next->token, 3U);
  answer(*next, TRIGGER_OK);
  EXPECT_EQ(codes(), (std::vector<std::int32_t>{TRIGGER_RETRY, TRIGGER_OK}));
}

TEST_F(IsolationWorkerSide, AHostThatSleepsIsWokenWithTheLastVerdict) {
  end_.shared().host_sleeps = 1;
  give(1);
  give(2);
  answer(*take(), TRIGGER_OK);
  EXPECT_FALSE(is_rung()) << "there is another one, after which the host is woken";
  answer(*take(), TRIGGER_OK);
  EXPECT_TRUE(is_rung());
  EXPECT_EQ(end_.shared().host_sleeps, 0U);
  give(3);
  answer(*take(), TRIGGER_OK);
  EXPECT_FALSE(is_rung()) << "it does not sleep";
}

TEST_F(IsolationWorkerSide, ABatchHasWhatIsThereUpToAProbe) {
  give(1);
  give(2);
  write(ToWorker::probe);
  give(3);
  std::vector<const trigger_message*> batch{take()};
  side_.take_more(batch);
  ASSERT_EQ(batch.size(), 2U);
  EXPECT_EQ(batch[1]->token, 2U);
  for (const trigger_message* message : batch) answer(*message, TRIGGER_OK);
  EXPECT_EQ(take(), &WorkSource::kProbe);
  const trigger_message* const last = take();
  EXPECT_EQ(last->token, 3U);
  answer(*last, TRIGGER_OK);
}

TEST_F(IsolationWorkerSide, ABatchHasAsManyAsOneCallMayHave) {
  for (std::uint64_t token = 1; token <= kMaxBatch + 1; ++token) give(token);
  std::vector<const trigger_message*> batch{take()};
  side_.take_more(batch);
  EXPECT_EQ(batch.size(), kMaxBatch);
  batch.push_back(take());
  for (std::size_t i = 0; i < batch.size(); ++i) EXPECT_EQ(batch[i]->token, i + 1);
  for (const trigger_message* message : batch) answer(*message, TRIGGER_OK);
}

TEST_F(IsolationWorkerSide, ABatchLeavesOutWhatFollowsAMessageThatFailed) {
  give(1);
  answer(*take(), TRIGGER_RETRY);
  give(2);
  give(3, true);
  give(4);
  std::vector<const trigger_message*> batch{take()};
  side_.take_more(batch);
  ASSERT_EQ(batch.size(), 2U);
  EXPECT_EQ(batch[1]->token, 4U);
  for (const trigger_message* message : batch) answer(*message, TRIGGER_OK);
}

TEST_F(IsolationWorkerSide, ALongMessageComesOnTheSocketAndKeepsItsPlace) {
  write(ToWorker::elsewhere);
  give(2);
  auto taken = std::async(std::launch::async, [this] { return take(); });
  side_.arrived(message_record(1));
  const trigger_message* const first = taken.get();
  ASSERT_NE(first, nullptr);
  EXPECT_EQ(first->token, 1U);
  answer(*first, TRIGGER_OK);
  const trigger_message* const second = take();
  EXPECT_EQ(second->token, 2U);
  answer(*second, TRIGGER_OK);
}

TEST_F(IsolationWorkerSide, APendingMessageStaysInMemoryWhileOthersComeAndGo) {
  write(ToWorker::message, message_record(1, false, "first"));
  const trigger_message* const pending = take();
  answer(*pending, TRIGGER_PENDING);
  for (std::uint64_t token = 2; token < 100; ++token) {
    write(ToWorker::message, message_record(token, false, "other"));
    answer(*take(), TRIGGER_OK);
  }
  EXPECT_EQ(pending->token, 1U);
  EXPECT_EQ(std::string_view(pending->topic.ptr, pending->topic.len), "first");
  side_.forget_messages();
}

TEST_F(IsolationWorkerSide, AHostThatWritesWhatIsNoMessageIsNotListenedTo) {
  write(ToWorker::message, "no message");
  EXPECT_EXIT((void)take(), testing::ExitedWithCode(72), "");
}

TEST_F(IsolationWorkerSide, WhatNobodyHasTakenIsDropped) {
  give(1);
  give(2);
  side_.discard();
  give(3);
  const trigger_message* const message = take();
  EXPECT_EQ(message->token, 3U);
  answer(*message, TRIGGER_OK);
}

// The host, which answers calls on a thread of its own.
class IsolationHostCalls : public IsolationWorkerSide {
 protected:
  IsolationHostCalls() {
    thread_ = std::jthread([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        if (!output_.read({.source = nullptr, .calls_allowed = true})) std::this_thread::yield();
      }
    });
  }
  ~IsolationHostCalls() override {
    thread_.request_stop();
    thread_.join();
  }

  RecordingHost host_;
  RememberingLog log_;
  WorkerMetrics metrics_{-1, clock_};
  const std::shared_ptr<Mailbox> mailbox_ = std::make_shared<Mailbox>(-1);
  const isolation::Setup setup_{.plugin = "p"};
  WorkerOutput output_{end_.shared(),
                       end_.host_socket(),
                       setup_,
                       {.host = host_, .log = log_, .metrics = metrics_, .mailbox = mailbox_}};
  std::jthread thread_;
};

TEST_F(IsolationHostCalls, WaitForTheHostsCode) {
  EXPECT_EQ(side_.extend(5, 900), TRIGGER_OK);
  EXPECT_EQ(host_.extended_ms(), 900U);
  EXPECT_EQ(side_.complete(5, {TRIGGER_OK, 0, ""}), TRIGGER_OK);
  EXPECT_EQ(side_.complete(5, {TRIGGER_OK, 0, ""}), TRIGGER_E_STALE);
}

TEST_F(IsolationHostCalls, AMessageMayBeCompletedBeforeItsCallHasReturned) {
  give(7);
  const trigger_message* const early = take();
  EXPECT_EQ(side_.complete(7, {TRIGGER_OK, 0, ""}), TRIGGER_OK);
  EXPECT_EQ(early->token, 7U) << "its call still has it";
  answer(*early, TRIGGER_PENDING);
  give(8);
  const trigger_message* const pending = take();
  answer(*pending, TRIGGER_PENDING);
  EXPECT_EQ(side_.complete(8, {TRIGGER_REJECT, 0, "no"}), TRIGGER_OK);
  ASSERT_EQ(host_.completed().size(), 2U);
  EXPECT_EQ(host_.completed()[1].answer.reason, "no");
}

TEST_F(IsolationHostCalls, ALongOneGoesOnTheSocket) {
  const std::string payload(kRingBytes, 'x');
  trigger_publish request{};
  request.struct_size = sizeof request;
  request.topic = {"a/b", 3};
  request.payload = {reinterpret_cast<const std::uint8_t*>(payload.data()), payload.size()};
  EXPECT_EQ(side_.publish(request, {}), TRIGGER_OK);
  EXPECT_EQ(host_.published(1).at(0).payload, payload);
}

TEST_F(IsolationHostCalls, AResultReachesWhoeverPublished) {
  trigger_publish request{};
  request.struct_size = sizeof request;
  request.topic = {"a/b", 3};
  std::int32_t result = TRIGGER_OK;
  EXPECT_EQ(side_.publish(request, [&](std::int32_t code, const std::string&) { result = code; }),
            TRIGGER_OK);
  host_.published(1).at(0).done(TRIGGER_E_FAILED, "no broker");
  for (Published& published : mailbox_->take()) side_.published(std::move(published));
  EXPECT_EQ(result, TRIGGER_E_FAILED);
  side_.published({.id = 4'711, .code = TRIGGER_OK, .reason = ""});  // of nobody
}

TEST_F(IsolationHostCalls, MoreThreadsThanPlacesWaitForOne) {
  std::vector<std::thread> threads;
  std::atomic<int> done{0};
  for (std::size_t i = 0; i < 2 * kCallPlaces; ++i) {
    threads.emplace_back([&] {
      if (side_.extend(5, 1) == TRIGGER_OK) ++done;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done, static_cast<int>(2 * kCallPlaces));
}

}  // namespace
}  // namespace triggerd::plugin::isolation
