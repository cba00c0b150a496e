// The plugin as it was built, with real processes: sh and python3.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>
#include <trigger/testing.hpp>
#include <utility>
#include <vector>

namespace {

namespace fs = std::filesystem;
using trigger::testing::Attempt;
using trigger::testing::Instance;
using trigger::testing::Message;
using trigger::testing::Options;
using trigger::testing::Plugin;
using trigger::testing::Property;
using trigger::testing::Settings;
using namespace std::chrono_literals;

// Reads the lines of the protocol, and has a function for those that it writes.
constexpr const char* prelude = R"(
import json, os, signal, sys, time
def say(**line):
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()
def verdict(message, word="ok", **more):
    say(type="verdict", token=message["token"], verdict=word, **more)
start = json.loads(sys.stdin.readline())
def lines():
    for line in iter(sys.stdin.readline, ""):
        yield json.loads(line)
def messages():
    for line in lines():
        if line["type"] == "message": yield line
        if line["type"] == "batch": yield from line["messages"]
)";

template <class Predicate>
bool eventually(Predicate&& predicate) {
  const auto end = std::chrono::steady_clock::now() + 20s;
  while (!predicate()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

std::string contents(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

class ExecTest : public testing::Test {
 protected:
  ExecTest() {
    std::string pattern = (fs::temp_directory_path() / "exec-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("no folder");
    folder_ = pattern;
  }
  ~ExecTest() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  // Replaces it at once, as an editor that is careful does.
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name + ".new"), std::ios::binary) << text;
    fs::rename(path(name + ".new"), path(name));
  }
  void python(const std::string& text, const std::string& name = "service.py") const {
    write(name, prelude + text);
  }
  Settings settings(Settings more = {}) const {
    more.emplace_back("command.0", "python3");
    more.emplace_back("command.1", "service.py");
    more.emplace_back("working_dir", folder_.string());
    return more;
  }
  Instance run(Settings more = {}, std::uint32_t concurrency = 1) const {
    Options options;
    options.concurrency = concurrency;
    return plugin_.run("exec", settings(std::move(more)), options);
  }
  std::string why_not(Settings more) const { return plugin_.why_not("exec", more); }
  static auto times_logged(const Instance& instance, std::string_view text) {
    const auto lines = instance.log_lines();
    return std::count_if(lines.begin(), lines.end(), [&](const auto& line) {
      return line.text.find(text) != std::string::npos;
    });
  }
  static bool has_logged(const Instance& instance, std::string_view text) {
    return times_logged(instance, text) > 0;
  }
  // run() returns once one of them is; another may be reading its file only then. The same for one
  // that is started again: what is sent before is given back where that takes more than a second.
  static bool come_to_be_ready(const Instance& instance, int processes) {
    return eventually([&] { return times_logged(instance, " is ready") == processes; });
  }

  fs::path folder_;
  const Plugin plugin_{PLUGIN_FILE};
};

// ---- settings ----

TEST_F(ExecTest, SaysWhatIsWrongWithItsCommand) {
  EXPECT_EQ(why_not({}),
            "setting \"command\" is missing; it must be an array of strings, the program first");
  EXPECT_EQ(why_not({{"command", "python3 service.py"}}),
            "setting \"command\" must be an array of strings");
  EXPECT_EQ(why_not({{"command.0", "sh"}, {"command.1", 1}}),
            "setting \"command.1\" must be a string");
  EXPECT_EQ(why_not({{"command.0", "no-such-program"}}),
            "setting \"command\" names \"no-such-program\", and there is no such program in PATH");
  EXPECT_EQ(why_not({{"command.0", "/no/such/program"}}),
            "setting \"command\" names \"/no/such/program\", which is no program: no such file, or "
            "it may not be executed");
  EXPECT_EQ(why_not({{"command.0", "sh"}}), "");
  EXPECT_EQ(why_not({{"command.0", "/bin/sh"}}), "");
}

TEST_F(ExecTest, SaysWhatIsWrongWithItsOtherSettings) {
  const auto with = [this](trigger::testing::Setting setting) {
    return why_not({{"command.0", "sh"}, std::move(setting)});
  };
  EXPECT_EQ(with({"working_dir", "/no/such/folder"}),
            "setting \"working_dir\" must name a directory");
  EXPECT_EQ(with({"environment", "A=b"}),
            "setting \"environment\" must be a table: NAME = \"value\"");
  EXPECT_EQ(with({"environment.A=B", "c"}),
            "setting \"environment.A=B\" is not a valid name of an environment variable");
  EXPECT_EQ(with({"environment.A", 1}), "setting \"environment.A\" must be a string");
  EXPECT_EQ(with({"payload", "hex"}), "setting \"payload\" must be \"auto\" or \"base64\"");
  EXPECT_EQ(with({"batch", 2}),
            "setting \"batch\" is above the trigger's concurrency (1), which is how many messages "
            "wait for a verdict at once");
  EXPECT_EQ(with({"processes", 2}),
            "setting \"processes\" is above the trigger's concurrency (1): the others would have "
            "nothing to do");
  EXPECT_EQ(with({"watch.0", "/no/such/file"}),
            "setting \"watch\" names \"/no/such/file\": no such file");
  EXPECT_EQ(with({"start_timeout_seconds", 26}),
            "setting \"start_timeout_seconds\" must be from 0.1 to 25 seconds");
  EXPECT_EQ(with({"stderr_level", "loud"}),
            "setting \"stderr_level\" must be \"trace\", \"debug\", \"info\", \"warn\" or "
            "\"error\"");
  EXPECT_EQ(with({"service", "x"}), "setting \"service\" must be a table");
  EXPECT_NE(with({"comand", "x"}).find("did you mean \"command\"?"), std::string::npos);
}

// ---- messages and verdicts ----

TEST_F(ExecTest, TheShortestServiceIsAShellScript) {
  write("service.sh", R"(
echo '{"type":"ready"}'
while read -r line; do
  case $line in
    *'"type":"message"'*) echo '{"type":"verdict","verdict":"ok"}' ;;
  esac
done
)");
  auto instance = plugin_.run("exec", {{"command.0", "sh"}, {"command.1", path("service.sh")}});
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(instance.send({"plant/1", "21.5"}).wait().code, TRIGGER_OK);
  }
  EXPECT_TRUE(instance.violations().empty());
}

