// @NAME@: adds up the numbers that arrive, and publishes the sum after every few of them. Short,
// and shows everything that a service may have; take out what you do not need.
//
// A message comes again after every verdict but ok and reject. So the service counts a number only
// when nothing can fail any more: one whose sum has to be published counts once the server has it.
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <trigger/plugin.hpp>

namespace {

// What the extension "sum.total/1" points to, for whoever knows its id.
struct Total {
  std::uint32_t struct_size = sizeof(Total);
  std::uint32_t reserved = 0;
  std::atomic<std::int64_t> total{0};  // written by other threads
};

constexpr long kLargest = 999'999'999'999;  // number accepted; sums of such numbers do not overflow

class Sum {
 public:
  static constexpr std::uint32_t state_version = 1;  // of what save() returns

  // Reads and checks the settings: no threads, no network. What it throws is the error that the
  // runtime reports.
  explicit Sum(const trigger::Context& context)
      : context_(context),
        topic_(context.settings().text("topic")),
        every_(context.settings().integer("every", 10)),
        quiet_(context.settings().integer("quiet_seconds", 60)),
        numbers_total_(context.counter("numbers_total", "Numbers that were added")),
        last_number_(context.monotonic()) {
    context.settings().require_known({"topic", "every", "quiet_seconds"});
    if (every_ < 1) throw trigger::SettingError("every", "must be 1 or more");
  }

  trigger::Verdict handle(const trigger::Message& message) {
    const std::lock_guard lock(mutex_);
    return take(message);
  }

  // Optional: several messages at once, if one transaction is cheaper than many. Each has its own
  // verdict; one without an answer comes again. A message that is alone goes to handle().
  void handle_batch(trigger::Batch& batch) {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < batch.size(); ++i) batch.answer(i, take(batch[i]));
  }

  // Optional: checks whether what the service depends on is available. Tests can move Context's
  // clock.
  void probe() {
    const std::lock_guard lock(mutex_);
    if (context_.monotonic() - last_number_ > quiet_) {
      throw std::runtime_error("no number has come for a while");
    }
  }

  // Optional: the state that a successor takes over, after a hot reload.
  std::string save() { return std::to_string(unpublished_) + " " + std::to_string(sum_); }
  void restore(std::uint32_t version, std::string_view state) {
    const std::size_t space = state.find(' ');
    const std::optional<long> unpublished = parse(state.substr(0, space));
    const std::optional<long> sum = parse(state.substr(space + 1));
    if (version != state_version || space == state.npos || !unpublished || !sum) {
      throw std::runtime_error("the state is not from this service");
    }
    unpublished_ = *unpublished;
    sum_ = *sum;
    shown_.total = sum_;
  }

  // Optional: the service's own extension.
  const void* extension(const char* id) const {
    return std::string_view(id) == "sum.total/1" ? &shown_ : nullptr;
  }

 private:
  static std::optional<long> parse(std::string_view text) {
    long number = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc() || stopped != end) return std::nullopt;
    return number;
  }

  // mutex_ is held.
  trigger::Verdict take(const trigger::Message& message) {
    const std::optional<long> number = parse(message.payload());
    if (!number || *number < -kLargest || *number > kLargest) {
      // It will not be one the next time either.
      return trigger::Verdict::reject("the payload must be a whole number of at most 12 digits");
    }
    const std::string id(message.id());  // the same when the message comes again
    waiting_.erase(id);                  // an attempt that ran out of time: this one replaces it
    const auto waiting = static_cast<std::int64_t>(waiting_.size());
    if (unpublished_ + waiting + 1 >= every_) return publish(message, id, *number);
    count(*number);
    ++unpublished_;
    return trigger::Verdict::ok();
  }

  // Pending, until the server has the sum. A failure brings the message back, and then its number
  // has not been counted. mutex_ is held.
  trigger::Verdict publish(const trigger::Message& message, const std::string& id, long number) {
    long sum = sum_ + number;
    for (const auto& other : waiting_) sum += other.second.number;
    const std::uint64_t attempt = ++last_attempt_;
    // The callback is called on another thread, and before stop() has returned.
    const std::int32_t code = context_.publish(
        {topic_, std::to_string(sum)}, [this, id, attempt, completion = message.completion()](
                                           std::int32_t result, std::string_view reason) mutable {
          published(id, attempt, completion, trigger::Verdict::from_publish(result, reason));
        });
    if (code != TRIGGER_OK) return trigger::Verdict::from_publish(code);
    waiting_[id] = {attempt, number};
    return trigger::Verdict::pending();
  }

  void published(const std::string& id, std::uint64_t attempt, trigger::Completion& completion,
                 const trigger::Verdict& verdict) {
    const std::lock_guard lock(mutex_);
    // False: the attempt was over, for example past its deadline, and the message comes again.
    const bool in_time = completion.complete(verdict);
    const auto found = waiting_.find(id);
    if (found == waiting_.end() || found->second.attempt != attempt) return;
    const long number = found->second.number;
    waiting_.erase(found);
    if (!in_time || verdict.code() != TRIGGER_OK) return;
    count(number);
    unpublished_ = 0;
  }

  // mutex_ is held.
  void count(long number) {
    sum_ += number;
    shown_.total = sum_;
    numbers_total_.add();
    last_number_ = context_.monotonic();
  }

  // A number whose sum is on its way to the server.
  struct Waiting {
    std::uint64_t attempt;  // the latest one at its message
    long number;
  };

  const trigger::Context context_;
  const std::string topic_;
  const std::int64_t every_;
  const std::chrono::seconds quiet_;
  const trigger::Metric numbers_total_;

  std::mutex mutex_;
  std::chrono::steady_clock::time_point last_number_;
  std::int64_t unpublished_ = 0;            // numbers counted since the server got a sum
  std::int64_t sum_ = 0;                    // of the numbers counted
  std::map<std::string, Waiting> waiting_;  // by the id of the message
  std::uint64_t last_attempt_ = 0;
  Total shown_;
};

}  // namespace

TRIGGER_PLUGIN("@NAME@", "0.1.0", trigger::service<Sum>("sum"));
