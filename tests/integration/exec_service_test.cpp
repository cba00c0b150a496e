// Commands as services of a running triggerd: what becomes of their messages when the runtime, the
// command or its file go, and the examples in other languages.
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "integration/recorded.hpp"
#include "support/eventually.hpp"
#include "support/mosquitto.hpp"
#include "support/mqtt_client.hpp"
#include "support/process.hpp"
#include "support/temp_dir.hpp"
#include "support/triggerd_process.hpp"

namespace triggerd::test {
namespace {

namespace fs = std::filesystem;

// Writes each payload to the file "handled" before it says ok.
constexpr const char* kService = R"(
import json, os, sys, time
VERSION = "1"
json.loads(sys.stdin.readline())
sys.stdout.write('{"type":"ready"}\n')
sys.stdout.flush()
for line in iter(sys.stdin.readline, ""):
    message = json.loads(line)
    if message["type"] != "message": continue
    if message["payload"].startswith("die") and message["attempt"] == 1: os._exit(3)
    with open("handled", "a") as file: file.write(VERSION + " " + message["payload"] + "\n")
    sys.stdout.write(json.dumps({"type": "verdict", "token": message["token"], "verdict": "ok"}) + "\n")
    sys.stdout.flush()
)";

class ExecServiceTest : public testing::Test {
 protected:
  ExecServiceTest() { write_service("1"); }

  void write_service(const std::string& version) const {
    std::string text = kService;
    text.replace(text.find("VERSION = \"1\""), 13, "VERSION = \"" + version + "\"");
    std::ofstream(dir_ / "service.py.new") << text;
    fs::rename(dir_ / "service.py.new", dir_ / "service.py");
  }
  std::string config(const std::string& more = "order = \"topic\"\nconcurrency = 4\n",
                     const std::string& command = "\"python3\", \"service.py\"",
                     const std::string& settings = {}) const {
    return runtime_table() + alias_table("a", server_.port()) +
           fmt::format(
               "[[triggers]]\nname = \"t\"\nalias = \"a\"\ntopics = [\"in/#\"]\n"
               "service = \"exec\"\nretry = {{ interval = \"20ms\", max_interval = "
               "\"100ms\" }}\n{}[triggers.settings]\ncommand = [{}]\nworking_dir = "
               "\"{}\"\n{}",
               more, command, dir_.path().string(), settings);
  }
  void publish(const std::string& payload) {
    ASSERT_TRUE(client_.publish("in/" + payload, payload)) << payload;
  }
  std::vector<std::string> handled() const {
    std::ifstream in(dir_ / "handled");
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }
  std::set<std::string> payloads() const {
    std::set<std::string> found;
    for (const std::string& line : handled()) found.insert(line.substr(line.find(' ') + 1));
    return found;
  }
  [[nodiscard]] bool all_handled(std::size_t count) const {
    return eventually([&] { return payloads().size() >= count; });
  }

  TempDir dir_;
  MosquittoServer server_;
  TestClient client_{server_.port()};
};

TEST_F(ExecServiceTest, NothingIsLostWhenRuntimeAndCommandsAreKilled) {
  TriggerdProcess triggerd(config());
  for (int round = 0; round < 3; ++round) {
    triggerd.start();
    ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
    for (int i = 0; i < 100; ++i) publish(fmt::format("{}-{}", round, i));
    ASSERT_TRUE(eventually([&] { return handled().size() > 20U * (round + 1); }));
    triggerd.kill();  // with messages in the commands' hands
  }
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  EXPECT_TRUE(all_handled(300)) << triggerd.output();
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0})) << triggerd.output();
}

TEST_F(ExecServiceTest, AChangedFileTakesOverUnderTrafficWithoutAnAttempt) {
  TriggerdProcess triggerd(config());
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  int count = 0;
  for (const char* version : {"2", "3"}) {
    for (int i = 0; i < 20; ++i) publish(std::to_string(count++));
    write_service(version);
    ASSERT_TRUE(eventually([&] {
      publish(std::to_string(count++));
      const auto lines = handled();
      return !lines.empty() && lines.back().front() == version[0];
    })) << triggerd.output();
  }
  EXPECT_TRUE(all_handled(static_cast<std::size_t>(count))) << triggerd.output();
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0}));
  EXPECT_EQ(handled().size(), static_cast<std::size_t>(count)) << "each was handled once";
  EXPECT_EQ(triggerd.output().find("message.retry"), std::string::npos) << triggerd.output();
}

