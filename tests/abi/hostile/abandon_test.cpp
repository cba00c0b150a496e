// Services that cannot be stopped: they are left alone, the process goes on, and it can still end.
//
// Each test runs in a child process, since what is abandoned stays until the process ends. That the
// child ends with exit code 0 means that every expectation in it held, that it did not crash on its
// way out, and, under AddressSanitizer, that what was leaked was leaked on purpose.
#include <cstdio>
#include <cstdlib>

#include "hostile_fixture.hpp"

namespace triggerd::plugin {
namespace {

void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::_Exit(1);
}
#define EXPECT_IN_CHILD(condition) expect(static_cast<bool>(condition), #condition)

class AbandonTest : public HostileTest {
 protected:
  AbandonTest() { GTEST_FLAG_SET(death_test_style, "threadsafe"); }

  Generation::Source impatient() const {
    Generation::Source source = HostileTest::source("naughty");
    source.done_timeout = Millis(20);
    return source;
  }
  bool said_abandoned(const std::string& reason) const {
    const auto lines = log_.lines("plugin.abandoned");
    return lines.size() == 1 && lines[0].level == LogLevel::error &&
           lines[0].fields.at("trigger") == "t" && lines[0].text.starts_with(reason);
  }
  bool said_line(const std::string& text) const {
    const auto lines = said();
    return std::find(lines.begin(), lines.end(), text) != lines.end();
  }
  // What the process can still do: load the same plugin again and use it.
  void go_on() {
    auto again = load(source("naughty", 2));
    auto instance = create(again, make_trigger("", "again"));
    FakeSource messages;
    EXPECT_IN_CHILD(instance->start());
    EXPECT_IN_CHILD(instance->run_workers(messages, 1));
    messages.push("a");
    EXPECT_IN_CHILD(messages.answers(1).size() == 1);
    EXPECT_IN_CHILD(instance->join_workers(soon()));
    instance.reset();
    again.reset();
    EXPECT_IN_CHILD(!is_mapped(stage() / "naughty.2."));
  }

