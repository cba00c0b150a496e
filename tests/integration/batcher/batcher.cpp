// A service with handle_batch. Each call appends one line to its file, "CALL TOPIC=PAYLOAD ...",
// with all messages of the call that came for the first time or are no retry of what it refuses:
//
//   "retry-N"    is retried at its first attempt, and listed at its second
//   "reject-N"   is rejected
//   "pending-N"  is completed by the service's own thread, and then listed in a line of its own
//
// A call takes `delay_ms`.
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <mutex>
#include <string>
#include <thread>
#include <trigger/plugin.hpp>
#include <utility>
#include <vector>

namespace {

class Batcher {
 public:
  explicit Batcher(const trigger::Context& context)
      : delay_(context.settings().integer("delay_ms", 0)),
        file_(::open(context.settings().text("file").c_str(),
                     O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) {}
  ~Batcher() { ::close(file_); }
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  void stop() {
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

  trigger::Verdict handle(const trigger::Message& message) {
    std::this_thread::sleep_for(delay_);
    std::string line = "single";
    trigger::Verdict verdict = take(message, line);
    write(line);
    return verdict;
  }

  void handle_batch(trigger::Batch& batch) {
    std::this_thread::sleep_for(delay_);
    std::string line = "batch";
    for (std::size_t i = 0; i < batch.size(); ++i) batch.answer(i, take(batch[i], line));
    write(line);
  }

 private:
  trigger::Verdict take(const trigger::Message& message, std::string& line) {
    const std::string_view payload = message.payload();
    const std::string entry = " " + std::string(message.topic()) + "=" + std::string(payload);
    if (payload.substr(0, 6) == "retry-" && message.attempt() == 1) {
      return trigger::Verdict::retry("the first time");
    }
    if (payload.substr(0, 7) == "reject-") return trigger::Verdict::reject("refused");
    if (payload.substr(0, 8) == "pending-") {
      threads_.emplace_back([this, entry, completion = message.completion()]() mutable {
        write("pending" + entry);
        completion.complete(trigger::Verdict::ok());
      });
      return trigger::Verdict::pending();
    }
    line += entry;
    return trigger::Verdict::ok();
  }

  void write(std::string line) {
    line += '\n';
    const std::lock_guard lock(mutex_);
    if (::write(file_, line.data(), line.size()) < 0) return;
  }

  const std::chrono::milliseconds delay_;
  const int file_;
  std::mutex mutex_;
  std::vector<std::thread> threads_;
};

}  // namespace

TRIGGER_PLUGIN("batcher", "1.0.0", trigger::service<Batcher>("batch"));
