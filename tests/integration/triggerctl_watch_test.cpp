// On a terminal: `status --watch` takes the screen, draws again, scrolls, says when triggerd is
// gone, and gives the screen back; and what cannot be undone is asked for.
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "support/fake_admin.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::test {
namespace {

// triggerctl with a terminal of 24 lines. [the test's thread]
class OnTerminal {
 public:
  explicit OnTerminal(const std::string& socket,
                      std::vector<std::string> arguments = {"status", "--watch", "--interval",
                                                            "100ms"},
                      unsigned short columns = 100) {
    const winsize size{24, columns, 0, 0};
    std::vector<std::string> all{"triggerctl", "--socket", socket};
    all.insert(all.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& argument : all) argv.push_back(argument.data());
    argv.push_back(nullptr);
    int terminal = -1;
    pid_ = ::forkpty(&terminal, nullptr, nullptr, &size);
    if (pid_ == 0) {
      ::execv(TRIGGERCTL_BINARY, argv.data());
      ::_exit(127);
    }
    terminal_ = UniqueFd(terminal);
  }
  ~OnTerminal() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }
  OnTerminal(const OnTerminal&) = delete;
  OnTerminal& operator=(const OnTerminal&) = delete;

  // Waits until `text` has come since the last that was waited for.
  bool shows(const std::string& text) {
    const Monotonic deadline = std::chrono::steady_clock::now() + kPatience;
    for (;;) {
      if (const auto at = seen_.find(text); at != std::string::npos) {
        seen_.erase(0, at + text.size());
        return true;
      }
      if (std::chrono::steady_clock::now() > deadline || !read_more()) return false;
    }
  }
  void type(const std::string& keys) {
    ASSERT_EQ(::write(terminal_.get(), keys.data(), keys.size()),
              static_cast<ssize_t>(keys.size()));
  }
  std::optional<int> end() {
    while (read_more()) {
    }
    int status = 0;
    if (::waitpid(pid_, &status, 0) != pid_) return std::nullopt;
    pid_ = -1;
    return WIFEXITED(status) ? std::optional(WEXITSTATUS(status)) : std::nullopt;
  }
  const std::string& seen() const { return seen_; }

 private:
  bool read_more() {
    pollfd watched{terminal_.get(), POLLIN, 0};
    if (::poll(&watched, 1, static_cast<int>(kPatience.count())) <= 0) return false;
    char buffer[4096];
    const ssize_t length = ::read(terminal_.get(), buffer, sizeof buffer);
    if (length <= 0) return false;
    seen_.append(buffer, static_cast<std::size_t>(length));
    return true;
  }

  pid_t pid_ = -1;
  UniqueFd terminal_;
  std::string seen_;
};

constexpr const char* kAnswers = R"({"GET /api/v1/status": {"body": {
    "name": "edge-1", "version": "0.1.0", "pid": 1, "started": "2026-11-25T02:22:37.123Z",
    "uptime_seconds": 5.0, "healthy": true, "ready": true,
    "triggers": [{"name": "see-all", "state": "running", "received": 7}]}},
  "GET /api/v1/events": {"events": [{"kind": "plugin", "at": "2026-11-25T03:00:00.001Z",
    "plugin": "log", "text": "reloaded"}]}})";

TEST(TriggerctlWatchTest, ItDrawsAgainSurvivesTriggerdAndGivesTheScreenBack) {
  const TempDir dir;
  FakeAdmin admin(dir / "admin.sock");
  admin.answer_as(kAnswers);
  OnTerminal watch((dir / "admin.sock").string());
  EXPECT_TRUE(watch.shows("\x1b[?1049h"));
  EXPECT_TRUE(watch.shows("see-all"));
  EXPECT_TRUE(watch.shows("plugin log: reloaded"));
  EXPECT_TRUE(watch.shows("see-all"));
  admin.server().stop();
  EXPECT_TRUE(watch.shows("no answer, trying again"));
  EXPECT_TRUE(watch.shows("see-all")) << "what was seen last stays";
  admin.server().start();
  EXPECT_TRUE(watch.shows("\x1b[Hedge-1")) << "without the line of trouble";
  watch.type("q");
  EXPECT_EQ(watch.end(), 0);
  EXPECT_NE(watch.seen().find("\x1b[?1049l"), std::string::npos);
}

TEST(TriggerctlWatchTest, CtrlCEndsItInGoodOrder) {
  const TempDir dir;
  FakeAdmin admin(dir / "admin.sock");
  admin.answer_as(kAnswers);
  OnTerminal watch((dir / "admin.sock").string());
  EXPECT_TRUE(watch.shows("see-all"));
  watch.type("\x03");
  EXPECT_EQ(watch.end(), 0);
  EXPECT_NE(watch.seen().find("\x1b[?1049l"), std::string::npos);
}

