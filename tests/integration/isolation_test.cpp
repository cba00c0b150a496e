// Services in processes of their own: what they do to themselves costs them their attempts, and
// nobody else anything.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cctype>
#include <cstdlib>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "integration/own_signals.hpp"
#include "integration/recorded.hpp"
#include "integration/revised/revisions.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"
#include "support/sqlite_connection.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::test {
namespace {

struct Deed {
  std::string payload;
  int attempt = 0;
  pid_t pid = 0;
};

// Whether a process is there and is no zombie.
bool lives(pid_t pid) {
  std::ifstream in(fmt::format("/proc/{}/stat", pid));
  std::string text((std::istreambuf_iterator<char>(in)), {});
  const auto state = text.rfind(") ");
  return state != std::string::npos && text[state + 2] != 'Z' && text[state + 2] != 'X';
}

// All in the process group of `pid`.
std::size_t group_size(pid_t pid) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    if (std::isdigit(entry.path().filename().string().front()) == 0) continue;
    // Read as a line: that of a process which ends meanwhile cannot be read, which is no error
    // here.
    std::ifstream in(entry.path() / "stat");
    std::string text;
    std::getline(in, text, '\0');
    const auto end = text.rfind(") ");
    if (end == std::string::npos) continue;
    char state = 0;
    pid_t parent = 0;
    pid_t group = 0;
    std::istringstream(text.substr(end + 2)) >> state >> parent >> group;
    if (group == pid && state != 'Z' && state != 'X') ++count;
  }
  return count;
}

