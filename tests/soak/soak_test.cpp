// Numbered messages through triggerd while everything around it fails: no number that its publisher
// has an acknowledgement for may be lost, and none of QoS 2 may be accepted twice.
//
//   soak_test short|long|bridge  TRIGGERD_SOAK_SEED=NUMBER repeats the moments of an earlier storm
//
// "bridge" has another server between publisher and service: triggers publish what comes on an
// alias with an outbox, whose server it is that fails. A trigger that is killed publishes again, so
// there nothing is said of what is accepted twice.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <random>
#include <thread>

#include "soak/ledger.hpp"
#include "soak/publisher.hpp"
#include "soak/sandbox.hpp"
#include "soak/storm.hpp"
#include "support/eventually.hpp"

namespace triggerd::soak {
namespace {

using test::MosquittoServer;
using test::TempDir;
using test::TriggerdProcess;

// Empty: the runtime's default.
constexpr const char* kAcknowledge = "";
constexpr unsigned kStreams = 16;
constexpr unsigned kDiskMebibytes = 16;

struct Form {
  std::string_view name;
  unsigned qos1, qos2, kills;
  Millis longest_storm, longest_calm;
  bool bridges = false;
};
constexpr Form kForms[] = {
    {"short", 10'000, 2'000, 12, Millis(240'000), Millis(180'000)},
    {"long", 100'000, 20'000, 100, Millis(2'400'000), Millis(600'000)},
    {"bridge", 4'000, 1'000, 6, Millis(240'000), Millis(180'000), true},
};
// Nothing is handled for so long: nothing more will be.
constexpr Millis kSilence{30'000};

const Form* form = nullptr;

std::uint64_t seed() {
  const char* wanted = std::getenv("TRIGGERD_SOAK_SEED");
  return wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : std::random_device{}();
}

std::string trigger_table(unsigned qos, const std::filesystem::path& records) {
  return fmt::format(
      "[[triggers]]\nname = \"qos-{0}\"\nalias = \"server\"\nservice = \"soak:record\"\n"
      "topics = [{{ filter = \"soak/{0}/#\", qos = {0} }}]\n"
      "concurrency = 4\norder = \"topic\"\nqueue_capacity = 128\n{1}\n"
      "retry = {{ max_attempts = 50, interval = \"20ms\", max_interval = \"200ms\" }}\n"
      "[triggers.settings]\nfile = \"{2}\"\n",
      qos, kAcknowledge, records.string());
}

// What comes from the plant goes on to the server that fails.
std::string bridge_table(unsigned qos) {
  return fmt::format(
      "[[triggers]]\nname = \"bridge-{0}\"\nalias = \"plant\"\nservice = \"republish\"\n"
      "topics = [{{ filter = \"soak/{0}/#\", qos = {0} }}]\n"
      "order = \"topic\"\nconcurrency = 4\n{1}\n"
      "retry = {{ max_attempts = 50, interval = \"20ms\", max_interval = \"200ms\" }}\n"
      "[triggers.settings]\nalias = \"out\"\ntopic = \"{{topic}}\"\nqos = {0}\n",
      qos, kAcknowledge);
}

// Members end in the opposite order: processes first, then what they stand on.
struct Stage {
  TempDir dir;
  SmallDisk disk{dir / "state", kDiskMebibytes};
  CutNetwork network;
  MosquittoServer server{{.persistence = true,
                          .also_on = network.address(),
                          // more at once than the runtime takes
                          .extra_config = "max_inflight_messages 200"}};
  std::optional<MosquittoServer> plant;  // whose messages are bridged
  TriggerdProcess runtime{configuration(), {}, network.launcher()};

  std::filesystem::path records() const { return dir / "records"; }
  std::filesystem::path inbox() const { return dir / "state" / "inbox.db"; }
  // The short keep_alive is so that a longer cut is noticed.
  std::string configuration() {
    std::string text =
        fmt::format(
            "[runtime]\nname = \"soak\"\nstate_dir = \"{}\"\nplugin_dirs = [\"{}\", \"{}\"]\n",
            (dir / "state").string(), TEST_PLUGIN_DIR, TriggerdProcess::plugin_dir().string()) +
        alias_table("server", server.port()) + trigger_table(1, records()) +
        trigger_table(2, records());
    if (!form->bridges) return text;
    plant.emplace(test::MosquittoOptions{.persistence = true, .also_on = network.address()});
    return text + alias_table("plant", plant->port()) +
           alias_table("out", server.port(), "outbox = { max_size = \"8MiB\" }\n") +
           bridge_table(1) + bridge_table(2) + "[inbox]\nmax_size = \"12MiB\"\n";
  }
  std::string alias_table(const char* name, std::uint16_t port, const char* more = "") const {
    return fmt::format(
        "[aliases.{0}]\nhost = \"tcp://{1}:{2}\"\nclient_id = \"soak-{0}\"\n"
        "clean_session = false\nkeep_alive = \"1s\"\nconnection_timeout = \"2s\"\n"
        "reconnect = {{ min = \"50ms\", max = \"500ms\" }}\n{3}",
        name, network.address(), port, more);
  }
  // Where the publisher publishes.
  std::uint16_t port() const { return plant ? plant->port() : server.port(); }
};

std::string first_of(const std::vector<std::string>& texts) {
  const std::size_t shown = std::min<std::size_t>(texts.size(), 10);
  return fmt::format("{}",
                     fmt::join(texts.begin(), texts.begin() + static_cast<long>(shown), "\n"));
}

std::vector<std::string> in_words(const std::vector<Numbered>& messages) {
  std::vector<std::string> words;
  for (const Numbered& m : messages) words.push_back(fmt::format("{} {}", topic_of(m), m.number));
  return words;
}

std::size_t of_qos(const std::vector<Numbered>& messages, unsigned qos) {
  return static_cast<std::size_t>(std::count_if(messages.begin(), messages.end(),
                                                [&](const Numbered& m) { return m.qos == qos; }));
}

// Storms until everything is published and every fault has come often enough.
bool run_storm(Storm& storm, const Publisher& publisher) {
  return test::eventually(
      [&] {
        storm.step();
        const StormCounts& counts = storm.counts();
        return !publisher.fault().empty() ||
               (publisher.all_published() && counts.kills >= form->kills && counts.restarts > 0 &&
                counts.cuts > 0 && counts.disk_fulls > 0);
      },
      form->longest_storm);
}

// Waits until every message is acknowledged and handled, or no more are going to be.
void wait_until_handled(const Stage& stage, const Publisher& publisher, Ledger& ledger) {
  std::size_t before = 0;
  Monotonic last_news = std::chrono::steady_clock::now();
  (void)test::eventually(
      [&] {
        std::this_thread::sleep_for(Millis(200));
        ledger.read_records();
        ledger.read_dead_letters(stage.inbox());
        const auto acknowledged = publisher.acknowledged();
        const std::size_t handled = acknowledged.size() - ledger.missing(acknowledged).size();
        const Monotonic now = std::chrono::steady_clock::now();
        if (handled != before) last_news = now;
        before = handled;
        return handled == publisher.total() || now - last_news >= kSilence;
      },
      form->longest_calm);
}

void print_table(const Publisher& publisher, const std::vector<Numbered>& lost, std::size_t twice,
                 const Totals& totals, const StormCounts& counts) {
  const auto row = [](std::string_view what, auto value, const std::string& more = {}) {
    std::cout << fmt::format("  {:<34}{:>9}  {}\n", what, value, more);
  };
  const auto events = [&](const char* name) {
    const auto found = counts.events.find(name);
    return found == counts.events.end() ? 0U : found->second;
  };
  const auto acknowledged = publisher.acknowledged();
  std::cout << "\n";
  row("QoS 1 acknowledged", of_qos(acknowledged, 1), fmt::format("of {}", form->qos1));
  row("QoS 2 acknowledged", of_qos(acknowledged, 2), fmt::format("of {}", form->qos2));
  row("lost at QoS 1", of_qos(lost, 1));
  row("lost at QoS 2", of_qos(lost, 2));
  row("QoS 2 accepted twice", twice);
  row("QoS 2 taken, killed, taken again", totals.taken_again);
  row("handled more than once at QoS 1", totals.handled_again[1]);
  row("handled more than once at QoS 2", totals.handled_again[2]);
  row("kills", counts.kills, fmt::format("{} before it was ready", counts.kills_starting));
  row("server restarts", counts.restarts,
      fmt::format("the publisher connected again {} times", publisher.reconnects()));
  row("cuts", counts.cuts, fmt::format("the runtime connected {} times", events("connection.up")));
  row("disk-fulls", counts.disk_fulls,
      fmt::format("{} refused starts, {} errors of the inbox", counts.refused_starts,
                  events("inbox.error")));
  row("calls of the service", totals.calls, fmt::format("{} torn lines", totals.torn_lines));
  row("exceptions", totals.exceptions, fmt::format("and {} retries", totals.retries));
  row("dead letters", totals.dead_letters,
      fmt::format("{} of them not asked for", totals.unexpected_dead_letters));
  row("queue_capacity reached", events("trigger.paused"));
  std::cout << std::endl;
}

TEST(Soak, NothingAcknowledgedIsLostAndNothingOfQos2AcceptedTwice) {
  if (::geteuid() != 0) {
    FAIL() << "the soak test needs root: it makes a network namespace and mounts a tmpfs";
  }
  enter_private_mounts();
  StormOptions options{.seed = seed()};
  std::cout << fmt::format("{} form, TRIGGERD_SOAK_SEED={}", form->name, options.seed) << std::endl;

  Stage stage;
  if (!stage.network.slow()) std::cout << "this kernel cannot slow down the link" << std::endl;
  stage.runtime.start();
  // Only then is there a session for what is published.
  ASSERT_TRUE(stage.runtime.wait_until_running()) << stage.runtime.output();
  Publisher publisher({.port = stage.port(),
                       .streams = kStreams,
                       .qos1 = form->qos1,
                       .qos2 = form->qos2,
                       .span = options.between_kills * form->kills});
  Ledger ledger(stage.records());
  options.after_kill = [&] { ledger.read_accepted(stage.inbox()); };
  Storm storm(options, stage.runtime, stage.server, stage.network, stage.disk);
  const bool stormed = run_storm(storm, publisher);
  storm.heal();
  wait_until_handled(stage, publisher, ledger);

  // The last one may have been started this moment, and has to know the signal.
  EXPECT_TRUE(stage.runtime.wait_until_running()) << stage.runtime.output();
  EXPECT_EQ(stage.runtime.stop(), test::Exit{}) << storm.last_words();
  storm.take_log();
  ledger.read_records();
  ledger.read_dead_letters(stage.inbox());
  const auto lost = ledger.missing(publisher.acknowledged());
  const auto twice = ledger.accepted_twice();
  const StormCounts& counts = storm.counts();
  print_table(publisher, lost, twice.size(), ledger.totals(), counts);

  EXPECT_TRUE(stormed) << "the storm did not get through what it had to within its time";
  EXPECT_EQ(publisher.fault(), "");
  EXPECT_EQ(publisher.acknowledged_count(), publisher.total());
  EXPECT_EQ(lost.size(), 0U) << first_of(in_words(lost)) << "\nThe last process said:\n"
                             << stage.runtime.output();
  if (!form->bridges) {
    EXPECT_EQ(twice.size(), 0U) << first_of(twice);
  }
  EXPECT_EQ(ledger.corrupt().size(), 0U) << first_of(ledger.corrupt());
  EXPECT_EQ(storm.crashes().size(), 0U) << first_of(storm.crashes());
  EXPECT_GE(counts.kills, form->kills);
  EXPECT_GT(counts.restarts, 0U);
  EXPECT_GT(counts.cuts, 0U);
  EXPECT_GT(counts.disk_fulls, 0U);
  EXPECT_GT(ledger.totals().exceptions, 0U);
  EXPECT_GT(ledger.totals().dead_letters, 0U);
}

}  // namespace
}  // namespace triggerd::soak

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  using triggerd::soak::kForms;
  const auto chosen = std::find_if(std::begin(kForms), std::end(kForms), [&](const auto& form) {
    return argc == 2 && form.name == argv[1];
  });
  if (chosen == std::end(kForms)) {
    std::cerr << "usage: soak_test short|long|bridge\n";
    return 2;
  }
  triggerd::soak::form = chosen;
  return RUN_ALL_TESTS();
}