TEST_F(ExecTest, StartSaysWhatTheCommandIsFor) {
  python(R"(
say(type="log", level="warn", text=json.dumps(start, sort_keys=True))
say(type="ready", name="sums", version="1.2")
for message in messages(): verdict(message)
)");
  auto instance = run({{"service.limit", 80}, {"service.name", "\"a\""}, {"service.factor", 0.5}});
  EXPECT_TRUE(has_logged(instance,
                         R"({"alias": "test-alias", "in_flight": 1, "process": 0, "protocol": 1, )"
                         R"("settings": {"factor": 0.5, "limit": 80, "name": "\"a\""}, )"
                         R"("trigger": "test-trigger", "type": "start"})"));
  EXPECT_TRUE(has_logged(instance, " is ready: sums 1.2"));
}

TEST_F(ExecTest, AMessageArrivesWithAllThatItHas) {
  python(R"(
say(type="ready")
for message in messages():
    left = message.pop("timeout_ms")
    message.pop("received")
    token = message.pop("token")
    text = json.dumps(message, sort_keys=True) if 0 < left <= 30000 else "timeout_ms is %s" % left
    say(type="verdict", token=token, verdict="reject", reason=text)
)");
  auto instance = run();
  Message message{"plant/é", "grün\n", 2};
  message.id = "m1";
  message.attempt = 3;
  message.dup = true;
  message.retain = true;
  EXPECT_EQ(instance.send(message).wait().reason,
            R"({"attempt": 3, "duplicate": true, "id": "m1", "payload": "gr\u00fcn\n", "qos": 2, )"
            R"("retained": true, "topic": "plant/\u00e9", "type": "message"})");
  Message five{"a", "", 0};
  five.id = "m2";
  five.properties = {Property::content_type("text/plain"),
                     Property::response_topic("back"),
                     Property::correlation_data(std::string("\0\xff", 2)),
                     Property::user("k", "v"),
                     Property::user("k", "w"),
                     {TRIGGER_PROPERTY_MESSAGE_EXPIRY, 60, {}, {}}};
  EXPECT_EQ(
      instance.send(five).wait().reason,
      std::string(R"({"attempt": 1, "duplicate": false, "id": "m2", "payload": "", "properties": )"
                  R"({"content_type": "text/plain", "correlation_data_base64": "AP8=", )"
                  R"("message_expiry": 60, "response_topic": "back", "user": [["k", "v"], ["k", )"
                  R"("w"]]}, "qos": 0, "retained": false, "topic": "a", "type": "message"})")
          .substr(0, 255));
}

TEST_F(ExecTest, EveryPayloadSurvives) {
  python(R"(
import base64
say(type="ready")
for message in messages():
    text = message.get("payload")
    data = base64.b64decode(message["payload_base64"]) if text is None else text.encode()
    verdict(message, publish=[{"topic": "text" if text is not None else "bytes",
                               "payload_base64": base64.b64encode(data).decode()}])
)");
  std::string every;
  for (int byte = 0; byte < 256; ++byte) every += static_cast<char>(byte);
  std::string large(1 << 20, 'x');
  large[77] = '\n';
  for (const bool always : {false, true}) {
    auto instance = run({{"payload", always ? "base64" : "auto"}});
    std::size_t count = 0;
    for (const std::string& payload : {std::string(), std::string("text"), std::string("\0", 1),
                                       std::string("é\n\"\\"), every, large, large + '\xff'}) {
      const Attempt attempt = instance.send({"a", payload});
      instance.wait_publishes(++count);
      const auto copy = instance.publishes().back();
      EXPECT_EQ(copy.payload, payload);
      EXPECT_EQ(copy.topic,
                payload.find('\xff') == std::string::npos && !always ? "text" : "bytes");
      instance.finish_publish(count - 1);
      EXPECT_EQ(attempt.wait().code, TRIGGER_OK);
    }
  }
}

