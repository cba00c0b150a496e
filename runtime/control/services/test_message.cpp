#include "control/services/test_message.hpp"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "dispatch/message_properties.hpp"

namespace triggerd::control {

void LogLines::write(LogLevel level, std::string_view, LogFields, std::string_view text) {
  const MutexLock lock(mutex_);
  if (lines_.size() < kMax) lines_.push_back({std::string(to_string(level)), std::string(text)});
}

std::vector<management::TriggerTest::LogLine> LogLines::take() {
  const MutexLock lock(mutex_);
  return std::exchange(lines_, {});
}

TestMessage::TestMessage(std::string trigger, std::string alias,
                         management::TriggerTestMessage message, Millis timeout, const Clock& clock)
    : clock_(clock),
      trigger_(std::move(trigger)),
      alias_(std::move(alias)),
      message_(std::move(message)) {
  for (const auto& [name, value] : message_.user_properties) {
    trigger_property property{};
    property.id = mqtt::property::kUser;
    property.name = {name.data(), name.size()};
    property.value = {reinterpret_cast<const std::uint8_t*>(value.data()), value.size()};
    properties_.push_back(property);
  }
  view_.struct_size = sizeof view_;
  view_.flags = message_.retained ? TRIGGER_MESSAGE_RETAIN : 0U;
  view_.token = 1;
  view_.id = {id_.data(), id_.size()};
  view_.topic = {message_.topic.data(), message_.topic.size()};
  view_.trigger = {trigger_.data(), trigger_.size()};
  view_.payload = {reinterpret_cast<const std::uint8_t*>(message_.payload.data()),
                   message_.payload.size()};
  view_.received_unix_ns =
      std::chrono::duration_cast<std::chrono::nanoseconds>(clock_.wall().time_since_epoch())
          .count();
  view_.deadline_mono_ns =
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                     (clock_.now() + timeout).time_since_epoch())
                                     .count());
  view_.properties = properties_.data();
  view_.property_count = properties_.size();
  view_.attempt = 1;
  view_.qos = static_cast<std::uint32_t>(message_.qos);
}

bool TestMessage::wait(Monotonic deadline) {
  const MutexLock lock(mutex_);
  while (!answer_) {
    if (changed_.wait_until(mutex_, deadline) == std::cv_status::timeout) break;
  }
  return answer_.has_value();
}

management::TriggerTest TestMessage::result() {
  const MutexLock lock(mutex_);
  management::TriggerTest test;
  test.published = published_;
  if (!answer_) {
    test.verdict = "timeout";
    test.reason = "no verdict within the timeout";
    return test;
  }
  test.reason = answer_->reason;
  test.seconds = seconds_;
  test.verdict = answer_->code == TRIGGER_OK && answer_->unseen ? "filtered"
                 : answer_->code == TRIGGER_OK                  ? "ok"
                 : answer_->code == TRIGGER_RETRY               ? "retry"
                 : answer_->code == TRIGGER_UNAVAILABLE         ? "unavailable"
                 : answer_->code == TRIGGER_REJECT              ? "reject"
                                                                : "invalid";
  test.retry_after_ms = answer_->retry_after_ms;
  if (test.verdict == "invalid") {
    test.reason = fmt::format("the service returned {}, which is not a verdict", answer_->code);
  }
  return test;
}

// ---- WorkSource ----

const trigger_message* TestMessage::take(std::stop_token stop) {
  const std::stop_callback wake_up(stop, [this] {
    const MutexLock lock(mutex_);
    changed_.notify_all();
  });
  const MutexLock lock(mutex_);
  if (!std::exchange(taken_, true) && !stop.stop_requested()) {
    began_ = clock_.now();
    return &view_;
  }
  while (!stop.stop_requested()) changed_.wait(mutex_);
  return nullptr;
}

plugin::WorkSource::Taken TestMessage::poll(std::size_t) {
  const MutexLock lock(mutex_);
  if (std::exchange(taken_, true)) return {};
  began_ = clock_.now();
  return {.message = &view_, .follows = false};
}

void TestMessage::listen(std::function<void()> waker) {
  if (waker) waker();
}

void TestMessage::lost(const Loss& loss) {
  if (loss.why != Loss::Why::crashed) return;
  (void)end({.code = TRIGGER_RETRY, .retry_after_ms = 0, .reason = loss.reason});
}

void TestMessage::answered(const trigger_message&, plugin::Answer answer) {
  if (answer.code != TRIGGER_PENDING) end(std::move(answer));
}

// ---- InstanceHost ----

std::int32_t TestMessage::complete(std::uint64_t token, plugin::Answer answer) {
  return token == view_.token && end(std::move(answer)) ? TRIGGER_OK : TRIGGER_E_STALE;
}

std::int32_t TestMessage::extend(std::uint64_t token, std::uint32_t) {
  return token == view_.token ? TRIGGER_OK : TRIGGER_E_STALE;
}

std::int32_t TestMessage::publish(const trigger_publish& request, plugin::PublishDone done) {
  {
    const MutexLock lock(mutex_);
    published_.push_back(
        {.alias =
             request.alias.len == 0 ? alias_ : std::string(request.alias.ptr, request.alias.len),
         .topic = std::string(request.topic.ptr, request.topic.len),
         .payload =
             std::string(reinterpret_cast<const char*>(request.payload.ptr), request.payload.len),
         .qos = static_cast<int>(request.qos),
         .retained = (request.flags & TRIGGER_PUBLISH_RETAIN) != 0});
  }
  if (done) done(TRIGGER_OK, {});
  return TRIGGER_OK;
}

bool TestMessage::end(plugin::Answer answer) {
  const MutexLock lock(mutex_);
  if (answer_) return false;
  answer_ = std::move(answer);
  seconds_ = std::chrono::duration<double>(clock_.now() - began_).count();
  changed_.notify_all();
  return true;
}

}  // namespace triggerd::control
