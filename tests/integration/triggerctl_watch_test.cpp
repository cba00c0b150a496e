// `status --watch` on a terminal: it takes the screen, draws again, says when triggerd is gone, and
// gives the screen back.
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>

#include "base/file.hpp"
#include "support/fake_admin.hpp"
#include "support/temp_dir.hpp"

namespace triggerd::test {
namespace {

// triggerctl with a terminal of 24 lines and 100 columns. [the test's thread]
class OnTerminal {
 public:
  explicit OnTerminal(const std::string& socket) {
    const winsize size{24, 100, 0, 0};
    int terminal = -1;
    pid_ = ::forkpty(&terminal, nullptr, nullptr, &size);
    if (pid_ == 0) {
      ::execl(TRIGGERCTL_BINARY, "triggerctl", "--socket", socket.c_str(), "status", "--watch",
              "--interval", "100ms", nullptr);
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

}  // namespace
}  // namespace triggerd::test