class IsolationTest : public testing::Test {
 protected:
  std::string hostile_trigger(const std::string& more = {}, const std::string& settings = {}) {
    return trigger_table("hostile", "a", "\"hostile\"", deeds_file(),
                         "service = \"hostile:obey\"\nisolation = \"process\"\n" +
                             (more.find("retry") == std::string::npos
                                  ? "retry = { max_attempts = 2, interval = \"10ms\" }\n" + more
                                  : more),
                         settings);
  }
  // The hostile trigger, and beside it a good one in the runtime.
  void start(const std::string& more = {}, const std::string& log = {}) {
    start_with(runtime_table() + log + alias_table("a", server_.port()) + hostile_trigger(more) +
               trigger_table("good", "a", "\"good\"", dir_ / "good"));
  }
  void start_with(const std::string& config) {
    triggerd_.emplace(config, signals_are_its_own(), launcher_);
    if (becomes_nobody_) {
      for (const auto& folder : {triggerd_->dir().path(), dir_.path()}) {
        ASSERT_EQ(::chown(folder.c_str(), 65534, 65534), 0);
      }
    }
    triggerd_->start();
    ASSERT_TRUE(triggerd_->wait_until_running()) << triggerd_->output();
    client_.emplace(server_.port());
  }
  void publish(const std::string& payload) { ASSERT_TRUE(client_->publish("hostile", payload)); }
  // A trigger that stops at a failure, and asks soon whether it may go on.
  static std::string suspending() {
    return "retry = { max_attempts = 1 }\non_exhausted = \"suspend\"\ntimeout = \"2s\"\n"
           "monitor_interval = \"100ms\"";
  }
  // As the hostile plugin has it.
  void happens(const std::string& what, std::size_t times) const {
    std::ofstream(deeds_file().string() + "." + what) << std::string(times, '.');
  }
  std::filesystem::path deeds_file() const { return dir_ / "deeds"; }
  std::vector<Deed> deeds() const {
    std::vector<Deed> found;
    std::ifstream in(deeds_file());
    for (std::string line; std::getline(in, line);) {
      Deed deed;
      std::istringstream(line) >> deed.payload >> deed.attempt >> deed.pid;
      if (deed.pid != 0) found.push_back(deed);
    }
    return found;
  }
  std::vector<std::string> done() const {
    std::vector<std::string> payloads;
    for (const Deed& deed : deeds()) payloads.push_back(deed.payload);
    return payloads;
  }
  [[nodiscard]] bool wait_for_deeds(std::size_t count) const {
    return eventually([&] { return deeds().size() >= count; });
  }
  [[nodiscard]] bool wait_for_event(const std::string& event,
                                    std::initializer_list<std::string_view> parts = {}) {
    return triggerd_->wait_for_event(event, parts).has_value();
  }
  // It dies twice, becomes a dead letter for that reason, and the next message is handled.
  void is_survived(const std::string& deed, const std::string& reason) {
    publish(deed);
    const std::string letter = "is dead letter " + std::to_string(++letters_) + ":";
    ASSERT_TRUE(wait_for_event("message.dead_letter", {letter, reason, "out of attempts (2)"}))
        << deed;
    const std::size_t before = deeds().size();
    publish("fine");
    ASSERT_TRUE(client_->publish("good", "beside"));
    ASSERT_TRUE(wait_for_deeds(before + 1)) << deed;
    EXPECT_EQ(deeds().back().payload, "fine");
    EXPECT_TRUE(wait_for_records(dir_ / "good", ++good_)) << deed;
  }
  // Suspended twice: the first probe crashes, and the first one of the second time hangs.
  void goes_on_after_bad_probes() {
    happens("sick", 1);
    happens("crash-in-probe", 1);
    publish("sick");
    EXPECT_TRUE(wait_for_event("trigger.suspended", {"stays suspended", "SIGABRT"}));
    EXPECT_TRUE(wait_for_event("trigger.resumed", {"was handled"}));
    happens("sick", 1);
    happens("hang-in-probe", 1);
    publish("sick");
    EXPECT_TRUE(wait_for_event("trigger.suspended", {"its probe did not return within 2s"}));
    ASSERT_TRUE(wait_for_deeds(4));
    EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
  }
  // Its service attacks the worker of another trigger.
  void attack_another() {
    start_with(runtime_table() + alias_table("a", server_.port()) + hostile_trigger() +
               trigger_table("second", "a", "\"second\"", deeds_file(),
                             "service = \"hostile:obey\"\nisolation = \"process\"\n"));
    ASSERT_TRUE(client_->publish("second", "fine"));
    ASSERT_TRUE(wait_for_deeds(1));
    publish(fmt::format("attack:{}", deeds().front().pid));
  }
  // What an attack has found that nothing keeps it from: this and nothing else.
  void expect_not_refused(const std::string& what) {
    const auto told = triggerd_->wait_for_event("plugin.log", {"not refused: "});
    ASSERT_TRUE(told);
    EXPECT_NE(told->text.find("not refused: " + what + "  ["), std::string::npos) << told->text;
  }
  void TearDown() override {
    if (HasFailure() && triggerd_) ADD_FAILURE() << triggerd_->output();
  }

  TempDir dir_;
  MosquittoServer server_;
  std::vector<std::string> launcher_;
  bool becomes_nobody_ = false;
  std::optional<TriggerdProcess> triggerd_;
  std::optional<TestClient> client_;
  std::size_t good_ = 0;
  std::size_t letters_ = 0;
};

TEST_F(IsolationTest, ACrashCostsTheAttemptAndItsReasonIsTheSignal) {
  start();
  is_survived("null", "SIGSEGV");
  is_survived("abort", "SIGABRT");
  EXPECT_TRUE(wait_for_event("worker.restarted"));
}

TEST_F(IsolationTest, ItMayExitOrCloseWhatItDoesNotOwn) {
  start();
  is_survived("exit", "exit status");
  is_survived("close-and-call", "exit status");
}

TEST_F(IsolationTest, AVerdictThatItGaveBeforeItsEndCounts) {
  start();
  publish("close");  // it answers, and ends as it cannot wake the runtime for that
  ASSERT_TRUE(wait_for_event("worker.ended", {"exit status"}));
  publish("fine");
  ASSERT_TRUE(eventually([&] { return !done().empty() && done().back() == "fine"; }));
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
  EXPECT_EQ(done(), (std::vector<std::string>{"close", "fine"}));
  const SqliteConnection inbox(triggerd_->dir() / "var/inbox.db");
  EXPECT_EQ(inbox.rows("SELECT count(*) FROM dead_letter"), (SqliteConnection::Rows{"0"}));
  EXPECT_EQ(inbox.rows("SELECT count(*) FROM message"), (SqliteConnection::Rows{"0"}));
}