TEST_F(ExecServiceTest, ACommandThatDiesCostsItsMessageAnAttempt) {
  for (const char* isolation : {"", "isolation = \"process\"\n"}) {
    SCOPED_TRACE(isolation);
    fs::remove(dir_ / "handled");
    TriggerdProcess triggerd(config(isolation));
    triggerd.start();
    ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
    for (const char* payload : {"a", "die", "b"}) publish(payload);
    EXPECT_TRUE(all_handled(3)) << triggerd.output();
    EXPECT_TRUE(triggerd.wait_for_event(
        "message.retry", {"attempt 1", "the command ended while it had the message: exit code 3"}))
        << triggerd.output();
    EXPECT_EQ(handled(), (std::vector<std::string>{"1 a", "1 die", "1 b"})) << "in order";
    EXPECT_EQ(triggerd.stop(), (Exit{0, 0})) << triggerd.output();
  }
}

TEST_F(ExecServiceTest, ACommandThatDoesNotStartIsTriedAgainAndLosesNothing) {
  std::ofstream(dir_ / "service.py") << "import sys\nsys.exit('no table yet')\n";
  TriggerdProcess triggerd(config());
  triggerd.start();
  ASSERT_TRUE(triggerd.process().wait_for_line("no table yet")) << triggerd.output();
  ASSERT_TRUE(server_.process().wait_for_match("client-a\\.t [0-2] ")) << "it has subscribed";
  publish("early");
  write_service("1");
  EXPECT_TRUE(all_handled(1)) << triggerd.output();
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0})) << triggerd.output();
}

TEST_F(ExecServiceTest, ACommandEndsWithTheRuntimeHoweverThatEnds) {
  std::ofstream(dir_ / "service.py")
      << "import json, os, signal, sys, time\nsys.stdin.readline()\n"
         "open('pid', 'w').write(str(os.getpid()))\nprint('{\"type\":\"ready\"}', flush=True)\n"
         "while True: time.sleep(1)\n";
  TriggerdProcess triggerd(config(""));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  pid_t pid = 0;
  std::ifstream(dir_ / "pid") >> pid;
  ASSERT_EQ(::kill(pid, 0), 0);
  triggerd.kill();
  EXPECT_TRUE(eventually([&] {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    const std::string line{std::istreambuf_iterator<char>(stat), {}};
    return line.empty() || line.find(") Z ") != std::string::npos;
  }));
}

// ---- the examples ----

class ExecExampleTest : public ExecServiceTest, public testing::WithParamInterface<const char*> {
 protected:
  fs::path examples() const { return fs::path(REPOSITORY) / "plugins/exec/examples"; }
  // What of triggers.toml's `command` is for it.
  std::string command() const {
    if (std::string_view(GetParam()) == "shell") {
      return fmt::format("\"sh\", \"{}\"", (examples() / "alerts.sh").string());
    }
    const fs::path program = dir_ / "alerts";
    Process build({"/usr/bin/env", "go", "build", "-o", program.string(),
                   (examples() / "go/alerts.go").string()},
                  {.env = {{"GOCACHE", (fs::path(BUILD_DIR) / "go-cache").string()},
                           {"GO111MODULE", "off"},
                           {"GOFLAGS", "-p=1"}}});
    EXPECT_EQ(build.wait(std::chrono::minutes(2)), (Exit{0, 0})) << build.output();
    return fmt::format("\"{}\"", program.string());
  }
};

TEST_P(ExecExampleTest, AlertsAboveTheLimit) {
  TriggerdProcess triggerd(config("order = \"none\"\nconcurrency = 8\n", command(),
                                  "processes = 1\n[triggers.settings.service]\nlimit = 80\n"));
  ASSERT_TRUE(client_.subscribe("alerts/#"));
  triggerd.start();
  ASSERT_TRUE(triggerd.wait_until_running()) << triggerd.output();
  for (const char* payload : {"79.5", "81.5", "hot"}) publish(payload);
  const auto alert = client_.wait_for_topic("alerts/in/81.5");
  ASSERT_TRUE(alert) << triggerd.output();
  EXPECT_EQ(alert->payload, "81.5");
  EXPECT_TRUE(triggerd.wait_for_event("message.dead_letter", {"the payload must be a number"}))
      << triggerd.output();
  EXPECT_EQ(client_.messages().size(), 1U);
  EXPECT_EQ(triggerd.stop(), (Exit{0, 0})) << triggerd.output();
}

INSTANTIATE_TEST_SUITE_P(, ExecExampleTest, testing::Values("shell", "go"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace triggerd::test
