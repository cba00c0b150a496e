// What stands around plugin/ in its tests: a log that remembers, a host that records, a source that
// a test fills by hand. All thread-safe.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "plugin/work.hpp"
#include "support/eventually.hpp"

namespace triggerd::plugin {

// Until when a test waits for what is sure to come.
inline Monotonic soon() {
  return std::chrono::steady_clock::now() + test::kPatience;
}

struct LogLine {
  LogLevel level = LogLevel::info;
  std::string event;
  std::map<std::string, std::string> fields;
  std::string text;
};

class RememberingLog final : public Log {
 public:
  bool enabled(LogLevel level) const override { return level >= LogLevel::debug; }
  void write(LogLevel level, std::string_view event, LogFields fields,
             std::string_view text) override {
    LogLine line{level, std::string(event), {}, std::string(text)};
    for (const LogField& field : fields) line.fields.emplace(field.key, field.value);
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::move(line));
    changed_.notify_all();
  }

  // The texts of all lines of `event`, in their order.
  std::vector<std::string> texts(std::string_view event) const {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> found;
    for (const LogLine& line : lines_) {
      if (line.event == event) found.push_back(line.text);
    }
    return found;
  }
  std::vector<LogLine> lines(std::string_view event) const {
    const std::lock_guard lock(mutex_);
    std::vector<LogLine> found;
    for (const LogLine& line : lines_) {
      if (line.event == event) found.push_back(line);
    }
    return found;
  }
  // Whether a line with exactly this text is there, or comes.
  bool wait_for(std::string_view text) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, test::kPatience, [&] {
      return std::any_of(lines_.begin(), lines_.end(),
                         [&](const LogLine& line) { return line.text == text; });
    });
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<LogLine> lines_;
};

class RecordingHost final : public InstanceHost {
 public:
  struct Completed {
    std::uint64_t token;
    Answer answer;
  };
  struct Published {
    std::string topic;
    std::string payload;
    PublishDone done;
  };

  std::int32_t complete(std::uint64_t token, Answer answer) override {
    const std::lock_guard lock(mutex_);
    const bool first = std::none_of(completed_.begin(), completed_.end(),
                                    [&](const Completed& c) { return c.token == token; });
    completed_.push_back({token, std::move(answer)});
    changed_.notify_all();
    return first ? TRIGGER_OK : TRIGGER_E_STALE;
  }
  std::int32_t extend(std::uint64_t, std::uint32_t ms) override {
    const std::lock_guard lock(mutex_);
    extended_ms_ = ms;
    return TRIGGER_OK;
  }
  std::int32_t publish(const trigger_publish& request, PublishDone done) override {
    if (on_publish) return on_publish(request, std::move(done));
    const std::lock_guard lock(mutex_);
    published_.push_back({{request.topic.ptr, request.topic.len},
                          {reinterpret_cast<const char*>(request.payload.ptr), request.payload.len},
                          std::move(done)});
    changed_.notify_all();
    return TRIGGER_OK;
  }

  // Takes the place of the recording. Set before anything can publish.
  std::function<std::int32_t(const trigger_publish&, PublishDone)> on_publish;

  std::vector<Completed> completed() const {
    const std::lock_guard lock(mutex_);
    return completed_;
  }
  std::uint32_t extended_ms() const {
    const std::lock_guard lock(mutex_);
    return extended_ms_;
  }
  // Waits until there are `count`, and returns them.
  std::vector<Published> published(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, test::kPatience, [&] { return published_.size() >= count; });
    return published_;
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Completed> completed_;
  std::vector<Published> published_;
  std::uint32_t extended_ms_ = 0;
};

class FakeSource final : public WorkSource {
 public:
  struct Answered {
    std::string topic;
    Answer answer;
  };

  // A message of which only topic and token mean something.
  void push(const std::string& topic) {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(hold(topic));
    changed_.notify_all();
  }
  // The same, for whoever asks for it with take_inline().
  void push_inline(const std::string& topic) {
    const std::lock_guard lock(mutex_);
    waiting_inline_.push_back(hold(topic));
  }
  const trigger_message* take(std::stop_token stop) override {
    std::unique_lock lock(mutex_);
    ++takes_;
    changed_.wait(lock, stop, [this] { return !waiting_.empty(); });
    if (stop.stop_requested()) return nullptr;
    const trigger_message* message = waiting_.front();
    waiting_.pop_front();
    ++taken_;
    changed_.notify_all();
    return message;
  }
  // What waits goes into one call. Before a worker takes anything.
  void give_batches() { gives_batches_ = true; }
  void take_more(std::vector<const trigger_message*>& batch) override {
    const std::lock_guard lock(mutex_);
    if (!gives_batches_) return;
    batch.insert(batch.end(), waiting_.begin(), waiting_.end());
    taken_ += waiting_.size();
    waiting_.clear();
  }
  void answered(const trigger_message& message, Answer answer) override {
    const std::lock_guard lock(mutex_);
    answered_.push_back({{message.topic.ptr, message.topic.len}, std::move(answer)});
    changed_.notify_all();
  }

  void set_inline_worker(std::shared_ptr<InlineWorker> worker) override {
    const std::lock_guard lock(mutex_);
    inline_worker_ = std::move(worker);
  }
  const trigger_message* take_inline() override {
    const std::lock_guard lock(mutex_);
    if (waiting_inline_.empty()) return nullptr;
    const trigger_message* message = waiting_inline_.front();
    waiting_inline_.pop_front();
    ++taken_;
    changed_.notify_all();
    return message;
  }
  void inline_over(std::optional<Monotonic::duration> too_long) override {
    const std::lock_guard lock(mutex_);
    runs_.push_back(too_long);
  }
  std::shared_ptr<InlineWorker> inline_worker() const {
    const std::lock_guard lock(mutex_);
    return inline_worker_;
  }
  // What inline_over() was told.
  std::vector<std::optional<Monotonic::duration>> runs() const {
    const std::lock_guard lock(mutex_);
    return runs_;
  }

  // Waits until there are `count`, and returns them.
  std::vector<Answered> answers(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, test::kPatience, [&] { return answered_.size() >= count; });
    return answered_;
  }
  // Waits until `count` messages are in the hands of workers, or were.
  bool wait_taken(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, test::kPatience, [&] { return taken_ >= count; });
  }
  std::size_t takes() const {
    const std::lock_guard lock(mutex_);
    return takes_;
  }

 private:
  struct Held {
    std::string topic;
    trigger_message message{};
  };

  const trigger_message* hold(const std::string& topic) {
    Held& held = held_.emplace_back();
    held.topic = topic;
    held.message.struct_size = sizeof held.message;
    held.message.token = held_.size();
    held.message.topic = {held.topic.c_str(), held.topic.size()};
    return &held.message;
  }

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Held> held_;  // a deque: messages stay where they are
  std::deque<const trigger_message*> waiting_;
  std::deque<const trigger_message*> waiting_inline_;
  std::shared_ptr<InlineWorker> inline_worker_;
  std::vector<std::optional<Monotonic::duration>> runs_;
  std::vector<Answered> answered_;
  bool gives_batches_ = false;
  std::size_t taken_ = 0;
  std::size_t takes_ = 0;
};

}  // namespace triggerd::plugin