TEST_F(ExecTest, VerdictsAreThoseOfTheCommand) {
  python(R"(
say(type="ready")
for message in messages():
    word, _, after = message["payload"].partition(" ")
    more = {"retry_after_ms": int(after)} if after else {}
    verdict(message, word, reason="because of " + word, **more)
)");
  auto instance = run();
  EXPECT_EQ(instance.send({"a", "ok"}).wait().code, TRIGGER_OK);
  auto answer = instance.send({"a", "retry 5000"}).wait();
  EXPECT_EQ(answer.code, TRIGGER_RETRY);
  EXPECT_EQ(answer.retry_after_ms, 5000U);
  EXPECT_EQ(answer.reason, "because of retry");
  answer = instance.send({"a", "reject"}).wait();
  EXPECT_EQ(answer.code, TRIGGER_REJECT);
  EXPECT_EQ(answer.reason, "because of reject");
  answer = instance.send({"a", "unavailable 70"}).wait();
  EXPECT_EQ(answer.code, TRIGGER_UNAVAILABLE);
  EXPECT_EQ(answer.retry_after_ms, 70U);
}

TEST_F(ExecTest, SeveralInHandAreAnsweredInAnyOrder) {
  python(R"(
say(type="ready")
held = []
for message in messages():
    held.append(message)
    if len(held) == start["in_flight"]:
        for one in reversed(held): verdict(one, "reject", reason=one["payload"])
        held = []
)");
  auto instance = run({{"processes", 1}}, 5);
  std::vector<Attempt> attempts;
  for (int i = 0; i < 5; ++i) attempts.push_back(instance.send({"a", std::to_string(i)}));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(attempts[i].wait().reason, std::to_string(i));
}

TEST_F(ExecTest, ThereAreAsManyProcessesAsTheTriggersConcurrency) {
  python(R"(
say(type="ready")
for message in messages():
    open(message["payload"], "w").close()      # it has come; the verdict waits for all
    while len([name for name in os.listdir(".") if name.startswith("seen-")]) < 3: time.sleep(0.01)
    verdict(message, "reject", reason="%d %d" % (start["process"], os.getpid()))
)");
  auto instance = run({}, 3);
  std::vector<Attempt> attempts;
  for (int i = 0; i < 3; ++i) attempts.push_back(instance.send({"a", "seen-" + std::to_string(i)}));
  std::vector<std::string> reasons;
  for (const Attempt& attempt : attempts) reasons.push_back(attempt.wait().reason);
  std::sort(reasons.begin(), reasons.end());
  EXPECT_EQ(std::unique(reasons.begin(), reasons.end()), reasons.end());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(reasons[i].substr(0, 2), std::to_string(i) + " ");
}

TEST_F(ExecTest, WhatWaitsGoesTogetherAsABatch) {
  python(R"(
say(type="ready")
for line in lines():
    if line["type"] == "message":
        open("seen", "w").close()
        while not os.path.exists("go"): time.sleep(0.01)
        verdict(line, "reject", reason="alone")
    if line["type"] == "batch":
        for one in line["messages"]:
            verdict(one, "reject", reason="%s of %d" % (one["payload"], len(line["messages"])))
)");
  auto instance = run({{"batch", 3}}, 8);
  const Attempt first = instance.send({"a", "first"});
  ASSERT_TRUE(eventually([&] { return fs::exists(path("seen")); }));
  std::vector<Attempt> rest;
  for (int i = 0; i < 5; ++i) rest.push_back(instance.send({"a", std::to_string(i)}));
  write("go", "");
  EXPECT_EQ(first.wait().reason, "alone");
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(rest[i].wait().reason, std::to_string(i) + (i < 3 ? " of 3" : " of 2"));
  }
}

// ---- what else a command says ----

TEST_F(ExecTest, PublishesAndHearsWhatBecameOfIt) {
  python(R"(
say(type="ready")
for line in lines():
    if line["type"] == "message":
        held = line
        say(type="publish", id="p1", topic="out/1", payload="x", qos=2, retain=True, alias="other",
            properties={"content_type": "text/plain", "user": [["k", "v"]],
                        "correlation_data_base64": "AP8=", "message_expiry": 9,
                        "response_topic": "r", "payload_format": 1})
        say(type="publish", id="p2", topic="out/2", payload_base64="/w==")
    if line["type"] == "published":
        say(type="log", level="error", text=json.dumps(line, sort_keys=True))
        if line["id"] == "p2": verdict(held)
)");
  auto instance = run();
  const Attempt attempt = instance.send({"a", "b"});
  instance.wait_publishes(2);
  const auto published = instance.publishes();
  EXPECT_EQ(published[0].topic, "out/1");
  EXPECT_EQ(published[0].payload, "x");
  EXPECT_EQ(published[0].alias, "other");
  EXPECT_EQ(published[0].qos, 2U);
  EXPECT_TRUE(published[0].retain);
  EXPECT_EQ(published[0].properties.size(), 6U);
  EXPECT_EQ(published[1].payload, "\xff");
  EXPECT_EQ(published[1].qos, 1U);
  EXPECT_FALSE(published[1].retain);
  instance.finish_publish(0);
  instance.finish_publish(1, TRIGGER_E_FAILED, "quota");
  EXPECT_EQ(attempt.wait().code, TRIGGER_OK);
  EXPECT_TRUE(has_logged(instance, R"({"id": "p1", "ok": true, "type": "published"})"));
  EXPECT_TRUE(has_logged(
      instance,
      R"({"error": "failed", "id": "p2", "ok": false, "reason": "quota", "type": "published"})"));
}