TEST_F(IsolationTest, AWorkerThatDiesBeforeItIsReadyCostsNoMessage) {
  start("order = \"none\"");
  happens("crash-in-create", 2);
  publish("abort");
  ASSERT_TRUE(wait_for_deeds(1));
  for (int i = 0; i < 3; ++i) publish(fmt::format("fine:{}", i));
  ASSERT_TRUE(wait_for_event("message.dead_letter", {"SIGABRT", "out of attempts (2)"}));
  ASSERT_TRUE(wait_for_deeds(5));
  std::multiset<std::string> attempts;
  for (const Deed& deed : deeds())
    attempts.insert(fmt::format("{} {}", deed.payload, deed.attempt));
  EXPECT_EQ(attempts,
            (std::multiset<std::string>{"abort 1", "abort 2", "fine:0 1", "fine:1 1", "fine:2 1"}));
}

TEST_F(IsolationTest, AProbeThatCrashesOrHangsHasFailedAndIsAskedAgain) {
  start(suspending());
  goes_on_after_bad_probes();
}

TEST_F(IsolationTest, AMonitorThatCrashesOrHangsHasFailedAndIsAskedAgain) {
  start(suspending() + "\nmonitor = \"hostile:obey\"");
  goes_on_after_bad_probes();
}

TEST_F(IsolationTest, ALoopIsEndedAtItsTimeout) {
  start("timeout = \"300ms\"");
  is_survived("loop", "no verdict within 300ms");
  EXPECT_TRUE(wait_for_event("worker.ended", {"SIGKILL", "within the trigger's timeout"}));
}

TEST_F(IsolationTest, MemoryHasALimit) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer needs more memory than any limit allows";
#endif
  start("isolation_memory = \"128MiB\"");
  is_survived("eat", "SIGABRT");
  // Where it is refused the service aborts; where it is only seen, the process is ended.
  is_survived("eat-shared", "the worker process was ended by SIG");
  is_survived("eat-file", "isolation_memory, 131072 KiB");
}

TEST_F(IsolationTest, WhatItForksGoesWithIt) {
  start();
  is_survived("fork", "SIGABRT");
  for (const Deed& deed : deeds()) {
    if (deed.payload != "fork") continue;
    EXPECT_TRUE(eventually([&] { return group_size(deed.pid) == 0; }));
  }
  // And a copy of the service that returns from its call has no part in the rings.
  for (int i = 0; i < 5; ++i) publish("fork-return");
  publish("fine");
  ASSERT_TRUE(eventually([&] { return !done().empty() && done().back() == "fine"; }));
}

TEST_F(IsolationTest, ItCannotReachItsHost) {
  start();
  publish("attack");
  expect_not_refused("none");
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
}

TEST_F(IsolationTest, ItCannotReachItsHostNorAnotherWorkerAsAnOrdinaryUser) {
  if (::getuid() != 0) GTEST_SKIP() << "only root becomes another user; the other test is this one";
  launcher_ = {"/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"};
  becomes_nobody_ = true;
  attack_another();
  expect_not_refused("none");
  publish("own");
  EXPECT_TRUE(wait_for_event("plugin.log", {"missing: nothing"}));
  EXPECT_FALSE(triggerd_->wait_for_event("plugin.unconfined", {}, 0, Millis(1)));
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
}

