// Each contender against the fake server, and the service against it in the real runtime.
#include <fstream>

#include "run.hpp"
#include "support/mosquitto.hpp"
#include "support/temp_dir.hpp"
#include "support/triggerd_process.hpp"
#include "tls_files.hpp"

namespace bench {
namespace {

using triggerd::test::TempDir;
using triggerd::test::TriggerdProcess;
using Words = std::vector<std::string>;

struct Contender {
  std::string name;
  int qos;
};
void PrintTo(const Contender& contender, std::ostream* out) {
  *out << contender.name << " at QoS " << contender.qos;
}

// At QoS 0 what fills the sockets first counts as sent. A slow contender, under a sanitizer, may
// leave it at that for longer than these runs take: there the warm-up would be all there is.
Words load(int qos) {
  return {"--qos",    std::to_string(qos),    "--window",  "30",
          "--warmup", qos == 0 ? "0" : "0.1", "--seconds", "0.4"};
}
Words pace(int qos) {
  return words(load(qos), {"--pace", "500"});
}

// `latency` of a paced run: every message has one. The one that a contender is just counting when
// it is told to end may be in one figure and not yet in the other.
void expect_latency(const nlohmann::json& end) {
  const auto latency = end.value("latency_ns", nlohmann::json::object());
  EXPECT_GT(end.value("received", 0), 0) << end;
  EXPECT_GE(latency.value("count", 0), end.value("received", 0)) << end;
  EXPECT_LE(latency.value("count", 0), end.value("received", 0) + 1) << end;
  EXPECT_GT(latency.value("p50", 0.0), 0) << end;
  EXPECT_LE(latency.value("p50", 0.0), latency.value("p99", 0.0)) << end;
  EXPECT_LE(latency.value("p999", 0.0), latency.value("max", 0.0)) << end;
}

class Contenders : public testing::TestWithParam<Contender> {
 protected:
  Words command(const Broker& broker, const Words& more = {}) const {
    return words(
        {program(GetParam().name), "--url", broker.url(), "--qos", std::to_string(GetParam().qos)},
        more);
  }
};
INSTANTIATE_TEST_SUITE_P(Bench, Contenders,
                         testing::Values(Contender{"paho", 0}, Contender{"paho", 1},
                                         Contender{"paho", 2}, Contender{"mosquitto", 0},
                                         Contender{"mosquitto", 1}, Contender{"mosquitto", 2}));

TEST_P(Contenders, CountWhatTheFakeServerSends) {
  Broker broker(load(GetParam().qos));
  Process contender(command(broker));
  ASSERT_EQ(broker.wait(), 0) << broker.process().output() << contender.output();
  expect_plausible(broker.result(), GetParam().qos, 30);
  const auto end = end_of(contender);
  // At QoS 0 what was sent may still be in the sockets.
  if (GetParam().qos > 0) {
    EXPECT_GE(end.value("received", 0.0), broker.result().value("messages", 0.0)) << end;
  }
  EXPECT_GT(end.value("received", 0.0), 0) << end;
  EXPECT_FALSE(end.contains("latency_ns"));
}

TEST_P(Contenders, MeasureLatency) {
  Broker broker(pace(GetParam().qos));
  Process contender(command(broker, {"--latency"}));
  ASSERT_EQ(broker.wait(), 0) << broker.process().output() << contender.output();
  expect_latency(end_of(contender));
}

TEST_P(Contenders, SpeakTls) {
  const TempDir dir;
  const TlsFiles files(dir.path());
  Broker broker(words(load(GetParam().qos),
                      {"--tls-certificate", files.certificate, "--tls-key", files.key}));
  Process contender({program(GetParam().name), "--url", broker.url("ssl"), "--ca",
                     files.certificate, "--qos", std::to_string(GetParam().qos)});
  ASSERT_EQ(broker.wait(), 0) << broker.process().output() << contender.output();
  expect_plausible(broker.result(), GetParam().qos, 30);
  EXPECT_GT(end_of(contender).value("received", 0.0), 0);
}

TEST(Contender, SleepsForItsWork) {
  Broker broker({"--qos", "1", "--warmup", "0", "--seconds", "0.4"});
  Process contender(
      {program("mosquitto"), "--url", broker.url(), "--qos", "1", "--work-us", "20000"});
  ASSERT_EQ(broker.wait(), 0) << broker.process().output();
  // It never sleeps for less, so there is a most, whatever the machine.
  EXPECT_LE(broker.result().value("rate", 1e9), 60) << broker.result();
}

TEST(Contender, SaysWhyItCannotConnect) {
  triggerd::test::ReservedPort nobody;
  for (const char* name : {"paho", "mosquitto", "discard"}) {
    Process contender({program(name), "--url", fmt::format("tcp://127.0.0.1:{}", nobody.number())});
    const auto exit = contender.wait();
    EXPECT_TRUE(exit && exit->code == 1) << name;
    EXPECT_NE(contender.output().find("cannot connect"), std::string::npos) << contender.output();
  }
}

// ---- The service, in the real runtime ----

std::string configuration(const Broker& broker, int qos, const std::string& settings) {
  return fmt::format(
      "[runtime]\nname = \"bench\"\nplugin_dirs = [\"{}\"]\n[admin]\nlisten = \"\"\n"
      "[aliases.a]\nhost = \"{}\"\nclient_id = \"bench\"\n"
      "[[triggers]]\nname = \"t\"\nalias = \"a\"\nservice = \"bench\"\n"
      "topics = [{{ filter = \"bench/#\", qos = {} }}]\n[triggers.settings]\n{}\n",
      BENCH_DIR, broker.url(), qos, settings);
}

class Service : public testing::TestWithParam<int> {
 protected:
  nlohmann::json report(const TriggerdProcess& triggerd) const {
    std::ifstream in(dir_ / "report");
    const auto read = nlohmann::json::parse(in, nullptr, false);
    EXPECT_TRUE(read.is_object()) << triggerd.output();
    return read.is_object() ? read : nlohmann::json::object();
  }
  std::string report_setting() const {
    return fmt::format("report = \"{}\"\n", (dir_ / "report").string());
  }
  TempDir dir_;
};
INSTANTIATE_TEST_SUITE_P(Bench, Service, testing::Values(0, 1, 2));

TEST_P(Service, CountsWhatTheFakeServerSends) {
  Broker broker(load(GetParam()));
  TriggerdProcess triggerd(configuration(broker, GetParam(), report_setting()));
  triggerd.start();
  ASSERT_EQ(broker.wait(), 0) << broker.process().output() << triggerd.output();
  expect_plausible(broker.result(), GetParam(), 30);
  ASSERT_TRUE(triggerd.stop()) << triggerd.output();
  const auto end = report(triggerd);
  EXPECT_GT(end.value("received", 0.0), 0) << end;
  EXPECT_FALSE(end.contains("latency_ns"));
}

TEST_P(Service, MeasuresLatency) {
  Broker broker(pace(GetParam()));
  TriggerdProcess triggerd(
      configuration(broker, GetParam(), report_setting() + "latency = true\nwork = \"100us\""));
  triggerd.start();
  ASSERT_EQ(broker.wait(), 0) << broker.process().output() << triggerd.output();
  ASSERT_TRUE(triggerd.stop()) << triggerd.output();
  expect_latency(report(triggerd));
}

TEST(ServiceSettings, AreChecked) {
  Broker broker({"--patience", "0.01"});
  for (const auto& [setting, why] : std::vector<std::pair<std::string, std::string>>{
           {"work = \"5\"", "must be a duration such as"},
           {"work = \"ms\"", "must be a duration such as"},
           {"work = \"-1ms\"", "must be a duration such as"},
           {"works = \"1ms\"", "is unknown; this service knows latency, work, report"}}) {
    TriggerdProcess triggerd(configuration(broker, 1, setting));
    const auto checked = triggerd.check();
    EXPECT_EQ(checked.exit.code, 2) << setting;
    EXPECT_NE(checked.output.find(why), std::string::npos) << checked.output;
  }
}

// ---- Publishers ----

TEST(Publishers, ReachASubscriberOfARealServer) {
  triggerd::test::MosquittoServer server({.extra_config = "log_type all"});
  const std::string url = fmt::format("tcp://127.0.0.1:{}", server.port());
  Process contender(
      {program("mosquitto"), "--url", url, "--qos", "1", "--latency", "--client-id", "reader"});
  ASSERT_TRUE(server.process().wait_for_line("Sending SUBACK to reader")) << contender.output();
  int sent = 0;
  for (const Words& how : {Words{"--rate", "400"}, Words{"--sparse", "1:5"}}) {
    Process publish(words({program("publish"), "--port", std::to_string(server.port()),
                           "--publishers", "2", "--seconds", "0.3", "--qos", "1"},
                          how));
    const auto exit = publish.wait();
    ASSERT_TRUE(exit && exit->code == 0) << publish.output();
    const auto said = last_line(publish);
    EXPECT_GT(said.value("sent", 0), 0) << said;
    EXPECT_LE(said.value("behind", 1'000'000), said.value("sent", 0)) << said;
    sent += said.value("sent", 0);
  }
  // The publishers wait for the server's acknowledgements, not for the subscriber.
  const auto last = "Sending PUBLISH to reader (d0, q1, r0, m" + std::to_string(sent) + ",";
  ASSERT_TRUE(server.process().wait_for_line(last)) << sent;
  ASSERT_TRUE(server.process().wait_for_line(
      "Received PUBACK from reader (Mid: " + std::to_string(sent) + ","));
  const auto end = end_of(contender);
  expect_latency(end);
  EXPECT_EQ(end.value("received", 0), sent);
}

TEST(Publishers, KeepTheirRate) {
  const triggerd::test::MosquittoServer server;
  Process publish({program("publish"), "--port", std::to_string(server.port()), "--rate", "200",
                   "--seconds", "0.5", "--qos", "0"});
  ASSERT_TRUE(publish.wait()) << publish.output();
  EXPECT_NEAR(last_line(publish).value("sent", 0), 100, 1);
}

}  // namespace
}  // namespace bench
