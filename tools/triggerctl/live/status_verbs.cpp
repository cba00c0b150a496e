#include <fmt/format.h>
#include <unistd.h>

#include <deque>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "base/mutex.hpp"
#include "base/units.hpp"
#include "client/api.hpp"
#include "live/event_view.hpp"
#include "live/live_verbs.hpp"
#include "live/screen.hpp"
#include "live/status_view.hpp"

namespace triggerctl {
namespace {

using triggerd::Millis;

constexpr std::size_t kEventsShown = 6;
constexpr Millis kShortestInterval{100};

struct StatusOptions {
  bool watch = false;
  bool health = false;
  std::string interval = "1s";
  std::uint64_t count = 0;
};

// Recent events other than messages, read on a thread of its own.
class Lately {
 public:
  explicit Lately(const Api& api)
      : thread_([this, &api](const std::stop_token& stop) { read(api, stop); }) {}

  std::string text() {
    const triggerd::MutexLock lock(mutex_);
    std::string text;
    for (const std::string& line : lines_) text += line + '\n';
    return text;
  }

 private:
  void read(const Api& api, const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      // Ends when triggerd ends, and is tried again until it is back.
      static_cast<void>(api.events(
          "/events?kind=dead_letter,trigger,alias,connection,plugin,package,runtime,inbox",
          [this](const Json& event) {
            const triggerd::MutexLock lock(mutex_);
            lines_.push_back(event_line(event));
            if (lines_.size() > kEventsShown) lines_.pop_front();
            return true;
          },
          stop));
      for (int i = 0; i < 10 && !stop.stop_requested(); ++i) {
        std::this_thread::sleep_for(Millis(100));
      }
    }
  }

  triggerd::Mutex mutex_;
  std::deque<std::string> lines_ TRIGGERD_GUARDED_BY(mutex_);
  std::jthread thread_;
};

// Runs until q or a signal. While triggerd cannot be reached, the last status stays on the screen.
int watch_on_screen(const Api& api, Millis interval) {
  std::optional<Screen> screen(std::in_place);
  Lately lately(api);
  Rates rates;
  std::string body = "asking triggerd ...\n";
  std::string trouble;
  auto next = std::chrono::steady_clock::now();
  for (;;) {
    const auto now = std::chrono::steady_clock::now();
    if (now >= next) {
      next = now + interval;
      if (const auto status = api.get("/status")) {
        rates.add(*status);
        body = status_text(*status, &rates);
        trouble.clear();
      } else {
        trouble = coloured(Colour::red, "no answer, trying again") + ": " +
                  safe(status.error().message) + '\n';
      }
    }
    screen->draw(trouble + body, lately.text() + coloured(Colour::dim, "q quits"));
    const auto left = std::chrono::duration_cast<Millis>(next - std::chrono::steady_clock::now());
    char key = 0;
    const auto happened = screen->wait(std::max(left, Millis(10)), key);
    const bool ended = happened == Screen::Happened::key && (key == 'q' || key == 'Q' || key == 4);
    if (!ended && happened != Screen::Happened::end) continue;
    screen.reset();  // before the other thread, which may take a second to end
    return kDone;
  }
}

// One status after another, for a file or a program.
int watch_as_lines(const Api& api, Millis interval, std::uint64_t count) {
  Rates rates;
  for (std::uint64_t seen = 0;;) {
    const auto status = api.get("/status");
    if (!status) {
      if (const int code = fail_with(status.error()); code != kUnreachable) return code;
    } else if (json_wanted()) {
      print_json_line(*status);
    } else {
      rates.add(*status);
      fmt::print("{}{}", seen > 0 ? "\n" : "", status_text(*status, &rates));
      std::fflush(stdout);
    }
    if (++seen == count) return status ? kDone : kUnreachable;
    std::this_thread::sleep_for(interval);
  }
}

Result<int> show_health(const Api& api) {
  const auto health = api.health();
  if (!health) return tl::make_unexpected(health.error());
  const std::string status = text_of(*health, "status", "?");
  if (json_wanted()) {
    print_json(*health);
  } else {
    fmt::print("{}\n", safe(status));
    for (const Json& reason : list_of(*health, "reasons")) {
      if (reason.is_string()) fmt::print("  {}\n", safe(reason.get<std::string>()));
    }
  }
  return status == "ok" ? kDone : kFailed;
}

Result<int> show_status(const Api& api, const StatusOptions& options) {
  if (options.health) return show_health(api);
  if (options.watch) {
    const auto interval = triggerd::parse_duration(options.interval);
    if (!interval || *interval < kShortestInterval) {
      return tl::make_unexpected(triggerd::Error{
          fmt::format("--interval {}: write a duration of 100ms or more, such as 2s",
                      options.interval),
          kUsage});
    }
    const bool screen = ::isatty(STDOUT_FILENO) == 1 && !json_wanted() && options.count == 0;
    return screen ? watch_on_screen(api, *interval) : watch_as_lines(api, *interval, options.count);
  }
  const auto status = api.get("/status");
  if (!status) return tl::make_unexpected(status.error());
  if (json_wanted()) {
    print_json(*status);
  } else {
    fmt::print("{}", status_text(*status));
  }
  return kDone;
}

}  // namespace

void add_status_verbs(CommandLine& line) {
  const auto options = std::make_shared<StatusOptions>();
  Command verb =
      line.live_verb(line.root(), "status",
                     "what is connected and running, and what is not and why, on one screen",
                     [options](const Api& api) { return show_status(api, *options); });
  verb.flag("--watch", options->watch, "keep updating, with rates and events, until q or Ctrl-C");
  verb.flag(
      "--health", options->health,
      "only whether the process is healthy, as /healthz says: exit code 0, or 1 with the reasons");
  verb.option("--interval", options->interval, "how often, with --watch").show_default();
  verb.option("--count", options->count, "stop after this many, with --watch");
}

}  // namespace triggerctl