TEST_F(ExecTest, AMessageIsOkOnceTheServerHasAllThatItsVerdictPublishes) {
  python(R"(
say(type="ready")
for message in messages():
    verdict(message, publish=[{"topic": "a"}, {"topic": "b", "payload": "x"}])
)");
  auto instance = run();
  const Attempt good = instance.send({"a", "b"});
  instance.wait_publishes(2);
  instance.finish_publish(1);
  EXPECT_TRUE(good.pending());
  instance.finish_publish(0);
  EXPECT_EQ(good.wait().code, TRIGGER_OK);
  const Attempt bad = instance.send({"a", "b"});
  instance.wait_publishes(4);
  instance.finish_publish(2, TRIGGER_E_NOT_CONNECTED, "gone");
  EXPECT_TRUE(bad.pending());
  instance.finish_publish(3);
  EXPECT_EQ(bad.wait().code, TRIGGER_UNAVAILABLE);
  instance.refuse_publishes(TRIGGER_E_INVALID);
  EXPECT_EQ(instance.send({"a", "b"}).wait().code, TRIGGER_REJECT);
}

TEST_F(ExecTest, CountsAndMeasures) {
  python(R"(
say(type="ready")
for message in messages():
    say(type="metric", name="seen_total", kind="counter", help="Seen.", add=2)
    say(type="metric", name="level", kind="gauge", help="Level.", add=-1.5)
    say(type="metric", name="seen_total", kind="counter", add=-1)
    say(type="metric", name="No Name", kind="counter", add=1)
    say(type="metric", name="exec_processes", kind="gauge", add=1)
    verdict(message)
)");
  auto instance = run();
  EXPECT_EQ(instance.send({"a", "b"}).wait().code, TRIGGER_OK);
  EXPECT_EQ(instance.metric("seen_total"), 2);
  EXPECT_EQ(instance.metric("level"), -1.5);
  EXPECT_EQ(instance.metric("exec_processes"), 1);
  EXPECT_TRUE(has_logged(instance, "a counter only goes upwards"));
  EXPECT_TRUE(has_logged(instance, "names that begin with exec_ are the plugin's own"));
  EXPECT_TRUE(has_logged(instance, "No Name"));
}

TEST_F(ExecTest, MovesADeadline) {
  python(R"(
say(type="ready")
for message in messages():
    say(type="extend", token=message["token"], ms=60000)
    verdict(message)
)");
  auto instance = run();
  const Attempt attempt = instance.send({"a", "b"});
  EXPECT_EQ(attempt.wait().code, TRIGGER_OK);
  EXPECT_EQ(attempt.extended_ms(), 60000U);
}

TEST_F(ExecTest, StandardErrorIsTheLog) {
  python(R"(
sys.stderr.write("one\ntwo\r\n\nthree")
sys.stderr.flush()
say(type="ready")
for message in messages():
    sys.stderr.write("!\n" + "y" * 20000 + "\n")
    sys.stderr.flush()
    verdict(message)
)");
  auto instance = run({{"stderr_level", "warn"}});
  EXPECT_EQ(instance.send({"a", "b"}).wait().code, TRIGGER_OK);
  instance.stop();  // then all has been read
  std::vector<std::string> lines;
  for (const auto& line : instance.log_lines()) {
    if (line.level == TRIGGER_LOG_WARN) lines.push_back(line.text);
  }
  ASSERT_EQ(lines.size(), 6U);
  EXPECT_EQ(lines[0], "one");
  EXPECT_EQ(lines[1], "two");
  EXPECT_EQ(lines[2], "three!");
  EXPECT_EQ(lines[3] + lines[4] + lines[5], std::string(20000, 'y'));
}

TEST_F(ExecTest, AFloodOfLinesIsCut) {
  python(R"(
say(type="ready")
for message in messages():
    for i in range(5000): sys.stderr.write("line %d\n" % i)
    sys.stderr.flush()
    verdict(message)
)");
  auto instance = run();
  EXPECT_EQ(instance.send({"a", "b"}).wait().code, TRIGGER_OK);
  instance.stop();
  EXPECT_LT(instance.log_lines().size(), 4000U);
  EXPECT_TRUE(has_logged(instance, "lines of the command were left out"));
}

