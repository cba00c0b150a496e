#include "management/event_bus.hpp"

#include <algorithm>

namespace triggerd::management {
namespace {

bool is_message(const AdminEvent& event) {
  return event.kind == "message" || event.kind == "dead_letter";
}

}  // namespace

class EventBus::Queue {
 public:
  Queue(EventFilter filter, std::size_t capacity)
      : filter_(std::move(filter)), capacity_(std::max<std::size_t>(capacity, 1)) {}

  const EventFilter& filter() const { return filter_; }

  void put(const AdminEvent& event) {
    if (is_message(event) ? !filter_.messages : !filter_.states) return;
    if (!filter_.trigger.empty() && event.trigger != filter_.trigger) return;
    MutexLock lock(mutex_);
    if (waiting_.size() >= capacity_) {
      ++dropped_;
      return;
    }
    waiting_.push_back(event);
    came_.notify_one();
  }

  std::optional<AdminEvent> next(Monotonic deadline) {
    MutexLock lock(mutex_);
    while (waiting_.empty() && !ended_) {
      if (came_.wait_until(mutex_, deadline) == std::cv_status::timeout) break;
    }
    if (waiting_.empty()) return std::nullopt;
    AdminEvent event = std::move(waiting_.front());
    waiting_.pop_front();
    return event;
  }

  void end() {
    MutexLock lock(mutex_);
    ended_ = true;
    came_.notify_all();
  }
  bool ended() const {
    MutexLock lock(mutex_);
    return ended_;
  }
  std::uint64_t dropped() const {
    MutexLock lock(mutex_);
    return dropped_;
  }

 private:
  const EventFilter filter_;
  const std::size_t capacity_;
  mutable Mutex mutex_;
  CondVar came_;
  std::deque<AdminEvent> waiting_ TRIGGERD_GUARDED_BY(mutex_);
  std::uint64_t dropped_ TRIGGERD_GUARDED_BY(mutex_) = 0;
  bool ended_ TRIGGERD_GUARDED_BY(mutex_) = false;
};

class EventBus::Listener final : public Subscription {
 public:
  Listener(EventBus& bus, std::shared_ptr<Queue> queue) : bus_(bus), queue_(std::move(queue)) {}
  ~Listener() override {
    MutexLock lock(bus_.mutex_);
    if (std::erase(bus_.queues_, queue_) == 0) return;
    if (queue_->filter().messages) --bus_.message_listeners_;
    if (queue_->filter().states) --bus_.state_listeners_;
  }
  std::optional<AdminEvent> next(Monotonic deadline) override { return queue_->next(deadline); }
  std::uint64_t dropped() const override { return queue_->dropped(); }
  bool ended() const override { return queue_->ended(); }

 private:
  EventBus& bus_;
  const std::shared_ptr<Queue> queue_;
};

std::unique_ptr<Subscription> EventBus::subscribe(const EventFilter& filter, std::size_t capacity) {
  auto queue = std::make_shared<Queue>(filter, capacity);
  MutexLock lock(mutex_);
  if (ended_) queue->end();
  queues_.push_back(queue);
  if (filter.messages) ++message_listeners_;
  if (filter.states) ++state_listeners_;
  return std::make_unique<Listener>(*this, std::move(queue));
}

void EventBus::publish(AdminEvent event) {
  MutexLock lock(mutex_);
  event.number = ++last_number_;
  if (event.when == Wall{}) event.when = clock_.wall();
  for (const auto& queue : queues_) queue->put(event);
}

void EventBus::end() {
  MutexLock lock(mutex_);
  ended_ = true;
  for (const auto& queue : queues_) queue->end();
}

void EventLog::write(LogLevel level, std::string_view event, LogFields fields,
                     std::string_view text) {
  // What a service says has a level of its own, which was asked before. The rest comes here where a
  // listener wants it, too.
  if (event == "plugin.log" || log_.enabled(level)) log_.write(level, event, fields, text);
  if (level < LogLevel::info || !bus_.wants_states() || event.starts_with("message.") ||
      event == "plugin.log") {
    return;
  }
  AdminEvent told;
  told.kind = event.substr(0, event.find('.'));
  for (const LogField& field : fields) {
    if (field.key == "trigger") told.trigger = field.value;
    if (field.key == "alias") told.alias = field.value;
    if (field.key == "plugin") told.plugin = field.value;
    if (field.key == "message") told.message_id = field.value;
  }
  told.text = fmt::format("{}: {}", event, text);
  bus_.publish(std::move(told));
}

}  // namespace triggerd::management
