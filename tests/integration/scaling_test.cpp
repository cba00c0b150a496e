// Replicas: runtimes of one shared group on one server, each with a client id and a state folder of
// its own, and a steady stream of numbers among which one of them dies and another one comes.
// What members that are away do to the others is what mosquitto does: docs/guides/scaling.md.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <csignal>
#include <fstream>
#include <memory>
#include <set>
#include <thread>

#include "integration/recorded.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"
#include "support/sqlite_connection.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::test {
namespace {

// Long enough for a sanitizer on a loaded machine to work off a few thousand calls.
constexpr Millis kLong{60'000};
// No replica may have less than half of what would be its even share.
constexpr std::size_t kUneven = 2;

using Numbers = std::set<std::size_t>;

std::size_t number_of(std::string_view topic) {
  const std::string_view digits = topic.substr(topic.rfind('/') + 1);
  std::size_t number = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), number);
  return number;
}

Numbers from(const Numbers& numbers, std::size_t first) {
  return {numbers.lower_bound(first), numbers.end()};
}

Numbers without(Numbers numbers, const Numbers& others) {
  std::erase_if(numbers, [&](std::size_t number) { return others.contains(number); });
  return numbers;
}

// Publishes work/0, work/1, ... with QoS 1, about one each millisecond, until it is stopped.
//
// Threads: one of its own; every function may be called from any other.
class Stream {
 public:
  explicit Stream(std::uint16_t port) : client_(port), thread_([this] { run(); }) {}
  ~Stream() { stop(); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // All numbers below it are with the server.
  std::size_t published() const { return published_; }
  [[nodiscard]] bool wait_for(std::size_t count) const {
    return eventually([&] { return published_ >= count; }, kLong);
  }
  // False: the server did not take all.
  bool stop() {
    stop_ = true;
    if (thread_.joinable()) thread_.join();
    return !failed_;
  }

 private:
  void run() {
    constexpr std::size_t kAtOnce = 10;
    while (!stop_ && !failed_) {
      const std::size_t first = published_;
      for (std::size_t i = first; i < first + kAtOnce; ++i) {
        client_.publish_later("work/" + std::to_string(i), "x");
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
      failed_ = !client_.wait_published();
      published_ = first + kAtOnce;
    }
  }

  TestClient client_;
  std::atomic<std::size_t> published_{0};
  std::atomic<bool> stop_{false}, failed_{false};
  std::thread thread_;
};

struct ReplicaOptions {
  std::string acknowledge = "durable";
  std::string filter = "work/+";
  std::string alias = {};  // more keys
  Millis drain_timeout{10'000};
};

// One runtime of the group. Its client id is its name, from the environment, as a pod has it.
class Replica {
 public:
  Replica(const std::string& name, const MosquittoServer& server, const ReplicaOptions& options)
      : port_(server.port()), triggerd_(configuration(options), {{"POD_NAME", name}}) {
    set_working(true);
  }

  [[nodiscard]] bool start() {
    triggerd_.start();
    return triggerd_.wait_until_running();
  }
  TriggerdProcess& triggerd() { return triggerd_; }
  void write_config(const ReplicaOptions& options) {
    triggerd_.write_config(configuration(options));
  }

  // While it does not work, each message is tried again and again.
  void set_working(bool working) {
    if (working) {
      std::ofstream(flag()) << "yes";
    } else {
      std::filesystem::remove(flag());
    }
  }

  // What its service has said ok to.
  Numbers handled() const {
    Numbers found;
    for (const Record& record : records(file(), "end")) found.insert(number_of(record.topic));
    return found;
  }
  // What its service has been called for.
  Numbers tried() const {
    Numbers found;
    for (const Record& record : records(file())) found.insert(number_of(record.topic));
    return found;
  }
  // What only its inbox has: acknowledged, and not handled. Numbers that are just being handled may
  // be among them while it runs.
  Numbers kept() const {
    const SqliteConnection inbox((triggerd_.dir() / "var" / "inbox.db").string());
    Numbers found;
    for (const auto& topic :
         inbox.rows("SELECT topic FROM message").value_or(SqliteConnection::Rows{})) {
      found.insert(number_of(topic));
    }
    return without(std::move(found), handled());
  }

 private:
  std::filesystem::path file() const { return dir_ / "records"; }
  std::filesystem::path flag() const { return dir_ / "working"; }
  std::string configuration(const ReplicaOptions& options) const {
    return runtime_table(fmt::format("drain_timeout = \"{}ms\"", options.drain_timeout.count())) +
           fmt::format(
               "[aliases.server]\nhost = \"tcp://127.0.0.1:{}\"\nclient_id = \"${{POD_NAME}}\"\n"
               "reconnect = {{ min = \"50ms\", max = \"500ms\" }}\n{}\n",
               port_, options.alias) +
           trigger_table(
               "work", "server", fmt::format("\"{}\"", options.filter), file(),
               fmt::format("service = \"recorder:misbehave\"\nshared_group = \"group\"\n"
                           "order = \"none\"\nqueue_capacity = 5000\nacknowledge = \"{}\"\n"
                           "retry = {{ max_attempts = 1000000, interval = \"100ms\", "
                           "max_interval = \"300ms\" }}\n",
                           options.acknowledge),
               fmt::format("mode = \"retry-until\"\nflag = \"{}\"\n", flag().string()));
  }

  TempDir dir_;
  const std::uint16_t port_;
  TriggerdProcess triggerd_;
};

class ScalingTest : public testing::Test {
 protected:
  Replica& add(const ReplicaOptions& options = {}) {
    const std::string name = fmt::format("orders-{}", replicas_.size());
    replicas_.push_back(std::make_unique<Replica>(name, server_, options));
    return *replicas_.back();
  }
  // Whether each of them handles what comes.
  [[nodiscard]] bool all_work() const {
    return eventually(
        [&] {
          return std::ranges::all_of(replicas_, [](auto& r) { return r->handled().size() >= 50; });
        },
        kLong);
  }
  // Below `end`, what nobody has handled.
  Numbers missing(std::size_t end) const {
    Numbers handled;
    for (const auto& replica : replicas_) handled.merge(replica->handled());
    Numbers found;
    for (std::size_t i = 0; i < end; ++i) {
      if (!handled.contains(i)) found.insert(found.end(), i);
    }
    return found;
  }
  [[nodiscard]] bool none_missing(std::size_t end) const {
    return eventually([&] { return missing(end).empty(); }, kLong);
  }
  // The server knows that this client is away.
  [[nodiscard]] bool server_misses(const std::string& name, std::size_t since) {
    return server_.process()
        .wait_for_match("Client " + name + ".work (closed|disconnected)", since)
        .has_value();
  }

  MosquittoServer server_;
  std::vector<std::unique_ptr<Replica>> replicas_;
};

// What the parameter says is `acknowledge`.
class OneIsKilledTest : public ScalingTest, public testing::WithParamInterface<std::string> {};

TEST_P(OneIsKilledTest, AndAnotherOneComesAndNothingIsLost) {
  const ReplicaOptions options{.acknowledge = GetParam()};
  Replica& first = add(options);
  Replica& killed = add(options);
  Replica& third = add(options);
  for (const auto& replica : replicas_)
    ASSERT_TRUE(replica->start()) << replica->triggerd().output();
  Stream stream(server_.port());
  ASSERT_TRUE(all_work());

  // It has work at hand when it dies: acknowledged and in its inbox alone, or at the server still.
  killed.set_working(false);
  const auto at_hand = [&] { return without(killed.tried(), killed.handled()); };
  ASSERT_TRUE(eventually([&] { return at_hand().size() >= 15; }, kLong));
  if (GetParam() == "durable") {
    ASSERT_TRUE(eventually([&] { return killed.kept().size() >= 15; }, kLong));
  }
  const std::size_t log = server_.process().line_count();
  killed.triggerd().kill();
  ASSERT_TRUE(server_misses("orders-1", log)) << server_.process().output();
  const std::size_t died = stream.published() + 10;  // those ten may be on their way
  const Numbers kept = killed.kept();
  Numbers owed = at_hand();
  owed.insert(kept.begin(), kept.end());
  if (GetParam() == "durable") {
    EXPECT_GE(kept.size(), 15U) << "its volume has what it has acknowledged";
  } else {
    EXPECT_TRUE(kept.empty()) << "all of it is at the server";
  }

  Replica& fourth = add(options);
  ASSERT_TRUE(fourth.start()) << fourth.triggerd().output();
  const std::size_t came = stream.published() + 10;
  ASSERT_TRUE(stream.wait_for(came + 400));
  ASSERT_TRUE(stream.stop());
  const std::size_t end = stream.published();

  // Nobody else gets what it owes, nor its share of what was sent since.
  EXPECT_TRUE(std::ranges::includes(missing(end), owed));

  // Nothing is sent any more: what it handles now is from its volume or from its session.
  killed.set_working(true);
  ASSERT_TRUE(killed.start()) << killed.triggerd().output();
  EXPECT_TRUE(none_missing(end)) << missing(end).size() << " of " << end << " are lost\n"
                                 << killed.triggerd().output();
  EXPECT_TRUE(std::ranges::includes(killed.handled(), owed));
  EXPECT_GT(from(killed.handled(), died).size(), (end - died) / 4 / kUneven)
      << "the server keeps the share of a member that is away";

  // The work is spread: among three at first, among four since, of which one is away.
  const auto share = [](const Numbers& handled, std::size_t first_number, std::size_t last_number) {
    return std::ranges::count_if(
        handled, [&](std::size_t n) { return n >= first_number && n < last_number; });
  };
  for (const Replica* replica : {&first, &killed, &third}) {
    EXPECT_GT(share(replica->handled(), 0, died), static_cast<std::ptrdiff_t>(died / 3 / kUneven));
  }
  for (const Replica* replica : {&first, &killed, &third, &fourth}) {
    EXPECT_GT(share(replica->handled(), came, end),
              static_cast<std::ptrdiff_t>((end - came) / 4 / kUneven));
  }
}

INSTANTIATE_TEST_SUITE_P(Scaling, OneIsKilledTest, testing::Values("durable", "finished"),
                         [](const auto& test) { return test.param; });

TEST_F(ScalingTest, WithCleanSessionsTheOthersGetAllThatComesWhileOneIsAway) {
  const ReplicaOptions options{.alias = "clean_session = true\n"};
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(add(options).start());
  Stream stream(server_.port());
  ASSERT_TRUE(all_work());
  Replica& killed = *replicas_[1];
  killed.set_working(false);
  ASSERT_TRUE(eventually([&] { return killed.kept().size() >= 15; }, kLong));
  const std::size_t log = server_.process().line_count();
  killed.triggerd().kill();
  ASSERT_TRUE(server_misses("orders-1", log)) << server_.process().output();
  const std::size_t died = stream.published() + 10;
  const Numbers kept = killed.kept();
  ASSERT_TRUE(stream.wait_for(died + 300));
  ASSERT_TRUE(stream.stop());
  const std::size_t end = stream.published();
  EXPECT_TRUE(eventually([&] { return from(missing(end), died).empty(); }, kLong));

  // What it had acknowledged is in its volume, whatever its session was.
  killed.set_working(true);
  ASSERT_TRUE(killed.start()) << killed.triggerd().output();
  EXPECT_TRUE(eventually([&] { return std::ranges::includes(killed.handled(), kept); }, kLong));
}

// A replica that ends in good order with a clean session: it leaves the group first, and then
// handles what it has and what the server still had for it.
struct GoodEnd {
  std::string acknowledge;
  std::string how;
  friend std::ostream& operator<<(std::ostream& out, const GoodEnd& end) {
    return out << end.acknowledge << ", " << end.how;
  }
};

class GoodEndTest : public ScalingTest, public testing::WithParamInterface<GoodEnd> {};

TEST_P(GoodEndTest, ACleanSessionLosesNothing) {
  const auto& [acknowledge, how] = GetParam();
  const ReplicaOptions options{
      .acknowledge = acknowledge, .alias = "clean_session = true\n", .drain_timeout = kLong};
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(add(options).start());
  Stream stream(server_.port());
  ASSERT_TRUE(all_work());
  Replica& ending = *replicas_[1];
  ending.set_working(false);
  const auto at_hand = [&] { return without(ending.tried(), ending.handled()); };
  ASSERT_TRUE(eventually([&] { return at_hand().size() >= 15; }, kLong));

  TriggerdProcess& triggerd = ending.triggerd();
  const std::size_t from_line = triggerd.process().line_count();
  const std::size_t server_log = server_.process().line_count();
  std::unique_ptr<Process> verb;
  if (how == "stop") {
    triggerd.process().signal(SIGTERM);
  } else if (how == "reload") {
    ReplicaOptions other = options;
    other.filter = "elsewhere/+";
    ending.write_config(other);
    triggerd.process().signal(SIGHUP);
  } else {
    verb = std::make_unique<Process>(
        std::vector<std::string>{TRIGGERCTL_BINARY, "trigger", "disable", "work"},
        ProcessOptions{triggerd.dir().path(), {}});
  }
  EXPECT_TRUE(triggerd.wait_for_event("subscription.dropped", {}, from_line)) << triggerd.output();
  EXPECT_TRUE(server_.process().wait_for_line("orders-1.work $share/group", server_log))
      << server_.process().output();
  const std::size_t left = stream.published() + 10;
  ASSERT_TRUE(stream.wait_for(left + 300));
  ending.set_working(true);
  if (how == "stop") {
    EXPECT_EQ(triggerd.process().wait(kLong), (Exit{0, 0})) << triggerd.output();
  } else if (how == "reload") {
    EXPECT_TRUE(triggerd.wait_for_event("runtime.reloaded", {}, from_line, kLong));
  } else {
    EXPECT_EQ(verb->wait(kLong), (Exit{0, 0})) << verb->output();
  }
  ASSERT_TRUE(stream.stop());
  EXPECT_TRUE(none_missing(stream.published()))
      << missing(stream.published()).size() << " of " << stream.published() << " are lost\n"
      << triggerd.output();
  EXPECT_TRUE(from(ending.handled(), left).empty()) << "it was no member any more";
  if (how == "disable") {
    Process enable({TRIGGERCTL_BINARY, "trigger", "enable", "work"}, {triggerd.dir().path(), {}});
    EXPECT_EQ(enable.wait(kLong), (Exit{0, 0})) << enable.output();
    EXPECT_TRUE(triggerd.wait_until_running()) << "it is a member again";
    TestClient client(server_.port());
    EXPECT_TRUE(eventually([&] {
      client.publish_later("work/1000000", "x");
      return client.wait_published() && ending.handled().contains(1'000'000);
    }));
  }
}

INSTANTIATE_TEST_SUITE_P(Scaling, GoodEndTest,
                         testing::Values(GoodEnd{"durable", "stop"}, GoodEnd{"finished", "stop"},
                                         GoodEnd{"received", "stop"}, GoodEnd{"durable", "reload"},
                                         GoodEnd{"finished", "disable"}),
                         [](const auto& test) {
                           return test.param.acknowledge + "_" + test.param.how;
                         });

TEST_F(ScalingTest, AServerThatHangsDoesNotKeepACleanSessionFromEnding) {
  Replica& replica = add({.alias = "clean_session = true\n", .drain_timeout = kLong * 10});
  ASSERT_TRUE(replica.start());
  server_.process().signal(SIGSTOP);
  replica.triggerd().process().signal(SIGTERM);
  EXPECT_EQ(replica.triggerd().process().wait(kLong), (Exit{0, 0})) << replica.triggerd().output();
  server_.process().signal(SIGCONT);
}

// How a replica goes for good: with another filter it leaves the group and works off the rest.
TEST_F(ScalingTest, OneThatIsRetiredTakesNothingAlong) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(add().start());
  Stream stream(server_.port());
  ASSERT_TRUE(all_work());
  Replica& retired = *replicas_[2];
  // SIGTERM, as a pod that is replaced gets it; and its session gets a share while it is away.
  ASSERT_EQ(retired.triggerd().stop(), (Exit{0, 0})) << retired.triggerd().output();
  ASSERT_TRUE(stream.wait_for(stream.published() + 100));
  retired.write_config({.filter = "retired/+"});
  ASSERT_TRUE(retired.start()) << retired.triggerd().output();
  ASSERT_TRUE(retired.triggerd().wait_for_event("subscription.dropped"))
      << retired.triggerd().output();
  const std::size_t left = stream.published() + 10;
  ASSERT_TRUE(stream.wait_for(left + 200));
  ASSERT_TRUE(stream.stop());
  EXPECT_TRUE(none_missing(stream.published())) << missing(stream.published()).size();
  EXPECT_TRUE(from(retired.handled(), left).empty()) << "it is no member any more";
  EXPECT_TRUE(eventually([&] { return retired.kept().empty(); }));
  EXPECT_EQ(retired.triggerd().stop(), (Exit{0, 0}));
}

}  // namespace
}  // namespace triggerd::test