TEST_F(ExecTest, WhatIsNoLineOfTheProtocolIsLoggedAndChangesNothing) {
  python(R"(
print("hello", flush=True)
say(type="ready")
for message in messages():
    for line in ('{"type":', '[]', '{"type":"verdict"}', '{"type":"dance"}', '{}', '\x01',
                 '{"type":"verdict","token":"99999","verdict":"ok"}',
                 '{"type":"verdict","verdict":"maybe"}',
                 '{"type":"verdict","verdict":"retry","publish":[{"topic":"a"}]}',
                 '{"type":"publish","topic":"a","payload":"b","payload_base64":"Yg=="}',
                 '{"type":"publish","topic":"a","payload_base64":"Y"}',
                 '{"type":"publish","topic":7}', '{"type":"publish","topic":"a","qos":3}',
                 '{"type":"log","level":"loud","text":"x"}', '{"type":"extend","token":"1"}'):
        print(line, flush=True)
    print("")
    verdict(message)
)");
  auto instance = run();
  EXPECT_EQ(instance.send({"a", "b"}).wait().code, TRIGGER_OK);
  for (const char* text :
       {"the command wrote \"hello\", which was ignored: it is not a JSON object",
        "\"{\"type\":\", which was ignored: it is not a JSON object",
        "\"[]\", which was ignored: it is not a JSON object",
        "\"{\"type\":\"verdict\"}\", which was ignored: verdict is missing",
        "which was ignored: type is unknown", "\"{}\", which was ignored: type is missing",
        "\"\\x01\", which was ignored", "it has no such message in hand",
        "verdict is not ok, retry, reject or unavailable", "publish is only possible with ok",
        "there is a payload and a payload_base64", "payload_base64 is not base64",
        "topic is not a string", "qos is not a whole number from 0 to 2",
        "level is not trace, debug, info, warn or error", "ms is missing"}) {
    EXPECT_TRUE(has_logged(instance, text)) << text;
  }
  EXPECT_TRUE(instance.publishes().empty());
}

TEST_F(ExecTest, AWrongVerdictOfAMessageIsARetry) {
  python(R"(
say(type="ready")
for message in messages(): say(type="verdict", token=message["token"], verdict="ok", publish="all")
)");
  auto instance = run();
  const auto answer = instance.send({"a", "b"}).wait();
  EXPECT_EQ(answer.code, TRIGGER_RETRY);
  EXPECT_EQ(answer.reason, "the command's verdict is wrong: publish is not a list");
}

// ---- what ends ----

TEST_F(ExecTest, AStartSaysWhyTheCommandDoesNotRun) {
  const auto why = [this](const std::string& text, Settings more = {}) {
    python(text);
    try {
      run(std::move(more));
    } catch (const std::runtime_error& error) {
      return std::string(error.what());
    }
    return std::string("it runs");
  };
  EXPECT_EQ(why("sys.stderr.write('no config\\n'); sys.exit(3)"),
            "the command does not run: exit code 3; its last line: no config");
  EXPECT_EQ(why("os.kill(os.getpid(), signal.SIGKILL)"),
            "the command does not run: ended by signal 9 (Killed)");
  EXPECT_EQ(why("time.sleep(60)", {{"start_timeout_seconds", 0.2}}),
            "the command does not run: it did not say that it is ready within 200 ms");
}

TEST_F(ExecTest, AProgramThatCannotRunIsNamed) {
  write("broken", "#!/no/such/interpreter\n");
  ::chmod(path("broken").c_str(), 0755);
  try {
    plugin_.run("exec", {{"command.0", path("broken")}});
    FAIL() << "it runs";
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(std::string(error.what()), "the command does not run: cannot run " + path("broken") +
                                             ": No such file or directory");
  }
}

TEST_F(ExecTest, AProcessThatDiesCostsItsMessageAnAttemptAndIsStartedAgain) {
  python(R"(
say(type="ready")
for message in messages():
    if message["payload"] == "die":
        sys.stderr.write("out of paper\n")
        sys.stderr.flush()
        os._exit(7)
    verdict(message)
)");
  auto instance = run();
  EXPECT_EQ(instance.send({"a", "b"}).wait().code, TRIGGER_OK);
  const auto answer = instance.send({"a", "die"}).wait();
  EXPECT_EQ(answer.code, TRIGGER_RETRY);
  EXPECT_EQ(answer.reason,
            "the command ended while it had the message: exit code 7; its last line: out of paper");
  ASSERT_TRUE(come_to_be_ready(instance, 2));
  EXPECT_EQ(instance.send({"a", "b"}).wait().code, TRIGGER_OK);
  EXPECT_EQ(instance.metric("exec_starts_total"), 2);
  EXPECT_EQ(instance.metric("exec_processes"), 1);
}

TEST_F(ExecTest, VerdictsThatWereWrittenBeforeTheEndCount) {
  python(R"(
say(type="ready")
for message in messages():
    verdict(message, "reject", reason="last words")
    os._exit(0)
)");
  auto instance = run();
  for (int i = 1; i < 6; ++i) {
    ASSERT_TRUE(eventually([&] {
      return instance.metric("exec_starts_total") == i && instance.metric("exec_processes") == 1;
    }));
    ASSERT_TRUE(come_to_be_ready(instance, i));
    EXPECT_EQ(instance.send({"a", "b"}).wait().reason, "last words");
  }
}

