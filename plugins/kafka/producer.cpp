#include "producer.hpp"

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include "common/all_signals_blocked.hpp"
#include "outcome.hpp"

namespace kafka {
namespace {

using plugin_common::AllSignalsBlocked;
using trigger::Level;
using trigger::Verdict;

// Those of syslog(3), as librdkafka has them.
Level level_of(int syslog_level) {
  if (syslog_level <= 3) return Level::error;
  if (syslog_level == 4) return Level::warn;
  return syslog_level <= 6 ? Level::info : Level::debug;
}

std::int64_t milliseconds_of(std::chrono::system_clock::time_point time) {
  using std::chrono::milliseconds;
  return std::chrono::floor<milliseconds>(time.time_since_epoch()).count();
}

}  // namespace

Producer::Producer(const Settings& settings, const trigger::Context& context)
    : settings_(settings),
      context_(context),
      delivered_(context.counter("kafka_delivered_total", "Messages that Kafka acknowledged.")),
      failed_(context.counter("kafka_failed_total",
                              "Messages that librdkafka took and Kafka did not acknowledge.")),
      made_(context.counter("kafka_producers_total",
                            "Producers that were made: one at a start, and one after each fatal "
                            "error.")),
      log_(context, "librdkafka"),
      statistics_(context) {}

Producer::~Producer() = default;

void Producer::start() {
  stopping_ = false;
  connected_ = false;
  fatal_ = false;
  problem_.clear();
  made_at_ = make();
  const AllSignalsBlocked blocked;
  thread_ = std::thread([this] { run(); });
}

void Producer::stop() {
  {
    const std::unique_lock lock(mutex_);
    stopping_ = true;
    if (handle_) handle_->wake();
  }
  changed_.notify_all();
  thread_.join();
  std::unique_ptr<Handle> last;
  {
    const std::unique_lock lock(mutex_);
    last = std::move(handle_);
    why_none_ = "the instance stops";
  }
  last.reset();
  log_.tell_left_out();
  statistics_.begin_again();
  left_.splice(left_.end(), pending_.take_all());
}

// Makes a producer, and returns when.
Producer::Clock::time_point Producer::make() {
  auto password = current_password(settings_);
  auto handle = std::make_unique<Handle>(make_configuration(settings_));
  password_ = std::move(password);
  made_.add();
  const std::unique_lock lock(mutex_);
  handle_ = std::move(handle);
  return Clock::now();
}

Verdict Producer::produce(const Record& record, const trigger::Message& message) {
  const std::shared_lock lock(mutex_);
  if (!handle_) {
    constexpr std::chrono::seconds soon(1);
    return Verdict::unavailable(soon, "not in Kafka: " + why_none_);
  }
  // The delivery report may come before this returns, and the next one may be of another thread's
  // message: from here on the item is the report's.
  Pending::Item* const item = pending_.add(message.completion());
  const rd_kafka_resp_err_t code = hand_over(handle_->get(), record, message, item);
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) return Verdict::pending();
  pending_.take(item);
  Outcome outcome;
  outcome.code = code;
  outcome.alone = true;
  return verdict_of(outcome, settings_);
}

rd_kafka_resp_err_t Producer::hand_over(rd_kafka_t* kafka, const Record& record,
                                        const trigger::Message& message,
                                        Pending::Item* item) const {
  rd_kafka_headers_t* headers = nullptr;
  if (!record.headers.empty()) {
    headers = rd_kafka_headers_new(record.headers.size());
    for (const auto& [name, value] : record.headers) {
      rd_kafka_header_add(headers, name.data(), static_cast<ssize_t>(name.size()), value.data(),
                          static_cast<ssize_t>(value.size()));
    }
  }
  // A null pointer is a tombstone, and an empty payload may have one.
  const std::string_view payload = message.payload();
  const bool is_null = payload.empty() && settings_.tombstones;
  const char* const value = is_null ? nullptr : payload.empty() ? "" : payload.data();
  const char* const key = record.key ? record.key->data() : nullptr;
  const std::size_t key_size = record.key ? record.key->size() : 0;
  // Without RD_KAFKA_MSG_F_COPY: the message stays valid until its verdict or the end of stop.
  // The macros that check these types are an extension of GNU's.
  const std::int64_t timestamp = milliseconds_of(message.received());
  const rd_kafka_resp_err_t code = rd_kafka_producev(
      kafka, RD_KAFKA_VTYPE_TOPIC, record.topic.c_str(), RD_KAFKA_VTYPE_KEY, key, key_size,
      RD_KAFKA_VTYPE_VALUE, value, payload.size(), RD_KAFKA_VTYPE_HEADERS, headers,
      RD_KAFKA_VTYPE_TIMESTAMP, timestamp, RD_KAFKA_VTYPE_OPAQUE, item, RD_KAFKA_VTYPE_END);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR && headers != nullptr) rd_kafka_headers_destroy(headers);
  return code;
}

void Producer::ask(std::chrono::milliseconds limit) {
  const std::shared_lock lock(mutex_);
  if (!handle_) throw std::runtime_error(why_none_);
  const rd_kafka_metadata_t* answer = nullptr;
  const rd_kafka_resp_err_t code =
      rd_kafka_metadata(handle_->get(), 0, nullptr, &answer, static_cast<int>(limit.count()));
  if (answer != nullptr) rd_kafka_metadata_destroy(answer);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    throw std::runtime_error(std::string("no answer from Kafka: ") + rd_kafka_err2str(code));
  }
}

