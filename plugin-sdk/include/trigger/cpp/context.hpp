// What the host offers a service: settings, log, publish, metrics. Included by trigger/plugin.hpp.
#ifndef TRIGGER_CPP_CONTEXT_HPP
#define TRIGGER_CPP_CONTEXT_HPP

#include <trigger/clock.h>
#include <trigger/plugin.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <trigger/cpp/mqtt5.hpp>
#include <trigger/cpp/settings.hpp>
#include <trigger/cpp/text.hpp>
#include <trigger/cpp/verdict.hpp>
#include <type_traits>
#include <utility>

namespace trigger {

enum class Level : std::uint32_t {
  trace = TRIGGER_LOG_TRACE,
  debug = TRIGGER_LOG_DEBUG,
  info = TRIGGER_LOG_INFO,
  warn = TRIGGER_LOG_WARN,
  error = TRIGGER_LOG_ERROR
};

namespace detail {

// The link to the host that an instance's Context, Messages and Completions share. Kept by them, it
// may outlive the instance; by then it is closed, and their calls fail.
class Link {
 public:
  explicit Link(const trigger_host* host) noexcept : host_(host) {}

  // Whether complete, extend and publish may be called: from start until stop has returned.
  bool started() const noexcept { return started_; }
  void set_started(bool started) noexcept { started_ = started; }
  // The host's table is gone from now on.
  void close() noexcept {
    started_ = false;
    host_ = nullptr;
  }

  // nullptr once closed.
  const trigger_host* host() const noexcept { return host_; }

  void log(Level level, std::string_view text) const noexcept {
    if (const trigger_host* host = host_) {
      host->log(host->ctx, static_cast<std::uint32_t>(level), to_abi(text));
    }
  }

 private:
  std::atomic<const trigger_host*> host_;
  std::atomic<bool> started_{false};
};

// What an instance was made from.
struct Origin {
  Settings settings;
  std::string trigger;
  std::string alias;
  std::uint32_t concurrency;
};

// Receives the result of a publish: calls `done` once, and frees itself.
template <class Done>
struct PublishCallback {
  std::shared_ptr<Link> link;
  Done done;

  static void call(void* user, std::int32_t code, trigger_str reason) noexcept {
    const std::unique_ptr<PublishCallback> self(static_cast<PublishCallback*>(user));
    try {
      self->done(code, view(reason));
    } catch (const std::exception& error) {
      self->link->log(Level::error, error.what());
    } catch (...) {
      self->link->log(Level::error,
                      "a publish callback threw something that is not a std::exception");
    }
  }
};

}  // namespace detail

// A message to publish. What it refers to must live until publish() has returned.
struct Publish {
  std::string_view topic;  // no wildcards
  std::string_view payload;
  int qos = 1;
  bool retain = false;
  std::string_view alias = {};                   // empty: the trigger's own
  const trigger_property* properties = nullptr;  // MQTT 5
  std::size_t property_count = 0;

  void set(const Properties& list) noexcept {
    properties = list.data();
    property_count = list.size();
  }
};

// A counter or a gauge of the service. Copies stand for the same metric. [any; in create or later]
class Metric {
 public:
  // False if nothing was added: the value is not finite, or is below 0 for a counter.
  bool add(double value = 1) const noexcept {
    const trigger_host* host = link_->host();
    return host != nullptr && host->metric_add(host->ctx, id_, value) == TRIGGER_OK;
  }

 private:
  friend class Context;
  Metric(std::shared_ptr<detail::Link> link, std::uint64_t id) noexcept
      : link_(std::move(link)), id_(id) {}

  std::shared_ptr<detail::Link> link_;
  std::uint64_t id_;
};

class Message;

// A service is constructed with one, and keeps a copy if it needs the host later. Copies are cheap,
// belong to the same instance, and may be used from any thread.
class Context {
 public:
  Context(std::shared_ptr<detail::Link> link, std::shared_ptr<const detail::Origin> origin) noexcept
      : link_(std::move(link)), origin_(std::move(origin)) {}

  const Settings& settings() const noexcept { return origin_->settings; }
  const std::string& trigger() const noexcept { return origin_->trigger; }
  const std::string& alias() const noexcept { return origin_->alias; }
  // The most calls of handle and handle_batch at once. A pending message still takes the place of
  // its call, or its place in a batch.
  std::uint32_t concurrency() const noexcept { return origin_->concurrency; }

  bool log_enabled(Level level) const noexcept {
    const trigger_host* host = link_->host();
    return host != nullptr && host->log_enabled(host->ctx, static_cast<std::uint32_t>(level)) != 0;
  }
  void log(Level level, std::string_view text) const noexcept { link_->log(level, text); }
  void trace(std::string_view text) const noexcept { log(Level::trace, text); }
  void debug(std::string_view text) const noexcept { log(Level::debug, text); }
  void info(std::string_view text) const noexcept { log(Level::info, text); }
  void warn(std::string_view text) const noexcept { log(Level::warn, text); }
  void error(std::string_view text) const noexcept { log(Level::error, text); }