TEST_F(ExecTest, WhileTheCommandDoesNotRunMessagesWaitAndCostNoAttempt) {
  python(R"(
if os.path.exists("broken"): sys.exit(1)
say(type="ready")
for message in messages(): os._exit(0)
)");
  auto instance = run();
  write("broken", "");
  EXPECT_EQ(instance.send({"a", "b"}).wait().code, TRIGGER_RETRY);
  ASSERT_TRUE(eventually([&] { return has_logged(instance, "exit code 1"); }));
  // The pauses become longer until a message that waits is given back.
  const auto answer = instance.send({"a", "b"}).wait(20s);
  EXPECT_EQ(answer.code, TRIGGER_UNAVAILABLE);
  EXPECT_EQ(answer.reason, "the command does not run: exit code 1");
  EXPECT_GT(answer.retry_after_ms, 0U);
  EXPECT_EQ(instance.probe().code, TRIGGER_E_FAILED);
}

TEST_F(ExecTest, AProcessThatLetsItsDeadlinePassIsStartedAgain) {
  python(R"(
say(type="ready")
for message in messages():
    if message["payload"] == "hang": say(type="extend", token=message["token"], ms=1)
    while message["payload"] == "hang": time.sleep(1)
    verdict(message)
)");
  auto instance = run();
  const auto answer = instance.send({"a", "hang"}).wait();
  EXPECT_EQ(answer.code, TRIGGER_RETRY);
  EXPECT_EQ(answer.reason,
            "the command ended while it had the message: it gave no verdict in time on any message "
            "that it had");
  ASSERT_TRUE(come_to_be_ready(instance, 2));
  EXPECT_EQ(instance.send({"a", "b"}).wait().code, TRIGGER_OK);
}

TEST_F(ExecTest, OneLateMessageOfSeveralIsToldAndLeavesTheOthersAlone) {
  python(R"(
say(type="ready")
late = other = None
for line in lines():
    if line["type"] == "message":
        if line["payload"] == "late": late = line
        else: other = line
        if late and other: say(type="extend", token=late["token"], ms=1)
    if line["type"] == "expired" and line["token"] == late["token"]:
        verdict(other, "reject", reason="told")
        verdict(late)
)");
  auto instance = run({{"processes", 1}}, 2);
  const Attempt first = instance.send({"a", "late"});
  const Attempt second = instance.send({"a", "other"});
  EXPECT_EQ(second.wait().reason, "told");
  first.wait();
  EXPECT_EQ(instance.metric("exec_starts_total"), 1);
}

TEST_F(ExecTest, AStopLetsTheCommandFinish) {
  python(R"(
say(type="ready")
told = False
for line in lines():
    if line["type"] == "message": open("seen", "w").close()
    if line["type"] == "stop": told = True
time.sleep(0.05)
open("ended" if told else "not told", "w").close()
)");
  auto instance = run({{"stop_timeout_seconds", 25}});
  const Attempt attempt = instance.send({"a", "b"});
  ASSERT_TRUE(eventually([&] { return fs::exists(path("seen")); }));
  instance.stop();
  EXPECT_TRUE(fs::exists(path("ended")));
  EXPECT_EQ(instance.metric("exec_processes"), 0);
  instance.start();
  EXPECT_EQ(instance.metric("exec_processes"), 1);
  fs::remove(path("seen"));
  const Attempt again = instance.send({"a", "b"});
  EXPECT_TRUE(eventually([&] { return fs::exists(path("seen")); }));
  EXPECT_TRUE(again.pending());
}

TEST_F(ExecTest, ACommandThatIgnoresAStopIsKilledWithAllThatItStarted) {
  python(R"(
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child == 0:
    while True: time.sleep(1)
open("child", "w").write(str(child))
say(type="ready")
while True: time.sleep(1)
)");
  auto instance = run({{"stop_timeout_seconds", 0.1}});
  const pid_t child = std::stoi(contents(path("child")));
  EXPECT_EQ(::kill(child, 0), 0);
  instance.stop();
  // Whoever adopts it reaps it in time of its own.
  EXPECT_TRUE(eventually([&] {
    const std::string state = contents("/proc/" + std::to_string(child) + "/stat");
    return state.empty() || state.find(") Z ") != std::string::npos;
  }));
}

TEST_F(ExecTest, AProcessGetsNothingOfTheRuntimeThatItIsNotMeantToHave) {
  ::setenv("EXEC_TEST_SECRET", "x", 1);  // NOLINT(concurrency-mt-unsafe)
  ::setenv("EXEC_TEST_SHARED", "y", 1);  // NOLINT(concurrency-mt-unsafe)
  const int leaked = ::dup(1);           // without O_CLOEXEC
  python(R"(
say(type="ready")
for message in messages():
    listing = os.listdir("/proc/self/fd")
    more = [name for name in ("EXEC_TEST_SECRET", "EXEC_TEST_SHARED", "OWN") if name in os.environ]
    blocked = [line.split()[1] for line in open("/proc/self/status") if line[:7] == "SigBlk:"][0]
    verdict(message, "reject", reason="%d %s %s %s %s" % (
        len(listing), more, os.environ["OWN"], os.getcwd(), int(blocked, 16)))
)");
  auto instance = run({{"environment.OWN", "a b"}, {"inherit_environment.0", "EXEC_TEST_SHARED"}});
  // Three of its own, and the one that lists them.
  EXPECT_EQ(instance.send({"a", "b"}).wait().reason,
            "4 ['EXEC_TEST_SHARED', 'OWN'] a b " + fs::canonical(folder_).string() + " 0");
  ::close(leaked);
}