// Five aliases whose servers are away, each with two triggers: more than a screen has lines.
std::string away() {
  std::string reasons;
  std::string aliases;
  std::string triggers;
  for (int i = 0; i < 5; ++i) {
    const std::string cause = "cannot connect to tcp://s" + std::to_string(i) + ": refused";
    const std::string name = "a" + std::to_string(i);
    const std::string comma = i > 0 ? "," : "";
    reasons += comma + R"("alias \")" + name + R"(\" is not connected: )" + cause + '"';
    aliases += comma + R"({"name":")" + name + R"(","state":"waiting","reason":")" + cause +
               R"(","connections":[)";
    for (int k = 0; k < 2; ++k) {
      const std::string trigger = "t" + std::to_string(i) + std::to_string(k);
      reasons += R"(,"trigger \")" + trigger + R"(\" is not running: )" + cause + '"';
      aliases += std::string(k > 0 ? "," : "") + R"({"trigger":")" + trigger +
                 R"(","state":"waiting","reason":")" + cause + R"("})";
      triggers += comma + (i == 0 && k > 0 ? "," : "") + R"({"name":")" + trigger +
                  R"(","state":"waiting","reason":")" + cause + R"("})";
    }
    aliases += "]}";
  }
  return R"({"GET /api/v1/status": {"body": {"name": "edge-1", "version": "0.1.0", "pid": 1,
    "started": "2026-11-25T02:22:37.123Z", "uptime_seconds": 5.0, "healthy": true, "ready": false,
    "not_ready": [)" +
         reasons + R"(], "aliases": [)" + aliases + R"(], "triggers": [)" + triggers + "]}}}";
}

std::size_t count_of(const std::string& text, const std::string& part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) {
    ++count;
  }
  return count;
}

TEST(TriggerctlWatchTest, OneCauseIsSaidOnceAndTheTriggersAreReachedByScrolling) {
  const TempDir dir;
  FakeAdmin admin(dir / "admin.sock");
  admin.answer_as(away());
  OnTerminal once((dir / "admin.sock").string(), {"status"}, 80);
  EXPECT_EQ(once.end(), 0);
  for (int i = 0; i < 5; ++i) {
    const std::string cause = "cannot connect to tcp://s" + std::to_string(i) + ": refused";
    EXPECT_EQ(count_of(once.seen(), cause), 1U) << once.seen();
    EXPECT_NE(once.seen().find(cause + ": alias a" + std::to_string(i) + ", trigger t"),
              std::string::npos)
        << once.seen();
  }
  OnTerminal watch((dir / "admin.sock").string(), {"status", "--watch", "--interval", "100ms"}, 80);
  EXPECT_TRUE(watch.shows("TRIGGER")) << "on the first screen";
  EXPECT_TRUE(watch.shows("lines 1 to "));
  watch.type("\x1b[F");
  EXPECT_TRUE(watch.shows("t41")) << "the last trigger";
  watch.type("\x1b[A\x1b[5~\x1b[5~");
  EXPECT_TRUE(watch.shows("lines 1 to "));
  watch.type("\x1b[B");
  EXPECT_TRUE(watch.shows("lines 2 to "));
  watch.type("q");
  EXPECT_EQ(watch.end(), 0);
}

class DropOnTerminal : public testing::Test {
 protected:
  DropOnTerminal() {
    admin_.answer_as(
        R"({"GET /api/v1/dead-letters": {"body": {"items": [], "total": 41}},
            "POST /api/v1/dead-letters/drop": {"body": {"done": 41, "failed": 0, "remaining": 0}}})");
  }
  bool dropped() const {
    for (const std::string& request : admin_.requests()) {
      if (request.starts_with("POST /api/v1/dead-letters/drop")) return true;
    }
    return false;
  }
  std::string socket() const { return (dir_ / "admin.sock").string(); }

  TempDir dir_;
  FakeAdmin admin_{dir_ / "admin.sock"};
};

TEST_F(DropOnTerminal, AllAreDroppedWhenThatIsMeant) {
  OnTerminal drop(socket(), {"dead-letters", "drop", "--all"});
  EXPECT_TRUE(drop.shows("drop 41 dead letters permanently? [y/N] "));
  EXPECT_FALSE(dropped());
  drop.type("y\n");
  EXPECT_EQ(drop.end(), 0);
  EXPECT_TRUE(dropped());
}

TEST_F(DropOnTerminal, NoneIsDroppedWithoutAYes) {
  for (const char* answer : {"\n", "n\n", "what\n", "\x04"}) {
    OnTerminal drop(socket(), {"dead-letters", "drop", "--trigger", "t"});
    EXPECT_TRUE(drop.shows("permanently? [y/N] "));
    drop.type(answer);
    EXPECT_EQ(drop.end(), 1);
  }
  EXPECT_FALSE(dropped());
}

TEST_F(DropOnTerminal, NobodyIsAskedWhoSaidYes) {
  OnTerminal drop(socket(), {"dead-letters", "drop", "--all", "--yes"});
  EXPECT_EQ(drop.end(), 0);
  EXPECT_TRUE(dropped());
}

}  // namespace
}  // namespace triggerd::test