  void a_call_never_returns();
  void the_caller_forgets_to_abandon();
  void a_done_never_returns();
  void stop_leaves_a_thread();
  void a_failed_start_leaves_a_thread();
  void a_worker_leaves_a_thread();
};

void AbandonTest::a_call_never_returns() {
  auto generation = load(impatient());
  auto instance = create(generation, make_trigger());
  auto messages = std::make_unique<FakeSource>();
  EXPECT_IN_CHILD(instance->start());
  EXPECT_IN_CHILD(instance->run_workers(*messages, 1));
  messages->push("hang");
  EXPECT_IN_CHILD(log_.wait_for("handle hang 1"));
  EXPECT_IN_CHILD(!instance->join_workers(std::chrono::steady_clock::now()));
  instance->abandon();
  EXPECT_IN_CHILD(instance->abandoned());
  EXPECT_IN_CHILD(generation->abandoned());
  EXPECT_IN_CHILD(!instance->start());
  EXPECT_IN_CHILD(!instance->run_workers(*messages, 1));
  instance->stop();
  EXPECT_IN_CHILD(instance->metrics().empty());
  instance.reset();
  static_cast<void>(messages.release());  // the message in the hands of the call stays
  generation.reset();
  EXPECT_IN_CHILD(said_abandoned("a call of the service does not return; "));
  EXPECT_IN_CHILD(!said_line("stop"));
  EXPECT_IN_CHILD(!said_line("destroy"));
  EXPECT_IN_CHILD(is_mapped(stage() / "naughty.1."));
  go_on();
}

void AbandonTest::the_caller_forgets_to_abandon() {
  auto generation = load(impatient());
  auto instance = create(generation, make_trigger());
  auto* const messages = new FakeSource;
  EXPECT_IN_CHILD(instance->start());
  EXPECT_IN_CHILD(instance->run_workers(*messages, 1));
  messages->push("hang");
  EXPECT_IN_CHILD(log_.wait_for("handle hang 1"));
  EXPECT_IN_CHILD(!instance->join_workers(std::chrono::steady_clock::now()));
  instance->stop();
  EXPECT_IN_CHILD(instance->abandoned());
  instance.reset();
  EXPECT_IN_CHILD(!said_line("stop"));
  EXPECT_IN_CHILD(generation->abandoned());
}

void AbandonTest::a_done_never_returns() {
  auto generation = load(impatient());
  auto instance = create(generation, make_trigger("hang in done"));
  FakeSource messages;
  EXPECT_IN_CHILD(instance->start());
  EXPECT_IN_CHILD(instance->run_workers(messages, 1));
  messages.push("publish");
  EXPECT_IN_CHILD(messages.answers(1).size() == 1);
  EXPECT_IN_CHILD(instance->join_workers(soon()));
  instance->stop();
  EXPECT_IN_CHILD(instance->abandoned());
  EXPECT_IN_CHILD(said_abandoned("a done callback does not return; "));
  EXPECT_IN_CHILD(!said_line("stop"));
  instance.reset();
  generation.reset();
  EXPECT_IN_CHILD(is_mapped(stage() / "naughty.1."));
  go_on();
}

void AbandonTest::stop_leaves_a_thread() {
  auto generation = load(impatient());
  auto instance = create(generation, make_trigger("leak a thread"));
  EXPECT_IN_CHILD(instance->start());
  instance->stop();
  const auto lines = log_.lines("plugin.threads_left");
  EXPECT_IN_CHILD(lines.size() == 1);
  EXPECT_IN_CHILD(lines[0].fields.at("trigger") == "t");
  EXPECT_IN_CHILD(lines[0].text.starts_with("1 thread(s) that the service started still run"));
  EXPECT_IN_CHILD(!instance->abandoned());  // it can be started again
  instance.reset();
  EXPECT_IN_CHILD(said_abandoned("the service left threads running; "));
  EXPECT_IN_CHILD(!said_line("destroy"));
  generation.reset();
  EXPECT_IN_CHILD(is_mapped(stage() / "naughty.1."));
  go_on();
}

void AbandonTest::a_failed_start_leaves_a_thread() {
  auto generation = load(impatient());
  auto instance = create(generation, make_trigger("leak a thread and refuse in start"));
  EXPECT_IN_CHILD(!instance->start());
  EXPECT_IN_CHILD(log_.lines("plugin.threads_left").size() == 1);
  instance.reset();
  EXPECT_IN_CHILD(said_abandoned("the service left threads running; "));
  EXPECT_IN_CHILD(!said_line("destroy"));
  generation.reset();
  EXPECT_IN_CHILD(is_mapped(stage() / "naughty.1."));
}

void AbandonTest::a_worker_leaves_a_thread() {
  auto generation = load(impatient());
  auto instance = create(generation, make_trigger());
  FakeSource messages;
  EXPECT_IN_CHILD(instance->start());
  EXPECT_IN_CHILD(instance->run_workers(messages, 1));
  messages.push("leak a thread");
  EXPECT_IN_CHILD(messages.answers(1).size() == 1);
  EXPECT_IN_CHILD(instance->join_workers(soon()));
  instance->stop();
  EXPECT_IN_CHILD(log_.lines("plugin.threads_left").size() == 1);
  instance.reset();
  generation.reset();
  EXPECT_IN_CHILD(is_mapped(stage() / "naughty.1."));
}

// std::exit: static destructors run, those of the plugin that is still busy too. The fixture's is
// not among them.
#define ENDS_CLEANLY(body)                        \
  EXPECT_EXIT(                                    \
      {                                           \
        body();                                   \
        std::filesystem::remove_all(dir_.path()); \
        std::exit(0);                             \
      },                                          \
      testing::ExitedWithCode(0), "")

TEST_F(AbandonTest, ACallThatNeverReturns) {
  ENDS_CLEANLY(a_call_never_returns);
}
TEST_F(AbandonTest, AnInstanceWhoseCallerForgets) {
  ENDS_CLEANLY(the_caller_forgets_to_abandon);
}
TEST_F(AbandonTest, ADoneThatNeverReturns) {
  ENDS_CLEANLY(a_done_never_returns);
}
TEST_F(AbandonTest, AThreadThatStopDoesNotJoin) {
  ENDS_CLEANLY(stop_leaves_a_thread);
}
TEST_F(AbandonTest, AThreadThatAFailedStartLeft) {
  ENDS_CLEANLY(a_failed_start_leaves_a_thread);
}
TEST_F(AbandonTest, AThreadThatAWorkerStarted) {
  ENDS_CLEANLY(a_worker_leaves_a_thread);
}

}  // namespace
}  // namespace triggerd::plugin