TEST_F(ExecTest, AStartThatFailsDoesNotWaitForTheOtherProcesses) {
  python(R"(
if start["process"] == 0: sys.exit("no table")
signal.signal(signal.SIGTERM, signal.SIG_IGN)
while True: time.sleep(1)
)");
  const auto began = std::chrono::steady_clock::now();
  EXPECT_THROW(run({{"start_timeout_seconds", 25}, {"stop_timeout_seconds", 25}}, 4),
               std::runtime_error);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 24s);
}

TEST_F(ExecTest, ARestartThatHangsCostsNoAttempt) {
  python(R"(
if os.path.exists("hang"): time.sleep(1000)
say(type="ready")
for message in messages(): os._exit(0)
)");
  auto instance = run({{"start_timeout_seconds", 25}});
  write("hang", "");
  EXPECT_EQ(instance.send({"a", "b"}).wait().code, TRIGGER_RETRY);
  const auto answer = instance.send({"a", "b"}).wait();
  EXPECT_EQ(answer.code, TRIGGER_UNAVAILABLE);
  EXPECT_EQ(answer.reason, "the command does not run: exit code 0");
  Message brief{"a", "b"};
  brief.timeout = 300ms;
  EXPECT_EQ(instance.send(brief).wait().code, TRIGGER_UNAVAILABLE);
}