// Threads and workers that the system has no room for may be had at the next start: a service
// manager is to try that, which it does not after an error of the configuration.
TEST_F(IsolationTest, NoMoreThreadsOrProcessesAreNoFaultOfTheConfiguration) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer has threads of its own";
#endif
  if (::getuid() != 0) GTEST_SKIP() << "only root becomes another user";
  for (int limit = 2; limit <= 32; ++limit) {
    // A user for each, as processes that nobody has waited for yet count too.
    const int user = 61'000 + limit;
    TriggerdProcess triggerd(
        "[admin]\nlisten = \"127.0.0.1:0\"\n" + runtime_table() + alias_table("a", server_.port()) +
            hostile_trigger(),
        {},
        {"/usr/bin/prlimit", fmt::format("--nproc={}", limit), "/usr/bin/setpriv",
         fmt::format("--reuid={}", user), "--regid=65534", "--clear-groups"});
    std::filesystem::permissions(triggerd.dir().path(), std::filesystem::perms::all);
    triggerd.start();
    ASSERT_TRUE(eventually([&] {
      return !triggerd.process().running() ||
             triggerd.output().find("runtime.started") != std::string::npos;
    })) << triggerd.output();
    // What a service or a connection has no thread for waits for one.
    const bool ready = triggerd.wait_for_event("runtime.ready", {}, 0, Millis(1'000)).has_value();
    const auto exit = triggerd.stop();
    const bool started = triggerd.output().find("runtime.started") != std::string::npos;
    EXPECT_TRUE(exit == (Exit{1, 0}) || (started && exit == Exit{})) << triggerd.output();
    if (ready) return;
  }
  ADD_FAILURE() << "it never started";
}

TEST_F(IsolationTest, WhatTheSystemDoesNotHaveIsSaidAndTheRestHolds) {
  if (::getuid() != 0) GTEST_SKIP() << "only root can take from root what it needs to mount";
  launcher_ = {"/usr/bin/setpriv", "--inh-caps=-sys_admin", "--bounding-set=-sys_admin"};
  start();
  EXPECT_TRUE(
      wait_for_event("plugin.unconfined", {"not fully isolated on this system",
                                           "it sees other processes in /proc", "trigger=hostile"}));
  publish("attack");
  expect_not_refused("oom_score_adj of the runtime");
}

TEST_F(IsolationTest, ItCannotReachAnotherWorker) {
  attack_another();
  expect_not_refused("none");
}

TEST_F(IsolationTest, WhatItMakesOfItsOutputIsNotSoForTheRuntimes) {
  start();
  publish("unblock");
  publish("fine");
  ASSERT_TRUE(wait_for_deeds(2));
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
    std::ifstream in(fmt::format("/proc/{}/fdinfo/{}", triggerd_->process().pid(), fd));
    std::string word;
    unsigned flags = O_NONBLOCK;
    while (in >> word && word != "flags:") {
    }
    ASSERT_TRUE(in >> std::oct >> flags);
    EXPECT_EQ(flags & O_NONBLOCK, 0U);
  }
}

TEST_F(IsolationTest, WhatIsItsOwnItMaySignalAndSchedule) {
  start();
  publish("own");
  const auto told = triggerd_->wait_for_event("plugin.log", {"missing: "});
  ASSERT_TRUE(told);
  EXPECT_NE(told->text.find("missing: nothing"), std::string::npos) << told->text;
}

TEST_F(IsolationTest, AProgramThatItStartsHasItsSignalsAndSoHasTheService) {
  start();
  publish("timeout");
  publish("fault");
  EXPECT_TRUE(wait_for_event("plugin.log", {"program: exit 124"}));
  EXPECT_TRUE(wait_for_event("plugin.log", {"fault: caught"}));
}

TEST_F(IsolationTest, AFullDoorbellHoldsNobodyUp) {
  start("timeout = \"2s\"");
  publish("fill-doorbell");
  ASSERT_TRUE(wait_for_deeds(1));
  // What rings now: a message, which the worker may never see, one for another trigger, the stop.
  publish("fine");
  ASSERT_TRUE(client_->publish("good", "beside"));
  EXPECT_TRUE(wait_for_records(dir_ / "good", 1));
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
}

