// @NAME@: adds up the numbers that arrive, and publishes the sum after every few of them. Short,
// and shows everything that a service may have; take out what you do not need.
#include <atomic>
#include <charconv>
#include <chrono>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <trigger/plugin.hpp>

namespace {

// What the extension "sum.total/1" shows: an ability of its own, for who knows the id.
struct Total {
  std::uint32_t struct_size = sizeof(Total);
  std::uint32_t reserved = 0;
  std::atomic<std::int64_t> total{0};  // written by workers
};

class Sum {
 public:
  static constexpr std::uint32_t state_version = 1;  // of what save() writes

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

  // Optional: several messages at once, where one transaction is cheaper than many. Each has its
  // own verdict; what is not answered comes again. A message that is alone goes to handle().
  void handle_batch(trigger::Batch& batch) {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < batch.size(); ++i) batch.answer(i, take(batch[i]));
  }

  // Optional: is what the service depends on there? Context's clock is one that tests can move.
  void probe() {
    const std::lock_guard lock(mutex_);
    if (context_.monotonic() - last_number_ > quiet_) {
      throw std::runtime_error("no number has come for a while");
    }
  }

  // Optional: what a successor needs, after a hot reload.
  std::string save() { return std::to_string(count_) + " " + std::to_string(sum_); }
  void restore(std::uint32_t version, std::string_view state) {
    const std::size_t space = state.find(' ');
    const std::optional<long> count = parse(state.substr(0, space));
    const std::optional<long> sum = parse(state.substr(space + 1));
    if (version != state_version || space == state.npos || !count || !sum) {
      throw std::runtime_error("that state is not mine");
    }
    count_ = *count;
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
    if (!number) return trigger::Verdict::reject("the payload must be a whole number");
    add(*number);
    if (count_ % every_ != 0) return trigger::Verdict::ok();

    // Ok only once the server has the sum: until then the message is pending, and a failure brings
    // it back. The callback comes on another thread.
    const std::string sum = std::to_string(sum_);
    const std::int32_t code = context_.publish(
        {topic_, sum},
        [completion = message.completion()](std::int32_t result, std::string_view reason) mutable {
          completion.complete(trigger::Verdict::from_publish(result, reason));
        });
    if (code != TRIGGER_OK) return trigger::Verdict::from_publish(code);
    return trigger::Verdict::pending();
  }

  // mutex_ is held.
  void add(long number) {
    sum_ += number;
    ++count_;
    shown_.total = sum_;
    numbers_total_.add();
    last_number_ = context_.monotonic();
  }

  const trigger::Context context_;
  const std::string topic_;
  const std::int64_t every_;
  const std::chrono::seconds quiet_;
  const trigger::Metric numbers_total_;

  std::mutex mutex_;
  std::chrono::steady_clock::time_point last_number_;
  std::int64_t count_ = 0;
  std::int64_t sum_ = 0;
  Total shown_;
};

}  // namespace

TRIGGER_PLUGIN("@NAME@", "0.1.0", trigger::service<Sum>("sum"));
