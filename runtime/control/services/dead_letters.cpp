#include "control/services/dead_letters.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <thread>

#include "config/topic_filter.hpp"
#include "control/running/admin_errors.hpp"
#include "mqtt/packet/properties.hpp"

namespace triggerd::control {
namespace {

constexpr std::size_t kMaxPage = 1'000;
constexpr std::size_t kAtOnce = 100;
constexpr Millis kLookAgain{5};

tl::unexpected<management::AdminError> no_dead_letter(std::int64_t number) {
  return refused_as(management::AdminError::Kind::not_found,
                    fmt::format("there is no dead letter {}", number));
}

inbox::DeadLetterSelection selection_of(const management::DeadLetterFilter& filter) {
  return {.trigger = filter.trigger,
          .since = filter.since,
          .until = filter.until,
          .up_to = filter.up_to.value_or(INT64_MAX)};
}

management::DeadLetterView view_of(inbox::DeadLetter dead_letter) {
  management::DeadLetterView view;
  view.number = dead_letter.number;
  view.message_id = std::move(dead_letter.message_id);
  view.trigger = std::move(dead_letter.trigger);
  view.topic = std::move(dead_letter.topic);
  view.payload_size = dead_letter.payload_size;
  view.payload = std::move(dead_letter.payload);
  view.qos = dead_letter.qos;
  view.retained = dead_letter.retained;
  view.reason = std::move(dead_letter.reason);
  view.attempts = dead_letter.attempts;
  view.received = dead_letter.received;
  view.died = dead_letter.died;
  if (dead_letter.properties) {
    if (const auto all = mqtt::decode_properties(*dead_letter.properties)) {
      for (const mqtt::Property& property : *all) {
        if (property.id != mqtt::property::kUser) continue;
        view.user_properties.emplace_back(property.name, property.value);
      }
    }
  }
  return view;
}

}  // namespace

TriggerPtr DeadLetters::running_trigger(std::string_view name) const {
  return needs_.registry.now()->trigger(name);
}

management::Outcome<management::DeadLetterPage> DeadLetters::dead_letters(
    const management::DeadLetterFilter& filter, std::optional<std::int64_t> before,
    std::size_t limit, std::size_t payload_bytes) const {
  limit = std::clamp<std::size_t>(limit, 1, kMaxPage);
  const inbox::DeadLetterSelection selection = selection_of(filter);
  auto found =
      needs_.stored.page(selection, before.value_or(INT64_MAX), false, limit + 1, payload_bytes);
  if (!found) return failed(found.error());
  auto total = needs_.stored.count(selection);
  if (!total) return failed(total.error());
  management::DeadLetterPage page;
  page.total = *total;
  if (found->size() > limit) {
    found->pop_back();
    page.next = found->back().number;
  }
  for (inbox::DeadLetter& dead_letter : *found) {
    page.dead_letters.push_back(view_of(std::move(dead_letter)));
  }
  return page;
}

management::Outcome<management::DeadLetterView> DeadLetters::dead_letter(
    std::int64_t number) const {
  auto found = needs_.stored.find(number);
  if (!found) return failed(found.error());
  if (!*found) return no_dead_letter(number);
  return view_of(**std::move(found));
}

// Not on [control], which may be draining something for a while; but a trigger that is taken out
// meanwhile is not lost: what is replayed is a row first.
management::Outcome<> DeadLetters::replay_dead_letter(std::int64_t number,
                                                      const management::Actor& by) {
  auto found = needs_.stored.find(number, 0);
  if (!found) return failed(found.error());
  if (!*found) return no_dead_letter(number);
  if (const std::string& trigger = (*found)->trigger;
      needs_.registry.config()->find_trigger(trigger) == nullptr) {
    return conflict(
        fmt::format("dead letter {} belongs to trigger \"{}\", which is not configured; configure "
                    "the trigger again, or drop the dead letter",
                    number, trigger));
  }
  auto message = needs_.stored.replay(number);
  if (!message) return failed(message.error());
  if (!*message) return no_dead_letter(number);
  needs_.log.info("dead_letter.replayed",
                  {{"trigger", (*message)->trigger}, {"message", (*message)->message_id}},
                  "dead letter {} replayed by {}", number, by);
  if (const TriggerPtr trigger = running_trigger((*message)->trigger)) {
    trigger->replay(**message);
  }
  return {};
}

management::Outcome<management::DeadLettersDone> DeadLetters::replay_dead_letters(
    const management::DeadLetterFilter& filter, const management::Actor& by,
    const Progress& progress) {
  const auto may_go = [this](const inbox::DeadLetter& dead_letter) -> Result<> {
    const TriggerPtr trigger = running_trigger(dead_letter.trigger);
    if (trigger == nullptr || trigger->may_replay()) return {};
    return fail("trigger \"{}\" already has queue_capacity ({}) unfinished messages",
                dead_letter.trigger, trigger->config().queue_capacity);
  };
  return for_each(filter, progress, may_go,
                  [&](std::int64_t number) { return replay_dead_letter(number, by); });
}

management::Outcome<management::DeadLettersDone> DeadLetters::drop_dead_letters(
    const management::DeadLetterFilter& filter, const management::Actor& by,
    const Progress& progress) {
  const auto always = [](const inbox::DeadLetter&) { return Result<>(); };
  return for_each(filter, progress, always,
                  [&](std::int64_t number) { return drop_dead_letter(number, by); });
}

// Those that are there now: what dies again while it is replayed has a new number, and is not
// replayed again.
management::Outcome<management::DeadLettersDone> DeadLetters::for_each(
    const management::DeadLetterFilter& filter, const Progress& progress,
    const std::function<Result<>(const inbox::DeadLetter&)>& may_go,
    const std::function<management::Outcome<>(std::int64_t)>& call) {
  inbox::DeadLetterSelection selection = selection_of(filter);
  const auto newest = needs_.stored.page(selection, INT64_MAX, false, 1, 0);
  if (!newest) return failed(newest.error());
  management::DeadLettersDone done;
  if (newest->empty()) return done;
  done.up_to = selection.up_to = filter.up_to.value_or(newest->front().number);
  const auto total = needs_.stored.count(selection);
  if (!total) return failed(total.error());
  std::int64_t beyond = 0;
  while (!needs_.control.stopping()) {
    const auto found = needs_.stored.page(selection, beyond, true, kAtOnce, 0);
    if (!found) return failed(found.error());
    if (found->empty()) break;
    for (const inbox::DeadLetter& dead_letter : *found) {
      beyond = dead_letter.number;
      for (auto now = may_go(dead_letter); !now; now = may_go(dead_letter)) {
        if (needs_.control.stopping() || (progress && !progress(done.done + done.failed, *total))) {
          if (done.failed == 0) done.last_failure = now.error().message;
          return done;
        }
        std::this_thread::sleep_for(kLookAgain);
      }
      if (auto one = call(dead_letter.number)) {
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

management::Outcome<> DeadLetters::edit_dead_letter(std::int64_t number,
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
  auto found = needs_.stored.find(number, payload ? 0 : SIZE_MAX);
  if (!found) return failed(found.error());
  if (!*found) return no_dead_letter(number);
  const auto done = needs_.stored.edit(number, topic.value_or((*found)->topic),
                                       payload.value_or((*found)->payload));
  if (!done) return failed(done.error());
  needs_.log.info("dead_letter.edited", {{"trigger", (*found)->trigger}},
                  "dead letter {} edited by {}", number, by);
  return {};
}

management::Outcome<> DeadLetters::drop_dead_letter(std::int64_t number,
                                                    const management::Actor& by) {
  auto found = needs_.stored.find(number, 0);
  if (!found) return failed(found.error());
  if (!*found) return no_dead_letter(number);
  if (const auto done = needs_.stored.drop(number); !done) {
    return failed(done.error());
  }
  needs_.log.info("dead_letter.dropped", {{"trigger", (*found)->trigger}},
                  "dead letter {} dropped by {}", number, by);
  return {};
}

}  // namespace triggerd::control