TEST_F(IsolationTest, EverythingOfTheHostTableWorks) {
  start();
  TestClient listener(server_.port());
  ASSERT_TRUE(listener.subscribe("out"));
  publish("pending");
  EXPECT_TRUE(wait_for_event("plugin.log", {"completed: 0 0 -3"}));
  publish("publish:this");
  EXPECT_TRUE(wait_for_event("plugin.log", {"published: 0"}));
  EXPECT_TRUE(listener.wait_for_topic("out"));
  publish("reject");
  EXPECT_TRUE(wait_for_event("message.dead_letter", {"not to my taste"}));
  // Longer than the rings, there and back.
  const std::string large = "publish:" + std::string(900'000, 'x');
  publish(large);
  EXPECT_TRUE(listener.wait_for([&](const auto& message) { return message.payload == large; }));
}

TEST_F(IsolationTest, InnocentNeighboursOfACrashAreNotDeadLettered) {
  start("concurrency = 4\norder = \"none\"\nretry = { max_attempts = 2, interval = \"10ms\" }");
  for (int i = 0; i < 10; ++i) publish(fmt::format("slow:{}", i));
  publish("null:poison");
  for (int i = 10; i < 20; ++i) publish(fmt::format("slow:{}", i));
  ASSERT_TRUE(wait_for_event("message.dead_letter", {"SIGSEGV"}));
  const auto handled = [&] {
    std::set<std::string> payloads;
    for (const Deed& deed : deeds()) payloads.insert(deed.payload);
    return payloads.size();
  };
  EXPECT_TRUE(eventually([&] { return handled() == 21; }));
  publish("fine");
  EXPECT_TRUE(eventually([&] { return done().back() == "fine"; }));
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
  const SqliteConnection inbox(triggerd_->dir() / "var/inbox.db");
  EXPECT_EQ(inbox.rows("SELECT count(*) FROM dead_letter"), (SqliteConnection::Rows{"1"}));
}

TEST_F(IsolationTest, OrderHoldsOverCrashesAndRetries) {
  start("timeout = \"20s\"");
  std::vector<std::string> expected;
  for (int i = 0; i < 200; ++i) {
    const char* const deed = i % 50 == 10 ? "abort" : i % 50 == 30 ? "retry-once" : "fine";
    const std::string payload = fmt::format("{}:{}", deed, i);
    client_->publish_later("hostile", payload);
    expected.push_back(payload);
    if (i % 50 == 10 || i % 50 == 30) expected.push_back(payload);
  }
  ASSERT_TRUE(client_->wait_published());
  ASSERT_TRUE(wait_for_deeds(expected.size()));
  EXPECT_EQ(done(), expected);
}

TEST_F(IsolationTest, AKilledRuntimeLeavesNoProcessBehind) {
  start();
  publish("linger");  // with a program that it has started
  ASSERT_TRUE(wait_for_deeds(1));
  const pid_t worker = deeds().front().pid;
  EXPECT_TRUE(lives(worker));
  EXPECT_TRUE(eventually([&] { return group_size(worker) == 2; }));
  triggerd_->kill();
  EXPECT_TRUE(eventually([&] { return group_size(worker) == 0; }));
  triggerd_->start();
  ASSERT_TRUE(triggerd_->wait_until_running());
  publish("again");
  EXPECT_TRUE(eventually([&] { return !done().empty() && done().back() == "again"; }));
}

TEST_F(IsolationTest, ItEndsInGoodOrder) {
  start();
  publish("slow");
  ASSERT_TRUE(wait_for_deeds(1));
  const pid_t worker = deeds().front().pid;
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
  EXPECT_FALSE(lives(worker));
  EXPECT_FALSE(triggerd_->wait_for_event("worker.ended", {}, 0, Millis(1)));
}

TEST_F(IsolationTest, ALibraryThatCannotBeUnloadedEndsWithItsProcess) {
  start_with(runtime_table() + alias_table("a", server_.port()) +
             hostile_trigger({}, "stay = true"));
  publish("fine");
  ASSERT_TRUE(wait_for_deeds(1));
  EXPECT_EQ(triggerd_->stop(), (Exit{0, 0}));
  EXPECT_FALSE(triggerd_->wait_for_event("plugin.still_loaded", {}, 0, Millis(1)));
}

TEST_F(IsolationTest, AServiceThatCannotBeMadeIsTold) {
  const std::string head = runtime_table() + alias_table("a", server_.port());
  TriggerdProcess refused(head + hostile_trigger({}, "refuse = true"));
  CheckResult check = refused.check();
  EXPECT_EQ(check.exit, (Exit{2, 0}));
  EXPECT_NE(check.output.find("setting \"refuse\" is unknown"), std::string::npos) << check.output;
  TriggerdProcess crashed(head + hostile_trigger({}, "crash = \"create\""));
  check = crashed.check();
  EXPECT_EQ(check.exit, (Exit{2, 0}));
  EXPECT_NE(check.output.find("its worker process was ended by SIGABRT"), std::string::npos)
      << check.output;
  TriggerdProcess fine(head + hostile_trigger());
  EXPECT_EQ(fine.check().exit, (Exit{0, 0}));
}

// The runtime gives up at drain_timeout and five seconds, with a failure.
TEST_F(IsolationTest, ACallThatHangsEndsWithItsProcessAndTheStopIsInTime) {
  for (const std::string call : {"start", "stop", "destroy", "handle"}) {
    const std::string table =
        runtime_table("drain_timeout = \"2s\"") + alias_table("a", server_.port());
    const bool at_once = call == "start";
    triggerd_.emplace(table + hostile_trigger("timeout = \"60s\"", "hang = \"" + call + "\"") +
                      trigger_table("good", "a", "\"good\"", dir_ / "good"));
    triggerd_->start();
    client_.emplace(server_.port());
    ASSERT_TRUE(wait_for_event("connection.up", {"trigger=good"})) << triggerd_->output();
    if (!at_once) {
      ASSERT_TRUE(wait_for_event("trigger.running", {"trigger=hostile"}));
    }
    if (call == "handle") {
      publish("loop");
      ASSERT_TRUE(eventually([&] { return !done().empty() && done().back() == "loop"; }));
    }
    EXPECT_EQ(triggerd_->stop(), (Exit{0, 0})) << triggerd_->output();
    EXPECT_TRUE(
        wait_for_event("plugin.abandoned",
                       {call + " of service \"hostile:obey\" has not returned", "trigger=hostile"}))
        << triggerd_->output();
  }
}

TEST(IsolationReload, AnIsolatedPluginIsReloadedWithItsStateUnderTraffic) {
  RevisedPlugin plugin(kFirst);
  MosquittoServer server;
  TriggerdProcess triggerd(
      plugin.config(server.port(), "hot_reload = true\n", "isolation = \"process\"\n"));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  TestClient client(server.port());
  std::size_t from = 0;
  std::uint64_t sent = 0;
  const auto send = [&](int count) {
    for (int i = 0; i < count; ++i) client.publish_later("x", fmt::format("{}", ++sent));
  };
  for (const Revision next : {kSecond, kFirst, kSecond}) {
    send(500);
    plugin.replace(next);
    for (;;) {  // traffic all the while
      send(50);
      ASSERT_TRUE(client.wait_published());
      const auto line = triggerd.wait_for_event("plugin.reloaded", {}, from, Millis(20));
      if (!line) {
        ASSERT_LT(sent, 200'000U) << triggerd.output();
        continue;
      }
      from = line->index + 1;
      break;
    }
  }
  send(1);
  ASSERT_TRUE(plugin.wait_for(sent)) << triggerd.output();
  const auto counted = plugin.counted();
  ASSERT_EQ(counted.size(), sent);
  for (std::size_t i = 0; i < counted.size(); ++i) {
    ASSERT_EQ(counted[i].count, i + 1) << "its state was handed over";
    ASSERT_EQ(counted[i].payload, fmt::format("{}", i + 1));
  }
  EXPECT_EQ(counted.back().revision, kSecond);
  plugin.replace(kCrashesInConstructor);
  EXPECT_TRUE(triggerd.wait_for_event("plugin.reload_failed", {"SIGABRT"}, from));
  plugin.replace(kDoesNotStart);
  EXPECT_TRUE(triggerd.wait_for_event("plugin.reload_failed", {"the database is away"}, from));
  send(1);
  EXPECT_TRUE(plugin.wait_for(sent));
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
}

}  // namespace
}  // namespace triggerd::test
