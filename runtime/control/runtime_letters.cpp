// Runtime: dead letters.
#include <algorithm>
#include <thread>

#include "config/topic_filter.hpp"
#include "control/runtime.hpp"
#include "mqtt/packet/properties.hpp"

namespace triggerd::control {
namespace {

constexpr std::size_t kMaxPage = 1'000;
constexpr std::size_t kAtOnce = 100;
constexpr Millis kLookAgain{5};

management::AdminError failed(const Error& error) {
  return {management::AdminError::Kind::failed, error.message, {}};
}

management::AdminError no_letter(std::int64_t number) {
  return {management::AdminError::Kind::not_found,
          fmt::format("there is no dead letter {}", number),
          {}};
}

inbox::DeadLetterSelection selection_of(const management::DeadLetterFilter& filter) {
  return {.trigger = filter.trigger,
          .since = filter.since,
          .until = filter.until,
          .up_to = filter.up_to.value_or(INT64_MAX)};
}

management::DeadLetterView view_of(inbox::DeadLetter letter) {
  management::DeadLetterView view;
  view.number = letter.number;
  view.message_id = std::move(letter.message_id);
  view.trigger = std::move(letter.trigger);
  view.topic = std::move(letter.topic);
  view.payload_size = letter.payload_size;
  view.payload = std::move(letter.payload);
  view.qos = letter.qos;
  view.retained = letter.retained;
  view.reason = std::move(letter.reason);
  view.attempts = letter.attempts;
  view.received = letter.received;
  view.died = letter.died;
  if (letter.properties) {
    if (const auto all = mqtt::decode_properties(*letter.properties)) {
      for (const mqtt::Property& property : *all) {
        if (property.id != mqtt::property::kUser) continue;
        view.user_properties.emplace_back(property.name, property.value);
      }
    }
  }
  return view;
}

}  // namespace

management::Outcome<management::DeadLetterPage> Runtime::dead_letters(
    const management::DeadLetterFilter& filter, std::optional<std::int64_t> before,
    std::size_t limit, std::size_t payload_bytes) const {
  limit = std::clamp<std::size_t>(limit, 1, kMaxPage);
  const inbox::DeadLetterSelection selection = selection_of(filter);
  auto letters =
      inbox_->dead_letters(selection, before.value_or(INT64_MAX), false, limit + 1, payload_bytes);
  if (!letters) return tl::make_unexpected(failed(letters.error()));
  auto total = inbox_->count_dead_letters(selection);
  if (!total) return tl::make_unexpected(failed(total.error()));
  management::DeadLetterPage page;
  page.total = *total;
  if (letters->size() > limit) {
    letters->pop_back();
    page.next = letters->back().number;
  }
  for (inbox::DeadLetter& letter : *letters) {
    page.dead_letters.push_back(view_of(std::move(letter)));
  }
  return page;
}

management::Outcome<management::DeadLetterView> Runtime::dead_letter(std::int64_t number) const {
  auto letter = inbox_->dead_letter(number);
  if (!letter) return tl::make_unexpected(failed(letter.error()));
  if (!*letter) return tl::make_unexpected(no_letter(number));
  return view_of(**std::move(letter));
}

// Not on [control], which may be draining something for a while; but a trigger that is taken out
// meanwhile is not lost: what is replayed is a row first.
management::Outcome<> Runtime::replay_dead_letter(std::int64_t number,
                                                  const management::Actor& by) {
  auto letter = inbox_->dead_letter(number, 0);
  if (!letter) return tl::make_unexpected(failed(letter.error()));
  if (!*letter) return tl::make_unexpected(no_letter(number));
  if (const std::string& trigger = (*letter)->trigger; config()->find_trigger(trigger) == nullptr) {
    return tl::make_unexpected(management::AdminError{
        management::AdminError::Kind::conflict,
        fmt::format("dead letter {} is of trigger \"{}\", which is not configured: it stays a dead "
                    "letter; configure the trigger again, or drop it",
                    number, trigger),
        {}});
  }
  auto message = inbox_->replay_dead_letter(number);
  if (!message) return tl::make_unexpected(failed(message.error()));
  if (!*message) return tl::make_unexpected(no_letter(number));
  log_.info("dead_letter.replayed",
            {{"trigger", (*message)->trigger}, {"message", (*message)->message_id}},
            "dead letter {} is a message again, by {}", number, by);
  if (const TriggerPtr trigger = running_trigger((*message)->trigger)) {
    trigger->replay(**message);
  }
  return {};
}

management::Outcome<management::DeadLettersDone> Runtime::replay_dead_letters(
    const management::DeadLetterFilter& filter, const management::Actor& by,
    const Progress& progress) {
  const auto may_go = [this](const inbox::DeadLetter& letter) -> Result<> {
    const TriggerPtr trigger = running_trigger(letter.trigger);
    if (trigger == nullptr || trigger->may_replay()) return {};
    return fail("trigger \"{}\" has queue_capacity ({}) messages that are not handled yet",
                letter.trigger, trigger->config().queue_capacity);
  };
  return for_each_letter(filter, progress, may_go,
                         [&](std::int64_t number) { return replay_dead_letter(number, by); });
}

management::Outcome<management::DeadLettersDone> Runtime::drop_dead_letters(
    const management::DeadLetterFilter& filter, const management::Actor& by,
    const Progress& progress) {
  const auto always = [](const inbox::DeadLetter&) { return Result<>(); };
  return for_each_letter(filter, progress, always,
                         [&](std::int64_t number) { return drop_dead_letter(number, by); });
}

// Those that are there now: what dies again while it is replayed has a new number, and is not
// replayed again.
management::Outcome<management::DeadLettersDone> Runtime::for_each_letter(
    const management::DeadLetterFilter& filter, const Progress& progress,
    const std::function<Result<>(const inbox::DeadLetter&)>& may_go,
    const std::function<management::Outcome<>(std::int64_t)>& call) {
  inbox::DeadLetterSelection selection = selection_of(filter);
  const auto newest = inbox_->dead_letters(selection, INT64_MAX, false, 1, 0);
  if (!newest) return tl::make_unexpected(failed(newest.error()));
  management::DeadLettersDone done;
  if (newest->empty()) return done;
  done.up_to = selection.up_to = filter.up_to.value_or(newest->front().number);
  const auto total = inbox_->count_dead_letters(selection);
  if (!total) return tl::make_unexpected(failed(total.error()));
  std::int64_t beyond = 0;
  while (!stopping_) {
    const auto letters = inbox_->dead_letters(selection, beyond, true, kAtOnce, 0);
    if (!letters) return tl::make_unexpected(failed(letters.error()));
    if (letters->empty()) break;
    for (const inbox::DeadLetter& letter : *letters) {
      beyond = letter.number;
      for (auto now = may_go(letter); !now; now = may_go(letter)) {
        if (stopping_ || (progress && !progress(done.done + done.failed, *total))) {
          if (done.failed == 0) done.last_failure = now.error().message;
          return done;
        }
        std::this_thread::sleep_for(kLookAgain);
      }
      if (auto one = call(letter.number)) {
        ++done.done;
      } else if (one.error().kind !=
                 management::AdminError::Kind::not_found) {  // else somebody was quicker
        ++done.failed;
        done.last_failure = one.error().message;
      }
      if (progress && !progress(done.done + done.failed, *total)) return done;
    }
  }
  return done;
}

management::Outcome<> Runtime::edit_dead_letter(std::int64_t number,
                                                const std::optional<std::string>& topic,
                                                const std::optional<std::string>& payload,
                                                const management::Actor& by) {
  if (topic) {
    if (const auto good = config::check_topic_name(*topic); !good) {
      return tl::make_unexpected(management::AdminError{
          management::AdminError::Kind::invalid,
          fmt::format("topic {}", good.error().message),
          {{.file = {}, .line = 0, .column = 0, .key = "topic", .message = good.error().message}}});
    }
  }
  auto letter = inbox_->dead_letter(number, payload ? 0 : SIZE_MAX);
  if (!letter) return tl::make_unexpected(failed(letter.error()));
  if (!*letter) return tl::make_unexpected(no_letter(number));
  const auto done = inbox_->edit_dead_letter(number, topic.value_or((*letter)->topic),
                                             payload.value_or((*letter)->payload));
  if (!done) return tl::make_unexpected(failed(done.error()));
  log_.info("dead_letter.edited", {{"trigger", (*letter)->trigger}}, "dead letter {}, by {}",
            number, by);
  return {};
}

management::Outcome<> Runtime::drop_dead_letter(std::int64_t number, const management::Actor& by) {
  auto letter = inbox_->dead_letter(number, 0);
  if (!letter) return tl::make_unexpected(failed(letter.error()));
  if (!*letter) return tl::make_unexpected(no_letter(number));
  if (const auto done = inbox_->drop_dead_letter(number); !done) {
    return tl::make_unexpected(failed(done.error()));
  }
  log_.info("dead_letter.dropped", {{"trigger", (*letter)->trigger}}, "dead letter {}, by {}",
            number, by);
  return {};
}

}  // namespace triggerd::control
