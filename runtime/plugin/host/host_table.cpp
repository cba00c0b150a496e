#include "plugin/host/host_table.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>

#include "plugin/abi_text.hpp"
#include "plugin/host/guarded_call.hpp"
#include "plugin/host/trace_context.hpp"

namespace triggerd::plugin {
namespace {

// What ABI 1.0 had. Constants, since sizeof grows with the header.
constexpr std::uint32_t kResultSize10 =
    offsetof(trigger_result, reason) + sizeof trigger_result::reason;
constexpr std::uint32_t kPublishSize10 = offsetof(trigger_publish, user) + sizeof(void*);

// The limits of MQTT itself (MQTT 3.1.1, sections 1.5.3 and 2.2.3); beyond them a length is a bug
// and no bytes stand behind it.
constexpr std::size_t kMaxTopicBytes = 65'535;
constexpr std::size_t kMaxPayloadBytes = 268'435'455;
constexpr std::size_t kMaxAliasBytes = 1'024;
constexpr std::size_t kMaxProperties = 65'535;
// The log cuts lines as well; this bounds how far a wrong length is followed.
constexpr std::size_t kMaxLogBytes = 4'096;
constexpr std::size_t kMaxMetricTextBytes = 1'024;

template <class Part>
bool sound(const Part& part, std::size_t limit) {
  return part.len <= limit && (part.ptr != nullptr || part.len == 0);
}

// Levels that a later ABI may add are at least as grave as the ones before.
LogLevel to_log_level(std::uint32_t level) {
  static constexpr LogLevel kLevels[] = {LogLevel::trace, LogLevel::debug, LogLevel::info,
                                         LogLevel::warn, LogLevel::error};
  return kLevels[std::min<std::uint32_t>(level, TRIGGER_LOG_ERROR)];
}

}  // namespace

bool valid_publish(const trigger_publish* request) {
  if (request == nullptr || request->struct_size < kPublishSize10) return false;
  if ((request->flags & ~TRIGGER_PUBLISH_RETAIN) != 0 || request->qos > 2) return false;
  if (!sound(request->alias, kMaxAliasBytes) || !sound(request->topic, kMaxTopicBytes) ||
      request->topic.len == 0 || !sound(request->payload, kMaxPayloadBytes)) {
    return false;
  }
  if (request->property_count > kMaxProperties) return false;
  if (request->property_count > 0 && request->properties == nullptr) return false;
  for (std::size_t i = 0; i < request->property_count; ++i) {
    const trigger_property& property = request->properties[i];
    if (!sound(property.name, kMaxTopicBytes) || !sound(property.value, kMaxTopicBytes)) {
      return false;
    }
  }
  return true;
}

bool is_verdict(std::int32_t code) {
  return code == TRIGGER_OK || code == TRIGGER_RETRY || code == TRIGGER_REJECT ||
         code == TRIGGER_UNAVAILABLE;
}

// A call's stay behind the table. Empty where the state does not allow it.
class HostTable::Inside {
 public:
  Inside(HostTable& table, State first, State last) : table_(table) {
    const MutexLock lock(table_.mutex_);
    entered_ = !table_.severed_ && table_.state_ >= first && table_.state_ <= last;
    if (entered_) ++table_.inside_;
  }
  ~Inside() {
    if (!entered_) return;
    const MutexLock lock(table_.mutex_);
    --table_.inside_;
    table_.left_.notify_all();
  }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;
  explicit operator bool() const { return entered_; }

 private:
  HostTable& table_;
  bool entered_ = false;
};

// The C functions. What is thrown behind the table (memory that runs out) stops here: noexcept is a
// promise to plugins in other languages.
struct HostTable::Functions {
  static HostTable& of(void* ctx) { return *static_cast<HostTable*>(ctx); }

  template <class Call>
  static std::int32_t code_of(Call&& call) noexcept {
    std::int32_t code = TRIGGER_E_FAILED;
    static_cast<void>(guarded([&] { code = call(); }));
    return code;
  }

