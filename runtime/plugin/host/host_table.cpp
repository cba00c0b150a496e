#include "plugin/host/host_table.hpp"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>

#include "plugin/abi_text.hpp"
#include "plugin/host/guarded_call.hpp"
#include "plugin/host/request_check.hpp"
#include "plugin/host/trace_context.hpp"

namespace triggerd::plugin {
namespace {

// The log cuts lines as well; this bounds how far a wrong length is followed.
constexpr std::size_t kMaxLogBytes = 4'096;
constexpr std::size_t kMaxMetricTextBytes = 1'024;

// Levels that a later ABI may add are at least as grave as the ones before.
LogLevel to_log_level(std::uint32_t level) {
  static constexpr LogLevel kLevels[] = {LogLevel::trace, LogLevel::debug, LogLevel::info,
                                         LogLevel::warn, LogLevel::error};
  return kLevels[std::min<std::uint32_t>(level, TRIGGER_LOG_ERROR)];
}

}  // namespace

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
    const CallGate::Entry inside(table.gate_, State::created, State::stopped);
    return inside && table.log_enabled(to_log_level(level)) ? 1 : 0;
  }
  static void log(void* ctx, std::uint32_t level, trigger_str text) noexcept {
    static_cast<void>(guarded([&] { of(ctx).write_log(to_log_level(level), text); }));
  }
  static std::int32_t metric(void* ctx, trigger_str name, std::uint32_t kind, trigger_str help,
                             std::uint64_t* id) noexcept {
    return code_of([&]() -> std::int32_t {
      if (of(ctx).host_ == nullptr) return TRIGGER_E_STATE;
      if (id == nullptr || !is_sound(name, kMaxMetricTextBytes) ||
          !is_sound(help, kMaxMetricTextBytes)) {
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
  gate_.set_state(state);
}

bool HostTable::cancel_publishes(Monotonic deadline) {
  return publishes_->cancel(deadline);
}

void HostTable::sever() {
  if (publishes_) publishes_->forget();
  gate_.close();
}

std::int32_t HostTable::complete(std::uint64_t token, const trigger_result* result) {
  const CallGate::Entry inside(gate_, State::started, State::stopping);
  if (!inside || host_ == nullptr) return TRIGGER_E_STATE;
  if (!valid_completion(result)) return TRIGGER_E_INVALID;
  return host_->complete(token, {result->code, result->retry_after_ms, reason_of(*result)});
}

std::int32_t HostTable::extend(std::uint64_t token, std::uint32_t ms) {
  const CallGate::Entry inside(gate_, State::started, State::stopping);
  if (!inside || host_ == nullptr) return TRIGGER_E_STATE;
  return host_->extend(token, ms);
}

std::int32_t HostTable::publish(const trigger_publish* request) {
  const CallGate::Entry inside(gate_, State::started, State::started);
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
  const CallGate::Entry inside(gate_, State::created, State::stopped);
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
