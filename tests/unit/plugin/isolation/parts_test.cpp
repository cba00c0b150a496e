// The small parts of a link to a worker: its mailbox, its metrics, its calls, its restarts.
#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <thread>

#include "plugin/isolation/call_queue.hpp"
#include "plugin/isolation/mailbox.hpp"
#include "plugin/isolation/restart_timer.hpp"
#include "plugin/isolation/worker_metrics.hpp"
#include "support/fake_clock.hpp"

namespace triggerd::plugin::isolation {
namespace {

TEST(IsolationMailbox, BringsResultsToTheWorkerThatPublished) {
  Mailbox mailbox(-1);
  mailbox.next_worker();
  const std::uint64_t first = mailbox.open();
  ASSERT_NE(first, 0U);
  mailbox.put(first, {.id = 1, .code = TRIGGER_OK, .reason = ""});
  EXPECT_EQ(mailbox.take().size(), 1U);
  EXPECT_TRUE(mailbox.take().empty());
  const std::uint64_t late = mailbox.open();
  mailbox.next_worker();
  mailbox.put(late, {.id = 2, .code = TRIGGER_OK, .reason = ""});
  EXPECT_TRUE(mailbox.take().empty()) << "its worker has gone";
}

TEST(IsolationMailbox, HasABoundOnWhatIsUnderWay) {
  Mailbox mailbox(-1);
  for (std::size_t i = 0; i < Mailbox::kMax; ++i) ASSERT_NE(mailbox.open(), 0U);
  EXPECT_EQ(mailbox.open(), 0U);
  mailbox.drop();
  const std::uint64_t worker = mailbox.open();
  EXPECT_NE(worker, 0U);
  EXPECT_EQ(mailbox.open(), 0U);
  mailbox.put(worker, {.id = 1, .code = TRIGGER_OK, .reason = ""});
  EXPECT_NE(mailbox.open(), 0U);
  mailbox.next_worker();
  EXPECT_NE(mailbox.open(), 0U) << "a new worker has nothing under way";
}

TEST(IsolationMailbox, WakesTheLinkUntilItIsClosed) {
  const UniqueFd doorbell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  Mailbox mailbox(doorbell.get());
  const std::uint64_t worker = mailbox.open();
  mailbox.put(worker, {.id = 1, .code = TRIGGER_OK, .reason = ""});
  eventfd_t count = 0;
  ASSERT_EQ(::eventfd_read(doorbell.get(), &count), 0);
  mailbox.close();
  mailbox.put(worker, {.id = 2, .code = TRIGGER_OK, .reason = ""});
  EXPECT_NE(::eventfd_read(doorbell.get(), &count), 0);
}

TEST(IsolationCallQueue, RunsFunctionsOfOthersInTheirOrder) {
  const UniqueFd doorbell(::eventfd(0, EFD_CLOEXEC));
  CallQueue queue(doorbell.get());
  EXPECT_FALSE(queue.somebody_waits());
  std::thread::id ran_on;
  std::thread caller([&] { queue.call([&] { ran_on = std::this_thread::get_id(); }); });
  eventfd_t count = 0;
  ASSERT_EQ(::eventfd_read(doorbell.get(), &count), 0);  // waits for the ring
  EXPECT_TRUE(queue.somebody_waits());
  queue.run_all();
  caller.join();
  EXPECT_EQ(ran_on, std::this_thread::get_id());
  EXPECT_FALSE(queue.somebody_waits());
}

TEST(IsolationCallQueue, ItsEndIsSomethingToWaitForToo) {
  const UniqueFd doorbell(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  CallQueue queue(doorbell.get());
  EXPECT_FALSE(queue.closed());
  queue.close();
  EXPECT_TRUE(queue.closed());
  EXPECT_TRUE(queue.somebody_waits());
  eventfd_t count = 0;
  EXPECT_EQ(::eventfd_read(doorbell.get(), &count), 0);
}

TEST(IsolationRestartTimer, DoublesWithEveryWorkerThatHandledNothing) {
  test::FakeClock clock;
  // With 1.0 the delays are whole.
  RestartTimer timer(
      {.min = Millis(50), .max = Millis(300), .factor = 2.0}, [] { return 1.0; }, clock);
  EXPECT_FALSE(timer.is_set());
  EXPECT_FALSE(timer.due());
  EXPECT_EQ(timer.left(Millis(1'000)), Millis(1'000));
  EXPECT_EQ(timer.worker_ended(false), Millis(50));
  EXPECT_EQ(timer.left(Millis(1'000)), Millis(50));
  clock.advance(Millis(49));
  EXPECT_FALSE(timer.due());
  clock.advance(Millis(1));
  EXPECT_TRUE(timer.due());
  EXPECT_EQ(timer.left(Millis(1'000)), Millis(0));
  EXPECT_EQ(timer.worker_ended(false), Millis(100));
  EXPECT_EQ(timer.worker_ended(false), Millis(200));
  EXPECT_EQ(timer.worker_ended(false), Millis(300));
  EXPECT_EQ(timer.left(Millis(100)), Millis(100));
  EXPECT_EQ(timer.worker_ended(true), Millis(50)) << "the service works after all";
  timer.clear();
  EXPECT_FALSE(timer.due());
}

Metric metric(std::string name, std::uint32_t kind, double value) {
  return {.name = std::move(name), .help = "", .kind = kind, .value = value};
}

double value_of(const std::vector<Metric>& metrics, std::string_view name) {
  for (const Metric& one : metrics) {
    if (one.name == name) return one.value;
  }
  return -1;
}

TEST(IsolationMetrics, CountersGoOnOverAWorkersEndAndGaugesDoNot) {
  test::FakeClock clock;
  WorkerMetrics metrics(-1, clock);
  metrics.worker_started();
  metrics.keep(
      {metric("done", TRIGGER_METRIC_COUNTER, 5), metric("open", TRIGGER_METRIC_GAUGE, 2)});
  metrics.worker_ended();
  auto all = metrics.ask();
  EXPECT_EQ(value_of(all, "done"), 5);
  EXPECT_EQ(value_of(all, "open"), -1);
  metrics.keep(
      {metric("done", TRIGGER_METRIC_COUNTER, 1), metric("open", TRIGGER_METRIC_GAUGE, 7)});
  all = metrics.ask();
  EXPECT_EQ(value_of(all, "done"), 6);
  EXPECT_EQ(value_of(all, "open"), 7);
}

TEST(IsolationMetrics, WhoeverAsksGetsTheWorkersAnswer) {
  const UniqueFd doorbell(::eventfd(0, EFD_CLOEXEC));
  WorkerMetrics metrics(doorbell.get(), system_clock());
  EXPECT_FALSE(metrics.take_request());
  metrics.worker_started();
  std::thread worker([&] {
    eventfd_t count = 0;
    EXPECT_EQ(::eventfd_read(doorbell.get(), &count), 0);  // waits for the ring
    EXPECT_TRUE(metrics.take_request());
    EXPECT_FALSE(metrics.take_request());
    metrics.keep({metric("done", TRIGGER_METRIC_COUNTER, 5)});
  });
  static_cast<void>(metrics.ask());
  worker.join();
  metrics.worker_ended();
  EXPECT_EQ(value_of(metrics.ask(), "done"), 5);
}

TEST(IsolationMetrics, AWorkerThatDoesNotAnswerIsNotWaitedForLong) {
  test::FakeClock clock;
  WorkerMetrics metrics(-1, clock);
  metrics.worker_started();
  metrics.keep({metric("done", TRIGGER_METRIC_COUNTER, 5)});
  std::atomic<bool> asked{false};
  std::thread time_passes([&] {
    while (!asked) {
      clock.advance(Millis(50));
      std::this_thread::yield();
    }
  });
  EXPECT_EQ(value_of(metrics.ask(), "done"), 5) << "what is known already";
  asked = true;
  time_passes.join();
}

}  // namespace
}  // namespace triggerd::plugin::isolation