  // The time, which a test can set: see trigger/clock.h. now() is on the clock of
  // Message::received(), monotonic() is for measuring durations.
  std::chrono::system_clock::time_point now() const noexcept {
    using Clock = std::chrono::system_clock;
    const trigger_clock* clock = host_clock();
    return clock == nullptr ? Clock::now() : at<Clock>(clock->unix_ns(clock->ctx));
  }
  std::chrono::steady_clock::time_point monotonic() const noexcept {
    using Clock = std::chrono::steady_clock;
    const trigger_clock* clock = host_clock();
    return clock == nullptr ? Clock::now()
                            : at<Clock>(static_cast<std::int64_t>(clock->mono_ns(clock->ctx)));
  }

  // Publishes without reporting the result. TRIGGER_OK: on its way; otherwise one of the codes of
  // trigger_host.publish, and nothing was sent. [any; started]
  [[nodiscard]] std::int32_t publish(const Publish& message) const noexcept {
    return publish_with(message, nullptr, nullptr);
  }

  // The same, and if it returned TRIGGER_OK, `done` is called exactly once, as void(std::int32_t
  // code, std::string_view reason): TRIGGER_OK once the server has the message, otherwise an error.
  // It is called on the plugin's completions thread, perhaps before publish() has returned, and
  // must not block. It may be a move-only callable, such as a lambda that holds a Completion. If
  // publish() returned an error, `done` was destroyed without being called. [any; started]
  template <class Done>
  [[nodiscard]] std::int32_t publish(const Publish& message, Done&& done) const {
    using Callback = detail::PublishCallback<std::decay_t<Done>>;
    static_assert(std::is_invocable_v<std::decay_t<Done>&, std::int32_t, std::string_view>,
                  "done must be callable as void(std::int32_t code, std::string_view reason)");
    // Owned by the callback from here on: the completions thread may have freed it when publish()
    // returns.
    Callback* callback = new Callback{link_, std::forward<Done>(done)};
    const std::int32_t code = publish_with(message, &Callback::call, callback);
    if (code != TRIGGER_OK) delete callback;
    return code;
  }

  // Answers an MQTT 5 request: publishes `payload` with QoS 1 on the response topic that `request`
  // names, with its correlation data, through the trigger's own alias. Otherwise as publish();
  // TRIGGER_E_INVALID may also mean that the message names no response topic. [any; started]
  [[nodiscard]] std::int32_t reply(const Message& request, std::string_view payload) const;
  template <class Done>
  [[nodiscard]] std::int32_t reply(const Message& request, std::string_view payload,
                                   Done&& done) const;
  // The same with the QoS and the properties of `answer`; its topic and alias are ignored.
  [[nodiscard]] std::int32_t reply(const Message& request, const Publish& answer) const;
  template <class Done>
  [[nodiscard]] std::int32_t reply(const Message& request, const Publish& answer,
                                   Done&& done) const;

  // Creates a metric of the service, or finds it if it has one of that name; the runtime adds
  // labels for plugin and trigger. Throws std::runtime_error if the name or `help` is invalid, the
  // name has another kind, or there are too many: see trigger_host.metric. [any; in create or
  // later]
  Metric counter(std::string_view name, std::string_view help) const {
    return metric(name, TRIGGER_METRIC_COUNTER, help);
  }
  Metric gauge(std::string_view name, std::string_view help) const {
    return metric(name, TRIGGER_METRIC_GAUGE, help);
  }

  // The host's extension `id`, or nullptr if this runtime has none.
  const void* extension(const char* id) const noexcept {
    const trigger_host* host = link_->host();
    return host == nullptr ? nullptr : host->extension(host->ctx, id);
  }

 private:
  const trigger_clock* host_clock() const noexcept {
    return static_cast<const trigger_clock*>(extension(TRIGGER_CLOCK));
  }

  template <class Clock>
  static typename Clock::time_point at(std::int64_t ns) noexcept {
    return typename Clock::time_point(
        std::chrono::duration_cast<typename Clock::duration>(std::chrono::nanoseconds(ns)));
  }

  std::int32_t publish_with(const Publish& message, trigger_publish_done done,
                            void* user) const noexcept {
    const trigger_host* host = link_->host();
    if (host == nullptr || !link_->started()) return TRIGGER_E_STATE;
    trigger_publish request{};
    request.struct_size = sizeof(request);
    request.flags = message.retain ? TRIGGER_PUBLISH_RETAIN : 0;
    request.alias = detail::to_abi(message.alias);
    request.topic = detail::to_abi(message.topic);
    request.payload = detail::bytes_to_abi(message.payload);
    request.properties = message.properties;
    request.property_count = message.property_count;
    request.qos = static_cast<std::uint32_t>(message.qos);
    request.done = done;
    request.user = user;
    return host->publish(host->ctx, &request);
  }

  Metric metric(std::string_view name, std::uint32_t kind, std::string_view help) const {
    const trigger_host* host = link_->host();
    std::uint64_t id = 0;
    const std::int32_t code = host == nullptr ? TRIGGER_E_STATE
                                              : host->metric(host->ctx, detail::to_abi(name), kind,
                                                             detail::to_abi(help), &id);
    if (code != TRIGGER_OK) {
      throw std::runtime_error("metric \"" + std::string(name) + "\" cannot be created: " +
                               (code == TRIGGER_E_FULL
                                    ? "the plugin has too many"
                                    : "its name or kind is wrong, or is taken by another kind"));
    }
    return Metric(link_, id);
  }

  std::shared_ptr<detail::Link> link_;
  std::shared_ptr<const detail::Origin> origin_;
};

}  // namespace trigger

#endif  // TRIGGER_CPP_CONTEXT_HPP