TEST_F(ExecTest, ACommandThatClosesItsOutputOrInputIsStartedAgain) {
  for (const char* which : {"output", "input"}) {
    SCOPED_TRACE(which);
    python(std::string(R"(
say(type="ready")
for message in messages():
    if message["attempt"] == 1:
        os.close()") +
           (std::string(which) == "output" ? "1" : "0") +
           R"()
        while True: time.sleep(1)
    verdict(message)
)");
    auto instance = run({{"processes", 1}}, 2);
    const Attempt first = instance.send({"a", "b"});
    // Whether this one is written before the end of the pipe is seen decides who answers it.
    Message second{"a", std::string(1 << 20, 'x')};
    second.attempt = 2;
    const Attempt other = instance.send(second);
    const auto answer = first.wait();
    EXPECT_EQ(answer.code, TRIGGER_RETRY);
    EXPECT_NE(answer.reason.find("it has closed its standard " + std::string(which)),
              std::string::npos)
        << answer.reason;
    other.wait();
    ASSERT_TRUE(come_to_be_ready(instance, 2));
    Message again{"a", "b"};
    again.attempt = 2;
    EXPECT_EQ(instance.send(again).wait().code, TRIGGER_OK);
  }
}

TEST_F(ExecTest, ALateVerdictPublishesNothing) {
  python(R"(
say(type="ready")
late = None
for line in lines():
    if line["type"] == "message" and line["payload"] == "late":
        late = line
        say(type="extend", token=late["token"], ms=1)
    elif line["type"] == "message": other = line
    if line["type"] == "expired":
        verdict(late, publish=[{"topic": "out"}])
        verdict(other)
)");
  auto instance = run({{"processes", 1}}, 2);
  const Attempt other = instance.send({"a", "other"});
  const Attempt late = instance.send({"a", "late"});
  EXPECT_EQ(other.wait().code, TRIGGER_OK);
  late.wait();
  EXPECT_TRUE(instance.publishes().empty());
}

TEST_F(ExecTest, ALineThatWouldCostTooMuchMemoryIsIgnored) {
  python(R"(
say(type="ready")
for message in messages():
    for line in ("[" * 2000000, "[" + "0," * 2000000 + "0]", '{"a":"' + ",[{" * 2000000 + '"}'):
        sys.stdout.write(line + "\n")
    sys.stdout.flush()
    verdict(message)
)");
  auto instance = run();
  EXPECT_EQ(instance.send({"a", "b"}).wait().code, TRIGGER_OK);
  for (const char* text :
       {"it is nested too deeply", "it has more than a million values", "type is missing"}) {
    EXPECT_TRUE(has_logged(instance, text)) << text;
  }
}

TEST_F(ExecTest, ARelativeFolderIsWhereTheCommandIsFound) {
  write("service.sh", R"(#!/bin/sh
echo '{"type":"ready"}'
while read -r line; do echo '{"type":"verdict","verdict":"ok"}'; done
)");
  ::chmod(path("service.sh").c_str(), 0755);
  const fs::path before = fs::current_path();
  fs::current_path(folder_.parent_path());
  const Settings settings{{"command.0", "./service.sh"},
                          {"working_dir", folder_.filename().string()}};
  auto instance = plugin_.create("exec", settings);
  fs::current_path(before);  // as another plugin may do
  instance.start();
  EXPECT_EQ(instance.send({"a", "b"}).wait().code, TRIGGER_OK);
}

TEST_F(ExecTest, ManyProcessesStartAndEnd) {
  write("service.sh", R"(
echo '{"type":"ready"}'
while read -r line; do echo '{"type":"verdict","verdict":"ok"}'; done
)");
  Options options;
  options.concurrency = 64;
  auto instance =
      plugin_.run("exec", {{"command.0", "sh"}, {"command.1", path("service.sh")}}, options);
  ASSERT_TRUE(eventually([&] { return instance.metric("exec_processes") == 64; }));
  std::vector<Attempt> attempts;
  for (int i = 0; i < 500; ++i) attempts.push_back(instance.send({"a", "b"}));
  for (const Attempt& attempt : attempts) EXPECT_EQ(attempt.wait(30s).code, TRIGGER_OK);
  instance.stop();
  EXPECT_EQ(instance.metric("exec_processes"), 0);
}

// ---- hot reload ----

TEST_F(ExecTest, AStopDuringAReloadEndsBothBuilds) {
  python("say(type='ready')\nfor message in messages(): verdict(message)\n");
  auto instance = run({}, 2);
  ASSERT_TRUE(come_to_be_ready(instance, 2));
  python("time.sleep(1000)\n");
  ASSERT_TRUE(eventually([&] { return instance.metric("exec_processes") == 4; }));
  instance.stop();
  EXPECT_EQ(instance.metric("exec_processes"), 0);
  EXPECT_EQ(instance.metric("exec_reloads_total"), 0);
}

TEST_F(ExecTest, AProcessThatIsAboutToTakeOverHearsOfItsPublishes) {
  python("say(type='ready')\nfor message in messages(): verdict(message)\n");
  auto instance = run({}, 2);
  ASSERT_TRUE(come_to_be_ready(instance, 2));
  python(R"(
say(type="ready")
say(type="publish", id="p", topic="hello")
for line in lines():
    if line["type"] == "published": open("heard", "w").close()
    if line["type"] == "message": verdict(line)
)");
  instance.wait_publishes(1, 20s);
  instance.finish_publish(0);
  EXPECT_TRUE(eventually([&] { return fs::exists(path("heard")); }));
}

TEST_F(ExecTest, AChangedFileTakesOverAndLosesNoMessage) {
  const auto version = [](const std::string& number) {
    return "say(type='ready')\nfor message in messages():\n"
           "    while message['payload'] == 'wait' and not os.path.exists('go'): time.sleep(0.01)\n"
           "    verdict(message, 'reject', reason='version " +
           number + "')\n";
  };
  python(version("1"));
  auto instance = run({}, 2);
  ASSERT_TRUE(come_to_be_ready(instance, 2));
  const Attempt held = instance.send({"a", "wait"});
  EXPECT_EQ(instance.send({"a", "b"}).wait().reason, "version 1");
  python(version("2"));
  ASSERT_TRUE(eventually([&] { return instance.metric("exec_reloads_total") == 1; }));
  EXPECT_EQ(instance.send({"a", "b"}).wait().reason, "version 2");
  EXPECT_TRUE(held.pending());
  write("go", "");
  EXPECT_EQ(held.wait().reason, "version 1");
  EXPECT_TRUE(eventually([&] { return instance.metric("exec_processes") == 2; }));
}

TEST_F(ExecTest, AChangedFileThatDoesNotRunStaysOutOfService) {
  python("say(type='ready')\nfor message in messages(): verdict(message, 'reject', reason='1')\n");
  auto instance = run();
  EXPECT_EQ(instance.send({"a", "b"}).wait().reason, "1");
  python("this is no python\n");
  ASSERT_TRUE(eventually([&] { return has_logged(instance, "the changed command is not taken"); }));
  EXPECT_TRUE(has_logged(instance, "SyntaxError"));
  EXPECT_EQ(instance.send({"a", "b"}).wait().reason, "1");
  python("say(type='ready')\nfor message in messages(): verdict(message, 'reject', reason='3')\n");
  ASSERT_TRUE(eventually([&] { return instance.metric("exec_reloads_total") == 1; }));
  EXPECT_EQ(instance.send({"a", "b"}).wait().reason, "3");
}

TEST_F(ExecTest, OtherFilesAreWatchedIfTheyAreNamed) {
  write("table.txt", "1");
  python(R"(
table = open("table.txt").read()
say(type="ready")
for message in messages(): verdict(message, "reject", reason=table)
)");
  auto instance = run({{"watch.0", "table.txt"}});
  EXPECT_EQ(instance.send({"a", "b"}).wait().reason, "1");
  write("table.txt", "22");
  ASSERT_TRUE(eventually([&] { return instance.metric("exec_reloads_total") == 1; }));
  EXPECT_EQ(instance.send({"a", "b"}).wait().reason, "22");
}

TEST_F(ExecTest, ManyMessagesThroughSeveralProcesses) {
  python("say(type='ready')\nfor message in messages(): verdict(message)\n");
  auto instance = run({}, 4);
  std::vector<Attempt> attempts;
  for (int i = 0; i < 2000; ++i) attempts.push_back(instance.send({"a", std::to_string(i)}));
  for (const Attempt& attempt : attempts) EXPECT_EQ(attempt.wait(30s).code, TRIGGER_OK);
  EXPECT_TRUE(instance.violations().empty());
}

}  // namespace