  static std::int32_t complete(void* ctx, std::uint64_t token,
                               const trigger_result* result) noexcept {
    return code_of([&] { return of(ctx).complete(token, result); });
  }
  static std::int32_t extend(void* ctx, std::uint64_t token, std::uint32_t ms) noexcept {
    return code_of([&] { return of(ctx).extend(token, ms); });
  }
  static std::int32_t publish(void* ctx, const trigger_publish* request) noexcept {
    return code_of([&] { return of(ctx).publish(request); });
  }
  static std::int32_t log_enabled(void* ctx, std::uint32_t level) noexcept {
    HostTable& table = of(ctx);
    const Inside inside(table, State::created, State::stopped);
    return inside && table.log_enabled(to_log_level(level)) ? 1 : 0;
  }
  static void log(void* ctx, std::uint32_t level, trigger_str text) noexcept {
    static_cast<void>(guarded([&] { of(ctx).write_log(to_log_level(level), text); }));
  }
  static std::int32_t metric(void* ctx, trigger_str name, std::uint32_t kind, trigger_str help,
                             std::uint64_t* id) noexcept {
    return code_of([&]() -> std::int32_t {
      if (of(ctx).host_ == nullptr) return TRIGGER_E_STATE;
      if (id == nullptr || !sound(name, kMaxMetricTextBytes) || !sound(help, kMaxMetricTextBytes)) {
        return TRIGGER_E_INVALID;
      }
      return of(ctx).metrics_.define(view(name), kind, view(help), *id);
    });
  }
  static std::int32_t metric_add(void* ctx, std::uint64_t id, double value) noexcept {
    if (of(ctx).host_ == nullptr) return TRIGGER_E_STATE;
    return of(ctx).metrics_.add(id, value);
  }
  // ABI 1.0 has no extensions.
  static const void* extension(void*, const char*) noexcept { return nullptr; }
};

HostTable::HostTable(std::string plugin, Log& log) : plugin_(std::move(plugin)), log_(log) {
  fill_table();
}

HostTable::HostTable(std::string plugin, std::string trigger, Log& log,
                     std::optional<LogLevel> log_level, InstanceHost& host,
                     std::shared_ptr<Completions> completions)
    : plugin_(std::move(plugin)),
      trigger_(std::move(trigger)),
      log_(log),
      log_level_(log_level),
      host_(&host),
      publishes_(std::make_shared<Publishes>(std::move(completions))) {
  fill_table();
}

void HostTable::fill_table() {
  table_.struct_size = sizeof table_;
  table_.abi_major = TRIGGER_ABI_MAJOR;
  table_.abi_minor = TRIGGER_ABI_MINOR;
  table_.ctx = this;
  table_.complete = Functions::complete;
  table_.extend = Functions::extend;
  table_.publish = Functions::publish;
  table_.log_enabled = Functions::log_enabled;
  table_.log = Functions::log;
  table_.metric = Functions::metric;
  table_.metric_add = Functions::metric_add;
  table_.extension = Functions::extension;
}

void HostTable::set_state(State state) {
  if (state == State::started) publishes_->accept();
  const MutexLock lock(mutex_);
  state_ = state;
}

bool HostTable::cancel_publishes(Monotonic deadline) {
  return publishes_->cancel(deadline);
}

void HostTable::sever() {
  if (publishes_) publishes_->forget();
  const MutexLock lock(mutex_);
  severed_ = true;
  while (inside_ > 0) left_.wait(mutex_);
}

std::int32_t HostTable::complete(std::uint64_t token, const trigger_result* result) {
  const Inside inside(*this, State::started, State::stopping);
  if (!inside || host_ == nullptr) return TRIGGER_E_STATE;
  if (result == nullptr || result->struct_size < kResultSize10) return TRIGGER_E_INVALID;
  if (!is_verdict(result->code)) return TRIGGER_E_INVALID;
  return host_->complete(token, {result->code, result->retry_after_ms, reason_of(*result)});
}

std::int32_t HostTable::extend(std::uint64_t token, std::uint32_t ms) {
  const Inside inside(*this, State::started, State::stopping);
  if (!inside || host_ == nullptr) return TRIGGER_E_STATE;
  return host_->extend(token, ms);
}

std::int32_t HostTable::publish(const trigger_publish* request) {
  const Inside inside(*this, State::started, State::started);
  if (!inside || host_ == nullptr) return TRIGGER_E_STATE;
  if (!valid_publish(request)) return TRIGGER_E_INVALID;
  return publish_checked(*request);
}

std::int32_t HostTable::publish_checked(const trigger_publish& request) {
  if (request.done == nullptr) return host_->publish(request, {});
  Publishes::Opened opened = publishes_->open(request.done, request.user);
  if (opened.code != TRIGGER_OK) return opened.code;
  std::int32_t code = TRIGGER_E_FAILED;
  static_cast<void>(guarded([&] { code = host_->publish(request, std::move(opened.result)); }));
  if (code == TRIGGER_OK) {
    publishes_->commit(opened.id);
  } else {
    publishes_->drop(opened.id);
  }
  return code;
}

void HostTable::write_log(LogLevel level, trigger_str text) {
  const Inside inside(*this, State::created, State::stopped);
  if (!inside || !log_enabled(level)) return;
  std::string line;
  if (text.ptr != nullptr) line.assign(text.ptr, std::min(text.len, kMaxLogBytes));
  std::vector<LogField> fields{{"plugin", plugin_}};
  if (!trigger_.empty()) fields.push_back({"trigger", trigger_});
  if (const trigger_message* message = CurrentMessage::get()) {
    fields.push_back({"message", std::string(view(message->id))});
    const std::string_view trace = trace_id(properties_of(*message));
    if (!trace.empty()) fields.push_back({"trace_id", std::string(trace)});
  }
  log_.write(level, "plugin.log", fields, line);
}

}  // namespace triggerd::plugin