void Producer::run() {
  // wake() ends the wait, so this is how late a line about left out ones may be.
  constexpr std::chrono::seconds most(1);
  for (;;) {
    {
      const std::shared_lock lock(mutex_);
      if (stopping_) return;
    }
    try {
      // Only this thread changes it.
      serve(handle_->next_event(most));
      log_.tell_in_time();
      if (fatal_) replace();
      if (!handle_) return;
    } catch (const std::exception& error) {
      context_.error(error.what());
    }
  }
}

void Producer::serve(const Event& event) {
  if (!event) return;
  switch (rd_kafka_event_type(event.get())) {
    case RD_KAFKA_EVENT_DR:
      take_reports(event.get());
      break;
    case RD_KAFKA_EVENT_ERROR:
      take_error(event.get());
      break;
    case RD_KAFKA_EVENT_LOG:
      take_log(event.get());
      break;
    case RD_KAFKA_EVENT_STATS:
      if (const auto brokers = statistics_.take(rd_kafka_event_stats(event.get()))) {
        connected_ = *brokers > 0;
      }
      break;
    default:
      break;
  }
}

void Producer::take_reports(rd_kafka_event_t* event) {
  // All of one request are in one event.
  const bool alone = rd_kafka_event_message_count(event) == 1;
  while (const rd_kafka_message_t* const message = rd_kafka_event_message_next(event)) {
    Outcome outcome;
    outcome.code = message->err;
    outcome.status = rd_kafka_message_status(message);
    outcome.alone = alone;
    if (outcome.code == RD_KAFKA_RESP_ERR_NO_ERROR) {
      connected_ = true;
      delivered_.add();
    } else {
      outcome.reachable = connected_;
      outcome.problem = problem_;
      failed_.add();
    }
    Pending::Items item = pending_.take(static_cast<Pending::Item*>(message->_private));
    item.front().completion.complete(verdict_of(outcome, settings_));
  }
}

void Producer::take_error(rd_kafka_event_t* event) {
  const rd_kafka_resp_err_t code = rd_kafka_event_error(event);
  const std::string text = rd_kafka_event_error_string(event);
  // The code may be that of the cause.
  if (code == RD_KAFKA_RESP_ERR__FATAL || rd_kafka_event_error_is_fatal(event) != 0) {
    fatal_ = true;
    problem_ = trigger::printable(text);
    return;  // replace() says it
  }
  switch (code) {
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
      connected_ = false;
      log_.say(Level::warn, text);
      return;
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
      renew_password();
      break;
    default:
      break;
  }
  problem_ = trigger::printable(text);
  log_.say(Level::warn, text);
}

void Producer::take_log(rd_kafka_event_t* event) {
  const char* facility = nullptr;
  const char* text = nullptr;
  int level = 0;
  if (rd_kafka_event_log(event, &facility, &text, &level) != 0) return;
  log_.say(level_of(level), std::string(facility) + ": " + text);
}

// The broker refuses the password: there may be a new one, which the next connection uses.
void Producer::renew_password() {
  if (settings_.password_file.empty()) return;
  try {
    std::string password = current_password(settings_);
    if (password == password_) return;
    rd_kafka_error_t* const error =
        rd_kafka_sasl_set_credentials(handle_->get(), settings_.username.c_str(), password.c_str());
    if (error != nullptr) {
      log_.say(Level::warn, rd_kafka_error_string(error));
      rd_kafka_error_destroy(error);
      return;
    }
    password_ = std::move(password);
  } catch (const std::runtime_error& problem) {
    log_.say(Level::warn, std::string("setting \"password_file\" ") + problem.what());
  }
}

// True: stop() was called before `until`.
bool Producer::stop_comes(Clock::time_point until) {
  std::shared_lock lock(mutex_);
  return changed_.wait_until(lock, until, [this] { return stopping_; });
}

// Another producer for one that cannot go on. Without one if a stop comes first.
void Producer::replace() {
  constexpr std::chrono::seconds pause(1);
  constexpr std::chrono::seconds for_reports(5);
  fatal_ = false;
  std::string why;
  {
    std::vector<char> text(512);
    const rd_kafka_resp_err_t code = rd_kafka_fatal_error(handle_->get(), text.data(), text.size());
    why = std::string("the producer cannot go on: ") + rd_kafka_err2str(code) + ": " + text.data();
  }
  context_.error(why + "; another one is made");
  std::unique_ptr<Handle> old;
  {
    const std::unique_lock lock(mutex_);
    old = std::move(handle_);
    why_none_ = why;
  }
  // Nobody hands anything over now. The reports say what may be in Kafka.
  old->purge();
  for (const auto end = Clock::now() + for_reports; old->unfinished() > 0 && Clock::now() < end;) {
    serve(old->next_event(std::chrono::milliseconds(100)));
  }
  fatal_ = false;
  old.reset();
  for (Pending::Item& item : pending_.take_all()) {
    item.completion.complete(Verdict::retry("not in Kafka: " + why));
  }
  statistics_.begin_again();
  connected_ = false;

  // One at once, and after that one a second.
  while (!stop_comes(made_at_ + pause)) {
    try {
      made_at_ = make();
      return;
    } catch (const std::exception& error) {
      context_.error(error.what());
      made_at_ = Clock::now();
      const std::unique_lock lock(mutex_);
      why_none_ = error.what();
    }
  }
}

}  // namespace kafka
