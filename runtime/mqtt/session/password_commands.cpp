#include "mqtt/session/password_commands.hpp"

#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>
#include <utility>

#include "base/file.hpp"
#include "base/mutex.hpp"
#include "base/program.hpp"

namespace triggerd::mqtt {
namespace {

constexpr std::size_t kMaxPrinted = 128U << 10;
constexpr std::size_t kMaxPassword = 65'535;  // MQTT 3.1.1, section 1.5.3
constexpr std::size_t kMaxThreads = 4;
// A password is renewed that much before its end, so that it does not end on its way.
constexpr Millis kMargin{30'000};

class SystemPasswordCommands final : public PasswordCommands {
 public:
  explicit SystemPasswordCommands(const Clock& clock)
      : clock_(clock), give_up_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

  ~SystemPasswordCommands() override {
    std::map<Words, Entry> left;
    {
      const MutexLock lock(mutex_);
      ending_ = true;
      const std::uint64_t one = 1;
      (void)::write(give_up_.get(), &one, sizeof one);
      changed_.notify_all();
    }
    for (std::thread& thread : threads_) thread.join();
    {
      const MutexLock lock(mutex_);
      left.swap(entries_);
    }
    for (auto& [words, entry] : left) answer(entry.waiting, fail("given up"));
  }

  void get(const Words& words, Millis timeout, Done done) override {
    std::optional<config::Secret> known;
    {
      const MutexLock lock(mutex_);
      Entry& entry = entries_[words];
      if (entry.password && clock_.now() < entry.renew_at) {
        known = entry.password;
      } else {
        entry.waiting.push_back(std::move(done));
        if (entry.waiting.size() > 1) return;  // a run is under way, or waits for its turn
        entry.timeout = timeout;
        queue_.push_back(words);
        if (queue_.size() > idle_ && threads_.size() < kMaxThreads) start_thread();
        changed_.notify_one();
        return;
      }
    }
    done(*std::move(known));
  }

  void refused(const Words& words, const config::Secret& password) override {
    const MutexLock lock(mutex_);
    const auto found = entries_.find(words);
    if (found == entries_.end() || !found->second.password) return;
    if (found->second.password->reveal() == password.reveal()) found->second.password.reset();
  }

 private:
  struct Entry {
    std::optional<config::Secret> password;
    Monotonic renew_at{};
    Millis timeout{0};          // of the run that is queued or under way
    std::vector<Done> waiting;  // for it
  };

  static void answer(const std::vector<Done>& waiting, const Result<config::Secret>& result) {
    for (const Done& done : waiting) done(result);
  }

  void start_thread() TRIGGERD_REQUIRES(mutex_) {
    threads_.emplace_back([this] {
      pthread_setname_np(pthread_self(), "password");
      while (run_next()) {
      }
    });
  }

  // False: it is to end.
  bool run_next() {
    Words words;
    Millis timeout{0};
    {
      MutexLock lock(mutex_);
      ++idle_;
      while (!ending_ && queue_.empty()) changed_.wait(mutex_);
      --idle_;
      if (ending_) return false;
      words = std::move(queue_.front());
      queue_.pop_front();
      timeout = entries_[words].timeout;
    }
    Result<PrintedPassword> printed = print(words, timeout);
    std::vector<Done> waiting;
    Result<config::Secret> result;
    {
      const MutexLock lock(mutex_);
      Entry& entry = entries_[words];
      if (printed) {
        entry.password = printed->password;
        entry.renew_at = printed->good_for == Millis::max() ? Monotonic::max()
                                                            : clock_.now() + printed->good_for;
        result = printed->password;
      } else {
        entry.password.reset();
        result = tl::make_unexpected(printed.error());
      }
      waiting.swap(entry.waiting);
    }
    answer(waiting, result);
    return true;
  }

  Result<PrintedPassword> print(const Words& words, Millis timeout) const {
    auto printed = run_program({.command = words,
                                .timeout = timeout,
                                .max_output = kMaxPrinted,
                                .give_up_fd = give_up_.get()},
                               clock_);
    if (!printed) return tl::make_unexpected(printed.error());
    return read_printed_password(*std::move(printed));
  }

  const Clock& clock_;
  const UniqueFd give_up_;
  Mutex mutex_;
  CondVar changed_;
  std::map<Words, Entry> entries_ TRIGGERD_GUARDED_BY(mutex_);
  std::deque<Words> queue_ TRIGGERD_GUARDED_BY(mutex_);
  std::size_t idle_ TRIGGERD_GUARDED_BY(mutex_) = 0;
  bool ending_ TRIGGERD_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;  // added to under mutex_, until the end
};

Result<PrintedPassword> read_object(const std::string& printed) {
  const auto object = nlohmann::json::parse(printed, nullptr, false);
  if (!object.is_object()) return fail("its output begins with {{ and is not a JSON object");
  const auto password = object.find("password");
  if (password == object.end() || !password->is_string()) {
    return fail("it has printed JSON without a \"password\" that is a string");
  }
  PrintedPassword found{.password = config::Secret(password->get<std::string>())};
  const auto expires = object.find("expires_in");
  if (expires == object.end() || expires->is_null()) return found;
  // A year and more is for ever.
  constexpr double kLongest = 366.0 * 86'400;
  const double seconds = expires->is_number() ? expires->get<double>() : 0;
  if (!(seconds > 0)) {
    return fail("it has printed an \"expires_in\" that is no number of seconds above 0");
  }
  if (seconds > kLongest) return found;
  const Millis good_for(static_cast<std::int64_t>(seconds * 1000));
  found.good_for = good_for - std::min(kMargin, good_for / 10);
  return found;
}

}  // namespace

std::unique_ptr<PasswordCommands> make_password_commands(const Clock& clock) {
  return std::make_unique<SystemPasswordCommands>(clock);
}

Result<PrintedPassword> read_printed_password(std::string printed) {
  if (printed.ends_with('\n')) printed.pop_back();
  if (printed.ends_with('\r')) printed.pop_back();
  Result<PrintedPassword> found = printed.starts_with('{')
                                      ? read_object(printed)
                                      : PrintedPassword{.password = config::Secret(printed)};
  if (!found) return found;
  if (found->password.reveal().empty()) return fail("it has printed no password");
  if (found->password.reveal().size() > kMaxPassword) {
    return fail("it has printed a password of more than {} bytes", kMaxPassword);
  }
  return found;
}

}  // namespace triggerd::mqtt
