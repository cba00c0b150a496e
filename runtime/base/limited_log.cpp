#include "base/limited_log.hpp"

#include <pthread.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/units.hpp"

namespace triggerd {
namespace {

constexpr std::string_view kServiceSays = "plugin.log";

bool names_a_message(std::string_view key) {
  return key == "message" || key == "attempts" || key == "trace_id";
}

bool is_limited(LogLevel level, std::string_view event) {
  return level >= (event == kServiceSays ? LogLevel::warn : LogLevel::info);
}

std::string key_of(LogLevel level, std::string_view event, LogFields fields,
                   std::string_view text) {
  std::string key(to_string(level));
  const auto add = [&key](std::string_view part) {
    key += '\0';
    key += part;
  };
  add(event);
  for (const LogField& field : fields) {
    if (names_a_message(field.key)) continue;
    add(field.key);
    add(field.value);
  }
  if (event == kServiceSays) add(text);
  return key;
}

}  // namespace

LimitedLog::LimitedLog(std::unique_ptr<Log> log, const Clock& clock, LogLimits limits)
    : log_(std::move(log)), clock_(clock), limits_(limits) {}

LimitedLog::~LimitedLog() {
  {
    const MutexLock lock(mutex_);
    ending_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  const MutexLock lock(mutex_);
  for (const auto& [key, kind] : kinds_) {
    if (kind.held > 0) say(kind);
  }
}

void LimitedLog::write(LogLevel level, std::string_view event, LogFields fields,
                       std::string_view text) {
  if (!is_limited(level, event) || admit(level, event, fields, text)) {
    log_->write(level, event, fields, text);
  }
}

bool LimitedLog::admit(LogLevel level, std::string_view event, LogFields fields,
                       std::string_view text) {
  const std::string key = key_of(level, event, fields, text);
  const Monotonic now = clock_.now();
  bool due = false;
  {
    const MutexLock lock(mutex_);
    due = due_ <= now;
  }
  if (due) say_due();

  const MutexLock lock(mutex_);
  auto found = kinds_.find(key);
  if (found == kinds_.end()) {
    if (kinds_.size() >= limits_.max_kinds) forget_finished(now);
    if (kinds_.size() >= limits_.max_kinds) return true;
    found = kinds_.emplace(key, Kind{.ends = now + limits_.interval}).first;
  }
  Kind& kind = found->second;
  if (kind.ends <= now && kind.held == 0) kind = {.ends = now + limits_.interval};
  if (kind.shown < limits_.at_once) {
    ++kind.shown;
    return true;
  }
  ++kind.held;
  kind.level = level;
  kind.event = event;
  kind.fields.clear();
  for (const LogField& field : fields) {
    if (!names_a_message(field.key)) kind.fields.emplace_back(field.key, field.value);
  }
  kind.text = text;
  note_due(kind.ends);
  return false;
}

void LimitedLog::note_due(Monotonic when) {
  if (when >= due_) return;
  due_ = when;
  if (may_start_ && !thread_.joinable() && !ending_) {
    try {
      thread_ = std::thread([this] {
        // It may be a service that says so much: its thread's name would be taken for one of its
        // own.
        pthread_setname_np(pthread_self(), "log");
        run();
      });
    } catch (const std::system_error&) {
      may_start_ = false;  // no thread to be had: the next line that is written says it
    }
  }
  changed_.notify_all();
}

void LimitedLog::forget_finished(Monotonic now) {
  std::erase_if(kinds_, [now](const auto& entry) {
    return entry.second.ends <= now && entry.second.held == 0;
  });
}

void LimitedLog::say_due() {
  std::vector<Kind> due;
  {
    const Monotonic now = clock_.now();
    const MutexLock lock(mutex_);
    forget_finished(now);
    due_ = Monotonic::max();
    for (auto& [key, kind] : kinds_) {
      if (kind.held > 0 && kind.ends <= now) {
        due.push_back(kind);
        // Nothing more of it at once, until an interval has gone by without any.
        kind.held = 0;
        kind.ends = now + limits_.interval;
      }
      if (kind.held > 0) due_ = std::min(due_, kind.ends);
    }
  }
  for (const Kind& kind : due) say(kind);
}

void LimitedLog::say(const Kind& kind) {
  std::vector<LogField> fields;
  for (const auto& [key, value] : kind.fields) fields.push_back({key, value});
  fields.push_back({"repeated", std::to_string(kind.held)});
  log_->write(kind.level, kind.event, fields,
              fmt::format("{} more like this within {}; the last one: {}", kind.held,
                          format_duration(limits_.interval), kind.text));
}

void LimitedLog::say_in_time() {
  const MutexLock lock(mutex_);
  may_start_ = true;
}

void LimitedLog::run() {
  for (;;) {
    {
      const MutexLock lock(mutex_);
      while (!ending_ && clock_.now() < due_) {
        if (due_ == Monotonic::max()) {
          changed_.wait(mutex_);
        } else {
          changed_.wait_until(mutex_, due_);
        }
      }
      if (ending_) return;
    }
    say_due();
  }
}

}  // namespace triggerd
